"""What a listener without a sense of time would hear of an excerpt: how loud, how varied and how restless each band is.

`tfmir/evaluation/baselines.py` (`statistics_features`) takes the same of whole tracks, in NumPy.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmir.params import FeatureParams


def over_time(frames: tf.Tensor) -> tf.Tensor:
    """Mean, standard deviation and mean absolute difference over time of each band.

    The gradient is finite also where nothing varies, as in silence: 0 of the deviation and of the difference.

    Args:
      frames: float [batch, frames, bands], two frames at least.

    Returns:
      float32 [batch, 3, bands].
    """
    frames = tf.cast(frames, tf.float32)
    mean = tf.reduce_mean(frames, axis=1, keepdims=True)  # [batch, 1, bands]
    variance = tf.reduce_mean(tf.math.squared_difference(frames, mean), axis=1)
    varies = variance > 0.0
    # Both branches of a `where` are differentiated, and the root's gradient at 0 is infinite.
    deviation = tf.where(varies, tf.sqrt(tf.where(varies, variance, 1.0)), 0.0)
    difference = tf.reduce_mean(tf.abs(frames[:, 1:] - frames[:, :-1]), axis=1)
    return tf.stack([mean[:, 0], deviation, difference], axis=1)


@keras.saving.register_keras_serializable("tfmir")
class StatisticsOverTime(keras.layers.Layer):
    """The statistics of the z-scored log-mel: float [batch, frames, mels], before the z-score -> [batch, 3 * mels].

    The z-score is applied to the statistics: the same numbers, without a pass over every frame.

    Args:
      mean, deviation: constants of the feature parameters.
    """

    def __init__(self, *, mean: float = FeatureParams.mean, deviation: float = FeatureParams.deviation, **kwargs: Any):
        super().__init__(**{**kwargs, "autocast": False})
        self.mean = mean
        self.deviation = deviation

    def call(self, log_mel: tf.Tensor) -> tf.Tensor:
        """In float32 up to the result, also under mixed precision."""
        found = (over_time(log_mel) - [[self.mean], [0.0], [0.0]]) / self.deviation  # [batch, 3, mels]
        return tf.cast(tf.reshape(found, [-1, 3 * found.shape[-1]]), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "mean": self.mean, "deviation": self.deviation}
