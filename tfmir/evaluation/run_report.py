"""The evaluation of one run: everything that `evaluate` computes and writes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfmir import files
from tfmir.corpora.votes import HumanTriplet, votes_on_songs
from tfmir.data.records import Manifest
from tfmir.data.run_records import records_of
from tfmir.evaluation import plots
from tfmir.evaluation.baselines import baselines
from tfmir.evaluation.human import agreement, embed_clips
from tfmir.evaluation.questions import stored_questions
from tfmir.evaluation.report import Contender, build_report, training_time
from tfmir.evaluation.tables import headline, report_text
from tfmir.inference.subspaces import subspace_embeddings
from tfmir.inference.tracks import EmbeddedTracks, embed_tracks
from tfmir.inference.weights import load_system
from tfmir.markdown import pictures
from tfmir.run_directory import Run, load_history, locked, trained_run


def evaluate_run(
    path: str, *, records: str = "", with_baselines: bool = True, human_triplets: str = "", audio_dir: str = ""
) -> dict[str, Any]:
    """Evaluates a run on the test split; writes report.json, report.md, figures/ and test.npz into its directory.

    Args:
      path: the run directory.
      records: directory of its record set, if that was moved since the training.
      with_baselines: whether chance, statistics and the untrained encoder stand beside it.
      human_triplets: file of votes of listeners; empty: none.
      audio_dir: folder of the songs that they have voted on.

    Returns:
      The report, see `report.py`.

    Raises:
      UserError: no trained run, one that is being trained, other records than its own or without test tracks, or votes
        that cannot be used.
    """
    votes = votes_on_songs(human_triplets, audio_dir)
    run, manifest = records_of(trained_run(path), records)
    with locked(run):
        report = _report(run, manifest, with_baselines=with_baselines, votes=votes, audio_dir=audio_dir)
    print(f"\n{headline(report)}\nreport: {run.path / 'report.md'}, figures: {run.path / 'figures'}")
    return report


def _report(
    run: Run, manifest: Manifest, *, with_baselines: bool, votes: Sequence[HumanTriplet], audio_dir: str
) -> dict[str, Any]:
    system = load_system(run)
    test = embed_tracks(system, run.records, manifest, "test")
    questions = stored_questions(run.records, manifest, "test", test.labels, test.excerpt_tracks)
    switches = run.params.system
    scores = system.scores(tf.constant(test.embeddings)).numpy()
    ours = Contender(test.embeddings, scores, switches.disentangled, switches.normalized, test.excerpts)
    others = baselines(run, manifest, test) if with_baselines else {}
    report = build_report(run.path.name, run.vocabulary, test.labels, ours, others, questions=questions)
    history = load_history(run)
    report["training"] = training_time(history)
    if votes:
        report["human"] = dataclasses.asdict(agreement(system, votes, embed_clips(system, votes, audio_dir)))
    report["weights_sha256"] = files.sha256(run.best_weights)
    report["undefined"] |= plots.undrawn(report)
    _write(run, test, report, history)
    return report


def _write(run: Run, test: EmbeddedTracks, report: dict[str, Any], history: list[dict[str, float]]) -> None:
    with files.replacing(run.path / "test.npz") as temporary:
        np.savez(temporary, track_ids=np.array(test.track_ids), embeddings=test.embeddings, labels=test.labels)
    captions = _draw(run, test, report, history)
    text = "\n".join(filter(None, [report_text(report), pictures(captions)]))
    files.write_text(run.path / "report.md", f"# {run.path.name} on {run.corpus}\n\n{text}")
    files.write_json(run.path / "report.json", report)  # last: a report says that all of the evaluation is there


def _draw(run: Run, test: EmbeddedTracks, report: dict[str, Any], history: list[dict[str, float]]) -> dict[str, str]:
    """The pictures for which there is something to draw, and no others of an earlier evaluation: name -> caption."""
    parts = subspace_embeddings(test.embeddings, run.vocabulary) if run.params.system.disentangled else {}
    leakage = report["system"]["leakage"]
    drawing: dict[str, Callable[[files.Path], None]] = {
        "tsne.png": lambda path: plots.tsne(test.embeddings, parts, test.labels, run.vocabulary, path),
        "recall.png": lambda path: plots.recall_curves(report, path),
        "leakage.png": lambda path: plots.leakage(np.array(leakage, np.float64), run.vocabulary.notions, path),
        "training.png": lambda path: plots.training_curves(history, path),
    }
    missing = {*report["undefined"], *([] if leakage else ["leakage.png"]), *([] if history else ["training.png"])}
    for name, draw in drawing.items():
        path = run.path / "figures" / name
        if name in missing:
            path.unlink(missing_ok=True)
        else:
            draw(path)
    return {name: caption for name, caption in plots.CAPTIONS.items() if name not in missing}
