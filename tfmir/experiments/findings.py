"""The paper's findings as differences between systems, each judged by its interval over the seeds.

    seen        the whole 95 % interval of the difference is on the side that the paper found
    not seen    the whole interval is on the other side
    undecided   the interval holds 0

A claim that two systems agree is seen where the interval lies within ±0.02, about what two seeds of one system differ
by, and not seen where it lies outside. Some thirty differences are judged, each by itself: of as many that are nothing,
one or two would be "seen" or "not seen" by chance.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import stats

from tfmir.evaluation.bootstrap import Interval
from tfmir.experiments import systems
from tfmir.experiments.columns import SUBSPACES, WHOLE_SPACE, Summary, mean_or_none

AGREEMENT = 0.02
SEEN, NOT_SEEN, UNDECIDED = "seen", "not seen", "undecided"
FIRST, WITHIN, BEHIND = "first", "within the interval", "behind"
# Triplet prediction in the sub-spaces, or in the whole space if a system has none.
TRIPLETS = "triplets"
JOINT_COLUMNS = ("R@1", "R@2", "R@4", "R@8", "ROC-AUC", WHOLE_SPACE, SUBSPACES)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One difference that speaks for or against a claim: `column` of `more` minus `column` of `less`.

    Attributes:
      more: the system that the paper found to have more.
      less: the other one.
      column: column of the summary; `more_column` replaces it for the first system.
      agree: whether the paper found them equal.
    """

    more: str
    less: str
    column: str
    more_column: str = ""
    agree: bool = False


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What came of a comparison: the difference's mean and 95 % interval over the seeds, and what that decides."""

    comparison: Comparison
    difference: Interval
    verdict: str


def claims() -> dict[str, list[Comparison]]:
    """The findings of the paper (sections 5 and 3.3, Tables 1, 3 and 4) and the differences that speak for each."""
    like_for_like = [
        ("proxy_basic", "triplet"),
        ("classification", "triplet"),
        ("proxy", "triplet_disentangled"),
        ("classification_disentangled", "triplet_disentangled"),
    ]
    disentangled = [name for name in systems.DISENTANGLED if name in systems.PAPER]
    agreeing = ("R@1", "ROC-AUC", WHOLE_SPACE, SUBSPACES)
    others = [name for name in systems.PAPER if name != "triplet_disentangled"]
    return {
        "Normalisation lifts classification's retrieval": [
            Comparison("classification", "classification_plain", column) for column in ("R@1", "R@1 by cosine")
        ],
        "Normalisation leaves classification's tagging alone": [
            Comparison("classification", "classification_plain", "ROC-AUC", agree=True)
        ],
        "Proxies and classification beat triplets in retrieval": [Comparison(a, b, "R@1") for a, b in like_for_like],
        "Proxies and classification beat triplets in tagging": [Comparison(a, b, "ROC-AUC") for a, b in like_for_like],
        "Proxies and classification beat triplets in triplets of tracks": [
            Comparison(a, b, "track") for a, b in like_for_like
        ],
        "Triplets beat proxies and classification on listeners' votes": [
            Comparison(b, a, "human") for a, b in like_for_like
        ],
        "Disentangling lifts triplets in retrieval and tagging": [
            Comparison("triplet_disentangled", "triplet", column) for column in ("R@1", "ROC-AUC")
        ],
        "A sub-space predicts its own notion's triplets better than the whole space": [
            Comparison(name, name, WHOLE_SPACE, more_column=SUBSPACES) for name in disentangled
        ],
        "Disentangled triplets are best at triplet prediction": [
            Comparison("triplet_disentangled", name, TRIPLETS) for name in others
        ],
        "The best at triplet prediction is not the best at retrieval": [
            Comparison("triplet_disentangled", "proxy_basic", TRIPLETS),
            Comparison("proxy_basic", "triplet_disentangled", "R@1"),
        ],
        "Disentangled proxies and disentangled classification agree": [
            Comparison("proxy", "classification_disentangled", column, agree=True) for column in agreeing
        ],
        "Track regularisation gains agreement with listeners": [
            Comparison("triplet_track", "triplet_disentangled", "human")
        ],
        "Track regularisation costs notion triplets": [
            Comparison("triplet_disentangled", "triplet_track", column) for column in (WHOLE_SPACE, SUBSPACES)
        ],
        "Triplets take more training time": [Comparison(a, "classification", "CPU time") for a in systems.TRIPLET],
    }


