"""Decodes in a process of its own, so that a file which crashes its decoder takes nothing else with it.

The process is a child that decodes one file after the other. A file that ends it is tried once more, in a new one.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterable, Iterator
from typing import IO, Any

import numpy as np

from tfmir.data.audio import AudioError, AudioWarning, local_copy
from tfmir.data.decoding import TIMEOUT_SECS, Answer, Task

_CHILD = "tfmir.data.decoding"
_END_SECS = 10
_READ_BYTES = 1 << 20
_running: set[subprocess.Popen[bytes]] = set()
_ending = threading.Event()


def decode_isolated(
    path: str, *, sample_rate: int, max_secs: float | None = None, timeout_secs: float = TIMEOUT_SECS
) -> np.ndarray:
    """As `audio.decode`, in a child process with a limit of memory and time; half a second slower.

    Raises:
      AudioError: as `audio.decode`, or the child crashed twice, ran out of memory or did not end.
    """
    (answer,) = decode_ahead([Task(path, sample_rate, max_secs, timeout_secs)])
    for remark in answer.remarks:
        warnings.warn(remark, AudioWarning, stacklevel=2)
    if answer.problem:
        raise AudioError(answer.problem)
    return answer.waveform


def decode_ahead(tasks: Iterable[Task]) -> Iterator[Answer]:
    """One answer for each task, in their order. While the caller has one, the child is at the next."""
    with _Child() as child:
        running: _Running | None = None
        for task in tasks:
            answer = running.answer() if running else None
            running = _Running(task, child)
            if answer:
                yield answer
        if running:
            yield running.answer()


class _Running:
    """A task that the child has begun: of a remote file, on a copy. A store has crashes of its own."""

    def __init__(self, task: Task, child: _Child):
        self.child, self.problem = child, ""
        with contextlib.ExitStack() as stack:
            try:
                self.task = dataclasses.replace(task, path=stack.enter_context(local_copy(task.path)))
                child.begin(self.task)
            except AudioError as error:
                self.problem = str(error)
            self.copy = stack.pop_all()

    def answer(self) -> Answer:
        with self.copy:
            if self.problem:
                return Answer(self.problem)
            try:
                return self.child.answer() or self._again()
            except AudioError as error:
                return Answer(str(error))

    def _again(self) -> Answer:
        """The second try, in a new child: what ended the first may have been left there by another file."""
        self.child.begin(self.task)
        answer = self.child.answer()
        return answer or Answer(f"{self.child.end()}: tried twice")


@atexit.register
def _end_children() -> None:
    """A server may end while a thread of it waits for a child that hangs, which would go on without it."""
    _ending.set()
    for process in tuple(_running):
        process.kill()


class _Child:
    """The process, begun when it is needed, and anew where a file has ended it."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.code = 0
        self.timeout_secs = 0.0
        self.errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (no pipe, which might be full)

    def __enter__(self) -> _Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.errors.close()

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.communicate()
            _running.discard(self.process)
            self.process = None

    def begin(self, task: Task) -> None:
        if _ending.is_set():
            raise AudioError("this process is ending")
        self.timeout_secs = task.timeout_secs
        if not self.process or self.process.poll() is not None:
            self.stop()
            call = [sys.executable, "-m", _CHILD]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self.errors}
            self.process = subprocess.Popen(call, bufsize=0, **pipes)  # type: ignore[call-overload]
            _running.add(self.process)
        assert self.process.stdin
        with contextlib.suppress(BrokenPipeError):  # it has ended: that is seen when its answer is asked for
            self.process.stdin.write(json.dumps(dataclasses.asdict(task)).encode() + b"\n")

    def answer(self) -> Answer | None:
        """What the child says; None if it has ended.

        Raises:
          AudioError: it does not end.
        """
        deadline = time.monotonic() + self.timeout_secs
        head = b""
        while not head.endswith(b"\n"):
            part = self._read(1, deadline)
            if not part:
                self._ended()
                return None
            head += part
        found: dict[str, Any] = json.loads(head)
        data = bytearray()
        while len(data) < 4 * found["samples"]:
            part = self._read(min(_READ_BYTES, 4 * found["samples"] - len(data)), deadline)
            if not part:
                self._ended()
                return None
            data += part
        return Answer(found["problem"], np.frombuffer(data, np.float32), found["secs"], tuple(found["remarks"]))

    def end(self) -> str:
        """How the child has ended that had no answer."""
        if self.code < 0:
            return f"kills the process that decodes it ({signal.Signals(-self.code).name})"
        self.errors.seek(0)
        said = self.errors.read().decode(errors="replace").strip().splitlines() or ["no message"]
        return f"ends the process that decodes it ({said[-1].strip()})"

    def _ended(self) -> None:
        """Notes how; a child that has closed its pipe without ending is ended."""
        assert self.process
        try:
            self.code = self.process.wait(_END_SECS)
        except subprocess.TimeoutExpired:
            self.code = -signal.SIGKILL
        self.stop()

    def _read(self, size: int, deadline: float) -> bytes:
        """At most so many bytes; none if the child has ended."""
        assert self.process
        assert self.process.stdout
        poll = select.poll()
        poll.register(self.process.stdout, select.POLLIN)
        if not poll.poll(1000 * max(0.0, deadline - time.monotonic())):
            self.stop()
            raise AudioError(f"decoding does not end: given up after {self.timeout_secs:g} s")
        return os.read(self.process.stdout.fileno(), size)
