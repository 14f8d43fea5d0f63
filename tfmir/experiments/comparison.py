"""Several systems side by side: the paper's tables and figures from the reports of finished runs."""

from __future__ import annotations

import csv
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfmir import files
from tfmir.errors import UserError
from tfmir.experiments import plots
from tfmir.experiments.columns import RETRIEVAL, TIMES, Reports, Summary, mean_or_none, summary, tables
from tfmir.experiments.findings import Verdict, findings, joint_against_the_best
from tfmir.markdown import table
from tfmir.training.run_directory import Run, load_run

_PREFACE = """Mean ± standard deviation over {seeds} seed(s); the best mean of a column is bold. Corpus: {corpus},
{tracks} test tracks. Times are those of training and validation over the fastest system's; on a machine that does other
things too, only the CPU time can be compared.
"""
_OTHER_DATA = """Columns marked "published" hold figures of other data: compare their order with ours, not their size.
"""
# Column -> system -> what was published.
Published = Mapping[str, Mapping[str, float]]


def compare(
    runs: Mapping[str, Sequence[pathlib.Path]], output: pathlib.Path, *, published: Published | None = None
) -> str:
    """Writes report.json, report.md and figures/ from the `report.json` of each run.

    Args:
      runs: system -> its run directories, one a seed.
      output: where to write.
      published: figures to stand beside ours, see `load_published`.

    Returns:
      The tables as Markdown.
    """
    opened = {system: [load_run(str(path)) for path in paths] for system, paths in runs.items()}
    reports = {system: [_load(run) for run in of_seeds] for system, of_seeds in opened.items()}
    text = markdown(opened, reports, published=published)
    files.write_json(output / "report.json", summary(reports))
    captions = plots.draw(opened, reports, output / "figures")
    pictures = [f"![{caption}](figures/{name})\n\n*{caption}.*\n" for name, caption in captions.items()]
    files.write_text(output / "report.md", "\n".join([f"# Comparison\n\n{text}", "## Figures\n", *pictures]))
    return text


def load_published(path: str) -> Published:
    """Published figures from a CSV with a header `system,column,value`: a system and a column of the report, a number.

    Raises:
      UserError: no such file, another header, or a value that is no number; names the line.
    """
    published: dict[str, dict[str, float]] = {}
    if not path:
        return published
    if not os.path.isfile(path):
        raise UserError(f"--published={path}: no such file")
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        for row in reader:
            try:
                published.setdefault(row["column"], {})[row["system"]] = float(row["value"])
            except (KeyError, TypeError, ValueError) as error:
                raise UserError(
                    f"--published={path}, line {reader.line_num}: found {', '.join(map(str, row.values()))}: needs a "
                    "system, a column and a number below the header system,column,value"
                ) from error
    return published


def markdown(runs: Mapping[str, Sequence[Run]], reports: Reports, *, published: Published | None = None) -> str:
    """The paper's Tables 1, 3 and 4 (retrieval and training time, tagging, triplet prediction), and its findings.

    Args:
      runs: system -> its runs, one a seed.
      reports: the same of their reports.
      published: figures to stand beside ours.

    Raises:
      UserError: `published` has a column that the report has not.
    """
    first = next(iter(reports.values()))[0]
    corpus = next(iter(runs.values()))[0].corpus
    values = summary(reports)
    unknown = sorted(set(published or ()) - set(values))
    if unknown:
        raise UserError(f"--published: no column {unknown[0]!r} in the report: its columns are {', '.join(values)}")
    sections = [_PREFACE.format(seeds=len(next(iter(runs.values()))), corpus=corpus, tracks=first["tracks"])]
    sections += [_OTHER_DATA] if published else []
    for title, columns in tables(reports).items():
        cells = {}
        for name in (*columns, *(TIMES if title == RETRIEVAL else ())):
            cells[name] = _cells(values[name], lowest=name in (*TIMES, "epochs"))
            if published and name in published:
                cells[f"{name}, published"] = {s: f"{published[name][s]:g}" for s in reports if s in published[name]}
        rows = [[s, *_switches(runs[s][0]), *(column.get(s, "–") for column in cells.values())] for s in reports]
        sections.append(f"## {title}\n\n" + table(["system", "normalised", "disentangled", *cells], rows))
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
        sections.append("## The joint system against the best of the others\n\n" + table([*head[:-1], "place"], joint))
    return sections


def _verdict_cells(verdict: Verdict) -> list[str]:
    compared, found = verdict.comparison, verdict.difference
    names = f"{compared.more} − {compared.less}, {compared.column}"
    if compared.more_column:
        names = f"{compared.more}, {compared.more_column} − {compared.column}"
    bounds = "–" if np.isinf(found.low) else f"[{found.low:+.3f}, {found.high:+.3f}]"
    return [names, f"{found.mean:+.3f}", bounds, verdict.verdict]


def _load(run: Run) -> dict[str, Any]:
    """A run's report, with the figures of its own system under `own`."""
    report = files.read_json(run.path / "report.json")
    if report["training"] and "cpu_seconds_per_epoch" not in report["training"]:
        raise UserError(f"{run.path}/report.json is of an earlier version: remove it, and it is made again")
    return report | {"own": next(iter(report["contenders"].values()))}


def _switches(run: Run) -> list[str]:
    switches = run.params.system
    return ["yes" if switches.normalized else "no", "yes" if switches.disentangled else "no"]


def _cells(values: Mapping[str, Sequence[float | None]], *, lowest: bool) -> dict[str, str]:
    """system -> "mean ± deviation", the best in bold."""
    means = {system: mean_or_none(of_seeds) for system, of_seeds in values.items()}
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
