"""Evaluates a run on the test split: retrieval, tagging, triplets, leakage, beside three baselines.

    python -m tfmir.evaluate --run=runs/proxy

Writes report.json, report.md, figures/ and test.npz (track ids, embeddings and labels) into the run directory.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from tfmir import flags
from tfmir.params import field

if TYPE_CHECKING:
    from tfmir.data.records import Manifest
    from tfmir.evaluation.report import Contender, EmbeddedSplit
    from tfmir.model.system import System
    from tfmir.training.run_directory import Run


@dataclasses.dataclass(frozen=True)
class EvaluateParams:
    """Flags of the command."""

    run: str = field("", "run directory (default: runs/<name of the flag file>)")
    baselines: bool = field(True, "compare with the untrained encoder, statistics and chance")
    human_triplets: str = field(
        "", "dim-sim's CSV (Zenodo 3889149) or MagnaTagATune's comparisons_final.csv: agreement with listeners, too"
    )
    audio_dir: str = field("", "folder with the songs of --human_triplets, each file named by the song's id")


def main(params: EvaluateParams) -> dict[str, Any]:
    """Evaluates one run and writes its report."""
    import numpy as np

    from tfmir import files
    from tfmir.data.records import check_features, load_manifest
    from tfmir.evaluation.embed import embed_split
    from tfmir.evaluation.questions import stored_questions
    from tfmir.evaluation.report import Contender, evaluate, training_time
    from tfmir.evaluation.tables import markdown, summary
    from tfmir.training.loop import trained_system
    from tfmir.training.run_directory import load_history, trained_run

    run = trained_run(params.run)
    manifest = load_manifest(run.records)
    check_features(manifest, run.params.features, source=run.records)
    system = trained_system(run)
    test = embed_split(system, run.records, manifest, "test")
    questions = stored_questions(run.records, manifest, "test", test.labels, test.excerpt_tracks)
    switches = run.params.system
    ours = Contender(test.embeddings, test.scores, switches.disentangled, switches.normalized, test.excerpts)
    contenders = {run.path.name: ours, **(_baselines(run, manifest, test) if params.baselines else {})}
    history = load_history(run)
    report = evaluate(run.vocabulary, test.labels, contenders, questions=questions)
    report["training"] = training_time(history)
    if params.human_triplets:
        report["human"] = _agreement(system, params)
    with files.replacing(run.path / "test.npz") as temporary:
        np.savez(temporary, track_ids=np.array(test.track_ids), embeddings=test.embeddings, labels=test.labels)
    files.write_text(run.path / "report.md", f"# {run.path.name} on {run.corpus}\n\n{markdown(report)}")
    _figures(run, test, report, history)
    files.write_json(run.path / "report.json", report)  # last: a report says that all of the evaluation is there
    print(f"\n{summary(report)}\nreport: {run.path / 'report.md'}, figures: {run.path / 'figures'}")
    return report


def _agreement(system: System, params: EvaluateParams) -> dict[str, Any]:
    """Agreement with listeners, in the whole space and in each sub-space; its intervals as in the report."""
    from tfmir.evaluation.human import agreement, embed_clips, load_triplets

    triplets = load_triplets(params.human_triplets)
    return dataclasses.asdict(agreement(system, triplets, embed_clips(system, triplets, params.audio_dir)))


def _baselines(run: Run, manifest: Manifest, test: EmbeddedSplit) -> dict[str, Contender]:
    """Untrained encoder, statistics and chance; tags by the same logistic regression for each."""
    import keras

    from tfmir.evaluation.baselines import logistic_probe, random_embeddings, standardize
    from tfmir.evaluation.embed import embed_split
    from tfmir.evaluation.report import STATISTICS, Contender
    from tfmir.evaluation.subspaces import unit
    from tfmir.model.systems import build_system

    keras.utils.set_random_seed(run.params.training.seed)
    untrained = build_system(run.params, run.vocabulary)
    splits = {
        split: embed_split(untrained, run.records, manifest, split, description=f"embed {split}, untrained")
        for split in ("train", "test")
    }
    train, raw = splits["train"], splits["test"]
    dim = run.params.encoder.embedding_dim
    noise = {name: random_embeddings(len(s.labels), dim, seed=i) for i, (name, s) in enumerate(splits.items())}

    def probe(train_features: Any, test_features: Any) -> Any:
        return logistic_probe(train_features, train.labels, test_features)

    return {
        STATISTICS: Contender(
            unit(standardize(train.statistics, test.statistics)[1]), probe(train.statistics, test.statistics)
        ),
        "untrained": Contender(
            unit(raw.embeddings), probe(train.embeddings, raw.embeddings), excerpts=unit(raw.excerpts)
        ),
        "random": Contender(noise["test"], probe(noise["train"], noise["test"])),
    }


def _figures(run: Run, test: EmbeddedSplit, report: dict[str, Any], history: list[dict[str, float]]) -> None:
    import numpy as np

    from tfmir.evaluation import plots
    from tfmir.evaluation.subspaces import subspace_embeddings

    folder = run.path / "figures"
    parts = subspace_embeddings(test.embeddings, run.vocabulary) if run.params.system.disentangled else {}
    plots.tsne(test.embeddings, parts, test.labels, run.vocabulary, folder / "tsne.png")
    plots.recall_curves(report, folder / "recall.png")
    system = next(iter(report["contenders"].values()))
    if system["leakage"]:
        plots.leakage(np.array(system["leakage"]), run.vocabulary.notions, folder / "leakage.png")
    if history:
        plots.training_curves(history, folder / "training.png")


if __name__ == "__main__":
    flags.run(main, EvaluateParams)
