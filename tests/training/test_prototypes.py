import numpy as np
import pytest

from tfmir.data.manifest import load_manifest
from tfmir.data.records import read_tracks
from tfmir.inference import tracks as tracks_module
from tfmir.inference.weights import load_system
from tfmir.params import SystemParams
from tfmir.training.prototypes import fit_prototypes, store_prototypes

TRIPLET = SystemParams("triplet", track_weight=0.5)


def brute_force(system, manifest, records):
    """Every track held at once, and a mask for each tag: float64 [tags, dim]."""
    embeddings, labels = [], []
    for track in read_tracks(records, manifest, "train"):
        count = len(track.log_mel) // 129
        excerpts = track.log_mel[: count * 129].reshape(count, 129, 128).astype(np.float32)
        f = system.encode(excerpts).numpy().astype(np.float64)
        mean = (f / np.linalg.norm(f, axis=1, keepdims=True)).mean(axis=0)
        embeddings.append(mean / np.linalg.norm(mean))
        labels.append(manifest.vocabulary.multi_hot([track.tags])[0])
    embeddings, labels = np.array(embeddings), np.array(labels)
    return np.array([embeddings[labels[:, tag]].mean(axis=0) for tag in range(labels.shape[1])])


@pytest.mark.parametrize("batch", [1, 5, 64])
def test_prototypes_are_the_mean_of_the_tracks_with_a_tag_however_they_are_streamed(
    untrained, records, tmp_path, monkeypatch, batch
):
    monkeypatch.setattr(tracks_module, "_BATCH", batch)
    system, manifest = load_system(untrained(tmp_path, TRIPLET), tagging=False), load_manifest(records)
    found = fit_prototypes(system, records, manifest)
    np.testing.assert_allclose(found, brute_force(system, manifest, records), atol=1e-5)
    assert found.dtype == np.float32


def test_a_tag_that_no_track_carries_has_a_prototype_of_zeros(untrained, records, tmp_path, monkeypatch):
    """Not NaN: it scores every track 0."""
    system, manifest = load_system(untrained(tmp_path, TRIPLET), tagging=False), load_manifest(records)
    held = list(tracks_module.stream_tracks(system, records, manifest, "train"))
    for part in held:
        part.labels[:, 2] = False
    monkeypatch.setattr("tfmir.training.prototypes.stream_tracks", lambda *_, **__: iter(held))
    found = fit_prototypes(system, records, manifest)
    np.testing.assert_array_equal(found[2], np.zeros(16))
    assert (np.abs(found).max(axis=1) > 0).tolist() == [True, True, False, True]


def test_prototypes_are_stored_once_with_the_weights_which_stay(untrained, records, tmp_path, snapshot, monkeypatch):
    run, manifest = untrained(tmp_path, TRIPLET), load_manifest(records)
    before = load_system(run, tagging=False)
    store_prototypes(run, manifest)
    after = load_system(run)
    np.testing.assert_allclose(after.prototypes.vectors, brute_force(before, manifest, records), atol=1e-5)
    for a, b in zip(before.trainable_weights, after.trainable_weights, strict=True):
        np.testing.assert_array_equal(a, b)
    stored, stamp = snapshot(run.path), run.best_weights.stat().st_mtime_ns
    monkeypatch.setattr("tfmir.training.prototypes.fit_prototypes", None)  # a second time would fail
    store_prototypes(run, manifest)
    assert (snapshot(run.path), run.best_weights.stat().st_mtime_ns) == (stored, stamp)


def test_another_system_is_not_touched(untrained, records, tmp_path, monkeypatch):
    run = untrained(tmp_path, SystemParams("proxy"))
    stamp = run.best_weights.stat().st_mtime_ns
    monkeypatch.setattr("tfmir.training.prototypes.load_system", None)
    store_prototypes(run, load_manifest(records))
    assert run.best_weights.stat().st_mtime_ns == stamp
