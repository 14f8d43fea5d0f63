"""Rows of a request against each song alone, embedded as search does it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmir.inference.audio import embed_waveforms
from tfmir.model.build import build_system
from tfmir.params import EncoderParams, FeatureParams, NetworkParams, SystemParams
from tfmir.serving import songs
from tfmir.serving.signatures import signatures
from tfmir.vocabulary import Vocabulary

RATE = 22050
VOCABULARY = Vocabulary.from_dict({"genre": ["a", "b"], "mood": ["x"]})


@pytest.fixture(scope="module")
def system():
    keras.utils.set_random_seed(2)
    encoder = EncoderParams(encoder="statistics", width_multiplier=0.0625, embedding_dim=16)
    return build_system(NetworkParams(encoder, SystemParams("proxy")), VOCABULARY)


@pytest.fixture(scope="module")
def served(system):
    return signatures(system)


def padded(lengths):
    """Noise of several lengths in one array, padded as TensorFlow Serving pads: with each row's first value."""
    rng = np.random.default_rng(0)
    rows = np.zeros([len(lengths), max(lengths, default=0)], np.float32)
    for row, length in zip(rows, lengths, strict=True):
        row[:length] = rng.uniform(-0.5, 0.5, length)
        row[length:] = row[0]
    return rows


# Shorter than a window, than an excerpt, one sample around the 129th frame, one excerpt, more than a chunk of 16.
LENGTHS = [1, 500, 128 * 512 - 1, 128 * 512, 66150, 7 * RATE + 13, 50 * RATE]


def test_a_ragged_batch_is_each_song_alone(system, served):
    waves = padded(LENGTHS)
    found = served["serving_default_num_samples"](waves, np.array(LENGTHS, np.int32))
    assert found["valid"].numpy().all()
    assert found["excerpts"].numpy().tolist() == [1, 1, 1, 1, 1, 2, 16]
    for row, length in enumerate(LENGTHS):
        alone = embed_waveforms(system, tf.constant(waves[row : row + 1, :length]))[0]
        np.testing.assert_allclose(found["embedding"][row], alone, atol=1e-6)


def test_every_excerpt_is_given_with_a_mask(system, served):
    waves = padded([66150, 7 * RATE])
    found = served["excerpts_num_samples"](waves, np.array([66150, 7 * RATE], np.int32))
    assert found["mask"].numpy().tolist() == [[True, False], [True, True]]
    np.testing.assert_array_equal(found["embedding"][0, 1], np.zeros(16))
    alone = served["embed"](waves[:1, :66150])["embedding"]
    np.testing.assert_allclose(found["embedding"][0, 0], alone[0], atol=1e-6)
    mean = found["embedding"][1].numpy().mean(axis=0)
    np.testing.assert_allclose(served["embed"](waves[1:])["embedding"][0], mean / np.linalg.norm(mean), atol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_row_that_is_no_sound_is_not_valid_and_harms_no_other(served, bad):
    waves = padded([RATE * 4] * 3)
    clean = served["serving_default"](waves)
    waves[1, 7] = bad
    found = served["serving_default"](waves)
    assert found["valid"].numpy().tolist() == [True, False, True]
    assert found["excerpts"].numpy().tolist() == [1, 0, 1]
    for key in ("embedding", "embedding_mood", "scores", "alive"):
        assert not found[key].numpy()[1].any(), key
        np.testing.assert_allclose(found[key].numpy()[[0, 2]], clean[key].numpy()[[0, 2]], atol=1e-6, err_msg=key)


def test_what_lies_behind_a_song_is_not_looked_at(served):
    waves = padded([RATE * 4, RATE * 5])
    count = np.array([RATE * 4, RATE * 5], np.int32)
    clean = served["embed_num_samples"](waves, count)["embedding"]
    waves[0, RATE * 4 :] = np.nan
    found = served["embed_num_samples"](waves, count)
    assert found["valid"].numpy().all()
    np.testing.assert_array_equal(found["embedding"], clean)


@pytest.mark.parametrize("count", [0, -1, RATE + 1, 2**31 - 1])
def test_a_number_of_samples_that_cannot_be_is_not_valid(served, count):
    found = served["embed_num_samples"](padded([RATE, RATE]), np.array([RATE, count], np.int32))
    assert found["valid"].numpy().tolist() == [True, False]


@pytest.mark.parametrize("shape", [(0, 0), (0, 100), (3, 0)])
def test_nothing_is_answered_with_nothing(served, shape):
    empty = np.zeros(shape, np.float32)
    found = served["serving_default"](empty)
    assert {len(value) for value in found.values()} == {shape[0]}
    assert not found["valid"].numpy().any()
    assert served["excerpts"](empty)["embedding"].shape == [shape[0], 0, 16]


def test_limits_are_named(served):
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="a song may have 10 minutes, 13230000 samples at 22050 Hz"
    ):
        served["embed"](np.zeros([1, 600 * RATE + 1], np.float32))
    with pytest.raises(tf.errors.InvalidArgumentError, match="a request may have 1600 excerpts of 3 s"):
        served["embed"](np.zeros([1601, 1], np.float32))


def test_ten_minutes_are_within_the_limit():
    features = FeatureParams()
    wave = tf.zeros([1, 600 * RATE])
    heard = songs.songs_from_waveforms(wave, tf.constant([600 * RATE]), features)
    assert songs.excerpt_counts(heard, features).numpy().tolist() == [200]


def test_a_loop_hears_no_more_than_a_chunk_at_a_time(system):
    """What bounds the memory: 40 excerpts are heard in turns of 16, 16 and 8."""
    turns = []

    def encode(samples, frames):
        turns.append((samples.shape, frames.numpy().tolist()))
        return tf.zeros([len(samples), 16])

    features = FeatureParams()
    with tf.init_scope():
        heard = songs.songs_from_waveforms(tf.zeros([1, 129 * 512 * 40]), tf.constant([129 * 512 * 40]), features)
        found = songs.listen(heard, encode, 16, features)
    assert [shape[0] for shape, _ in turns] == [16, 16, 8]
    assert {shape[1] for shape, _ in turns} == {66560}
    assert turns[2][1][-1] == 130  # one more frame begins at the very end
    assert found.row.numpy().tolist() == [0] * 40


def test_channels_are_averaged(served):
    """Two songs, interleaved: stereo 1, 3 and mono 5; 16-bit numbers are scaled to [-1, 1)."""
    flat = tf.constant([1, 3, 2, 4, 5, 5, 5], tf.int16)
    two = songs.songs_from_pcm(flat, tf.constant([0, 4]), tf.constant([2, 1]), FeatureParams())
    assert two.length.numpy().tolist() == [2, 3]
    found = songs._samples(two, tf.constant([0, 1]), tf.constant([[-1, 0, 1, 2], [0, 1, 2, 3]]))
    np.testing.assert_array_equal(found * 32768, [[0, 2, 3, 0], [5, 5, 5, 0]])
