"""Losses as pure functions of tensors: one value per example, so that the caller decides how to average."""

from __future__ import annotations

import numpy as np
import tensorflow as tf


def multi_label_cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Binary cross-entropy summed over the tags (paper, eqs. 3 and 6; the sum is the paper's).

    Args:
      labels: 0/1 [batch, tags].
      logits: float32 [batch, tags], before the sigmoid.

    Returns:
      float32 [batch], in nats.
    """
    labels = tf.cast(labels, logits.dtype)
    return tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits), axis=-1)


def entropy_floor(prevalence: np.ndarray) -> float:
    """What `multi_label_cross_entropy` comes to for a model that knows the tags' frequencies and nothing else.

    A loss that has fallen to this floor has learnt nothing yet.

    Args:
      prevalence: [tags], share of tracks that carry each tag, in [0, 1].

    Returns:
      The sum of the tags' binary entropies, in nats.

    >>> round(entropy_floor(np.array([0.5, 0.0])), 4)
    0.6931
    """
    shares = np.stack([prevalence, 1.0 - np.asarray(prevalence)])
    logs = np.log(np.where(shares > 0, shares, 1.0))
    return float(-(shares * logs).sum())
