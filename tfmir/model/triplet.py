"""Systems that learn from triplets (paper, section 3.1).

A batch is made of pairs of excerpts that share a tag (`tfmir/data/pairs.py`). All excerpts are encoded once, the
miner finds the negatives among them, and the hinge is taken inside the sub-space of the tag's notion.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmir.model.layers import Prototypes
from tfmir.model.losses import mean_over_anchors, triplet_hinge
from tfmir.model.mining import all_triplets, lacks_tag, mine
from tfmir.model.subspaces import notion_similarity, unit
from tfmir.model.system import System
from tfmir.params import NetworkParams, SystemParams
from tfmir.vocabulary import Vocabulary

Targets = dict[str, tf.Tensor]


class TripletTerm:
    """The hinge on a batch of pairs, with its counts.

    Args:
      params: margin, negatives, weight of the track triplets.
      notion_of_tag: int [tags], the sub-space of each tag.
      notions: how many equal parts the embedding has.
    """

    def __init__(self, params: SystemParams, *, notion_of_tag: Any, notions: int):
        self.params, self.notions = params, notions
        self.notion_of_tag = tf.constant(notion_of_tag, tf.int32)
        self.valid = keras.metrics.Sum("valid_triplets")
        self.active = keras.metrics.Sum("active_triplets")

    def __call__(self, f: tf.Tensor, parts: tf.Tensor, targets: Targets, *, step: tf.Tensor) -> tf.Tensor:
        """float32 scalar: mean hinge of the tag triplets, plus `track_weight` times that of the track triplets.

        Args:
          f: float32 [n, dim]; n runs over pairs, then the two tracks of a pair, then the excerpts of a track.
          parts: float32 [n, dim], every sub-space of f normalised.
          targets: `labels` 0/1 [pairs, 2, tags], `tag` int64 [pairs], `track` int64 [pairs, 2] and `apart` 0/1
            [pairs, 2], whether the track's excerpts overlap by half at most.
          step: int64 scalar. The random negatives depend on it and on the batch's tracks alone, so that a resumed run
            draws what the interrupted one would have drawn.
        """
        seed = tf.stack([tf.reduce_sum(targets["track"]), step])
        group = self.params.group
        rows = tf.reshape(tf.range(tf.shape(f)[0]), [-1, 2, group])  # [pairs, 2, group]
        tag = tf.repeat(targets["tag"], 2 * group)
        track = of_excerpts(targets["track"], group)
        labels = of_excerpts(targets["labels"], group) > 0
        partner = tf.reshape(rows[:, ::-1], [-1])
        similarity = notion_similarity(parts, tf.gather(self.notion_of_tag, tag), self.notions)
        # (`!=` would lose the static shape.) A track says nothing about a tag when it is compared with itself.
        others, lacks = tf.not_equal(track[:, tf.newaxis], track[tf.newaxis]), lacks_tag(labels, tag)
        loss = self._hinge(similarity, partner, positives=others & ~lacks, negatives=lacks, seed=seed)
        if self.params.track_weight:
            whole = unit(f)
            sibling = tf.reshape(rows[:, :, ::-1], [-1])
            siblings = tf.one_hot(sibling, tf.size(sibling), on_value=True, off_value=False)
            others &= (of_excerpts(targets["apart"], group) > 0)[:, tf.newaxis]
            cosines = tf.matmul(whole, whole, transpose_b=True)
            hinge = self._hinge(cosines, sibling, positives=siblings, negatives=others, seed=seed + 1)
            loss += self.params.track_weight * hinge
        return loss

    def _hinge(
        self, similarity: tf.Tensor, positive: tf.Tensor, *, positives: tf.Tensor, negatives: tf.Tensor, seed: tf.Tensor
    ) -> tf.Tensor:
        """The mean hinge; `positive` int [n] is the one excerpt of `positives` bool [n, n] that an anchor came with."""
        if self.params.negatives == "all":
            triplets = all_triplets(positives, negatives)
        else:
            allowed = negatives & tf.gather(positives, positive, batch_dims=1)[:, tf.newaxis]
            triplets = mine(similarity, positive, allowed, negatives=self.params.negatives, seed=seed)
        losses = triplet_hinge(similarity, triplets, margin=self.params.margin)
        self.valid.update_state(tf.cast(triplets.valid, tf.float32))
        self.active.update_state(tf.cast(losses > 0, tf.float32))
        return mean_over_anchors(losses, triplets, count=tf.shape(similarity)[0])


def of_excerpts(values: tf.Tensor, group: int) -> tf.Tensor:
    """What is said of tracks, said of each of their excerpts: [pairs, 2, ...] -> [pairs * 2 * group, ...]."""
    return tf.repeat(tf.reshape(values, [-1, *values.shape[2:]]), group, axis=0)


class TripletSystem(System):
    """Triplet-based metric learning; tags are scored by prototypes, which are set after training."""

    def __init__(self, params: NetworkParams, vocabulary: Vocabulary):
        super().__init__(params, vocabulary)
        self.term = TripletTerm(params.system, notion_of_tag=self.notion_of_tag, notions=self.notions)
        self.prototypes = Prototypes(notion_of_tag=self.notion_of_tag, notions=self.notions, name="prototypes")

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Those of every system, and how many triplets were valid and had a loss."""
        return [*super().metrics, self.term.valid, self.term.active]

    def call(self, log_mel: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Scores float32 [batch, tags] of excerpts float32 [batch, frames, mels]."""
        return self.scores(self.encode(log_mel, training=training))

    def scores(self, embedding: tf.Tensor) -> tf.Tensor:
        """Cosine to every tag's prototype: [batch, dim] -> float32 [batch, tags], in [0, 1]."""
        return self.prototypes(embedding)

    def batch_loss(self, f: tf.Tensor, targets: Targets, *, training: bool) -> tf.Tensor:
        """The mean hinge over the valid triplets."""
        # In validation a batch has the same random negatives in every epoch.
        step = tf.cast(self.optimizer.iterations, tf.int64) if training else tf.constant(0, tf.int64)
        value = self.term(f, self.subspaces(f), targets, step=step)
        self.loss_mean.update_state(value, sample_weight=tf.shape(f)[0])
        return value
