"""The front door of the data sets: records to batches with tf.data, streaming and deterministic under a seed.

    shards -> serialized tracks -> parsed in batches -> a few random excerpts of each, still bytes -> shuffle buffer
           -> batch -> float32 [batch, 129, 128], labels [batch, tags], track (systems that learn tags)
           -> pairs that share a tag (`pairs.py`) -> batch of pairs            (systems that learn from triplets)

The stream is an endless row of passes over the tracks. Every draw depends on the seed, the pass and the position
in it alone, so the stream can start at any batch: a resumed run sees what the interrupted one would have seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfmir.data.augment import augmented
from tfmir.data.excerpts import (
    PARALLEL,
    Element,
    consecutive_excerpts,
    options,
    random_excerpts,
    read_ahead,
    shuffled,
    to_log_mel,
)
from tfmir.data.manifest import Manifest, shard_paths
from tfmir.data.pairs import accepted_share, fixed_pairs, training_pairs
from tfmir.params import FeatureParams, PipelineParams, RunParams

_MOST_DRAWS = 16


def training_set(records: str, manifest: Manifest, params: RunParams, *, first_batch: int = 0) -> tf.data.Dataset:
    """Endless training batches of the kind that `params.system` learns from.

    Args:
      records: directory of the record set.
      manifest: manifest of the record set.
      params: parameters of the run.
      first_batch: start of the stream, counted in batches from its beginning.

    Returns:
      What `training_batches` or `pairs.training_pairs` gives.

    Raises:
      UserError: the split has no tracks.
    """
    paths = shard_paths(records, manifest, "train")
    if params.system.uses_triplets:
        return training_pairs(paths, first_batch=first_batch, **_of_pairs(manifest, "train", params))
    return training_batches(
        paths,
        tracks=manifest.splits["train"].tracks,
        num_tags=len(manifest.vocabulary.tags),
        params=params.pipeline,
        features=params.features,
        seed=params.training.seed,
        first_batch=first_batch,
    )


def validation_set(records: str, manifest: Manifest, params: RunParams) -> tf.data.Dataset:
    """The same excerpts, or pairs and triplets, in every epoch, so that two epochs can be compared.

    Takes what `training_set` does; elements are of the same form, and the last batch may be smaller. Where a loss
    compares excerpts, they come in an order drawn from the seed: in that of the records a batch is a few tracks.
    """
    if params.system.uses_triplets:
        paths = shard_paths(records, manifest, "validation")
        split = manifest.splits["validation"]
        # As many as give no more excerpts of pairs than there are; a notion of a few tracks would ask for thousands.
        share = accepted_share(split.notion_counts, split.tracks, params.pipeline.notion_sampling)
        draws = min(_MOST_DRAWS, int(1 / share))
        return fixed_pairs(paths, draws=draws, **_of_pairs(manifest, "validation", params))
    excerpts = fixed_excerpts(
        records,
        manifest,
        "validation",
        batch_size=params.pipeline.batch_size,
        features=params.features,
        shuffle_buffer=params.pipeline.shuffle_buffer if params.system.compares_excerpts else 0,
        seed=params.training.seed,
    )
    return excerpts.map(lambda batch: (batch["log_mel"], {"labels": batch["labels"], "track": batch["position"]}))


def fixed_excerpts(
    records: str,
    manifest: Manifest,
    split: str,
    *,
    batch_size: int,
    features: FeatureParams,
    shuffle_buffer: int = 0,
    seed: int = 0,
) -> tf.data.Dataset:
    """All consecutive non-overlapping excerpts of every track of a split once, the same at every iteration.

    Args:
      records: directory of the record set.
      manifest: manifest of the record set.
      split: train, validation or test.
      batch_size: excerpts; the last batch may be smaller.
      features: size of an excerpt.
      shuffle_buffer: excerpts that are shuffled at a time; 0: the order of the records.
      seed: of their order.

    Returns:
      A dataset of dicts: `log_mel` float32 [batch, frames, mels] before the z-score, `labels` float32 [batch, tags],
      `position` int64 [batch], the track's number in the split, and `track_id` string [batch].

    Raises:
      UserError: the split has no tracks.
    """
    paths, num_tags = shard_paths(records, manifest, split), len(manifest.vocabulary.tags)

    def finish(batch: Element) -> Element:
        return {
            "log_mel": to_log_mel(batch["data"][:, 0], features),
            "labels": tf.cast(batch["labels"], tf.float32),
            "position": batch["position"],
            "track_id": batch["track_id"],
        }

    excerpts = consecutive_excerpts(paths, num_tags=num_tags, features=features)
    if shuffle_buffer:
        excerpts = shuffled(excerpts, shuffle_buffer, tf.constant([seed, 4], tf.int64))
    batches = excerpts.batch(batch_size).map(finish, **PARALLEL)
    return batches.prefetch(2).with_options(options(tuned=False))


def training_batches(
    paths: Sequence[str],
    *,
    tracks: int,
    num_tags: int,
    params: PipelineParams,
    features: FeatureParams,
    seed: int,
    first_batch: int = 0,
) -> tf.data.Dataset:
    """Endless batches of random excerpts.

    A pass reads every track once and cuts as many excerpts from it as an epoch takes of it; their order is shuffled
    through a buffer of byte strings. A pass is whole batches, the last of which is filled up with one more excerpt of
    tracks that are drawn: so an epoch of `PipelineParams.batches` is a pass, and touches every track.

    With `excerpts_per_read` it cuts so many, reading is shared by more excerpts, and passes go on within a batch.

    Args:
      paths: the shards of the training split.
      tracks: how many tracks they hold together.
      num_tags: size of the vocabulary.
      params: batch size, excerpts per read, shuffle buffer, augmentation.
      features: size of an excerpt.
      seed: same seed, same batches.
      first_batch: start of the stream, counted in batches from its beginning.

    Returns:
      A dataset of (float32 [batch, frames, mels] before the z-score, {"labels": float32 [batch, tags], "track": int64
      [batch], a number that only excerpts of one track share}).
    """
    size = params.pass_excerpts(tracks)
    first_pass, skipped = divmod(first_batch * params.batch_size, size)
    stream = random_excerpts(
        paths,
        first_pass,
        tracks=tracks,
        added=size - tracks * params.cuts,
        num_tags=num_tags,
        params=params,
        features=features,
        seed=seed,
        group=1,
    )
    batches = read_ahead(stream.skip(skipped).batch(params.batch_size, drop_remainder=True), params)

    def finish(index: tf.Tensor, batch: Element) -> tuple[tf.Tensor, Element]:
        log_mel = augmented(to_log_mel(batch["data"][:, 0], features), params, seed=seed, index=index)
        return log_mel, {"labels": tf.cast(batch["labels"], tf.float32), "track": batch["track"]}

    decoded = batches.enumerate(first_batch).map(finish, **PARALLEL)
    return decoded.prefetch(tf.data.AUTOTUNE).with_options(options())


def _of_pairs(manifest: Manifest, split: str, params: RunParams) -> dict[str, Any]:
    return {
        "vocabulary": manifest.vocabulary,
        "notion_counts": manifest.splits[split].notion_counts,
        "params": params.pipeline,
        "features": params.features,
        "seed": params.training.seed,
        "group": params.system.group,
    }
