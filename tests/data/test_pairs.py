import itertools

import numpy as np
import pytest
import tensorflow as tf

from tfmir.data.excerpts import random_excerpts
from tfmir.data.manifest import load_manifest, shard_paths
from tfmir.data.pairs import _redrawn, accepted_share, draw_tags, fixed_pairs, join, notion_rates, training_pairs
from tfmir.data.records import read_tracks
from tfmir.params import FeatureParams, PipelineParams
from tfmir.vocabulary import Vocabulary

FEATURES = FeatureParams()
PARAMS = PipelineParams(batch_size=8, excerpts_per_read=2, shuffle_buffer=8)


@pytest.fixture(scope="module")
def manifest(records):
    return load_manifest(records)


def dataset(function, records, manifest, split, **kwargs):
    return function(
        shard_paths(records, manifest, split),
        vocabulary=manifest.vocabulary,
        notion_counts=manifest.splits[split].notion_counts,
        params=PARAMS,
        features=FEATURES,
        seed=3,
        **kwargs,
    )


def arrays(batches):
    return [(x.numpy(), {name: value.numpy() for name, value in y.items()}) for x, y in batches]


def same(a, b):
    return all(
        np.array_equal(x, u) and all(np.array_equal(y[name], v[name]) for name in y)
        for (x, y), (u, v) in zip(a, b, strict=True)
    )


def test_both_of_a_pair_carry_the_tag_and_come_from_the_records(records, manifest):
    stored = list(read_tracks(records, manifest, "train"))
    frames = np.concatenate([track.log_mel.astype(np.float32) for track in stored])
    for x, y in arrays(itertools.islice(dataset(training_pairs, records, manifest, "train"), 6)):
        assert x.shape == (4, 2, 1, 129, 128)
        for pair, tag in enumerate(y["tag"]):
            assert (y["labels"][pair, :, tag] == 1).all()
        for excerpt in x.reshape(-1, 129, 128):
            assert (frames == excerpt[0]).all(axis=1).any()


def test_two_excerpts_of_a_track_overlap_by_half_at_most(records, manifest):
    stored = [track.log_mel.astype(np.float32) for track in read_tracks(records, manifest, "train")]

    def start(excerpt):
        return next(
            (i, int(np.flatnonzero((t == excerpt[0]).all(axis=1))[0]))
            for i, t in enumerate(stored)
            if (t == excerpt[0]).all(axis=1).any()
        )

    for x, y in arrays(itertools.islice(dataset(training_pairs, records, manifest, "train", group=2), 6)):
        assert x.shape == (4, 2, 2, 129, 128)
        for pair, side in itertools.product(range(4), range(2)):
            (track_a, a), (track_b, b) = start(x[pair, side, 0]), start(x[pair, side, 1])
            assert track_a == track_b
            assert y["apart"][pair, side] == (abs(a - b) >= 65)


def test_a_second_excerpt_changes_neither_the_pairs_nor_their_tags(records, manifest):
    """In training the first excerpt is cut elsewhere; the validation's are the same, too."""
    for function, split in ((training_pairs, "train"), (fixed_pairs, "validation")):
        alone, with_another = (
            arrays(itertools.islice(dataset(function, records, manifest, split, group=group), 6)) for group in (1, 2)
        )
        for (x, y), (u, v) in zip(alone, with_another, strict=True):
            assert all(np.array_equal(y[name], v[name]) for name in ("labels", "tag", "track"))
            assert split == "train" or np.array_equal(x[:, :, 0], u[:, :, 0])


def test_the_stream_of_pairs_can_start_at_any_batch_and_the_seed_decides(records, manifest):
    whole = arrays(itertools.islice(dataset(training_pairs, records, manifest, "train"), 7))
    later = arrays(itertools.islice(dataset(training_pairs, records, manifest, "train", first_batch=5), 2))
    assert same(whole[5:], later)
    assert not same(whole[:2], whole[5:])


def test_validation_pairs_are_the_same_every_time_and_use_no_excerpt_twice(records, manifest):
    first = arrays(dataset(fixed_pairs, records, manifest, "validation"))
    assert same(first, arrays(dataset(fixed_pairs, records, manifest, "validation")))
    rows = np.concatenate([x.reshape(-1, 129 * 128) for x, _ in first])
    assert len(np.unique(rows, axis=0)) == len(rows) > 0


def test_where_tags_are_sparse_a_validation_excerpt_draws_again(records, manifest):
    """Each draw is another; together they have the pairs of one draw, and more than twice as many."""
    once, thrice = (arrays(dataset(fixed_pairs, records, manifest, "validation", draws=draws)) for draws in (1, 3))
    pairs = [sum(len(y["tag"]) for _, y in found) for found in (once, thrice)]
    assert pairs[1] >= 2 * pairs[0] > 0


def test_an_excerpt_is_read_once_however_often_it_draws():
    """10 excerpts, a buffer of 4, 3 draws. One that gets a tag in every draw is there three times, once in each round
    of its buffer, the rounds in different orders; one that gets none is not there at all."""
    read = []

    def source():
        for number in range(10):
            read.append(number)
            yield {"track": number, "labels": [number % 5 > 0]}

    def draw(labels, key):
        return tf.where(labels[:, 0], tf.constant(7, tf.int64), -1)

    shapes = {"track": tf.TensorSpec([], tf.int64), "labels": tf.TensorSpec([1], tf.bool)}
    excerpts = tf.data.Dataset.from_generator(source, output_signature=shapes)
    found = list(_redrawn(excerpts, tf.constant([0, 0], tf.int64), draw=draw, draws=3, buffer=4).as_numpy_iterator())
    tracks = [int(element["track"]) for element in found]
    rounds = [
        tracks[:3],
        tracks[3:6],
        tracks[6:9],
        tracks[9:12],
        tracks[12:15],
        tracks[15:18],
        tracks[18:20],
        tracks[20:22],
        tracks[22:],
    ]
    assert read == list(range(10))
    assert [sorted(numbers) for numbers in rounds] == [[1, 2, 3]] * 3 + [[4, 6, 7]] * 3 + [[8, 9]] * 3
    assert len({tuple(numbers) for numbers in rounds[:6]}) > 2
    assert {int(element["tag"]) for element in found} == {7}


