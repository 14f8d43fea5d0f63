"""What all systems share: an encoder, an embedding, the training step. What is learnt on top is a subclass's.

    log-mel excerpt [batch, 129, 128] -> encoder -> dense, ReLU -> f [batch, dim] -> loss, tag scores

A track is the mean of its excerpts' embeddings; everything that evaluation, search and serving know of a track
(sub-spaces, tag scores) is computed from that one vector.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfmir.model.encoder import build_encoder
from tfmir.model.subspaces import subspace_norms, subspace_unit, unit
from tfmir.params import NetworkParams
from tfmir.vocabulary import Vocabulary

Targets = dict[str, tf.Tensor]  # what the pipeline gives beside the excerpts


class System(keras.Model):
    """The embedding, the training step and its metrics.

    A subclass gives `batch_loss`, `scores` and `call`. To do without this class, call `build_encoder` and the
    functions of `subspaces.py`, `losses.py` and `mining.py` in a loop of your own; nothing else is hidden here.

    Args:
      params: sizes and switches of the network.
      vocabulary: tags and notions.
    """

    def __init__(self, params: NetworkParams, vocabulary: Vocabulary):
        super().__init__(name=params.system.system)
        self.params = params
        self.vocabulary = vocabulary
        self.notions = len(self.spaces)
        if params.system.disentangled:
            vocabulary.subspace_dim(params.encoder.embedding_dim)  # refuses a size that does not divide
        self.encoder = build_encoder(params.encoder, params.features)
        self.embedding_layer = self._make_embedding_layer()
        self.loss_mean = keras.metrics.Mean("loss")
        self.dead_mean = keras.metrics.Mean("dead_share")

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Loss, and the share of sub-spaces that are all zero."""
        return [self.loss_mean, self.dead_mean]

    @property
    def spaces(self) -> tuple[str, ...]:
        """Names of the parts that the embedding has: the notions, or one whole."""
        return self.vocabulary.notions if self.params.system.disentangled else ("whole",)

    @property
    def notion_of_tag(self) -> np.ndarray:
        """int32 [tags]: the sub-space of each tag; all 0 for a system with one space."""
        return self.vocabulary.notion_of_tag if self.params.system.disentangled else 0 * self.vocabulary.notion_of_tag

    def encode(self, log_mel: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The embedding layer's output f, not normalised: float32 [batch, frames, mels] -> [batch, dim], >= 0."""
        return tf.cast(self.embedding_layer(self.encoder(log_mel, training=training)), tf.float32)

    def normalise(self, f: tf.Tensor) -> tf.Tensor:
        """The whole-space embedding of one excerpt or of a mean over excerpts: unit norm, or zero if dead.

        A system that is not normalised keeps f as it is.
        """
        return unit(f) if self.params.system.normalized else f

    def subspaces(self, embedding: tf.Tensor) -> tf.Tensor:
        """Every notion's part divided by its own norm, side by side: [batch, dim] -> [batch, dim]."""
        return subspace_unit(embedding, self.notions) if self.params.system.normalized else embedding

    def excerpt_embeddings(self, log_mel: tf.Tensor) -> tf.Tensor:
        """float32 [n, frames, mels] -> [n, dim]: the whole-space embedding of every excerpt."""
        return self.normalise(self.encode(log_mel))

    def track_embeddings(self, excerpts: tf.Tensor, track: tf.Tensor) -> tf.Tensor:
        """A track's embedding: the mean of its excerpts' embeddings, normalised again.

        Args:
          excerpts: float32 [n, dim], as `excerpt_embeddings` gives them.
          track: int [n], ascending from 0 without a gap: the track of each excerpt.

        Returns:
          float32 [tracks, dim].
        """
        return self.normalise(tf.math.segment_mean(excerpts, track))

    def embed(self, excerpts: tf.Tensor) -> tf.Tensor:
        """float32 [batch, k, frames, mels], k excerpts of each track -> their embeddings [batch, dim]."""
        batch, k = tf.shape(excerpts)[0], tf.shape(excerpts)[1]
        flat = tf.reshape(excerpts, [batch * k, *excerpts.shape[2:]])
        return self.track_embeddings(self.excerpt_embeddings(flat), tf.repeat(tf.range(batch), k))

    def batch_loss(self, f: tf.Tensor, targets: Targets, *, training: bool) -> tf.Tensor:
        """float32 scalar, the batch's mean loss; updates the metrics of it.

        Args:
          f: float32 [n, dim], all excerpts of the batch.
          targets: what the pipeline gives beside the excerpts.
          training: whether it is a training batch.
        """
        raise NotImplementedError

    def scores(self, embedding: tf.Tensor) -> tf.Tensor:
        """How well every tag fits, in [0, 1]: [batch, dim] -> float32 [batch, tags]."""
        raise NotImplementedError

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """One optimiser step; the gradient is that of the mean over the global batch."""
        log_mel, targets, _ = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            f = self.encode(_flat(log_mel), training=True)
            # Gradients are summed over the replicas, each of which holds an equal share of the batch.
            loss = self.batch_loss(f, targets, training=True) / tf.distribute.get_strategy().num_replicas_in_sync
            scaled = self.optimizer.scale_loss(loss)
        gradients = self._all_or_none(tape.gradient(scaled, self.trainable_variables))
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return self._results(f)

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Metrics of one batch without learning."""
        log_mel, targets, _ = keras.utils.unpack_x_y_sample_weight(data)
        f = self.encode(_flat(log_mel))
        self.batch_loss(f, targets, training=False)
        return self._results(f)

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Nothing: all variables are there, those of the optimiser too (`training.loop`).

        Keras would average a batch over the replicas, which fails over several machines (keras-team/keras#20585), and
        where a batch is shared unevenly.
        """

    def _all_or_none(self, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
        """The gradients, or NaN on every replica where float16 has overflowed on one.

        Keras' loss scaling leaves out a step that has overflowed, and asks the first replica alone.
        """
        strategy = tf.distribute.get_strategy()
        if self.compute_dtype != "float16" or strategy.num_replicas_in_sync == 1:
            return gradients
        overflown = tf.reduce_any([tf.reduce_any(~tf.math.is_finite(gradient)) for gradient in gradients])
        context = tf.distribute.get_replica_context()
        lost = context.all_reduce(tf.distribute.ReduceOp.SUM, tf.cast(overflown, tf.float32))
        return [tf.where(lost > 0.0, math.nan, gradient) for gradient in gradients]

    def _make_embedding_layer(self) -> keras.layers.Layer:
        return keras.layers.Dense(
            self.params.encoder.embedding_dim, activation="relu", kernel_initializer="he_uniform", name="embedding"
        )

    def _results(self, f: tf.Tensor) -> dict[str, tf.Tensor]:
        self.dead_mean.update_state(tf.cast(subspace_norms(f, self.notions) == 0.0, tf.float32))
        results = {metric.name: metric.result() for metric in self.metrics}
        if isinstance(tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy):
            # Over several machines Keras averages along the first axis, which no scalar has (keras-team/keras#20585).
            results = {name: value[tf.newaxis] for name, value in results.items()}
        return results


def _flat(log_mel: tf.Tensor) -> tf.Tensor:
    """All excerpts of a batch, whichever way they are grouped: [..., frames, mels] -> [n, frames, mels]."""
    return tf.reshape(log_mel, [-1, *log_mel.shape[-2:]])
