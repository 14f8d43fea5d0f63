import csv
import dataclasses
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tfmir.data.manifest import Split
from tfmir.data.pipeline import training_set
from tfmir.errors import UserError
from tfmir.inference.weights import load_system
from tfmir.params import EncoderParams, FeatureParams, PipelineParams, RunParams, SystemParams, TrainParams
from tfmir.run_directory import load_run, locked
from tfmir.training.callbacks import ProgressBar
from tfmir.training.loop import prevalence, start, steps_per_epoch

TINY = RunParams(
    encoder=EncoderParams(encoder="statistics", width_multiplier=0.0625, embedding_dim=16),
    pipeline=PipelineParams(batch_size=4, excerpts_per_read=2, shuffle_buffer=8),
    training=TrainParams(epochs=4, patience=1, seed=5),
)
TINY_FLAGS = [
    "--encoder=statistics", "--width_multiplier=0.0625", "--embedding_dim=16", "--batch_size=4",
    "--excerpts_per_read=2", "--shuffle_buffer=8", "--patience=1", "--seed=5",
]  # fmt: skip


def run_training(records, path, params=TINY):
    start(str(path), params, records)
    return load_run(str(path))


@pytest.fixture(scope="module")
def finished(records, tmp_path_factory):
    return run_training(records, tmp_path_factory.mktemp("runs") / "whole")


