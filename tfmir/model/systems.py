"""The systems of the paper's Table 1: an encoder, an embedding, and what is learnt on top of it.

    log-mel excerpt [batch, 129, 128] -> encoder -> dense, ReLU -> f [batch, dim] -> logits [batch, tags]

A track is the mean of its excerpts' embeddings; everything that evaluation, search and serving know of a track
(sub-spaces, tag scores) is computed from that one vector.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfmir.model.encoder import build_encoder
from tfmir.model.layers import TagVectors, subspace_norms, subspace_unit, unit
from tfmir.model.losses import entropy_floor, multi_label_cross_entropy
from tfmir.params import RunParams
from tfmir.vocabulary import Vocabulary


class System(keras.Model):
    """What all systems share: the embedding, the training step and its metrics.

    A subclass gives `example_losses`. To do without this class, call `build_encoder` and the functions of
    `layers.py` and `losses.py` in a loop of your own; nothing else is hidden here.

    Args:
      params: sizes and switches of the run.
      vocabulary: tags and notions.
      prevalence: float [tags], share of the training tracks with each tag; None where weights are loaded next.
      validation_prevalence: the same for the validation tracks; only the reported `above_floor` depends on it.
    """

    def __init__(
        self,
        params: RunParams,
        vocabulary: Vocabulary,
        *,
        prevalence: np.ndarray | None = None,
        validation_prevalence: np.ndarray | None = None,
    ):
        super().__init__(name=params.system.system)
        self.params = params
        self.vocabulary = vocabulary
        self.notions = len(vocabulary.notions) if params.system.disentangled else 1
        vocabulary.subspace_dim(params.encoder.embedding_dim) if params.system.disentangled else None
        self.floors = tuple(0.0 if p is None else entropy_floor(p) for p in (prevalence, validation_prevalence))
        self.encoder = build_encoder(params.encoder, params.features)
        self.embedding_layer = keras.layers.Dense(
            params.encoder.embedding_dim, activation="relu", kernel_initializer="he_uniform", name="embedding"
        )
        self.loss_mean = keras.metrics.Mean("loss")
        self.above_floor_mean = keras.metrics.Mean("above_floor")
        self.dead_mean = keras.metrics.Mean("dead_share")

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Loss, loss above the tag-frequency floor, and the share of sub-spaces that are all zero."""
        return [self.loss_mean, self.above_floor_mean, self.dead_mean]

    def features(self, log_mel: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The embedding layer's output f, not normalised: float32 [batch, frames, mels] -> [batch, dim], >= 0."""
        return tf.cast(self.embedding_layer(self.encoder(log_mel, training=training)), tf.float32)

    def normalise(self, f: tf.Tensor) -> tf.Tensor:
        """The whole-space embedding of one excerpt or of a mean over excerpts: unit norm, or zero if dead."""
        return unit(f)

    def subspaces(self, embedding: tf.Tensor) -> tf.Tensor:
        """Every notion's part divided by its own norm, side by side: [batch, dim] -> [batch, dim]."""
        return subspace_unit(embedding, self.notions)

    def track_embedding(self, excerpts: tf.Tensor) -> tf.Tensor:
        """float32 [batch, k, frames, mels] -> [batch, dim]: the mean over the excerpts, normalised."""
        batch, k = tf.shape(excerpts)[0], tf.shape(excerpts)[1]
        flat = tf.reshape(excerpts, [batch * k, *excerpts.shape[2:]])
        embeddings = self.normalise(self.features(flat))  # [batch * k, dim]
        return self.normalise(tf.reduce_mean(tf.reshape(embeddings, [batch, k, embeddings.shape[-1]]), axis=1))

    def example_losses(self, f: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """float32 [batch]: the loss of each excerpt from its f [batch, dim] and tags [batch, tags]."""
        raise NotImplementedError

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """One optimiser step; the gradient is that of the mean over the global batch."""
        log_mel, labels, _ = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            f = self.features(log_mel, training=True)
            losses = self.example_losses(f, labels)
            # Gradients are summed over the replicas, each of which holds an equal share of the batch.
            loss = tf.reduce_mean(losses) / tf.distribute.get_strategy().num_replicas_in_sync
            scaled = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return self._updated_metrics(f, losses, self.floors[0])

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Metrics of one batch without learning."""
        log_mel, labels, _ = keras.utils.unpack_x_y_sample_weight(data)
        f = self.features(log_mel)
        return self._updated_metrics(f, self.example_losses(f, labels), self.floors[1])

    def _updated_metrics(self, f: tf.Tensor, losses: tf.Tensor, floor: float) -> dict[str, tf.Tensor]:
        # Means over examples, not over batches: replicas and last batches may differ in size.
        self.loss_mean.update_state(losses)
        self.above_floor_mean.update_state(losses - floor)
        self.dead_mean.update_state(tf.cast(subspace_norms(f, self.notions) == 0.0, tf.float32))
        return {metric.name: metric.result() for metric in self.metrics}


class ProxySystem(System):
    """Proxy-based metric learning: sigmoid of the similarity to a learnt vector per tag (paper, eqs. 7 and 9)."""

    def __init__(self, params: RunParams, vocabulary: Vocabulary, *, prevalence: Any = None, **kwargs: Any):
        super().__init__(params, vocabulary, prevalence=prevalence, **kwargs)
        masks = vocabulary.masks(params.encoder.embedding_dim) if params.system.disentangled else None
        self.proxies = TagVectors(
            tags=len(vocabulary.tags),
            mask=None if masks is None else masks[vocabulary.notion_of_tag].T,  # [dim, tags]
            prevalence=prevalence,
            name="proxies",
        )

    def call(self, log_mel: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Logits float32 [batch, tags] of excerpts float32 [batch, frames, mels]."""
        return self.logits(self.features(log_mel, training=training))

    def logits(self, f: tf.Tensor) -> tf.Tensor:
        """Similarity to every proxy from an embedding of any norm: [batch, dim] -> float32 [batch, tags]."""
        return self.proxies(self.subspaces(f))

    def scores(self, embedding: tf.Tensor) -> tf.Tensor:
        """Probability of every tag: [batch, dim] -> float32 [batch, tags]."""
        return tf.sigmoid(self.logits(embedding))

    def example_losses(self, f: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Cross-entropy summed over the tags."""
        return multi_label_cross_entropy(labels, self.logits(f))


SYSTEMS: dict[str, type[System]] = {"proxy": ProxySystem}


def build_system(params: RunParams, vocabulary: Vocabulary, **prevalences: np.ndarray | None) -> System:
    """The system that `params.system` names, with its variables created.

    Args:
      params: of the run.
      vocabulary: tags and notions.
      **prevalences: `prevalence` and `validation_prevalence`, see `System`.
    """
    system = SYSTEMS[params.system.system](params, vocabulary, **prevalences)
    system(tf.zeros([1, params.features.excerpt_frames, params.features.num_mels]))
    return system
