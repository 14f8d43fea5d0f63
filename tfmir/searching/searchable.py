"""What an index on the disk and one in a server have in common: who is asked for, and how the answer is put together.

It imports no TensorFlow.
"""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from tfmir.catalogue.embeddings import precision_of
from tfmir.corpora.spelling import composed
from tfmir.inference.subspaces import unit_rows
from tfmir.searching.paths import found_path, is_same, names_below
from tfmir.searching.ranking import Hit, Scored, best, query_parts, weighted_query
from tfmir.vocabulary import Vocabulary

WHOLE, SUBSPACES = "whole", "subspaces"


@dataclasses.dataclass(frozen=True)
class Question:
    """What is looked for.

    Attributes:
      query: float32 [dim], whole-space embedding.
      weights: notion -> weight; empty: the whole space.
      parts: notion -> float32 [dim / notions], the query's unit parts; empty for a system with one space.
      space: `WHOLE` or `SUBSPACES`, the vectors that answer it.
      vector: float32 [dim], whose inner product with them is the score.
    """

    query: np.ndarray
    weights: Mapping[str, float]
    parts: Mapping[str, np.ndarray]
    space: str
    vector: np.ndarray


@dataclasses.dataclass(frozen=True)
class Allowed:
    """Which rows may be found: how many, and what says so to what is asked; None: all."""

    count: int
    rows: Any = None


