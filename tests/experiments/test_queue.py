"""The queue, with a stand-in for the interpreter whose "commands" write what the real ones would."""

import dataclasses
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
from tfmir.params import RunParams, TrainParams
from tfmir.run_directory import Run, load_run, open_run
from tfmir.training.progress import Progress, save_progress
from tfmir.training.schedule import ScheduleState
from tfmir.vocabulary import Vocabulary

RUN = Run(
    pathlib.Path("nowhere"),
    RunParams(training=TrainParams(epochs=2)),
    Vocabulary.from_dict({"genre": ["a", "b"]}),
    "tfrecords/demo",
    "demo",
    "CC0-1.0",
    "abc",
)
STAND_IN = """#!{python}
import json, os, pathlib, shlex, sys, time
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
evaluation = dict(word.lstrip("-").partition("=")[::2] for word in shlex.split(given["evaluate"]))
if not (run / "history.csv").exists():
    (run / "history.csv").write_text("epoch,loss\\n1,0.5\\n2,0.4\\n")
    (run / "backup/epoch-000002").mkdir(parents=True)
    (run / "backup/epoch-000002/state.json").write_text({state!r})
report = {{"schema_version": {version}, "human": evaluation.get("human_triplets")}}
for folder in [run, *([run / "truth"] if "truth" in evaluation else [])]:
    folder.mkdir(exist_ok=True)
    (folder / "answers.npz").touch()
    (folder / "report.json").write_text(json.dumps(report))
"""
STATE = json.dumps({"schedule": {"learning_rate": 0.1, "epoch": 2}, "history": []})


@pytest.fixture
def stand_in(interpreter):
    interpreter(STAND_IN.format(python=sys.executable, version=SCHEMA_VERSION, state=STATE))


@pytest.fixture
def job(tmp_path, stand_in):
    """A run whose params.json is there, as after the first moment of its training."""

    def make(name="a", *evaluation, **changes):
        asked = dataclasses.replace(RUN, path=tmp_path / name, **changes)
        if not changes:
            open_run(asked)
        return Job(asked, ("--epochs=2",), evaluation)

    return make


def calls(job):
    return (job.run.path / "calls").read_text().splitlines()


def test_every_run_is_trained_and_evaluated_by_the_commands_in_one_process(job):
    jobs = [job("a"), job("b", "--human_triplets=my votes.csv", "--audio_dir=songs")]
    run_jobs(jobs, side_by_side=1)
    assert [len(calls(job)) for job in jobs] == [1, 1]
    said = (jobs[1].run.path / "train.log").read_text()
    assert said == (
        f"tfmir.train_and_evaluate --run={jobs[1].run.path} --train=--epochs=2 "
        "--evaluate=--nobaselines --nofigures '--human_triplets=my votes.csv' --audio_dir=songs\n"
    )


def test_cores_are_shared_out(job, monkeypatch):
    monkeypatch.setattr(queue, "cpu_count", lambda: 8)
    jobs = [job(name) for name in "abc"]
    run_jobs(jobs, side_by_side=3)
    assert {line.split()[1] for job in jobs for line in calls(job)} == {"2"}
    monkeypatch.setattr(queue, "cpu_count", lambda: 1)
    run_jobs([job("d")], side_by_side=3)
    assert calls(job("d"))[0].split()[1] == "1"


def test_no_process_is_started_for_a_finished_run(job, capsys):
    run_jobs([job()], side_by_side=1)
    run_jobs([job(), job("b")], side_by_side=1)
    assert len(calls(job())) == 1
    assert "1 of them are finished already" in capsys.readouterr().out


def test_a_run_that_was_asked_for_more_epochs_goes_on(job):
    run_jobs([job()], side_by_side=1)
    run_jobs([job("a", params=RunParams(training=TrainParams(epochs=3)))], side_by_side=1)
    assert len(calls(job())) == 2