def test_the_share_of_offers_that_are_taken_by_hand():
    """Counts 50 and 25 of 100: offered 1/3 and 2/3 of the time, taken 50 % and 25 %: 1/6 + 1/6."""
    assert accepted_share([50, 25], 100, "balanced") == pytest.approx(1 / 3, rel=1e-6)
    assert accepted_share([100], 100, "balanced") == 1.0
    assert accepted_share([50, 25], 100, "natural") == 1.0
    assert accepted_share([0, 0], 100, "balanced") == 1.0


def test_an_excerpt_that_draws_no_tag_is_passed_over_before_it_is_cut(records, manifest):
    """Of the same tracks the same excerpts, less those that the draw refuses: here all without the first tag."""
    paths, key = shard_paths(records, manifest, "train"), {"num_tags": 4, "features": FEATURES, "seed": 3, "group": 1}

    def first_tag(labels, key):
        return tf.where(labels[:, 0], tf.constant(0, tf.int64), -1)

    count = 2 * manifest.splits["train"].tracks
    every = list(random_excerpts(paths, 0, params=PARAMS, **key).take(count).as_numpy_iterator())
    some = random_excerpts(paths, 0, params=PARAMS, draw=first_tag, **key)
    wanted = sorted(excerpt["data"].tolist() for excerpt in every if excerpt["labels"][0])
    assert 0 < len(wanted) < count
    found = list(some.take(len(wanted)).as_numpy_iterator())
    assert sorted(excerpt["data"].tolist() for excerpt in found) == wanted
    assert {int(excerpt["tag"]) for excerpt in found} == {0}


VOCABULARY = Vocabulary.from_dict({"genre": ["rock", "jazz", "rare"], "mood": ["calm"], "era": ["60s", "70s"]})


def corpus(tracks=4000):
    """Genre on all tracks, `rare` on 0.3 % of them and alone there; mood on 12 %, era on 30 % with two tags each."""
    rng = np.random.default_rng(0)
    labels = np.zeros([tracks, 6], bool)
    rare = rng.random(tracks) < 0.003
    labels[:, 0] = (rng.random(tracks) < 0.5) & ~rare
    labels[:, 1] = ~labels[:, 0] & ~rare
    labels[:, 2] = rare
    labels[:, 3] = rng.random(tracks) < 0.12
    labels[rng.random(tracks) < 0.3, 4:] = True
    return labels


def draws(labels, sampling, passes=12):
    counts = VOCABULARY.carried(labels).sum(axis=0)
    rates = notion_rates(counts, sampling)
    keys = [tf.constant([0, i], tf.int64) for i in range(passes)]
    return np.concatenate([draw_tags(tf.constant(labels), k, vocabulary=VOCABULARY, rates=rates) for k in keys])


def test_balanced_draws_give_every_notion_the_same_share_and_a_rare_tag_its_own():
    """A third of the anchors for each notion; of genre's, the rare tag has its share of the tracks with a genre."""
    labels = corpus()
    found = draws(labels, "balanced")
    tags = found[found >= 0]
    shares = np.bincount(tags, minlength=6) / len(tags)
    np.testing.assert_allclose([shares[:3].sum(), shares[3], shares[4:].sum()], [1 / 3] * 3, atol=0.02)
    np.testing.assert_allclose(shares[4], shares[5], atol=0.02)
    expected = len(tags) / 3 * labels[:, 2].mean()
    assert abs((tags == 2).sum() - expected) < 4 * np.sqrt(expected)


def test_natural_draws_keep_the_corpus_frequencies():
    """By hand: an excerpt with n notions gives each the chance 1/n, and every excerpt with a tag draws one."""
    labels = corpus()
    found = draws(labels, "natural")
    assert (found >= 0).all()
    carried = VOCABULARY.carried(labels)
    expected = (carried / carried.sum(axis=1, keepdims=True)).mean(axis=0)
    shares = np.bincount(VOCABULARY.notion_of_tag[found], minlength=3) / len(found)
    np.testing.assert_allclose(shares, expected, atol=0.01)


def test_an_excerpt_without_a_tag_draws_none():
    for sampling in ("balanced", "natural"):
        rates = notion_rates([5, 5, 0], sampling)
        key = tf.constant([0, 0], tf.int64)
        found = draw_tags(tf.zeros([4, 6], tf.bool), key, vocabulary=VOCABULARY, rates=rates)
        assert (found.numpy() == -1).all()


def test_a_rare_tag_is_paired_as_often_as_it_is_drawn():
    """Joining loses one element of a tag at the very end of the stream, whatever its frequency."""
    tags = draws(corpus(), "balanced")
    tags = tags[tags >= 0]
    stream = tf.data.Dataset.from_tensor_slices({"tag": tags, "number": np.arange(len(tags))})
    pairs = list(join(stream).as_numpy_iterator())
    for pair in pairs:
        assert (tags[pair["number"]] == pair["tag"]).all()
    for tag in range(6):
        assert sum(pair["tag"] == tag for pair in pairs) == (tags == tag).sum() // 2
