"""Several systems side by side: the paper's tables and figures from the reports of finished runs."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfmir import files
from tfmir.evaluation.tables import table
from tfmir.experiments import plots
from tfmir.training.run_directory import Run, load_run

Figure = Callable[[dict[str, Any]], "float | None"]
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


def summary(reports: Mapping[str, Sequence[dict[str, Any]]]) -> dict[str, Any]:
    """Column -> system -> the figure of each seed, or None where a system has none."""
    notions = list(next(iter(reports.values()))[0]["notions"])
    columns = {name: figure for group in _tables(notions).values() for name, figure in group.items()}
    for name in ("epochs", "seconds", "cpu_seconds"):
        columns[name] = lambda report, name=name: _path(report, "training", name)  # type: ignore[misc]
    return _values(columns, reports)


def markdown(runs: Mapping[str, Sequence[Run]], reports: Mapping[str, Sequence[dict[str, Any]]]) -> str:
    """The paper's Tables 1, 3 and 4: retrieval and training time, tagging, triplet prediction."""
    first = next(iter(reports.values()))[0]
    corpus = next(iter(runs.values()))[0].corpus
    sections = [_PREFACE.format(seeds=len(next(iter(runs.values()))), corpus=corpus, tracks=first["tracks"])]
    for title, columns in _tables(list(first["notions"])).items():
        values = _values(columns, reports)
        if title.startswith("Retrieval and"):
            values["time"] = _time_ratios(reports, "seconds")
            values["CPU time"] = _time_ratios(reports, "cpu_seconds")
        rows = [[system, *_switches(runs[system][0])] for system in reports]
        cells = {name: _cells(by_system, lowest="time" in name) for name, by_system in values.items()}
        rows = [[*row, *(cells[name][row[0]] for name in values)] for row in rows]
        sections.append(f"## {title}\n\n" + table(["system", "normalised", "disentangled", *values], rows))
    return "\n".join(sections)


def _values(columns: Mapping[str, Figure], reports: Mapping[str, Sequence[dict[str, Any]]]) -> dict[str, Any]:
    """Column -> system -> the figure of each seed."""
    return {name: {s: [figure(r) for r in group] for s, group in reports.items()} for name, figure in columns.items()}


def _tables(notions: Sequence[str]) -> dict[str, dict[str, Figure]]:
    """Title -> column -> how to read it from a report."""

    def at(*keys: str) -> Figure:
        return lambda report: _path(report, "own", *keys)

    def mean_over_notions(key: str) -> Figure:
        return lambda report: _mean([_path(report, "own", key, notion, "mean") for notion in notions])

    return {
        "Retrieval and training time": {
            **{f"R@{k}": at("recall", str(k), "mean") for k in (1, 2, 4, 8)},
            "R@1 by cosine": _recall_by_cosine,
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


def _time_ratios(reports: Mapping[str, Sequence[dict[str, Any]]], clock: str) -> dict[str, list[float | None]]:
    """Training time over that of the fastest system of the comparison (paper, Table 1)."""
    seconds = {s: [_path(r, "training", clock) for r in group] for s, group in reports.items()}
    known = [_mean(values) for values in seconds.values()]
    fastest = min((value for value in known if value), default=1.0)
    return {s: [None if v is None else v / fastest for v in values] for s, values in seconds.items()}


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
