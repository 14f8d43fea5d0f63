import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf

from tfmir.data.manifest import load_manifest, shard_paths
from tfmir.data.pairs import fixed_pairs, training_pairs
from tfmir.data.pipeline import fixed_excerpts, training_batches, training_set, validation_set
from tfmir.data.records import read_tracks
from tfmir.errors import UserError
from tfmir.params import FeatureParams, PipelineParams, RunParams, SystemParams, TrainParams

FEATURES = FeatureParams()
PARAMS = PipelineParams(batch_size=4, excerpts_per_read=2, shuffle_buffer=8)


@pytest.fixture(scope="module")
def manifest(records):
    return load_manifest(records)


def batches(records, manifest, count, *, params=PARAMS, seed=3, first_batch=0):
    dataset = training_batches(
        shard_paths(records, manifest, "train"),
        tracks=manifest.splits["train"].tracks,
        num_tags=len(manifest.vocabulary.tags),
        params=params,
        features=FEATURES,
        seed=seed,
        first_batch=first_batch,
    )
    return [(x.numpy(), targets["labels"].numpy()) for x, targets in itertools.islice(dataset, count)]


def same(a, b):
    return all(np.array_equal(x, u) and np.array_equal(y, v) for (x, y), (u, v) in zip(a, b, strict=True))


def locate(excerpt, stored):
    """Which track and frame an excerpt was cut from, by looking everywhere."""
    for index, track in enumerate(stored):
        frames = track.log_mel.astype(np.float32)
        for start in np.flatnonzero((frames[: len(frames) - 128] == excerpt[0]).all(axis=1)):
            if np.array_equal(frames[start : start + 129], excerpt):
                return index, int(start)
    raise AssertionError("the excerpt is in no track")


def test_every_pass_reads_each_track_as_often_with_its_own_labels(records, manifest):
    """12 tracks, 2 excerpts a read: a pass is 24 excerpts, 6 batches of 4."""
    stored = list(read_tracks(records, manifest, "train"))
    labels = manifest.vocabulary.multi_hot([track.tags for track in stored])
    for six in (batches(records, manifest, 12)[:6], batches(records, manifest, 12)[6:]):
        found = []
        for x, y in six:
            for excerpt, tags in zip(x, y, strict=True):
                index, _ = locate(excerpt, stored)
                np.testing.assert_array_equal(tags, labels[index])
                found.append(index)
        assert sorted(found) == sorted([*range(12), *range(12)])


def test_excerpts_start_anywhere_from_the_first_frame_to_the_last_possible(records, manifest):
    stored = list(read_tracks(records, manifest, "train"))
    starts = [locate(excerpt, stored) for x, _ in batches(records, manifest, 120) for excerpt in x]
    of_first = np.array([start for index, start in starts if index == 0])
    last = len(stored[0].log_mel) - 129
    assert of_first.min() >= 0
    assert of_first.max() <= last
    # 40 uniform draws: all in one half of the range has the chance 2^-39
    assert of_first.min() < last / 2 < of_first.max()


def test_the_seed_decides_and_nothing_else(records, manifest):
    tf.random.set_seed(0)
    first = batches(records, manifest, 8)
    tf.random.set_seed(1)
    assert same(first, batches(records, manifest, 8))
    assert not same(first, batches(records, manifest, 8, seed=4))


@pytest.mark.parametrize("first_batch", [1, 5, 6, 13])
def test_the_stream_can_start_at_any_batch(records, manifest, first_batch):
    whole = batches(records, manifest, 16)
    assert same(whole[first_batch:], batches(records, manifest, 16 - first_batch, first_batch=first_batch))


OF_EPOCHS = PipelineParams(batch_size=5, shuffle_buffer=8)  # 12 tracks: an epoch is 3 batches, with 3 excerpts more


