"""Ranks a library along notions, with exact inner products."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping

import faiss
import numpy as np

from tfmir.errors import UserError
from tfmir.inference.library import Library
from tfmir.inference.subspaces import subspace_embeddings
from tfmir.vocabulary import Vocabulary

# Bounds of the largest weight: far beyond them the scores, which are float32, are infinite or 0.
LEAST, MOST = 1e-6, 1e6


@dataclasses.dataclass(frozen=True)
class Hit:
    """One result: its rank from 1, the weighted score, and the cosine in each notion's sub-space."""

    rank: int
    track_id: str
    score: float
    similarities: dict[str, float]
    tags: tuple[str, ...]


def rank(
    library: Library,
    query: np.ndarray,
    *,
    vocabulary: Vocabulary,
    weights: Mapping[str, float],
    top: int,
    exclude: Collection[str] = (),
) -> list[Hit]:
    """Ranks the library by `sum_s weight_s · cos_s(query, track)`.

    Every sub-space is normalised, so with the query's parts multiplied by their weights the whole weighted sum is
    one inner product of concatenated sub-spaces: faiss' exact index answers it like any other.

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
    parts = subspace_embeddings(library.embeddings, vocabulary)
    query_parts = {notion: part[0] for notion, part in subspace_embeddings(query[np.newaxis], vocabulary).items()}
    if weights:
        matrix = np.concatenate(list(parts.values()), axis=1)
        vector = np.concatenate([weights.get(notion, 0.0) * part for notion, part in query_parts.items()])
    else:
        matrix, vector = library.embeddings, query
    index = faiss.IndexFlatIP(matrix.shape[1])
    index.add(np.ascontiguousarray(matrix, np.float32))
    count = min(len(library.track_ids), top + len(exclude))
    scores, rows = index.search(vector[np.newaxis].astype(np.float32), count)
    found = [(int(row), float(score)) for row, score in zip(rows[0], scores[0], strict=True)]
    kept = [(row, score) for row, score in found if library.track_ids[row] not in exclude][:top]
    return [
        Hit(
            rank=rank,
            track_id=library.track_ids[row],
            score=score,
            similarities={notion: float(parts[notion][row] @ query_parts[notion]) for notion in parts},
            tags=library.tags[row],
        )
        for rank, (row, score) in enumerate(kept, start=1)
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
