"""Many runs, each trained and evaluated by the commands in a process of its own, a few at a time."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

from joblib import cpu_count
from tqdm import tqdm

from tfmir import files
from tfmir.errors import UserError
from tfmir.evaluation.answers import ANSWERS
from tfmir.evaluation.questions import TRUTH
from tfmir.evaluation.report import SCHEMA_VERSION
from tfmir.run_directory import Run, open_run, refuse_other_run
from tfmir.training.progress import progress_of

_POLL_SECS = 2.0


@dataclasses.dataclass(frozen=True)
class Job:
    """A run as it is asked for, the flags that train it (without `--run`), and those that evaluate it."""

    run: Run
    flags: tuple[str, ...]
    evaluation: tuple[str, ...] = ()


class _Processes:
    """The commands that are running, so that they can be ended together."""

    def __init__(self) -> None:
        self.running: set[subprocess.Popen[bytes]] = set()
        self.lock = threading.Lock()
        self.stopped = False

    def call(self, command: Sequence[str], log: pathlib.Path, environment: dict[str, str]) -> None:
        with log.open("ab") as file:
            with self.lock:
                if self.stopped:
                    raise KeyboardInterrupt
                process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment)
                self.running.add(process)
            code = process.wait()
        with self.lock:
            self.running.discard(process)
        if code and not self.stopped:
            raise UserError(f"{log.parent} ended with code {code}: {_last_line(log)} (all of it: {log})")

    def stop(self) -> None:
        with self.lock:
            self.stopped = True
            for process in self.running:
                process.send_signal(signal.SIGTERM)


def run_jobs(jobs: Sequence[Job], *, side_by_side: int) -> None:
    """Trains and evaluates every job; what is finished already is left alone, and no process is started for it.

    Args:
      jobs: the runs.
      side_by_side: how many at a time; each gets an equal share of the cores.

    Raises:
      UserError: a directory holds another run; or a run fails: names its log. The others are ended first, and can be
        resumed.
    """
    to_do = [job for job in jobs if not _is_finished(job)]
    if len(to_do) < len(jobs):
        print(f"{len(jobs) - len(to_do)} of them are finished already")
    threads = max(1, cpu_count() // side_by_side)
    environment = {**os.environ, "TF_NUM_INTRAOP_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    processes, bar = _Processes(), tqdm(total=len(jobs), initial=len(jobs) - len(to_do), unit="run")
    with concurrent.futures.ThreadPoolExecutor(side_by_side) as pool, bar:
        futures = {pool.submit(_train_and_evaluate, job, processes, environment): job for job in to_do}
        waiting = set(futures)
        try:
            while waiting:
                done, waiting = concurrent.futures.wait(
                    waiting, _POLL_SECS, return_when=concurrent.futures.FIRST_COMPLETED
                )
                for future in done:
                    future.result()
                    bar.update(1)
                bar.set_postfix_str(", ".join(_state(futures[f].run) for f in waiting if f.running()))
        except BaseException:
            processes.stop()
            pool.shutdown(cancel_futures=True)
            raise


def _train_and_evaluate(job: Job, processes: _Processes, environment: dict[str, str]) -> None:
    path = pathlib.Path(job.run.path)
    path.mkdir(parents=True, exist_ok=True)
    evaluation = ("--nobaselines", "--nofigures", *job.evaluation)
    words = [f"--run={path}", f"--train={shlex.join(job.flags)}", f"--evaluate={shlex.join(evaluation)}"]
    command = [sys.executable, "-m", "tfmir.train_and_evaluate", *words]
    processes.call(command, path / "train.log", environment)


def _is_finished(job: Job) -> bool:
    """Whether the training has ended, as training itself sees it, and was evaluated: then the run has its new place of
    the records, and nothing else is to be done.

    Raises:
      UserError: the directory holds another run.
    """
    refuse_other_run(job.run)
    progress = progress_of(job.run)
    if not progress or not progress.has_ended(job.run.params.training) or not _is_evaluated(job):
        return False
    open_run(job.run)
    return True


def _is_evaluated(job: Job) -> bool:
    """Whether the reports are of the newest weights and this version, and have all that is asked for."""
    path = pathlib.Path(job.run.path)
    folders = [path, *([path / TRUTH] if "--truth" in job.evaluation else [])]
    with_votes = any(word.startswith("--human_triplets=") for word in job.evaluation)
    return all(_is_whole(folder, path / "history.csv", with_votes=with_votes) for folder in folders)


def _is_whole(folder: pathlib.Path, trained: pathlib.Path, *, with_votes: bool) -> bool:
    report = folder / "report.json"
    if not report.exists() or not (folder / ANSWERS).exists() or report.stat().st_mtime < trained.stat().st_mtime:
        return False
    stored = files.read_json(report)
    return stored.get("schema_version") == SCHEMA_VERSION and bool(stored["human"] or not with_votes)


def _state(run: Run) -> str:
    try:
        progress = progress_of(run)
    except FileNotFoundError:  # the backup of the next epoch has just taken its place
        return run.path.name
    if progress and progress.has_ended(run.params.training):
        return f"{run.path.name} evaluating"
    return f"{run.path.name} epoch {progress.epoch + 1 if progress else 1}"


def _last_line(log: pathlib.Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return next((line for line in reversed(lines) if line.strip()), "no output")
