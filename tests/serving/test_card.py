import json

import pytest

from tfmir import files
from tfmir.serving.card import bundle_card, card_text, run_card

INTERVAL = {"mean": 0.5, "low": 0.25, "high": 0.75}
REPORT = {
    "tracks": 7,
    "system": {
        "recall": {"1": INTERVAL, "8": {"mean": 0.9, "low": None, "high": None}},
        "roc_auc": None,
        "pr_auc": 0.25,
        "triplets": {"genre": INTERVAL},
        "triplets_subspace": None,
        "leakage": [[1.0]],
    },
}


@pytest.fixture
def reported(run):
    """The run with a report on the weights of this checksum."""
    path = run.path / "report.json"

    def write(weights):
        files.write_json(path, {**REPORT, "weights_sha256": weights})
        return run_card(run, precision="float32")

    yield write
    path.unlink()


def test_a_card_names_the_weights_and_what_they_were_trained_on(run):
    card = run_card(run, precision="float32")
    assert card["weights_sha256"] == files.sha256(run.best_weights)
    assert card["tags"] == list(run.vocabulary.tags)
    assert list(card["notions"]) == ["genre", "mood"]
    assert (card["corpus"], card["licence"], card["sample_rate"], card["embedding_dim"]) == (
        "tiny",
        "CC0-1.0",
        22050,
        16,
    )
    assert (card["encoder"], card["width_multiplier"]) == ("statistics", 0.25)
    assert card["metrics"] is None
    json.dumps(card, allow_nan=False)


def test_metrics_are_those_of_the_same_weights(run, reported):
    metrics = reported(files.sha256(run.best_weights))["metrics"]
    assert metrics["tracks"] == 7
    assert metrics["recall"] == REPORT["system"]["recall"]
    assert "leakage" not in metrics
    assert reported("0" * 64)["metrics"] is None  # trained on since
    assert reported(None)["metrics"] is None


def test_the_text_has_tags_signatures_and_figures(run, reported):
    card = reported(files.sha256(run.best_weights)) | {"name": "m", "version": 3}
    tensors = {"inputs": {"waveform": ["float32", [None, None]]}, "outputs": {"scores": ["float32", [None, 4]]}}
    text = card_text(bundle_card(card, {"serving_default": tensors}))
    assert text.startswith("# m 3\n")
    assert "| genre | jazz, rock |" in text or "| genre | rock, jazz |" in text
    assert "| serving_default | waveform float32 [?, ?] | scores float32 [?, 4] |" in text
    assert "| R@1 | 0.500 [0.250, 0.750] |" in text
    assert "| R@8 | 0.900 |" in text
    assert "| ROC-AUC | undefined |" in text
    assert "| PR-AUC | 0.250 |" in text
    assert "| triplets genre, whole space | 0.500 [0.250, 0.750] |" in text
    unknown = card_text(bundle_card({**card, "metrics": None}, {"serving_default": tensors}))
    assert "was not evaluated" in unknown
