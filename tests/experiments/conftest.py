"""Reports and answers of two systems with two seeds each, made up, and the reader of a report's tables."""

import numpy as np
import pytest

from tfmir.evaluation.answers import Answers
from tfmir.experiments.columns import summary
from tfmir.experiments.results import Results, Side
from tfmir.vocabulary import Vocabulary

VOCABULARY = Vocabulary.from_dict({"genre": ["a", "b"], "mood": ["x"]})
SWITCHES = {
    "triplet": {"normalized": True, "disentangled": True},
    "plain": {"normalized": False, "disentangled": False},
}


def report(recall, seconds, *, disentangled=True, plain=False):
    def interval(value):
        return {"mean": value, "low": value - 0.1, "high": value + 0.1}

    recalls = {str(k): interval(recall + 0.05 * i) for i, k in enumerate((1, 2, 4, 8))}
    own = {
        "recall": recalls,
        "recall_notion": {notion: recalls for notion in VOCABULARY.notions},
        "roc_auc": interval(0.8),
        "pr_auc": 0.4,
        "roc_auc_notion": {"genre": 0.9, "mood": 0.7},
        "prototypes_whole": {"roc_auc": interval(0.75), "pr_auc": 0.3} if disentangled else None,
        "triplets": {"genre": interval(0.6), "mood": interval(0.8)},
        "triplets_subspace": {"genre": interval(0.7), "mood": interval(0.9)} if disentangled else None,
        "triplets_track": interval(0.95),
        "leakage": [[0.7, 0.5], [0.5, 0.9]] if disentangled else None,
        "leakage_gap": 0.3 if disentangled else None,
        "cosine": None,
        "inner_product": None,
    }
    if plain:
        own["cosine"] = {"recall": {k: interval(recall + 0.15) for k in recalls}}
        other = {"triplets": {"genre": interval(0.55), "mood": interval(0.65)}, "triplets_track": interval(0.9)}
        own["inner_product"] = other
    training = {"epochs": 3, "seconds_per_epoch": seconds / 3, "seconds": seconds, "cpu_seconds": 2 * seconds}
    training["cpu_seconds_per_epoch"] = 2 * seconds / 3
    return {"notions": VOCABULARY.to_dict(), "tracks": 40, "system": own, "training": training, "human": None}


def answers(report, *, seed=0):
    """Answers to the questions of every report, the same for all, as often right as the report says."""
    rng, tracks = np.random.default_rng(0), report["tracks"]
    labels, triplets = rng.random([tracks, 3]) < 0.5, rng.integers(0, tracks, [300, 3])
    own, luck, queries = report["system"], np.random.default_rng(seed), np.flatnonzero(labels.any(axis=1))
    shares = {f"whole/{notion}": figure["mean"] for notion, figure in own["triplets"].items()}
    shares |= {f"subspace/{notion}": figure["mean"] for notion, figure in (own["triplets_subspace"] or {}).items()}
    shares |= {"track": own["triplets_track"]["mean"]}
    return Answers(
        queries=queries,
        recall=np.stack([luck.random(len(queries)) < own["recall"][k]["mean"] for k in "1248"], axis=1).astype(
            np.float32
        ),
        labels=labels,
        correct={name: luck.random(300) < share for name, share in shares.items()},
        triplets=dict.fromkeys(shares, triplets),
        scores=(labels + luck.normal(size=labels.shape)).astype(np.float32),
    )


@pytest.fixture
def interpreter(tmp_path, monkeypatch):
    """Puts a script in the place of Python: what commands would start is it."""

    def replace(script):
        path = tmp_path / "python"
        path.write_text(script)
        path.chmod(0o755)
        monkeypatch.setattr("sys.executable", str(path))

    return replace


@pytest.fixture
def reports():
    return {
        "triplet": [report(0.2, 300), report(0.4, 500)],
        "plain": [report(0.1, 100, disentangled=False, plain=True), report(0.1, 300, disentangled=False, plain=True)],
    }


@pytest.fixture
def results(reports):
    seeds = {"triplet": [4, 5], "plain": [4, 5]}
    return Results("demo", 40, list(VOCABULARY.notions), SWITCHES, seeds, {}, Side(summary(reports)))


@pytest.fixture(scope="session")
def rows():
    """The rows below a title, by system: column -> cell."""

    def read(text, title):
        section = text.split(f"## {title}\n\n")[1].split("\n## ")[0]
        lines = [line for line in section.splitlines() if line.startswith("|")]
        head, _, *body = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        return {row[0]: dict(zip(head, row, strict=True)) for row in body}

    return read
