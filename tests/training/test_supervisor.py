"""Two supervisors on this machine, and trainers that do without TensorFlow."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from tests.fixtures.workers import free_addresses, tf_config

# A trainer says that it has started and sleeps in C with Python's lock held, as TensorFlow does; `wait` ends by itself.
TRAINER = """
import ctypes, os, signal, sys, time
from tfmir import command
from tfmir.errors import UserError
from tfmir.training.cluster import read_cluster
from tfmir.training.trainer import joined, leave_signals_to_supervisor

def train(_):
    leave_signals_to_supervisor()
    with joined(read_cluster()) as trainer:
        trainer.agree(lambda: {{"--seed": {seed}}})
        {body}
        trainer.started()
        print(f"started {{os.getpid()}}", flush=True)
        {more}

class Empty: pass
command.parse = lambda *_: Empty()
command.run(train, Empty, resumes=True)
"""
SUPERVISOR = """
import sys
from tfmir import command
from tfmir.training.cluster import read_cluster
from tfmir.training.supervisor import supervise

class Empty: pass
command.parse = lambda *_: Empty()
words = [sys.executable, "-c", {trainer!r}]
command.run(lambda _: supervise(read_cluster(), words, timeout_secs={timeout}), Empty, resumes=True)
"""
HOLD = "ctypes.PyDLL(None).sleep(60)"


class Pair:
    """Both supervisors, and what each and its trainer say."""

    def __init__(self, folder, bodies, mores, *, seeds=(0, 0), timeout=20.0):
        self.addresses = free_addresses(2)
        self.logs = [folder / f"{index}.log" for index in (0, 1)]
        self.processes = []
        for index, log in enumerate(self.logs):
            trainer = TRAINER.format(seed=seeds[index], body=bodies[index], more=mores[index])
            words = [sys.executable, "-c", SUPERVISOR.format(trainer=trainer, timeout=timeout)]
            environment = os.environ | {"TF_CONFIG": tf_config(self.addresses, index)}
            with log.open("w") as file:
                self.processes.append(subprocess.Popen(words, stdout=file, stderr=file, env=environment))

    def trainers(self):
        """Process numbers of the trainers, once both have started."""
        end = time.monotonic() + 30
        while not all("started" in log.read_text() for log in self.logs):
            assert time.monotonic() < end, [log.read_text() for log in self.logs]
            time.sleep(0.02)
        return [int(log.read_text().split()[-1]) for log in self.logs]

    def ended(self):
        """Exit code and what was said, of each."""
        codes = [process.wait(timeout=30) for process in self.processes]
        said = [[line for line in log.read_text().splitlines() if line[:7] not in ("", "started")] for log in self.logs]
        return list(zip(codes, said, strict=True))

    def name(self, index):
        return f"worker {index} ({self.addresses[index]})"


@pytest.fixture
def pair(tmp_path):
    made = []

    def start(bodies=("pass", "pass"), mores=("pass", "pass"), **more):
        made.append(Pair(tmp_path, bodies, mores, **more))
        return made[-1]

    yield start
    for process in made[0].processes:
        process.kill()
        process.wait()


AGAIN = "start all workers again with the same command: they go on where they stopped"


def is_there(pid):
    """Whether a process runs; one that has ended may wait for somebody to ask for its exit code."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_both_end_well_and_the_worker_waits_for_the_chief(pair):
    """The chief writes what a run ends with; a worker that left before would be taken for lost."""
    both = pair(mores=("time.sleep(1.0); print('written', flush=True)", "pass"))
    both.trainers()
    time.sleep(0.5)
    assert both.processes[1].poll() is None
    assert both.ended() == [(0, ["written"]), (0, [])]


def test_asked_to_end_a_worker_does_so_at_once_whatever_its_trainer_waits_for(pair):
    both = pair(mores=(HOLD, HOLD))
    numbers = both.trainers()
    begin = time.monotonic()
    both.processes[0].send_signal(signal.SIGTERM)
    assert both.ended() == [
        (130, ["interrupted: give the same command again to go on where it stopped"]),
        (2, [f"error: {both.name(0)} was interrupted: {AGAIN}"]),
    ]
    assert time.monotonic() - begin < 5
    assert not any(map(is_there, numbers))


def test_a_worker_that_was_killed_takes_its_trainer_along_and_the_other_says_so(pair):
    both = pair(mores=(HOLD, HOLD))
    numbers = both.trainers()
    both.processes[1].kill()
    assert both.ended() == [(2, [f"error: {both.name(1)} is gone: {AGAIN}"]), (-9, [])]
    assert not any(map(is_there, numbers))


def test_a_trainer_that_the_system_ended_is_told_by_both(pair):
    both = pair(mores=(HOLD, "os.kill(os.getpid(), signal.SIGKILL)"))
    line = f"error: {both.name(1)}: its training was ended by SIGKILL, by the system if memory ran out: {AGAIN}"
    assert both.ended() == [(2, [line]), (2, [line])]


def test_an_error_of_one_is_told_by_the_other(pair):
    both = pair(mores=("time.sleep(60)", "raise UserError('no such shard')"))
    expected = [f"error: {both.name(1)} has ended: no such shard"], ["error: no such shard"]
    assert both.ended() == [(2, expected[0]), (2, expected[1])]


def test_an_error_of_all_is_told_once_by_each(pair):
    """As a loss that is no number, on which all decide alike, one of them a little later."""
    both = pair(mores=("raise UserError('diverged')", "time.sleep(0.5); raise UserError('diverged')"))
    assert both.ended() == [(2, ["error: diverged"])] * 2


def test_what_differs_is_told_by_both_before_anything_starts(pair):
    both = pair(seeds=(0, 1))
    line = f"error: {both.name(1)} has --seed 1, the chief has 0: give all workers the same command"
    assert both.ended() == [(2, [line]), (2, [line])]
    assert not any("started" in log.read_text() for log in both.logs)


def test_servers_that_do_not_find_each_other_are_no_hang(pair):
    """The lock of Python is held, as TensorFlow does while it looks for the others."""
    both = pair(bodies=(HOLD, HOLD), timeout=2.0)
    for code, (line,) in both.ended():
        assert code == 2
        assert "TensorFlow's servers have not met within 2 s (--peer_timeout), no answer from 127.0.0.1:" in line
