import socket

import pytest

from tfmir.training.lines import Lines, connect, listen, why_silent


@pytest.fixture
def pair():
    """Two ends of a connection."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Lines(ours), theirs


def test_messages_come_one_by_one_in_order(pair):
    ours, theirs = pair
    theirs.sendall(b'{"a": 1}\n{"b": [1, 2]}\n{"c')
    assert [ours.receive(1.0) for _ in range(2)] == [{"a": 1}, {"b": [1, 2]}]
    theirs.sendall('": "é"}\n'.encode())
    assert ours.receive(1.0) == {"c": "é"}
    ours.send(hello="you")
    assert theirs.recv(100) == b'{"hello": "you"}\n'


def test_silence_an_end_and_a_stranger_are_told_apart(pair):
    ours, theirs = pair
    assert ours.is_open()
    theirs.sendall(b"GET / HTTP/1.1\r\n[1]\n")
    for _ in range(2):
        with pytest.raises(ValueError):
            ours.receive(1.0)
    with pytest.raises(TimeoutError):
        ours.receive(0.05)
    theirs.close()
    assert not ours.is_open()
    ours.send(to="nobody")


def test_an_end_is_no_timeout(pair):
    ours, theirs = pair
    theirs.close()
    with pytest.raises(ConnectionResetError):
        ours.receive(1.0)


def free_address():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def test_the_port_can_be_listened_at_again_while_a_connection_made_through_it_lives():
    """As TensorFlow's server does after the workers have met."""
    address = free_address()
    with listen(address) as first:
        line = connect(address)
        accepted = Lines(first.accept()[0])
    with listen(address):
        assert why_silent(address) == ""
        accepted.send(still=True)
        assert line.receive(1.0) == {"still": True}
        with pytest.raises(OSError, match="in use"):
            listen(address)
    assert why_silent(address) == "Connection refused"
    line.close()
    accepted.close()


def test_a_name_that_nobody_knows_is_a_reason_too():
    assert why_silent("no-such-host.invalid:1")
