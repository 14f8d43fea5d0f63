"""Systems that learn from triplets (paper, section 3.1).

A batch is made of pairs of excerpts that share a tag (`tfmir/data/pairs.py`). All excerpts are encoded once, the
miner finds the negatives among them, and the hinge is taken inside the sub-space of the tag's notion. Track
regularisation adds a second excerpt of every track: twice the excerpts are encoded, and the triplets of tags are as
many as without it.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmir.model.layers import Prototypes
from tfmir.model.losses import all_triplets_hinge, triplet_hinge
from tfmir.model.mining import lacks_tag, mine
from tfmir.model.subspaces import notion_similarity, unit
from tfmir.model.system import System, Targets
from tfmir.params import NetworkParams, SystemParams
from tfmir.vocabulary import Vocabulary


class TripletTerm:
    """The hinge on a batch of pairs, with its counts: triplets of tags, and with a `track_weight` triplets of tracks.

    Triplets of tags are formed among the pairs' first excerpts alone, so that a batch has as many of them whether its
    tracks come with a second excerpt or not. Of a triplet of tracks the first excerpt is the anchor, the second the
    positive, and any excerpt of another track the negative.

    Args:
      params: margin, negatives, weight of the track triplets.
      notion_of_tag: int [tags], the sub-space of each tag.
      notions: how many equal parts the embedding has.
    """

    def __init__(self, params: SystemParams, *, notion_of_tag: Any, notions: int):
        self.params, self.notions = params, notions
        self.notion_of_tag = tf.constant(notion_of_tag, tf.int32)
        kinds = ("triplets", "track_triplets") if params.track_weight else ("triplets",)
        self.counts = {
            kind: (keras.metrics.Sum(f"valid_{kind}"), keras.metrics.Sum(f"active_{kind}")) for kind in kinds
        }

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """How many triplets were valid and how many had a loss: of tags, and apart from them of tracks."""
        return [metric for of_kind in self.counts.values() for metric in of_kind]

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
        tag, track = tf.repeat(targets["tag"], 2), of_tracks(targets["track"])  # [tracks]
        # A track says nothing about a tag when it is compared with itself. (`!=` would lose the static shape.)
        others = tf.not_equal(track[:, tf.newaxis], track[tf.newaxis])  # [tracks, tracks]
        lacks = lacks_tag(of_tracks(targets["labels"]) > 0, tag)
        first = parts[:: self.params.group]  # [tracks, dim]
        similarity = notion_similarity(first, tf.gather(self.notion_of_tag, tag), self.notions)
        number = tf.range(tf.shape(first)[0])
        partner = tf.bitwise.bitwise_xor(number, 1)
        loss = self._hinge("triplets", similarity, partner, positives=others & ~lacks, negatives=lacks, seed=seed)
        if self.params.track_weight:
            apart = of_tracks(targets["apart"])[:, tf.newaxis] > 0
            loss += self.params.track_weight * self._of_tracks(unit(f), tf.repeat(others & apart, 2, axis=1), seed + 1)
        return loss

    def _of_tracks(self, whole: tf.Tensor, negatives: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """The mean hinge of the track triplets: `whole` float32 [2 tracks, dim], `negatives` bool [tracks, 2 tracks]"""
        cosines = tf.matmul(whole[::2], whole, transpose_b=True)  # [tracks, 2 tracks]
        sibling = 2 * tf.range(tf.shape(cosines)[0]) + 1
        siblings = tf.one_hot(sibling, tf.shape(cosines)[1], on_value=True, off_value=False)
        return self._hinge("track_triplets", cosines, sibling, positives=siblings, negatives=negatives, seed=seed)

    def _hinge(
        self,
        kind: str,
        similarity: tf.Tensor,
        positive: tf.Tensor,
        *,
        positives: tf.Tensor,
        negatives: tf.Tensor,
        seed: tf.Tensor,
    ) -> tf.Tensor:
        """The mean hinge over n anchors and m excerpts; `positive` int [n] is the one of `positives` bool [n, m] that
        an anchor came with."""
        margin = self.params.margin
        if self.params.negatives == "all":
            hinge = all_triplets_hinge(similarity, positives, negatives, margin=margin)
        else:
            allowed = negatives & tf.gather(positives, positive, batch_dims=1)[:, tf.newaxis]
            triplets = mine(similarity, positive, allowed, negatives=self.params.negatives, seed=seed)
            hinge = triplet_hinge(similarity, triplets, margin=margin)
        valid, active = self.counts[kind]
        valid.update_state(hinge.valid)
        active.update_state(hinge.active)
        return hinge.mean()


def of_tracks(values: tf.Tensor) -> tf.Tensor:
    """What is said of the two tracks of each pair, track by track: [pairs, 2, ...] -> [tracks, ...]."""
    return tf.reshape(values, [-1, *values.shape[2:]])


class TripletSystem(System):
    """Triplet-based metric learning; tags are scored by prototypes, which are set after training."""

    def __init__(self, params: NetworkParams, vocabulary: Vocabulary):
        super().__init__(params, vocabulary)
        self.term = TripletTerm(params.system, notion_of_tag=self.notion_of_tag, notions=self.notions)
        self.prototypes = Prototypes(notion_of_tag=self.notion_of_tag, notions=self.notions, name="prototypes")

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Those of every system, and how many triplets were valid and had a loss."""
        return [*super().metrics, *self.term.metrics]

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
