"""Batch normalisation that is fast on one device and exact over several."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

# oneDNN normalises bfloat16 without vectors where channels do not fill them: slower than float32, both casts included.
_VECTOR = 16


@keras.saving.register_keras_serializable("tfmir")
class BatchNorm(keras.layers.Layer):
    """Batch normalisation over all axes but the last, with learnt scale and offset.

    On one replica it is TensorFlow's fused operation (Keras 3's own layer is not fused and costs several times
    as much CPU time); on several, of one machine or of many, the moments are averaged over all replicas, so that N
    replicas train to the same weights as one on the same global batch.

    Args:
      momentum: share of the old moving moments kept at each step.
      epsilon: added to the variance.
    """

    def __init__(self, *, momentum: float = 0.95, epsilon: float = 1e-3, **kwargs: Any):
        super().__init__(**kwargs)
        self.momentum = momentum
        self.epsilon = epsilon

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates scale, offset and the moving moments, each float32 [channels]."""
        shape = (input_shape[-1],)
        self.scale = self.add_weight(shape=shape, initializer="ones", name="scale", dtype="float32", autocast=False)
        self.offset = self.add_weight(shape=shape, initializer="zeros", name="offset", dtype="float32", autocast=False)
        self.moving_mean = self._moving(shape, "zeros", "moving_mean")
        self.moving_variance = self._moving(shape, "ones", "moving_variance")
        super().build(input_shape)

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """float [batch, ..., channels], normalised; the moving moments follow in training."""
        if not training:
            return self._fused(x, self.moving_mean, self.moving_variance, training=False)[0]
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        if replicas > 1 and not tf.distribute.in_cross_replica_context():
            y, mean, variance = self._synchronised(x)
        else:
            y, mean, variance = self._fused(x, None, None, training=True)
        if not tf.distribute.in_cross_replica_context() or replicas == 1:
            self._follow(self.moving_mean, mean)
            self._follow(self.moving_variance, variance)
        return y

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "momentum": self.momentum, "epsilon": self.epsilon}

    def _moving(self, shape: tuple[int | None, ...], initializer: str, name: str) -> keras.Variable:
        """A moment that every replica follows in its own copy: all compute the same, so none need be exchanged.

        Nor when it is read: a mean over the replicas would need all machines at it whenever one of them saves weights.
        """
        return keras.Variable(
            keras.initializers.get(initializer),
            shape=shape,
            dtype="float32",
            trainable=False,
            autocast=False,
            aggregation="only_first_replica",
            synchronization="on_read",
            name=name,
        )

    def _fused(self, x: tf.Tensor, mean: Any, variance: Any, *, training: bool) -> Any:
        images = x if x.shape.rank == 4 else tf.reshape(x, [-1, 1, 1, x.shape[-1]])  # it takes nothing else
        y, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            images if x.shape[-1] % _VECTOR == 0 else tf.cast(images, tf.float32),
            tf.convert_to_tensor(self.scale),
            tf.convert_to_tensor(self.offset),
            mean=None if mean is None else tf.convert_to_tensor(mean),
            variance=None if variance is None else tf.convert_to_tensor(variance),
            epsilon=self.epsilon,
            is_training=training,
        )
        return tf.cast(y if x.shape.rank == 4 else tf.reshape(y, tf.shape(x)), x.dtype), mean, variance

    def _synchronised(self, x: tf.Tensor) -> Any:
        """Moments over the global batch: the replicas' means of x and x² are averaged (equal shares)."""
        wide = tf.cast(x, tf.float32)
        context = tf.distribute.get_replica_context()
        axes = list(range(x.shape.rank - 1))
        local = tf.stack([tf.reduce_mean(wide, axes), tf.reduce_mean(tf.square(wide), axes)])
        mean, square = tf.unstack(context.all_reduce(tf.distribute.ReduceOp.MEAN, local))
        variance = tf.maximum(square - tf.square(mean), 0.0)
        y = tf.nn.batch_normalization(wide, mean, variance, self.offset, self.scale, self.epsilon)
        count = tf.cast(tf.size(x) // x.shape[-1] * context.num_replicas_in_sync, tf.float32)
        # The fused operation stores the unbiased variance in the moving moments; so does this branch.
        return tf.cast(y, x.dtype), mean, variance * count / tf.maximum(count - 1.0, 1.0)

    def _follow(self, moving: Any, value: tf.Tensor) -> None:
        moving.assign(moving * self.momentum + value * (1.0 - self.momentum))
