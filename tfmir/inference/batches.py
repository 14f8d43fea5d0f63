"""Songs to embeddings in full batches: one compiled call over excerpts, whichever songs they are of.

waveform [samples] -> windows [batch, 66560] -> log-mel [batch, 129, 128] -> embeddings [batch, dim] -> mean [dim]

A batch is always full, with silence at its end where nothing is left, so that its shape never changes and nothing is
compiled twice. No operation mixes the rows of a batch; measured, a row is the same to the last bit wherever it stands
and whatever stands beside it (BUILD_NOTES.md).
"""

from __future__ import annotations

import collections
import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import tensorflow as tf

from tfmir.data.features import excerpt_log_mel
from tfmir.model.system import System
from tfmir.params import FeatureParams

# Excerpts in a call. 32 and 64 are no faster at any width, and need the memory (at full width 70 MB for 16).
BATCH = 16


@dataclasses.dataclass
class _Song:
    """A song that waits for its excerpts: float32 [excerpts, dim], of which `missing` are not there yet."""

    embeddings: np.ndarray
    missing: int


class Embedder:
    """What a system makes of waveforms, compiled.

    Args:
      system: any system.
    """

    def __init__(self, system: System):
        features, dim = system.params.features, system.params.encoder.embedding_dim
        self._features, self._dim = features, dim
        self._system = system
        self._window = features.span_samples
        windows = tf.TensorSpec([BATCH, self._window], tf.float32)
        self._embed = tf.function(self._embed_windows, input_signature=[windows, tf.TensorSpec([BATCH], tf.int32)])
        self._mean = tf.function(self._mean_and_scores, input_signature=[tf.TensorSpec([None, dim], tf.float32)])

    def excerpts(self, waveforms: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The embedding of every excerpt of every song, in order.

        Args:
          waveforms: float32 [samples] each, as `embed_waveforms` takes them; they are drawn while batches need them.

        Yields:
          float32 [excerpts, dim] for each waveform, NaN where its log-mel is no number; [0, dim] for an empty one.
        """
        waiting: collections.deque[_Song] = collections.deque()
        places: list[tuple[_Song, int]] = []  # of what is in the batch
        batch, frames = np.zeros([BATCH, self._window], np.float32), np.zeros(BATCH, np.int32)

        def flush() -> None:
            batch[len(places) :] = 0.0
            frames[len(places) :] = 0
            found = self._embed(batch, frames).numpy()
            for (song, place), row in zip(places, found, strict=False):
                song.embeddings[place] = row
                song.missing -= 1
            places.clear()

        for waveform in waveforms:
            there = self._frames(len(waveform))
            count = max(1, there // self._features.excerpt_frames) if there else 0
            waiting.append(song := _Song(np.empty([count, self._dim], np.float32), count))
            for place in range(count):
                self._cut(waveform, place, batch[len(places)])
                frames[len(places)] = there - place * self._features.excerpt_frames
                places.append((song, place))
                if len(places) == BATCH:
                    flush()
            del waveform  # the next may be decoded before it is asked for
            while waiting and not waiting[0].missing:
                yield waiting.popleft().embeddings
        if places:
            flush()
        yield from (song.embeddings for song in waiting)

    def song(self, excerpts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A song of its excerpts float32 [excerpts, dim], of which there is one at least: its embedding float32 [dim],
        and the scores of its tags float32 [tags]."""
        embedding, scores = self._mean(excerpts)
        return embedding.numpy(), scores.numpy()

    def _frames(self, samples: int) -> int:
        return 1 + samples // self._features.hop_length if samples else 0

    def _cut(self, waveform: np.ndarray, place: int, window: np.ndarray) -> None:
        """Copies the samples that an excerpt's frames see; there is silence before a song and behind it."""
        first = place * self._features.excerpt_frames * self._features.hop_length - self._features.n_fft // 2
        before = max(0, -first)
        samples = waveform[first + before : first + self._window]
        window[:before] = 0.0
        window[before : before + len(samples)] = samples
        window[before + len(samples) :] = 0.0

    def _embed_windows(self, windows: tf.Tensor, frames: tf.Tensor) -> tf.Tensor:
        """float32 [batch, samples], and how many frames each song has from there on -> [batch, dim]."""
        return embed_spans(self._system.excerpt_embeddings, windows, frames, self._features)

    def _mean_and_scores(self, excerpts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        embedding = self._system.track_embeddings(excerpts, tf.zeros(tf.shape(excerpts)[:1], tf.int32))
        return embedding[0], self._system.scores(embedding)[0]


def embed_spans(
    embed: Callable[[tf.Tensor], tf.Tensor], samples: tf.Tensor, frames: tf.Tensor, features: FeatureParams
) -> tf.Tensor:
    """The embedding of excerpts from the samples under their windows.

    Args:
      embed: log-mel excerpts float32 [batch, frames, mels] to embeddings [batch, dim].
      samples: float32 [batch, features.span_samples].
      frames: int32 [batch], how many frames the song has from there on.
      features: of the log-mel.

    Returns:
      float32 [batch, dim]; NaN where a song is too loud for a log-mel, which a ReLU might make a zero of.
    """
    log_mel = excerpt_log_mel(samples, frames, features)
    is_number = tf.reduce_all(tf.math.is_finite(log_mel), axis=[1, 2])
    return tf.where(is_number[:, tf.newaxis], embed(log_mel), float("nan"))


@functools.lru_cache(maxsize=2)
def embedder(system: System) -> Embedder:
    """The one of a system, so that it is compiled once."""
    return Embedder(system)
