"""Auto-tagging: areas under the ROC and precision-recall curves, per tag and macro (paper, section 4.3.3).

Of resampled tracks the area under the ROC is a sum over pairs of a carrier i of the tag and another track j, each drawn
w times,

    Σ w_i w_j [s_i > s_j] / (Σ w_i · Σ w_j),   a tie counts a half:

the others are sorted once into bins between the carriers' scores, and their weights summed up per bin and resample.
"""

from __future__ import annotations

import warnings

import numpy as np
from scipy import sparse
from sklearn.metrics import average_precision_score, roc_auc_score

from tfmir.evaluation.bootstrap import Interval, percentiles

_SAMPLES = 200
_BLOCK = 64  # resamples at a time: the weights of 2 000 tracks stay in the cache


def roc_auc(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """float64 [tags] from labels bool and scores float, both [tracks, tags]; NaN where a class is missing."""
    return _per_tag(labels, scores, roc_auc_score)


def pr_auc(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Average precision float64 [tags]; NaN where one class is missing."""
    return _per_tag(labels, scores, average_precision_score)


def macro_roc_auc_interval(labels: np.ndarray, scores: np.ndarray, *, seed: int = 0) -> Interval | None:
    """The mean ROC-AUC over tags with both classes, with its bootstrap interval over tracks; None without such a tag.

    Tags that lack a class in a resample do not count in it.
    """
    if not _both_classes(labels).any():
        return None
    tracks, rng = len(labels), np.random.default_rng(seed)
    drawn = np.empty([tracks, 1 + _SAMPLES], np.uint8, order="F")
    drawn[:, 0] = 1  # the split itself
    for sample in range(1, 1 + _SAMPLES):
        drawn[:, sample] = np.bincount(rng.integers(0, tracks, tracks), minlength=tracks)
    areas = macro_auc(labels, scores, drawn)
    return percentiles(areas[0], areas[1:])


def macro_auc(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The area under the ROC, mean over the tags that have both classes in a resample.

    Args:
      labels: bool [tracks, tags].
      scores: float [tracks, tags].
      weights: uint8 [tracks, samples].

    Returns:
      float64 [samples]; NaN where no tag has both classes.
    """
    tags = [_bins(labels[:, tag], scores[:, tag]) for tag in np.flatnonzero(_both_classes(labels))]
    found = []
    for start in range(0, weights.shape[1] if tags else 0, _BLOCK):
        block = np.ascontiguousarray(weights[:, start : start + _BLOCK], np.float32)
        areas = np.array([_area(bins @ block, groups) for bins, groups in tags])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # the mean of no area is NaN, as it should be
            found.append(np.nanmean(areas, axis=0))
    return np.concatenate(found) if found else np.full(weights.shape[1], np.nan)


def _bins(carries: np.ndarray, scores: np.ndarray) -> tuple[sparse.csr_matrix, int]:
    """Sums over the tracks for one tag, float32 [2 · groups + 1, tracks], and the number of groups.

    A group is the carriers of one score. The first groups + 1 rows are the others below the first group, between it and
    the second, and so on to those above the last; one that is as high as a group is a half in either. Then the groups.
    """
    heights, group = np.unique(scores[carries], return_inverse=True)
    others, carriers, groups = np.flatnonzero(~carries), np.flatnonzero(carries), len(heights)
    sides = [np.searchsorted(heights, scores[others], side) for side in ("left", "right")]
    rows = np.concatenate([*sides, groups + 1 + group.reshape(-1)])
    values = np.repeat(np.array([0.5, 1.0], np.float32), [2 * len(others), len(carriers)])
    tracks = np.concatenate([others, others, carriers])
    return sparse.csr_matrix((values, (rows, tracks)), (2 * groups + 1, len(scores))), groups


def _area(sums: np.ndarray, groups: int) -> np.ndarray:
    """float64 [samples] from what `_bins` sums up, float32 [2 · groups + 1, samples].

    Sums of tracks are exact in float32, up to 2^23 of them; their products are not.
    """
    below, carriers = np.cumsum(sums[:groups], axis=0), sums[groups + 1 :]
    pairs = carriers.sum(axis=0, dtype=np.float64) * (below[-1] + sums[groups])
    with np.errstate(invalid="ignore"):
        return np.asarray(np.einsum("gn,gn->n", carriers, below, dtype=np.float64) / pairs)


def _both_classes(labels: np.ndarray) -> np.ndarray:
    return np.asarray(labels.any(axis=0) & ~labels.all(axis=0))


def _per_tag(labels: np.ndarray, scores: np.ndarray, area: object) -> np.ndarray:
    areas = np.full(labels.shape[1], np.nan)
    for tag in np.flatnonzero(_both_classes(labels)):
        areas[tag] = area(labels[:, tag], scores[:, tag])  # type: ignore[operator]
    return areas
