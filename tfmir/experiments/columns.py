"""The columns of a comparison: which figures of a run's report they are, and their values for every system and seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Figure = Callable[[dict[str, Any]], "float | None"]
# System -> the report of each of its seeds, with the figures of its own system under `own`.
Reports = Mapping[str, Sequence[dict[str, Any]]]
# Column -> system -> the figure of each seed, or None where a system has none.
Summary = Mapping[str, Mapping[str, Sequence["float | None"]]]

RETRIEVAL = "Retrieval and training time"
WHOLE_SPACE, SUBSPACES = "mean of whole space", "mean of sub-spaces"  # triplet prediction, over the notions
# Ratios to the fastest system (paper, Table 1), and what they are ratios of.
TIMES = {"wall-clock time": "seconds", "CPU time": "cpu_seconds", "CPU time an epoch": "cpu_seconds_per_epoch"}


def summary(reports: Reports) -> Summary:
    """Every column of the comparison, those of `TIMES` included, in JSON types only.

    Args:
      reports: of the same notions, with as many seeds for each system.
    """
    columns = {name: figure for group in tables(reports).values() for name, figure in group.items()}
    values: dict[str, Any] = {
        name: {s: [figure(r) for r in group] for s, group in reports.items()} for name, figure in columns.items()
    }
    for ratio, clock in TIMES.items():
        values[clock] = {s: [_path(r, "training", clock) for r in group] for s, group in reports.items()}
        values[ratio] = _over_the_fastest(values[clock])
    return values


def tables(reports: Reports) -> dict[str, dict[str, Figure]]:
    """Title -> column -> how to read it from a report: the paper's Tables 1, 3 and 4, and what goes beyond them."""
    notions = list(next(iter(reports.values()))[0]["notions"])

    def at(*keys: str) -> Figure:
        return lambda report: _path(report, "own", *keys)

    def mean_over_notions(key: str) -> Figure:
        return lambda report: mean_or_none([_path(report, "own", key, notion, "mean") for notion in notions])

    return {
        RETRIEVAL: {
            **{f"R@{k}": at("recall", str(k), "mean") for k in (1, 2, 4, 8)},
            "R@1 by cosine": _recall_by_cosine,
            "epochs": lambda report: _path(report, "training", "epochs"),
        },
        "Tagging": {
            "ROC-AUC": at("roc_auc", "mean"),
            "PR-AUC": at("pr_auc"),
            **{f"ROC-AUC {notion}": at("roc_auc_notion", notion) for notion in notions},
        },
        "Triplet prediction, whole space": {
            **{f"{notion} whole space": at("triplets", notion, "mean") for notion in notions},
            WHOLE_SPACE: mean_over_notions("triplets"),
            "track": at("triplets_track", "mean"),
        },
        "Triplet prediction, in the notion's sub-space": {
            **{f"{notion} sub-space": at("triplets_subspace", notion, "mean") for notion in notions},
            SUBSPACES: mean_over_notions("triplets_subspace"),
            "leakage gap": at("leakage_gap"),
        },
        "Retrieval along a notion": {f"{notion} R@1": at("recall_notion", notion, "1", "mean") for notion in notions},
    }


def mean_or_none(values: Sequence[float | None]) -> float | None:
    """The mean, or None if a value is missing."""
    return None if any(value is None for value in values) else float(np.mean([v for v in values if v is not None]))


def _recall_by_cosine(report: dict[str, Any]) -> float:
    own = report["own"]
    return (own["cosine"] or own)["recall"]["1"]["mean"]


def _path(value: Any, *keys: str) -> Any:
    for key in keys:
        if value is None:
            return None
        value = value[key]
    return value


def _over_the_fastest(values: Mapping[str, list[float | None]]) -> dict[str, list[float | None]]:
    """Every figure over the lowest mean of a system."""
    known = [mean_or_none(of_seeds) for of_seeds in values.values()]
    fastest = min((value for value in known if value), default=1.0)
    return {s: [None if v is None else v / fastest for v in of_seeds] for s, of_seeds in values.items()}
