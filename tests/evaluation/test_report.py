import json

import numpy as np
import pytest
from PIL import Image
from threadpoolctl import threadpool_info

from tfmir.evaluation import baselines, plots
from tfmir.evaluation.report import Contender, evaluate, training_time
from tfmir.evaluation.tables import markdown, summary
from tfmir.inference.subspaces import subspace_embeddings
from tfmir.vocabulary import Vocabulary

VOCABULARY = Vocabulary.from_dict({"genre": ["a", "b"], "mood": ["x", "y"]})


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    labels = rng.random([120, 4]) < [0.5, 0.3, 0.4, 0.3]
    signal = labels + 0.3 * rng.normal(size=labels.shape)
    return labels, unit(np.abs(np.repeat(signal, 2, axis=1))), signal


@pytest.fixture(scope="module")
def report(data):
    labels, embeddings, scores = data
    contenders = {
        "mine": Contender(embeddings, scores, disentangled=True),
        "statistics": Contender(baselines.random_embeddings(120, 64, seed=1), None),
    }
    return evaluate(VOCABULARY, labels, contenders)


def test_the_report_is_deterministic_json(data, report):
    labels, embeddings, scores = data
    again = evaluate(VOCABULARY, labels, {"mine": Contender(embeddings, scores, disentangled=True)})
    assert again["contenders"]["mine"] == report["contenders"]["mine"]
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_a_system_that_knows_the_tags_wins_every_column(report):
    mine, other = report["contenders"]["mine"], report["contenders"]["statistics"]
    assert all(mine["recall"][k]["low"] > other["recall"][k]["high"] for k in ("1", "2"))
    assert mine["roc_auc"]["mean"] > 0.9
    assert all(mine["triplets_subspace"][n]["mean"] > 0.65 > other["triplets"][n]["mean"] for n in VOCABULARY.notions)
    assert mine["leakage_gap"] > 0.2
    assert report["ratios"]["recall_1_over_statistics"]["low"] > 1


def test_the_leakage_diagonal_is_the_subspace_accuracy(report):
    mine = report["contenders"]["mine"]
    for index, notion in enumerate(VOCABULARY.notions):
        assert mine["leakage"][index][index] == pytest.approx(mine["triplets_subspace"][notion]["mean"])


def test_embeddings_without_unit_norm_are_compared_by_cosine_too(data):
    """Lengths at random: the inner product prefers long vectors, the cosine is as for the unit vectors."""
    labels, embeddings, scores = data
    long = embeddings * np.random.default_rng(1).uniform(0.1, 10, [120, 1])
    contenders = {"raw": Contender(long, scores, normalized=False), "unit": Contender(embeddings, scores)}
    found = evaluate(VOCABULARY, labels, contenders)["contenders"]
    assert found["raw"]["cosine"]["recall"] == found["unit"]["recall"]
    assert found["raw"]["cosine"]["triplets"] == found["unit"]["triplets"]
    assert found["raw"]["recall"]["1"]["mean"] < found["unit"]["recall"]["1"]["mean"]
    assert found["unit"]["cosine"] is None


def test_training_time_is_the_median_epoch_times_their_number():
    """Seconds 2, 3, 40 (a pause): median 3, three epochs: 9; processors 4, 4, 5: 12."""
    rows = [{"seconds": s, "cpu_seconds": c} for s, c in ((2, 4), (3, 4), (40, 5))]
    wall, cpu = {"seconds_per_epoch": 3.0, "seconds": 9.0}, {"cpu_seconds_per_epoch": 4.0, "cpu_seconds": 12.0}
    assert training_time(rows) == {"epochs": 3, **wall, **cpu}
    assert training_time([]) is None


def test_what_a_contender_lacks_is_null(report):
    other = report["contenders"]["statistics"]
    assert [other[name] for name in ("roc_auc", "pr_auc_tag", "triplets_subspace", "leakage")] == [None] * 4


def test_the_tables_hold_the_numbers(report):
    text = markdown(report)
    mine = report["contenders"]["mine"]
    for number in (mine["recall"]["8"]["low"], mine["pr_auc"], mine["roc_auc_tag"]["mood/y"], mine["leakage"][0][1]):
        assert f"{number:.3f}" in text
    assert f"{report['ratios']['recall_1_over_statistics']['low']:.3f}" in summary(report)
    widths = {line.count("|") for line in summary(report).splitlines() if line.startswith("|")}
    assert len(widths) == 1


def test_statistics_by_hand():
    """Two bands over three frames: 0 2 4 has mean 2, deviation sqrt(8/3), mean step 2; 1 1 1 has 1, 0, 0."""
    found = baselines.statistics_features(np.array([[0, 1], [2, 1], [4, 1]], np.float16))
    np.testing.assert_allclose(found, [2, 1, np.sqrt(8 / 3), 0, 2, 0], rtol=1e-6)


def test_random_embeddings_are_unit_and_non_negative():
    found = baselines.random_embeddings(10, 64)
    assert found.min() >= 0
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), np.ones(10), rtol=1e-6)


def test_the_probe_learns_a_linear_tag_and_scores_a_constant_one_by_prevalence():
    rng = np.random.default_rng(0)
    x = rng.normal(size=[200, 3])
    labels = np.stack([x[:, 0] > 0, np.ones(200, bool)], axis=1)
    scores = baselines.logistic_probe(x[:150], labels[:150], x[150:])
    assert ((scores[:, 0] > 0.5) == labels[150:, 0]).mean() > 0.95
    assert (scores[:, 1] == 1.0).all()


def test_standardize_uses_the_training_moments_only():
    train, test = baselines.standardize(np.array([[0.0], [2.0]]), np.array([[3.0]]))
    np.testing.assert_allclose([train.ravel().tolist(), test.ravel().tolist() * 2], [[-1, 1], [2, 2]])


def test_figures_are_written_whole_and_show_something(data, report, tmp_path):
    labels, embeddings, _ = data
    parts = subspace_embeddings(embeddings, VOCABULARY)
    plots.tsne(embeddings, parts, labels, VOCABULARY, tmp_path / "tsne.png")
    plots.tsne(embeddings, {}, labels, VOCABULARY, tmp_path / "whole.png")
    plots.leakage(np.array(report["contenders"]["mine"]["leakage"]), VOCABULARY.notions, tmp_path / "leakage.png")
    plots.recall_curves(report, tmp_path / "recall.png")
    history = [{"epoch": e, "above_floor": -e, "val_above_floor": 1.0 - e, "learning_rate": 0.1} for e in range(1, 4)]
    plots.training_curves(history, tmp_path / "training.png")
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{n}.png" for n in ("tsne", "whole", "leakage", "recall", "training")
    }
    for path in tmp_path.iterdir():
        pixels = np.asarray(Image.open(path).convert("L"))
        assert min(pixels.shape) > 200
        assert len(np.unique(pixels)) > 20


def test_tsne_runs_on_one_thread(monkeypatch):
    """Twelve points took 21 s on two threads that waited for two busy cores, 0.1 s on one."""
    threads = []

    class Recorder(plots.TSNE):
        def fit_transform(self, points):
            threads.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp")
            return super().fit_transform(points)

    monkeypatch.setattr(plots, "TSNE", Recorder)
    assert plots.project(np.random.default_rng(0).random((12, 8)), seed=0).shape == (12, 2)
    assert set(threads) == {1}
