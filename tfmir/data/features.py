"""Waveform to log-mel, in one TensorFlow function that both the record writer and the exported model call.

waveform [batch, samples] -> STFT magnitude [batch, frames, 513] -> mel [batch, frames, 128]
                          -> log10(1 + 10 mel) -> excerpts [batch, k, 129, 128]
"""

from __future__ import annotations

import functools

import numpy as np
import tensorflow as tf

from tfmir.params import FeatureParams


def log_mel(waveform: tf.Tensor, params: FeatureParams) -> tf.Tensor:
    """Log-compressed mel magnitudes: `log10(1 + 10 mel)`, before the z-score.

    Equal to `librosa.feature.melspectrogram(power=1)` with the same settings. The paper (section 4.1) names librosa and
    128 mel bands; the periodic Hann window, centred frames, zero padding, and Slaney's scale and norm are librosa's
    defaults, the compression is that of the authors' published code.

    Args:
      waveform: float32 [batch, samples], mono at `params.sample_rate`, in [-1, 1].
      params: sizes of window, hop and mel bands.

    Returns:
      float32 [batch, 1 + samples // hop_length, num_mels], at least 0.
    """
    half = params.n_fft // 2
    return frames_log_mel(tf.pad(waveform, [[0, 0], [half, half]]), params)


def frames_log_mel(samples: tf.Tensor, params: FeatureParams) -> tf.Tensor:
    """As `log_mel`, of whole windows only: frame `i` begins at sample `i * hop_length`.

    Args:
      samples: float32 [batch, samples], at least `params.n_fft` of them.
      params: as `log_mel`.

    Returns:
      float32 [batch, 1 + (samples - n_fft) // hop_length, num_mels].
    """
    spectrum = tf.signal.stft(samples, params.n_fft, params.hop_length, pad_end=False)
    magnitude = tf.abs(spectrum)  # [batch, frames, bins]
    mel = tf.tensordot(magnitude, tf.constant(mel_matrix(params)), axes=1)  # [batch, frames, mels]
    return tf.math.log1p(params.log_gain * mel) / tf.math.log(10.0)


def excerpt_log_mel(samples: tf.Tensor, frames: tf.Tensor, params: FeatureParams) -> tf.Tensor:
    """The log-mel of excerpts from the samples under their windows, as `excerpts` cuts it from a whole song's.

    Args:
      samples: float32 [batch, params.span_samples], silent before and behind the song.
      frames: int32 [batch], how many frames the song has from there on; those behind are zeros (silence).
      params: as `log_mel`.

    Returns:
      float32 [batch, 129, num_mels].
    """
    is_there = tf.sequence_mask(tf.minimum(frames, params.excerpt_frames), params.excerpt_frames)
    return tf.where(is_there[:, :, tf.newaxis], frames_log_mel(samples, params), 0.0)


def excerpts(frames: tf.Tensor, params: FeatureParams) -> tf.Tensor:
    """Cuts a log-mel into its consecutive non-overlapping excerpts; a rest shorter than one is dropped.

    Args:
      frames: float [batch, frames, mels]; fewer frames than an excerpt are padded with zeros (silence).

    Returns:
      float [batch, max(1, frames // 129), 129, mels].
    """
    length = params.excerpt_frames
    shape = tf.shape(frames)
    padded = tf.pad(frames, [[0, 0], [0, tf.maximum(0, length - shape[1])], [0, 0]])
    count = tf.shape(padded)[1] // length
    return tf.reshape(padded[:, : count * length], [shape[0], count, length, params.num_mels])


@functools.lru_cache(maxsize=4)
def mel_matrix(params: FeatureParams) -> np.ndarray:
    """float32 [bins, mels]: librosa's mel filters, transposed."""
    import librosa  # here, because the import takes seconds that most commands need not spend

    filters = librosa.filters.mel(
        sr=params.sample_rate, n_fft=params.n_fft, n_mels=params.num_mels, fmin=params.fmin_hz, fmax=params.fmax_hz
    )
    return np.ascontiguousarray(filters.T, np.float32)
