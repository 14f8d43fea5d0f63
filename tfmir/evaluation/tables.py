"""`report.json` as Markdown tables."""

from __future__ import annotations

from typing import Any

from tfmir.markdown import table


def markdown(report: dict[str, Any]) -> str:
    """All tables of a report: contenders, notions, leakage, tags."""
    sections = [_contenders(report), _notions(report), _leakage(report), _tags(report)]
    return "\n".join(section for section in sections if section)


def summary(report: dict[str, Any]) -> str:
    """The first table and the ratio to the statistics baseline."""
    lines = [_contenders(report)]
    for name, value in report["ratios"].items():
        lines.append(f"{name}: {value['mean']:.3f} [{value['low']:.3f}, {value['high']:.3f}]")
    system = next(iter(report["contenders"].values()))
    if system["leakage_gap"] is not None:
        lines.append(f"leakage gap (diagonal minus the rest): {system['leakage_gap']:.3f}")
    if report["human"]:
        human = report["human"]
        spaces = {"whole space": human["whole"], **human["subspaces"]}
        found = ", ".join(f"{name} {_interval(value)}" for name, value in spaces.items())
        lines.append(f"agreement with {human['votes']} votes of listeners on {human['triplets']} triplets: {found}")
    return "\n".join(lines)


def _contenders(report: dict[str, Any]) -> str:
    ks = list(next(iter(report["contenders"].values()))["recall"])
    rows = []
    for name, c in report["contenders"].items():
        rows.append([name, *(_interval(c["recall"][k]) for k in ks), _interval(c["roc_auc"]), _figure(c["pr_auc"])])
        if c["cosine"]:
            rows.append([f"{name}, by cosine", *(_interval(c["cosine"]["recall"][k]) for k in ks), "–", "–"])
    return table([f"{report['tracks']} test tracks", *(f"R@{k}" for k in ks), "ROC-AUC", "PR-AUC"], rows)


def _notions(report: dict[str, Any]) -> str:
    rows = []
    for name, c in report["contenders"].items():
        for notion in report["notions"]:
            own = _interval((c["triplets_subspace"] or {}).get(notion))
            recall, auc = _interval(c["recall_notion"][notion]["1"]), _figure((c["roc_auc_notion"] or {}).get(notion))
            rows.append([name, notion, recall, auc, _interval(c["triplets"][notion]), own])
        if c["triplets_track"]:
            rows.append([name, "track", "–", "–", _interval(c["triplets_track"]), "–"])
    head = ["contender", "notion", "R@1", "ROC-AUC", "triplets, whole space", "triplets, sub-space"]
    return "## Per notion\n\nR@1 in the notion's own sub-space where there is one.\n\n" + table(head, rows)


def _leakage(report: dict[str, Any]) -> str:
    name, system = next(iter(report["contenders"].items()))
    if system["leakage"] is None:
        return ""
    notions = list(report["notions"])
    rows = [[notion, *map(_figure, row)] for notion, row in zip(notions, system["leakage"], strict=True)]
    gap = f"Diagonal minus the mean of the rest: {system['leakage_gap']:.3f}"
    text = f"## Leakage\n\nShare of a notion's triplets (column) that a sub-space (row) of {name} predicts. {gap}.\n\n"
    return text + table(["sub-space", *notions], rows)


def _tags(report: dict[str, Any]) -> str:
    contenders = {name: c for name, c in report["contenders"].items() if c["roc_auc_tag"]}
    tags = [f"{notion}/{tag}" for notion, tags in report["notions"].items() for tag in tags]
    rows = [[tag, *(_figure(c["roc_auc_tag"][tag]) for c in contenders.values())] for tag in tags]
    return "## ROC-AUC per tag\n\n" + table(["tag", *contenders], rows)


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _interval(value: dict[str, float] | None) -> str:
    return "–" if value is None else f"{value['mean']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"
