"""Records to training batches with tf.data, streaming and deterministic under a seed.

    shards -> serialized tracks -> parsed in batches -> a few random excerpts of each, still bytes -> shuffle buffer
           -> batch -> float32 [batch, 129, 128], labels [batch, tags]

The stream is an endless row of passes over the tracks. Every draw depends on the seed, the pass and the position
in it alone, so the stream can start at any batch: a resumed run sees what the interrupted one would have seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from tfmir.data.augment import spec_augment
from tfmir.data.excerpts import PARALLEL, Element, consecutive_excerpts, decode, fold_in, options, random_excerpts
from tfmir.params import FeatureParams, PipelineParams


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

    A pass reads every track once and cuts `excerpts_per_read` excerpts from it, so reading is shared by several
    excerpts; their order is shuffled through a buffer of byte strings.

    Args:
      paths: the shards of the training split.
      tracks: how many tracks they hold together.
      num_tags: size of the vocabulary.
      params: batch size, excerpts per read, shuffle buffer, augmentation.
      features: size of an excerpt.
      seed: same seed, same batches.
      first_batch: start of the stream, counted in batches from its beginning.

    Returns:
      A dataset of (float32 [batch, frames, mels] before the z-score, float32 [batch, tags]).
    """
    first_pass, skipped = divmod(first_batch * params.batch_size, tracks * params.excerpts_per_read)
    stream = random_excerpts(paths, first_pass, num_tags=num_tags, params=params, features=features, seed=seed, group=1)
    batches = stream.skip(skipped).batch(params.batch_size, drop_remainder=True).enumerate(first_batch)

    def finish(index: tf.Tensor, batch: Element) -> tuple[tf.Tensor, tf.Tensor]:
        log_mel = decode(batch["data"][:, 0], features)
        return augmented(log_mel, params, seed, index), tf.cast(batch["labels"], tf.float32)

    return batches.map(finish, **PARALLEL).prefetch(tf.data.AUTOTUNE).with_options(options())


def fixed_excerpts(paths: Sequence[str], *, num_tags: int, batch_size: int, features: FeatureParams) -> tf.data.Dataset:
    """All consecutive non-overlapping excerpts of every track once, in the order of the records.

    Returns:
      A dataset of (float32 [batch, frames, mels], float32 [batch, tags], int64 [batch]: the track's position in
      the split); the last batch may be smaller.
    """
    excerpts = consecutive_excerpts(paths, num_tags=num_tags, features=features)
    batches = excerpts.batch(batch_size).map(
        lambda x: (decode(x["data"][:, 0], features), tf.cast(x["labels"], tf.float32), x["position"]), **PARALLEL
    )
    return batches.prefetch(2).with_options(options(tuned=False))


def augmented(log_mel: tf.Tensor, params: PipelineParams, seed: int, index: tf.Tensor) -> tf.Tensor:
    """SpecAugment on float32 [n, frames, mels] if it is switched on; `index` is the batch's number."""
    if not params.spec_augment:
        return log_mel
    return spec_augment(log_mel, seed=fold_in(tf.constant([seed, 1], tf.int64), index))
