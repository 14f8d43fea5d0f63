"""Waveforms and audio files to embeddings: the one way that search, human votes, signatures and their check share.

waveform [batch, samples] -> log-mel -> excerpts [batch, k, 129, 128] -> embeddings -> mean, normalised [batch, dim]
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfmir.data.audio import AudioError, decode
from tfmir.data.features import excerpts, log_mel
from tfmir.model.system import System


def embed_waveforms(system: System, waveform: tf.Tensor) -> tf.Tensor:
    """The whole-space embedding of every waveform.

    Args:
      system: any system.
      waveform: float32 [batch, samples], mono at the features' sample rate, of any length; one shorter than an excerpt
        is padded with silence, of a longer one the rest after its last whole excerpt is dropped.

    Returns:
      float32 [batch, dim].
    """
    features = system.params.features
    return system.embed(excerpts(log_mel(waveform, features), features))


def embed_file(system: System, path: str, *, start_secs: float = 0.0, length_secs: float | None = None) -> np.ndarray:
    """float32 [dim]: the embedding of an audio file, or of a stretch of it.

    Args:
      system: any system.
      path: path of the file, local or remote.
      start_secs: where the stretch begins.
      length_secs: how long it is; None: to the end, of the first ten minutes of a file.

    Raises:
      AudioError: the file cannot be decoded, or ends before the stretch begins.
    """
    features = system.params.features
    longest = features.max_frames * features.hop_length / features.sample_rate
    max_secs = start_secs + (longest if length_secs is None else length_secs)
    waveform = decode(path, sample_rate=features.sample_rate, max_secs=max_secs)
    waveform = waveform[round(start_secs * features.sample_rate) :]
    if not len(waveform):
        raise AudioError(f"ends before the clip's start at {start_secs:g} s")
    return embed_waveforms(system, tf.constant(waveform[np.newaxis]))[0].numpy()
