"""A run on the songs of a library, of another corpus and another vocabulary: all that `evaluate --library` does."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import numpy as np

from tfmir import files
from tfmir.errors import UserError
from tfmir.evaluation.baselines import standardize
from tfmir.evaluation.library.apart import to_groups
from tfmir.evaluation.library.figures import BY_PRODUCT, CHANCE, SCHEMA_VERSION, WHOLE, build_figures
from tfmir.evaluation.library.labels import TAGS, Labels, askable, choose_labels
from tfmir.evaluation.library.songs import Heard
from tfmir.evaluation.library.sources import Source, open_source
from tfmir.evaluation.library.tables import headline, report_text
from tfmir.evaluation.library.trained import trained_on
from tfmir.evaluation.report import STATISTICS
from tfmir.inference.subspaces import subspace_embeddings, unit_rows
from tfmir.inference.weights import load_system
from tfmir.run_directory import Run, trained_run


def evaluate_library(
    path: str, library: str, *, annotations: str = "", by: str = TAGS, output: str = "", with_baselines: bool = True
) -> dict[str, Any]:
    """Asks a run about the songs of a library; writes report.json and report.md.

    Args:
      path: the run directory.
      library: folder of songs, of embeddings of the same run, or of records.
      annotations: see `describe`.
      by: see `choose_labels`.
      output: directory of the report; empty: `library/<name of the library>` in the run directory, with `-by-<columns>`
        behind it if it is not by tags.
      with_baselines: whether the statistics of the log-mel and chance stand beside it.

    Returns:
      The report, see `figures.py`.

    Raises:
      UserError: no trained run, no such library, or nothing that can be asked; but for files that cannot be decoded it
        is known before anything is.
    """
    run = trained_run(path)
    source = open_source(run, library, annotations)
    labels = choose_labels(source.songs, by, run.vocabulary)
    system = load_system(run, tagging=False)
    heard = source.hear(system)
    labels = labels.rows(heard.numbers)
    if not any(map(askable, labels.carried.values())):
        raise UserError(
            f"--library={library}: {len(heard.rejected)} songs cannot be decoded, and of the other "
            f"{len(heard.numbers)} no two share a label that another lacks: nothing can be asked"
        )
    report = _report(run, library, source, labels, by, heard, with_baselines=with_baselines)
    folder = files.to_path(output) if output else run.path / "library" / _name(library, labels, by)
    files.write_text(folder / "report.md", report_text(report))
    files.write_json(folder / "report.json", report)
    print(f"\n{headline(report)}\nreport: {folder / 'report.md'}, {folder / 'report.json'}")
    return report


def _report(
    run: Run, library: str, source: Source, labels: Labels, by: str, heard: Heard, *, with_baselines: bool
) -> dict[str, Any]:
    named = [source.songs.artists[number] for number in heard.numbers]
    artists = to_groups(named) if any(named) else None
    baselines = _baselines(heard) if with_baselines else {}
    trained = trained_on(run, [source.songs.track_ids[number] for number in heard.numbers], heard.statistics)
    counts = {column: carried.sum(axis=0).tolist() for column, carried in labels.carried.items()}
    return {
        "schema_version": SCHEMA_VERSION,
        "run": run.path.name,
        "library": library,
        "kind": source.kind,
        "annotations": source.songs.source,
        "by": TAGS if by == TAGS else ",".join(labels.names),
        "songs": len(heard.numbers),
        "labels": {column: dict(zip(names, counts[column], strict=True)) for column, names in labels.names.items()},
        "artists": len({*named} - {""}) or None,
        "tags": {"only_run": labels.only_run, "only_library": labels.only_library} if by == TAGS else None,
        "missing": source.missing,
        "rejected": list(heard.rejected),
        "trained": dataclasses.asdict(trained) if trained else None,
        **build_figures(labels, artists, _spaces(run, heard.embeddings), baselines),
        "weights_sha256": files.sha256(run.best_weights),
    }


def _spaces(run: Run, embeddings: np.ndarray) -> dict[str, np.ndarray]:
    """Space -> float32 [songs, dim] of unit norm, but for the inner product's own."""
    spaces = {WHOLE: unit_rows(embeddings)}
    if not run.params.system.normalized:
        spaces[BY_PRODUCT] = embeddings
    if run.params.system.disentangled:
        spaces |= subspace_embeddings(embeddings, run.vocabulary)
    return spaces


def _baselines(heard: Heard) -> dict[str, np.ndarray | None]:
    """Statistics, scaled by the library's own mean and deviation, if there was audio to hear; and chance."""
    if heard.statistics is None:
        return {CHANCE: None}
    return {STATISTICS: unit_rows(standardize(heard.statistics, heard.statistics)[1]), CHANCE: None}


def _name(library: str, labels: Labels, by: str) -> str:
    place = library.rstrip("/").rpartition("/")[2] if files.is_remote(library) else pathlib.Path(library).resolve().name
    return (place or "root") + ("" if by == TAGS else f"-by-{'-'.join(labels.names)}".replace("/", "_"))
