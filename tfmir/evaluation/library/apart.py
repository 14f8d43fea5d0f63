"""Retrieval and triplets between songs of different groups, such as artists: those of one are neither near nor far.

Songs of an artist, or of an album, share the singer, the studio and the mastering, so that a system finds them
whatever it knows of genre and mood: their own are left out (the artist filter: Pampalk, Flexer, Widmer, ISMIR 2005).
With a group for every song this is ordinary retrieval, and these are ordinary triplets: the song alone is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import faiss
import numpy as np

from tfmir.evaluation.retrieval import KS
from tfmir.evaluation.triplets import COUNT

_BLOCK = 1024


def to_groups(names: Sequence[str]) -> np.ndarray:
    """int64 [songs]: one number for all songs of a name; a song without one is a group of its own.

    >>> to_groups(["b", "", "a", "b", ""]).tolist()
    [1, 2, 0, 1, 3]
    """
    known = {name: number for number, name in enumerate(sorted({*names} - {""}))}
    alone = iter(range(len(known), len(known) + len(names)))
    return np.array([known[name] if name else next(alone) for name in names], np.int64)


def neighbours_apart(embeddings: np.ndarray, groups: np.ndarray, k: int) -> np.ndarray:
    """The songs of largest inner product with each song, but those of its own group.

    Args:
      embeddings: float32 [songs, dim].
      groups: int [songs].
      k: how many.

    Returns:
      int64 [songs, k], nearest first; -1 where there are no more.
    """
    data = np.ascontiguousarray(embeddings, np.float32)
    index = faiss.IndexFlatIP(data.shape[1])
    index.add(data)
    seen = min(len(data), k + int(np.unique(groups, return_counts=True)[1].max()))
    nearest = np.full([len(data), k], -1, np.int64)
    for start in range(0, len(data), _BLOCK):
        rows = slice(start, start + _BLOCK)
        _, found = index.search(data[rows], seen)
        is_own = groups[found] == groups[rows, np.newaxis]
        order = np.argsort(is_own, axis=1, kind="stable")[:, :k]
        of_others = np.where(np.take_along_axis(is_own, order, 1), -1, np.take_along_axis(found, order, 1))
        nearest[rows, : of_others.shape[1]] = of_others
    return nearest


def wanted_labels(labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """bool [songs, labels]: those of a song's labels that a song of another group carries, which it can find."""
    return labels & (_carriers_apart(labels, groups) > 0)


def chance_apart(labels: np.ndarray, groups: np.ndarray, wanted: np.ndarray, *, ks: Sequence[int] = KS) -> np.ndarray:
    """The recall at k that is to be expected of neighbours drawn at random; arguments and result as `recall_apart`.

    Of N songs of other groups c carry a label. That none of k is among them has the probability
    (N-c)/N * (N-c-1)/(N-1) * ..., k factors.
    """
    queries = np.flatnonzero(wanted.any(axis=1))
    asked, carriers = wanted[queries], _carriers_apart(labels, groups)[queries]
    _, numbers, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    others = (len(groups) - sizes[numbers])[queries, np.newaxis]
    missed, recall = np.ones(asked.shape), np.empty([len(queries), len(ks)])
    for drawn in range(max(ks)):
        missed *= np.maximum(others - carriers - drawn, 0) / np.maximum(others - drawn, 1)
        if drawn + 1 in ks:
            recall[:, list(ks).index(drawn + 1)] = (asked * (1 - missed)).sum(axis=1) / asked.sum(axis=1)
    return recall


def _carriers_apart(labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """int64 [songs, labels]: how many songs of other groups carry each label."""
    _, numbers = np.unique(groups, return_inverse=True)
    of_group = np.zeros([numbers.max() + 1, labels.shape[1]], np.int64)
    np.add.at(of_group, numbers, labels)
    return of_group.sum(axis=0) - of_group[numbers]


def recall_apart(nearest: np.ndarray, labels: np.ndarray, wanted: np.ndarray, *, ks: Sequence[int] = KS) -> np.ndarray:
    """Recall at k (paper, eq. 12) of what can be found.

    Args:
      nearest: int64 [songs, k], as `neighbours_apart` gives them, of the largest k at least.
      labels: bool [songs, labels].
      wanted: bool [songs, labels], as `wanted_labels` gives them.
      ks: numbers of neighbours, ascending.

    Returns:
      float64 [queries, len(ks)]: the songs of which a label is wanted.
    """
    queries = np.flatnonzero(wanted.any(axis=1))
    asked, found = wanted[queries], np.zeros([len(queries), labels.shape[1]], bool)
    recall = np.empty([len(queries), len(ks)])
    for column in range(max(ks)):
        near = nearest[queries, column]
        found |= labels[near] & (near >= 0)[:, np.newaxis]
        if column + 1 in ks:
            recall[:, list(ks).index(column + 1)] = (asked & found).sum(axis=1) / asked.sum(axis=1)
    return recall


def draw_apart(labels: np.ndarray, groups: np.ndarray, *, count: int = COUNT, seed: int = 0) -> np.ndarray | None:
    """Random triplets: anchor and positive share a label that the negative lacks; both are of other groups.

    The label is drawn first, each usable one equally often, then the anchor among the songs that have such a positive
    and such a negative, then these.

    Args:
      labels: bool [songs, labels], of one column.
      groups: int [songs].
      count: how many triplets.
      seed: same seed, same triplets.

    Returns:
      int32 [count, 3]: anchor, positive, negative; song numbers. None if no label has any.
    """
    carriers = labels.sum(axis=0)
    sides = [_Sides(labels[:, label], groups) for label in np.flatnonzero((carriers >= 2) & (carriers < len(labels)))]
    usable = [of_label for of_label in sides if len(of_label.anchors)]
    if not usable:
        return None
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(usable), count)
    triplets = np.empty([count, 3], np.int32)
    for number, of_label in enumerate(usable):
        rows = np.flatnonzero(drawn == number)
        triplets[rows] = of_label.draw(len(rows), rng)
    return triplets


class _Sides:
    """The songs that carry a label and those that do not, each sorted by group, and the anchors that have both."""

    def __init__(self, carried: np.ndarray, groups: np.ndarray):
        self._groups = groups
        self._sides = [_by_group(np.flatnonzero(side), groups) for side in (carried, ~carried)]
        own = self._sides[0]
        there = [len(side) > last - first for side, first, last in self._outside(own)]
        self.anchors = own[np.logical_and(*there)] if len(own) else own

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """int [count, 3]."""
        anchors = rng.choice(self.anchors, count)
        columns = [anchors]
        for side, first, last in self._outside(anchors):
            columns.append(side[(last + rng.integers(0, len(side) - (last - first))) % len(side)])
        return np.stack(columns, axis=1)

    def _outside(self, songs: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Of each side: it, and where the songs' own groups begin and end in it."""
        for side in self._sides:
            own, places = self._groups[songs], self._groups[side]
            yield side, np.searchsorted(places, own, "left"), np.searchsorted(places, own, "right")


def _by_group(songs: np.ndarray, groups: np.ndarray) -> np.ndarray:
    return songs[np.argsort(groups[songs], kind="stable")]
