import csv
import dataclasses
import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tfmir.errors import UserError
from tfmir.inference.weights import load_system
from tfmir.params import RunParams, SystemParams, TrainParams
from tfmir.training.callbacks import ProgressBar, ScheduleAndBackup, TensorBoardLog
from tfmir.training.progress import Progress
from tfmir.training.schedule import ScheduleState


@pytest.fixture
def compiled(untrained, tmp_path):
    """A run of the proxy system, its compiled system, and its excerpts."""
    run = untrained(tmp_path / "run")
    system = load_system(run)
    system.compile(optimizer=keras.optimizers.Adam(0.005), jit_compile=False)
    system.optimizer.build(system.trainable_variables)
    run.best_weights.unlink()
    return run, system


def keeper_of(run, system, **training):
    keeper = ScheduleAndBackup(run.path, dataclasses.replace(run.params, training=TrainParams(**training)))
    keeper.set_model(system)
    return keeper


def epoch(keeper, number, **logs):
    keeper.on_epoch_begin(number)
    keeper.on_epoch_end(number, {"loss": 1.0, **logs})


def tell(keeper, number, name, value):
    """A training loss is told after a batch, a validation loss after the epoch."""
    if name == "loss":
        keeper.on_train_batch_end(0, {"loss": value})
    else:
        keeper.on_epoch_end(number, {"loss": 1.0, "val_loss": value})


@pytest.mark.parametrize(
    "logs", [{"loss": 0.1, "val_loss": 0.0, "val_valid_triplets": 0.0}, {"loss": 0.1}], ids=["no triplet", "no pair"]
)
def test_a_validation_split_that_measures_nothing_is_refused_and_no_weights_are_best(tmp_path, logs):
    """Its loss would be 0 from the first epoch on, and that epoch's weights the best for ever."""
    keeper = ScheduleAndBackup(tmp_path, RunParams())
    keeper.on_epoch_begin(0)
    with pytest.raises(UserError, match="validation split gives no triplets.*--notion_sampling=natural"):
        keeper.on_epoch_end(0, logs)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["triplets", "track_triplets"])
def test_triplets_that_are_all_learnt_are_no_error(compiled, kind):
    """Their loss is 0 as well, but they were measured."""
    run, system = compiled
    epoch(keeper_of(run, system), 0, val_loss=0.0, **{"val_valid_triplets": 0.0, f"val_valid_{kind}": 3.0})
    assert run.best_weights.exists()


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("name", ["loss", "val_loss"])
def test_a_diverged_epoch_is_one_error_that_names_it_and_what_is_kept(compiled, snapshot, name, value):
    """Epoch 1 is good, epoch 2 worse, epoch 3 diverges: what there was before it is there after it."""
    run, system = compiled
    keeper = keeper_of(run, system)
    epoch(keeper, 0, val_loss=0.5)
    epoch(keeper, 1, val_loss=0.7)
    before = snapshot(run.path)
    system.set_weights([np.full_like(weight, np.nan) for weight in system.get_weights()])
    keeper.on_epoch_begin(2)
    message = (
        rf"diverged in epoch 3: its {name} is {value}; the weights of epoch 1, with .* 0.5, are kept in .*best.weig"
    )
    with pytest.raises(UserError, match=message):
        tell(keeper, 2, name, value)
    assert snapshot(run.path) == before
    assert keeper.progress.epoch == 2


@pytest.mark.parametrize("name", ["loss", "val_loss"])
def test_a_first_epoch_that_diverges_leaves_no_weights(tmp_path, name):
    keeper = ScheduleAndBackup(tmp_path, RunParams())
    keeper.on_epoch_begin(0)
    with pytest.raises(
        UserError, match="diverged in epoch 1: .* there are no weights yet. Try a lower --learning_rate"
    ):
        tell(keeper, 0, name, math.nan)
    assert not list(tmp_path.iterdir())


def test_a_batch_with_a_loss_is_no_error():
    ScheduleAndBackup("nowhere", RunParams()).on_train_batch_end(0, {"loss": 3.5})


def test_weights_that_are_no_numbers_are_never_the_best(compiled, snapshot):
    """A ReLU may turn NaN into 0: the loss of a dead encoder is a number, and may even be lower than before."""
    run, system = compiled
    keeper = keeper_of(run, system)
    epoch(keeper, 0, val_loss=0.5)
    before = snapshot(run.path)
    layer = system.encoder.get_layer("dense1")
    layer.set_weights([np.full_like(weight, np.nan) for weight in layer.get_weights()])
    keeper.on_epoch_begin(1)
    with pytest.raises(UserError, match="diverged in epoch 2"):
        keeper.on_epoch_end(1, {"loss": 1.0, "val_loss": 0.1})
    assert snapshot(run.path) == before


def test_an_epoch_whose_validation_is_all_zero_is_never_the_best(compiled):
    """A hinge of zeros is the margin, which may be lower than what a living encoder has at first."""
    run, system = compiled
    keeper = keeper_of(run, system)
    epoch(keeper, 0, val_loss=0.1, val_dead_share=1.0)
    assert not run.best_weights.exists()
    epoch(keeper, 1, val_loss=0.2, val_dead_share=0.9)
    assert run.best_weights.exists()
    assert keeper.progress.schedule.best == 0.2


