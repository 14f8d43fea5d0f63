import numpy as np
import tensorflow as tf

from tfmir.data.augment import augmented, spec_augment
from tfmir.params import PipelineParams

ON, OFF = PipelineParams(spec_augment=True), PipelineParams()


def key(*numbers):
    return tf.constant(numbers, tf.int64)


def index(number):
    return tf.constant(number, tf.int64)


def blank(y):
    """bool [batch, mels] and [batch, frames]: what is zero throughout."""
    return (y == 0).all(axis=1), (y == 0).all(axis=2)


def test_off_it_gives_back_what_it_was_given():
    x = tf.ones([2, 5, 4])
    assert augmented(x, OFF, seed=0, index=index(0)) is x


def test_the_seed_and_the_number_of_the_batch_decide_and_nothing_else():
    x = tf.ones([8, 129, 128])
    tf.random.set_seed(0)
    first = augmented(x, ON, seed=3, index=index(7)).numpy()
    tf.random.set_seed(1)
    np.testing.assert_array_equal(augmented(x, ON, seed=3, index=index(7)), first)
    assert not np.array_equal(augmented(x, ON, seed=3, index=index(8)), first)
    assert not np.array_equal(augmented(x, ON, seed=4, index=index(7)), first)


def test_bands_and_runs_are_in_one_piece_bounded_and_leave_the_rest_as_it_was():
    x = tf.random.stateless_uniform([400, 40, 30], [0, 1], 1, 2)
    y = spec_augment(x, seed=key(0, 1), max_mels=5, max_frames=9).numpy()
    for blanks, most, size in zip(blank(y), (5, 9), (30, 40), strict=True):
        assert blanks.sum(axis=1).max() == most
        assert blanks.sum(axis=1).min() == 0
        edges = np.abs(np.diff(np.pad(blanks, [(0, 0), (1, 1)]).astype(int), axis=1)).sum(axis=1)
        assert set(edges) == {0, 2}  # one beginning and one end, or nothing
        assert blanks[:, 0].any()
        assert blanks[:, size - 1].any()
    mels, frames = blank(y)
    keep = ~mels[:, np.newaxis, :] & ~frames[:, :, np.newaxis]
    np.testing.assert_array_equal(y, np.where(keep, x, 0))


def test_widths_are_even_from_nothing_to_the_most():
    """0 to 16 mels, 0 to 20 frames, each as often: means 8 and 10, deviations sqrt((17^2 - 1) / 12) = 4.9 and 6.1."""
    y = spec_augment(tf.ones([2000, 129, 128]), seed=key(2, 3)).numpy()
    mels, frames = (blanks.sum(axis=1) for blanks in blank(y))
    assert abs(mels.mean() - 8) < 5 * 4.9 / np.sqrt(2000)
    assert abs(frames.mean() - 10) < 5 * 6.1 / np.sqrt(2000)
    assert set(mels) == set(range(17))
    assert set(frames) == set(range(21))
    assert abs(np.corrcoef(mels, frames)[0, 1]) < 5 / np.sqrt(2000)  # drawn apart


def test_spec_augment_blanks_one_band_and_one_run():
    x = tf.ones([50, 129, 128])
    y = spec_augment(x, seed=tf.constant([0, 1], tf.int64)).numpy()
    blank_mels, blank_frames = (y == 0).all(axis=1).sum(axis=1), (y == 0).all(axis=2).sum(axis=1)
    assert blank_mels.max() <= 16
    assert blank_frames.max() <= 20
    assert len(set(blank_mels)) > 5
    assert (((y == 0).sum(axis=(1, 2))) == blank_mels * 129 + blank_frames * 128 - blank_mels * blank_frames).all()
