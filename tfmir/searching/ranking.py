"""What every search shares, in memory, in an index or in a server: the weighted query, the order, the hits.

It imports no TensorFlow: an index is searched without.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

import faiss
import numpy as np

from tfmir.errors import UserError
from tfmir.inference.subspaces import subspace_embeddings
from tfmir.vocabulary import Vocabulary

if TYPE_CHECKING:
    from tfmir.catalogue.library import Library

# Bounds of the largest weight: far beyond them the scores, which are float32, are infinite or 0.
LEAST, MOST = 1e-6, 1e6


@dataclasses.dataclass(frozen=True)
class Hit:
    """One result.

    Attributes:
      rank: from 1.
      track_id: its name.
      score: the weighted sum of cosines, or the inner product in the whole space.
      similarities: notion -> cosine in its sub-space.
      tags: where they are known, else empty.
      row: its number in what was searched.
      artist: empty if unknown.
    """

    rank: int
    track_id: str
    score: float
    similarities: dict[str, float]
    tags: tuple[str, ...]
    row: int
    artist: str = ""


@dataclasses.dataclass(frozen=True)
class Scored:
    """Rows and their scores: int64 [k] and float32 [k]."""

    rows: np.ndarray
    scores: np.ndarray

    def first(self, count: int) -> Scored:
        """The `count` best, in order: by score, and rows of equal score by their number."""
        order = np.lexsort((self.rows, -self.scores))[:count]
        return Scored(self.rows[order], self.scores[order])


def query_parts(query: np.ndarray, vocabulary: Vocabulary) -> dict[str, np.ndarray]:
    """Notion -> float32 [dim / notions], the unit part of a query [dim]; zeros where it is dead."""
    return {notion: part[0] for notion, part in subspace_embeddings(query[np.newaxis], vocabulary).items()}


def weighted_query(parts: Mapping[str, np.ndarray], weights: Mapping[str, float]) -> np.ndarray:
    """float32 [dim]: the unit parts times their weights, side by side.

    Every sub-space is normalised, so that the inner product of this with a track's unit parts side by side is the
    whole weighted sum `sum_s weight_s · cos_s(query, track)`.

    Raises:
      UserError: every part that has a weight is dead, so that all tracks would be equally near.
    """
    counting = [notion for notion in parts if weights.get(notion)]
    if counting and not any(parts[notion].any() for notion in counting):
        raise UserError(f"nothing of {' or '.join(counting)} is heard in this song: give another weight")
    return np.concatenate([np.float32(weights.get(notion, 0.0)) * part for notion, part in parts.items()])


def best(
    fetch: Callable[[int], Scored],
    *,
    total: int,
    top: int,
    exclude: Collection[int] = (),
    artists: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Scored:
    """The best rows in their one order, with equal scores by row, whatever `fetch` leaves out among equals.

    Args:
      fetch: a number -> so many of the best rows, in any order; fewer only if there are no more.
      total: how many rows there are.
      top: how many are wanted.
      exclude: rows that are left out.
      artists: rows -> int64, the number of the artist of each, to keep one row of an artist; -1: unknown, kept each.

    Returns:
      At most `top` rows, best first.
    """
    if not total:
        return Scored(np.zeros(0, np.int64), np.zeros(0, np.float32))  # a server takes no limit of 0
    count = top + len(exclude) + 1
    while True:
        found = fetch(min(count, total)).first(count)
        complete = count >= total or len(found.rows) < count
        # Of those with the lowest score there may be more, of lower rows, that were not fetched.
        certain = len(found.rows) if complete else int(np.sum(found.scores > found.scores[-1]))
        rows = found.rows[:certain]
        kept = _admitted(rows, artists(rows) if artists else np.full(certain, -1), exclude)
        if complete or len(kept) >= top:
            return Scored(found.rows[kept[:top]], found.scores[kept[:top]])
        count *= 4


def _admitted(rows: np.ndarray, artists: np.ndarray, exclude: Collection[int]) -> np.ndarray:
    """int64: places of the rows that stay: of each artist the first that is not left out."""
    places = np.flatnonzero(~np.isin(rows, np.fromiter(exclude, np.int64)))
    known = places[artists[places] >= 0]
    _, first = np.unique(artists[known], return_index=True)
    return np.sort(np.concatenate([places[artists[places] < 0], known[first]]))


def rank(
    library: Library,
    query: np.ndarray,
    *,
    vocabulary: Vocabulary,
    weights: Mapping[str, float],
    top: int,
    exclude: Collection[str] = (),
) -> list[Hit]:
    """Ranks a library in memory by `sum_s weight_s · cos_s(query, track)`, with faiss' exact inner product.

    Args:
      library: what is searched.
      query: float32 [dim], unit norm.
      vocabulary: vocabulary of the system.
      weights: notion -> weight; empty ranks by the whole space.
      top: how many hits.
      exclude: track ids that are left out, usually the query itself.

    Returns:
      At most `top` hits, best first.
    """
    parts, asked = subspace_embeddings(library.embeddings, vocabulary), query_parts(query, vocabulary)
    matrix = np.concatenate(list(parts.values()), axis=1) if weights else library.embeddings
    vector = weighted_query(asked, weights) if weights else query
    index = faiss.IndexFlatIP(matrix.shape[1])
    index.add(np.ascontiguousarray(matrix, np.float32))

    def fetch(count: int) -> Scored:
        scores, rows = index.search(vector[np.newaxis].astype(np.float32), count)
        return Scored(rows[0], scores[0])

    left_out = {row for row, name in enumerate(library.track_ids) if name in exclude}
    found = best(fetch, total=len(library.track_ids), top=top, exclude=left_out)
    return [
        Hit(
            rank=place,
            track_id=library.track_ids[row],
            score=score,
            similarities={notion: float(parts[notion][row] @ asked[notion]) for notion in parts},
            tags=library.tags[row],
            row=row,
        )
        for place, (row, score) in enumerate(zip(found.rows.tolist(), found.scores.tolist(), strict=True), start=1)
    ]


def parse_weights(text: str, vocabulary: Vocabulary, *, disentangled: bool) -> dict[str, float]:
    """`mood=1,genre=0.2` -> {"mood": 1.0, "genre": 0.2}.

    Raises:
      UserError: not of that form, a notion that the system does not have or that stands twice, a weight that is too
        large or none that is large enough, or weights for a system without sub-spaces.
    """
    weights: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        notion, _, value = (piece.strip() for piece in part.partition("="))
        if notion not in vocabulary.notions:
            raise UserError(f"--weights: no notion {notion!r}: the system has {', '.join(vocabulary.notions)}")
        if notion in weights:
            raise UserError(f"--weights={text}: {notion!r} has two weights: give it one")
        try:
            weights[notion] = float(value)
        except ValueError as error:
            raise UserError(f"--weights: {part!r} is no notion=number, such as mood=1,genre=0.2") from error
        if not math.isfinite(weights[notion]):
            raise UserError(f"--weights: {part!r}: the weight must be a finite number")
        if abs(weights[notion]) > MOST:
            raise UserError(f"--weights: {part!r}: a weight is at most {MOST:g}, with either sign")
    if weights and not disentangled:
        raise UserError("--weights: this system is not disentangled and has one space only: leave --weights out")
    if weights and max(map(abs, weights.values())) < LEAST:
        raise UserError(f"--weights={text}: at least one weight must be {LEAST:g} or more, with either sign")
    return weights
