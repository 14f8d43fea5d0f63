"""Asks a server for embeddings, without TensorFlow: decodes and resamples here, sends 16-bit PCM, gets vectors.

    client = Client("http://localhost:8501")
    client.embed_file("song.mp3").embedding              # float32 [dim], of the whole space

The first answer pins the model's version: an export that happens meanwhile does not move queries into another space.
"""

from __future__ import annotations

import dataclasses
import json
import threading
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from tfmir.data.audio import AudioWarning
from tfmir.data.decoding import Task
from tfmir.data.isolation import decode_ahead
from tfmir.errors import UserError
from tfmir.params import MAX_SECS
from tfmir.serving.pinned import PinnedModel
from tfmir.serving.transport import Arrays, Model
from tfmir.serving.wav_file import cut_share, wav_bytes

_SIGNATURE, _INFO = "serving_default_wav_bytes", "model_info"
# A request may hold 1600 excerpts of 3 s, which eight songs of ten minutes have; its bytes are bounded as well.
_MOST_SONGS, _MOST_BYTES = 8, 64 << 20
_CUT_SHARE = 1e-3


@dataclasses.dataclass(frozen=True)
class Served:
    """What a server says of one song.

    Attributes:
      embedding: float32 [dim], of the whole space; its sub-spaces are equal parts, each to be divided by its own norm.
      scores: float32 [tags], in the order of the card's `tags`.
      alive: bool [notions]: whether the notion's sub-space says anything of this song; empty for one space.
      excerpts: how many of 3 s the embedding is the mean of.
      valid: False for a song that the server could not use: everything else is zeros then.
      problem: why a song has no embedding, else empty.
      remarks: what is wrong with a song although it is used.
    """

    embedding: np.ndarray
    scores: np.ndarray
    alive: np.ndarray
    excerpts: int
    valid: bool
    problem: str = ""
    remarks: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class _Song:
    waveform: np.ndarray
    problem: str = ""
    remarks: tuple[str, ...] = ()