def history(run):
    """All but the times, which differ."""
    with (pathlib.Path(run) / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(float(row.pop("seconds")) > 0 < float(row.pop("cpu_seconds")) for row in rows)
    return rows


def weights(path):
    return load_system(load_run(str(path))).get_weights()


def test_a_run_leaves_everything_a_later_stage_needs(finished):
    names = {path.name for path in finished.path.iterdir()}
    assert names >= {"params.json", "best.weights.h5", "backup", "history.csv", "logs"}
    rows = history(finished.path)
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert float(rows[0]["learning_rate"]) == 0.005
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    assert [path.name for path in (finished.path / "backup").iterdir()] == ["epoch-000004"]


def test_the_best_weights_are_those_of_the_lowest_validation_loss(finished):
    schedule = json.loads((finished.path / "backup/epoch-000004/state.json").read_text())["schedule"]
    assert schedule["best"] == pytest.approx(min(float(row["val_loss"]) for row in history(finished.path)))


def test_tensorboard_shows_losses_rate_dead_share_norms_and_parameters(finished):
    events = EventAccumulator(str(finished.path / "logs"))
    events.Reload()
    tags = {tag for kind in ("tensors", "scalars", "histograms") for tag in events.Tags()[kind]}
    expected = {"loss", "val_loss", "learning_rate", "dead_share", "subspace_norm/genre", "subspace_norm/mood"}
    assert expected <= tags
    assert any("hparams" in tag for tag in tags)


def test_stopping_between_epochs_and_going_on_gives_the_same_run(records, finished, tmp_path):
    short = dataclasses.replace(TINY, training=dataclasses.replace(TINY.training, epochs=2))
    run_training(records, tmp_path / "parts", short)
    run_training(records, tmp_path / "parts")
    assert history(tmp_path / "parts") == history(finished.path)
    for a, b in zip(weights(tmp_path / "parts"), weights(finished.path), strict=True):
        np.testing.assert_array_equal(a, b)


TRIPLET = dataclasses.replace(
    TINY, system=SystemParams("triplet", track_weight=0.5), pipeline=dataclasses.replace(TINY.pipeline, batch_size=8)
)


@pytest.fixture(scope="module")
def triplet_run(records, tmp_path_factory):
    return run_training(records, tmp_path_factory.mktemp("runs") / "triplet", TRIPLET)


def test_a_triplet_run_stopped_and_resumed_gives_the_same_run_with_its_random_negatives(records, triplet_run, tmp_path):
    short = dataclasses.replace(TRIPLET, training=dataclasses.replace(TINY.training, epochs=2))
    run_training(records, tmp_path / "parts", short)
    run_training(records, tmp_path / "parts", TRIPLET)
    assert history(tmp_path / "parts") == history(triplet_run.path)
    for a, b in zip(weights(tmp_path / "parts"), weights(triplet_run.path), strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_epoch_is_told_when_it_is_kept(records, tmp_path, monkeypatch):
    """Whoever has read of an epoch and ends the run then does not lose it."""
    kept = []

    def told(bar, epoch, logs=None):
        kept.append([path.name for path in (tmp_path / "run/backup").iterdir()])

    monkeypatch.setattr(ProgressBar, "on_epoch_end", told)
    run_training(records, tmp_path / "run", dataclasses.replace(TINY, training=TrainParams(epochs=2)))
    assert kept == [["epoch-000001"], ["epoch-000002"]]


def test_a_triplet_run_ends_with_its_prototypes(triplet_run):
    """One of unit norm at most for every tag: each is a mean of embeddings of unit norm."""
    norms = np.linalg.norm(load_system(triplet_run).prototypes.vectors, axis=1)
    assert ((norms > 0.1) & (norms < 1 + 1e-5)).all()


def test_prototypes_that_an_interrupted_run_lacks_are_made_when_its_command_is_given_again(records, triplet_run):
    """Killed between the last epoch and the prototypes: the weights are those of the best epoch, and no more."""
    expected = load_system(triplet_run).get_weights()
    system = load_system(triplet_run)
    system.prototypes.vectors.assign(tf.zeros([4, 16]))
    system.save_weights(triplet_run.best_weights)
    with pytest.raises(UserError, match="its tag prototypes are not there yet"):
        load_system(triplet_run)
    run_training(records, triplet_run.path, TRIPLET)
    for a, b in zip(weights(triplet_run.path), expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_it_says_what_the_system_makes_use_of_and_which_encoder(records, tmp_path, capsys):
    run_training(
        records, tmp_path / "run", dataclasses.replace(TINY, training=dataclasses.replace(TINY.training, epochs=1))
    )
    told = capsys.readouterr().out.splitlines()
    assert told[1:3] == [
        "system=proxy, disentangled=True, normalized=True, unannotated_weight=1.0",
        "encoder=statistics, width_multiplier=0.0625, batch_norm=True, embedding_dim=16",
    ]


def test_a_finished_run_is_left_alone(records, finished, capsys):
    before = (finished.path / "history.csv").stat().st_mtime_ns
    run_training(records, finished.path)
    assert "nothing to do" in capsys.readouterr().out
    assert (finished.path / "history.csv").stat().st_mtime_ns == before


def no_labels_from(batch):
    """The training set with labels that are no numbers from a batch on, as a fault in the arithmetic would give."""

    def faulty(records, manifest, params, *, first_batch=0):
        def spoil(index, item):
            log_mel, targets = item
            return log_mel, targets | {"labels": tf.where(index < batch, targets["labels"], np.nan)}

        batches = training_set(records, manifest, params, first_batch=first_batch)
        return batches.enumerate(first_batch).map(spoil)

    return faulty


def test_a_diverged_run_ends_with_one_error_keeps_its_last_good_epoch_and_goes_on_from_there(
    records, finished, tmp_path, snapshot, monkeypatch
):
    """12 tracks in batches of 4: three steps an epoch. Batches 0 to 3 are good, so epoch 1 is whole and epoch 2 is
    not; the command given again, without the fault, ends as a run that was never disturbed."""
    short = dataclasses.replace(TINY, training=dataclasses.replace(TINY.training, epochs=1))
    run = run_training(records, tmp_path / "parts", short)

    def kept():
        return {path: data for path, data in snapshot(run.path).items() if path.parts[0] not in ("logs", "params.json")}

    before = kept()
    assert {path.name for path in before} >= {"best.weights.h5", "state.weights.h5", "state.json", "history.csv"}
    with monkeypatch.context() as patch:
        patch.setattr("tfmir.training.loop.training_set", no_labels_from(4))
        with pytest.raises(UserError, match=r"diverged in epoch 2: its loss is nan; the weights of epoch 1, ") as error:
            run_training(records, run.path)
    assert str(error.value).count("\n") == 0
    assert kept() == before
    run_training(records, run.path)
    assert history(run.path) == history(finished.path)
    for a, b in zip(weights(run.path), weights(finished.path), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", ["proxy", "triplet"])
def test_a_learning_rate_far_too_high_is_told_at_once_and_no_weights_are_the_best(records, tmp_path, kind):
    params = dataclasses.replace(
        TINY,
        system=SystemParams(kind),
        training=dataclasses.replace(TINY.training, learning_rate=1e30, steps_per_epoch=4),
    )
    with pytest.raises(
        UserError, match="diverged in epoch [12]: .* there are no weights yet. Try a lower --learning_rate"
    ):
        run_training(records, tmp_path / "new", params)
    assert not (tmp_path / "new/best.weights.h5").exists()


def test_killed_in_the_middle_of_an_epoch_and_resumed_equals_an_undisturbed_run(records, tmp_path):
    """The command itself, killed with SIGKILL during an epoch; compared with a run of this process."""
    command = [sys.executable, "-m", "tfmir.train", f"--records={records}", f"--run={tmp_path}/killed"]
    command += ["--epochs=3", "--steps_per_epoch=12", *TINY_FLAGS]

    def start_command():
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    process = start_command()
    try:
        _wait_for(lambda: any((tmp_path / "killed/backup").glob("epoch-*/state.json")))
        time.sleep(0.05)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    assert re.search(r"resuming|nothing to do", start_command().communicate(timeout=120)[0])
    longer = dataclasses.replace(TINY.training, epochs=3, steps_per_epoch=12)
    run_training(records, tmp_path / "whole", dataclasses.replace(TINY, training=longer))
    assert history(tmp_path / "killed") == history(tmp_path / "whole")
    for a, b in zip(weights(tmp_path / "killed"), weights(tmp_path / "whole"), strict=True):
        np.testing.assert_array_equal(a, b)


def _wait_for(condition):
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.01)


def test_the_command_line_is_kept(records, finished):
    """Also by the run that finds nothing to do."""
    start(str(finished.path), TINY, records, command_line=["--seed=5", "--run=x"])
    assert (finished.path / "flags.txt").read_text() == "--seed=5 --run=x\n"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": FeatureParams(n_fft=2048)}, "n_fft=1024, this model needs n_fft=2048"),
        ({"system": SystemParams("joint", disentangled=False)}, "needs --disentangled"),
        ({"encoder": EncoderParams(embedding_dim=15)}, "does not divide into 2 equal sub-spaces"),
        ({"training": TrainParams(replicas=3)}, "--batch_size=4: 3 replicas cannot share it evenly: use 3 or"),
        ({"system": SystemParams("triplet"), "pipeline": PipelineParams(batch_size=3)}, "--batch_size=3: .* use 4"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_there_is_a_directory(records, tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        start(str(tmp_path / "new"), dataclasses.replace(TINY, **changes), records)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("error", [UserError("no such shard"), ValueError("a bug"), MemoryError()])
@pytest.mark.parametrize("there", [False, True])
def test_what_fails_before_an_epoch_is_over_leaves_no_run_that_would_refuse_another_setting(
    records, tmp_path, monkeypatch, error, there
):
    """Files that were there before, such as the log of a comparison's run, stay."""

    def fail(run, manifest, trainer):
        assert (run.path / "params.json").exists()
        raise error

    path = tmp_path / "new"
    if there:
        path.mkdir()
        (path / "train.log").touch()
    with monkeypatch.context() as patch:
        patch.setattr("tfmir.training.loop.train", fail)
        with pytest.raises(type(error)):
            start(str(path), TINY, records)
    assert [file.name for file in path.glob("*")] == ["train.log"] * there
    assert path.exists() == there


@pytest.mark.parametrize("error", [UserError("diverged"), KeyboardInterrupt()])
def test_what_was_begun_is_kept(records, tmp_path, monkeypatch, error):
    """An interruption at any moment, and a failure after an epoch: both go on where they stopped."""

    def fail(run, manifest, trainer):
        if isinstance(error, UserError):
            (run.path / "backup").mkdir()
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("tfmir.training.loop.train", fail)
        with pytest.raises(type(error)):
            start(str(tmp_path / "new"), TINY, records)
    assert (tmp_path / "new/params.json").exists()


def test_a_run_is_not_trained_twice_at_the_same_time(records, finished):
    with locked(finished), pytest.raises(UserError, match="another process is training or evaluating it"):
        run_training(records, finished.path)


def test_prevalence_is_the_share_of_tracks_by_hand():
    """2 and 3 of 4 tracks; of no tracks at all, 0 rather than an error."""
    split = Split(tracks=4, frames=0, tag_counts=(2, 3), notion_counts=(4,), shards=())
    assert prevalence(split).tolist() == [0.5, 0.75]
    assert prevalence(dataclasses.replace(split, tracks=0, tag_counts=(0, 0))).tolist() == [0, 0]


def test_an_epoch_is_the_asked_excerpts_of_every_track():
    params = dataclasses.replace(TINY, pipeline=PipelineParams(batch_size=8, excerpts_per_track=3))
    assert steps_per_epoch(params, 100) == 38
    fixed = dataclasses.replace(params, training=TrainParams(steps_per_epoch=5))
    assert steps_per_epoch(fixed, 100) == 5


def test_auto_is_measured_once_and_kept(records, tmp_path, monkeypatch):
    """The run is one of the precision that was found; whoever goes on with it need not measure again."""
    trained = []
    monkeypatch.setattr("tfmir.training.loop.train", lambda run, *_: trained.append(run.params.training.precision))
    monkeypatch.setattr("tfmir.training.loop.resolved", lambda *_, training: "bfloat16")
    run = run_training(records, tmp_path / "auto", TINY.with_precision("auto"))
    assert run.params == TINY.with_precision("bfloat16")
    monkeypatch.setattr("tfmir.training.loop.resolved", None)
    run_training(records, tmp_path / "auto", TINY.with_precision("auto"))
    assert trained == ["bfloat16", "bfloat16"]


def test_auto_is_refused_where_a_processor_is_shared_out(records, tmp_path):
    auto = TINY.with_precision("auto")
    two = dataclasses.replace(auto, training=dataclasses.replace(auto.training, replicas=2))
    with pytest.raises(UserError, match="--precision=auto measures one device: say which precision"):
        start(str(tmp_path / "two"), two, records)
    assert not (tmp_path / "two").exists()


def test_two_replicas_and_mixed_precision_train_from_the_command_line(records, tmp_path):
    flags = ["--replicas=2", "--mixed_precision", "--epochs=1", "--steps_per_epoch=2", *TINY_FLAGS]
    command = [sys.executable, "-m", "tfmir.train", f"--records={records}", f"--run={tmp_path}/two", *flags]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "2 replica(s)" in result.stdout
    assert "waited for data" not in result.stdout
    assert np.isfinite(float(history(tmp_path / "two")[0]["val_loss"]))
