"""Percentile bootstrap intervals over queries, triplets or tracks (Efron, 1979)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

SAMPLES = 1000
_LEVEL = 0.95


@dataclasses.dataclass(frozen=True)
class Interval:
    """A figure and the bounds of its 95 % interval."""

    mean: float
    low: float
    high: float


def interval(values: np.ndarray, *, seed: int = 0, samples: int = SAMPLES) -> Interval:
    """The mean of [n] independent values; resampled by value."""
    values = np.asarray(values, np.float64)
    if set(np.unique(values)) <= {0.0, 1.0}:
        # Resampling n zeros and ones is a binomial draw: the same distribution without n x samples indices.
        share = values.mean()
        means = np.random.default_rng(seed).binomial(len(values), share, samples) / len(values)
        return percentiles(share, means)
    return resampled(len(values), lambda rows: values[rows].mean(), seed=seed, samples=samples)


def ratio_interval(a: np.ndarray, b: np.ndarray, *, seed: int = 0, samples: int = SAMPLES) -> Interval:
    """`mean(a) / mean(b)` of two figures of the same [n] queries, resampled together (paired).

    A bound is infinite where the mean of `b` is 0 in too many resamples; those in which both are 0 are left out.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return resampled(len(a), lambda rows: a[rows].mean() / b[rows].mean(), seed=seed, samples=samples)


def resampled(count: int, figure: Callable[[np.ndarray], float], *, seed: int = 0, samples: int = SAMPLES) -> Interval:
    """Any figure of `count` items, recomputed on resampled row numbers int64 [count]."""
    rng = np.random.default_rng(seed)
    figures = np.array([figure(rng.integers(0, count, count)) for _ in range(samples)])
    return percentiles(figure(np.arange(count)), figures)


def percentiles(mean: float, figures: np.ndarray) -> Interval:
    """A figure and what its resamples float64 [samples] say of it; those that do not define it are NaN."""
    tail = 100 * (1 - _LEVEL) / 2
    if np.isinf(figures).any():  # between a number and infinity nothing can be interpolated
        low = np.nanpercentile(figures, tail, method="lower")
        high = np.nanpercentile(figures, 100 - tail, method="higher")
    else:
        low, high = np.nanpercentile(figures, [tail, 100 - tail])
    return Interval(float(mean), float(low), float(high))
