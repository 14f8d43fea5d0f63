"""Which of several machines this process is, as TF_CONFIG says: read without TensorFlow.

    TF_CONFIG='{"cluster": {"worker": ["a:2222", "b:2222"]}, "task": {"type": "worker", "index": 0}}'

The worker of type `chief`, or else the first, is the chief: it writes the run directory, the others only read it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Mapping
from typing import Any

from tfmir.errors import UserError

VARIABLE = "TF_CONFIG"
_HOST = re.compile(r"[^\s:/\[\]]+|\[[^\s/\[\]]+\]")  # an IPv6 address has brackets
_ROLES = ("chief", "worker")
_FORM = '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The workers of one training, and which of them this process is.

    Attributes:
      addresses: host:port of every worker, the chief first; none where one process trains alone.
      index: which of them this process is.
      has_chief: whether the chief has a type of its own in TF_CONFIG, and the workers' numbers start after it.
    """

    addresses: tuple[str, ...] = ()
    index: int = 0
    has_chief: bool = False

    @property
    def workers(self) -> int:
        """How many processes train together."""
        return max(1, len(self.addresses))

    @property
    def several(self) -> bool:
        """Whether there is more than one; a cluster of one is a process like any other."""
        return self.workers > 1

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the run directory."""
        return self.index == 0

    @property
    def own_name(self) -> str:
        """How messages name this process."""
        return self.name(self.index)

    def name(self, index: int) -> str:
        """How messages name a worker: as TF_CONFIG does.

        >>> Cluster(("a:1", "b:1")).name(1), Cluster(("a:1", "b:1"), has_chief=True).name(1)
        ('worker 1 (b:1)', 'worker 0 (b:1)')
        """
        kind = "chief" if self.has_chief and index == 0 else "worker"
        return f"{kind} {index - (1 if self.has_chief and index else 0)} ({self.addresses[index]})"


ALONE = Cluster()


def read_cluster(environment: Mapping[str, str] = os.environ) -> Cluster:
    """The cluster that TF_CONFIG names; one process alone where it is not set, or names one worker.

    >>> read_cluster({"TF_CONFIG": '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}'})
    Cluster(addresses=(), index=0, has_chief=False)

    Raises:
      UserError: it is not what TensorFlow takes, or has roles that training has no use for.
    """
    text = environment.get(VARIABLE, "").strip()
    config = _object(_parsed(text) if text else {}, "it")
    if not config.get("cluster"):
        return ALONE
    members = _object(config["cluster"], '"cluster"')
    _check_roles(members)
    task = _object(config.get("task"), '"task"')
    kind, index = task.get("type"), task.get("index")
    if kind not in members:
        raise _wrong(f'its task has the type {kind!r}, expected {" or ".join(map(repr, members))}, as in its "cluster"')
    if isinstance(index, str) and index.isdecimal():
        index = int(index)
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(members[kind]):
        raise _wrong(f"its task has the index {index!r}, expected one of 0..{len(members[kind]) - 1}: of its addresses")
    addresses = tuple(address for role in _ROLES for address in members.get(role, ()))
    if len(addresses) == 1:
        return ALONE
    has_chief = "chief" in members
    return Cluster(addresses, index + (1 if has_chief and kind == "worker" else 0), has_chief)


def refuse_cluster(command: str, remedy: str) -> None:
    """Refuses to run a command on each of several machines that trains without the others.

    Raises:
      UserError: TF_CONFIG names several machines.
    """
    if read_cluster().several:
        raise UserError(f"{VARIABLE} names several machines, which {command} cannot use together: {remedy}")


def split_address(address: str) -> tuple[str, int]:
    """Host and port; the brackets of an IPv6 address are taken off.

    >>> split_address("node-1:2222"), split_address("[::1]:80")
    (('node-1', 2222), ('::1', 80))
    """
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise _wrong(f"it is not JSON ({error})") from error


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(f"{name} is {json.dumps(value)}, expected an object")
    return value


def _check_roles(members: dict[str, Any]) -> None:
    for role, addresses in members.items():
        if role not in _ROLES:
            raise _wrong(
                f'its cluster has the role {role!r}, expected "worker" and perhaps "chief": all machines train, none '
                "holds parameters or evaluates (tfmir.evaluate does, afterwards)"
            )
        if not isinstance(addresses, list) or not addresses or not all(map(_is_address, addresses)):
            raise _wrong(f"its {role!r} has the addresses {json.dumps(addresses)}, expected a list of host:port")
    every = [address for addresses in members.values() for address in addresses]
    if twice := sorted({address for address in every if every.count(address) > 1}):
        raise _wrong(f"it names {twice[0]} twice: every worker needs an address of its own")
    if len(members.get("chief", ())) > 1:
        raise _wrong(f'it has {len(members["chief"])} chiefs, expected one: the others are "worker"')


def _is_address(address: Any) -> bool:
    host, _, port = address.rpartition(":") if isinstance(address, str) else ("", "", "")
    return bool(_HOST.fullmatch(host)) and port.isdecimal() and 0 < int(port) < 65536


def _wrong(what: str) -> UserError:
    return UserError(f"{VARIABLE}: {what}. It has the form {_FORM}; unset it to train on one machine")