def test_the_best_weights_are_those_of_the_lowest_validation_loss(compiled):
    """Losses 0.5, 0.3, 0.4: the weights of epoch 2 are kept, the backup is that of epoch 3."""
    run, system = compiled
    keeper, bias = keeper_of(run, system), system.embedding_layer.bias
    for number, loss in enumerate([0.5, 0.3, 0.4]):
        bias.assign(np.full(16, number + 1.0))
        epoch(keeper, number, val_loss=loss)
    np.testing.assert_array_equal(load_system(run).embedding_layer.bias, np.full(16, 2.0))
    assert [path.name for path in (run.path / "backup").iterdir()] == ["epoch-000003"]
    rows = list(csv.DictReader((run.path / "history.csv").read_text().splitlines()))
    assert [(row["epoch"], row["val_loss"]) for row in rows] == [("1", "0.5"), ("2", "0.3"), ("3", "0.4")]


def test_a_restored_run_has_the_weights_the_optimiser_and_the_schedule_of_its_last_epoch(compiled):
    run, system = compiled
    keeper = keeper_of(run, system, patience=1)
    system.optimizer.iterations.assign(17)
    system.embedding_layer.bias.assign(np.arange(16.0))
    epoch(keeper, 0, val_loss=0.5)
    epoch(keeper, 1, val_loss=0.6)  # a plateau: the rate falls to a fifth
    system.embedding_layer.bias.assign(np.zeros(16))
    system.optimizer.iterations.assign(99)
    system.optimizer.learning_rate.assign(1.0)
    again = keeper_of(run, system, patience=1)
    assert again.restore(system) == 2
    assert again.progress == keeper.progress
    assert int(system.optimizer.iterations) == 17
    assert float(system.optimizer.learning_rate) == pytest.approx(0.001)
    np.testing.assert_array_equal(system.embedding_layer.bias, np.arange(16.0))


def test_a_backup_without_its_state_was_interrupted_and_is_not_restored(compiled):
    """The state is written last."""
    run, system = compiled
    keeper = keeper_of(run, system)
    assert keeper.restore(system) == 0
    epoch(keeper, 0, val_loss=0.5)
    (run.path / "backup/epoch-000002").mkdir()
    (run.path / "backup/epoch-000002/state.weights.h5").write_bytes(b"half")
    assert keeper_of(run, system).restore(system) == 1


def test_training_stops_when_the_schedule_has_ended(compiled):
    """No patience left after the one cut that is allowed: epoch 3 ends it."""
    run, system = compiled
    keeper = keeper_of(run, system, patience=1, max_cuts=1)
    stops = []
    for number in range(3):
        epoch(keeper, number, val_loss=0.5)
        stops.append(system.stop_training)
    assert stops == [False, False, True]


def test_progress_survives_as_json():
    """Also before any epoch is the best: JSON has no word for infinity."""
    for best in (ScheduleState.best, 0.5):
        progress = Progress(ScheduleState(0.1, epoch=2, best=best), [{"epoch": 1.0}])
        stored = json.loads(json.dumps(dataclasses.asdict(progress), allow_nan=False))
        assert Progress(ScheduleState(**stored["schedule"]), stored["history"]) == progress
        assert progress.epoch == 2


def test_the_bar_starts_where_the_run_goes_on(capsys):
    """Two of five epochs of 10 steps are done: 20 of 50, and one more step."""
    bar = ProgressBar(epochs=5, steps=10, first_epoch=2)
    bar.on_train_batch_end(0)
    assert (bar.bar.n, bar.bar.total) == (21, 50)
    bar.on_epoch_end(2, {"loss": 0.123456, "val_loss": 2.0})
    bar.close()
    assert "epoch 3/5  loss 0.1235  val_loss 2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("switches", "spaces"),
    [(SystemParams("proxy"), {"genre", "mood"}), (SystemParams("proxy", disentangled=False), {"whole"})],
)
def test_tensorboard_names_the_histograms_after_the_spaces_of_the_system(untrained, tmp_path, switches, spaces):
    """And a system with one space has none named after the first notion."""
    run = untrained(tmp_path / "run", switches)
    system = load_system(run)
    system.compile(optimizer=keras.optimizers.Adam(0.25), jit_compile=False)
    log = TensorBoardLog(tmp_path / "logs", run.params, tf.random.stateless_uniform([3, 129, 128], [0, 1]))
    log.set_model(system)
    log.on_train_begin()
    log.on_epoch_end(0, {"loss": 0.5, "val_loss": 0.75})
    events = EventAccumulator(str(tmp_path / "logs"))
    events.Reload()
    tags = events.Tags()["tensors"]
    assert {tag for tag in tags if tag.startswith("subspace_norm")} == {f"subspace_norm/{space}" for space in spaces}
    values = {tag: float(tf.make_ndarray(events.Tensors(tag)[0].tensor_proto)) for tag in ("loss", "learning_rate")}
    assert values == {"loss": 0.5, "learning_rate": 0.25}


@pytest.mark.parametrize("name", ["state.weights.h5", "state.json"])
def test_a_damaged_backup_is_named_with_the_remedy_and_the_best_weights_stay(compiled, name):
    run, system = compiled
    epoch(keeper_of(run, system), 0, val_loss=0.5)
    best = run.best_weights.read_bytes()
    path = run.path / "backup/epoch-000001" / name
    path.write_bytes(
        path.read_bytes()[:20] if name == "state.weights.h5" else b'{"schedule": {"tempo": 3}, "history": []}'
    )
    with pytest.raises(
        UserError, match=rf"epoch-000001/{name}: .*: remove .*epoch-000001 to train from the first epoch"
    ):
        keeper_of(run, system).restore(system)
    assert run.best_weights.read_bytes() == best
