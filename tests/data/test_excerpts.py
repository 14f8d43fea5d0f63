import itertools

import numpy as np
import pytest
import tensorflow as tf

from tfmir.corpora.corpus import Track
from tfmir.data.excerpts import (
    _starts,
    consecutive_excerpts,
    fold_in,
    options,
    random_excerpts,
    read_ahead,
    shuffled,
    to_log_mel,
)
from tfmir.data.records import serialize
from tfmir.params import FeatureParams, PipelineParams

FEATURES = FeatureParams(num_mels=4, excerpt_secs=0.25)  # 5512 samples: 10 frames
LENGTHS = (10, 14, 15, 32)
TAGS = ((0, 2), (), (1,), (0, 1, 2))


@pytest.fixture(scope="module")
def tracks():
    """float16 [frames, 4] each; every frame says which track it is of and which it is."""
    return [
        np.stack([np.full(n, i + 1), np.arange(n), np.zeros(n), np.ones(n)], axis=1).astype(np.float16)
        for i, n in enumerate(LENGTHS)
    ]


@pytest.fixture(scope="module")
def paths(tracks, tmp_path_factory):
    """Two shards of two tracks."""
    folder = tmp_path_factory.mktemp("shards")
    for shard in (0, 1):
        with tf.io.TFRecordWriter(str(folder / str(shard))) as writer:
            for i in (2 * shard, 2 * shard + 1):
                writer.write(serialize(Track(f"t{i}", "", "train", TAGS[i]), tracks[i]))
    return [str(folder / "0"), str(folder / "1")]


def labels(i):
    return [tag in TAGS[i] for tag in range(3)]


def where(data):
    """Track and first frame of every excerpt in byte strings, after a look at all its frames."""
    found = []
    for excerpt in to_log_mel(tf.reshape(data, [-1]), FEATURES).numpy():
        track, start = int(excerpt[0, 0]) - 1, int(excerpt[0, 1])
        np.testing.assert_array_equal(excerpt[:, 0], track + 1)
        np.testing.assert_array_equal(excerpt[:, 1], np.arange(start, start + 10))
        found.append((track, start))
    return found


def test_bytes_become_numbers_again():
    values = np.random.default_rng(0).normal(size=[3, 10, 4]).astype("<f2")
    found = to_log_mel(tf.constant([value.tobytes() for value in values]), FEATURES)
    assert found.dtype == tf.float32
    np.testing.assert_array_equal(found, values.astype(np.float32))


def test_consecutive_excerpts_by_hand(paths):
    """Of 10, 14, 15 and 32 frames: one, one, one and three excerpts of 10."""
    elements = list(consecutive_excerpts(paths, num_tags=3, features=FEATURES))
    expected = [(0, 0), (1, 0), (2, 0), (3, 0), (3, 10), (3, 20)]
    assert [where(element["data"]) for element in elements] == [[place] for place in expected]
    for element, (track, _) in zip(elements, expected, strict=True):
        assert element["labels"].numpy().tolist() == labels(track)
        assert (int(element["position"]), element["track_id"].numpy()) == (track, f"t{track}".encode())
    assert len({int(element["track"]) for element in elements}) == 4


def test_the_one_that_follows_goes_round_the_end_of_the_track(paths):
    elements = list(consecutive_excerpts(paths, num_tags=3, features=FEATURES, group=2))
    assert [where(element["data"]) for element in elements] == [
        [(0, 0), (0, 0)], [(1, 0), (1, 0)], [(2, 0), (2, 0)],
        [(3, 0), (3, 10)], [(3, 10), (3, 20)], [(3, 20), (3, 0)],
    ]  # fmt: skip
    assert [bool(element["apart"]) for element in elements] == [False] * 3 + [True] * 3


def cuts(paths, first_pass, count, group=1, per_read=3, **given):
    params = PipelineParams(excerpts_per_read=per_read, shuffle_buffer=5)
    given |= {"num_tags": 3, "params": params, "features": FEATURES, "seed": 0, "group": group}
    return list(itertools.islice(random_excerpts(paths, first_pass, **given), count))


@pytest.mark.parametrize("group", [1, 2])
def test_a_pass_reads_every_track_once_and_cuts_as_many_excerpts_from_it_as_asked_for(paths, group):
    """4 tracks, 3 excerpts a read: 12 in a pass. Two of a track that has 15 frames or more overlap by half at most."""
    for start in (0, 12):
        found = []
        for element in cuts(paths, 0, 24, group)[start : start + 12]:
            places = where(element["data"])
            (track,) = {track for track, _ in places}
            assert element["labels"].numpy().tolist() == labels(track)
            if group == 2:
                assert bool(element["apart"]) == (abs(places[1][1] - places[0][1]) >= 5) == (LENGTHS[track] >= 15)
            found.append(track)
        assert sorted(found) == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3


