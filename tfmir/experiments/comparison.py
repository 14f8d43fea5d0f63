"""Several systems side by side: the figures of finished runs, kept in one file, and the report made from it."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from tfmir import files
from tfmir.errors import UserError
from tfmir.evaluation.answers import Answers, load_answers
from tfmir.evaluation.plots import true_captions
from tfmir.evaluation.questions import TRUTH
from tfmir.evaluation.report import SCHEMA_VERSION as REPORT_VERSION
from tfmir.evaluation.retrieval import KS, neighbours
from tfmir.experiments import plots
from tfmir.experiments.bootstrap import COSINE, INNER_PRODUCT, draw_weights, resampled_figures
from tfmir.experiments.columns import summary
from tfmir.experiments.contrasts import Contrast, of_trained
from tfmir.experiments.findings import JOINT_COLUMNS, Resampled, joint_against_the_best, judge_contrasts
from tfmir.experiments.made import how_made
from tfmir.experiments.published import Published
from tfmir.experiments.results import Results, Side, load_results
from tfmir.experiments.systems import ALIASES
from tfmir.experiments.tables import comparison_text
from tfmir.inference.subspaces import unit_rows
from tfmir.markdown import pictures
from tfmir.run_directory import Run, load_run

# System -> its runs, one a seed.
Runs = Mapping[str, Sequence[Run]]
Nearest = Mapping[files.Path, Mapping[str, np.ndarray]]  # run directory -> similarity -> the nearest tracks of each


def compare(
    runs: Mapping[str, Sequence[pathlib.Path]],
    output: pathlib.Path,
    *,
    rows: Sequence[str] = (),
    contrasts: Sequence[Contrast] = (),
    truth: bool = False,
    published: Published | None = None,
    tsne_tags: str = "",
    command: Sequence[str] = (),
) -> str:
    """Writes report.json, report.md and figures/ from the `report.json` and `answers.npz` of each run.

    Args:
      runs: system -> its run directories, one a seed; systems may have different numbers of them.
      output: where to write.
      rows: the systems in the order of their rows; one that is not in `runs` is the same function as one that is
        (`systems.ALIASES`), and its row has that one's figures. Empty: those of `runs`.
      contrasts: the differences to judge.
      truth: whether the evaluations against the truth are compared, too.
      published: figures to stand beside ours.
      tsne_tags: `notion/a,b`: two tags of one notion for the paper's Figure 3; empty: the most frequent two.
      command: flags of the comparison, which the report names.

    Returns:
      The tables as Markdown.

    Raises:
      UserError: a run's report is of another version, its answers are missing or to other questions, or there are no
        such tags.
    """
    opened = {system: [load_run(str(path)) for path in paths] for system, paths in runs.items()}
    reports = {system: [_load(run.path) for run in of_seeds] for system, of_seeds in opened.items()}
    first = next(iter(opened.values()))[0]
    rows, contrasts = rows or list(runs), of_trained(contrasts, runs)
    nearest = _nearest_tracks(opened)
    aliases = {system: ALIASES[system] for system in rows if system not in runs}
    results = Results(
        corpus=first.corpus,
        tracks=next(iter(reports.values()))[0]["tracks"],
        notions=list(first.vocabulary.notions),
        switches={system: _switches(opened[aliases.get(system, system)][0]) for system in rows},
        seeds={system: [run.params.training.seed for run in group] for system, group in opened.items()},
        aliases=aliases,
        labels=_side(opened, reports, "", contrasts, nearest),
        truth=_truth(opened, contrasts, nearest) if truth else None,
        made=how_made(opened, command),
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
    results = load_results(stored)
    text = comparison_text(results, published=published)
    captions = true_captions(plots.CAPTIONS, results.tracks)
    kept = {name: caption for name, caption in captions.items() if (output / "figures" / name).exists()}
    write_text(text, output, kept)
    return text


def write_text(text: str, output: pathlib.Path, captions: Mapping[str, str]) -> None:
    """Writes report.md: the tables, and the figures by file name and caption."""
    files.write_text(output / "report.md", "\n".join(filter(None, [f"# Comparison\n\n{text}", pictures(captions)])))


def resample(runs: Runs, folder: str, columns: set[str], nearest: Nearest) -> Resampled:
    """The columns of every run on the same resamples of the test tracks, as far as its answers tell.

    Args:
      runs: system -> its runs, one a seed.
      folder: where the answers are in a run directory; empty: in itself.
      columns: the columns that are wanted.
      nearest: of every run directory.

    Raises:
      UserError: answers are missing, or to other questions than those of the first run.
    """
    notions = next(iter(runs.values()))[0].vocabulary.notions
    found: dict[str, list[dict[str, np.ndarray]]] = {system: [] for system in runs}
    first: Answers | None = None
    with tqdm(total=sum(map(len, runs.values())), unit="run", desc="resample") as bar:
        for system, run in ((system, run) for system, group in runs.items() for run in group):
            path = run.path / folder if folder else run.path
            answers = load_answers(path)
            if first is None:
                first, weights = answers, draw_weights(len(answers.labels))
            _refuse_other_questions(first, answers, path)
            found[system].append(resampled_figures(answers, notions, columns, weights, nearest[run.path]))
            bar.update(1)
    return {
        system: {name: np.stack([f[name] for f in group]) for name in set.intersection(*map(set, group))}
        for system, group in found.items()
    }


def _nearest_tracks(runs: Runs) -> Nearest:
    """Searched for once, whatever the tracks are asked against."""
    every = [run for group in runs.values() for run in group]
    return {run.path: _neighbours(run) for run in tqdm(every, unit="run", desc="nearest tracks")}


def _neighbours(run: Run) -> dict[str, np.ndarray]:
    """The nearest test tracks of each, int32 [tracks, one more than retrieval counts]."""
    with np.load(run.path / "test.npz") as stored:
        embeddings = stored["embeddings"]
    count = min(max(KS) + 1, len(embeddings) - 1)
    nearest = neighbours(embeddings, count).astype(np.int32)
    if run.params.system.normalized:
        return {INNER_PRODUCT: nearest, COSINE: nearest}
    return {INNER_PRODUCT: nearest, COSINE: neighbours(unit_rows(embeddings), count).astype(np.int32)}


def _side(runs: Runs, reports: Mapping[str, Any], folder: str, contrasts: Sequence[Contrast], nearest: Nearest) -> Side:
    columns, tracks = summary(reports), next(iter(reports.values()))[0]["tracks"]
    wanted = {name for contrast in contrasts for name in contrast.columns}
    resampled = resample(runs, folder, wanted | set(JOINT_COLUMNS), nearest)
    return Side(
        columns,
        judge_contrasts(contrasts, columns, resampled, tracks=tracks),
        joint_against_the_best(columns, resampled, tracks=tracks),
    )


def _truth(runs: Runs, contrasts: Sequence[Contrast], nearest: Nearest) -> Side:
    reports = {system: [_load(run.path / TRUTH) for run in of_seeds] for system, of_seeds in runs.items()}
    return _side(runs, reports, TRUTH, contrasts, nearest)


def _load(folder: files.Path) -> dict[str, Any]:
    path = folder / "report.json"
    if not path.exists():
        raise UserError(f"{path}: not there: evaluate the run{' with --truth' if folder.name == TRUTH else ''}")
    report: dict[str, Any] = files.read_json(path)
    if report.get("schema_version") != REPORT_VERSION:
        raise UserError(f"{path} is of an earlier version: remove it, and it is made again")
    return report


def _refuse_other_questions(first: Answers, answers: Answers, folder: files.Path) -> None:
    """Two runs can be resampled together only if they answered the same; not all have sub-spaces to ask."""
    shared = first.triplets.keys() & answers.triplets.keys()
    same = np.array_equal(first.labels, answers.labels)
    if not same or not all(np.array_equal(first.triplets[name], answers.triplets[name]) for name in shared):
        raise UserError(
            f"{folder}: its answers are to other questions than those of the first run: compare runs of one record "
            "set, or remove both report.json, and they are made again"
        )


def _switches(run: Run) -> dict[str, bool]:
    return {"normalized": run.params.system.normalized, "disentangled": run.params.system.disentangled}
