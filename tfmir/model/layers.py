"""Layers of the systems, each a thin holder of weights around a pure function of tensors (`subspaces.py`)."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfmir.model.subspaces import in_notion, subspace_unit, unit
from tfmir.params import FeatureParams

# The logits of unit vectors start with this standard deviation. Initialisers made for inputs of unit variance per
# component (Glorot's) would start them at a few hundredths, and the encoder would hardly hear the loss.
_LOGIT_DEVIATION = 0.5


@keras.saving.register_keras_serializable("tfmir")
class ZScore(keras.layers.Layer):
    """`(log_mel - mean) / deviation` with the constants of the feature parameters; adds a channel axis.

    float [batch, frames, mels] -> float [batch, frames, mels, 1].
    """

    def __init__(self, *, mean: float = FeatureParams.mean, deviation: float = FeatureParams.deviation, **kwargs: Any):
        super().__init__(**{**kwargs, "autocast": False})
        self.mean = mean
        self.deviation = deviation

    def call(self, log_mel: tf.Tensor) -> tf.Tensor:
        """Applies the z-score, in the precision of the log-mel: a difference of numbers needs their digits."""
        return tf.cast(tf.expand_dims((log_mel - self.mean) / self.deviation, -1), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "mean": self.mean, "deviation": self.deviation}


@keras.saving.register_keras_serializable("tfmir")
class TagVectors(keras.layers.Layer):
    """One learnt vector a tag, without bias and not normalised: logits `f · p_z` or `f · c_z`
    (paper, eqs. 6, 7, 8, 9 and 11).

    With masks, a tag's vector lives in its notion's sub-space only; all notions are one matrix product.

    Args:
      mask: 0/1 float [dim, tags], or None for vectors over the whole space.
      prevalence: float [tags] in (0, 1): share of the training tracks that carry the tag. Where given, the
        vectors start with the constant component that makes `sigmoid(f · p_z)` about the prevalence for a
        non-negative `f` of unit norm; training then need not spend its first epochs on tag frequencies.
      unit_inputs: whether the embeddings have unit norm. If not, the vectors start with Glorot's deviation and
        without the prevalence, which is meant for one norm only.
    """

    def __init__(
        self,
        *,
        tags: int,
        mask: Any = None,
        prevalence: Any = None,
        unit_inputs: bool = True,
        **kwargs: Any,
    ):
        super().__init__(**{**kwargs, "dtype": "float32"})  # also under mixed precision: logits need the digits
        self.tags = tags
        self.unit_inputs = unit_inputs
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
        return {**super().get_config(), "tags": self.tags, "unit_inputs": self.unit_inputs, **arrays}

    def _arrays(self) -> dict[str, np.ndarray | None]:
        return {"mask": self.mask, "prevalence": self.prevalence}

    def _initial_vectors(self, shape: tuple[int, int], dtype: Any = None) -> tf.Tensor:
        if not self.unit_inputs:
            return keras.initializers.GlorotUniform()(shape, dtype=dtype)
        vectors = keras.initializers.RandomNormal(stddev=_LOGIT_DEVIATION)(shape, dtype=dtype)
        if self.prevalence is None:
            return vectors
        dim = shape[0] if self.mask is None else int(self.mask[:, 0].sum())
        # A ReLU of centred noise: half the units are 0, and sum / norm = sqrt(dim / pi).
        sum_of_unit_vector = np.sqrt(dim / np.pi)
        share = np.clip(self.prevalence, 1e-4, 1 - 1e-4)
        return vectors + (np.log(share / (1 - share)) / sum_of_unit_vector).astype(np.float32)


@keras.saving.register_keras_serializable("tfmir")
class Prototypes(keras.layers.Layer):
    """One embedding a tag, not learnt but set after training: the mean of the training tracks that carry it.

    It is how a system that has seen no tags scores them (paper, section 4.3.3): cosine of a track and the prototype,
    inside the notion's sub-space where there is one. The paper does not say in which space: `in_whole` is the other.

    Args:
      notion_of_tag: int [tags], the sub-space of each tag; all 0 for a system with one space.
      notions: how many equal parts the embedding has.
    """

    def __init__(self, *, notion_of_tag: Any, notions: int, **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.notion_of_tag = np.asarray(notion_of_tag, np.int64)
        self.notions = notions

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates `vectors`, float32 [tags, dim], zero until they are set."""
        shape = (len(self.notion_of_tag), int(input_shape[-1] or 0))
        self.vectors = self.add_weight(shape=shape, initializer="zeros", trainable=False, name="vectors")
        super().build(input_shape)

    def call(self, embedding: tf.Tensor) -> tf.Tensor:
        """float32 [batch, dim] -> cosines float32 [batch, tags], in [0, 1] as an embedding is never negative."""
        vectors = subspace_unit(tf.convert_to_tensor(self.vectors), self.notions)
        vectors = in_notion(vectors, self.notion_of_tag, self.notions)
        cosines = tf.matmul(subspace_unit(embedding, self.notions), vectors, transpose_b=True)
        return tf.clip_by_value(cosines, 0.0, 1.0)

    def in_whole(self, embedding: tf.Tensor) -> tf.Tensor:
        """The same cosines over the whole space, whatever sub-spaces there are."""
        cosines = tf.matmul(unit(embedding), unit(tf.convert_to_tensor(self.vectors)), transpose_b=True)
        return tf.clip_by_value(cosines, 0.0, 1.0)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "notion_of_tag": self.notion_of_tag.tolist(), "notions": self.notions}


@keras.saving.register_keras_serializable("tfmir")
class SubDense(keras.layers.Layer):
    """A dense layer with ReLU for each notion, side by side: [batch, channels] -> [batch, notions * units].

    Args:
      units: width of each.
      notions: how many.
    """

    def __init__(self, units: int, notions: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.units, self.notions = units, notions
        self.parts = [
            keras.layers.Dense(units, activation="relu", kernel_initializer="he_uniform", name=f"part_{index}")
            for index in range(notions)
        ]

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Builds every part."""
        for part in self.parts:
            part.build(input_shape)
        super().build(input_shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Concatenates the parts."""
        return tf.concat([part(x) for part in self.parts], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "units": self.units, "notions": self.notions}
