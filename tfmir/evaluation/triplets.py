"""Triplet prediction along each notion (paper, sections 4.1 and 4.3.4), and the leakage between sub-spaces (ours)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

COUNT = 40_000


def draw_triplets(labels: np.ndarray, tags: np.ndarray, *, count: int = COUNT, seed: int = 0) -> np.ndarray | None:
    """Random triplets of one notion: anchor and positive share a tag that the negative lacks.

    The tag is drawn first, each usable one equally often, then the three tracks.

    Args:
      labels: bool [tracks, all tags].
      tags: int [k], the notion's tags.
      count: how many triplets.
      seed: same seed, same triplets.

    Returns:
      int32 [count, 3]: anchor, positive, negative; track numbers. None if no tag of the notion has two tracks with it
      and one without.
    """
    carriers = labels[:, tags].sum(axis=0)
    usable = np.asarray(tags)[(carriers >= 2) & (carriers < len(labels))]
    if not len(usable):
        return None
    rng = np.random.default_rng(seed)
    drawn = rng.choice(usable, count)
    triplets = np.empty([count, 3], np.int32)
    for tag in usable:
        rows = np.flatnonzero(drawn == tag)
        with_tag, without = np.flatnonzero(labels[:, tag]), np.flatnonzero(~labels[:, tag])
        anchor = rng.integers(0, len(with_tag), len(rows))
        step = rng.integers(1, len(with_tag), len(rows))  # to another track with the tag
        triplets[rows, 0] = with_tag[anchor]
        triplets[rows, 1] = with_tag[(anchor + step) % len(with_tag)]
        triplets[rows, 2] = rng.choice(without, len(rows))
    return triplets


def draw_track_triplets(excerpt_tracks: np.ndarray, *, count: int = COUNT, seed: int = 0) -> np.ndarray | None:
    """Random triplets of excerpts: anchor and positive are different ones of a track, the negative is of another.

    Every track with two excerpts is the anchor's equally often, and every other track the negative's.

    Args:
      excerpt_tracks: int [excerpts], the track of each excerpt, ascending.
      count: how many triplets.
      seed: same seed, same triplets.

    Returns:
      int32 [count, 3]: anchor, positive, negative; excerpt numbers. None if no track has two excerpts, or there is
      one track only.
    """
    tracks, firsts, sizes = np.unique(excerpt_tracks, return_index=True, return_counts=True)
    several = np.flatnonzero(sizes >= 2)
    if not len(several) or len(tracks) < 2:
        return None
    rng = np.random.default_rng(seed)
    own = rng.choice(several, count)
    other = (own + rng.integers(1, len(tracks), count)) % len(tracks)
    anchor = rng.integers(0, sizes[own])
    positive = (anchor + rng.integers(1, sizes[own])) % sizes[own]
    negative = rng.integers(0, sizes[other])
    return np.stack([firsts[own] + anchor, firsts[own] + positive, firsts[other] + negative], axis=1).astype(np.int32)


def correct(embeddings: np.ndarray, triplets: np.ndarray) -> np.ndarray:
    """bool [count]: whether anchor and positive have a larger inner product than anchor and negative.

    Args:
      embeddings: float32 [tracks, dim].
      triplets: int [count, 3].
    """
    anchor, positive, negative = (embeddings[triplets[:, column]] for column in range(3))
    return np.einsum("nd,nd->n", anchor, positive) > np.einsum("nd,nd->n", anchor, negative)


def leakage_matrix(subspaces: Mapping[str, np.ndarray], triplets: Mapping[str, np.ndarray | None]) -> np.ndarray:
    """float64 [notions, notions]: share of notion c's triplets (column) that notion r's sub-space (row) predicts.

    The column of a notion without triplets is NaN.
    """
    columns = triplets.values()
    return np.array(
        [[np.nan if asked is None else correct(part, asked).mean() for asked in columns] for part in subspaces.values()]
    )


def leakage_gap(matrix: np.ndarray) -> float:
    """Mean of the diagonal minus mean of the rest: 0 if the sub-spaces know nothing of their own notions.

    Over the columns of notions with triplets; NaN if there is none, or no other sub-space.

    >>> leakage_gap(np.array([[1.0, 0.5], [0.5, 0.8]]))
    0.4
    """
    asked = ~np.isnan(matrix).all(axis=0)
    if len(matrix) < 2 or not asked.any():
        return float("nan")
    own = np.eye(len(matrix), dtype=bool)[:, asked]
    return float(matrix[:, asked][own].mean() - matrix[:, asked][~own].mean())
