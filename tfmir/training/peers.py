"""The workers of a training as each other's peers: they meet, agree on what is trained, and learn when one is gone.

TensorFlow waits for a peer that never comes and for one that is gone, some of the time without an end. So, beside its
own connections, every worker holds one to the chief, made before TensorFlow starts and through the same port:

    worker -> chief   who it is and what it is about to train; then a beat every few seconds, and `done` at the end
    chief -> worker   `go` when all are there and agree; beats; `end` and why, if one is gone; `bye` when all are done

A worker whose process has ended is noticed at once, as its system closes the connection; a machine that went dark by
its silence.
"""

from __future__ import annotations

import contextlib
import math
import queue
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from tfmir.errors import UserError
from tfmir.training.agreement import difference
from tfmir.training.cluster import VARIABLE, Cluster
from tfmir.training.lines import Lines, connect, listen, why_silent

AGAIN = "start all workers again with the same command: they go on where they stopped"
_BEAT_SECS = 1.0  # whatever the others' patience is
_HELLO_SECS = 5.0
_SILENT_SECS = 5.0  # nothing is said of a worker that comes within them
_RETRY_SECS = 0.25


class Peers:
    """The other workers, seen from one of them; closed at the end (`contextlib.closing`).

    Args:
      cluster: who trains; more than one.
      timeout_secs: how long a worker may be missing at the start, and silent later.
      events: where (index of a worker, message) goes once all have agreed; (index, {"end": why}) if one is lost.

    Raises:
      UserError: another process holds this worker's port.
    """

    def __init__(self, cluster: Cluster, *, timeout_secs: float, events: queue.Queue[tuple[int, dict[str, Any]]]):
        self.cluster, self.timeout_secs, self._events = cluster, timeout_secs, events
        self._others: dict[int, Lines] = {}
        self._closed = False
        try:
            self._listener = listen(cluster.addresses[cluster.index])
        except OSError as error:
            raise UserError(
                f"{VARIABLE}: the port of {cluster.own_name} cannot be opened ({error.strerror}): end the process that "
                "holds it, or give all workers another address of it"
            ) from error
        self._listener.settimeout(_RETRY_SECS)

    def agree(self, facts: Mapping[str, Any]) -> None:
        """Waits for all workers; the port is free for TensorFlow then, and what they say goes to the events.

        Args:
          facts: what must be the same for all (`agreement.facts_of`).

        Raises:
          UserError: a worker did not come in time, or is about to train something else.
        """
        if self.cluster.is_chief:
            self._gather(facts)
        else:
            self._greet(facts)
        self._listener.close()
        for index, other in self._others.items():
            if self.cluster.is_chief:
                other.send(go=True)
            threading.Thread(target=self._heed, args=(index, other), daemon=True).start()
        threading.Thread(target=self._beat_always, daemon=True).start()

    def tell(self, **message: Any) -> None:
        """Says something to all that this worker is connected to; before all have agreed, also to those that wait."""
        for other in list(self._others.values()):
            other.send(**message)
        if self._listener.fileno() != -1:
            with contextlib.suppress(OSError):  # no more of them
                while True:
                    Lines(self._listener.accept()[0]).send(**message)

    def silent(self) -> list[str]:
        """The addresses that nobody answers at."""
        return [address for address in self.cluster.addresses if why_silent(address)]

    def close(self) -> None:
        """Closes what is open."""
        self._closed = True
        self._listener.close()
        self._hang_up()

    def _gather(self, facts: Mapping[str, Any]) -> None:
        """The chief's part of `agree`: lets in one worker after the other."""
        end = time.monotonic() + self.timeout_secs
        missing = set(range(1, self.cluster.workers))
        say = self._sayer(end)
        while missing:
            names = ", ".join(map(self.cluster.name, sorted(missing)))
            say(names)
            if time.monotonic() > end:
                raise UserError(f"{names} did not come within {self._patience}: {_remedy('it')}")
            with contextlib.suppress(TimeoutError):
                other = Lines(self._listener.accept()[0])
                index = self._let_in(other, facts)
                missing -= {index}
            for other in self._others.values():
                other.send(beat=True)

    def _let_in(self, other: Lines, facts: Mapping[str, Any]) -> int:
        """The number of the worker that has connected; 0 of what is none, such as a probe of the port."""
        try:
            hello = other.receive(_HELLO_SECS)
            index, addresses, theirs = int(hello["worker"]), tuple(hello["addresses"]), dict(hello["facts"])
        except (OSError, ValueError, KeyError, TypeError):
            other.close()
            return 0
        if why := self._why_not(index, addresses, theirs, facts):
            other.send(end=why)
            raise UserError(why)
        self._others[index] = other
        return index

    def _why_not(self, index: int, addresses: tuple[str, ...], theirs: dict[str, Any], facts: Mapping[str, Any]) -> str:
        """Why a worker cannot be let in; empty if it can."""
        if addresses != self.cluster.addresses:
            expected = ", ".join(self.cluster.addresses)
            return f"{VARIABLE}: a worker has the addresses {', '.join(addresses)}, the chief has {expected}"
        who, known = self.cluster.name(index), self._others.get(index)
        if known is not None and known.is_open():
            return f"{VARIABLE}: two processes say that they are {who}: give each an index of its own"
        if why := why_silent(self.cluster.addresses[index]):
            return f"{VARIABLE}: {who} has come, but its address does not answer ({why}): correct the address"
        differs = difference(facts, theirs)
        return differs and f"{who} {differs}"

    def _greet(self, facts: Mapping[str, Any]) -> None:
        """A worker's part of `agree`: connects to the chief and waits until it has let all in."""
        end, why = time.monotonic() + self.timeout_secs, ""
        say = self._sayer(end)
        while time.monotonic() < end:
            say(self.cluster.name(0))
            try:
                chief = connect(self.cluster.addresses[0], self.timeout_secs)
                self._others = {0: chief}
                chief.send(worker=self.cluster.index, addresses=self.cluster.addresses, facts=dict(facts))
                while not (message := chief.receive(self.timeout_secs)).get("go"):
                    if "end" in message:
                        raise UserError(message["end"])
                return
            except ValueError:
                why = "something else answers, perhaps a training that has not ended"
            except OSError as error:  # not there yet, or started again
                why = error.strerror or str(error)
            self._hang_up()
            time.sleep(_RETRY_SECS)
        who = self.cluster.name(0)
        raise UserError(f"{who} did not answer within {self._patience} ({why}): {_remedy('it')}")

    def _sayer(self, end: float) -> Callable[[str], None]:
        """What says once for whom this worker waits until `end`, if it does so for a while."""
        quiet_until = min(end, time.monotonic() + _SILENT_SECS)

        def say(names: str) -> None:
            nonlocal quiet_until
            if time.monotonic() > quiet_until:
                quiet_until = math.inf
                print(f"waiting for {names}, up to {self._patience}", file=sys.stderr)

        return say

    @property
    def _patience(self) -> str:
        return f"{self.timeout_secs:g} s (--peer_timeout)"

    def _hang_up(self) -> None:
        """Closes the connections to the others."""
        for other in self._others.values():
            other.close()
        self._others = {}

    def _heed(self, index: int, other: Lines) -> None:
        """Hands on what one other worker says, until it is lost."""
        while not self._closed:
            try:
                message = other.receive(self.timeout_secs)
            except TimeoutError:
                message = {"end": f"{self.cluster.name(index)} has been silent for {self._patience}: {AGAIN}"}
            except (OSError, ValueError):
                message = {"end": f"{self.cluster.name(index)} is gone: {AGAIN}"}
            if "beat" not in message:
                self._events.put((index, message))
            if "end" in message:
                return

    def _beat_always(self) -> None:
        while not self._closed:
            for other in self._others.values():
                other.send(beat=True)
            time.sleep(min(_BEAT_SECS, self.timeout_secs / 4))


def _remedy(what: str) -> str:
    return (
        f"start {what} with the command of the others and an index of its own, see what it says on its machine, or "
        f"correct its address in {VARIABLE} everywhere"
    )
