import keras
import numpy as np
import pytest

from tfmir.data.manifest import load_manifest
from tfmir.errors import UserError
from tfmir.inference.weights import lacks_prototypes, load_system
from tfmir.model.build import build_system
from tfmir.params import EncoderParams, RunParams, SystemParams
from tfmir.run_directory import Run, open_run

KINDS = ("triplet", "proxy", "classification", "joint")


def stamps(folder):
    """When each file and folder was changed last, and what is in it."""
    paths = [folder, *folder.rglob("*")]
    return {path: (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"") for path in paths}


@pytest.fixture
def make(records, tmp_path):
    """A run of a kind with weights of its own, as before its training has ended: no prototypes."""

    def run_of(kind):
        encoder = EncoderParams(encoder="statistics", width_multiplier=0.0625, embedding_dim=16)
        params = RunParams(encoder, SystemParams(kind))
        manifest = load_manifest(records)
        run = Run(tmp_path / kind, params, manifest.vocabulary, records, manifest.corpus, manifest.licence)
        open_run(run)
        keras.utils.set_random_seed(11)
        system = build_system(params.network, run.vocabulary)
        system.save_weights(run.best_weights)
        return run, system

    return run_of


@pytest.mark.parametrize("kind", KINDS)
def test_a_system_is_loaded_with_its_weights_and_nothing_is_written(make, kind):
    run, system = make(kind)
    before = stamps(run.path)
    keras.utils.set_random_seed(12)
    loaded = load_system(run, tagging=False)
    assert (type(loaded), loaded.params) == (type(system), run.params.network)
    for a, b in zip(loaded.get_weights(), system.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert stamps(run.path) == before


def test_records_need_not_be_there(make, monkeypatch):
    """A run may be searched and exported on another machine than it was trained on."""
    run, _ = make("triplet")
    monkeypatch.setattr("tfmir.data.pipeline.shard_paths", None)
    monkeypatch.setattr("tfmir.data.manifest.load_manifest", None)
    assert not np.any(load_system(run, tagging=False).prototypes.vectors.numpy())


@pytest.mark.parametrize("kind", KINDS)
def test_only_a_triplet_system_without_prototypes_cannot_score_tags(make, kind):
    run, system = make(kind)
    assert lacks_prototypes(system) == (kind == "triplet")
    if kind != "triplet":
        load_system(run)
        return
    before = stamps(run.path)
    with pytest.raises(UserError, match=r"--run=.*triplet: its tag prototypes are not there yet.* train command again"):
        load_system(run)
    assert stamps(run.path) == before
    vectors = np.zeros([4, 16])
    vectors[2, 3] = 1.0  # one tag is enough: others may be carried by no track
    system.prototypes.vectors.assign(vectors)
    system.save_weights(run.best_weights)
    np.testing.assert_array_equal(load_system(run).prototypes.vectors, vectors)
