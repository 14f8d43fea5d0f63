"""The evaluation of one run: everything that `evaluate` computes and writes."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfmir import files
from tfmir.corpora.votes import HumanTriplet, votes_on_songs
from tfmir.data.manifest import Manifest
from tfmir.data.run_records import records_of
from tfmir.errors import UserError
from tfmir.evaluation import plots
from tfmir.evaluation.answers import collect_answers, save_answers
from tfmir.evaluation.baselines import baselines
from tfmir.evaluation.human import agreement, embed_clips
from tfmir.evaluation.questions import LABELS, TRUTH, stored_questions
from tfmir.evaluation.report import Contender, build_report
from tfmir.evaluation.tables import headline, report_text
from tfmir.evaluation.training_time import training_time
from tfmir.flags import to_argv
from tfmir.inference.subspaces import subspace_embeddings
from tfmir.inference.tracks import EmbeddedTracks, embed_tracks
from tfmir.inference.weights import load_system
from tfmir.markdown import pictures
from tfmir.model.system import System
from tfmir.model.triplet import TripletSystem
from tfmir.run_directory import Run, load_history, locked, trained_run
from tfmir.searching.maps import LEAST_POINTS


def evaluate_run(
    path: str,
    *,
    records: str = "",
    with_baselines: bool = True,
    with_truth: bool = False,
    with_figures: bool = True,
    human_triplets: str = "",
    audio_dir: str = "",
) -> dict[str, Any]:
    """Evaluates a run on the test split; writes report.json, report.md, figures/, answers.npz and test.npz into its
    directory.

    Args:
      path: the run directory.
      records: directory of its record set, if that was moved since the training.
      with_baselines: whether chance, statistics and the untrained encoder stand beside it.
      with_truth: whether the same is written against the truth, into the folder `truth` of the run directory.
      with_figures: whether pictures are drawn.
      human_triplets: file of votes of listeners; empty: none.
      audio_dir: folder of the songs that they have voted on.

    Returns:
      The report against the labels, see `report.py`.

    Raises:
      UserError: no trained run, one that is being trained, other records than its own or without test tracks or truth,
        or votes that cannot be used.
    """
    votes = votes_on_songs(human_triplets, audio_dir)
    run, manifest = records_of(trained_run(path), records)
    if with_truth and not manifest.has_truth:
        raise UserError(
            f"--truth: {run.records} has labels only: leave --truth out, or take records that keep the truth beside "
            "them, of prepare --corpus=demo --annotated=…"
        )
    with locked(run):
        reports = _evaluate(
            run,
            manifest,
            with_baselines=with_baselines,
            with_truth=with_truth,
            with_figures=with_figures,
            votes=votes,
            audio_dir=audio_dir,
        )
    for against, report in reports.items():
        folder = report_folder(run, against)
        print(f"\nagainst the {against}:\n" if with_truth else "")
        drawn = f", figures: {folder / 'figures'}" if with_figures else ""
        print(f"{headline(report)}\nreport: {folder / 'report.md'}{drawn}")
    return reports[LABELS]


def report_folder(run: Run, against: str) -> files.Path:
    """Where the report against LABELS or TRUTH is: the run directory, or a folder in it."""
    return run.path if against == LABELS else run.path / against


def _evaluate(
    run: Run,
    manifest: Manifest,
    *,
    with_baselines: bool,
    with_truth: bool,
    with_figures: bool,
    votes: Sequence[HumanTriplet],
    audio_dir: str,
) -> dict[str, dict[str, Any]]:
    """LABELS and TRUTH -> report; the tracks are embedded once, and all is computed before the first is written."""
    system, history = load_system(run), load_history(run)
    test = embed_tracks(system, run.records, manifest, "test")
    ours = _contender(system, test)
    others = baselines(run, manifest, test) if with_baselines else {}
    human = dataclasses.asdict(agreement(system, votes, embed_clips(system, votes, audio_dir))) if votes else None
    weights = files.sha256(run.best_weights)
    known = {"training": training_time(history), "human": human, "weights_sha256": weights}
    right = {LABELS: test.labels} | ({TRUTH: test.truth} if with_truth and test.truth is not None else {})
    reports, answers = {}, {}
    for against, labels in right.items():
        questions = stored_questions(run.records, manifest, "test", labels, test.excerpt_tracks, against=against)
        report = build_report(run.path.name, run.vocabulary, labels, ours, others, questions=questions, against=against)
        reports[against] = report | known | {"undefined": report["undefined"] | plots.undrawn(report)}
        answers[against] = collect_answers(run.vocabulary, labels, ours, questions, test.excerpt_tracks)
    _write_tracks(run, test)
    _remove_outdated(report_folder(run, TRUTH), weights)
    maps = _maps(run, test) if with_figures else None
    for against, labels in reversed(right.items()):  # that of the labels last: it says that all is there
        folder, report = report_folder(run, against), reports[against]
        save_answers(folder, answers[against])
        captions = _draw(folder / "figures", run, labels, maps, report, history) if with_figures else {}
        _remove_undrawn(folder / "figures", captions)
        _write(folder, run, report, captions)
    return reports


def _contender(system: System, test: EmbeddedTracks) -> Contender:
    switches, embeddings = system.params.system, tf.constant(test.embeddings)
    in_whole = system.prototypes.in_whole(embeddings).numpy() if isinstance(system, TripletSystem) else None
    return Contender(
        test.embeddings,
        system.scores(embeddings).numpy(),
        switches.disentangled,
        switches.normalized,
        test.excerpts,
        in_whole,
    )


def _remove_outdated(folder: files.Path, weights_sha256: str) -> None:
    """Removes a report of other weights, which would be taken for one of these where it is not written anew."""
    report = folder / "report.json"
    if report.exists() and files.read_json(report)["weights_sha256"] != weights_sha256:
        files.remove_tree(folder)


def _write_tracks(run: Run, test: EmbeddedTracks) -> None:
    truth = {} if test.truth is None else {"truth": test.truth}
    ids = np.array(test.track_ids)
    files.write_arrays(run.path / "test.npz", track_ids=ids, embeddings=test.embeddings, labels=test.labels, **truth)


def _maps(run: Run, test: EmbeddedTracks) -> plots.Maps | None:
    """The spaces to draw, computed once for all reports; None if there are too few tracks."""
    if len(test.track_ids) < LEAST_POINTS:
        return None
    parts = subspace_embeddings(test.embeddings, run.vocabulary) if run.params.system.disentangled else {}
    return plots.map_spaces(test.track_ids, test.embeddings, parts)


def _write(folder: files.Path, run: Run, report: dict[str, Any], captions: dict[str, str]) -> None:
    text = "\n".join(filter(None, [_trained(run, report), report_text(report), pictures(captions)]))
    against = "" if report["against"] == LABELS else f", against the {report['against']}"
    files.write_text(folder / "report.md", f"# {run.path.name} on {run.corpus}{against}\n\n{text}")
    files.write_json(folder / "report.json", report)  # last: a report says that all of the evaluation is there


def _trained(run: Run, report: dict[str, Any]) -> str:
    """What was trained, as a command that does it again, and what it is asked about."""
    command = shlex.join([f"--records={run.records}", f"--run={run.path}", *to_argv(run.params)])
    notions = ", ".join(f"{notion} ({len(tags)})" for notion, tags in report["notions"].items())
    return (
        f"The best weights of a run on the {report['tracks']} test tracks of the corpus {run.corpus}, with "
        f"{len(report['tag_tracks'])} tags: {notions}. Trained by\n\n    python -m tfmir.train {command}\n"
    )


def _draw(
    folder: files.Path,
    run: Run,
    labels: np.ndarray,
    maps: plots.Maps | None,
    report: dict[str, Any],
    history: list[dict[str, float]],
) -> dict[str, str]:
    """Draws what there is something to draw for: name -> caption."""
    leakage = report["system"]["leakage"]
    drawing: dict[str, Callable[[files.Path], None]] = {
        "recall.png": lambda path: plots.recall_curves(report, path),
        "leakage.png": lambda path: plots.leakage(np.array(leakage, np.float64), run.vocabulary.notions, path),
        "training.png": lambda path: plots.training_curves(history, path),
    }
    if maps:
        drawing["tsne.png"] = lambda path: plots.tsne(maps, labels, run.vocabulary, path)
    missing = {*report["undefined"], *([] if leakage else ["leakage.png"]), *([] if history else ["training.png"])}
    captions = plots.true_captions(plots.CAPTIONS, report["tracks"])
    drawn = {name: caption for name, caption in captions.items() if name in drawing and name not in missing}
    for name in drawn:
        drawing[name](folder / name)
    return drawn


def _remove_undrawn(folder: files.Path, captions: dict[str, str]) -> None:
    """Pictures of an earlier evaluation would be taken for some of this one."""
    for name in set(plots.CAPTIONS) - set(captions):
        (folder / name).unlink(missing_ok=True)
