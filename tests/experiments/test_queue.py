"""The queue, with a stand-in for the interpreter whose "commands" write what the real ones would."""

import json
import os
import pathlib
import sys
import time

import pytest

from tfmir.errors import UserError
from tfmir.evaluation.report import SCHEMA_VERSION
from tfmir.experiments import queue
from tfmir.experiments.queue import Job, run_jobs

STAND_IN = """#!{python}
import json, os, pathlib, sys, time
command, given = sys.argv[2], dict(word.lstrip("-").partition("=")[::2] for word in sys.argv[3:])
run = pathlib.Path(given["run"])
(run / "calls").open("a").write(f"{{command}} {{os.environ['OMP_NUM_THREADS']}}\\n")
print(*sys.argv[2:])
if run.name == "slow":
    (run / "started").touch()
    time.sleep(60)
if run.name == "bad":
    while (run.parent / "slow").exists() and not (run.parent / "slow/started").exists():
        time.sleep(0.01)
    sys.exit("error: --batch_size=6: take 8")
if command == "tfmir.train" and not (run / "history.csv").exists():
    (run / "history.csv").write_text("epoch,loss\\n1,0.5\\n")
if command == "tfmir.evaluate":
    report = {{"schema_version": {version}, "human": given.get("human_triplets")}}
    for folder in [run, *([run / "truth"] if "truth" in given else [])]:
        folder.mkdir(exist_ok=True)
        (folder / "answers.npz").touch()
        (folder / "report.json").write_text(json.dumps(report))
"""


@pytest.fixture
def stand_in(interpreter):
    interpreter(STAND_IN.format(python=sys.executable, version=SCHEMA_VERSION))


@pytest.fixture
def job(tmp_path, stand_in):
    return lambda name="a", *evaluation: Job(tmp_path / name, ("--epochs=1",), evaluation)


def calls(job):
    return [line.split()[0] for line in (job.run / "calls").read_text().splitlines()]


def test_every_run_is_trained_then_evaluated_by_the_commands_as_they_are_typed(job):
    jobs = [job("a"), job("b", "--human_triplets=votes.csv", "--audio_dir=songs")]
    run_jobs(jobs, side_by_side=1)
    assert [calls(job) for job in jobs] == [["tfmir.train", "tfmir.evaluate"]] * 2
    said = (jobs[1].run / "train.log").read_text().splitlines()
    assert said == [
        f"tfmir.train --epochs=1 --run={jobs[1].run}",
        f"tfmir.evaluate --run={jobs[1].run} --nobaselines --nofigures --human_triplets=votes.csv --audio_dir=songs",
    ]


def test_cores_are_shared_out(job, monkeypatch):
    monkeypatch.setattr(queue, "cpu_count", lambda: 8)
    jobs = [job(name) for name in "abc"]
    run_jobs(jobs, side_by_side=3)
    assert {line.split()[1] for job in jobs for line in (job.run / "calls").read_text().splitlines()} == {"2"}
    monkeypatch.setattr(queue, "cpu_count", lambda: 1)
    run_jobs([job("d")], side_by_side=3)
    assert (job("d").run / "calls").read_text().split()[1] == "1"


def test_an_evaluated_run_is_not_evaluated_again(job):
    run_jobs([job()], side_by_side=1)
    run_jobs([job()], side_by_side=1)
    assert calls(job()) == ["tfmir.train", "tfmir.evaluate", "tfmir.train"]  # train says itself that it is done


def older(job):
    os.utime(job.run / "report.json", (0, 0))


def of_an_earlier_version(job):
    (job.run / "report.json").write_text(json.dumps({"schema_version": SCHEMA_VERSION - 1, "human": None}))


def removed(job):
    (job.run / "report.json").unlink()


def without_answers(job):
    (job.run / "answers.npz").unlink()


@pytest.mark.parametrize("spoil", [older, of_an_earlier_version, removed, without_answers])
def test_a_report_that_is_not_of_these_weights_and_this_version_is_made_again(job, spoil):
    run_jobs([job()], side_by_side=1)
    spoil(job())
    run_jobs([job()], side_by_side=1)
    assert calls(job())[-1] == "tfmir.evaluate"
    assert json.loads((job().run / "report.json").read_text())["schema_version"] == SCHEMA_VERSION


def test_a_report_without_the_votes_that_are_asked_for_is_made_again_and_one_with_them_serves_both(job):
    run_jobs([job()], side_by_side=1)
    voted = job("a", "--human_triplets=votes.csv")
    run_jobs([voted], side_by_side=1)
    assert calls(voted).count("tfmir.evaluate") == 2
    for again in (voted, job()):
        run_jobs([again], side_by_side=1)
    assert calls(voted).count("tfmir.evaluate") == 2


@pytest.mark.parametrize("missing", ["report.json", "answers.npz"])
def test_a_run_that_was_not_asked_against_the_truth_is_evaluated_again(job, missing):
    run_jobs([job()], side_by_side=1)
    asked = job("a", "--truth")
    run_jobs([asked], side_by_side=1)
    assert calls(asked).count("tfmir.evaluate") == 2
    for again in (asked, job()):
        run_jobs([again], side_by_side=1)
    assert calls(asked).count("tfmir.evaluate") == 2
    (asked.run / "truth" / missing).unlink()
    run_jobs([asked], side_by_side=1)
    assert calls(asked).count("tfmir.evaluate") == 3


def test_a_run_that_fails_is_named_with_its_last_words_and_its_log(job):
    with pytest.raises(UserError, match=r"tfmir.train .* ended with code 1: error: --batch_size=6: take 8 .*train.log"):
        run_jobs([job("bad"), job("a")], side_by_side=1)
    assert not (job("bad").run / "report.json").exists()


def test_when_a_run_fails_the_others_are_ended(job, monkeypatch):
    """The slow one would sleep for a minute."""
    monkeypatch.setattr(queue, "_POLL_SECS", 0.05)
    began = time.monotonic()
    with pytest.raises(UserError, match="take 8"):
        run_jobs([job("slow"), job("bad")], side_by_side=2)
    assert time.monotonic() - began < 30
    assert calls(job("slow")) == ["tfmir.train"]


def test_an_interruption_ends_what_runs_and_starts_nothing_more(job, monkeypatch):
    started = job("slow").run / "started"

    def wait(*_, **__):
        while not started.exists():
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr("concurrent.futures.wait", wait)
    with pytest.raises(KeyboardInterrupt):
        run_jobs([job("slow"), job("b")], side_by_side=1)
    assert not pathlib.Path(job("b").run / "calls").exists()
