"""Sub-spaces and norms as pure functions of tensors: the numerics that every system and every signature share.

`tfmir/inference/subspaces.py` has their counterparts for finished embeddings, in NumPy.
"""

from __future__ import annotations

import tensorflow as tf

# Squared norms below this count as zero: far under any live ReLU embedding, far above float32's denormals.
_ZERO_NORM_SQ = 1e-20


def unit(x: tf.Tensor) -> tf.Tensor:
    """Scales the last axis to norm 1; a zero vector stays zero with gradient 0, never NaN.

    `tf.math.l2_normalize` has a finite but huge gradient at zero; a dead ReLU sub-space must not push.

    Args:
      x: float [..., dim].

    Returns:
      float [..., dim] of norm 1 or 0, computed in float32.
    """
    x = tf.cast(x, tf.float32)
    norm_sq = tf.reduce_sum(tf.square(x), axis=-1, keepdims=True)
    alive = norm_sq > _ZERO_NORM_SQ
    # Both branches of a `where` are differentiated, so the dead one must be finite before the choice.
    scale = tf.where(alive, tf.math.rsqrt(tf.where(alive, norm_sq, 1.0)), 0.0)
    return x * scale


def subspace_unit(x: tf.Tensor, notions: int) -> tf.Tensor:
    """Divides each notion's part of the embedding by its own norm (paper, eq. 9, for all notions at once).

    Because the masks m_s are disjoint, `(f∘m_s)/‖f∘m_s‖` for every s lie side by side in one vector.

    Args:
      x: float [batch, dim].
      notions: how many equal parts `dim` has.

    Returns:
      float32 [batch, dim].
    """
    return tf.reshape(unit(_parts(x, notions)), [-1, x.shape[-1]])


def split_notions(x: tf.Tensor, notions: int) -> tf.Tensor:
    """Each notion's part of the embedding as a matrix of its own: [n, dim] -> [notions, n, dim / notions]."""
    return tf.transpose(_parts(x, notions), [1, 0, 2])


def subspace_norms(x: tf.Tensor, notions: int) -> tf.Tensor:
    """float32 [batch, notions]: the norm of each notion's part of `x` [batch, dim]."""
    return tf.norm(tf.cast(_parts(x, notions), tf.float32), axis=-1)


def notion_similarity(x: tf.Tensor, notion: tf.Tensor, notions: int) -> tf.Tensor:
    """Cosines inside the sub-space of each row's own notion, as one matrix product.

    Args:
      x: float32 [n, dim], as `subspace_unit` gives it.
      notion: int [n], the notion in which row i is compared.
      notions: how many equal parts `dim` has.

    Returns:
      float32 [n, n], row i in the sub-space of `notion[i]`.
    """
    return tf.matmul(in_notion(x, notion, notions), x, transpose_b=True)


def in_notion(x: tf.Tensor, notion: tf.Tensor, notions: int) -> tf.Tensor:
    """Each row's part in the sub-space of its own notion, and zeros elsewhere: float [n, dim], int [n] -> [n, dim]."""
    return x * tf.repeat(tf.one_hot(notion, notions, dtype=x.dtype), x.shape[-1] // notions, axis=1)


def _parts(x: tf.Tensor, notions: int) -> tf.Tensor:
    """[n, dim] -> [n, notions, dim / notions]."""
    return tf.reshape(x, [-1, notions, x.shape[-1] // notions])
