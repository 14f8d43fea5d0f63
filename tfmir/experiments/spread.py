"""How uncertain a difference between two systems is: by their seeds, and by the test tracks that both are asked about.

The variance of a difference of means has two parts, of which more seeds make only the first smaller:

    over the seeds    s²/n of each system, s² the variance between its n seeds (n - 1 in the denominator)
    over the tracks   variance of the difference over resampled tracks, the same for both systems and all seeds

What a single run owes to the tracks alone by chance is in both parts; it is taken out of the second, where it is the
variance over the resamples of a run's distance from the mean of its system.

The second is found by resampling the tracks (`bootstrap.py`). Resampling n seeds of a system, independently of the
other's, has a known variance, (n - 1)/n · s²/n, which is taken times n/(n - 1); it needs no draws, and with three
seeds there are only ten different ones. For the same reason the interval is not one of percentiles, which are too
narrow where few seeds are drawn, but Student's t with the degrees of freedom of Welch and Satterthwaite. That 5 % of
nothing are called something, with 3 seeds and with 10, is shown in `tests/experiments/test_spread.py`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import stats

LEVEL = 0.05
MOST_SEEDS = 1000
_DRAWS = 20_000


@dataclasses.dataclass(frozen=True)
class Spread:
    """Where the uncertainty of a difference comes from.

    Attributes:
      seeds: runs of each of the two systems; of a system that is compared with itself, of the one.
      between_seeds: variance between the seeds of each, None for a single seed; of a system that is compared with
        itself, that of its difference.
      over_tracks: variance over the test tracks; None where the answers do not tell (times, votes).
      tracks: size of the test split.
    """

    seeds: tuple[int, ...]
    between_seeds: tuple[float | None, ...]
    over_tracks: float | None
    tracks: int


@dataclasses.dataclass(frozen=True)
class Figures:
    """One figure of every seed of a system.

    Attributes:
      values: float [seeds], on the test split.
      resampled: float [seeds, samples], on resampled tracks; None where the answers do not tell.
    """

    values: np.ndarray
    resampled: np.ndarray | None = None

    def __sub__(self, other: Figures) -> Figures:
        """Seed by seed: of two figures of the same runs."""
        known = self.resampled is not None and other.resampled is not None
        return Figures(self.values - other.values, self.resampled - other.resampled if known else None)  # type: ignore


def spread_of(figures: Sequence[Figures], tracks: int) -> Spread:
    """The spread of `mean(figures[0]) - mean(figures[1])`, or of the mean of a single one.

    Args:
      figures: of two systems with seeds of their own, or the difference of two figures of the same runs.
      tracks: size of the test split.
    """
    between = [float(np.var(f.values, ddof=1)) if len(f.values) > 1 else None for f in figures]
    over_tracks = None
    if all(f.resampled is not None for f in figures):
        signs = (1, -1)
        means = [np.mean(f.resampled, axis=0) for f in figures]  # type: ignore[arg-type]
        moved = sum(sign * mean for sign, mean in zip(signs, means, strict=False))
        over_tracks = float(np.nanvar(moved)) - sum(
            _in_both(f.resampled, mean) for f, mean in zip(figures, means, strict=True)
        )
        over_tracks = max(0.0, over_tracks) if np.isfinite(over_tracks) else None
    return Spread(tuple(len(f.values) for f in figures), tuple(between), over_tracks, tracks)


def _in_both(resampled: np.ndarray | None, mean: np.ndarray) -> float:
    """The part of the variance over the tracks that is in the variance between the seeds already."""
    if resampled is None or len(resampled) < 2:
        return 0.0
    seeds = len(resampled)
    return float(np.nanvar(resampled - mean, axis=1).sum() / (seeds * (seeds - 1)))


def standard_error(spread: Spread) -> tuple[float, float] | None:
    """The standard error of a difference and its degrees of freedom; None with a single seed of a system."""
    if None in spread.between_seeds:
        return None
    between = np.array(spread.between_seeds, np.float64)
    error, degrees = _errors(between[:, np.newaxis], np.array(spread.seeds)[:, np.newaxis], spread)
    return float(error[0]), float(degrees[0])


def seeds_needed(spread: Spread, distance: float) -> int | None:
    """Seeds of each system from which a difference that is `distance` from the bound would be told from it.

    None where no number up to `MOST_SEEDS` is enough, because the test tracks are too few, or the spread is not known.
    """
    if None in spread.between_seeds:
        return None
    numbers = np.arange(2, MOST_SEEDS + 1)
    between = np.array(spread.between_seeds, np.float64)[:, np.newaxis]
    error, degrees = _errors(between, np.broadcast_to(numbers, [len(between), len(numbers)]), spread)
    enough = np.flatnonzero(stats.t.ppf(1 - LEVEL / 2, degrees) * error < distance)
    return int(numbers[enough[0]]) if len(enough) else None


def _errors(between: np.ndarray, seeds: np.ndarray, spread: Spread) -> tuple[np.ndarray, np.ndarray]:
    """Standard errors and degrees of freedom [n], of variances [systems, 1] and numbers of seeds [systems, n]."""
    parts, over_tracks = between / seeds, spread.over_tracks or 0.0
    variance = parts.sum(axis=0) + over_tracks
    squares = (parts**2 / (seeds - 1)).sum(axis=0) + over_tracks**2 / max(1, spread.tracks - 1)
    # Without any variance every number of degrees of freedom says the same.
    degrees = np.divide(variance**2, squares, out=(seeds - 1).sum(axis=0).astype(np.float64), where=squares > 0)
    return np.sqrt(variance), degrees


@dataclasses.dataclass(frozen=True)
class Effect:
    """A difference over the deviation between seeds, and its 95 % interval."""

    size: float
    low: float
    high: float


def effect_size(difference: float, spread: Spread) -> Effect | None:
    """A difference over the deviation between the seeds of a system, pooled over the two.

    The interval is that of the noncentral t: t·√(χ²/ν) - z, for drawn χ² and normal z, has its percentiles.
    None with a single seed, and where the seeds do not differ.
    """
    found = standard_error(spread)
    pooled = _pooled(spread)
    if found is None or not pooled:
        return None
    error, degrees = found
    rng = np.random.default_rng(0)
    scale = np.sqrt(rng.chisquare(degrees, _DRAWS) / degrees)
    pivots = difference / error * scale - rng.standard_normal(_DRAWS)
    low, high = np.percentile(pivots, [100 * LEVEL / 2, 100 * (1 - LEVEL / 2)]) * error / pooled
    return Effect(difference / pooled, float(low), float(high))


def _pooled(spread: Spread) -> float | None:
    weights = np.array(spread.seeds) - 1
    if None in spread.between_seeds:
        return None
    return float(np.sqrt(np.average(np.array(spread.between_seeds, np.float64), weights=weights)))


def holm(values: Sequence[float]) -> list[float]:
    """p-values corrected for being several (S. Holm, "A simple sequentially rejective multiple test procedure", 1979).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate((len(values) - np.arange(len(values))) * np.array(values)[order])
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(1.0, stepped)
    return [float(value) for value in adjusted]
