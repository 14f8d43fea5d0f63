"""Workers as threads of this process."""

import concurrent.futures
import contextlib
import queue
import time

import pytest

from tests.fixtures.workers import free_addresses
from tfmir.errors import UserError
from tfmir.training.cluster import Cluster
from tfmir.training.lines import connect, why_silent
from tfmir.training.peers import Peers

FACTS = {"--seed": "0"}


class Worker:
    """One of the peers, with what it has been told since all agreed."""

    def __init__(self, addresses, index, timeout_secs=5.0):
        self.events = queue.Queue()
        self.peers = Peers(Cluster(addresses, index), timeout_secs=timeout_secs, events=self.events)

    def next(self):
        return self.events.get(timeout=5)


@pytest.fixture
def start():
    """Makes workers, and closes them at the end."""
    with contextlib.ExitStack() as closed:

        def make(addresses, indices, **kwargs):
            workers = [Worker(addresses, index, **kwargs) for index in indices]
            for worker in workers:
                closed.callback(worker.peers.close)
            return workers

        yield make


def agreed(workers, facts=None):
    """What came of the agreement of each: None, or what it raised."""
    with concurrent.futures.ThreadPoolExecutor(len(workers)) as pool:
        asked = [pool.submit(w.peers.agree, f) for w, f in zip(workers, facts or [FACTS] * len(workers), strict=True)]
        return [future.exception(timeout=20) for future in asked]


def test_three_meet_hear_of_each_other_through_the_chief_and_leave_their_ports(start):
    addresses = free_addresses(3)
    workers = start(addresses, [0, 1, 2])
    assert agreed(workers) == [None] * 3
    assert workers[0].peers.silent() == list(addresses)  # free for TensorFlow
    for index in (2, 1):
        workers[index].peers.tell(done=True)
        assert workers[0].next() == (index, {"done": True})
    workers[0].peers.tell(bye=True)
    assert [worker.next() for worker in workers[1:]] == [(0, {"bye": True})] * 2


def test_one_that_closes_is_gone_at_once(start):
    addresses = free_addresses(3)
    workers = start(addresses, [0, 1, 2], timeout_secs=60.0)
    agreed(workers)
    workers[1].peers.close()
    index, message = workers[0].next()
    assert (index, message["end"]) == (
        1,
        f"worker 1 ({addresses[1]}) is gone: start all workers again with the same command: they go on where they "
        "stopped",
    )
    assert workers[2].events.empty()  # the chief tells it


def test_one_that_goes_dark_is_noticed_by_its_silence(start, monkeypatch):
    """As a machine without current: nothing is closed, nothing comes."""
    addresses = free_addresses(2)
    workers = start(addresses, [0, 1], timeout_secs=0.6)
    monkeypatch.setattr(workers[1].peers, "_beat_always", lambda: None)
    agreed(workers)
    begin = time.monotonic()
    index, message = workers[0].next()
    assert index == 1
    assert message["end"].startswith(f"worker 1 ({addresses[1]}) has been silent for 0.6 s (--peer_timeout): ")
    assert 0.5 < time.monotonic() - begin < 3


def test_those_that_beat_are_not_silent(start):
    workers = start(free_addresses(2), [0, 1], timeout_secs=0.6)
    agreed(workers)
    time.sleep(1.5)
    assert all(worker.events.empty() for worker in workers)


def test_a_missing_worker_is_named_to_all_that_came(start):
    addresses = free_addresses(3)
    chief, first = start(addresses, [0, 1], timeout_secs=1.0)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(first.peers.agree, FACTS)
        with pytest.raises(UserError) as told:
            chief.peers.agree(FACTS)
        chief.peers.tell(end=str(told.value))  # as the supervisor does
        assert str(waiting.exception(timeout=5)) == str(told.value)
    assert str(told.value).startswith(f"worker 2 ({addresses[2]}) did not come within 1 s (--peer_timeout): start it")


