"""What hears an uploaded song: a run in this process, or a served bundle; each has the weights of the index.

A run is loaded at the first song: the page opens at once, and TensorFlow is imported nowhere else.
"""

from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING, Protocol

import numpy as np

from tfmir import files
from tfmir.data.audio import AudioError
from tfmir.data.isolation import decode_isolated
from tfmir.run_directory import Run
from tfmir.serving.page.questions import check_weights

if TYPE_CHECKING:
    from tfmir.model.system import System
    from tfmir.serving.client import Client

DECODE_SECS = 90  # ten minutes of audio take about two
_EXCERPTS = 32  # embedded at a time: memory does not grow with the song


@dataclasses.dataclass(frozen=True)
class Heard:
    """A song as the model hears it: embedding float32 [dim] of the whole space, scores float32 [tags]."""

    embedding: np.ndarray
    scores: np.ndarray


class Embedder(Protocol):
    """What the page asks of a model.

    Attributes:
      weights_sha256: which its embeddings are of.
    """

    weights_sha256: str

    def hear(self, path: str) -> Heard:
        """Decodes a file in a process of its own and embeds it.

        Raises:
          AudioError: of the file.
          UserError: of the model or its server.
        """


class RunEmbedder:
    """A trained run, in this process.

    Args:
      run: with weights.
      index: folder of the index, for messages.
      weights_sha256: of the index.
      precision: that its songs were embedded in, as the file is.

    Raises:
      UserError: the run has other weights.
    """

    def __init__(self, run: Run, *, index: str, weights_sha256: str, precision: str = "float32"):
        self._precision = precision
        self.run, self.index, self.weights_sha256 = run, index, weights_sha256
        self._check()
        self._lock = threading.Lock()
        self._system: System | None = None

    def hear(self, path: str) -> Heard:
        """See `Embedder`."""
        waveform = _decoded(path, self.run.params.features.sample_rate, self._longest_secs)
        with self._lock:
            system = self._system or self._load()
            embedding, scores = _embedded(system, waveform)
        return _finite(Heard(embedding, scores))

    @property
    def _longest_secs(self) -> float:
        features = self.run.params.features
        return features.max_frames * features.hop_length / features.sample_rate

    def _load(self) -> System:
        from tfmir.inference.weights import load_system

        self._check()  # again, as the run may have been trained on since the page was started
        system = load_system(self.run, tagging=False, precision=self._precision)
        self._check()  # and while it was read
        self._system = system
        return system

    def _check(self) -> None:
        found = files.sha256(self.run.best_weights)
        check_weights(self.weights_sha256, found, index=self.index, flag=f"--run={self.run.path}")


class EndpointEmbedder:
    """A bundle behind a server, asked through `tfmir.serving.client`; TensorFlow is not imported.

    Args:
      client: of the endpoint; it keeps to the version that answers first.
      index: folder of the index, for messages.
      weights_sha256: of the index.

    Raises:
      UserError: nobody answers, or a server of other weights.
    """

    def __init__(self, client: Client, *, index: str, weights_sha256: str):
        self.client, self.weights_sha256 = client, weights_sha256
        check_weights(weights_sha256, client.card().get("weights_sha256", ""), index=index, flag="--endpoint")

    def hear(self, path: str) -> Heard:
        """See `Embedder`."""
        features = self.client.card()["features"]
        served = self.client.embed_waveform(_decoded(path, features["sample_rate"], 600.0))
        if not served.valid:
            raise AudioError("the server could not use it")
        return _finite(Heard(np.asarray(served.embedding, np.float32), np.asarray(served.scores, np.float32)))


def _decoded(path: str, sample_rate: int, longest_secs: float) -> np.ndarray:
    return decode_isolated(path, sample_rate=sample_rate, max_secs=longest_secs, timeout_secs=DECODE_SECS)


def _embedded(system: System, waveform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As `embed_waveforms`, a few excerpts at a time."""
    import tensorflow as tf

    from tfmir.data.features import excerpts, log_mel
    from tfmir.inference.weights import lacks_prototypes

    features = system.params.features
    cut = excerpts(log_mel(tf.constant(waveform[np.newaxis]), features), features)[0]  # [k, 129, 128]
    parts = [system.excerpt_embeddings(cut[at : at + _EXCERPTS]) for at in range(0, len(cut), _EXCERPTS)]
    embedding = system.track_embeddings(tf.concat(parts, axis=0), tf.zeros([len(cut)], tf.int32))
    # A triplet system whose training has not ended has no prototypes yet: the songs are found all the same.
    scores = np.zeros(0, np.float32) if lacks_prototypes(system) else system.scores(embedding)[0].numpy()
    return embedding[0].numpy(), scores


def _finite(heard: Heard) -> Heard:
    if not np.isfinite(heard.embedding).all():
        raise AudioError("its samples are too loud to be audio")
    if not heard.embedding.any():
        raise AudioError("the model hears nothing in it: silence, or too little sound")
    return heard
