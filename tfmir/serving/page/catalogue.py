"""What the page shows of an index: a track as JSON, and tracks found by typing, at a million tracks as well."""

from __future__ import annotations

import functools
import posixpath
import threading
import unicodedata
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfmir.corpora.spelling import one_line
from tfmir.inference.subspaces import subspace_embeddings
from tfmir.serving.page.labels import Labels
from tfmir.vocabulary import Vocabulary

if TYPE_CHECKING:
    from tfmir.searching.index import Index

MOST_LETTERS = 200  # of what is typed
_SAMPLE = 500  # songs
_RANKED = 2000  # of so many matches the best come first; of more, those that stand first in the catalogue


class Catalogue:
    """An index and what is derived from it once.

    Args:
      index: of a library.
    """

    def __init__(self, index: Index):
        self.index = index
        self.labels = Labels(index)
        self.vocabulary = Vocabulary.from_dict(index.card["notions"])
        self._ids = index.tracks["track_id"]
        self._lock = threading.Lock()
        self._map_lock = threading.Lock()
        self._map_labels = functools.lru_cache(maxsize=1)(self._labels_of)

    def __len__(self) -> int:
        return len(self.index)

    def is_current(self) -> bool:
        """Whether the index is still the one on the disk."""
        return self.index.is_current()

    @functools.cached_property
    def has_artists(self) -> bool:
        """Whether any track names its artist."""
        return bool(pc.any(pc.not_equal(self.index.tracks["artist"], "")).as_py())

    def row_of(self, track_id: str) -> int | None:
        """The row of a track id, compared byte for byte: nothing that a visitor types is looked up on the disk."""
        row = pc.index(self._ids, pa.scalar(track_id, self._ids.type)).as_py()
        return None if row < 0 else int(row)

    def same_song(self, row: int) -> tuple[int, ...]:
        """A row, and those of the same file under other names; the disk is asked by names that the index has."""
        return tuple({row, *self.index.rows_of(self._cell("track_id", row))})

    def track(self, row: int) -> dict[str, Any]:
        """A track as the page gets it: see `docs/page.md`."""
        track_id, seconds = self._cell("track_id", row), self._cell("duration_s", row)
        folder, name = posixpath.split(track_id)
        return {
            "row": row,
            "track_id": track_id,
            "title": one_line(posixpath.splitext(name)[0] or name),
            "folder": one_line(folder),
            "artist": self._cell("artist", row) or "",  # as the index has it: it is a filter, too
            "seconds": round(float(seconds or 0.0), 2),
            "tags": self.labels.true(row),
            "predicted": [{"tag": tag, "score": round(score, 3)} for tag, score in self.labels.predicted(row)],
        }

    def path(self, row: int) -> str:
        """The path of a track's file below the library, as the index has it."""
        return self._cell("path", row) or ""

    def map_labels(self, rows: np.ndarray) -> dict[str, Any]:
        """Notion -> `tags` and `predicted` of the points of a map; kept, as all maps show the same tracks.

        Args:
          rows: int64 [points].
        """
        with self._map_lock:
            return self._map_labels(tuple(rows.tolist()))

    def _labels_of(self, rows: tuple[int, ...]) -> dict[str, Any]:
        found = self.labels.of(np.array(rows, np.int64))
        return {
            notion: {"tags": labels.tags.tolist(), "predicted": labels.predicted.astype(int).tolist()}
            for notion, labels in found.items()
        }

    def find(self, text: str, *, limit: int) -> tuple[list[int], int]:
        """Rows of the tracks whose artist and id hold every word of a text, in any case, with or without accents.

        Args:
          text: what was typed; empty finds the first tracks.
          limit: how many rows.

        Returns:
          At most `limit` rows, names that begin with the text first; and how many there are in all.
        """
        wanted = folded(pa.array([text[:MOST_LETTERS]]))[0].as_py()
        words = sorted(wanted.split(), key=len, reverse=True)  # the longest leaves the fewest for the others
        if not words:
            return list(range(min(limit, len(self)))), len(self)
        rows, left = np.arange(len(self)), self.haystack
        for place, word in enumerate(words):
            holds = pc.match_substring(left, word)
            rows = rows[holds.to_numpy()]
            left = left.filter(holds) if place + 1 < len(words) else left
        first = [(_place(self.haystack[row].as_py(), wanted), int(row)) for row in rows[:_RANKED].tolist()]
        return [row for _, row in sorted(first)][:limit], len(rows)

    def typical(self, embedding: np.ndarray) -> dict[str, float]:
        """Notion -> the mean cosine of a song with songs at random: sub-spaces are cones, in which no cosine is near 0.

        Args:
          embedding: float32 [dim], of the song.
        """
        own = self._parts(embedding[np.newaxis])
        return {notion: float(np.mean(parts @ own[notion][0])) for notion, parts in self._sample.items()}

    @functools.cached_property
    def _sample(self) -> dict[str, np.ndarray]:
        rows = np.random.default_rng(0).permutation(len(self))[:_SAMPLE].tolist()
        return self._parts(np.stack([self.index.embedding(row) for row in rows]))

    def _parts(self, embeddings: np.ndarray) -> dict[str, np.ndarray]:
        return subspace_embeddings(embeddings, self.vocabulary) if self.index.notions else {}

    @property
    def haystack(self) -> pa.ChunkedArray:
        """What typing looks through: artist and id of every track, folded; made at the first call."""
        with self._lock:
            return self._haystack

    @functools.cached_property
    def _haystack(self) -> pa.ChunkedArray:
        filled = {"null_handling": "replace", "null_replacement": ""}
        batches = self.index.tracks.select(["artist", "track_id"]).to_batches()  # at once they would fill the memory
        parts = [folded(pc.binary_join_element_wise(*batch.columns, "\n", **filled)) for batch in batches]
        return pa.chunked_array(parts, pa.string())

    def _cell(self, column: str, row: int) -> Any:
        return self.index.tracks[column][row].as_py()


def folded(texts: Any) -> Any:
    """Arrow strings in lower case without accents, so that `Ete` finds `été`.

    >>> folded(pa.array(["Été"]))[0].as_py()
    'ete'
    """
    if isinstance(texts, pa.ChunkedArray):
        return pa.chunked_array([folded(chunk) for chunk in texts.chunks], pa.string())
    return pc.utf8_lower(pa.array([_without_accents(text) for text in texts.to_pylist()], pa.string()))


def _without_accents(text: str | None) -> str | None:
    """By Python: Arrow's utf8_normalize of pyarrow 25 changes nothing."""
    if not text or text.isascii():
        return text
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.category(c).startswith("M"))


def _place(found: str, wanted: str) -> int:
    """0 where the name of the track or of the artist begins with the text, 1 where a word does, else 2."""
    artist, _, track_id = found.partition("\n")
    name = posixpath.basename(track_id)
    if name.startswith(wanted) or artist.startswith(wanted):
        return 0
    at = found.find(wanted)
    return 1 if at > 0 and not found[at - 1].isalnum() else 2