def test_a_finished_run_of_other_parameters_is_refused_and_one_whose_records_moved_is_told_where(job):
    run_jobs([job()], side_by_side=1)
    other = RunParams(training=TrainParams(epochs=2, learning_rate=0.1))
    with pytest.raises(UserError, match=r"its params.training.learning_rate is 0.005, asked for 0.1"):
        run_jobs([job("b"), job("a", params=other)], side_by_side=1)
    assert not (job("b").run.path / "calls").exists()
    moved = job("a", records="moved")
    run_jobs([moved], side_by_side=1)
    assert load_run(str(moved.run.path)).records == "moved"
    assert len(calls(moved)) == 1


def test_the_bar_says_what_a_run_is_at(job):
    run = job().run
    assert queue._state(run) == "a epoch 1"
    for epoch, state in ((1, "a epoch 2"), (2, "a evaluating")):
        save_progress(run.path / f"backup/epoch-00000{epoch}", Progress(ScheduleState(0.1, epoch=epoch), []))
        assert queue._state(run) == state


def older(job):
    os.utime(job.run.path / "report.json", (0, 0))


def of_an_earlier_version(job):
    (job.run.path / "report.json").write_text(json.dumps({"schema_version": SCHEMA_VERSION - 1, "human": None}))


def removed(job):
    (job.run.path / "report.json").unlink()


def without_answers(job):
    (job.run.path / "answers.npz").unlink()


@pytest.mark.parametrize("spoil", [older, of_an_earlier_version, removed, without_answers])
def test_a_report_that_is_not_of_these_weights_and_this_version_is_made_again(job, spoil):
    run_jobs([job()], side_by_side=1)
    spoil(job())
    run_jobs([job()], side_by_side=1)
    assert len(calls(job())) == 2
    assert json.loads((job().run.path / "report.json").read_text())["schema_version"] == SCHEMA_VERSION


def test_a_report_without_the_votes_that_are_asked_for_is_made_again_and_one_with_them_serves_both(job):
    run_jobs([job()], side_by_side=1)
    voted = job("a", "--human_triplets=votes.csv")
    run_jobs([voted], side_by_side=1)
    assert len(calls(voted)) == 2
    for again in (voted, job()):
        run_jobs([again], side_by_side=1)
    assert len(calls(voted)) == 2


@pytest.mark.parametrize("missing", ["report.json", "answers.npz"])
def test_a_run_that_was_not_asked_against_the_truth_is_evaluated_again(job, missing):
    run_jobs([job()], side_by_side=1)
    asked = job("a", "--truth")
    run_jobs([asked], side_by_side=1)
    assert len(calls(asked)) == 2
    for again in (asked, job()):
        run_jobs([again], side_by_side=1)
    assert len(calls(asked)) == 2
    (asked.run.path / "truth" / missing).unlink()
    run_jobs([asked], side_by_side=1)
    assert len(calls(asked)) == 3


def test_a_run_that_fails_is_named_with_its_last_words_and_its_log(job):
    with pytest.raises(UserError, match=r"/bad ended with code 1: error: --batch_size=6: take 8 .*train.log"):
        run_jobs([job("bad"), job("a")], side_by_side=1)
    assert not (job("bad").run.path / "report.json").exists()


def test_when_a_run_fails_the_others_are_ended(job, monkeypatch):
    """The slow one would sleep for a minute."""
    monkeypatch.setattr(queue, "_POLL_SECS", 0.05)
    began = time.monotonic()
    with pytest.raises(UserError, match="take 8"):
        run_jobs([job("slow"), job("bad")], side_by_side=2)
    assert time.monotonic() - began < 30
    assert len(calls(job("slow"))) == 1


def test_an_interruption_ends_what_runs_and_starts_nothing_more(job, monkeypatch):
    started = job("slow").run.path / "started"

    def wait(*_, **__):
        while not started.exists():
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr("concurrent.futures.wait", wait)
    with pytest.raises(KeyboardInterrupt):
        run_jobs([job("slow"), job("b")], side_by_side=1)
    assert not pathlib.Path(job("b").run.path / "calls").exists()
