"""A catalogue's index on the disk, searched along notions by exact inner products of float16 vectors.

It imports no TensorFlow. `index_build.py` makes one, `qdrant.py` has the same in a server.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pathlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfmir.corpora.spelling import composed
from tfmir.errors import UserError
from tfmir.searching import filters
from tfmir.searching.graphs import Graphs
from tfmir.searching.index_parts import HEADER, TRACKS, Parts, damaged, map_name, read_header
from tfmir.searching.ranking import Scored
from tfmir.searching.searchable import SUBSPACES, WHOLE, Allowed, Question, Searchable

_FACTS = ["track_id", "path", "artist", "tags", "size", "mtime_ns"]
_TAGS_KEPT = 128  # of which rows carry a tag: a byte a track


class StaleIndexError(UserError):
    """The index in the folder is not the one that was opened: `open_index` opens that which is there now."""


class Index(Searchable):
    """An index; threads may search it side by side.

    Files are opened by their names when they are needed: every answer is refused with `StaleIndexError` if the index
    was made anew in the meantime.

    Attributes:
      tracks: all columns of the embeddings but the vectors; row i belongs to vector i.

    Args:
      folder: of the index.
      header: what `index_parts.read_header` says of it.
      stamp: of the header's file, taken before it was read; None: the index is just being made.
    """

    def __init__(self, folder: pathlib.Path, header: Mapping[str, Any], stamp: tuple[int, int] | None = None):
        super().__init__(header)
        self._stamp = stamp
        self.folder, self._header = folder, header
        self.tracks = _mapped_table(folder / TRACKS)
        if self.tracks.num_rows != header["tracks"]:
            raise damaged(folder / TRACKS)
        self._parts = {
            space: Parts(folder, space, header["tracks"], header["part_rows"]) for space in (WHOLE, SUBSPACES)
        }
        self._graphs = Graphs(folder) if header["kind"] == "hnsw" else None
        self._tagged = functools.lru_cache(_TAGS_KEPT)(lambda tag: filters.tagged(self.tracks["tags"], tag))

    def __len__(self) -> int:
        return int(self._header["tracks"])

    def is_current(self) -> bool:
        """Whether the folder still holds the index that was opened."""
        return self._stamp == _stamp_of(self.folder)

    @contextlib.contextmanager
    def _answering(self) -> Iterator[None]:
        """Looks again afterwards, and before an error is believed: what was opened meanwhile may be of a new index."""
        self._refuse_stale()
        try:
            yield
        finally:
            self._refuse_stale()

    def _refuse_stale(self) -> None:
        if not self.is_current():
            raise StaleIndexError(f"{self.folder}: the index was made anew since it was opened: open it again")

    def vectors(self, space: str, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """float32 [k, dim]: the vectors of some rows, in their order; no others are read."""
        with self._answering():
            return self._parts[space].rows(rows)

    def facts(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        """Of each row: `track_id`, `path`, `artist`, `tags`, `size`, `mtime_ns`."""
        self._refuse_stale()
        columns = {name: self.tracks[name] for name in _FACTS}  # a `take` of texts may copy all of them
        return [{name: column[row].as_py() for name, column in columns.items()} for row in rows]

    def map(self, space: str) -> np.ndarray | None:
        """float32 [tracks, 2], NaN outside the sample: a map of `whole` or of a notion; None if there is none."""
        self._refuse_stale()
        if space not in self._header["maps"]:
            return None
        with self._answering():
            return np.load(self.folder / map_name(space), mmap_mode="r", allow_pickle=False)

    def _nearest(self, question: Question, count: int, allowed: Allowed) -> Scored:
        parts = self._parts[question.space]
        if self._graphs and allowed.rows is None:
            near = self._graphs.candidates(question, count, len(self))
            if near is not None:
                return Scored(near, parts.rows(near) @ question.vector)
        return parts.nearest(question.vector, count, allowed.rows)

    @functools.cached_property
    def _artist_numbers(self) -> np.ndarray:
        """int32 [tracks]: -1: unknown."""
        names = self.tracks["artist"]
        encoded = pc.if_else(pc.equal(names, ""), None, names).dictionary_encode().unify_dictionaries()
        numbers = [pc.fill_null(chunk.indices, -1).to_numpy() for chunk in encoded.chunks]
        return np.concatenate([np.zeros(0, np.int32), *numbers])

    def _artists(self, rows: np.ndarray) -> np.ndarray:
        return self._artist_numbers[rows]

    def _most_diverse(self, allowed: Allowed, exclude: Collection[int]) -> int:
        there = np.ones(len(self), bool) if allowed.rows is None else allowed.rows.copy()
        there[np.fromiter(exclude, np.int64)] = False
        found = self._artist_numbers[there]
        return len(np.unique(found[found >= 0])) + int(np.sum(found < 0))

    def _allowed(self, tags: Collection[str], artist: str) -> Allowed:
        carried = self._header["tags"]
        known = tuple(dict.fromkeys((*self.tags, *carried))) if carried else ()
        masks = [self._tagged(tag) for tag in filters.known_tags(tags, known)]
        if artist:
            masks.append(filters.by_artist(self.tracks["artist"], artist))
        if not masks:
            return Allowed(len(self))
        rows = np.logical_and.reduce(masks)
        return Allowed(int(rows.sum()), rows)

    def _row(self, column: str, value: str) -> int | None:
        return _first(self.tracks[column], value)

    def _composed_row(self, track_id: str) -> int | None:
        # By Python: Arrow's utf8_normalize of pyarrow 25 does not compose.
        names = (name for chunk in self.tracks["track_id"].chunks for name in chunk.to_pylist())
        return next((row for row, name in enumerate(names) if composed(name) == track_id), None)

    def _with_stamps(self, size: int, mtime_ns: int) -> list[int]:
        same = pc.and_(pc.equal(self.tracks["size"], size), pc.equal(self.tracks["mtime_ns"], mtime_ns))
        return np.flatnonzero(same.to_numpy()).tolist()


def open_index(folder: str) -> Index:
    """The index in a folder; files are mapped and read when a search needs them.

    Raises:
      UserError: there is none, a file of it is missing, cut or damaged, or another version wrote it.
    """
    path = pathlib.Path(folder)
    stamp = _stamp_of(path)
    header = read_header(folder)
    try:
        index = Index(path, header, stamp)
    except (KeyError, TypeError) as error:
        raise UserError(f"{folder}: not what this version of tfmir writes ({error!r}): make the index again") from error
    return index if index.is_current() else open_index(folder)


def _stamp_of(folder: pathlib.Path) -> tuple[int, int] | None:
    """What changes when an index is made anew, of its header's file: inode and time; None if it is not there."""
    try:
        status = os.stat(folder / HEADER)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _first(values: pa.ChunkedArray, value: str) -> int | None:
    row = pc.index(values, value).as_py()
    return None if row < 0 else row


def _mapped_table(path: pathlib.Path) -> pa.Table:
    try:
        return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    except pa.ArrowInvalid as error:
        raise damaged(path) from error
