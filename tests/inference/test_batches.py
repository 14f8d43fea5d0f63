"""Excerpts of several songs in one batch, against the uncompiled form, song by song."""

import numpy as np
import pytest
import tensorflow as tf

from tfmir.inference.audio import embed_waveforms
from tfmir.inference.batches import BATCH, Embedder, embedder

RATE = 22050
SECS = (1.0, 3.0, 7.3, 2.999, 130.0, 0.03, 12.0)


@pytest.fixture(scope="module")
def waves():
    rng = np.random.default_rng(3)
    return [(0.3 * rng.normal(size=round(secs * RATE)) * rng.uniform(0.01, 1)).astype(np.float32) for secs in SECS]


def songs(system, waves):
    batches = embedder(system)
    return [batches.song(excerpts) for excerpts in batches.excerpts(iter(waves))]


def test_each_song_is_as_if_alone_and_uncompiled(system, waves):
    """129 frames of 512 samples are an excerpt: of 7.3 s there are two, of 130 s 43, of what is shorter one."""
    found = songs(system, waves)
    counts = [len(excerpts) for excerpts in embedder(system).excerpts(waves)]
    assert counts == [1, 1, 2, 1, 43, 1, 4]
    for wave, (embedding, scores) in zip(waves, found, strict=True):
        expected = embed_waveforms(system, tf.constant(wave[np.newaxis]))
        np.testing.assert_allclose(embedding, expected[0], atol=1e-6)
        np.testing.assert_allclose(scores, system.scores(expected)[0], atol=1e-6)


def test_what_else_is_in_the_batch_changes_no_bit(system, waves):
    """Wherever a song stands, and whatever stands beside it."""
    alone = [songs(system, [wave])[0][0] for wave in waves]
    for order in ([4, 2, 0, 1, 3, 6, 5], [5, 6, 3, 1, 0, 2, 4]):
        found = songs(system, [waves[i] for i in order])
        for i, (embedding, _) in zip(order, found, strict=True):
            np.testing.assert_array_equal(embedding, alone[i])


def test_what_is_no_number_stays_in_its_song(system, waves):
    """Samples that overflow in the spectrum, between two songs of one batch."""
    loud = np.full(RATE * 4, 3e38, np.float32)
    first, between, last = (embedding for embedding, _ in songs(system, [waves[2], loud, waves[6]]))
    assert np.isnan(between).all()
    np.testing.assert_array_equal(first, songs(system, [waves[2]])[0][0])
    np.testing.assert_array_equal(last, songs(system, [waves[6]])[0][0])


def test_an_empty_song_has_no_excerpt_and_songs_come_when_their_batch_is_full(system, waves):
    """Nothing is drawn before it is needed: of songs of an excerpt, the first come with the batch's last."""
    drawn = []

    def drawing():
        for _ in range(BATCH + 1):
            drawn.append(waves[1])
            yield waves[1]

    batches = embedder(system)
    running = batches.excerpts(drawing())
    assert next(running).shape == (1, 16)
    assert len(drawn) == BATCH
    assert len(list(running)) == BATCH
    assert [len(found) for found in batches.excerpts([np.zeros(0, np.float32), waves[1]])] == [0, 1]
    assert list(batches.excerpts([])) == []


def test_nothing_is_compiled_twice(system, waves):
    assert embedder(system) is embedder(system)
    batches = Embedder(system)
    for some in (waves[:1], waves, waves[::-1]):
        for excerpts in batches.excerpts(some):
            batches.song(excerpts)
    assert batches._embed.experimental_get_tracing_count() == 1
    assert batches._mean.experimental_get_tracing_count() == 1
