import types

import numpy as np

from tfmir.data.manifest import load_manifest
from tfmir.evaluation import baselines as module
from tfmir.evaluation.baselines import (
    baselines,
    logistic_probe,
    random_embeddings,
    split_statistics,
    standardize,
    statistics_features,
)
from tfmir.inference.subspaces import unit_rows
from tfmir.inference.tracks import EmbeddedTracks
from tfmir.params import EncoderParams, RunParams, SystemParams


def test_statistics_by_hand():
    """Two bands over three frames: 0 2 4 has mean 2, deviation sqrt(8/3), mean step 2; 1 1 1 has 1, 0, 0."""
    found = statistics_features(np.array([[0, 1], [2, 1], [4, 1]], np.float16))
    np.testing.assert_allclose(found, [2, 1, np.sqrt(8 / 3), 0, 2, 0], rtol=1e-6)


def test_statistics_of_a_split_are_those_of_its_tracks_in_order(records):
    manifest = load_manifest(records)
    tracks = list(module.read_tracks(records, manifest, "test"))
    found = split_statistics(records, manifest, "test")
    assert len(found) == manifest.splits["test"].tracks
    for row, track in zip(found, tracks, strict=True):
        np.testing.assert_array_equal(row, statistics_features(track.log_mel))


def test_random_embeddings_are_unit_and_non_negative():
    found = random_embeddings(10, 64)
    assert found.min() >= 0
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), np.ones(10), rtol=1e-6)


def test_the_probe_learns_a_linear_tag_and_scores_a_constant_one_by_prevalence():
    rng = np.random.default_rng(0)
    x = rng.normal(size=[200, 3])
    labels = np.stack([x[:, 0] > 0, np.ones(200, bool)], axis=1)
    scores = logistic_probe(x[:150], labels[:150], x[150:])
    assert ((scores[:, 0] > 0.5) == labels[150:, 0]).mean() > 0.95
    assert (scores[:, 1] == 1.0).all()


def test_standardize_uses_the_training_moments_only():
    train, test = standardize(np.array([[0.0], [2.0]]), np.array([[3.0]]))
    np.testing.assert_allclose([train.ravel().tolist(), test.ravel().tolist() * 2], [[-1, 1], [2, 2]])


def test_every_baseline_is_of_the_same_tracks_and_of_unit_norm(records, monkeypatch):
    """The untrained encoder is faked by lengths at random, so that its scaling is seen."""
    manifest = load_manifest(records)
    rng = np.random.default_rng(0)

    def embed(system, records, manifest, split, *, description):
        labels = manifest.vocabulary.multi_hot([t.tags for t in module.read_tracks(records, manifest, split)])
        rows = rng.uniform(1, 9, [len(labels), 8]).astype(np.float32)
        excerpts = np.repeat(rows, 2, axis=0)
        return EmbeddedTracks((), labels, rows, excerpts, np.repeat(np.arange(len(labels)), 2))

    monkeypatch.setattr(module, "embed_tracks", embed)
    monkeypatch.setattr(module, "build_system", lambda network, vocabulary: None)
    params = RunParams(encoder=EncoderParams(embedding_dim=8), system=SystemParams("classification"))
    run = types.SimpleNamespace(params=params, vocabulary=manifest.vocabulary, records=records)
    test = embed(None, records, manifest, "test", description="")
    found = baselines(run, manifest, test)
    assert list(found) == ["statistics", "untrained", "random"]
    for name, contender in found.items():
        np.testing.assert_allclose(np.linalg.norm(contender.embeddings, axis=1), 1.0, rtol=1e-5, err_msg=name)
        assert contender.scores.shape == test.labels.shape
        assert (contender.normalized, contender.disentangled) == (True, False)
    np.testing.assert_allclose(np.linalg.norm(found["untrained"].excerpts, axis=1), 1.0, rtol=1e-5)
    # The statistics are standardised by the training split, not by the test split.
    train, of_test = (split_statistics(records, manifest, split) for split in ("train", "test"))
    expected = unit_rows(standardize(train, of_test)[1])
    np.testing.assert_array_equal(found["statistics"].embeddings, expected)
