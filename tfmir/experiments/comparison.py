"""Several systems side by side: the figures of finished runs, kept in one file, and the report made from it."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from tfmir import files
from tfmir.errors import UserError
from tfmir.evaluation.report import SCHEMA_VERSION as REPORT_VERSION
from tfmir.experiments import plots
from tfmir.experiments.columns import summary
from tfmir.experiments.published import Published
from tfmir.experiments.results import Results, load_results
from tfmir.experiments.tables import comparison_text
from tfmir.markdown import pictures
from tfmir.run_directory import Run, load_run


def compare(
    runs: Mapping[str, Sequence[pathlib.Path]],
    output: pathlib.Path,
    *,
    published: Published | None = None,
    tsne_tags: str = "",
) -> str:
    """Writes report.json, report.md and figures/ from the `report.json` of each run.

    Args:
      runs: system -> its run directories, one a seed.
      output: where to write.
      published: figures to stand beside ours.
      tsne_tags: `notion/a,b`: two tags of one notion for the paper's Figure 3; empty: the most frequent two.

    Returns:
      The tables as Markdown.

    Raises:
      UserError: a run's report is of another version, or there are no such tags.
    """
    opened = {system: [load_run(str(path)) for path in paths] for system, paths in runs.items()}
    reports = {system: [_load(run) for run in of_seeds] for system, of_seeds in opened.items()}
    first = next(iter(opened.values()))[0]
    results = Results(
        corpus=first.corpus,
        tracks=next(iter(reports.values()))[0]["tracks"],
        seeds=len(next(iter(runs.values()))),
        notions=list(first.vocabulary.notions),
        switches={system: _switches(group[0]) for system, group in opened.items()},
        columns=summary(reports),
    )
    text = comparison_text(results, published=published)
    captions = plots.draw(opened, reports, output / "figures", tsne_tags=tsne_tags)
    files.write_json(output / "report.json", dataclasses.asdict(results))
    write_text(text, output, captions)
    return text


def rewrite(stored: str, output: pathlib.Path, *, published: Published | None = None) -> str:
    """Writes report.md again from the `report.json` of an earlier comparison; no run is opened.

    Args:
      stored: the file.
      output: where to write; figures that lie there are kept.
      published: figures to stand beside ours.

    Returns:
      The tables as Markdown.

    Raises:
      UserError: no such file, or not what `compare` writes.
    """
    text = comparison_text(load_results(stored), published=published)
    kept = {name: caption for name, caption in plots.CAPTIONS.items() if (output / "figures" / name).exists()}
    write_text(text, output, kept)
    return text


def write_text(text: str, output: pathlib.Path, captions: Mapping[str, str]) -> None:
    """Writes report.md: the tables, and the figures by file name and caption."""
    files.write_text(output / "report.md", "\n".join(filter(None, [f"# Comparison\n\n{text}", pictures(captions)])))


def _load(run: Run) -> dict[str, Any]:
    report: dict[str, Any] = files.read_json(run.path / "report.json")
    if report.get("schema_version") != REPORT_VERSION:
        raise UserError(f"{run.path}/report.json is of an earlier version: remove it, and it is made again")
    return report


def _switches(run: Run) -> dict[str, bool]:
    return {"normalized": run.params.system.normalized, "disentangled": run.params.system.disentangled}
