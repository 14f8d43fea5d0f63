"""compare and tune as a user types them, at a tiny size."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tfmir.flags import parse
from tfmir.train import TrainCommand


def command(repository, name, *flags):
    return {
        "args": [sys.executable, "-m", f"tfmir.{name}", *map(str, flags)],
        "cwd": repository,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
        "text": True,
    }


def call(repository, name, *flags):
    return subprocess.run(**command(repository, name, *flags), check=False)


def without_times(output):
    report = json.loads((output / "report.json").read_text())
    report["columns"] = {n: v for n, v in report["columns"].items() if "seconds" not in n and "time" not in n}
    return report


def interrupt(process, when):
    """SIGINT as soon as `when()` holds."""
    end = time.monotonic() + 120
    try:
        while not when():
            assert time.monotonic() < end
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 130
    return said


def test_compare_interrupted_in_the_middle_and_started_again_ends_with_the_same_report(repository, settings, tmp_path):
    """As many at a time in both: how many threads a run has decides the last digit of its sums."""
    flags = ["--systems=proxy,triplet_track", "--seeds=3", f"--settings={settings}", "--jobs=2"]
    whole = call(repository, "compare", *flags, f"--output={tmp_path}/whole")
    assert whole.returncode == 0, whole.stdout
    shutil.copytree(tmp_path / "whole/proxy-3", tmp_path / "parts/proxy-3")  # one run is finished, the other is not
    process = subprocess.Popen(**command(repository, "compare", *flags, f"--output={tmp_path}/parts"))
    backups = tmp_path / "parts/triplet_track-3/backup"
    assert "give the same command again" in interrupt(process, lambda: any(backups.glob("epoch-*/state.json")))
    assert not (tmp_path / "parts/report.md").exists()
    again = call(repository, "compare", *flags, f"--output={tmp_path}/parts")
    assert again.returncode == 0, again.stdout
    assert re.search("resuming|nothing to do", (tmp_path / "parts/triplet_track-3/train.log").read_text())
    assert without_times(tmp_path / "parts") == without_times(tmp_path / "whole")
    figures = {path.name for path in (tmp_path / "parts/figures").iterdir()}
    assert figures == {"recall.png", "time.png", "leakage.png", "tsne.png"}
    stored = json.loads((tmp_path / "parts/proxy-3/report.json").read_text())
    assert (stored["run"], stored["baselines"]) == ("proxy-3", {})
    pictures = re.findall(r"\(figures/(.*?)\)", (tmp_path / "parts/report.md").read_text())
    assert set(pictures) == figures


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--systems=nobody"], "launch/nobody.flags: no such flag file"),
        (["--systems=proxy,proxy"], "stands twice"),
        (["--systems=proxy", "--seeds=one"], "'one' is no whole number"),
        (["--systems="], "nothing to compare"),
    ],
)
def test_what_cannot_be_compared_is_one_line(repository, tmp_path, flags, message):
    result = call(repository, "compare", *flags, f"--output={tmp_path}/out")
    assert result.returncode == 2
    assert message in result.stdout
    assert not (tmp_path / "out").exists()


def test_a_run_that_fails_is_named_with_its_log(repository, settings, tmp_path):
    bad = tmp_path / "bad.flags"
    bad.write_text("--batch_size=6\n")
    flags = ["--systems=triplet_track", "--seeds=0", f"--settings={settings},{bad}", f"--output={tmp_path}/out"]
    result = call(repository, "compare", *flags)
    assert result.returncode == 2
    assert re.search(r"error: tfmir.train .* ended with code 2: error: --batch_size=6.*train.log", result.stdout)


def test_tune_finds_a_setting_that_train_accepts_and_goes_on_with_more_trials(repository, settings, tmp_path):
    """The second trial is interrupted, and taken up with the setting it had."""
    flags = ["--flagfile=launch/joint.flags", f"--flagfile={settings}", "--vary=triplet_weight,negatives"]
    flags += [f"--output={tmp_path}/out", "--epochs=1"]
    runs = tmp_path / "out/runs"
    first = call(repository, "tune", *flags, "--max_trials=1")
    assert first.returncode == 0, first.stdout
    log = (runs / "0.log").stat().st_mtime_ns
    process = subprocess.Popen(**command(repository, "tune", *flags, "--max_trials=2"))
    interrupt(process, (runs / "1/params.json").exists)
    wanted = json.loads((runs / "1/params.json").read_text())["params"]["system"]
    second = call(repository, "tune", *flags, "--max_trials=2")
    assert second.returncode == 0, second.stdout
    trials = json.loads((tmp_path / "out/trials.json").read_text())
    assert [trial["val_recall_1"] for trial in trials] == sorted((t["val_recall_1"] for t in trials), reverse=True)
    assert sorted(trial["trial"] for trial in trials) == ["0", "1"]
    taken_up = next(trial for trial in trials if trial["trial"] == "1")
    assert all(taken_up[name] == wanted[name] for name in ("triplet_weight", "negatives"))
    assert (runs / "0.log").stat().st_mtime_ns == log
    assert list((runs / "1/logs").glob("events*"))
    best = parse(["tfmir", f"--flagfile={tmp_path}/out/best.flags", "--run=best"], TrainCommand)
    assert best.params.system.negatives == trials[0]["negatives"]
    other = call(repository, "tune", *flags, "--objective=val_roc_auc")
    assert (other.returncode, "holds another search" in other.stdout) == (2, True)


def test_a_search_in_which_every_trial_fails_says_so(repository, settings, tmp_path):
    bad = tmp_path / "bad.flags"
    bad.write_text("--batch_size=6\n")
    flags = ["--flagfile=launch/triplet_track.flags", f"--flagfile={settings}", f"--flagfile={bad}", "--vary=margin"]
    result = call(repository, "tune", *flags, f"--output={tmp_path}/out", "--max_trials=1")
    assert (result.returncode, "no trial has succeeded: see the logs" in result.stdout) == (2, True), result.stdout


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--vary=tempo"], "name at least one of"),
        (["--system=proxy", "--vary=margin"], "margin means nothing to --system=proxy"),
        (["--system=triplet", "--vary=triplet_weight"], "the joint system's only"),
        (["--system=triplet", "--vary=margin", "--objective=val_loss"], "not comparable across margins"),
        (["--system=triplet", "--tuner=hyperband", "--schedule=cosine"], "only --schedule=plateau allows"),
    ],
)
def test_what_cannot_be_searched_is_one_line(repository, tmp_path, flags, message):
    result = call(repository, "tune", *flags, f"--output={tmp_path}/out")
    assert (result.returncode, message in result.stdout) == (2, True), result.stdout
    assert not (tmp_path / "out").exists()
