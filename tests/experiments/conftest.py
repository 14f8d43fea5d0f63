"""Reports of two systems with two seeds each, made up, and the reader of a report's tables."""

import pytest

from tfmir.experiments.columns import summary
from tfmir.experiments.results import Results
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
    return Results("demo", 40, 2, list(VOCABULARY.notions), SWITCHES, summary(reports))


@pytest.fixture(scope="session")
def rows():
    """The rows below a title, by system: column -> cell."""

    def read(text, title):
        lines = text.split(f"## {title}\n\n")[1].split("\n\n")[0].splitlines()
        head, _, *body = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        return {row[0]: dict(zip(head, row, strict=True)) for row in body}

    return read
