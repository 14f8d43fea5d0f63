"""The search, with a stand-in for the interpreter: "train" fails for one kind of negatives, and else does nothing."""

import dataclasses
import json
import pathlib
import sys

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tfmir import flags
from tfmir.data.manifest import load_manifest
from tfmir.errors import UserError
from tfmir.experiments import tuning
from tfmir.experiments.tuning import Tuning, tune, validation_figures
from tfmir.inference.tracks import embed_tracks
from tfmir.params import RunParams, SystemParams, TrainParams
from tfmir.run_directory import load_history
from tfmir.train import TrainCommand

STAND_IN = """#!{python}
import pathlib, sys
given = dict(word.lstrip("-").partition("=")[::2] for word in sys.argv[3:])
print(*sys.argv[2:])
if given.get("negatives") == "hard":
    sys.exit("error: collapsed")
pathlib.Path(given["run"]).mkdir(exist_ok=True)
(pathlib.Path(given["run"]) / "given.txt").write_text("\\n".join(sys.argv[3:]))
"""


@pytest.fixture
def stand_in(interpreter, monkeypatch):
    interpreter(STAND_IN.format(python=sys.executable))
    monkeypatch.setattr(tuning, "validation_figures", figures)


def given(run):
    words = (pathlib.Path(run) / "given.txt").read_text().splitlines()
    return dict(word.lstrip("-").partition("=")[::2] for word in words)


def figures(run):
    """R@1 grows with the margin, the loss too."""
    margin = float(given(run)["margin"])
    return {"val_recall_1": margin / 2, "val_roc_auc": 0.5, "val_loss": margin}


@pytest.fixture
def wanted(tmp_path):
    return Tuning(
        params=RunParams(system=SystemParams("triplet"), training=TrainParams(epochs=3, seed=5)),
        records="tfrecords/mine",
        output=str(tmp_path / "out"),
        tuner="random",
        max_trials=4,
        objective="val_recall_1",
        choices={"negatives": ("random", "semihard")},
        ranges={"margin": (0.05, 0.5)},
    )


def results(wanted):
    output = pathlib.Path(wanted.output)
    return json.loads((output / "trials.json").read_text()), (output / "best.flags").read_text()


def test_the_best_setting_becomes_a_flag_file_that_train_accepts(wanted, stand_in):
    tune(wanted)
    trials, best = results(wanted)
    assert [trial["val_recall_1"] for trial in trials] == sorted((t["margin"] / 2 for t in trials), reverse=True)
    assert {trial["trial"] for trial in trials} == {"0", "1", "2", "3"}
    assert all(0.05 <= trial["margin"] <= 0.5 and trial["negatives"] in ("random", "semihard") for trial in trials)
    params = flags.parse(["x", f"--flagfile={wanted.output}/best.flags"], TrainCommand)
    assert params.records == "tfrecords/mine"
    assert params.settings.system.margin == trials[0]["margin"]
    assert params.settings.training == wanted.params.training
    assert best.startswith(f"# Found by tfmir.tune: val_recall_1 {trials[0]['val_recall_1']:.4f}, 4 trials.\n")
    assert str(trials[0]["trial"]) in (pathlib.Path(wanted.output) / "trials.md").read_text().splitlines()[2]


def test_of_a_loss_the_lowest_is_the_best(wanted, stand_in):
    tune(dataclasses.replace(wanted, objective="val_loss"))
    margins = [trial["margin"] for trial in results(wanted)[0]]
    assert margins == sorted(margins)


def test_every_trial_has_the_settings_that_are_not_varied(wanted, stand_in):
    tune(wanted)
    for trial in range(4):
        found = given(wanted.runs / str(trial))
        assert (found["system"], found["epochs"], found["seed"]) == ("triplet", "3", "5")
        assert found["run"] == str(wanted.runs / str(trial))


def test_more_trials_go_on_where_the_search_stopped(wanted, stand_in):
    tune(dataclasses.replace(wanted, max_trials=2))
    first = [given(wanted.runs / name) for name in "01"]
    logs = [(wanted.runs / f"{name}.log").read_text() for name in "01"]
    tune(wanted)
    assert [given(wanted.runs / name) for name in "01"] == first
    assert [(wanted.runs / f"{name}.log").read_text() for name in "01"] == logs
    assert len(results(wanted)[0]) == 4


def test_another_search_in_the_same_directory_is_refused(wanted, stand_in):
    tune(dataclasses.replace(wanted, max_trials=1))
    before = results(wanted)
    for other in ({"objective": "val_loss"}, {"choices": {}}, {"records": "tfrecords/other"}):
        with pytest.raises(UserError, match=r"holds another search: choose another directory"):
            tune(dataclasses.replace(wanted, **other))
    assert results(wanted) == before


def test_a_trial_that_fails_is_told_and_left_out(wanted, stand_in, capsys):
    tune(dataclasses.replace(wanted, choices={"negatives": ("random", "hard")}, max_trials=8))
    trials, _ = results(wanted)
    assert 0 < len(trials) < 8
    assert {trial["negatives"] for trial in trials} == {"random"}
    assert "failed: error: collapsed (all of it: " in capsys.readouterr().err


def test_a_search_in_which_every_trial_fails_says_so(wanted, stand_in):
    with pytest.raises(UserError, match="no trial has succeeded: see the logs in .*runs"):
        tune(dataclasses.replace(wanted, choices={"negatives": ("hard",)}, max_trials=2))
    assert not (pathlib.Path(wanted.output) / "best.flags").exists()


@pytest.mark.parametrize("tuner", ["bayesian", "hyperband"])
def test_the_other_tuners_search_too(wanted, stand_in, tuner):
    """Hyperband decides by itself how many trials there are, and goes on with the good ones for more epochs."""
    tune(dataclasses.replace(wanted, tuner=tuner))
    trials, _ = results(wanted)
    epochs = {int(given(wanted.runs / trial["trial"])["epochs"]) for trial in trials}
    assert len(trials) >= 4
    assert epochs == ({3} if tuner == "bayesian" else {1, 2, 3} & epochs)
    assert len(epochs) == (1 if tuner == "bayesian" else 2)


def test_validation_figures_are_those_of_the_validation_split(run, system):
    found = validation_figures(str(run.path))
    tracks = embed_tracks(system, run.records, load_manifest(run.records), "validation")
    similarity = tracks.embeddings @ tracks.embeddings.T
    np.fill_diagonal(similarity, -np.inf)
    nearest = tracks.labels[similarity.argmax(axis=1)]
    shared = (tracks.labels & nearest).sum(axis=1) > 0
    assert 0 <= found["val_recall_1"] <= shared.mean() + 1e-6
    scores = system.scores(tracks.embeddings).numpy()
    known = [tag for tag in range(tracks.labels.shape[1]) if 0 < tracks.labels[:, tag].sum() < len(tracks.labels)]
    expected = np.mean([roc_auc_score(tracks.labels[:, tag], scores[:, tag]) for tag in known])
    assert found["val_roc_auc"] == pytest.approx(expected)
    assert found["val_loss"] == min(row["val_loss"] for row in load_history(run))
