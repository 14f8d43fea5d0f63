import os
import pathlib
import signal
import time

import psutil
import pytest

from tfmir.errors import UserError
from tfmir.preparation import engine
from tfmir.preparation.engine import run_tasks


def square(x):
    return x * x


def fail(x):
    raise ValueError(f"task {x}")


def die_once(x, folder):
    """Kills its own worker at the first try of task 1."""
    mark = pathlib.Path(folder) / "died"
    if x == 1 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return x


def run(function, tasks, **kwargs):
    return list(run_tasks(function, tasks, sizes=[1] * len(tasks), description="test", unit="task", **kwargs))


def test_results_of_all_tasks_and_a_killed_worker_is_replaced(tmp_path):
    assert sorted(run(die_once, [(i, str(tmp_path)) for i in range(6)], workers=2)) == list(range(6))
    assert (tmp_path / "died").exists()


def test_a_task_that_raises_is_raised_here_and_no_process_stays():
    with pytest.raises(ValueError, match="task 3"):
        run(fail, [(3,)], workers=1)
    time.sleep(0.5)
    assert not [p for p in psutil.Process().children(recursive=True) if "spawn_main" in " ".join(p.cmdline())]


def test_no_tasks_start_no_cluster():
    assert run(square, []) == []


def test_a_scheduler_that_does_not_answer_is_an_error(monkeypatch):
    monkeypatch.setattr("tfmir.preparation.engine._CONNECT_SECS", 1)
    with pytest.raises(UserError, match="does not answer"):
        run(square, [(1,)], scheduler="tcp://127.0.0.1:9")


class Asked(Exception):
    """Ends a call before anything is started."""


@pytest.mark.parametrize(
    ("workers", "tasks", "expected"),
    [(0, 9, 4), (0, 2, 2), (3, 9, 3), (7, 9, 7), (7, 5, 5), (1, 1, 1)],
)
def test_there_are_as_many_workers_as_asked_for_else_as_cores_and_never_more_than_tasks(
    monkeypatch, workers, tasks, expected
):
    """On a machine of four cores."""

    def client(count, scheduler):
        raise Asked(count)

    monkeypatch.setattr(engine, "cpu_count", lambda: 4)
    monkeypatch.setattr(engine, "_client", client)
    with pytest.raises(Asked, match=f"^{expected}$"):
        run(square, [(i,) for i in range(tasks)], workers=workers)
