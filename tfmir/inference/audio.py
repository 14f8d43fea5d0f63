"""Audio files to embeddings, the one way that catalogues, search and human votes share; waveforms, for signatures.

waveform [batch, samples] -> log-mel -> excerpts [batch, k, 129, 128] -> embeddings -> mean, normalised [batch, dim]
"""

from __future__ import annotations

import collections
import dataclasses
import warnings
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from tfmir.data.audio import AudioError, AudioWarning
from tfmir.data.decoding import Task, decode_here
from tfmir.data.features import excerpts, log_mel
from tfmir.data.isolation import decode_ahead
from tfmir.data.sound import too_loud
from tfmir.inference.batches import Embedder, embedder
from tfmir.model.system import System


def _nothing() -> np.ndarray:
    return np.zeros(0, np.float32)


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
      scores: float32 [tags].
      excerpts: float32 [excerpts, dim]: the embedding is their mean, normalised.
      secs: seconds that were heard.
      remarks: what is wrong with the file although it is used.
      also: what else was asked of its waveform.
    """

    problem: str = ""
    embedding: np.ndarray = dataclasses.field(default_factory=_nothing)
    scores: np.ndarray = dataclasses.field(default_factory=_nothing)
    excerpts: np.ndarray = dataclasses.field(default_factory=_nothing)
    secs: float = 0.0
    remarks: tuple[str, ...] = ()
    also: np.ndarray = dataclasses.field(default_factory=_nothing)


def embed_files(
    system: System,
    stretches: Sequence[Stretch],
    *,
    isolated: bool = True,
    also: Callable[[np.ndarray], np.ndarray] = lambda waveform: _nothing(),
) -> Iterator[Embedded]:
    """Embeds stretches in full batches over all of them; each is as if alone, and they come in their order.

    Args:
      system: any system.
      stretches: files, or parts of them.
      isolated: whether a child process decodes, one file ahead, see `data/isolation.py`; else this one does, which a
        file may end.
      also: what else is wanted of every waveform, float32 [samples], while it is there.
    """
    features = system.params.features
    longest = features.max_frames * features.hop_length / features.sample_rate
    tasks = (
        Task(of.path, features.sample_rate, of.start_secs + (longest if of.length_secs is None else of.length_secs))
        for of in stretches
    )
    heard: collections.deque[_Heard] = collections.deque()

    def waveforms() -> Iterator[np.ndarray]:
        answers = decode_ahead(tasks) if isolated else map(decode_here, tasks)
        for stretch in stretches:
            answer = next(answers)
            waveform = answer.waveform[round(stretch.start_secs * features.sample_rate) :]
            late = f"ends before the clip's start at {stretch.start_secs:g} s"
            problem = answer.problem or ("" if len(waveform) else late)
            loudest = 0.0 if problem else max(waveform.max(), -waveform.min())
            more = _nothing() if problem else also(waveform)
            heard.append(_Heard(problem, loudest, len(waveform) / features.sample_rate, answer.remarks, more))
            del answer  # of 50 MB, while the next one is decoded
            yield _nothing() if problem else waveform
            del waveform

    batches = embedder(system)
    for of_song in batches.excerpts(waveforms()):
        yield _embedded(batches, heard.popleft(), of_song)


@dataclasses.dataclass(frozen=True)
class _Heard:
    """What is kept of a waveform while its excerpts wait for a batch; `loudest` is its largest sample."""

    problem: str
    loudest: float
    secs: float
    remarks: tuple[str, ...]
    also: np.ndarray


def _embedded(batches: Embedder, heard: _Heard, of_song: np.ndarray) -> Embedded:
    if heard.problem:
        return Embedded(heard.problem)
    embedding, scores = batches.song(of_song)
    if not np.isfinite(embedding).all():
        return Embedded(str(too_loud(np.array(heard.loudest))))
    return Embedded("", embedding, scores, of_song, heard.secs, heard.remarks, heard.also)


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
