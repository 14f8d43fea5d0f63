"""Layers of the systems, each a thin holder of weights around a pure function of tensors.

`unit` and `subspace_unit` are the numerics that every system, the evaluation and the exported signatures share.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfmir.params import FeatureParams

# Squared norms below this count as zero: far under any live ReLU embedding, far above float32's denormals.
_ZERO_NORM_SQ = 1e-20

# The logits of unit vectors start with this standard deviation. Initialisers made for inputs of unit variance per
# component (Glorot's) would start them at a few hundredths, and the encoder would hardly hear the loss.
_LOGIT_DEVIATION = 0.5


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
    parts = tf.reshape(x, [-1, notions, x.shape[-1] // notions])  # [batch, notions, dim / notions]
    return tf.reshape(unit(parts), [-1, x.shape[-1]])


def subspace_norms(x: tf.Tensor, notions: int) -> tf.Tensor:
    """float32 [batch, notions]: the norm of each notion's part of `x` [batch, dim]."""
    return tf.norm(tf.cast(tf.reshape(x, [-1, notions, x.shape[-1] // notions]), tf.float32), axis=-1)


@keras.saving.register_keras_serializable("tfmir")
class ZScore(keras.layers.Layer):
    """`(log_mel - mean) / deviation` with the constants of the feature parameters; adds a channel axis.

    float [batch, frames, mels] -> float [batch, frames, mels, 1].
    """

    def __init__(self, *, mean: float = FeatureParams.mean, deviation: float = FeatureParams.deviation, **kwargs: Any):
        super().__init__(**kwargs)
        self.mean = mean
        self.deviation = deviation

    def call(self, log_mel: tf.Tensor) -> tf.Tensor:
        """Applies the z-score."""
        return tf.expand_dims((log_mel - self.mean) / self.deviation, -1)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "mean": self.mean, "deviation": self.deviation}


@keras.saving.register_keras_serializable("tfmir")
class TagVectors(keras.layers.Layer):
    """One learnt vector a tag, without bias and not normalised: logits `f · p_z` (paper, eqs. 6, 7 and 9).

    With masks, a tag's vector lives in its notion's sub-space only; all notions are one matrix product.

    Args:
      mask: 0/1 float [dim, tags], or None for vectors over the whole space.
      prevalence: float [tags] in (0, 1): share of the training tracks that carry the tag. Where given, the
        vectors start with the constant component that makes `sigmoid(f · p_z)` about the prevalence for a
        non-negative `f` of unit norm; training then need not spend its first epochs on tag frequencies.
    """

    def __init__(
        self,
        *,
        tags: int,
        mask: Any = None,
        prevalence: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**{**kwargs, "dtype": "float32"})  # also under mixed precision: logits need the digits
        self.tags = tags
        self.mask = None if mask is None else np.asarray(mask, np.float32)
        self.prevalence = None if prevalence is None else np.asarray(prevalence, np.float32)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates `vectors`, float32 [dim, tags]."""
        dim = int(input_shape[-1] or 0)
        self.vectors = self.add_weight(shape=(dim, self.tags), initializer=self._initial_vectors, name="vectors")
        super().build(input_shape)

    def call(self, embedding: tf.Tensor) -> tf.Tensor:
        """float32 [batch, dim] -> logits float32 [batch, tags]."""
        vectors = tf.convert_to_tensor(self.vectors)
        if self.mask is not None:
            vectors = vectors * self.mask
        return tf.matmul(tf.cast(embedding, tf.float32), vectors)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        arrays = {name: None if a is None else a.tolist() for name, a in self._arrays().items()}
        return {**super().get_config(), "tags": self.tags, **arrays}

    def _arrays(self) -> dict[str, np.ndarray | None]:
        return {"mask": self.mask, "prevalence": self.prevalence}

    def _initial_vectors(self, shape: tuple[int, int], dtype: Any = None) -> tf.Tensor:
        vectors = keras.initializers.RandomNormal(stddev=_LOGIT_DEVIATION)(shape, dtype=dtype)
        if self.prevalence is None:
            return vectors
        dim = shape[0] if self.mask is None else int(self.mask[:, 0].sum())
        # A ReLU of centred noise: half the units are 0, and sum / norm = sqrt(dim / pi).
        sum_of_unit_vector = np.sqrt(dim / np.pi)
        share = np.clip(self.prevalence, 1e-4, 1 - 1e-4)
        return vectors + (np.log(share / (1 - share)) / sum_of_unit_vector).astype(np.float32)