@pytest.mark.parametrize(("per_track", "batch_size"), [(1, 5), (1, 32), (2, 8), (3, 7)])
def test_every_epoch_touches_every_track_as_often_as_it_says(records, manifest, per_track, batch_size):
    """And what fills up its last batch is shared out: no track comes twice more often than another."""
    stored = list(read_tracks(records, manifest, "train"))
    params = dataclasses.replace(OF_EPOCHS, excerpts_per_track=per_track, batch_size=batch_size)
    steps = params.batches(12)
    assert steps == -(-12 * per_track // batch_size)
    found = batches(records, manifest, 3 * steps, params=params)
    for start in range(0, 3 * steps, steps):
        tracks = [locate(excerpt, stored)[0] for x, _ in found[start : start + steps] for excerpt in x]
        counts = np.bincount(tracks, minlength=12)
        assert counts.min() >= per_track
        assert counts.max() - counts.min() <= 1


def test_more_excerpts_a_read_pass_over_tracks(records, manifest):
    """4 of a track at a time, as `launch/demo.flags` has it: 12 excerpts are of about as many tracks as they can be
    drawn from, but not of all."""
    stored = list(read_tracks(records, manifest, "train"))
    params = dataclasses.replace(OF_EPOCHS, batch_size=4, excerpts_per_read=4, shuffle_buffer=48)
    touched = {locate(excerpt, stored)[0] for x, _ in batches(records, manifest, 3, params=params) for excerpt in x}
    assert len(touched) < 12


@pytest.mark.parametrize("first_batch", [1, 3, 5])
def test_the_stream_of_whole_epochs_can_start_at_any_batch(records, manifest, first_batch):
    whole = batches(records, manifest, 8, params=OF_EPOCHS)
    later = batches(records, manifest, 8 - first_batch, params=OF_EPOCHS, first_batch=first_batch)
    assert same(whole[first_batch:], later)


def test_passes_differ(records, manifest):
    twelve = batches(records, manifest, 12)
    assert not same(twelve[:6], twelve[6:])


def test_a_set_that_is_read_anew_every_epoch_has_no_tuning_thread_that_would_hold_up_its_end(records, manifest):
    paths = shard_paths(records, manifest, "validation")
    excerpts = fixed_excerpts(records, manifest, "validation", batch_size=5, features=FEATURES)
    pairs = fixed_pairs(
        paths,
        vocabulary=manifest.vocabulary,
        notion_counts=manifest.splits["validation"].notion_counts,
        params=PipelineParams(batch_size=4),
        features=FEATURES,
        seed=0,
    )
    assert not excerpts.options().autotune.enabled
    assert not pairs.options().autotune.enabled


def test_fixed_excerpts_are_all_non_overlapping_ones_in_order(records, manifest):
    stored = list(read_tracks(records, manifest, "validation"))
    expected = [
        (index, track.log_mel[start : start + 129].astype(np.float32))
        for index, track in enumerate(stored)
        for start in range(0, len(track.log_mel) - 128, 129)
    ]
    dataset = list(fixed_excerpts(records, manifest, "validation", batch_size=5, features=FEATURES))
    rows = [dict(zip(batch, row, strict=True)) for batch in dataset for row in zip(*batch.values(), strict=True)]
    found = [(int(row["position"]), row["log_mel"].numpy()) for row in rows]
    assert [row["track_id"].numpy().decode() for row in rows] == [stored[index].track_id for index, _ in expected]
    assert [index for index, _ in found] == [index for index, _ in expected]
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(found, expected, strict=True))


def test_a_strategy_deals_each_batch_to_its_replicas(records, manifest, two_replicas):
    """Both halves together are the batch that one replica would see."""
    ((x, _),) = batches(records, manifest, 1)
    dataset = training_batches(
        shard_paths(records, manifest, "train"),
        tracks=12,
        num_tags=4,
        params=PARAMS,
        features=FEATURES,
        seed=3,
    )
    part = next(iter(two_replicas.experimental_distribute_dataset(dataset)))[0]
    halves = [half.numpy() for half in two_replicas.experimental_local_results(part)]
    assert [len(half) for half in halves] == [2, 2]
    np.testing.assert_array_equal(np.concatenate(halves), x)


def test_spec_augment_is_part_of_the_stream_and_resumable(records, manifest):
    params = dataclasses.replace(PARAMS, spec_augment=True)
    whole = batches(records, manifest, 4, params=params)
    assert same(whole[2:], batches(records, manifest, 2, params=params, first_batch=2))
    assert not same(whole, batches(records, manifest, 4))


def run_params(system, **kwargs):
    return RunParams(system=SystemParams(system, **kwargs), pipeline=PARAMS, training=TrainParams(seed=3))


def arrays(batches, count=None):
    """Every tensor of every batch, whatever their form."""
    return [[x.numpy() for x in tf.nest.flatten(batch)] for batch in itertools.islice(batches, count)]


