"""Shards to streams of excerpts, still bytes: most of a track is never decoded.

    shards -> serialized tracks -> parsed in batches -> a few excerpts of each -> shuffle buffer

An excerpt is a dict: `data` string [group], the bytes of one or two excerpts of a track that stay together; `labels`
bool [tags]; `track` int64, a number that only equal track ids share; `apart` bool, whether two excerpts overlap by half
at most.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfmir.data.records import FEATURE_SPEC
from tfmir.data.shards import open_shard, read_natively
from tfmir.params import FeatureParams, PipelineParams

Element = dict[str, tf.Tensor]
Draw = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]  # labels bool [n, tags], key int64 [2] -> int64 [n]
PARALLEL: dict[str, Any] = {"num_parallel_calls": tf.data.AUTOTUNE, "deterministic": True}
_PARSE_BATCH = 16
_OPEN_SHARDS = 16
_BYTES_PER_VALUE = np.dtype(np.float16).itemsize


def random_excerpts(
    paths: Sequence[str],
    first_pass: int,
    *,
    num_tags: int,
    params: PipelineParams,
    features: FeatureParams,
    seed: int,
    group: int,
    tracks: int = 0,
    added: int = 0,
    draw: Draw | None = None,
) -> tf.data.Dataset:
    """An endless row of passes over the tracks, each of which reads every track once, in an order of its own.

    Every draw depends on the seed, the pass and the position in it alone.

    Args:
      paths: the shards of a split.
      first_pass: where the row starts.
      num_tags: size of the vocabulary.
      params: excerpts per read, shuffle buffer.
      features: size of an excerpt.
      seed: same seed, same excerpts.
      group: excerpts cut at a time, 1, or 2 that overlap by half at most, in either order.
      tracks: how many tracks the shards hold together; needed where excerpts are added.
      added: excerpts more than that in every pass, of tracks drawn anew for each pass, as evenly as can be.
      draw: gives every excerpt a `tag`, int64; those that get -1 are passed over before they are cut.
    """

    def one_pass(number: tf.Tensor) -> tf.data.Dataset:
        key = fold_in(tf.constant([seed, 0], tf.int64), number)
        more = _dealt(added, tracks, fold_in(key, -3)) if added else tf.zeros([0], tf.int64)
        read = _serialized(paths, fold_in(key, -1)).batch(_PARSE_BATCH).enumerate()

        def cut(i: tf.Tensor, serialized: tf.Tensor) -> Element:
            parsed = _parse(serialized, num_tags)
            here = more[i * _PARSE_BATCH : (i + 1) * _PARSE_BATCH]
            return _random_cuts(parsed, params.cuts, here, fold_in(key, i), features, group, draw)

        return shuffled(read.map(cut, **PARALLEL).unbatch(), params.shuffle_buffer, fold_in(key, -2))

    return tf.data.Dataset.range(first_pass, sys.maxsize).flat_map(one_pass)


def consecutive_excerpts(
    paths: Sequence[str], *, num_tags: int, features: FeatureParams, group: int = 1
) -> tf.data.Dataset:
    """All consecutive non-overlapping excerpts once, in the order of the records, each with the `group - 1` that follow
    it, around the track's end; `position` int64 is the track's number in the split, `track_id` string its id."""
    natively = read_natively(paths)
    tracks = tf.data.Dataset.from_tensor_slices(list(paths)).flat_map(lambda path: open_shard(path, natively=natively))
    parsed = tracks.batch(_PARSE_BATCH).enumerate()
    cuts = parsed.map(lambda i, x: _consecutive_cuts(x, i * _PARSE_BATCH, features, num_tags, group), **PARALLEL)
    return cuts.unbatch()


def shuffled(excerpts: tf.data.Dataset, buffer: int, key: tf.Tensor) -> tf.data.Dataset:
    """Shuffles a buffer at a time. `Dataset.shuffle` draws from a global state, so it cannot start in the middle."""

    def shuffle(index: tf.Tensor, block: Element) -> Element:
        count = tf.shape(block["track"])[0]
        rows = tf.random.experimental.stateless_shuffle(tf.range(count), fold_in(key, index))
        return {name: tf.gather(values, rows) for name, values in block.items()}

    return excerpts.batch(buffer).enumerate().map(shuffle, **PARALLEL).prefetch(1).unbatch()


def read_ahead(batches: tf.data.Dataset, params: PipelineParams) -> tf.data.Dataset:
    """Holds as many finished batches, still bytes, as a shuffle buffer holds excerpts.

    A pass gives nothing before its first buffer is full. While what is held is being learnt from, the next pass fills
    its own, so that training does not wait at the end of a pass.
    """
    return batches.prefetch(max(1, params.shuffle_buffer // params.batch_size))


def to_log_mel(data: tf.Tensor, features: FeatureParams) -> tf.Tensor:
    """The excerpts in byte strings: string [n] -> float32 [n, frames, mels]."""
    values = tf.io.decode_raw(data, tf.float16, little_endian=True)
    return tf.cast(tf.reshape(values, [-1, features.excerpt_frames, features.num_mels]), tf.float32)


def fold_in(key: tf.Tensor, number: tf.Tensor | int) -> tf.Tensor:
    """A key of its own for every number, from one key int64 [2]."""
    return tf.random.experimental.stateless_fold_in(key, tf.cast(number, tf.int64))


def options(*, tuned: bool = True) -> tf.data.Options:
    """Under a strategy every replica gets its part of each batch; files are not dealt out to replicas.

    Args:
      tuned: whether a thread tunes the parallelism. That thread sleeps twice as long each time and is not woken when
        its iterator is dropped (BUILD_NOTES.md, "Traps"), so a data set that is read anew every epoch goes without.
    """
    options = tf.data.Options()
    options.autotune.enabled = tuned
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return options


def _serialized(paths: Sequence[str], key: tf.Tensor) -> tf.data.Dataset:
    """Serialized tracks of all shards, several shards read in turn, the shards in random order."""
    order = tf.random.experimental.stateless_shuffle(tf.constant(list(paths)), key)
    shards = tf.data.Dataset.from_tensor_slices(order)
    natively = read_natively(paths)
    cycle = min(_OPEN_SHARDS, len(paths))
    return shards.interleave(lambda path: open_shard(path, natively=natively), cycle_length=cycle, **PARALLEL)


def _parse(serialized: tf.Tensor, num_tags: int) -> Element:
    """`data` bytes of the log-mel [batch], `frames` int64 [batch], `labels` bool [batch, tags], `track` int64 [batch]:
    a number that only equal track ids share, `track_id` string [batch]."""
    parsed = tf.io.parse_example(serialized, FEATURE_SPEC)
    tags = parsed["tags"]
    labels = tf.reduce_any(tf.one_hot(tags.to_tensor(-1), num_tags, on_value=True, off_value=False, dtype=tf.bool), 1)
    track = tf.strings.to_hash_bucket_fast(parsed["track_id"], sys.maxsize)
    return {
        "data": parsed["log_mel"],
        "frames": parsed["num_frames"],
        "labels": labels,
        "track": track,
        "track_id": parsed["track_id"],
    }


def _dealt(excerpts: int, tracks: int, key: tf.Tensor) -> tf.Tensor:
    """int64 [tracks] that sum to `excerpts` and differ by one at most; which of them get one more is drawn."""
    order = tf.random.experimental.stateless_shuffle(tf.range(tracks, dtype=tf.int64), key)
    return excerpts // tracks + tf.cast(order < excerpts % tracks, tf.int64)


def _random_cuts(
    tracks: Element,
    k: int,
    more: tf.Tensor,
    key: tf.Tensor,
    features: FeatureParams,
    group: int,
    draw: Draw | None,
) -> Element:
    """`k` excerpts of each track, track by track, and then those that `more` int64 [batch or 0] says beyond; of them
    those that draw a tag."""
    batch = tf.shape(tracks["frames"])[0]
    beyond = tf.repeat(tf.range(tf.size(more)), more)
    row = tf.concat([tf.repeat(tf.range(batch), k), beyond], 0)  # [n], the track of each excerpt
    draws = tf.random.stateless_uniform([tf.size(row), group], key)  # in [0, 1)
    starts, apart = _starts(draws, tf.gather(tracks["frames"], row), features)  # [n, group], [n]
    excerpts = {name: tf.gather(tracks[name], row) for name in ("labels", "track")} | {"apart": apart}
    if draw is not None:
        tag = draw(excerpts["labels"], fold_in(key, -1))
        excerpts, (row, starts) = excerpts | {"tag": tag}, (tf.boolean_mask(x, tag >= 0) for x in (row, starts))
        excerpts = {name: tf.boolean_mask(values, tag >= 0) for name, values in excerpts.items()}
        return excerpts | {"data": _cut(tf.gather(tracks["data"], row), starts, features)}
    # A track has a third of a megabyte: as few copies of it as can be, so the first `k` are cut one after the other.
    of_tracks = tf.reshape(starts[: batch * k], [batch, k, group])
    first = tf.stack([_cut(tracks["data"], of_tracks[:, i], features) for i in range(k)], axis=1)
    rest = _cut(tf.gather(tracks["data"], beyond), starts[batch * k :], features)
    return excerpts | {"data": tf.concat([tf.reshape(first, [-1, group]), rest], 0)}


def _cut(data: tf.Tensor, starts: tf.Tensor, features: FeatureParams) -> tf.Tensor:
    """The excerpts of the tracks `data` string [n] from their first frames int64 [n, group]: string [n, group]."""
    return tf.stack([_substr(data, starts[:, g], features) for g in range(starts.shape[1])], axis=1)


def _starts(draws: tf.Tensor, frames: tf.Tensor, features: FeatureParams) -> tuple[tf.Tensor, tf.Tensor]:
    """First frames int64 [n, group] of one excerpt, or of two that lie half an excerpt apart, from draws in [0, 1).

    The lower draw gives the earlier one, so that either of two is the first as often. The second result, bool [n], is
    False where a track is too short for two: it then gives its two ends.
    """
    group = draws.shape[1]
    last = frames - features.excerpt_frames  # the last possible start
    gap = tf.constant((features.excerpt_frames + 1) // 2 * (group - 1), tf.int64)
    room = tf.maximum(last - gap, 0) + 1
    starts = tf.cast(draws * tf.cast(room, tf.float32)[:, tf.newaxis], tf.int64)
    place = tf.argsort(tf.argsort(draws, axis=1, stable=True), axis=1)  # of each draw among its row's
    return starts + tf.minimum(gap, last)[:, tf.newaxis] * tf.cast(place, tf.int64), last >= gap


def _consecutive_cuts(
    serialized: tf.Tensor, first_track: tf.Tensor, features: FeatureParams, num_tags: int, group: int
) -> Element:
    tracks = _parse(serialized, num_tags)
    counts = tracks["frames"] // features.excerpt_frames
    track = tf.repeat(tf.range(tf.size(counts), dtype=tf.int64), counts)  # [n], the row of each excerpt
    number = tf.ragged.range(counts).flat_values[:, tf.newaxis] + tf.range(group, dtype=tf.int64)  # [n, group]
    place = number % tf.repeat(counts, counts)[:, tf.newaxis]
    # A track may have megabytes: it is not repeated for each of its excerpts, whose numbers are gone through instead.
    # Behind a track's end there is an empty string to be cut.
    cuts = tf.map_fn(
        lambda i: _substr(tracks["data"], tf.minimum(i * features.excerpt_frames, tracks["frames"]), features),
        tf.range(tf.reduce_max(counts)),
        fn_output_signature=tf.string,
    )  # [most, batch]
    rows = tf.broadcast_to(track[:, tf.newaxis], tf.shape(place))
    return {
        "data": tf.gather_nd(cuts, tf.stack([place, rows], axis=-1)),
        "labels": tf.repeat(tracks["labels"], counts, axis=0),
        "track": tf.repeat(tracks["track"], counts),
        "track_id": tf.repeat(tracks["track_id"], counts),
        "position": track + first_track,
        "apart": tf.repeat(counts >= group, counts),
    }


def _substr(data: tf.Tensor, first_frames: tf.Tensor, features: FeatureParams) -> tf.Tensor:
    """Cuts the excerpt out of the byte string: most of a track is never decoded."""
    frame_bytes = features.num_mels * _BYTES_PER_VALUE
    length = tf.fill(tf.shape(first_frames), tf.constant(features.excerpt_frames * frame_bytes, tf.int64))
    return tf.strings.substr(data, first_frames * frame_bytes, length)
