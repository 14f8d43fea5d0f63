"""Retrieval: recall at k of the tags of a query among its nearest neighbours (paper, section 4.3.2, eq. 12)."""

from __future__ import annotations

from collections.abc import Sequence

import faiss
import numpy as np

from tfmir.errors import UserError

KS = (1, 2, 4, 8)


def neighbours(embeddings: np.ndarray, k: int) -> np.ndarray:
    """The `k` tracks of largest inner product with each track, itself excluded.

    Args:
      embeddings: float32 [tracks, dim].
      k: how many.

    Returns:
      int64 [tracks, k], nearest first.

    Raises:
      UserError: there are not more than `k` tracks.
    """
    tracks = len(embeddings)
    if tracks <= k:
        raise UserError(f"retrieval at k={k} needs more than {k} tracks, the split has {tracks}: use a larger one")
    data = np.ascontiguousarray(embeddings, np.float32)
    index = faiss.IndexFlatIP(data.shape[1])
    index.add(data)
    _, found = index.search(data, k + 1)
    # An exact duplicate may come before the track itself, so it is dropped by number, not by rank.
    others = found != np.arange(tracks)[:, np.newaxis]
    others[others.all(axis=1), k] = False
    return found[others].reshape(tracks, k)


def recall_at_k(
    embeddings: np.ndarray, labels: np.ndarray, *, ks: Sequence[int] = KS, nearest: np.ndarray | None = None
) -> np.ndarray:
    """`|y_q ∩ ∪_{i≤k} y_i| / |y_q|` of every query (paper, eq. 12).

    Args:
      embeddings: float32 [tracks, dim], compared by inner product.
      labels: bool [tracks, tags].
      ks: numbers of neighbours.
      nearest: int64 [tracks, the largest of `ks` or more], what `neighbours` gives, where it is known already.

    Returns:
      float64 [queries, len(ks)]; tracks without a tag are in the library but are no queries.

    Raises:
      UserError: too few tracks, or none with a tag.
    """
    queries = labels.any(axis=1)
    if not queries.any():
        raise UserError("retrieval needs tracks with tags: none of this split has one")
    found = (neighbours(embeddings, max(ks)) if nearest is None else nearest)[queries]
    wanted = labels[queries]
    sizes = wanted.sum(axis=1)
    return np.stack([(wanted & labels[found[:, :k]].any(axis=1)).sum(axis=1) / sizes for k in ks], axis=1)
