"""Losses as pure functions of tensors: one value per example, so that the caller decides how to average."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from tfmir.model.mining import Triplets


def multi_label_cross_entropy(labels: tf.Tensor, logits: tf.Tensor, weights: tf.Tensor | None = None) -> tf.Tensor:
    """Binary cross-entropy summed over the tags (paper, eq. 5).

    Args:
      labels: 0/1 [batch, tags].
      logits: float32 [batch, tags], before the sigmoid.
      weights: float32 [batch, tags], of every summand; None: 1.

    Returns:
      float32 [batch], in nats.
    """
    labels = tf.cast(labels, logits.dtype)
    losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)
    return tf.reduce_sum(losses if weights is None else weights * losses, axis=-1)


def annotation_weights(labels: tf.Tensor, notion_of_tag: np.ndarray, *, unannotated: float) -> tf.Tensor:
    """What each tag of an excerpt weighs: 1, or `unannotated` where the excerpt has no tag of the tag's notion.

    Where labels are sparse, an excerpt without any mood is far more often one that nobody has asked for its mood than
    one that has none (of MSD's test tracks 13 % carry a mood), so its zeros say little. Not in the paper.

    Args:
      labels: 0/1 [batch, tags].
      notion_of_tag: int [tags].
      unannotated: from 0, such zeros are unknown, to 1, they are as good as any.

    Returns:
      float32 [batch, tags].
    """
    same_notion = tf.constant(notion_of_tag[:, np.newaxis] == notion_of_tag, tf.float32)  # [tags, tags]
    annotated = tf.matmul(tf.cast(labels, tf.float32), same_notion) > 0
    return tf.where(annotated, 1.0, unannotated)


@dataclasses.dataclass(frozen=True)
class Hinge:
    """What the triplets of each of n anchors come to, all float32 [n].

    Attributes:
      total: the sum of their losses.
      valid: how many triplets there are.
      active: how many of them have a loss.
    """

    total: tf.Tensor
    valid: tf.Tensor
    active: tf.Tensor

    def mean(self) -> tf.Tensor:
        """The mean over each anchor's triplets, and then over the anchors that have one.

        So an anchor counts once, however many triplets it has, and a rare tag as much as a frequent one.

        Returns:
          float32 scalar; 0, without gradient, where there is no triplet.
        """
        of_anchors = tf.math.divide_no_nan(self.total, self.valid)
        anchors = tf.reduce_sum(tf.cast(self.valid > 0, tf.float32))
        return tf.math.divide_no_nan(tf.reduce_sum(of_anchors), anchors)


def triplet_hinge(similarity: tf.Tensor, triplets: Triplets, *, margin: float) -> Hinge:
    """`max(0, cos(a, n) - cos(a, p) + margin)` of one triplet for each anchor (paper, section 3.1, eqs. 1 and 2).

    Args:
      similarity: float32 [n, m], row i seen from anchor i.
      triplets: columns of it for each row.
      margin: a difference of cosines.
    """
    positive, negative = (tf.gather(similarity, i, batch_dims=1) for i in (triplets.positive, triplets.negative))
    losses = tf.where(triplets.valid, tf.nn.relu(negative - positive + margin), 0.0)
    return Hinge(losses, tf.cast(triplets.valid, tf.float32), tf.cast(losses > 0, tf.float32))


def all_triplets_hinge(similarity: tf.Tensor, positives: tf.Tensor, negatives: tf.Tensor, *, margin: float) -> Hinge:
    """The same of every positive of every anchor with every one of its negatives.

    Hermans, Beyer and Leibe, In Defense of the Triplet Loss for Person Re-Identification, 2017, section 2, "batch all".

    Up to n·m² triplets, none of which is written down: a triplet has a loss where cos(a, n) > cos(a, p) - margin, so
    sorting says how many of its triplets with a loss a cosine is part of, and their sum is linear in the cosines.

    Args:
      similarity: float32 [n, m], row i seen from anchor i.
      positives: bool [n, m], whether excerpt j (column) is a positive of anchor i (row).
      negatives: bool [n, m], the same for negatives.
      margin: a difference of cosines.
    """
    # A column in front, which is neither, keeps the search defined for an empty batch.
    cosines, *masks = (tf.pad(x, [[0, 0], [1, 0]]) for x in (tf.stop_gradient(similarity), positives, negatives))
    threshold = tf.where(masks[0], cosines - margin, float("inf"))  # that a negative must exceed
    candidate = tf.where(masks[1], cosines, -float("inf"))
    below = tf.searchsorted(tf.sort(threshold), candidate, side="left")[:, 1:]  # positives to each negative
    reached = tf.searchsorted(tf.sort(candidate), threshold, side="right")[:, 1:]
    above = tf.shape(cosines)[1] - reached  # negatives to each positive
    active = tf.cast(tf.reduce_sum(below, axis=1), tf.float32)
    total = tf.reduce_sum(tf.cast(below - above, tf.float32) * similarity, axis=1) + margin * active
    valid = (tf.reduce_sum(tf.cast(mask, tf.float32), axis=1) for mask in (positives, negatives))
    return Hinge(total, tf.multiply(*valid), active)


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
