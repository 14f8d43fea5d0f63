"""Two workers on this machine, with TensorFlow's own connections between them."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.fixtures import every_system
from tests.fixtures.workers import free_addresses, tf_config
from tests.training.test_loop import history, run_training, weights
from tfmir.experiments import systems
from tfmir.flags import parse
from tfmir.train import TrainCommand


@pytest.fixture(autouse=True)
def asked_for(request):
    if not request.config.getoption("all_systems"):
        pytest.skip("longer than a minute: --all_systems, which .ci/run asks for")


def start_both(words, folder):
    """Both workers, and where each says what it says."""
    addresses = free_addresses(2)
    logs = [folder / f"worker{index}.log" for index in (0, 1)]
    processes = []
    for index, log in enumerate(logs):
        environment = os.environ | {"TF_CONFIG": tf_config(addresses, index)}
        with log.open("a") as file:
            processes.append(subprocess.Popen(words, stdout=file, stderr=file, env=environment))
    return processes, logs


def ended(processes):
    """Exit codes; nobody is left behind."""
    try:
        return [process.wait(timeout=180) for process in processes]
    finally:
        for process in processes:
            process.kill()


def test_two_workers_take_the_same_steps_as_one_process(records, repository, tmp_path, two_replicas, monkeypatch):
    """Ten steps of each of the nine, all in one pair of processes. One process has as many replicas: what a replica
    compares is its share of the batch, on one machine as on two. (That two replicas equal one device is
    tests/model/test_system.py; that two workers equal one process is also seen below.)"""
    names = systems.ALL
    monkeypatch.chdir(repository)
    output = tmp_path / "weights.npz"
    words = [sys.executable, "-m", "tests.fixtures.every_system", records, str(output), *names]
    processes, logs = start_both(words, tmp_path)
    expected = {name: every_system.trained(two_replicas, records, name) for name in names}
    assert ended(processes) == [0, 0], logs[0].read_text() + logs[1].read_text()
    with np.load(output) as found:
        assert len(found) == sum(map(len, expected.values()))
        for name, arrays in expected.items():
            for index, array in enumerate(arrays):
                np.testing.assert_allclose(found[f"{name}/{index}"], array, atol=1e-5, err_msg=f"{name} {index}")


@pytest.mark.parametrize("system", ["triplet_track"])  # pairs, random negatives, prototypes, small last batches
def test_workers_killed_twice_and_resumed_end_as_one_process_does(
    system, records, repository, tmp_path, two_replicas, monkeypatch
):
    """The chief is asked to end, then the other worker is killed; the same command goes on each time."""
    monkeypatch.chdir(repository)
    flags = [f"--flagfile=launch/{system}.flags", *every_system.TINY, "--epochs=4", "--steps_per_epoch=12"]
    run = tmp_path / "run"
    words = [sys.executable, "-m", "tfmir.train", *flags, f"--records={records}", f"--run={run}"]
    for epoch, victim, number, codes in ((1, 0, signal.SIGTERM, [130, 2]), (2, 1, signal.SIGKILL, [2, -9])):
        processes, logs = start_both(words, tmp_path)
        end = time.monotonic() + 120
        while not any(path.name >= f"epoch-{epoch:06d}" for path in (run / "backup").glob("epoch-*")):
            assert time.monotonic() < end, logs[0].read_text()
            time.sleep(0.01)
        begin = time.monotonic()
        processes[victim].send_signal(number)
        assert ended(processes) == codes
        assert time.monotonic() - begin < 20
    processes, logs = start_both(words, tmp_path)
    assert ended(processes) == [0, 0], logs[0].read_text() + logs[1].read_text()
    said = [log.read_text() for log in logs]
    assert "\ninterrupted: give the same command again" in said[0]
    assert [text.count("error: worker") for text in said] == [1, 1]
    assert "Traceback" not in said[0] + said[1]
    assert said[1].count("trains with worker 0") == 3
    assert said[1].count("epoch ") == 0  # the chief tells all

    monkeypatch.setattr("tfmir.training.loop.make_strategy", lambda *_: two_replicas)
    undisturbed = run_training(records, tmp_path / "one", parse(["tfmir", *flags], TrainCommand).settings)
    assert {path.name for path in run.iterdir()} == {path.name for path in undisturbed.path.iterdir()}
    for ours, theirs in zip(history(run), history(undisturbed.path), strict=True):
        assert {name: float(value) for name, value in ours.items()} == pytest.approx(
            {name: float(value) for name, value in theirs.items()}, abs=1e-5
        )
    for ours, theirs in zip(weights(run), weights(undisturbed.path), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
