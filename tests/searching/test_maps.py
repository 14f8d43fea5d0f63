"""Maps of spaces: who is on them, and where nobody is."""

import random

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from tfmir.errors import UserError
from tfmir.searching import maps


def test_a_sample_does_not_depend_on_the_order_or_the_number_of_the_others():
    names = [f"song {i}.flac" for i in range(500)]
    chosen = {names[row] for row in maps.sample(names, 50)}
    assert len(chosen) == 50
    shuffled = random.Random(0).sample(names, 500)
    assert {shuffled[row] for row in maps.sample(shuffled, 50)} == chosen
    fewer = [name for name in names if name not in sorted(chosen)[:20]]
    assert chosen - set(sorted(chosen)[:20]) <= {fewer[row] for row in maps.sample(fewer, 50)}


def test_who_is_outside_the_sample_or_dead_has_no_place():
    points = np.abs(np.random.default_rng(0).normal(size=[12, 4])).astype(np.float32)
    points[3] = 0
    rows = np.arange(0, 36, 3)
    (made,) = maps.make_maps({"mood": points}, rows, 40, method="tsne").values()
    assert (made.shape, made.dtype) == ((40, 2), np.float32)
    assert np.flatnonzero(np.isfinite(made).all(axis=1)).tolist() == [row for row in rows if row != 9]


def test_neighbours_stay_neighbours():
    """Two clusters, of which each point's nearest on the map is one of its own."""
    centres = np.repeat(np.eye(2, 8, dtype=np.float32), 20, axis=0)
    points = centres + 0.1 * np.random.default_rng(0).random([40, 8]).astype(np.float32)
    made = maps.make_maps({"whole": points}, np.arange(40), 40, method="tsne")["whole"]
    distances = np.linalg.norm(made[:, None] - made[None], axis=-1) + 1e9 * np.eye(40)
    assert (distances.argmin(axis=1) // 20 == np.arange(40) // 20).all()


def test_too_few_living_points_are_no_map(capsys):
    points = np.zeros([9, 4], np.float32)
    points[:3] = 1
    assert maps.make_maps({"mood": points}, np.arange(9), 9, method="tsne") == {}
    assert "no map of mood: it needs 4 tracks, there are 3" in capsys.readouterr().out


def test_umap_without_its_library_is_refused_at_once(monkeypatch):
    monkeypatch.setattr(maps.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install umap-learn"):
        maps.check_method("umap")
    maps.check_method("tsne")


def test_tsne_runs_on_one_thread(monkeypatch):
    """Twelve points took 21 s on two threads that waited for two busy cores, 0.1 s on one."""
    threads = []

    class Recorder(maps.TSNE):
        def fit_transform(self, points):
            threads.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp")
            return super().fit_transform(points)

    monkeypatch.setattr(maps, "TSNE", Recorder)
    assert maps.project(np.random.default_rng(0).random((12, 8)), seed=0).shape == (12, 2)
    assert set(threads) == {1}
