"""Records to training batches with tf.data, streaming and deterministic under a seed.

    shards -> serialized tracks -> parsed in batches -> a few random excerpts of each, still bytes -> shuffle buffer
           -> batch -> float32 [batch, 129, 128], labels [batch, tags]

The stream is an endless row of passes over the tracks. Every draw depends on the seed, the pass and the position
in it alone, so the stream can start at any batch: a resumed run sees what the interrupted one would have seen.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfmir.data.records import FEATURE_SPEC
from tfmir.params import FeatureParams, PipelineParams

_PARSE_BATCH = 16
_OPEN_SHARDS = 16
_BYTES_PER_VALUE = np.dtype(np.float16).itemsize


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
    per_pass = tracks * params.excerpts_per_read
    first_pass, skipped = divmod(first_batch * params.batch_size, per_pass)

    def one_pass(number: tf.Tensor) -> tf.data.Dataset:
        key = _fold_in(tf.constant([seed, 0], tf.int64), number)
        tracks_read = _serialized(paths, _fold_in(key, -1)).batch(_PARSE_BATCH).enumerate()
        excerpts = tracks_read.map(
            lambda i, x: _random_excerpts(x, _fold_in(key, i), params, features, num_tags), **_PARALLEL
        )
        return _shuffled(excerpts.unbatch(), params.shuffle_buffer, _fold_in(key, -2))

    stream = tf.data.Dataset.range(first_pass, sys.maxsize).flat_map(one_pass).skip(skipped)
    batches = stream.batch(params.batch_size, drop_remainder=True).enumerate(first_batch)

    def finish(index: tf.Tensor, batch: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        log_mel = _decode(batch[0], features)
        if params.spec_augment:
            log_mel = spec_augment(log_mel, seed=_fold_in(tf.constant([seed, 1], tf.int64), index))
        return log_mel, tf.cast(batch[1], tf.float32)

    return batches.map(finish, **_PARALLEL).prefetch(tf.data.AUTOTUNE).with_options(_options())


def fixed_excerpts(paths: Sequence[str], *, num_tags: int, batch_size: int, features: FeatureParams) -> tf.data.Dataset:
    """All consecutive non-overlapping excerpts of every track once, in the order of the records.

    Returns:
      A dataset of (float32 [batch, frames, mels], float32 [batch, tags], int64 [batch]: the track's position in
      the split); the last batch may be smaller.
    """
    parsed = tf.data.TFRecordDataset(list(paths)).enumerate().batch(_PARSE_BATCH)
    excerpts = parsed.map(lambda i, x: _all_excerpts(i, x, features, num_tags), **_PARALLEL).unbatch()
    batches = excerpts.batch(batch_size).map(
        lambda data, labels, track: (_decode(data, features), tf.cast(labels, tf.float32), track), **_PARALLEL
    )
    return batches.prefetch(tf.data.AUTOTUNE).with_options(_options())


def spec_augment(log_mel: tf.Tensor, *, seed: tf.Tensor, max_mels: int = 16, max_frames: int = 20) -> tf.Tensor:
    """Sets a random band of mels and a random run of frames of every excerpt to zero (Park et al., 2019).

    Stateless, unlike tensorflow-io's masks, so that a resumed run draws what the interrupted one would have.

    Args:
      log_mel: float32 [batch, frames, mels].
      seed: int64 [2].
      max_mels: widest band, exclusive of 0 only by chance.
      max_frames: longest run.

    Returns:
      float32 [batch, frames, mels].
    """
    batch, frames, mels = tf.shape(log_mel)[0], log_mel.shape[1], log_mel.shape[2]
    keep_frames = _keep(batch, frames, max_frames, _fold_in(seed, 0))
    keep_mels = _keep(batch, mels, max_mels, _fold_in(seed, 1))
    return log_mel * keep_frames[:, :, tf.newaxis] * keep_mels[:, tf.newaxis, :]


_PARALLEL = {"num_parallel_calls": tf.data.AUTOTUNE, "deterministic": True}


def _options() -> tf.data.Options:
    """Under a strategy every replica gets its part of each batch; files are not dealt out to replicas."""
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return options


def _fold_in(key: tf.Tensor, number: tf.Tensor | int) -> tf.Tensor:
    return tf.random.experimental.stateless_fold_in(key, tf.cast(number, tf.int64))


def _serialized(paths: Sequence[str], key: tf.Tensor) -> tf.data.Dataset:
    """Serialized tracks of all shards, several shards read in turn, the shards in random order."""
    order = tf.random.experimental.stateless_shuffle(tf.constant(list(paths)), key)
    shards = tf.data.Dataset.from_tensor_slices(order)
    return shards.interleave(tf.data.TFRecordDataset, cycle_length=min(_OPEN_SHARDS, len(paths)), **_PARALLEL)


def _shuffled(excerpts: tf.data.Dataset, buffer: int, key: tf.Tensor) -> tf.data.Dataset:
    """Shuffles a buffer at a time. `Dataset.shuffle` draws from a global state, so it cannot start in the middle."""

    def shuffle(index: tf.Tensor, block: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        rows = tf.random.experimental.stateless_shuffle(tf.range(tf.size(block[0])), _fold_in(key, index))
        return tf.gather(block[0], rows), tf.gather(block[1], rows)

    return excerpts.batch(buffer).enumerate().map(shuffle, **_PARALLEL).prefetch(1).unbatch()


def _parse(serialized: tf.Tensor, num_tags: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Bytes of the log-mel [batch], frames int64 [batch], labels bool [batch, tags]."""
    parsed = tf.io.parse_example(serialized, FEATURE_SPEC)
    tags = parsed["tags"]
    labels = tf.reduce_any(tf.one_hot(tags.to_tensor(-1), num_tags, on_value=True, off_value=False, dtype=tf.bool), 1)
    return parsed["log_mel"], parsed["num_frames"], labels