class Searchable(abc.ABC):
    """A catalogue that can be searched.

    Attributes:
      card: of the run that has embedded the catalogue.
      vocabulary: its tags and notions.
      notions: names of the sub-spaces; empty for a system with one space.
      tags: full names, in the order of the tracks' scores.
      library: folder or URL of the catalogue.
      weights_sha256: of the run's weights.
      precision: of the arithmetic behind the catalogue's embeddings; queries are embedded in the same.

    Args:
      header: has `card`, `library` and `weights_sha256`.
    """

    def __init__(self, header: Mapping[str, Any]):
        self.card: dict[str, Any] = header["card"]
        self.vocabulary = Vocabulary.from_dict(self.card["notions"])
        self.notions = self.vocabulary.notions if self.card["system"]["disentangled"] else ()
        self.tags: tuple[str, ...] = tuple(self.card["tags"])
        self.library: str = header["library"]
        self.weights_sha256: str = header["weights_sha256"]
        self.precision = precision_of(self.card)

    @abc.abstractmethod
    def __len__(self) -> int: ...

    @abc.abstractmethod
    def facts(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        """Of each row: `track_id`, `path`, `artist`, `tags`, `size`, `mtime_ns`."""

    @abc.abstractmethod
    def vectors(self, space: str, rows: Sequence[int]) -> np.ndarray:
        """float32 [k, dim]: the vectors of some rows, in their order."""

    @abc.abstractmethod
    def _row(self, column: str, value: str) -> int | None:
        """The first row with a value in `track_id` or `path`."""

    @abc.abstractmethod
    def _composed_row(self, track_id: str) -> int | None:
        """The first row whose id has this composed form (NFC)."""

    @abc.abstractmethod
    def _with_stamps(self, size: int, mtime_ns: int) -> list[int]:
        """Rows whose files had a size and a time."""

    @abc.abstractmethod
    def _allowed(self, tags: Collection[str], artist: str) -> Allowed:
        """Rows that carry all tags and are by the artist, if one is named."""

    @abc.abstractmethod
    def _nearest(self, question: Question, count: int, allowed: Allowed) -> Scored:
        """At least the `count` best rows, if there are so many, in any order; nothing better than they is left out."""

    def _answering(self) -> contextlib.AbstractContextManager[None]:
        """Around every answer: says so if it is not of one catalogue."""
        return contextlib.nullcontext()

    def _artists(self, rows: np.ndarray) -> np.ndarray:
        """int64 [k]: equal numbers for rows of one artist; -1: unknown. Those of one call are compared."""
        names = np.array([of["artist"] or "" for of in self.facts(rows.tolist())], dtype=object)
        _, numbers = np.unique(names.astype(str), return_inverse=True)
        return np.where(names == "", -1, numbers)

    def _most_diverse(self, allowed: Allowed, exclude: Collection[int]) -> int | None:
        """How many hits there are at most with one of each artist, if that is known without a search."""
        return None

    def row_of(self, like: str) -> int | None:
        """The row of a track id, or of a file in the library however its path is spelled; None if it is not there."""
        return next(iter(self.rows_of(like)), None)

    def rows_of(self, like: str) -> tuple[int, ...]:
        """As `row_of`, and after it the rows that are the same file under other names."""
        try:
            like.encode()
        except UnicodeEncodeError:  # a name that is no text, which no table holds
            return ()
        with self._answering():
            return self._rows_of(like)

    def _rows_of(self, like: str) -> tuple[int, ...]:
        path = found_path(like)
        row = self._row("track_id", like)
        for name in names_below(path or like, self.library):
            row = self._row("path", name) if row is None else row
        if row is None and path:
            status = os.stat(path)
            return tuple(self._same_files(path, status.st_size, status.st_mtime_ns))
        if row is None:
            row = self._composed_row(composed(like))
        if row is None:
            return ()
        (of,) = self.facts([row])
        return tuple(dict.fromkeys((row, *self._same_files(self._file(of), of["size"], of["mtime_ns"]))))

    def changed_file(self, like: str, row: int) -> str:
        """The path of a row's own file, if `like` names it and it is not what was embedded any more; else empty."""
        path = found_path(like)
        (of,) = self.facts([row])
        if not path or not is_same(path, self._file(of)):
            return ""
        status = os.stat(path)
        return "" if (status.st_size, status.st_mtime_ns) == (of["size"], of["mtime_ns"]) else path

    def embedding(self, row: int) -> np.ndarray:
        """float32 [dim]: the whole-space embedding of a row, rounded to float16."""
        return self.vectors(WHOLE, [row])[0]

    def search(
        self,
        query: np.ndarray,
        *,
        weights: Mapping[str, float],
        top: int,
        exclude: Collection[int] = (),
        tags: Collection[str] = (),
        artist: str = "",
        diverse: bool = False,
    ) -> list[Hit]:
        """The most similar tracks, best first; those of equal score in the order of their rows.

        Args:
          query: float32 [dim], whole-space embedding.
          weights: notion -> weight, of either sign; empty: the whole space.
          top: how many hits at most.
          exclude: rows that are left out, usually the query itself.
          tags: full names; a hit carries all of them.
          artist: name of the only artist; empty: any.
          diverse: at most one hit of each known artist.

        Raises:
          UserError: an unknown tag or artist, or what is asked is damaged or does not answer.
        """
        with self._answering():
            question = self._question(query, weights)
            allowed = self._allowed(tags, artist)
            most = self._most_diverse(allowed, exclude) if diverse else None
            found = best(
                lambda count: self._nearest(question, count, allowed),
                total=allowed.count,
                top=top if most is None else min(top, most),
                exclude=frozenset(exclude),
                artists=self._artists if diverse else None,
            )
            return self._hits(found, question)

    def _question(self, query: np.ndarray, weights: Mapping[str, float]) -> Question:
        parts = query_parts(query, self.vocabulary) if self.notions else {}
        vector = weighted_query(parts, weights) if weights else np.asarray(query, np.float32)
        return Question(query, weights, parts, SUBSPACES if weights else WHOLE, vector)

    def _hits(self, found: Scored, question: Question) -> list[Hit]:
        rows = found.rows.tolist()
        if not rows:
            return []
        parts = np.split(self.vectors(question.space, rows), max(1, len(self.notions)), axis=1)
        pairs = zip(self.notions, parts, strict=False)  # no notions: one part, the whole
        cosines = {notion: unit_rows(part) @ question.parts[notion] for notion, part in pairs}
        return [
            Hit(
                rank=place + 1,
                track_id=of["track_id"],
                score=float(found.scores[place]),
                similarities={notion: float(values[place]) for notion, values in cosines.items()},
                tags=tuple(of["tags"] or ()),
                row=rows[place],
                artist=of["artist"] or "",
            )
            for place, of in enumerate(self.facts(rows))
        ]

    def _file(self, of: Mapping[str, Any]) -> str:
        return os.path.join(self.library, of["path"])

    def _same_files(self, path: str, size: int, mtime_ns: int) -> list[int]:
        """Rows that are one file on the disk: only those that had its time and size are looked at."""
        rows = self._with_stamps(size, mtime_ns)
        return [row for row, of in zip(rows, self.facts(rows), strict=True) if is_same(self._file(of), path)]
