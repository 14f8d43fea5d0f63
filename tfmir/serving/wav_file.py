"""Waveforms as 16-bit PCM in a wav file's bytes: what a served bundle decodes; a fourteenth of the same in JSON."""

from __future__ import annotations

import struct

import numpy as np

_FULL_SCALE = 32768.0  # what decoders divide by
_MOST_SAMPLES = (2**32 - 1 - 36) // 2  # of the header's sizes


def wav_bytes(waveform: np.ndarray, *, sample_rate: int) -> bytes:
    """A mono wav file.

    Args:
      waveform: float32 [samples]; what is outside of [-1, 1 - 2**-15] is cut to it, see `cut_share`.
      sample_rate: Hz.

    Returns:
      44 bytes of header and two of each sample.

    Raises:
      ValueError: not of one dimension, NaN, infinite, or too long for a wav file.

    >>> wav_bytes(np.float32([0.0, 0.5, -1.0]), sample_rate=22050)[44:].hex()
    '000000400080'
    """
    if waveform.size > _MOST_SAMPLES:
        raise ValueError(f"{waveform.size} samples: a wav file holds {_MOST_SAMPLES} at most")
    if waveform.ndim != 1 or not np.isfinite(waveform).all():
        raise ValueError(f"a waveform of shape {waveform.shape}: expected finite numbers of shape [samples]")
    scaled = np.clip(np.rint(waveform.astype(np.float64) * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1)
    data = scaled.astype("<i2").tobytes()
    form = struct.pack("<HHIIHH", 1, 1, sample_rate, 2 * sample_rate, 2, 16)
    head = b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + struct.pack("<I", len(form)) + form
    return head + b"data" + struct.pack("<I", len(data)) + data


def cut_share(waveform: np.ndarray) -> float:
    """The share of samples that are louder than full scale, which 16 bits cannot hold.

    >>> cut_share(np.float32([0.0, 1.0, 1.5, -2.0]))
    0.5
    """
    return float(np.mean(np.abs(waveform) > 1.0)) if waveform.size else 0.0
