"""Augmentation of training excerpts (not in the paper), stateless: a resumed run draws what the first would."""

from __future__ import annotations

import tensorflow as tf

from tfmir.params import PipelineParams


def augmented(log_mel: tf.Tensor, params: PipelineParams, *, seed: int, index: tf.Tensor) -> tf.Tensor:
    """SpecAugment on float32 [n, frames, mels] if it is switched on; `index` is the batch's number, int64."""
    if not params.spec_augment:
        return log_mel
    key = tf.random.experimental.stateless_fold_in(tf.constant([seed, 1], tf.int64), index)
    return spec_augment(log_mel, seed=key)


def spec_augment(log_mel: tf.Tensor, *, seed: tf.Tensor, max_mels: int = 16, max_frames: int = 20) -> tf.Tensor:
    """Sets a random band of mels and a random run of frames of every excerpt to zero (Park et al., 2019).

    Args:
      log_mel: float32 [batch, frames, mels].
      seed: int64 [2].
      max_mels: the band is 0 to `max_mels` mels wide.
      max_frames: the run is 0 to `max_frames` frames long.

    Returns:
      float32 [batch, frames, mels].
    """
    batch, frames, mels = tf.shape(log_mel)[0], log_mel.shape[1], log_mel.shape[2]
    keep_frames = _keep(batch, frames, max_frames, tf.random.experimental.stateless_fold_in(seed, 0))
    keep_mels = _keep(batch, mels, max_mels, tf.random.experimental.stateless_fold_in(seed, 1))
    return log_mel * keep_frames[:, :, tf.newaxis] * keep_mels[:, tf.newaxis, :]


def _keep(batch: tf.Tensor, size: int, max_width: int, key: tf.Tensor) -> tf.Tensor:
    """float32 [batch, size]: 0 on a random run of at most `max_width`, 1 elsewhere."""
    draws = tf.random.stateless_uniform([2, batch, 1], key)
    width = tf.floor(draws[0] * (max_width + 1))
    start = tf.floor(draws[1] * (size - width + 1))
    position = tf.range(size, dtype=tf.float32)[tf.newaxis]
    return tf.cast((position < start) | (position >= start + width), tf.float32)
