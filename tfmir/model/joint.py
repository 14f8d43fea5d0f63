"""The ninth system: tags from proxies, and neighbours from lists, on the same embeddings (not in the paper)."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmir.model.listwise import listwise
from tfmir.model.subspaces import split_notions, unit
from tfmir.model.system import Targets
from tfmir.model.tagging import ProxySystem
from tfmir.params import NetworkParams
from tfmir.vocabulary import Vocabulary


class JointSystem(ProxySystem):
    """The disentangled proxy loss, plus the listwise loss inside every sub-space and in the whole space.

        loss = proxy + list_weight · sum_s listwise(notion s) + whole_weight · listwise(all tags)

    The proxy loss takes a notion that an excerpt has no tag of for not annotated (`unannotated_weight`), the lists
    leave it out. A notion's term is a mean over its own anchors, so a notion that a tenth of the tracks carry weighs as
    much as one that all carry. The proxy loss leaves the norms of the sub-spaces free; the term over the whole space
    sets them.
    """

    def __init__(self, params: NetworkParams, vocabulary: Vocabulary, **prevalences: Any):
        super().__init__(params, vocabulary, **prevalences)
        self.list_mean = keras.metrics.Mean("listwise")
        self.whole_mean = keras.metrics.Mean("listwise_whole")

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Those of the proxy system, and the two listwise terms without their weights."""
        return [*super().metrics, self.list_mean, self.whole_mean]

    def batch_loss(self, f: tf.Tensor, targets: Targets, *, training: bool) -> tf.Tensor:
        """The sum that is minimised, which the metric `loss` shows."""
        labels, track, switches = targets["labels"], targets["track"], self.params.system
        parts = split_notions(self.subspaces(f), self.notions)  # [notions, n, dim / notions]
        of_notions = labels * tf.one_hot(self.notion_of_tag, self.notions, axis=0)[:, tf.newaxis]  # [notions, n, tags]
        lists = tf.reduce_sum(listwise(parts, of_notions, track, temperature=switches.list_temperature))
        whole = listwise(unit(f)[tf.newaxis], labels[tf.newaxis], track, temperature=switches.whole_temperature)[0]
        self.list_mean.update_state(lists, sample_weight=tf.shape(f)[0])
        self.whole_mean.update_state(whole, sample_weight=tf.shape(f)[0])
        added = switches.list_weight * lists + switches.whole_weight * whole
        return self._cross_entropy(f, labels, training=training, added=added)
