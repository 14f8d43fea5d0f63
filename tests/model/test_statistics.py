import numpy as np
import tensorflow as tf

from tfmir.evaluation.baselines import statistics_features
from tfmir.model.statistics import StatisticsOverTime, over_time


def frames(count=4):
    return np.random.default_rng(0).normal(size=[count, 129, 128]).astype(np.float32) * 0.3 + 1.5


def test_they_are_those_of_the_baseline_in_numpy():
    expected = np.stack([statistics_features(excerpt) for excerpt in frames()])
    np.testing.assert_allclose(over_time(tf.constant(frames())), expected, rtol=1e-5, atol=1e-6)


def test_statistics_by_hand():
    """Two bands over three frames: 0 2 4 has mean 2, deviation sqrt(8/3), mean step 2; 1 1 1 has 1, 0, 0."""
    found = over_time(tf.constant([[[0.0, 1.0], [2.0, 1.0], [4.0, 1.0]]]))
    np.testing.assert_allclose(found, [[2, 1, np.sqrt(8 / 3), 0, 2, 0]], rtol=1e-6)


def test_the_gradient_is_finite_where_nothing_varies():
    """0 of the deviation and of the difference; of the mean 1 / 129 for every frame."""
    x = tf.Variable(tf.fill([2, 129, 3], -0.8))
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(over_time(x))
    np.testing.assert_allclose(tape.gradient(y, x), np.full(x.shape, 1 / 129), rtol=1e-5)


def test_the_layer_makes_an_image_of_one_pixel():
    found = StatisticsOverTime()(tf.constant(frames())[..., tf.newaxis])
    np.testing.assert_array_equal(found, over_time(tf.constant(frames()))[:, tf.newaxis, tf.newaxis])


def test_in_half_precision_the_sums_are_not():
    """129 values around 300 add up to 38 700; float16 would round such a sum to a multiple of 32, its squares to inf."""
    loud = 200 * frames()
    found = StatisticsOverTime(dtype="mixed_float16")(tf.constant(loud, tf.float16)[..., tf.newaxis])
    expected = np.stack([statistics_features(excerpt.astype(np.float16)) for excerpt in loud])
    assert found.dtype == tf.float16
    np.testing.assert_allclose(found[:, 0, 0], expected, rtol=1e-3)
