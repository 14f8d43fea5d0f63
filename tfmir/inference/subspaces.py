"""Sub-spaces of finished embeddings, in NumPy."""

from __future__ import annotations

import numpy as np

from tfmir.vocabulary import Vocabulary


def unit_rows(x: np.ndarray) -> np.ndarray:
    """float32 [..., dim] scaled to norm 1; a zero row stays zero.

    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    norms = np.linalg.norm(x, axis=-1, keepdims=True)
    return (x / np.where(norms > 0, norms, 1.0)).astype(np.float32)


def subspace_embeddings(embeddings: np.ndarray, vocabulary: Vocabulary) -> dict[str, np.ndarray]:
    """Each notion's part of [tracks, dim], float32 [tracks, dim / notions] of unit norm."""
    dim = embeddings.shape[-1]
    return {notion: unit_rows(embeddings[:, vocabulary.subspace(notion, dim)]) for notion in vocabulary.notions}
