"""Songs of the training split are known by their sound, and by their id where there is no sound."""

import dataclasses

import numpy as np
import pytest

from tfmir.data.manifest import load_manifest
from tfmir.data.records import read_tracks
from tfmir.evaluation.baselines import statistics_features
from tfmir.evaluation.library.trained import Trained, trained_on


@pytest.fixture(scope="module")
def known(records):
    """Ids and statistics of three tracks of the training split, and of two of the test split."""
    manifest = load_manifest(records)
    tracks = [*list(read_tracks(records, manifest, "train"))[:3], *list(read_tracks(records, manifest, "test"))[:2]]
    return [track.track_id for track in tracks], np.stack([statistics_features(track.log_mel) for track in tracks])


def test_a_song_is_known_by_its_sound_whatever_it_is_called(run, known):
    ids, statistics = known
    almost = statistics + np.float32(2e-4)  # another rounding
    assert trained_on(run, ["a", "b", "c", "d", "e"], almost) == Trained(3, "sound", 0, 12)
    other = statistics + np.linspace(0, 0.1, statistics.shape[1], dtype=np.float32)
    assert trained_on(run, ids, other) == Trained(0, "sound", 3, 12)
    twice = np.concatenate([statistics[:1], statistics[:1]])
    assert trained_on(run, ["a", "b"], twice).songs == 2


def test_without_a_sound_its_id_is_all(run, known):
    assert trained_on(run, known[0], None) == Trained(3, "id", 0, 12)


def test_without_the_records_nothing_is_known(run, known, tmp_path):
    moved = dataclasses.replace(run, records=str(tmp_path))
    assert trained_on(moved, known[0], None) is None
