"""The columns of a comparison: which figures of a run's report they are, and their values for every system and seed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Figure = Callable[[dict[str, Any]], "float | None"]
# System -> the report of each of its seeds.
Reports = Mapping[str, Sequence[dict[str, Any]]]
# Column -> system -> the figure of each seed, or None where a system has none.
Summary = Mapping[str, Mapping[str, Sequence["float | None"]]]

WHOLE_SPACE, SUBSPACES = "mean of whole space", "mean of sub-spaces"  # triplet prediction, over the notions
TRIPLETS = "triplets"  # in the sub-spaces, or in the whole space of a system that has none: for contrasts only
# Ratios to the fastest system, and what they are ratios of; the first is the paper's (section 4.3.1).
TIMES = {"training time": "seconds", "CPU time": "cpu_seconds", "CPU time an epoch": "cpu_seconds_per_epoch"}
LOWER_IS_BETTER = (*TIMES, "epochs")
WHOLE_NUMBERS = ("epochs",)
BY_PRODUCT, BY_COSINE = "by inner product", "by cosine"
OTHER_WAY = "Beyond the paper: retrieval by cosine, triplets by inner product"
IN_WHOLE = "ROC-AUC, prototypes of the whole space"
_KS = ("1", "2", "4", "8")


def summary(reports: Reports) -> Summary:
    """Every column of the comparison, those of `TIMES` included, in JSON types only.

    Args:
      reports: reports of the same notions.
    """
    notions = list(next(iter(reports.values()))[0]["notions"])
    values: dict[str, Any] = {
        name: {s: [figure(r) for r in group] for s, group in reports.items()}
        for name, figure in _figures(notions).items()
    }
    for ratio, clock in TIMES.items():
        values[clock] = {s: [_path(r, "training", clock) for r in group] for s, group in reports.items()}
        values[ratio] = _over_the_fastest(values[clock])
    return values


def with_best_triplets(values: Summary) -> Summary:
    """Adds the column `TRIPLETS`."""
    whole, own = values.get(WHOLE_SPACE, {}), values.get(SUBSPACES, {})
    best = {s: figures if any(v is None for v in own.get(s, [None])) else own[s] for s, figures in whole.items()}
    return {**values, TRIPLETS: best}


def tables(notions: Sequence[str]) -> dict[str, list[str]]:
    """Title -> columns, of every table with one row a system: the paper's Tables 1 and 4, and what goes beyond them.

    Table 3 has two rows for a system with sub-spaces, see `triplet_columns`.
    """
    return {
        "Table 1: training time, retrieval, tagging": ["training time", *(f"R@{k}" for k in _KS), "ROC-AUC"],
        "Table 4: triplets of tracks and of listeners": ["track", "human"],
        "Beyond the paper: time": ["epochs", "CPU time", "CPU time an epoch"],
        "Beyond the paper: tagging": ["PR-AUC", *(f"ROC-AUC {notion}" for notion in notions), IN_WHOLE],
        "Beyond the paper: along a notion": ["leakage gap", *(f"{notion} R@1" for notion in notions)],
        OTHER_WAY: [*the_other_way(notions)],
    }


def the_other_way(notions: Sequence[str]) -> dict[str, str]:
    """Column -> the column of the paper's tables of which it is the other similarity; equal where the norm is one."""
    by_product = [*(f"{notion} whole space" for notion in notions), "track", "human"]
    return {f"R@{k} {BY_COSINE}": f"R@{k}" for k in _KS} | {f"{name} {BY_PRODUCT}": name for name in by_product}


def triplet_columns(notions: Sequence[str]) -> dict[str, list[str]]:
    """Space -> its columns of Table 3, one a notion and their mean."""
    return {
        "whole space": [*(f"{notion} whole space" for notion in notions), WHOLE_SPACE],
        "sub-space": [*(f"{notion} sub-space" for notion in notions), SUBSPACES],
    }


def is_column(name: str) -> bool:
    """Whether it is a column of some comparison, whatever its notions are; `TRIPLETS` is one."""
    notion = "NOTION"
    layout = [*tables([notion]).values(), *triplet_columns([notion]).values(), [TRIPLETS]]
    patterns = [re.escape(column).replace(notion, r"\S+") for columns in layout for column in columns]
    return any(re.fullmatch(pattern, name) for pattern in patterns)


def mean_or_none(values: Sequence[float | None]) -> float | None:
    """The mean, or None if a value is missing."""
    return None if any(value is None for value in values) else float(np.mean([v for v in values if v is not None]))


def _figures(notions: Sequence[str]) -> dict[str, Figure]:
    """Column -> how to read it from a report."""

    def at(*keys: str) -> Figure:
        return lambda report: _path(report, "system", *keys)

    def mean_over_notions(key: str) -> Figure:
        return lambda report: mean_or_none([_path(report, "system", key, notion, "mean") for notion in notions])

    def by(similarity: str, *keys: str) -> Figure:
        """By one similarity; of an embedding of unit norm, both are the same."""
        return lambda report: _path(report["system"][similarity] or report["system"], *keys, "mean")

    return {
        **{f"R@{k}": at("recall", k, "mean") for k in _KS},
        **{f"R@{k} {BY_COSINE}": by("cosine", "recall", k) for k in _KS},
        "epochs": lambda report: _path(report, "training", "epochs"),
        "ROC-AUC": at("roc_auc", "mean"),
        "PR-AUC": at("pr_auc"),
        IN_WHOLE: at("prototypes_whole", "roc_auc", "mean"),
        **{f"ROC-AUC {notion}": at("roc_auc_notion", notion) for notion in notions},
        **{f"{notion} whole space": at("triplets", notion, "mean") for notion in notions},
        WHOLE_SPACE: mean_over_notions("triplets"),
        **{f"{notion} sub-space": at("triplets_subspace", notion, "mean") for notion in notions},
        SUBSPACES: mean_over_notions("triplets_subspace"),
        "track": at("triplets_track", "mean"),
        "human": lambda report: _path(report, "human", "whole", "mean"),
        **{f"{notion} whole space {BY_PRODUCT}": by("inner_product", "triplets", notion) for notion in notions},
        f"track {BY_PRODUCT}": by("inner_product", "triplets_track"),
        f"human {BY_PRODUCT}": _human_by_product,
        "leakage gap": at("leakage_gap"),
        **{f"{notion} R@1": at("recall_notion", notion, "1", "mean") for notion in notions},
    }


def _human_by_product(report: dict[str, Any]) -> Any:
    human = report["human"] or {}
    return _path(human.get("inner_product") or human.get("whole"), "mean")


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