class Client:
    """A served model. Threads may share one.

    Args:
      endpoint: `http://host:8501` or `grpc://host:8500`; `https` and `grpcs` too.
      model: its name on the server.
      version: a number, or a label of `models.config` such as "stable"; None: the newest at the first call.
      timeout_s: for one call, all its tries together.

    Raises:
      UserError: the endpoint is none.
    """

    def __init__(self, endpoint: str, *, model: str = "tfmir", version: int | str | None = None, timeout_s: float = 60):
        number, label = (None, version) if isinstance(version, str) else (version, "")
        asked = Model(model, number, label)
        self._model = PinnedModel(endpoint, asked, needed=(_INFO, _SIGNATURE), timeout_s=timeout_s)
        self._card: dict[str, Any] = {}
        self._lock = threading.Lock()

    @classmethod
    def of(cls, endpoint: str, model: str) -> Client:
        """A client from what a user types: `tfmir`, or with a version or label, `tfmir@3`, `tfmir@stable`.

        Raises:
          UserError: the endpoint is none, or the model has no name.
        """
        name, _, version = model.partition("@")
        if not name:
            raise UserError(f"--model={model}: expected the name in the server's models.config, such as tfmir")
        return cls(endpoint, model=name, version=int(version) if version.isdecimal() else version or None)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connections."""
        self._model.close()

    @property
    def version(self) -> int:
        """The version that answers, from the first answer on.

        Raises:
          UserError: as `card`.
        """
        return self._model.pinned().version or 0

    def card(self) -> dict[str, Any]:
        """The bundle's card: tags, notions, features, sha256 of the weights; see `export/README.md`.

        Raises:
          UserError: nobody answers, no such model or version, or a bundle that has no card to give.
        """
        with self._lock:
            if not self._card:
                (cards,) = self._model.predict(_INFO, {"request": [b""]}).values()
                self._card = json.loads(cards[0])
            return self._card

    def refuse_other_weights(self, sha256: str) -> None:
        """Compares the weights that an index was made with and those that are served.

        Raises:
          UserError: they differ, so a served query would be in another space; or as `card`.
        """
        found = self.card().get("weights_sha256", "")
        if found != sha256:
            model = self._model
            raise UserError(
                f"{model.endpoint} serves version {self.version} of {model.asked.name!r} with the weights "
                f"{found[:12]}…, the index was made with {sha256[:12]}…: ask for the version that made it, or make the "
                "index anew"
            )

    def embed_file(self, path: str) -> Served:
        """Embeds an audio file, of one longer than ten minutes the first ten, which is remarked.

        Raises:
          UserError: it cannot be decoded or used, or the server does not answer; see `card`.
        """
        return _alone(self.embed_files([path]), str(path))

    def embed_files(self, paths: Iterable[str]) -> Iterator[Served]:
        """One answer for each file, in their order; the next ones are decoded in a child process meanwhile.

        Several songs go in one request, as many as one may hold. A file that cannot be used has a `problem`.

        Raises:
          UserError: the server does not answer; see `card`.
        """
        rate = self._sample_rate()
        waiting: list[_Song] = []
        # A second more than is sent tells that there is more.
        for answer in decode_ahead(Task(str(path), rate, MAX_SECS + 1) for path in paths):
            song = _first_minutes(_Song(answer.waveform, answer.problem, answer.remarks), rate)
            if waiting and not fits([len(other.waveform) for other in (*waiting, song)]):
                yield from self._served(waiting)
                waiting = []
            waiting.append(song)
        yield from self._served(waiting)

    def embed_waveform(self, waveform: np.ndarray) -> Served:
        """Embeds float32 [samples], mono at the card's sample rate; see `embed_file` for a longer one.

        Raises:
          UserError: NaN, infinite or no samples, another shape, or the server does not answer; see `card`.
        """
        found = np.asarray(waveform, np.float32)
        if found.ndim != 1 or not found.size or not np.isfinite(found).all():
            raise UserError(f"a waveform of shape {found.shape}: expected finite numbers of shape [samples]")
        return _alone(self._served([_first_minutes(_Song(found), self._sample_rate())]), "the waveform")

    def _served(self, songs: list[_Song]) -> Iterator[Served]:
        """What becomes of songs that fit into one request."""
        rate = self._sample_rate()
        sent = [wav_bytes(song.waveform, sample_rate=rate) for song in songs if not song.problem]
        rows = iter(_rows(self._model.predict(_SIGNATURE, {"wav_bytes": sent})) if sent else ())
        nothing = np.zeros(0, np.float32)
        for song in songs:
            if song.problem:
                yield Served(nothing, nothing, np.zeros(0, np.bool_), 0, False, song.problem, song.remarks)
                continue
            served, share = next(rows), cut_share(song.waveform)
            problem = "" if served.valid else "the server calls it invalid: its log-mel is no number, or it has none"
            loud = (f"{100 * share:.2g} % of its samples are louder than full scale, and are cut",)
            remarks = song.remarks + (loud if share > _CUT_SHARE else ())
            yield dataclasses.replace(served, problem=problem, remarks=remarks)

    def _sample_rate(self) -> int:
        return int(self.card()["features"]["sample_rate"])


def fits(samples: list[int]) -> bool:
    """Whether songs of so many samples go into one request, as 16-bit PCM.

    >>> ten_minutes = 600 * 22050
    >>> fits([ten_minutes] * 2), fits([ten_minutes] * 3), fits([66150] * 8), fits([66150] * 9)
    (True, False, True, False)
    """
    return len(samples) <= _MOST_SONGS and 2 * sum(samples) <= _MOST_BYTES


def _first_minutes(song: _Song, rate: int) -> _Song:
    """What is sent of a song, with a remark if that is not all of it."""
    if len(song.waveform) <= MAX_SECS * rate:
        return song
    remarks = (*song.remarks, "heard for its first ten minutes only")
    return dataclasses.replace(song, waveform=song.waveform[: MAX_SECS * rate], remarks=remarks)


def _alone(answers: Iterator[Served], what: str) -> Served:
    """The only answer, its remarks as warnings.

    Raises:
      UserError: it has a problem.
    """
    (served,) = answers
    if served.problem:
        raise UserError(f"{what}: {served.problem}")
    for remark in served.remarks:
        warnings.warn(remark, AudioWarning, stacklevel=3)
    return served


def _rows(outputs: Arrays) -> list[Served]:
    alive = outputs.get("alive", np.zeros((len(outputs["valid"]), 0), np.bool_))
    return [
        Served(
            np.asarray(outputs["embedding"][row], np.float32),
            np.asarray(outputs["scores"][row], np.float32),
            np.asarray(alive[row], np.bool_),
            int(outputs["excerpts"][row]),
            bool(outputs["valid"][row]),
        )
        for row in range(len(outputs["valid"]))
    ]
