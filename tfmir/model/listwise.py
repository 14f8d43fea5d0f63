"""Lists instead of triplets: every excerpt ranks all others of its batch, and those that share more of its tags come
first. Pure functions of tensors.

For an anchor i and the excerpts j of other tracks that carry a tag, with cosines C and labels y,

    P_ij = J(y_i, y_j) / sum_k J(y_i, y_k)                 the target; J(a, b) = |a ∩ b| / |a ∪ b|, Jaccard's overlap
    Q_ij = exp(C_ij / τ) / sum_k exp(C_ik / τ)             the prediction
    loss_i = -sum_j P_ij log Q_ij                                                                             (1)

An anchor that shares no tag with another track has no target and does not count. An excerpt without a tag is in no
list: of a notion that a tenth of the tracks are annotated with, nobody knows how near the others should be.

The cross-entropy of two distributions over a list is ListNet's loss (Cao et al., Learning to Rank: From Pairwise
Approach to Listwise Approach, ICML 2007); where every track has one tag, (1) is the supervised contrastive loss (Khosla
et al., NeurIPS 2020, eq. 2).

Under a distribution strategy each replica, of one machine or of several, compares the excerpts of its own share of the
batch: nothing is exchanged.
"""

from __future__ import annotations

import tensorflow as tf


def listwise(embeddings: tf.Tensor, labels: tf.Tensor, track: tf.Tensor, *, temperature: float) -> tf.Tensor:
    """The mean of (1) over the anchors, in several spaces at once.

    Args:
      embeddings: float32 [spaces, n, dim], rows of norm 1, or 0 where a sub-space is dead.
      labels: 0/1 [spaces, n, tags], the tags that count in each space.
      track: int [n], equal for excerpts of one track, which are not compared.
      temperature: τ, above 0.

    Returns:
      float32 [spaces], in nats; 0, without gradient, in a space where no excerpt shares a tag with another track.
    """
    others = tf.not_equal(track[:, tf.newaxis], track[tf.newaxis])  # [n, n]
    target, is_anchor = neighbours(labels, others)
    listed = others & tf.reduce_any(labels > 0, axis=-1)[:, tf.newaxis]  # [spaces, n, n]
    cosines = tf.matmul(embeddings, embeddings, transpose_b=True)  # [spaces, n, n]
    log_prediction = tf.nn.log_softmax(tf.where(listed, cosines / temperature, tf.float32.min), axis=-1)
    # An excluded pair is as good as -inf, which times a target of 0 would be NaN.
    losses = -tf.reduce_sum(target * tf.where(listed, log_prediction, 0.0), axis=-1)  # [spaces, n]
    anchors = tf.reduce_sum(tf.cast(is_anchor, tf.float32), axis=-1)
    return tf.math.divide_no_nan(tf.reduce_sum(losses, axis=-1), anchors)


def neighbours(labels: tf.Tensor, others: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """P of (1) and which excerpts are anchors.

    Args:
      labels: 0/1 [spaces, n, tags].
      others: bool [n, n], whether two excerpts are of different tracks.

    Returns:
      float32 [spaces, n, n], rows that sum to 1, or to 0 where an excerpt is no anchor; bool [spaces, n].
    """
    shares = tf.where(others, overlap(labels), 0.0)
    totals = tf.reduce_sum(shares, axis=-1, keepdims=True)
    return tf.math.divide_no_nan(shares, totals), totals[..., 0] > 0


def overlap(labels: tf.Tensor) -> tf.Tensor:
    """Jaccard's overlap of every two rows' tags: 0/1 [..., n, tags] -> float32 [..., n, n]; 0 where both have none.

    >>> print(overlap(tf.constant([[1, 1, 0], [0, 1, 1]])).numpy().round(2))
    [[1.   0.33]
     [0.33 1.  ]]
    """
    labels = tf.cast(labels, tf.float32)
    both = tf.matmul(labels, labels, transpose_b=True)
    sizes = tf.reduce_sum(labels, axis=-1)
    either = sizes[..., :, tf.newaxis] + sizes[..., tf.newaxis, :] - both
    return tf.math.divide_no_nan(both, either)
