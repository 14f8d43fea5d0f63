"""Tags of the tracks of an index: those that its label file gave (true), and those that the system predicts."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from tfmir.searching.index import Index

# Tags are many and most are rare, so that few scores pass a half; below this one the best of a notion is mostly noise.
LEAST_SCORE = 0.3


@dataclasses.dataclass(frozen=True)
class NotionLabels:
    """One tag of one notion for each of many tracks.

    Attributes:
      tags: int [tracks], number of the tag within the notion, see `Labels.counts`; -1 where there is neither a true nor
        a predicted one.
      predicted: bool [tracks], whether it is predicted.
    """

    tags: np.ndarray
    predicted: np.ndarray


class Labels:
    """True and predicted tags.

    A tag is predicted if it has the highest score in its notion, and at least `LEAST_SCORE`, and the track has no true
    tag of that notion.

    Args:
      index: of a library.
    """

    def __init__(self, index: Index):
        self.names = tuple(index.tags)
        self._true, self._scores = index.tracks["tags"], index.tracks["scores"]
        self._columns: dict[str, list[int]] = {}
        for column, name in enumerate(self.names):
            self._columns.setdefault(notion_of(name), []).append(column)

    def true(self, row: int) -> list[str]:
        """Full names `notion/tag` of the tags that a track carries."""
        return self._true[row].as_py() or []

    def predicted(self, row: int) -> list[tuple[str, float]]:
        """The predicted tag of every notion that has one, with its score."""
        found = np.array(self._scores[row].as_py() or (), np.float32)
        return self.best(found, known=self.true(row))

    def best(self, scores: np.ndarray, *, known: Sequence[str] = ()) -> list[tuple[str, float]]:
        """The predicted tags by a track's scores.

        Args:
          scores: float [tags]; empty if the system gave none.
          known: the tags that the track carries.
        """
        if len(scores) != len(self.names):
            return []
        told = set(map(notion_of, known))
        chosen = []
        for notion, columns in self._columns.items():
            best = max(columns, key=scores.__getitem__)
            if notion not in told and scores[best] >= LEAST_SCORE:
                chosen.append((self.names[best], float(scores[best])))
        return chosen

    @functools.cached_property
    def counts(self) -> dict[str, dict[str, int]]:
        """Notion -> tag -> how many tracks carry it: first the system's tags, then those that only tracks have."""
        found = {pair["values"]: pair["counts"] for pair in pc.value_counts(pc.list_flatten(self._true)).to_pylist()}
        groups: dict[str, dict[str, int]] = {}
        for name in dict.fromkeys([*self.names, *sorted(found)]):
            groups.setdefault(notion_of(name), {})[name] = found.get(name, 0)
        return groups

    def of(self, rows: np.ndarray) -> dict[str, NotionLabels]:
        """Notion -> a tag of each of these tracks: the first true one, or else the predicted one."""
        true, scores = [set(self.true(int(row))) for row in rows], self._scores_of(rows)
        return {notion: self._of_notion(notion, true, scores) for notion in self.counts}

    def _of_notion(self, notion: str, true: list[set[str]], scores: np.ndarray) -> NotionLabels:
        names = self.counts[notion]
        carried = [next((number for number, name in enumerate(names) if name in tags), -1) for tags in true]
        tags = np.array(carried, np.int64)
        if not scores.size or notion not in self._columns:
            return NotionLabels(tags, np.zeros(len(tags), bool))
        own = scores[:, self._columns[notion]]
        predicted = (tags < 0) & (own.max(axis=1) >= LEAST_SCORE)
        return NotionLabels(np.where(predicted, own.argmax(axis=1), tags), predicted)

    def _scores_of(self, rows: np.ndarray) -> np.ndarray:
        """float32 [rows, tags], without a copy of the column; of no size if a track has none."""
        if not len(rows):
            return np.zeros([0, 0], np.float32)
        found, start = np.zeros([len(rows), len(self.names)], np.float32), 0
        for chunk in self._scores.chunks:
            here = (rows >= start) & (rows < start + len(chunk))
            if here.any():
                chosen = chunk.take(pa.array(rows[here] - start))
                values = chosen.flatten().to_numpy(zero_copy_only=False)
                if len(values) != here.sum() * len(self.names):
                    return np.zeros([0, 0], np.float32)
                found[here] = values.reshape(-1, len(self.names))
            start += len(chunk)
        return found


def notion_of(name: str) -> str:
    """The notion of a full tag name.

    >>> notion_of("mood/dark")
    'mood'
    """
    return name.partition("/")[0]
