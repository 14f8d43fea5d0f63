"""`report.json` as Markdown tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfmir.evaluation.cells import ON_SCREEN
from tfmir.evaluation.cells import figure as _figure
from tfmir.evaluation.cells import undefined as _undefined
from tfmir.evaluation.cells import with_interval as _interval
from tfmir.markdown import table


def report_text(report: dict[str, Any]) -> str:
    """All tables of a report: contenders, notions, leakage, tags, and what is not defined."""
    sections = [_contenders(report), _notions(report), _leakage(report), _tags(report), _not_defined(report)]
    return "\n".join(section for section in sections if section)


def headline(report: dict[str, Any]) -> str:
    """The first table, the ratio to the statistics baseline, and what is not defined."""
    lines = [_contenders(report)]
    for name, value in report["ratios"].items():
        lines.append(f"{name}: {_interval(value)}")
    system = report["system"]
    if system["leakage"] is not None:
        lines.append(f"leakage gap (diagonal minus the rest): {_figure(system['leakage_gap'])}")
    if report["human"]:
        human = report["human"]
        by_product = {"whole space by inner product": human["inner_product"]} if human["inner_product"] else {}
        spaces = {"whole space": human["whole"], **by_product, **human["subspaces"]}
        found = ", ".join(f"{name} {_interval(value)}" for name, value in spaces.items())
        lines.append(f"agreement with {human['votes']} votes of listeners on {human['triplets']} triplets: {found}")
    return "\n".join([*lines, *(f"not defined: {line}" for line in _undefined(report, most=ON_SCREEN))])


def contenders(report: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """(name, figures) of the system, by the name of its run, and of every baseline."""
    return [(report["run"], report["system"]), *((f"{name} (baseline)", c) for name, c in report["baselines"].items())]


def _contenders(report: dict[str, Any]) -> str:
    ks = list(report["system"]["recall"])
    rows = []
    for name, c in contenders(report):
        rows.append([name, *(_interval(c["recall"][k]) for k in ks), _interval(c["roc_auc"]), _figure(c["pr_auc"])])
        if c["cosine"]:
            rows.append([f"{name}, by cosine", *(_interval(c["cosine"]["recall"][k]) for k in ks), "–", "–"])
        if whole := c["prototypes_whole"]:
            areas = _interval(whole["roc_auc"]), _figure(whole["pr_auc"])
            rows.append([f"{name}, prototypes of the whole space", *("–" for _ in ks), *areas])
    return table([f"{report['tracks']} test tracks", *(f"R@{k}" for k in ks), "ROC-AUC", "PR-AUC"], rows)


def _notions(report: dict[str, Any]) -> str:
    rows = []
    for name, c in contenders(report):
        for notion in report["notions"]:
            own = _interval((c["triplets_subspace"] or {}).get(notion))
            recall, auc = _interval(c["recall_notion"][notion]["1"]), _figure((c["roc_auc_notion"] or {}).get(notion))
            rows.append([name, notion, recall, auc, _interval(c["triplets"][notion]), own])
        if c["triplets_track"]:
            rows.append([name, "track", "–", "–", _interval(c["triplets_track"]), "–"])
        rows += _by_the_other(name, c)
    head = ["contender", "notion", "R@1", "ROC-AUC", "triplets, whole space", "triplets, sub-space"]
    note = (
        "R@1 in the notion's own sub-space where there is one. Retrieval is by inner product, triplets are by cosine; "
        '"the other way" is retrieval by cosine and triplets by inner product, where the two differ.\n\n'
    )
    return "## Per notion\n\n" + note + table(head, rows)


def _by_the_other(name: str, contender: dict[str, Any]) -> list[list[str]]:
    """Rows by the similarity that the rows above do not use, where the embedding is not of unit norm."""
    if not contender["cosine"]:
        return []
    retrieval, triplets = contender["cosine"]["recall_notion"], contender["inner_product"]
    rows = [
        [f"{name}, the other way", notion, _interval(recall["1"]), "–", _interval(triplets["triplets"][notion]), "–"]
        for notion, recall in retrieval.items()
    ]
    return [*rows, [f"{name}, the other way", "track", "–", "–", _interval(triplets["triplets_track"]), "–"]]


def _leakage(report: dict[str, Any]) -> str:
    name, system = report["run"], report["system"]
    if system["leakage"] is None:
        return ""
    notions = list(report["notions"])
    rows = [[notion, *map(_figure, row)] for notion, row in zip(notions, system["leakage"], strict=True)]
    gap = f"Diagonal minus the mean of the rest: {_figure(system['leakage_gap'])}"
    text = f"## Leakage\n\nShare of a notion's triplets (column) that a sub-space (row) of {name} predicts. {gap}.\n\n"
    return text + table(["sub-space", *notions], rows)


def _tags(report: dict[str, Any]) -> str:
    scoring = [(name, c) for name, c in contenders(report) if c["roc_auc_tag"]]
    tags = [f"{notion}/{tag}" for notion, tags in report["notions"].items() for tag in tags]
    rows = [[tag, *(_figure(c["roc_auc_tag"][tag]) for _, c in scoring)] for tag in tags]
    return "## ROC-AUC per tag\n\n" + table(["tag", *(name for name, _ in scoring)], rows)


def _not_defined(report: dict[str, Any]) -> str:
    lines = [f"* {line}\n" for line in _undefined(report)]
    return "".join(["## Not defined\n\n", *lines]) if lines else ""
