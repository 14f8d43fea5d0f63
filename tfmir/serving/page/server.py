"""Binds the address, says it, serves until it is told to end."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import sys
import threading
import types
from collections.abc import Iterator

import uvicorn
from starlette.applications import Starlette

from tfmir.errors import UserError
from tfmir.serving.page.guard import is_loopback

_END_SECS = 1  # for answers that are under way
_BACKLOG = 128


def listening(host: str, port: int) -> socket.socket:
    """A socket that takes connections already.

    Args:
      host: name or address of an interface of this machine.
      port: 0 takes one that is free.

    Raises:
      UserError: the port is taken or not ours to take, or the host is none of this machine's.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise UserError(f"--host={host}: no such name or address: leave it out, or give one of this machine") from error
    family, kind, protocol, _, address = found[0]
    taken = socket.socket(family, kind, protocol)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
        taken.listen(_BACKLOG)
    except OSError as error:
        taken.close()
        raise _explained(host, port, error) from error
    return taken


def serve(app: Starlette, taken: socket.socket, *, host: str) -> None:
    """Serves until Ctrl-C or SIGTERM, after which the process may end at once."""
    if not is_loopback(host):
        print(
            f"--host={host}: whoever reaches this machine can read the catalogue, play its audio and upload songs: "
            "there is no password",
            file=sys.stderr,
        )
    print(f"open {address_of(taken, host)} in a browser; Ctrl-C ends the page", flush=True)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=_END_SECS
    )
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again when it has ended
        _Server(config).run(sockets=[taken])


class _Server(uvicorn.Server):
    """Ends without a traceback for every answer that it cuts off, such as a song that is being played."""

    def handle_exit(self, sig: int, frame: types.FrameType | None) -> None:
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        super().handle_exit(sig, frame)


def address_of(taken: socket.socket, host: str) -> str:
    """The address to open in a browser."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)
    return f"http://{f'[{name}]' if ':' in name else name}:{taken.getsockname()[1]}/"


@contextlib.contextmanager
def running(app: Starlette) -> Iterator[str]:
    """Serves in a thread of this process while the block runs; yields the address. For notebooks and tests."""
    with listening("127.0.0.1", 0) as taken:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]}, daemon=True)
        thread.start()
        try:
            yield address_of(taken, "127.0.0.1")
        finally:
            server.should_exit = True
            thread.join(10)


def _explained(host: str, port: int, error: OSError) -> UserError:
    if error.errno == errno.EADDRINUSE:
        return UserError(
            f"--port={port}: something listens there already: end it, or name another port (0: a free one)"
        )
    if error.errno == errno.EACCES:
        return UserError(f"--port={port}: not for ordinary users: name one from 1024 on")
    return UserError(f"--host={host} --port={port}: cannot be listened at ({error.strerror}): leave --host out")
