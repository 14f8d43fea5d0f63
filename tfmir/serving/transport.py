"""What gRPC and REST of TensorFlow Serving have in common: who is asked, what may go wrong, what is tried again."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

import numpy as np

T = TypeVar("T")
Inputs = Mapping[str, np.ndarray | Sequence[bytes]]
Arrays = dict[str, np.ndarray]
_RETRIED = ("UNAVAILABLE", "RESOURCE_EXHAUSTED")
_FIRST_PAUSE_SECS, _LONGEST_PAUSE_SECS = 0.1, 5.0


class ServerError(Exception):
    """What a server, or the way to it, answers instead of a result: one of gRPC's codes and a text."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code


@dataclasses.dataclass(frozen=True)
class Model:
    """Which model is asked: its name, and a version, a label, or neither, which is the newest."""

    name: str
    version: int | None = None
    label: str = ""


@dataclasses.dataclass(frozen=True)
class Metadata:
    """What a server says of a model: the version that answers, and the input names of each signature."""

    version: int
    inputs: dict[str, frozenset[str]]


class Transport(Protocol):
    """One try of a call; each raises `ServerError`."""

    def predict(self, model: Model, signature: str, inputs: Inputs, timeout_s: float) -> Arrays:
        """Output name -> array."""

    def metadata(self, model: Model, timeout_s: float) -> Metadata:
        """The version that answers, and its signatures."""

    def versions(self, name: str, timeout_s: float) -> list[int]:
        """Versions of a model that answer."""

    def close(self) -> None:
        """Ends its connections."""


def retrying(call: Callable[[float], T], *, timeout_s: float, patience_s: float | None = None) -> T:
    """The call's result; while the server is away or full, it is tried again after a growing, random pause.

    Args:
      call: of the seconds that are left to it.
      timeout_s: for all tries together.
      patience_s: for a server that is away, if that is less; for a first call, whose address may be wrong.

    Raises:
      ServerError: the last one, or the first that another try would not mend.
    """
    start, pause = time.monotonic(), _FIRST_PAUSE_SECS
    while True:
        try:
            return call(max(0.001, start + timeout_s - time.monotonic()))
        except ServerError as error:
            away = error.code == "UNAVAILABLE" and patience_s is not None
            limit = min(timeout_s, patience_s) if away and patience_s is not None else timeout_s
            if error.code not in _RETRIED or time.monotonic() + pause > start + limit:
                raise
        time.sleep(pause * random.uniform(0.5, 1.0))
        pause = min(2 * pause, _LONGEST_PAUSE_SECS)
