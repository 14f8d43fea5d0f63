"""The process that a user starts on each of several machines: it holds one that trains, and watches over it.

    supervisor <- trainer   what it is about to train; `started` when TensorFlow's servers have met; `done`; or `end`
    supervisor -> trainer   `go` when all workers are there; `bye` when all are done

TensorFlow holds Python's lock while its servers look for each other, so that no thread of the same process can say
that one is gone, and takes SIGTERM for itself. The supervisor does without TensorFlow: when a peer is gone, or the
process is asked to end, it ends the trainer at once. Nothing is lost that a backup does not hold.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

from tfmir.errors import UserError
from tfmir.training.cluster import Cluster
from tfmir.training.lines import Lines
from tfmir.training.peers import AGAIN, Peers

DESCRIPTOR = "TFMIR_SUPERVISOR"  # the variable with the number of the trainer's end of the connection
_TRAINER = -1  # beside the indices of workers
_DEATH_SIGNAL = 1  # of prctl(2): what a process gets when its parent ends
_PATIENCE_SECS = 5.0
_Events = queue.Queue[tuple[int, dict[str, Any]]]


def supervise(cluster: Cluster, words: Sequence[str], *, timeout_secs: float) -> None:
    """Runs a command that trains, together with those of the other workers; returns when all have ended well.

    Args:
      cluster: who trains; more than one.
      words: the command; it calls `trainer.joined`.
      timeout_secs: how long a worker may be missing at the start, and silent later.

    Raises:
      UserError: another worker is missing, lost, or about to train something else.
      SystemExit: the trainer has ended with an exit code that is not 0; it has said why.
    """
    events: _Events = queue.Queue()
    with contextlib.closing(Peers(cluster, timeout_secs=timeout_secs, events=events)) as peers, _trainer(words) as own:
        process, line = own
        try:
            _follow(line, events)
            _conduct(peers, process, line, events)
        except SystemExit:
            raise
        except BaseException as error:
            asked = isinstance(error, KeyboardInterrupt)
            peers.tell(end=f"{cluster.own_name} was interrupted: {AGAIN}" if asked else str(error))
            process.kill()
            if cluster.is_chief:
                print(file=sys.stderr)  # its bar has no end
            raise


def _conduct(peers: Peers, process: subprocess.Popen[bytes], line: Lines, events: _Events) -> None:
    """From the trainer's first word to its last."""
    cluster = peers.cluster
    _, first = events.get()
    if "facts" in first:
        peers.agree(first["facts"])
        line.send(go=True)
    else:
        events.put((_TRAINER, first))
    end: float | None = time.monotonic() + peers.timeout_secs
    others = set(range(1, cluster.workers)) if cluster.is_chief else {0}
    busy = {_TRAINER, *others}
    why = ""
    while busy:
        try:
            source, message = events.get(timeout=None if end is None else max(0.0, end - time.monotonic()))
        except queue.Empty:
            raise _too_late(peers) from None
        if "started" in message:
            end = None
        elif "done" in message or "bye" in message:
            busy -= {source}
            if source == _TRAINER and not cluster.is_chief:
                peers.tell(done=True)
        elif source == _TRAINER and "end" in message:
            why = message["end"]
        elif source == _TRAINER:
            _end_with(process, peers, why)
        elif source in busy:
            if cluster.is_chief:  # the others, too, learn why all end
                peers.tell(**message)
            _let_end(process, wait_secs=_PATIENCE_SECS if "by_itself" in message else 0.0)
            raise UserError(message["end"])
    peers.tell(bye=True)
    line.send(bye=True)
    if code := process.wait():
        raise SystemExit(code)


def _let_end(process: subprocess.Popen[bytes], *, wait_secs: float) -> None:
    """Lets the trainer end by itself, where another has: of what ends all, such as a loss that is no number, each says
    a line.

    Raises:
      SystemExit: it has.
    """
    with contextlib.suppress(subprocess.TimeoutExpired):
        if code := process.wait(wait_secs):
            raise SystemExit(code)


def _end_with(process: subprocess.Popen[bytes], peers: Peers, why: str) -> None:
    """The trainer has ended before it was done.

    Raises:
      UserError: a signal has ended it.
      SystemExit: it has said why.
    """
    code, own = process.wait(), peers.cluster.own_name
    if code < 0:
        name = signal.Signals(-code).name
        raise UserError(f"{own}: its training was ended by {name}, by the system if memory ran out: {AGAIN}")
    peers.tell(end=f"{own} has ended: {why or f'exit code {code}'}", by_itself=True)
    raise SystemExit(code or 1)


def _too_late(peers: Peers) -> UserError:
    silent = peers.silent()
    answers = f"no answer from {', '.join(silent)}" if silent else "though all answer"
    return UserError(
        f"TensorFlow's servers have not met within {peers.timeout_secs:g} s (--peer_timeout), {answers}: every worker "
        f"must reach the port of every other. {AGAIN[0].upper()}{AGAIN[1:]}"
    )


@contextlib.contextmanager
def _trainer(words: Sequence[str]) -> Iterator[tuple[subprocess.Popen[bytes], Lines]]:
    """The process that trains, and the connection to it; it ends with the block, and with this process."""
    ours, theirs = socket.socketpair()
    environment = os.environ | {DESCRIPTOR: str(theirs.fileno())}
    library = ctypes.CDLL(None) if sys.platform == "linux" else None

    def bind() -> None:
        if library is not None:
            library.prctl(_DEATH_SIGNAL, signal.SIGKILL)

    with theirs:
        process = subprocess.Popen(words, env=environment, pass_fds=[theirs.fileno()], preexec_fn=bind)
    try:
        yield process, Lines(ours)
    finally:
        process.kill()
        process.wait()
        ours.close()


def _follow(line: Lines, events: _Events) -> None:
    """Has a thread hand on what the trainer says; an empty message is its end."""

    def read() -> None:
        with contextlib.suppress(OSError, ValueError):
            while True:
                events.put((_TRAINER, line.receive(None)))
        events.put((_TRAINER, {}))

    threading.Thread(target=read, daemon=True).start()
