"""The process that trains, as one of several workers, seen from within: what it says to its supervisor."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tfmir.errors import UserError
from tfmir.training.cluster import ALONE, VARIABLE, Cluster
from tfmir.training.lines import Lines
from tfmir.training.supervisor import DESCRIPTOR


def is_trainer() -> bool:
    """Whether this process was started by a supervisor."""
    return DESCRIPTOR in os.environ


def leave_signals_to_supervisor() -> None:
    """Ignores what a terminal or a scheduler sends to all processes of a group: one of them says the line."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


class Trainer:
    """One of the workers; alone, all that it says goes nowhere.

    Args:
      cluster: who trains together.
      line: to the supervisor; None where one process trains alone.
    """

    def __init__(self, cluster: Cluster, line: Lines | None):
        self.cluster = cluster
        self._line = line

    def agree(self, facts: Callable[[], Mapping[str, Any]]) -> None:
        """Waits until all workers are there and about to train the same; TensorFlow may start then.

        Args:
          facts: gives what must be the same for all (`agreement.facts_of`).
        """
        if self._line is not None:
            self._line.send(facts=dict(facts()))
            self._wait("go")

    def started(self) -> None:
        """Says that TensorFlow's servers have met: from here on, only the end of one is an end."""
        if self._line is not None:
            self._line.send(started=True)

    def finish(self) -> None:
        """Waits until all are done: TensorFlow takes a worker that has ended for one that is lost."""
        if self._line is not None:
            self._line.send(done=True)
            self._wait("bye")

    def fail(self, error: BaseException) -> None:
        """Says why this worker ends."""
        if self._line is not None:
            why = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}".splitlines()[0]
            self._line.send(end=why)

    def _wait(self, word: str) -> None:
        assert self._line is not None
        while word not in self._line.receive(None):
            pass


@contextlib.contextmanager
def joined(cluster: Cluster) -> Iterator[Trainer]:
    """This process as one of the workers: all have ended well when the block is left.

    Args:
      cluster: who trains together; of a cluster of one nothing is asked.

    Raises:
      UserError: there is a cluster, and no supervisor.
    """
    if not cluster.several:
        yield Trainer(ALONE, None)
        return
    if not is_trainer():
        raise UserError(f"{VARIABLE} names several machines, on which only python -m tfmir.train trains")
    trainer = Trainer(cluster, Lines(socket.socket(fileno=int(os.environ[DESCRIPTOR]))))
    try:
        yield trainer
        trainer.finish()
    except BaseException as error:
        trainer.fail(error)
        raise
