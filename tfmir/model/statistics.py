"""What a listener without a sense of time would hear of an excerpt: how loud, how varied and how restless each band is.

`tfmir/evaluation/baselines.py` (`statistics_features`) takes the same of whole tracks, in NumPy.
"""

from __future__ import annotations

import keras
import tensorflow as tf


def over_time(frames: tf.Tensor) -> tf.Tensor:
    """Mean, standard deviation and mean absolute difference over time of each band.

    The gradient is finite also where nothing varies, as in silence: 0 of the deviation and of the difference.

    Args:
      frames: float [batch, frames, bands], two frames at least.

    Returns:
      float32 [batch, 3 * bands]: all means, then all deviations, then all differences.
    """
    frames = tf.cast(frames, tf.float32)
    mean = tf.reduce_mean(frames, axis=1, keepdims=True)  # [batch, 1, bands]
    variance = tf.reduce_mean(tf.math.squared_difference(frames, mean), axis=1)
    varies = variance > 0.0
    # Both branches of a `where` are differentiated, and the root's gradient at 0 is infinite.
    deviation = tf.where(varies, tf.sqrt(tf.where(varies, variance, 1.0)), 0.0)
    difference = tf.reduce_mean(tf.abs(frames[:, 1:] - frames[:, :-1]), axis=1)
    return tf.concat([mean[:, 0], deviation, difference], axis=-1)


@keras.saving.register_keras_serializable("tfmir")
class StatisticsOverTime(keras.layers.Layer):
    """`over_time` as an image of one pixel, which the encoder's 1x1 convolutions take as dense layers do.

    float [batch, frames, bands, 1] -> float [batch, 1, 1, 3 * bands].
    """

    def call(self, frames: tf.Tensor) -> tf.Tensor:
        """Takes the statistics in float32, also under mixed precision."""
        found = over_time(frames[..., 0])
        return tf.cast(found[:, tf.newaxis, tf.newaxis], self.compute_dtype)
