"""Systems that learn to predict the tags: proxies and classification (paper, sections 3.2 and 3.3).

With sub-spaces the two are the same function (paper, eqs. 10 and 11); what differs is where it is cut: a proxy system
masks one embedding, a classification system has a sub-dense layer per notion.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfmir.model.layers import SubDense, TagVectors
from tfmir.model.losses import annotation_weights, entropy_floor, multi_label_cross_entropy
from tfmir.model.system import System, Targets
from tfmir.params import NetworkParams
from tfmir.vocabulary import Vocabulary


class TaggingSystem(System):
    """Cross-entropy summed over the tags; a subclass gives `logits`, and the vectors that they come from.

    Args:
      params: sizes and switches of the network.
      vocabulary: tags and notions.
      prevalence: float [tags], share of the training tracks with each tag; None where weights are loaded next.
      validation_prevalence: the same for the validation tracks; only reported figures depend on it.
    """

    def __init__(
        self,
        params: NetworkParams,
        vocabulary: Vocabulary,
        *,
        prevalence: Any = None,
        validation_prevalence: Any = None,
    ):
        super().__init__(params, vocabulary)
        self.floors = tuple(0.0 if p is None else entropy_floor(p) for p in (prevalence, validation_prevalence))
        self.above_floor_mean = keras.metrics.Mean("above_floor")
        self._make_vectors(prevalence)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Those of every system, and the loss above the tag-frequency floor."""
        return [*super().metrics, self.above_floor_mean]

    def call(self, log_mel: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Logits float32 [batch, tags] of excerpts float32 [batch, frames, mels]."""
        return self.logits(self.encode(log_mel, training=training))

    def logits(self, f: tf.Tensor) -> tf.Tensor:
        """Similarity to every tag's vector: [batch, dim] -> float32 [batch, tags]."""
        raise NotImplementedError

    def scores(self, embedding: tf.Tensor) -> tf.Tensor:
        """Probability of every tag: [batch, dim] -> float32 [batch, tags]."""
        return tf.sigmoid(self.logits(embedding))

    def batch_loss(self, f: tf.Tensor, targets: Targets, *, training: bool) -> tf.Tensor:
        """The mean cross-entropy; `targets` hold `labels` 0/1 [n, tags] and `track` int64 [n]."""
        return self._cross_entropy(f, targets["labels"], training=training)

    def _make_vectors(self, prevalence: Any) -> None:
        """Makes the layers of the tags' vectors; the constructor calls it."""
        raise NotImplementedError

    def _cross_entropy(self, f: tf.Tensor, labels: tf.Tensor, *, training: bool, added: Any = 0.0) -> tf.Tensor:
        """Mean cross-entropy plus a scalar that is `added` to it, and their metrics."""
        logits, unannotated = self.logits(f), self.params.system.unannotated_weight
        losses = plain = multi_label_cross_entropy(labels, logits)
        if unannotated < 1.0:
            weights = annotation_weights(labels, self.vocabulary.notion_of_tag, unannotated=unannotated)
            losses = multi_label_cross_entropy(labels, logits, weights)
        # Means over examples, not over batches: replicas and last batches may differ in size.
        self.loss_mean.update_state(losses + added)
        self.above_floor_mean.update_state(plain - self.floors[0 if training else 1])
        return tf.reduce_mean(losses) + added


class ProxySystem(TaggingSystem):
    """Proxy-based metric learning: sigmoid of the similarity to a learnt vector per tag (paper, eqs. 4, 6 and 7)."""

    def logits(self, f: tf.Tensor) -> tf.Tensor:
        """Similarity to every proxy from an embedding of any norm: [batch, dim] -> float32 [batch, tags]."""
        return self.proxies(self.subspaces(f))

    def _make_vectors(self, prevalence: Any) -> None:
        masks = self.vocabulary.masks(self.params.encoder.embedding_dim) if self.params.system.disentangled else None
        self.proxies = TagVectors(
            tags=len(self.vocabulary.tags),
            mask=None if masks is None else masks[self.vocabulary.notion_of_tag].T,  # [dim, tags]
            prevalence=prevalence,
            name="proxies",
        )


class ClassificationSystem(TaggingSystem):
    """Classification: sigmoid(f · c_z), sigmoid(f/‖f‖ · c_z) (paper, eq. 8), or sigmoid(h_s/‖h_s‖ · c_z) (eq. 11).

    The first, without a norm, is the plain classifier of Table 1; the paper gives it no equation.
    """

    def logits(self, f: tf.Tensor) -> tf.Tensor:
        """Similarity to every tag's vector; the tags are numbered notion by notion: [batch, dim] -> [batch, tags]."""
        parts = tf.split(self.subspaces(f), self.notions, axis=-1)  # each [batch, dim / notions]
        return tf.concat([c(part) for c, part in zip(self.classifiers, parts, strict=True)], axis=-1)

    def _make_vectors(self, prevalence: Any) -> None:
        groups = [self.vocabulary.tags_of(notion) for notion in self.vocabulary.notions]
        if not self.params.system.disentangled:
            groups = [np.arange(len(self.vocabulary.tags))]
        self.classifiers = [
            TagVectors(
                tags=len(tags),
                unit_inputs=self.params.system.normalized,
                prevalence=None if prevalence is None else prevalence[tags],
                name=f"classes_{index}",
            )
            for index, tags in enumerate(groups)
        ]

    def _make_embedding_layer(self) -> keras.layers.Layer:
        if not self.params.system.disentangled:
            return super()._make_embedding_layer()
        return SubDense(self.params.encoder.embedding_dim // self.notions, self.notions, name="embedding")