def _random_excerpts(
    serialized: tf.Tensor, key: tf.Tensor, params: PipelineParams, features: FeatureParams, num_tags: int
) -> tuple[tf.Tensor, tf.Tensor]:
    data, frames, labels = _parse(serialized, num_tags)
    draws = tf.random.stateless_uniform([tf.size(data), params.excerpts_per_read], key)  # in [0, 1)
    choices = tf.cast(frames - features.excerpt_frames + 1, tf.float32)[:, tf.newaxis]
    starts = tf.cast(draws * choices, tf.int64)  # [batch, k]
    cut = _substr(tf.repeat(data[:, tf.newaxis], params.excerpts_per_read, axis=1), starts, features)
    labels = tf.repeat(labels, params.excerpts_per_read, axis=0)
    return tf.reshape(cut, [-1]), labels


def _all_excerpts(
    track: tf.Tensor, serialized: tf.Tensor, features: FeatureParams, num_tags: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    data, frames, labels = _parse(serialized, num_tags)
    counts = frames // features.excerpt_frames
    starts = tf.ragged.range(counts).flat_values * features.excerpt_frames
    cut = _substr(tf.repeat(data, counts), starts, features)
    return cut, tf.repeat(labels, counts, axis=0), tf.repeat(track, counts)


def _substr(data: tf.Tensor, first_frames: tf.Tensor, features: FeatureParams) -> tf.Tensor:
    """Cuts the excerpt out of the byte string: most of a track is never decoded."""
    frame_bytes = features.num_mels * _BYTES_PER_VALUE
    length = tf.fill(tf.shape(first_frames), tf.constant(features.excerpt_frames * frame_bytes, tf.int64))
    return tf.strings.substr(data, first_frames * frame_bytes, length)


def _decode(data: tf.Tensor, features: FeatureParams) -> tf.Tensor:
    values = tf.io.decode_raw(data, tf.float16, little_endian=True)
    return tf.cast(tf.reshape(values, [-1, features.excerpt_frames, features.num_mels]), tf.float32)


def _keep(batch: tf.Tensor, size: int, max_width: int, key: tf.Tensor) -> tf.Tensor:
    """float32 [batch, size]: 0 on a random run of at most `max_width`, 1 elsewhere."""
    draws = tf.random.stateless_uniform([2, batch, 1], key)
    width = tf.floor(draws[0] * (max_width + 1))
    start = tf.floor(draws[1] * (size - width + 1))
    position = tf.range(size, dtype=tf.float32)[tf.newaxis]
    return tf.cast((position < start) | (position >= start + width), tf.float32)
