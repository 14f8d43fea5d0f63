"""Several systems side by side: the paper's tables and figures from the reports of finished runs."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfmir import files
from tfmir.evaluation.tables import table
from tfmir.experiments import plots
from tfmir.experiments.findings import Summary, Verdict, findings, joint_against_the_best
from tfmir.training.run_directory import Run, load_run

Figure = Callable[[dict[str, Any]], "float | None"]
_RETRIEVAL = "Retrieval and training time"
_TIMES = {"time": "seconds", "CPU time": "cpu_seconds", "CPU time an epoch": "cpu_seconds_per_epoch"}
_PREFACE = """Mean ± standard deviation over {seeds} seed(s); the best mean of a column is bold. Corpus: {corpus},
{tracks} test tracks. The paper's figures are of the Million Song Dataset and cannot be compared in size with these.
"""


def compare(runs: Mapping[str, Sequence[pathlib.Path]], output: pathlib.Path) -> str:
    """Writes report.json, report.md and figures/ from the `report.json` of each run.

    Args:
      runs: system -> its run directories, one a seed.
      output: where to write.

    Returns:
      The tables as Markdown.
    """
    opened = {system: [load_run(str(path)) for path in paths] for system, paths in runs.items()}
    reports = {system: [_load(run) for run in of_seeds] for system, of_seeds in opened.items()}
    text = markdown(opened, reports)
    files.write_json(output / "report.json", summary(reports))
    files.write_text(output / "report.md", f"# Comparison\n\n{text}")
    plots.draw(opened, reports, output / "figures")
    return text


def summary(reports: Mapping[str, Sequence[dict[str, Any]]]) -> dict[str, dict[str, list[float | None]]]:
    """Column -> system -> the figure of each seed, or None where a system has none.

    `time`, `CPU time` and `CPU time an epoch` are ratios to the fastest system (paper, Table 1).
    """
    columns = {name: figure for group in _tables(_notions(reports)).values() for name, figure in group.items()}
    values = {name: {s: [figure(r) for r in group] for s, group in reports.items()} for name, figure in columns.items()}
    for ratio, clock in _TIMES.items():
        values[clock] = {s: [_path(r, "training", clock) for r in group] for s, group in reports.items()}
        values[ratio] = _over_the_fastest(values[clock])
    return values


def markdown(runs: Mapping[str, Sequence[Run]], reports: Mapping[str, Sequence[dict[str, Any]]]) -> str:
    """The paper's Tables 1, 3 and 4 (retrieval and training time, tagging, triplet prediction), and its findings."""
    first = next(iter(reports.values()))[0]
    corpus = next(iter(runs.values()))[0].corpus
    values = summary(reports)
    sections = [_PREFACE.format(seeds=len(next(iter(runs.values()))), corpus=corpus, tracks=first["tracks"])]
    for title, columns in _tables(_notions(reports)).items():
        names = [*columns, *(_TIMES if title == _RETRIEVAL else ())]
        cells = {name: _cells(values[name], lowest=name in (*_TIMES, "epochs")) for name in names}
        rows = [[s, *_switches(runs[s][0]), *(cells[name][s] for name in names)] for s in reports]
        sections.append(f"## {title}\n\n" + table(["system", "normalised", "disentangled", *names], rows))
    sections += _findings(values)
    return "\n".join(sections)


def _findings(values: Summary) -> list[str]:
    """What the paper found, and how the joint system does against the best of the others."""
    rows = [
        [claim if verdict is verdicts[0] else "", *_verdict_cells(verdict)]
        for claim, verdicts in findings(values).items()
        for verdict in verdicts
    ]
    head = ["difference", "mean", "95 % interval over the seeds", "verdict"]
    sections = ["## What the paper found\n\n" + table(["claim", *head], rows)] if rows else []
    joint = [_verdict_cells(verdict) for verdict in joint_against_the_best(values)]
    if joint:
        sections.append("## The joint system against the best of the others\n\n" + table([*head[:-1], "first?"], joint))
    return sections


def _verdict_cells(verdict: Verdict) -> list[str]:
    compared, found = verdict.comparison, verdict.difference
    names = f"{compared.more} − {compared.less}, {compared.column}"
    if compared.more_column:
        names = f"{compared.more}, {compared.more_column} − {compared.column}"
    bounds = "–" if np.isinf(found.low) else f"[{found.low:+.3f}, {found.high:+.3f}]"
    return [names, f"{found.mean:+.3f}", bounds, verdict.verdict]


def _tables(notions: Sequence[str]) -> dict[str, dict[str, Figure]]:
    """Title -> column -> how to read it from a report."""

    def at(*keys: str) -> Figure:
        return lambda report: _path(report, "own", *keys)

    def mean_over_notions(key: str) -> Figure:
        return lambda report: _mean([_path(report, "own", key, notion, "mean") for notion in notions])

    return {
        _RETRIEVAL: {
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
            **{notion: at("triplets", notion, "mean") for notion in notions},
            "mean": mean_over_notions("triplets"),
            "track": at("triplets_track", "mean"),
        },
        "Triplet prediction, in the notion's sub-space": {
            **{f"{notion} sub-space": at("triplets_subspace", notion, "mean") for notion in notions},
            "mean of sub-spaces": mean_over_notions("triplets_subspace"),
            "leakage gap": at("leakage_gap"),
        },
        "Retrieval along a notion": {f"{notion} R@1": at("recall_notion", notion, "1", "mean") for notion in notions},
    }


def _recall_by_cosine(report: dict[str, Any]) -> float:
    own = report["own"]
    return (own["cosine"] or own)["recall"]["1"]["mean"]


def _notions(reports: Mapping[str, Sequence[dict[str, Any]]]) -> list[str]:
    return list(next(iter(reports.values()))[0]["notions"])


def _load(run: Run) -> dict[str, Any]:
    """A run's report, with the figures of its own system under `own`."""
    report = files.read_json(run.path / "report.json")
    return report | {"own": next(iter(report["contenders"].values()))}


def _path(value: Any, *keys: str) -> Any:
    for key in keys:
        if value is None:
            return None
        value = value[key]
    return value


def _mean(values: Sequence[float | None]) -> float | None:
    return None if any(value is None for value in values) else float(np.mean([v for v in values if v is not None]))


def _over_the_fastest(values: Mapping[str, list[float | None]]) -> dict[str, list[float | None]]:
    """Every figure over the lowest mean of a system."""
    known = [_mean(of_seeds) for of_seeds in values.values()]
    fastest = min((value for value in known if value), default=1.0)
    return {s: [None if v is None else v / fastest for v in of_seeds] for s, of_seeds in values.items()}


def _switches(run: Run) -> list[str]:
    switches = run.params.system
    return ["yes" if switches.normalized else "no", "yes" if switches.disentangled else "no"]


def _cells(values: Mapping[str, Sequence[float | None]], *, lowest: bool) -> dict[str, str]:
    """system -> "mean ± deviation", the best in bold."""
    means = {system: _mean(of_seeds) for system, of_seeds in values.items()}
    known = [mean for mean in means.values() if mean is not None]
    best = (min if lowest else max)(known, default=None)
    cells = {}
    for system, of_seeds in values.items():
        mean = means[system]
        if mean is None:
            cells[system] = "–"
            continue
        deviation = f" ± {np.std([v for v in of_seeds if v is not None], ddof=1):.3f}" if len(of_seeds) > 1 else ""
        cells[system] = f"**{mean:.3f}**{deviation}" if mean == best else f"{mean:.3f}{deviation}"
    return cells
