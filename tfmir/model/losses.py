"""Losses as pure functions of tensors: one value per example, so that the caller decides how to average."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfmir.model.mining import Triplets


def multi_label_cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Binary cross-entropy summed over the tags (paper, eq. 5).

    Args:
      labels: 0/1 [batch, tags].
      logits: float32 [batch, tags], before the sigmoid.

    Returns:
      float32 [batch], in nats.
    """
    labels = tf.cast(labels, logits.dtype)
    return tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits), axis=-1)


def triplet_hinge(similarity: tf.Tensor, triplets: Triplets, *, margin: float) -> tf.Tensor:
    """`max(0, cos(a, n) - cos(a, p) + margin)` of every triplet (paper, section 3.1, eqs. 1 and 2).

    Args:
      similarity: float32 [n, m], row i seen from anchor i.
      triplets: index tuples into it.
      margin: a difference of cosines.

    Returns:
      float32 [triplets]; 0 for one that is not valid.
    """

    def pick(other: tf.Tensor) -> tf.Tensor:
        return tf.gather_nd(similarity, tf.stack([triplets.anchor, other], axis=1))

    hinge = tf.nn.relu(pick(triplets.negative) - pick(triplets.positive) + margin)
    return tf.where(triplets.valid, hinge, 0.0)


def mean_over_anchors(losses: tf.Tensor, triplets: Triplets, *, count: tf.Tensor) -> tf.Tensor:
    """The mean over each anchor's valid triplets, and then over the anchors that have one.

    So an anchor counts once, however many triplets it has, and a rare tag as much as a frequent one.

    Args:
      losses: float32 [triplets], 0 where a triplet is not valid.
      triplets: their index tuples.
      count: int scalar n, how many anchors there could be.

    Returns:
      float32 scalar; 0, without gradient, where no triplet is valid.
    """
    valid = tf.math.unsorted_segment_sum(tf.cast(triplets.valid, losses.dtype), triplets.anchor, count)  # [n]
    of_anchors = tf.math.divide_no_nan(tf.math.unsorted_segment_sum(losses, triplets.anchor, count), valid)
    return tf.math.divide_no_nan(tf.reduce_sum(of_anchors), tf.reduce_sum(tf.cast(valid > 0, losses.dtype)))


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
