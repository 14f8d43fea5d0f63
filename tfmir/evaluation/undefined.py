"""Which figures of a report are not defined on its test split, and why: odd corpora have a report all the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tfmir.vocabulary import Vocabulary


def undefined_figures(
    report: Mapping[str, Any], vocabulary: Vocabulary, labels: np.ndarray, *, with_excerpts: bool
) -> dict[str, str]:
    """Name -> reason, of every figure that is null although the system has what it takes.

    Names are those of the fields of `report.json`, the outermost first: `recall 8`, `triplets mood`. What the system
    does not have by its kind, such as sub-spaces, is not among them.

    Args:
      report: as `build_report` makes it.
      vocabulary: tags and notions.
      labels: bool [tracks, tags] of the test split.
      with_excerpts: whether the system has embeddings of excerpts.
    """
    system = report["system"]
    figures = [
        *_recall("recall", system["recall"], labels, "a tag"),
        *(
            row
            for notion, recall in system["recall_notion"].items()
            for row in _recall(
                f"recall_notion {notion}", recall, labels[:, vocabulary.tags_of(notion)], f"a tag of {notion}"
            )
        ),
        *_tagging(system, vocabulary, labels),
        *_triplets(system, vocabulary, with_excerpts=with_excerpts),
        *_ratio(report),
    ]
    return {name: reason for name, value, reason in figures if value is None}


# Name, figure, and the reason that there is if the figure is null.
_Figures = Iterator[tuple[str, Any, str]]


def _recall(name: str, recall: Mapping[str, Any], labels: np.ndarray, tag: str) -> _Figures:
    for k, value in recall.items():
        few = f"needs more than {k} tracks, the test split has {len(labels)}"
        yield f"{name} {k}", value, few if labels.any() else f"no test track has {tag}"


def _tagging(system: Mapping[str, Any], vocabulary: Vocabulary, labels: np.ndarray) -> _Figures:
    if system["roc_auc_tag"] is None:
        return
    both = "some test tracks carry and others do not"
    for name in ("roc_auc", "pr_auc"):
        yield name, system[name], f"no tag that {both}"
        if system["prototypes_whole"]:
            yield f"prototypes_whole {name}", system["prototypes_whole"][name], f"no tag that {both}"
    for name in ("roc_auc_tag", "pr_auc_tag"):
        for tag, carried in zip(vocabulary.tags, np.any(labels, axis=0).tolist(), strict=True):
            yield f"{name} {tag}", system[name][tag], f"{'every' if carried else 'no'} test track carries it"
    for notion, value in system["roc_auc_notion"].items():
        yield f"roc_auc_notion {notion}", value, f"no tag of {notion} that {both}"


def _triplets(system: Mapping[str, Any], vocabulary: Vocabulary, *, with_excerpts: bool) -> _Figures:
    reasons = {n: f"no tag of {n} that two test tracks carry and another does not" for n in vocabulary.notions}
    for name in ("triplets", "triplets_subspace"):
        for notion, value in (system[name] or {}).items():
            yield f"{name} {notion}", value, reasons[notion]
    if with_excerpts:
        yield "triplets_track", system["triplets_track"], "no two test tracks of which one has two excerpts"
    if system["leakage"] is None:
        return
    for notion, value in zip(vocabulary.notions, system["leakage"][0], strict=True):
        yield f"leakage {notion}", value, reasons[notion]
    alone = "one notion only: there is no other sub-space to compare with"
    yield "leakage_gap", system["leakage_gap"], alone if len(vocabulary.notions) == 1 else "no notion has triplets"


def _ratio(report: Mapping[str, Any]) -> _Figures:
    for name, value in report["ratios"].items():
        nothing = "the R@1 of statistics is 0" if report["system"]["recall"]["1"] else "an R@1 is not defined"
        yield name, value, nothing
        for bound in ("low", "high") if value else ():
            yield f"{name} {bound}", value[bound], "the R@1 of statistics is 0 in some resamples: there is no bound"
