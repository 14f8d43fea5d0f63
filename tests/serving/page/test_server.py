"""The socket and the server: paths as they stand on the wire, a port that is taken, an address to open."""

import socket
import urllib.request

import pytest

from tfmir.errors import UserError
from tfmir.serving.page import server
from tfmir.serving.page.app import build_app
from tfmir.serving.page.server import address_of, listening, running
from tfmir.serving.page.uploads import Uploads


@pytest.fixture
def address(catalogue, songs, tmp_path):
    with running(build_app(catalogue, Uploads(None, str(tmp_path)), audio_dir=str(songs))) as found:
        yield found


def status(address, target):
    """Of a request whose target is sent as it stands: clients would tidy it."""
    host, port = address.removeprefix("http://").strip("/").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as wire:
        wire.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        answer = b""
        while part := wire.recv(1 << 16):
            answer += part
    assert b"root:" not in answer
    return int(answer.split(b" ", 2)[1])


def test_evil_paths_on_the_wire(address):
    for target in (
        b"/audio/../../../../../../etc/passwd",
        b"/audio/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        b"/audio/..%2f..%2f..%2fetc%2fpasswd",
        b"/audio//etc/passwd",
        b"/audio/%2fetc%2fpasswd",
        b"/audio/..\\..\\etc\\passwd",
        b"/audio/0%00.wav",
        b"/../../../../etc/passwd",
        b"//etc/passwd",
        b"/static/../../../../../etc/passwd",
        b"/static/..%2fserver.py",
    ):
        assert status(address, target) == 404, target
    assert status(address, b"/audio/0") == 200
    assert status(address, b"/") == 200


def test_a_port_that_is_taken_is_one_line(address):
    port = int(address.strip("/").rpartition(":")[2])
    with pytest.raises(UserError, match=f"--port={port}: something listens there already") as told:
        listening("127.0.0.1", port)
    assert "\n" not in str(told.value)
    assert urllib.request.urlopen(address, timeout=10).status == 200


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", False), ("localhost", False), ("0.0.0.0", True)])
def test_it_says_its_address_warns_where_others_may_come_and_ends_quietly(host, warned, monkeypatch, capsys):
    def interrupted(self, sockets):
        raise KeyboardInterrupt

    monkeypatch.setattr(server.uvicorn.Server, "run", interrupted)
    with listening(host, 0) as taken:
        server.serve(None, taken, host=host)
        address = address_of(taken, host)
    said = capsys.readouterr()
    assert said.out == f"open {address} in a browser; Ctrl-C ends the page\n"
    assert ("there is no password" in said.err) == warned


@pytest.mark.parametrize("host", ["no.such.name.invalid", "203.0.113.7", "a b", "x" * 300])
def test_a_host_that_is_not_ours_is_one_line(host):
    with pytest.raises(UserError, match="--host=") as told:
        listening(host, 0)
    assert "\n" not in str(told.value)


def test_the_address_is_one_to_open():
    with listening("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert address_of(taken, "127.0.0.1") == f"http://127.0.0.1:{port}/"
        assert address_of(taken, "0.0.0.0") == f"http://127.0.0.1:{port}/"
        assert address_of(taken, "::1") == f"http://[::1]:{port}/"
