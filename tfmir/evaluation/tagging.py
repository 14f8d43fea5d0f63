"""Auto-tagging: areas under the ROC and precision-recall curves, per tag and macro (paper, section 4.3.3)."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score, roc_auc_score

from tfmir.evaluation.bootstrap import Interval, resampled

_SAMPLES = 200


def roc_auc(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """float64 [tags] from labels bool and scores float, both [tracks, tags]; NaN where a class is missing."""
    return _per_tag(labels, scores, roc_auc_score)


def pr_auc(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Average precision float64 [tags]; NaN where one class is missing."""
    return _per_tag(labels, scores, average_precision_score)


def macro_roc_auc_interval(labels: np.ndarray, scores: np.ndarray, *, seed: int = 0) -> Interval | None:
    """The mean ROC-AUC over tags with both classes, with its bootstrap interval over tracks; None without such a tag.

    The resamples use the rank formula (Mann-Whitney), which scikit-learn's area equals.
    """
    usable = _both_classes(labels)
    if not usable.any():
        return None
    labels, scores = labels[:, usable], scores[:, usable]
    return resampled(len(labels), lambda rows: _rank_auc(labels[rows], scores[rows]), seed=seed, samples=_SAMPLES)


def _both_classes(labels: np.ndarray) -> np.ndarray:
    return np.asarray(labels.any(axis=0) & ~labels.all(axis=0))


def _per_tag(labels: np.ndarray, scores: np.ndarray, area: object) -> np.ndarray:
    areas = np.full(labels.shape[1], np.nan)
    for tag in np.flatnonzero(_both_classes(labels)):
        areas[tag] = area(labels[:, tag], scores[:, tag])  # type: ignore[operator]
    return areas


def _rank_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    positives = labels.sum(axis=0)
    negatives = len(labels) - positives
    kept = (positives > 0) & (negatives > 0)
    if not kept.any():
        return float("nan")
    ranks = rankdata(scores[:, kept], axis=0)
    positives, negatives = positives[kept], negatives[kept]
    sums = (ranks * labels[:, kept]).sum(axis=0)
    return float(((sums - positives * (positives + 1) / 2) / (positives * negatives)).mean())
