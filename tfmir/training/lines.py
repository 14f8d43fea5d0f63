"""Messages between the workers of a training: one line of JSON each, over TCP."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from typing import Any

from tfmir.training.cluster import split_address

_LONGEST = 1 << 20  # bytes of a message
_PATIENCE_SECS = 5.0  # for a connection to be made


class Lines:
    """A connection to one other worker; several threads may send, one receives.

    Args:
      connection: connected.
    """

    def __init__(self, connection: socket.socket):
        self._socket = connection
        self._file = connection.makefile("rb")
        self._sending = threading.Lock()

    def send(self, **message: Any) -> None:
        """Sends a message; one that nobody is there to read any more is dropped: who receives is told."""
        data = json.dumps(message).encode() + b"\n"
        with self._sending, contextlib.suppress(OSError):
            self._socket.sendall(data)

    def receive(self, patience_secs: float | None) -> dict[str, Any]:
        """The next message.

        Raises:
          TimeoutError: none came in so many seconds; None waits without an end.
          OSError: the other side has closed the connection, or the machine cannot be reached any more.
          ValueError: what came is no message: the other side is something else.
        """
        self._socket.settimeout(patience_secs)
        data = self._file.readline(_LONGEST)
        if not data:
            raise ConnectionResetError("closed")
        message = json.loads(data)
        if not isinstance(message, dict):
            raise ValueError("no object")
        return message

    def is_open(self) -> bool:
        """Whether the other side has not closed the connection."""
        self._socket.setblocking(False)
        try:
            return self._socket.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            self._socket.setblocking(True)

    def close(self) -> None:
        """Closes the connection."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def listen(address: str) -> socket.socket:
    """A socket that listens at the port of an address, on all interfaces, as TensorFlow's server does afterwards.

    Connections that it has accepted stay when it is closed, and keep nobody from listening at the port again.

    Raises:
      OSError: another process holds the port, or it is not for this user.
    """
    host, port = split_address(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("", port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def connect(address: str, patience_secs: float = _PATIENCE_SECS) -> Lines:
    """A connection to an address.

    Raises:
      OSError: nobody answers there, or the name is not known.
    """
    return Lines(socket.create_connection(split_address(address), timeout=min(patience_secs, _PATIENCE_SECS)))


def why_silent(address: str) -> str:
    """Why an address does not answer; empty if it does."""
    try:
        connect(address).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""
