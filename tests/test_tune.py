"""tune as a user types it, at a tiny size."""

import json

import pytest

from tests.fixtures.commands import called
from tfmir import tune
from tfmir.errors import UserError
from tfmir.flags import parse
from tfmir.train import TrainCommand
from tfmir.tune import TuneParams


def test_it_finds_a_setting_that_train_accepts_and_goes_on_with_more_trials(commands, settings, tmp_path):
    """The second trial is interrupted, and taken up with the setting it had."""
    flags = ["--flagfile=launch/joint.flags", f"--flagfile={settings}", "--vary=list_weight,batch_size"]
    flags += [f"--output={tmp_path}/out", "--epochs=1"]
    runs = tmp_path / "out/runs"
    commands.interrupt(commands.start("tune", *flags, "--max_trials=2"), (runs / "1/params.json").exists)
    log = (runs / "0.log").stat().st_mtime_ns
    params = json.loads((runs / "1/params.json").read_text())["params"]
    wanted = params["system"] | params["pipeline"]
    second = commands.call("tune", *flags, "--max_trials=2")
    assert second.returncode == 0, second.stdout
    trials = json.loads((tmp_path / "out/trials.json").read_text())
    assert [trial["val_recall_1"] for trial in trials] == sorted((t["val_recall_1"] for t in trials), reverse=True)
    assert sorted(trial["trial"] for trial in trials) == ["0", "1"]
    taken_up = next(trial for trial in trials if trial["trial"] == "1")
    assert all(taken_up[name] == wanted[name] for name in ("list_weight", "batch_size"))
    assert (runs / "0.log").stat().st_mtime_ns == log
    assert list((runs / "1/logs").glob("events*"))
    best = parse(["tfmir", f"--flagfile={tmp_path}/out/best.flags", "--run=best"], TrainCommand)
    assert best.settings.pipeline.batch_size == trials[0]["batch_size"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--vary=tempo"], "name at least one of"),
        (["--vary="], "name at least one of"),
        (["--system=proxy", "--vary=margin"], "margin means nothing to --system=proxy"),
        (["--system=triplet", "--vary=list_weight"], "list_weight means nothing to --system=triplet"),
        (["--system=joint", "--vary=negatives"], "negatives means nothing to --system=joint"),
        (["--system=joint", "--vary=whole_temperature", "--objective=val_loss"], "across margins, weights and temp"),
        (["--system=triplet", "--vary=margin", "--objective=val_loss"], "not comparable across margins"),
        (["--system=triplet", "--tuner=hyperband", "--schedule=cosine"], "only --schedule=plateau allows"),
        (["--system=triplet", "--tuner=grid"], "--tuner=grid is none of random, hyperband, bayesian"),
        (["--system=triplet", "--max_trials=0"], "--max_trials=0 is too small"),
        (["--system=proxy", "--track_weight=0.5"], "track_weight"),
        (["--system=triplet", "--precision=auto"], "trials that each measure for themselves cannot be compared"),
    ],
)
def test_what_cannot_be_searched_is_one_line_before_anything_is_trained(tmp_path, flags, message):
    with pytest.raises(UserError) as told:
        called("tune", *flags, f"--output={tmp_path}/out")
    assert message in str(told.value)
    assert "\n" not in str(told.value)
    assert not (tmp_path / "out").exists()


def test_a_store_is_refused_as_the_place_of_the_trials():
    with pytest.raises(UserError, match="--output=s3://b/x: tune needs a local folder"):
        called("tune", "--system=triplet", "--output=s3://b/x")


@pytest.mark.parametrize(
    ("flags", "choices", "ranges"),
    [
        (["--system=proxy", "--vary=batch_size, learning_rate"], {"batch_size"}, {"learning_rate"}),
        (["--system=triplet"], {"batch_size", "negatives"}, {"margin", "learning_rate"}),
        (["--system=joint", "--vary=list_weight,whole_temperature"], set(), {"list_weight", "whole_temperature"}),
    ],
)
def test_what_is_varied_becomes_the_space_of_the_search(monkeypatch, flags, choices, ranges):
    asked = []
    monkeypatch.setattr("tfmir.tune.load_manifest", lambda _: None)
    monkeypatch.setattr("tfmir.experiments.tuning.tune", asked.append)
    called("tune", *flags, "--max_trials=3", "--objective=val_roc_auc", "--records=tfrecords/mine", "--seed=2")
    (wanted,) = asked
    assert (set(wanted.choices), set(wanted.ranges)) == (choices, ranges)
    assert (wanted.max_trials, wanted.objective, wanted.records) == (3, "val_roc_auc", "tfrecords/mine")
    assert wanted.params.training.seed == 2
    assert all(lowest < highest for lowest, highest in wanted.ranges.values())


def test_its_own_flag_file_searches_for_the_joint_system(repository):
    params = parse(["x", f"--flagfile={repository}/launch/tune.flags"], TuneParams)
    assert params.settings.system.system == "joint"
    assert (
        set(params.vary.split(","))
        == {"list_weight", "list_temperature", "whole_weight", "whole_temperature"}
        <= {*tune.RANGES}
    )