def test_four_a_read_are_the_excerpts_that_the_demos_figures_were_made_with(paths):
    """The first two passes of 16, written down when four was the default; `launch/demo.flags` keeps it."""
    places = [place for element in cuts(paths, 0, 32, per_read=4) for place in where(element["data"])]
    assert places == [
        (2, 1), (0, 0), (0, 0), (0, 0), (0, 0), (1, 3), (2, 3), (1, 2), (2, 4), (2, 2), (3, 21), (1, 4), (3, 18),
        (3, 4), (1, 3), (3, 17), (0, 0), (2, 4), (2, 1), (2, 5), (2, 3), (0, 0), (0, 0), (3, 21), (0, 0), (3, 17),
        (1, 0), (3, 4), (1, 1), (1, 2), (3, 9), (1, 0),
    ]  # fmt: skip


def test_reading_ahead_changes_no_batch():
    numbers = tf.data.Dataset.range(40).batch(4)
    for buffer in (1, 8):
        ahead = read_ahead(numbers, PipelineParams(batch_size=4, shuffle_buffer=buffer))
        assert [batch.tolist() for batch in ahead.as_numpy_iterator()] == np.arange(40).reshape(10, 4).tolist()


@pytest.mark.parametrize(("group", "added"), [(1, 2), (1, 9), (2, 3)])
def test_what_is_added_to_a_pass_is_dealt_out_evenly_to_tracks_that_are_drawn(paths, group, added):
    """4 tracks, one excerpt of each and `added` more: over a few passes each track is once among the first to get one,
    and no pass has two more of one track than of another."""
    size, seen = 4 + added, set()
    stream = cuts(paths, 0, 8 * size, group, per_read=1, tracks=4, added=added)
    for start in range(0, 8 * size, size):
        found = []
        for element in stream[start : start + size]:
            places = where(element["data"])
            assert element["labels"].numpy().tolist() == labels(places[0][0])
            assert group == len(places)
            found.append(places[0][0])
        counts = np.bincount(found, minlength=4)
        assert set(counts) == {1 + added // 4, 2 + added // 4}
        seen |= set(np.flatnonzero(counts == counts.max()))
    assert seen == {0, 1, 2, 3}


def test_the_row_of_passes_can_start_at_any_of_them(paths):
    whole, later = cuts(paths, 0, 36), cuts(paths, 2, 12)
    assert [where(e["data"]) for e in whole[24:]] == [where(e["data"]) for e in later]
    assert [where(e["data"]) for e in whole[:12]] != [where(e["data"]) for e in whole[12:24]]


def test_shuffling_keeps_every_element_in_its_buffer_and_whole():
    numbers = np.arange(23)
    stream = tf.data.Dataset.from_tensor_slices({"track": numbers, "twice": 2 * numbers})
    found = list(shuffled(stream, 10, tf.constant([0, 1], tf.int64)).as_numpy_iterator())
    order = [int(element["track"]) for element in found]
    assert all(element["twice"] == 2 * element["track"] for element in found)
    assert [sorted(order[i : i + 10]) for i in (0, 10, 20)] == [[*range(10)], [*range(10, 20)], [20, 21, 22]]
    assert order != sorted(order)
    assert [number % 10 for number in order[:10]] != [number % 10 for number in order[10:20]]
    again = shuffled(stream, 10, tf.constant([0, 2], tf.int64)).as_numpy_iterator()
    assert [int(element["track"]) for element in again] != order


def test_every_number_has_a_key_of_its_own():
    keys = {tuple(fold_in(tf.constant(key, tf.int64), n).numpy()) for key in ([0, 0], [0, 1]) for n in range(-2, 500)}
    assert len(keys) == 2 * 502


@pytest.mark.parametrize("tuned", [True, False])
def test_batches_and_not_files_are_dealt_to_replicas(tuned):
    found = options(tuned=tuned)
    assert found.autotune.enabled == tuned
    assert found.experimental_distribute.auto_shard_policy == tf.data.experimental.AutoShardPolicy.DATA


@pytest.mark.parametrize("frames", [129, 150, 193, 194, 195, 400])
def test_starts_lie_in_the_track_and_apart_where_it_is_long_enough(frames):
    draws = tf.random.stateless_uniform([500, 2], [0, 1])
    starts, apart = _starts(draws, tf.fill([500], tf.constant(frames, tf.int64)), FeatureParams())
    starts = starts.numpy()
    assert starts.min() >= 0
    assert starts.max() <= frames - 129
    assert apart.numpy().all() == (frames >= 129 + 65)
    assert (np.abs(starts[:, 1] - starts[:, 0]) >= min(65, frames - 129)).all()
    if frames > 129:  # either is the first as often: 250 of 500, with a deviation of 11
        assert 200 < (starts[:, 0] < starts[:, 1]).sum() < 300
