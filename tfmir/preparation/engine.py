"""Runs many independent tasks on a Dask cluster: local by default, or any scheduler given by its address."""

from __future__ import annotations

import contextlib
import importlib
import itertools
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import dask
from distributed import Client, Future, LocalCluster, as_completed
from distributed.scheduler import KilledWorker
from joblib import cpu_count
from tqdm import tqdm

from tfmir import quiet
from tfmir.errors import UserError

# One thread of arithmetic per worker: there are as many workers as cores.
_WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "1",
    # Dask makes glibc return freed memory at once; arrays of a few MB then fault in page by page, at twice the time.
    "MALLOC_TRIM_THRESHOLD_": str(1 << 28),
    "MALLOC_MMAP_THRESHOLD_": str(1 << 26),
}
_CONNECT_SECS = 30
# Tasks known to the scheduler at a time: enough for any cluster, and no more memory for a million tasks than for these.
_WINDOW = 2000


class _KilledWorkersError(UserError):
    """A task killed every worker that tried it."""


def run_tasks(
    function: Callable[..., Any],
    tasks: Sequence[tuple[Any, ...]],
    *,
    sizes: Sequence[int],
    description: str,
    unit: str,
    workers: int = 0,
    scheduler: str = "",
    instead: Callable[..., Any] | None = None,
) -> Iterator[Any]:
    """Calls `function(*task)` for every task, in any order, and yields the results as they come.

    A task whose worker dies is run again elsewhere, three times at most. A running scheduler and its workers need tfmir
    installed; give workers one thread each (`dask worker --nthreads=1`).

    Args:
      function: importable by name in the workers.
      tasks: arguments of each call; picklable.
      sizes: how much work each task is, in `unit`s; what the progress bar counts.
      description: what the progress bar says.
      unit: what the progress bar counts.
      workers: processes of the local cluster; 0: one a core.
      scheduler: address of a running scheduler, `tcp://host:port`, instead of a local cluster.
      instead: called here with the arguments of a task that killed every worker which tried it.

    Raises:
      UserError: the scheduler cannot be reached, its workers have no tfmir, or a task killed every worker that
        tried it.
    """
    if not tasks:
        return
    waiting = zip(tasks, sizes, strict=True)
    with (
        _client(min(workers or cpu_count(), len(tasks)), scheduler) as client,
        tqdm(total=sum(sizes), desc=description, unit=unit, mininterval=1.0) as bar,
    ):
        known: dict[Future, tuple[tuple[Any, ...], int]] = {}

        def submit(count: int) -> list[Future]:
            chosen = {
                client.submit(_call, function.__module__, function.__qualname__, task, pure=False): (task, size)
                for task, size in itertools.islice(waiting, count)
            }
            known.update(chosen)
            return list(chosen)

        running = as_completed(submit(_WINDOW))
        for future in running:
            task, size = known.pop(future)
            try:
                result = _result(future, scheduler)
            except _KilledWorkersError:
                if not instead:
                    raise
                result = instead(*task)
            bar.update(size)
            yield result
            running.update(submit(1))


def _call(module: str, name: str, task: tuple[Any, ...]) -> Any:
    """Runs in a worker. The environment comes before the import: TensorFlow reads it once."""
    for variable, value in _WORKER_ENVIRONMENT.items():
        os.environ.setdefault(variable, value)
    quiet.importing("tensorflow")
    return getattr(importlib.import_module(module), name)(*task)


def _result(future: Future, scheduler: str) -> Any:
    try:
        return future.result()
    except KilledWorker as error:
        raise _KilledWorkersError(
            f"a task killed {error.allowed_failures + 1} workers in a row: a file that crashes its decoder, or too "
            "little memory: give the command again with fewer --workers"
        ) from error
    except ModuleNotFoundError as error:
        if not scheduler:
            raise
        raise UserError(f"--scheduler={scheduler}: its workers lack {error.name!r}: install tfmir there") from error


@contextlib.contextmanager
def _client(workers: int, scheduler: str) -> Iterator[Client]:
    logging.getLogger("distributed").setLevel(logging.ERROR)
    if scheduler:
        try:
            client = Client(scheduler, timeout=_CONNECT_SECS)
        except (OSError, ValueError) as error:
            raise UserError(f"--scheduler={scheduler} does not answer: start one with 'dask scheduler'") from error
        with client:
            if not client.scheduler_info()["workers"]:
                print(f"--scheduler={scheduler} has no worker yet; it is waited for", file=sys.stderr)
            yield client
        return
    environment = {f"distributed.nanny.pre-spawn-environ.{name}": value for name, value in _WORKER_ENVIRONMENT.items()}
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch,
        dask.config.set(environment),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=":0",
            local_directory=scratch,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client