def of_pairs(manifest, split, group):
    return {
        "vocabulary": manifest.vocabulary,
        "notion_counts": manifest.splits[split].notion_counts,
        "params": PARAMS,
        "features": FEATURES,
        "seed": 3,
        "group": group,
    }


@pytest.mark.parametrize("system", ["proxy", "classification"])
def test_systems_that_learn_tags_train_on_batches_of_excerpts(records, manifest, system):
    found = arrays(training_set(records, manifest, run_params(system), first_batch=5), 3)
    for (x, y, _), (u, v) in zip(found, batches(records, manifest, 3, first_batch=5), strict=True):
        np.testing.assert_array_equal(x, u)
        np.testing.assert_array_equal(y, v)


@pytest.mark.parametrize("split", ["train", "validation"])
def test_excerpts_have_one_number_if_and_only_if_they_are_of_one_track(records, manifest, split):
    """4 to 7 s: two training excerpts of every track a pass, one or two consecutive ones for validation. Batches of one
    excerpt tell which track it was cut from."""
    stored = list(read_tracks(records, manifest, split))
    params = dataclasses.replace(run_params("joint"), pipeline=dataclasses.replace(PARAMS, batch_size=1))
    data = (
        training_set(records, manifest, params).take(24)
        if split == "train"
        else validation_set(records, manifest, params)
    )
    found = {(locate(x[0].numpy(), stored)[0], int(targets["track"][0])) for x, targets in data}
    assert len(found) == len({track for track, _ in found}) == len({number for _, number in found}) == len(stored)


def test_validation_excerpts_are_shuffled_where_a_loss_compares_them(records, manifest):
    """All the same excerpts with their labels, in an order that the seed decides and every epoch repeats."""

    def rows(system, seed=3):
        params = dataclasses.replace(run_params(system), training=TrainParams(seed=seed))
        x, labels, _ = (
            np.concatenate(part) for part in zip(*arrays(validation_set(records, manifest, params)), strict=True)
        )
        return [excerpt.tobytes() + tags.tobytes() for excerpt, tags in zip(x, labels, strict=True)]

    plain, mixed = rows("proxy"), rows("joint")
    assert plain != mixed == rows("joint") != rows("joint", seed=4)
    assert sorted(plain) == sorted(mixed)


@pytest.mark.parametrize(("system", "weight", "group"), [("triplet", 0.0, 1), ("triplet", 0.5, 2)])
def test_systems_that_learn_from_triplets_train_on_pairs(records, manifest, system, weight, group):
    params = run_params(system, track_weight=weight)
    found = arrays(training_set(records, manifest, params, first_batch=2), 2)
    paths = shard_paths(records, manifest, "train")
    expected = arrays(training_pairs(paths, first_batch=2, **of_pairs(manifest, "train", group)), 2)
    assert all(np.array_equal(x, u) for a, b in zip(found, expected, strict=True) for x, u in zip(a, b, strict=True))


def test_the_validation_set_is_of_the_systems_kind_and_the_same_in_every_epoch(records, manifest):
    paths = shard_paths(records, manifest, "validation")
    excerpts = fixed_excerpts(records, manifest, "validation", batch_size=4, features=FEATURES)
    expected = {
        "proxy": arrays((batch["log_mel"], batch["labels"], batch["position"]) for batch in excerpts),
        "triplet": arrays(fixed_pairs(paths, **of_pairs(manifest, "validation", 1))),
    }
    for system, values in expected.items():
        validation = validation_set(records, manifest, run_params(system))
        for _ in range(2):
            found = arrays(validation)
            assert len(found) == len(values) > 0
            assert all(
                np.array_equal(x, u) for a, b in zip(found, values, strict=True) for x, u in zip(a, b, strict=True)
            )


@pytest.mark.parametrize("system", ["proxy", "triplet"])
def test_a_split_without_tracks_is_refused(records, manifest, system):
    empty = dataclasses.replace(
        manifest, splits={name: dataclasses.replace(split, tracks=0) for name, split in manifest.splits.items()}
    )
    for split, function in (("train", training_set), ("validation", validation_set)):
        with pytest.raises(UserError, match=f"the {split} split has no tracks"):
            function(records, empty, run_params(system))