def test_a_missing_chief_is_named_with_the_reason(start):
    addresses = free_addresses(2)
    (worker,) = start(addresses, [1], timeout_secs=0.5)
    (error,) = agreed([worker])
    assert str(error).startswith(f"worker 0 ({addresses[0]}) did not answer within 0.5 s (--peer_timeout) (Connection")


def test_who_comes_before_the_chief_and_who_comes_twice_is_let_in(start):
    """A worker that was ended and started again while others are still awaited takes its own place."""
    addresses = free_addresses(3)
    (lost,) = start(addresses, [1])
    with concurrent.futures.ThreadPoolExecutor() as pool:
        early = pool.submit(lost.peers.agree, FACTS)
        (chief,) = start(addresses, [0])
        waiting = pool.submit(chief.peers.agree, FACTS)
        while not chief.peers._others:
            time.sleep(0.01)
        chief.peers._others[1].send(end="ended by hand")
        assert str(early.exception(timeout=5)) == "ended by hand"
        lost.peers.close()
        others = start(addresses, [1, 2])
        assert agreed(others) == [None, None]
        assert waiting.exception(timeout=5) is None


def test_strangers_at_the_port_are_passed_over(start):
    """A probe of the port that says nothing, and one that speaks another language."""
    addresses = free_addresses(2)
    workers = start(addresses, [0, 1])
    connect(addresses[0]).close()
    with contextlib.closing(connect(addresses[0])) as browser:
        browser.send(get="/")
        assert agreed(workers) == [None, None]


def test_a_difference_ends_all_before_anything_is_trained(start):
    addresses = free_addresses(2)
    chief, other = start(addresses, [0, 1])
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(other.peers.agree, {"--seed": "1"})
        with pytest.raises(UserError) as told:
            chief.peers.agree(FACTS)
        chief.peers.tell(end=str(told.value))
        assert str(waiting.exception(timeout=5)) == str(told.value)
    expected = f"worker 1 ({addresses[1]}) has --seed 1, the chief has 0: give all workers the same command"
    assert str(told.value) == expected


def test_one_of_another_cluster_ends_all(start):
    addresses = free_addresses(4)
    chief, one = start(addresses[:3], [0, 1])
    stranger = Worker((addresses[0], addresses[3], addresses[2]), 1)
    with contextlib.closing(stranger.peers), concurrent.futures.ThreadPoolExecutor() as pool:
        asked = [pool.submit(worker.peers.agree, FACTS) for worker in (chief, one)]
        while not chief.peers._others:
            time.sleep(0.01)
        asked.append(pool.submit(stranger.peers.agree, FACTS))
        told = str(asked[0].exception(timeout=5))
        chief.peers.tell(end=told)  # as the supervisor does
        assert [str(future.exception(timeout=5)) for future in asked[1:]] == [told, told]
    assert told.startswith(f"TF_CONFIG: a worker has the addresses {addresses[0]}, {addresses[3]}, {addresses[2]}, the")


def test_two_that_say_they_are_one_worker_are_both_told(start):
    """TF_CONFIG copied to the second machine as it was on the first."""
    addresses = free_addresses(3)
    chief, one = start(addresses, [0, 1])
    with concurrent.futures.ThreadPoolExecutor() as pool:
        asked = [pool.submit(worker.peers.agree, FACTS) for worker in (chief, one)]
        while not chief.peers._others:
            time.sleep(0.01)
        with contextlib.closing(connect(addresses[0])) as twin:
            twin.send(worker=1, addresses=addresses, facts=FACTS)
            told = str(asked[0].exception(timeout=5))
            while "end" not in (message := twin.receive(5.0)):
                pass
        chief.peers.tell(end=told)
        assert [message["end"], str(asked[1].exception(timeout=5))] == [told, told]
    assert (
        told == f"TF_CONFIG: two processes say that they are worker 1 ({addresses[1]}): give each an index of its own"
    )


def test_a_port_that_is_held_is_told(start):
    addresses = free_addresses(2)
    start(addresses, [0])
    with pytest.raises(
        UserError, match=r"^TF_CONFIG: the port of worker 0 .* cannot be opened \(Address already in use"
    ):
        Worker(addresses, 0)
    assert why_silent(addresses[1])
