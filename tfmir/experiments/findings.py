"""What a comparison has found: each contrast with its interval and what that decides.

    seen        the difference is told from 0 on the side of the claim; of an agreement: it lies within the margin
    not seen    it is told from 0 on the other side; of an agreement: it lies beyond the margin
    undecided   neither
    undefined   a run lacks one of the two figures, such as a column of sub-spaces, or a tag that a split does not have

The p-value is that of Student's t for the distance of the difference from 0, or from the margin of an agreement (two
tests at once, as TOST, each at 2.5 %: it is below 5 % just where the 95 % interval does not hold 0, or lies wholly
within or wholly beyond the margin). The primary contrasts are judged by p-values corrected for being several (Holm);
one that is undefined counts with p = 1, so that a figure that fails does not make it easier for the rest. The others
are judged each by its own, so that of twenty that are nothing one is "seen" or "not seen" by chance.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from tfmir.experiments import systems
from tfmir.experiments.columns import SUBSPACES, WHOLE_SPACE, Summary, mean_or_none, with_best_triplets
from tfmir.experiments.contrasts import AGREE, Contrast
from tfmir.experiments.spread import (
    LEVEL,
    Effect,
    Figures,
    Spread,
    effect_size,
    holm,
    seeds_needed,
    spread_of,
    standard_error,
)

SEEN, NOT_SEEN, UNDECIDED, UNDEFINED = "seen", "not seen", "undecided", "undefined"
AHEAD, FIRST, WITHIN, BEHIND = "first, beyond the interval", "first", "within the interval", "behind"
JOINT_COLUMNS = ("R@1", "R@2", "R@4", "R@8", "ROC-AUC", WHOLE_SPACE, SUBSPACES)

# System -> column -> float [seeds, samples], the figures of its runs on resampled tracks.
Resampled = Mapping[str, Mapping[str, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Finding:
    """What came of a contrast.

    Attributes:
      contrast: the contrast.
      difference: of the means over the seeds; None where it is undefined.
      low: lower bound of its 95 % interval, without correction; None with a single seed.
      high: upper bound.
      p: p-value, without correction; 1 with a single seed, and where the difference is undefined.
      adjusted_p: p-value after Holm's correction over the primary contrasts; None for the others.
      effect: the difference over the deviation between seeds; None where there is none.
      seeds_needed: of each system for this difference to be told; None where no number is enough.
      spread: where the uncertainty comes from.
      verdict: what is decided.
    """

    contrast: Contrast
    difference: float | None
    low: float | None
    high: float | None
    p: float
    adjusted_p: float | None
    effect: Effect | None
    seeds_needed: int | None
    spread: Spread
    verdict: str


def judge_contrasts(
    contrasts: Sequence[Contrast], columns: Summary, resampled: Resampled, *, tracks: int
) -> list[Finding]:
    """Every contrast whose systems are in the comparison; the primary ones corrected together.

    A secondary one of a column that no system has a figure for, such as votes that nobody was asked for, is left out.

    Args:
      contrasts: in the order in which they are told.
      columns: column -> system -> the figure of each seed; times as ratios.
      resampled: the same on resampled tracks, as far as the answers tell.
      tracks: size of the test split.
    """
    columns = with_best_triplets(columns)
    here = {system for of_systems in columns.values() for system in of_systems}
    asked = [c for c in contrasts if {c.more, c.less} <= here and (c.primary or _is_known(c, columns))]
    found = [_judge(c, columns, resampled, tracks) or _undefined(c, columns, tracks) for c in asked]
    adjusted = iter(holm([finding.p for finding in found if finding.contrast.primary]))
    return [_corrected(finding, next(adjusted)) if finding.contrast.primary else finding for finding in found]


def joint_against_the_best(columns: Summary, resampled: Resampled, *, tracks: int) -> list[Finding]:
    """Per column, the joint system minus the best of the paper's systems by its mean; empty without a joint system.

    The verdict is the joint system's place: first beyond the interval, first by its mean, within the interval of the
    first, behind it, or undecided (a lower mean of a single seed).
    """
    findings = []
    for column in JOINT_COLUMNS:
        means = {s: mean_or_none(values) for s, values in columns.get(column, {}).items()}
        rivals = {s: mean for s, mean in means.items() if mean is not None and s in systems.PAPER}
        if means.get(systems.JOINT) is None or not rivals:
            continue
        best = max(rivals, key=rivals.__getitem__)
        contrast = Contrast(f"joint-{column}", "The joint system is first", "", systems.JOINT, best, column)
        found = _judge(contrast, columns, resampled, tracks)
        if found:
            findings.append(dataclasses.replace(found, verdict=_place(found)))
    return findings


def distance(contrast: Contrast, difference: float) -> float:
    """How far a difference is from what would decide otherwise: from 0, or from the nearer margin of an agreement."""
    return abs(abs(difference) - contrast.margin) if contrast.kind == AGREE else abs(difference)


def from_json(value: dict[str, Any]) -> Finding:
    """A finding from what `dataclasses.asdict` and JSON have made of it."""
    seeds, between = (tuple(value["spread"][name]) for name in ("seeds", "between_seeds"))
    spread = Spread(**{**value["spread"], "seeds": seeds, "between_seeds": between})
    effect = None if value["effect"] is None else Effect(**value["effect"])
    return Finding(**{**value, "contrast": Contrast(**value["contrast"]), "spread": spread, "effect": effect})


def _judge(contrast: Contrast, columns: Summary, resampled: Resampled, tracks: int) -> Finding | None:
    figures = [
        _figures(system, column, columns, resampled)
        for system, column in zip((contrast.more, contrast.less), contrast.columns, strict=True)
    ]
    if figures[0] is None or figures[1] is None:
        return None
    more, less = figures[0], figures[1]
    # Two figures of one system are of the same runs; runs of two systems have nothing in common, whatever their seeds.
    spread = spread_of([more - less] if contrast.more == contrast.less else [more, less], tracks)
    difference = float(np.mean(more.values) - np.mean(less.values))
    far, found = distance(contrast, difference), standard_error(spread)
    low = high = None
    p = 1.0
    if found is not None:
        error, degrees = found
        half = float(stats.t.ppf(1 - LEVEL / 2, degrees)) * error
        low, high = difference - half, difference + half
        p = float(2 * stats.t.sf(far / error, degrees)) if error else float(far == 0)
    return Finding(
        contrast=contrast,
        difference=difference,
        low=low,
        high=high,
        p=p,
        adjusted_p=None,
        effect=effect_size(difference, spread),
        seeds_needed=seeds_needed(spread, far),
        spread=spread,
        verdict=_verdict(contrast, difference, p),
    )


def _is_known(contrast: Contrast, columns: Summary) -> bool:
    """Whether of each of its columns some system has a figure."""
    groups = [columns.get(column, {}).values() for column in contrast.columns]
    return all(any(value is not None for values in group for value in values) for group in groups)


def _undefined(contrast: Contrast, columns: Summary, tracks: int) -> Finding:
    """Counted, and not judged."""
    systems_of = dict.fromkeys((contrast.more, contrast.less))
    counts = tuple(max(len(of.get(system, ())) for of in columns.values()) for system in systems_of)
    spread = Spread(counts, (None,) * len(counts), None, tracks)
    return Finding(contrast, None, None, None, 1.0, None, None, None, spread, UNDEFINED)


def _figures(system: str, column: str, columns: Summary, resampled: Resampled) -> Figures | None:
    values = columns.get(column, {}).get(system)
    if values is None or any(value is None for value in values):
        return None
    return Figures(np.array(values, np.float64), resampled.get(system, {}).get(column))


def _corrected(finding: Finding, adjusted_p: float) -> Finding:
    verdict = finding.verdict
    if finding.difference is not None:
        verdict = _verdict(finding.contrast, finding.difference, adjusted_p)
    return dataclasses.replace(finding, adjusted_p=adjusted_p, verdict=verdict)


def _verdict(contrast: Contrast, difference: float, p: float) -> str:
    if p >= LEVEL:
        return UNDECIDED
    as_claimed = abs(difference) < contrast.margin if contrast.kind == AGREE else difference > 0
    return SEEN if as_claimed else NOT_SEEN


def _place(finding: Finding) -> str:
    if finding.difference is not None and finding.difference >= 0:
        return AHEAD if finding.verdict == SEEN else FIRST
    if finding.high is None:
        return UNDECIDED
    return BEHIND if finding.high < 0 else WITHIN
