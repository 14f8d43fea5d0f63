import itertools
import os
import pathlib

import pytest

from tfmir import files, remote
from tfmir.data.excerpts import consecutive_excerpts
from tfmir.data.manifest import load_manifest, shard_paths
from tfmir.data.pipeline import training_batches
from tfmir.data.shards import open_shard, read_natively
from tfmir.params import FeatureParams, PipelineParams


@pytest.fixture
def paths(records):
    return shard_paths(records, load_manifest(records), "train")


@pytest.fixture
def foreign(monkeypatch):
    """A store that TensorFlow does not know: `far://` names that a copy stands for; gives what was copied so far."""
    fetched = []

    def fetch(url):
        fetched.append(url)
        local = pathlib.Path(remote._folder()) / f"{len(fetched)}"
        local.write_bytes(pathlib.Path(url.removeprefix("far:/")).read_bytes())
        return str(local)

    monkeypatch.setattr(files, "fetch", fetch)
    monkeypatch.setattr(files, "tensorflow_reads", lambda path: not str(path).startswith("far:"))
    yield fetched
    remote.clean_up()


def far(paths):
    return [f"far:/{path}" for path in paths]


def test_a_shard_is_read_where_it_is_or_from_a_copy_that_is_removed(paths, foreign):
    native = list(open_shard(paths[0], natively=True).as_numpy_iterator())
    assert native
    assert not foreign
    assert list(open_shard(far(paths)[0], natively=False).as_numpy_iterator()) == native
    assert foreign == far(paths)[:1]
    assert os.listdir(remote._folder()) == []


def test_paths_that_tensorflow_knows_are_read_natively(paths, foreign):
    assert read_natively(paths)
    assert not read_natively([*paths, *far(paths)])


def test_shards_are_copied_when_their_turn_comes(paths, foreign):
    features = FeatureParams()
    elements = consecutive_excerpts(far(paths), num_tags=4, features=features)
    plain = consecutive_excerpts(paths, num_tags=4, features=features)
    ids = [x["track_id"] for x in elements.as_numpy_iterator()]
    assert ids == [x["track_id"] for x in plain.as_numpy_iterator()]
    assert foreign == far(paths)
    assert os.listdir(remote._folder()) == []


def test_batches_are_the_same_as_of_local_shards(paths, records, foreign):
    params = PipelineParams(batch_size=4, excerpts_per_read=2, shuffle_buffer=8)
    manifest = load_manifest(records)
    given = {"tracks": manifest.splits["train"].tracks, "num_tags": 4}
    given |= {"params": params, "features": FeatureParams(), "seed": 3}
    for (x, y), (u, v) in itertools.islice(
        zip(training_batches(paths, **given), training_batches(far(paths), **given), strict=True), 4
    ):
        assert (x.numpy() == u.numpy()).all()
        assert all((y[name].numpy() == v[name].numpy()).all() for name in ("labels", "track"))
    assert foreign
