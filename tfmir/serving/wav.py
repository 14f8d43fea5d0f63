"""WAV files inside a graph: RIFF chunks, 16-bit PCM.

TensorFlow's own `decode_wav` takes one file, and fails the whole batch for a row that is none.
"""

from __future__ import annotations

import tensorflow as tf

from tfmir.params import FeatureParams

_HEAD = 12  # RIFF, size, WAVE
_CHUNK_HEAD = 8  # name, size
_PCM, _EXTENSIBLE = 1, 0xFFFE
_MOST_CHUNKS = 64
_MOST_CHANNELS = 32


def pcm(wav_bytes: tf.Tensor, features: FeatureParams) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Samples of WAV files.

    Args:
      wav_bytes: string [batch].
      features: has the sample rate.

    Returns:
      int16 [total], interleaved, one file behind the other; int32 [batch], where each file begins; and int32
      [batch], its channels: 0 if it is no WAV file. A file that is cut, or was written to a pipe, ends where its
      bytes do.

    Raises:
      InvalidArgumentError: a WAV file of another format or sample rate (when it is run).
    """
    layout, start, size = _chunks(wav_bytes)
    code, channels, rate, bits = layout[:, 0], layout[:, 1], layout[:, 2], layout[:, 3]
    is_wav = (start > 0) & (channels > 0) & (channels <= _MOST_CHANNELS)
    said = f"wav_bytes: expected 16-bit PCM (format 1, 16 bits) at {features.sample_rate} Hz: convert it; found"
    good = ~is_wav | (((code == _PCM) | (code == _EXTENSIBLE)) & (bits == 16) & (rate == features.sample_rate))
    found = ["format, channels, Hz, bits:", tf.boolean_mask(layout, ~good)]
    check = tf.debugging.Assert(tf.reduce_all(good), [said, *found], summarize=8)
    with tf.control_dependencies([check]):
        channels = tf.where(is_wav, channels, 0)
    whole = 2 * tf.maximum(channels, 1)
    size = tf.where(is_wav, size // whole * whole, 0)
    data = tf.strings.substr(wav_bytes, start, size)
    samples = tf.map_fn(
        lambda row: tf.io.decode_raw(row, tf.int16),
        data,
        fn_output_signature=tf.RaggedTensorSpec([None], tf.int16, ragged_rank=0, row_splits_dtype=tf.int32),
        parallel_iterations=1,
    )
    begin = tf.cumsum(size // 2, exclusive=True)
    return samples.flat_values, begin, channels


def _chunks(wav_bytes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """int32 [batch, 4] of format, channels, Hz and bits; int32 [batch], where the samples begin and their bytes.

    Where they begin is 0 for what is no WAV file.
    """
    length = tf.strings.length(wav_bytes)
    head = _read(wav_bytes, tf.zeros_like(length), _HEAD)
    is_riff = _says(head[:, :4], b"RIFF") & _says(head[:, 8:12], b"WAVE")
    none = tf.zeros_like(length)
    layout = tf.zeros([tf.size(length), 4], tf.int32)

    def seeking(place: tf.Tensor, start: tf.Tensor, *_: tf.Tensor) -> tf.Tensor:
        return tf.reduce_any((start == 0) & (place + _CHUNK_HEAD <= length))

    def step(place: tf.Tensor, start: tf.Tensor, size: tf.Tensor, layout: tf.Tensor) -> tuple[tf.Tensor, ...]:
        chunk = _read(wav_bytes, place, _CHUNK_HEAD + 16)
        inside = (start == 0) & (place + _CHUNK_HEAD <= length)
        left = tf.cast(length - place - _CHUNK_HEAD, tf.int64)
        claimed = _number(chunk, 4, 4)
        is_data = inside & _says(chunk[:, :4], b"data")
        is_format = inside & _says(chunk[:, :4], b"fmt ")
        found = tf.cast(tf.stack([_number(chunk, *at) for at in ((8, 2), (10, 2), (12, 4), (22, 2))], axis=1), tf.int32)
        own = tf.cast(tf.minimum(claimed, tf.maximum(left, 0)), tf.int32)
        return (
            tf.where(inside, place + _CHUNK_HEAD + own + own % 2, place),  # chunks begin at even places
            tf.where(is_data, place + _CHUNK_HEAD, start),
            tf.where(is_data, own, size),
            tf.where(is_format[:, tf.newaxis], found, layout),
        )

    begin = tf.where(is_riff, _HEAD, length)
    _, start, size, layout = tf.while_loop(
        seeking, step, (begin, none, none, layout), maximum_iterations=_MOST_CHUNKS, parallel_iterations=1
    )
    return layout, start, size


def _read(wav_bytes: tf.Tensor, place: tf.Tensor, count: int) -> tf.Tensor:
    """uint8 [batch, count]: the bytes from `place`, zeros behind the end."""
    place = tf.minimum(place, tf.strings.length(wav_bytes))
    part = tf.strings.substr(wav_bytes, place, tf.fill(tf.shape(place), count))
    return tf.reshape(tf.io.decode_raw(part, tf.uint8, fixed_length=count), [-1, count])


def _says(found: tf.Tensor, word: bytes) -> tf.Tensor:
    return tf.reduce_all(found == tf.constant(list(word), tf.uint8), axis=1)


def _number(found: tf.Tensor, at: int, size: int) -> tf.Tensor:
    """int64 [batch]: the little-endian number without a sign in so many bytes."""
    scale = tf.constant([256**power for power in range(size)], tf.int64)
    return tf.reduce_sum(tf.cast(found[:, at : at + size], tf.int64) * scale, axis=1)
