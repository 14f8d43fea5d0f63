"""Triplets out of one batch: every row of a similarity matrix is an anchor, and one negative is chosen for it and the
positive it came with. (Every triplet that the batch holds at once needs no choice: `losses.all_triplets_hinge`.)

The miner gives indices and a validity mask and no gradient; the loss takes them (`losses.triplet_hinge`). Under a
distribution strategy each replica mines its own part of the batch: negatives are not looked for elsewhere. A machine
of a cluster is a replica like any other: two machines of one device each find what one machine of two devices finds.
"""

from __future__ import annotations

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Triplets:
    """One triplet for each row of a similarity matrix [n, m]: n anchors, a row each, and m excerpts, a column each.

    Of tags both are the batch's excerpts, n = m; of tracks every second excerpt is an anchor, m = 2 n.

    Attributes:
      positive: int32 [n], column.
      negative: int32 [n], column; any number where there is none.
      valid: bool [n], whether the triplet exists; the others must not enter a loss.
    """

    positive: tf.Tensor
    negative: tf.Tensor
    valid: tf.Tensor


def lacks_tag(labels: tf.Tensor, tag: tf.Tensor) -> tf.Tensor:
    """bool [n, n]: whether excerpt j (column) lacks the tag of anchor i (row), so that it may be its negative.

    Args:
      labels: bool [n, tags].
      tag: int [n], the tag that each excerpt shares with its positive.
    """
    return tf.transpose(~tf.gather(labels, tag, axis=1))


def mine(
    similarity: tf.Tensor,
    positive: tf.Tensor,
    allowed: tf.Tensor,
    *,
    negatives: str,
    seed: tf.Tensor,
) -> Triplets:
    """Chooses one negative for every anchor.

    `random`: any allowed excerpt (the paper, section 3.1). `hard`: the allowed one most similar to the anchor.
    `semihard`: the most similar among those less similar than the positive (Schroff et al., FaceNet, CVPR 2015,
    section 3.2); an anchor without one gives no triplet.

    Args:
      similarity: float32 [n, m], row i seen from anchor i.
      positive: int32 [n], the positive of each anchor, a column.
      allowed: bool [n, m], which excerpts may be an anchor's negative.
      negatives: random, semihard or hard.
      seed: int64 [2], of the random choice.

    Returns:
      n triplets, in the order of their anchors.
    """
    similarity, positive = tf.stop_gradient(similarity), tf.cast(positive, tf.int32)
    if negatives == "semihard":
        allowed &= similarity < tf.gather(similarity, positive, batch_dims=1)[:, tf.newaxis]
    preference = tf.random.stateless_uniform(tf.shape(similarity), seed) if negatives == "random" else similarity
    preference = tf.where(allowed, preference, -tf.float32.max)
    # A column in front keeps the arg max defined for an empty batch, which a replica may get at the end of a split.
    padded = tf.pad(preference, [[0, 0], [1, 0]], constant_values=-float("inf"))
    return Triplets(
        positive=positive,
        negative=tf.maximum(tf.argmax(padded, axis=1, output_type=tf.int32) - 1, 0),
        valid=tf.reduce_any(allowed, axis=1),
    )
