"""A decoder as a process: a task a line, an answer to each. `isolation.py` begins it and ends it."""

from __future__ import annotations

import dataclasses
import json
import os
import sys

import numpy as np

from tfmir.data.audio import AudioError, decode, remarks, seconds

TIMEOUT_SECS = 900
_MEMORY_BYTES = 4 << 30


@dataclasses.dataclass(frozen=True)
class Task:
    """What is asked of one file.

    Attributes:
      path: local or remote.
      sample_rate: Hz of the waveform; 0: only the length is asked for.
      max_secs: decode no more than so many seconds.
      timeout_secs: how long the child may take, after which it is ended.
    """

    path: str
    sample_rate: int = 0
    max_secs: float | None = None
    timeout_secs: float = TIMEOUT_SECS


@dataclasses.dataclass(frozen=True)
class Answer:
    """What became of one file.

    Attributes:
      problem: why it cannot be used, else empty.
      waveform: float32 [samples]; empty if only the length was asked for.
      secs: its length, if that was asked for.
      remarks: what is wrong with it although it is used.
    """

    problem: str = ""
    waveform: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, np.float32))
    secs: float = 0.0
    remarks: tuple[str, ...] = ()


def decode_here(task: Task) -> Answer:
    """The answer to a task from this process, which a file may end."""
    try:
        with remarks() as said:
            if not task.sample_rate:
                return Answer(secs=seconds(task.path))
            waveform = decode(task.path, sample_rate=task.sample_rate, max_secs=task.max_secs)
        return Answer("", waveform, remarks=tuple(said))
    except AudioError as error:
        return Answer(" ".join(str(error).split()))


def _main() -> None:
    """The child: a task a line from standard input, an answer to each to what was standard output.

    Decoders that print something print it to standard error.
    """
    _limit_memory()
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        for line in sys.stdin.buffer:
            answer = decode_here(Task(**json.loads(line)))
            head = dataclasses.asdict(dataclasses.replace(answer, waveform=np.zeros(0)))
            del head["waveform"]
            answers.write(json.dumps(head | {"samples": len(answer.waveform)}).encode() + b"\n")
            answers.write(answer.waveform.astype(np.float32, copy=False).tobytes())
            answers.flush()


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))


if __name__ == "__main__":
    _main()
