"""Songs of different lengths in one request: where each excerpt is in them, embedded a few excerpts at a time.

Songs (flat samples, where each begins) -> excerpts [n ≤ 16, 66 560] -> log-mel [n, 129, 128] -> embeddings [n, dim]
                                        -> … of all chunks [total, dim] -> mean of each song [batch, dim]

No song is ever a whole log-mel, so that memory does not grow with it; and nothing of a row reaches another, because
TensorFlow Serving merges the requests of several callers into one batch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from tfmir.params import MAX_SECS, FeatureParams

CHUNK = 16
MAX_EXCERPTS = 1600


@dataclasses.dataclass(frozen=True)
class Songs:
    """Interleaved samples of songs, one behind the other.

    Attributes:
      flat: float32 or int16 [total]; 16-bit samples are scaled to [-1, 1).
      begin: int32 [batch], where each song begins in `flat`.
      channels: int32 [batch], how many samples belong together; their mean is heard.
      length: int32 [batch], the samples of each song, a channel.
      valid: bool [batch]; of the other songs nothing is read.
    """

    flat: tf.Tensor
    begin: tf.Tensor
    channels: tf.Tensor
    length: tf.Tensor
    valid: tf.Tensor


@dataclasses.dataclass(frozen=True)
class Heard:
    """What was embedded.

    Attributes:
      excerpts: float32 [total, dim], every excerpt's embedding, song by song.
      row: int32 [total], the song of each.
      counts: int32 [batch], excerpts of each song; 0 for one that is not valid.
    """

    excerpts: tf.Tensor
    row: tf.Tensor
    counts: tf.Tensor


def songs_from_waveforms(waveform: tf.Tensor, num_samples: tf.Tensor, features: FeatureParams) -> Songs:
    """Songs from float32 [batch, samples], of which row i has `num_samples[i]` of its own: int32 [batch].

    A row is not valid if it is empty, has fewer samples than it claims, or one that is no finite number.
    """
    shape = tf.shape(waveform)
    own = tf.range(shape[1]) < num_samples[:, tf.newaxis]  # TensorFlow Serving pads with a row's first value
    finite = tf.reduce_all(tf.math.is_finite(waveform) | ~own, axis=1)
    valid = finite & (num_samples > 0) & (num_samples <= shape[1])
    begin = tf.range(shape[0]) * shape[1]
    return _within_limits(Songs(tf.reshape(waveform, [-1]), begin, tf.ones_like(begin), num_samples, valid), features)


def songs_from_pcm(flat: tf.Tensor, begin: tf.Tensor, channels: tf.Tensor, features: FeatureParams) -> Songs:
    """Songs from int16 [total] samples: row i begins at `begin[i]` and has `channels[i]`, 0 if it is not valid."""
    ends = tf.concat([begin[1:], [tf.size(flat)]], axis=0)[: tf.size(begin)]
    length = (ends - begin) // tf.maximum(channels, 1)
    return _within_limits(Songs(flat, begin, channels, length, (channels > 0) & (length > 0)), features)


def listen(songs: Songs, encode: Callable[..., tf.Tensor], dim: int, features: FeatureParams) -> Heard:
    """Embeds every excerpt of the songs, `CHUNK` at a time.

    Args:
      songs: of a request.
      encode: samples of excerpts float32 [n, features.span_samples] and how many of their frames are in the song, int32
        [n], to embeddings float32 [n, dim].
      dim: of the embeddings.
      features: of the log-mel.

    Raises:
      InvalidArgumentError: more than `MAX_EXCERPTS` excerpts (when it is run).
    """
    counts = excerpt_counts(songs, features)
    ends = tf.cumsum(counts)
    total = tf.reduce_sum(counts)
    said = f"a request may have {MAX_EXCERPTS} excerpts of {features.excerpt_secs:g} s: send fewer songs at once; found"
    with tf.control_dependencies([tf.debugging.assert_less_equal(total, MAX_EXCERPTS, message=said)]):
        total = tf.identity(total)
    chunks = (total + CHUNK - 1) // CHUNK
    embeddings = tf.TensorArray(tf.float32, size=chunks, infer_shape=False, element_shape=[None, dim])

    def chunk(number: tf.Tensor, array: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
        index = tf.range(number * CHUNK, tf.minimum(total, (number + 1) * CHUNK))
        row = tf.searchsorted(ends, index, side="right")
        place = index - tf.gather(ends - counts, row)  # which excerpt of its song
        return number + 1, array.write(number, encode(*_excerpt(songs, row, place, features)))

    _, embeddings = tf.while_loop(
        lambda number, _: number < chunks, chunk, [tf.constant(0), embeddings], parallel_iterations=1
    )
    row = tf.repeat(tf.range(tf.size(counts)), counts)
    return Heard(tf.ensure_shape(embeddings.concat(), [None, dim]), row, counts)


def excerpt_counts(songs: Songs, features: FeatureParams) -> tf.Tensor:
    """int32 [batch]: consecutive excerpts of each song, at least one; 0 where the song is not valid."""
    frames = 1 + songs.length // features.hop_length
    return tf.where(songs.valid, tf.maximum(1, frames // features.excerpt_frames), 0)


def _excerpt(songs: Songs, row: tf.Tensor, place: tf.Tensor, features: FeatureParams) -> tuple[tf.Tensor, tf.Tensor]:
    """The samples of excerpt `place[i]` of song `row[i]`, and how many of its frames are in the song.

    Returns:
      float32 [n, features.span_samples] and int32 [n].
    """
    first = place * features.excerpt_frames
    start = first * features.hop_length - features.n_fft // 2  # frames are centred
    frames = 1 + tf.gather(songs.length, row) // features.hop_length - first
    return _samples(songs, row, start[:, tf.newaxis] + tf.range(features.span_samples)), frames


def _samples(songs: Songs, row: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """float32 [n, samples]: sample `index[i, j]` of song `row[i]`, the mean of its channels; 0 outside of the song."""
    begin, channels, length = (tf.gather(of, row)[:, tf.newaxis] for of in (songs.begin, songs.channels, songs.length))
    inside = (index >= 0) & (index < length)
    at = tf.where(inside, begin + index * channels, 0)

    def add(channel: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        heard = inside & (channel < channels)
        found = tf.cast(tf.gather(songs.flat, tf.where(heard, at + channel, 0)), tf.float32)
        return channel + 1, total + tf.where(heard, found, 0.0)

    _, total = tf.while_loop(
        lambda channel, _: channel < tf.reduce_max(channels), add, [tf.constant(0), tf.zeros_like(at, tf.float32)]
    )
    scale = 2.0**-15 if songs.flat.dtype == tf.int16 else 1.0
    return total * (scale / tf.cast(channels, tf.float32))


def _within_limits(songs: Songs, features: FeatureParams) -> Songs:
    """The same songs, of which none is longer than it may be."""
    most = MAX_SECS * features.sample_rate
    said = f"a song may have {MAX_SECS // 60} minutes, {most} samples at {features.sample_rate} Hz: send a part of it"
    longest = tf.reduce_max(tf.concat([[0], tf.where(songs.valid, songs.length, 0)], axis=0))
    with tf.control_dependencies([tf.debugging.assert_less_equal(longest, most, message=said)]):
        return dataclasses.replace(songs, length=tf.identity(songs.length))
