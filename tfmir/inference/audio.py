"""Waveforms and audio files to embeddings: the one way that search, human votes, signatures and their check share.

waveform [batch, samples] -> log-mel -> excerpts [batch, k, 129, 128] -> embeddings -> mean, normalised [batch, dim]
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from tfmir.data.audio import AudioError, AudioWarning
from tfmir.data.features import excerpts, log_mel
from tfmir.data.isolation import Task, decode_ahead
from tfmir.data.sound import too_loud
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


@dataclasses.dataclass(frozen=True)
class Stretch:
    """A file, or a part of it.

    Attributes:
      path: local or remote.
      start_secs: where the stretch begins.
      length_secs: how long it is; None: to the end, of the first ten minutes of a file.
    """

    path: str
    start_secs: float = 0.0
    length_secs: float | None = None


@dataclasses.dataclass(frozen=True)
class Embedded:
    """What became of a stretch.

    Attributes:
      problem: why it has no embedding, else empty.
      embedding: float32 [dim].
      remarks: what is wrong with the file although it is used.
    """

    problem: str = ""
    embedding: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, np.float32))
    remarks: tuple[str, ...] = ()


def embed_files(system: System, stretches: Sequence[Stretch]) -> Iterator[Embedded]:
    """Embeds one stretch after the other. A child process decodes the next one meanwhile, see `data/isolation.py`."""
    features = system.params.features
    longest = features.max_frames * features.hop_length / features.sample_rate
    tasks = (
        Task(of.path, features.sample_rate, of.start_secs + (longest if of.length_secs is None else of.length_secs))
        for of in stretches
    )
    for stretch, decoded in zip(stretches, decode_ahead(tasks), strict=True):
        waveform = decoded.waveform[round(stretch.start_secs * features.sample_rate) :]
        if decoded.problem:
            yield Embedded(decoded.problem)
        elif not len(waveform):
            yield Embedded(f"ends before the clip's start at {stretch.start_secs:g} s")
        else:
            embedding = embed_waveforms(system, tf.constant(waveform[np.newaxis]))[0].numpy()
            is_number = np.isfinite(embedding).all()
            yield Embedded("" if is_number else str(too_loud(waveform)), embedding, decoded.remarks)


def embed_file(system: System, path: str, *, start_secs: float = 0.0, length_secs: float | None = None) -> np.ndarray:
    """float32 [dim]: the embedding of an audio file, or of a stretch of it; see `Stretch`.

    Raises:
      AudioError: the file cannot be decoded, ends before the stretch begins, or is too loud.
    """
    (found,) = embed_files(system, [Stretch(path, start_secs, length_secs)])
    if found.problem:
        raise AudioError(found.problem)
    for remark in found.remarks:
        warnings.warn(remark, AudioWarning, stacklevel=2)
    return found.embedding
