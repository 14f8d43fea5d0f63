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

from tfmir.data.records import load_manifest, read_tracks
from tfmir.errors import UserError
from tfmir.inference.weights import load_system
from tfmir.params import EncoderParams, PipelineParams, RunParams, SystemParams, TrainParams
from tfmir.run_directory import load_run, locked, open_run, trained_run
from tfmir.training.loop import start, steps_per_epoch
from tfmir.training.prototypes import store_prototypes
from tfmir.training.strategy import make_strategy

TINY = RunParams(
    encoder=EncoderParams(width_multiplier=0.0625, blocks=1, embedding_dim=16),
    pipeline=PipelineParams(batch_size=4, excerpts_per_read=2, shuffle_buffer=8),
    training=TrainParams(epochs=4, patience=1, seed=5),
)
TINY_FLAGS = [
    "--width_multiplier=0.0625", "--blocks=1", "--embedding_dim=16", "--batch_size=4", "--excerpts_per_read=2",
    "--shuffle_buffer=8", "--patience=1", "--seed=5",
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


def test_prototypes_are_the_mean_embeddings_of_the_tracks_with_a_tag(records, triplet_run):
    system, manifest = load_system(triplet_run), load_manifest(records)
    tracks = list(read_tracks(records, manifest, "train"))
    labels = manifest.vocabulary.multi_hot([track.tags for track in tracks])
    embeddings = []
    for track in tracks:
        count = len(track.log_mel) // 129
        excerpts = track.log_mel[: count * 129].reshape(1, count, 129, 128).astype(np.float32)
        embeddings.append(system.embed(excerpts).numpy()[0])
    expected = [np.mean(np.array(embeddings)[labels[:, tag]], axis=0) for tag in range(labels.shape[1])]
    np.testing.assert_allclose(system.prototypes.vectors, expected, atol=1e-5)


def test_prototypes_are_computed_once_and_stored_with_the_weights(triplet_run, monkeypatch):
    monkeypatch.setattr("tfmir.training.prototypes.fit_prototypes", None)
    before = triplet_run.best_weights.stat().st_mtime_ns
    store_prototypes(triplet_run, load_manifest(triplet_run.records))
    assert np.any(load_system(triplet_run).prototypes.vectors.numpy())
    assert triplet_run.best_weights.stat().st_mtime_ns == before


@pytest.mark.parametrize(("batch", "track_weight", "remedy"), [(6, 0.5, "use 8"), (3, 0.0, "use 4"), (2, 0.0, "use 4")])
def test_a_batch_that_gives_no_pairs_with_negatives_is_refused(records, tmp_path, batch, track_weight, remedy):
    params = dataclasses.replace(
        TRIPLET,
        system=SystemParams("triplet", track_weight=track_weight),
        pipeline=dataclasses.replace(TINY.pipeline, batch_size=batch),
    )
    with pytest.raises(UserError, match=remedy):
        run_training(records, tmp_path / "new", params)


def test_a_finished_run_is_left_alone(records, finished, capsys):
    before = (finished.path / "history.csv").stat().st_mtime_ns
    run_training(records, finished.path)
    assert "nothing to do" in capsys.readouterr().out
    assert (finished.path / "history.csv").stat().st_mtime_ns == before


def test_killed_in_the_middle_of_an_epoch_and_resumed_equals_an_undisturbed_run(records, tmp_path):
    """The command itself, killed with SIGKILL during an epoch; compared with one that was left alone."""
    command = [
        sys.executable,
        "-m",
        "tfmir.train",
        f"--records={records}",
        "--epochs=3",
        "--steps_per_epoch=12",
        *TINY_FLAGS,
    ]

    def start(name):
        arguments = [*command, f"--run={tmp_path}/{name}"]
        return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    process = start("killed")
    try:
        _wait_for(lambda: any((tmp_path / "killed/backup").glob("epoch-*/state.json")))
        time.sleep(0.05)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    last = start("killed").communicate(timeout=120)[0]
    assert re.search(r"resuming|nothing to do", last)
    assert start("whole").communicate(timeout=120)[0].count("epoch 3/3") == 1
    assert history(tmp_path / "killed") == history(tmp_path / "whole")
    for a, b in zip(weights(tmp_path / "killed"), weights(tmp_path / "whole"), strict=True):
        np.testing.assert_array_equal(a, b)


def _wait_for(condition):
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.01)


def test_a_run_that_another_process_trains_is_refused_until_that_one_ends(finished):
    with locked(finished), pytest.raises(UserError, match="another process is training it"), locked(finished):
        pass
    with locked(finished):
        pass


def test_another_setting_in_the_same_directory_is_refused_and_nothing_changes(finished):
    before = (finished.path / "params.json").read_text()
    other = dataclasses.replace(TINY, training=dataclasses.replace(TINY.training, learning_rate=0.1))
    with pytest.raises(UserError, match=r"its params.training.learning_rate is 0.005, asked for 0.1"):
        open_run(dataclasses.replace(finished, params=other))
    assert (finished.path / "params.json").read_text() == before


def test_more_epochs_are_another_run_where_the_rate_depends_on_them(finished, tmp_path):
    cosine = dataclasses.replace(TINY.training, schedule="cosine")
    run = dataclasses.replace(finished, path=tmp_path, params=dataclasses.replace(TINY, training=cosine))
    open_run(run)
    longer = dataclasses.replace(TINY, training=dataclasses.replace(cosine, epochs=5))
    with pytest.raises(UserError, match=r"its params.training.epochs is 4, asked for 5"):
        open_run(dataclasses.replace(run, params=longer))


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(UserError, match="no params.json"):
        load_run(str(tmp_path))
    with pytest.raises(UserError, match="no run given"):
        load_run("")


def test_a_run_without_weights_cannot_be_evaluated(finished, tmp_path):
    open_run(dataclasses.replace(finished, path=tmp_path / "new"))
    with pytest.raises(UserError, match="no best.weights"):
        trained_run(str(tmp_path / "new"))


def test_an_epoch_is_the_asked_excerpts_of_every_track():
    params = dataclasses.replace(TINY, pipeline=PipelineParams(batch_size=8, excerpts_per_track=3))
    assert steps_per_epoch(params, 100) == 38
    fixed = dataclasses.replace(params, training=TrainParams(steps_per_epoch=5))
    assert steps_per_epoch(fixed, 100) == 5


def test_one_device_needs_no_strategy():
    """One over a single device made every validation wait for a sleeping thread, up to as long as the epoch itself."""
    with make_strategy(TrainParams(replicas=1)).scope():
        assert not tf.distribute.has_strategy()


def test_two_replicas_and_mixed_precision_train_from_the_command_line(records, tmp_path):
    flags = ["--replicas=2", "--mixed_precision", "--epochs=1", "--steps_per_epoch=2", *TINY_FLAGS]
    command = [sys.executable, "-m", "tfmir.train", f"--records={records}", f"--run={tmp_path}/two", *flags]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "2 replica(s)" in result.stdout
    assert np.isfinite(float(history(tmp_path / "two")[0]["val_loss"]))
