"""`report.json` as Markdown tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfmir.evaluation.cells import ON_SCREEN, duration, few_tracks, number_of
from tfmir.evaluation.cells import figure as _figure
from tfmir.evaluation.cells import undefined as _undefined
from tfmir.evaluation.cells import with_interval as _interval
from tfmir.markdown import table

_READING = """R@k, recall at k: the share of a track's tags that are found among the k tracks nearest to it, by inner
product of the embeddings, mean over the tracks with a tag. ROC-AUC and PR-AUC: how well the scores of a tag tell the
tracks that carry it from the others, mean over the tags; a baseline's scores are those of a logistic regression. In
brackets: 95 % intervals, by resampling.{baselines}
"""
_BASELINES = {
    "statistics": "mean, deviation and movement of each band of the log-mel",
    "untrained": "the same encoder with its first weights",
    "random": "noise, which is chance",
}
_TRIPLETS = """R@1 by the tags of one notion, in its own sub-space where there is one. Triplets: the share in which the
anchor is nearer, by cosine, to a track that shares a tag of the notion than to one that lacks it; of "track", to
another excerpt of its own than to one of another track. Chance is 0.5.{other_way}
"""
_OTHER_WAY = ' "The other way" is retrieval by cosine and triplets by inner product, where the two differ.'


def report_text(report: dict[str, Any]) -> str:
    """All of a report: how it is to be read, contenders, notions, leakage, listeners, tags, and what is not defined."""
    sections = [
        _reading(report),
        _contenders(report),
        "\n".join(_beyond(report)),
        _notions(report),
        _leakage(report),
        _tags(report),
        _not_defined(report),
    ]
    return "\n".join(section for section in sections if section)


def _reading(report: Mapping[str, Any]) -> str:
    """What the first table shows, and how far it is to be trusted."""
    known = [f"{name}, {_BASELINES[name]}" for name in report["baselines"] if name in _BASELINES]
    text = _READING.format(baselines=f"\n\nBaselines: {'; '.join(known)}." if known else "")
    doubt = few_tracks(report["tracks"], "test tracks")
    return f"{text}\n{doubt}\n" if doubt else text


def _beyond(report: Mapping[str, Any]) -> list[str]:
    """Lines below the first table: how far above statistics, and what the training took."""
    lines = [
        f"* R@1 over that of statistics: {_interval(value)} (`{name}`)\n" for name, value in report["ratios"].items()
    ]
    if (training := report["training"]) is not None:
        times = f"{duration(training['cpu_seconds'])} of CPU time, {duration(training['seconds'])} by the clock"
        lines.append(f"* Training: {number_of(training['epochs'], 'epoch')}, {times}\n")
    if report["human"]:
        lines.append(f"* A{_listeners(report['human'])[1:]}\n")
    return ["".join(lines)] if lines else []


def headline(report: dict[str, Any]) -> str:
    """The first table, the ratio to the statistics baseline, and what is not defined."""
    lines = [_contenders(report)]
    for name, value in report["ratios"].items():
        lines.append(f"{name}: {_interval(value)}")
    system = report["system"]
    if system["leakage"] is not None:
        lines.append(f"leakage gap (diagonal minus the rest): {_figure(system['leakage_gap'])}")
    if report["human"]:
        lines.append(_listeners(report["human"]))
    lines += filter(None, [few_tracks(report["tracks"], "test tracks")])
    return "\n".join([*lines, *(f"not defined: {line}" for line in _undefined(report, most=ON_SCREEN))])


def _listeners(human: Mapping[str, Any]) -> str:
    by_product = {"whole space by inner product": human["inner_product"]} if human["inner_product"] else {}
    spaces = {"whole space": human["whole"], **by_product, **human["subspaces"]}
    found = ", ".join(f"{name} {_interval(value)}" for name, value in spaces.items())
    return f"agreement with {human['votes']} votes of listeners on {human['triplets']} triplets: {found}"


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
    head = ["system", "notion", "R@1", "ROC-AUC", "triplets, whole space", "triplets, sub-space"]
    if all(row[-1] == "–" for row in rows):
        head, rows = head[:-1], [row[:-1] for row in rows]
    other_way = _OTHER_WAY if any(c["cosine"] for _, c in contenders(report)) else ""
    return f"## Per notion\n\n{_TRIPLETS.format(other_way=other_way)}\n{table(head, rows)}"


def _by_the_other(name: str, contender: dict[str, Any]) -> list[list[str]]:
    """Rows by the similarity that the rows above do not use, where the embedding is not of unit norm."""
    if not contender["cosine"]:
        return []
    retrieval, triplets = contender["cosine"]["recall_notion"], contender["inner_product"]
    rows = [
        [f"{name}, the other way", notion, _interval(recall["1"]), "–", _interval(triplets["triplets"][notion]), "–"]
        for notion, recall in retrieval.items()
    ]
    track = _interval(triplets["triplets_track"])
    return rows if track == "–" else [*rows, [f"{name}, the other way", "track", "–", "–", track, "–"]]


def _leakage(report: dict[str, Any]) -> str:
    name, system = report["run"], report["system"]
    if system["leakage"] is None:
        return ""
    notions = list(report["notions"])
    rows = [[notion, *map(_figure, row)] for notion, row in zip(notions, system["leakage"], strict=True)]
    gap = f"The leakage gap, the diagonal minus the mean of the rest, is {_figure(system['leakage_gap'])}"
    text = (
        f"## Leakage\n\nShare of a notion's triplets (column) that a sub-space (row) of {name} predicts: high on the "
        f"diagonal and 0.5 elsewhere, if each sub-space holds its own notion alone. {gap}.\n\n"
    )
    return text + table(["sub-space", *notions], rows)


def _tags(report: dict[str, Any]) -> str:
    scoring = [(name, c) for name, c in contenders(report) if c["roc_auc_tag"]]
    tags = [f"{notion}/{tag}" for notion, tags in report["notions"].items() for tag in tags]
    carried = report.get("tag_tracks", {})  # not in older reports
    rows = [
        [tag, *([str(carried[tag])] if carried else []), *(_figure(c["roc_auc_tag"][tag]) for _, c in scoring)]
        for tag in tags
    ]
    head = ["tag", *(["test tracks"] if carried else []), *(name for name, _ in scoring)]
    return "## ROC-AUC per tag\n\n" + table(head, rows)


def _not_defined(report: dict[str, Any]) -> str:
    lines = [f"* {line}\n" for line in _undefined(report)]
    return "".join(["## Not defined\n\n", *lines]) if lines else ""
