import numpy as np
import pytest
import tensorflow as tf

from tfmir.evaluation.baselines import statistics_features
from tfmir.model.statistics import StatisticsOverTime, over_time


def frames(count=4):
    return np.random.default_rng(0).normal(size=[count, 129, 128]).astype(np.float32) * 0.3 + 1.5


def test_they_are_those_of_the_baseline_in_numpy():
    expected = np.stack([statistics_features(excerpt) for excerpt in frames()])
    found = over_time(tf.constant(frames()))
    np.testing.assert_allclose(tf.reshape(found, [4, 384]), expected, rtol=1e-5, atol=1e-6)


def test_statistics_by_hand():
    """Two bands over three frames: 0 2 4 has mean 2, deviation sqrt(8/3), mean step 2; 1 1 1 has 1, 0, 0."""
    found = over_time(tf.constant([[[0.0, 1.0], [2.0, 1.0], [4.0, 1.0]]]))
    np.testing.assert_allclose(found, [[[2, 1], [np.sqrt(8 / 3), 0], [2, 0]]], rtol=1e-6)


def test_the_gradient_is_finite_where_nothing_varies():
    """0 of the deviation and of the difference; of the mean 1 / 129 for every frame."""
    x = tf.Variable(tf.fill([2, 129, 3], -0.8))
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(over_time(x))
    np.testing.assert_allclose(tape.gradient(y, x), np.full(x.shape, 1 / 129), rtol=1e-5)


@pytest.mark.parametrize("constants", [{}, {"mean": 1.5, "deviation": 0.3}])
def test_the_layer_gives_those_of_the_z_scored_frames(constants):
    """Also in a copy made from its config; the constants are the feature parameters' where none are given."""
    layer = StatisticsOverTime.from_config(StatisticsOverTime(**constants).get_config())
    scored = (frames() - constants.get("mean", 0.2)) / constants.get("deviation", 0.25)
    expected = np.stack([statistics_features(excerpt) for excerpt in scored])
    np.testing.assert_allclose(layer(frames()), expected, rtol=1e-4, atol=1e-5)


def test_in_half_precision_the_sums_are_not():
    """129 values around 300 add up to 38 700; float16 would round that to a multiple of 32, and its squares to inf."""
    loud = (200 * frames()).astype(np.float16)
    found = StatisticsOverTime(mean=0.0, deviation=1.0, dtype="mixed_float16")(tf.constant(loud))
    assert found.dtype == tf.float16
    np.testing.assert_allclose(found, np.stack([statistics_features(excerpt) for excerpt in loud]), rtol=1e-3)