def findings(summary: Summary) -> dict[str, list[Verdict]]:
    """Every claim of the paper whose systems are in the comparison, with its verdicts.

    Args:
      summary: column -> system -> the figure of each seed; times as ratios.
    """
    columns = _with_best_triplets(summary)
    judged = {claim: [v for c in group if (v := _judge(c, columns))] for claim, group in claims().items()}
    return {claim: verdicts for claim, verdicts in judged.items() if verdicts}


def joint_against_the_best(summary: Summary) -> list[Verdict]:
    """Per column, the joint system minus the best of the others by its mean; empty where there is no joint system.

    Args:
      summary: column -> system -> the figure of each seed.

    Returns:
      Verdicts "first" (a higher mean), "within the interval" (a lower mean, but the difference's interval holds 0),
      "behind", or "undecided" (a lower mean of a single seed).
    """
    verdicts = []
    for column in JOINT_COLUMNS:
        means = {s: mean_or_none(values) for s, values in summary.get(column, {}).items()}
        rivals = {s: mean for s, mean in means.items() if mean is not None and s != systems.JOINT}
        if means.get(systems.JOINT) is None or not rivals:
            continue
        found = _judge(Comparison(systems.JOINT, max(rivals, key=rivals.__getitem__), column), summary)
        if found:
            verdicts.append(dataclasses.replace(found, verdict=_place(found.difference)))
    return verdicts


def seed_interval(values: Sequence[float]) -> Interval:
    """The mean of one figure a seed and its 95 % interval by Student's t; without bounds for a single seed.

    >>> print(seed_interval([0.1, 0.2, 0.3]).low.round(3))  # 0.2 - 4.303 · 0.1 / √3
    -0.048
    """
    mean, n = float(np.mean(values)), len(values)
    if n < 2:
        return Interval(mean, -np.inf, np.inf)
    half = stats.t.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n)
    return Interval(mean, mean - half, mean + half)


def _judge(comparison: Comparison, columns: Summary) -> Verdict | None:
    more = columns.get(comparison.more_column or comparison.column, {}).get(comparison.more)
    less = columns.get(comparison.column, {}).get(comparison.less)
    if more is None or less is None or any(value is None for value in (*more, *less)):
        return None
    difference = seed_interval([a - b for a, b in zip(more, less, strict=True) if a is not None and b is not None])
    return Verdict(comparison, difference, _verdict(difference, agree=comparison.agree))


def _verdict(difference: Interval, *, agree: bool) -> str:
    low, high = difference.low, difference.high
    if agree:
        if low >= -AGREEMENT and high <= AGREEMENT:
            return SEEN
        return NOT_SEEN if low > AGREEMENT or high < -AGREEMENT else UNDECIDED
    if low > 0:
        return SEEN
    return NOT_SEEN if high < 0 else UNDECIDED


def _with_best_triplets(summary: Summary) -> Summary:
    """Adds the column of triplet prediction in the sub-spaces, or in the whole space of a system that has none."""
    whole, own = summary.get(WHOLE_SPACE, {}), summary.get(SUBSPACES, {})
    best = {s: values if any(v is None for v in own.get(s, [None])) else own[s] for s, values in whole.items()}
    return {**summary, TRIPLETS: best}


def _place(difference: Interval) -> str:
    if difference.mean >= 0:
        return FIRST
    if np.isinf(difference.high):
        return UNDECIDED
    return BEHIND if difference.high < 0 else WITHIN
