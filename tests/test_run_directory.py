import dataclasses
import json
import pathlib

import pytest

from tfmir.errors import UserError
from tfmir.params import EncoderParams, PipelineParams, RunParams, SystemParams, TrainParams
from tfmir.remote import RemotePath
from tfmir.run_directory import Run, load_history, load_run, locked, open_run, trained_run
from tfmir.vocabulary import Vocabulary

PARAMS = RunParams(
    encoder=EncoderParams(width_multiplier=0.0625, blocks=1, embedding_dim=16),
    system=SystemParams("triplet", track_weight=0.5),
    pipeline=PipelineParams(batch_size=8),
    training=TrainParams(epochs=4),
)
VOCABULARY = Vocabulary.from_dict({"genre": ["rock", "jazz"], "mood": ["calm"]})


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path / "mine", PARAMS, VOCABULARY, "tfrecords/tiny", "tiny", "CC0-1.0", "abc")


def with_training(run, **changes):
    training = dataclasses.replace(run.params.training, **changes)
    return dataclasses.replace(run, params=dataclasses.replace(run.params, training=training))


def test_what_is_opened_is_loaded_as_it_was(run):
    open_run(run)
    assert load_run(str(run.path)) == run
    assert run.best_weights == run.path / "best.weights.h5"


def test_the_same_run_is_opened_again_and_nothing_changes(run):
    open_run(run)
    before = (run.path / "params.json").read_bytes()
    open_run(load_run(str(run.path)))
    assert (run.path / "params.json").read_bytes() == before


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (lambda run: with_training(run, learning_rate=0.1), "params.training.learning_rate is 0.005, asked for 0.1"),
        (
            lambda run: dataclasses.replace(run, fingerprint="other", records="there"),
            "was trained on other records than those in there: name its own with --records",
        ),
        (lambda run: dataclasses.replace(run, licence="CC-BY"), "its licence is CC0-1.0, asked for CC-BY"),
        (
            lambda run: dataclasses.replace(run, vocabulary=Vocabulary.from_dict({"genre": ["rock", "jazz"]})),
            r"its vocabulary.mood is \['calm'\], asked for None",
        ),
    ],
)
def test_another_setting_in_the_same_directory_is_refused_and_nothing_changes(run, changed, message):
    open_run(run)
    before = (run.path / "params.json").read_bytes()
    with pytest.raises(UserError, match=message):
        open_run(changed(run))
    assert (run.path / "params.json").read_bytes() == before


@pytest.mark.parametrize(
    ("schedule", "changes", "allowed"),
    [
        ("plateau", {"epochs": 5}, True),
        ("plateau", {"replicas": 2}, True),
        ("cosine", {"replicas": 2}, True),
        ("cosine", {"epochs": 5}, False),
        ("plateau", {"seed": 1}, False),
        ("plateau", {"schedule": "cosine"}, False),
    ],
)
def test_what_may_change_when_a_run_goes_on(run, schedule, changes, allowed):
    """More epochs are another run where the learning rate depends on their number."""
    first = with_training(run, schedule=schedule)
    open_run(first)
    then = with_training(first, **changes)
    if allowed:
        open_run(then)
        assert load_run(str(run.path)) == then
    else:
        name, value = next(iter(changes.items()))
        before = getattr(first.params.training, name)
        with pytest.raises(UserError, match=rf"its params.training.{name} is {before}, asked for {value}"):
            open_run(then)


def test_a_run_that_another_process_trains_is_refused_until_that_one_ends(run):
    open_run(run)
    with locked(run), pytest.raises(UserError, match="another process is training or evaluating it"), locked(run):
        pass
    with locked(run):
        pass


def test_a_lock_ends_with_its_block_however_it_ends(run):
    open_run(run)
    with pytest.raises(ZeroDivisionError), locked(run):
        raise ZeroDivisionError
    with locked(run):
        pass


def test_a_remote_store_has_no_lock(run):
    remote = dataclasses.replace(run, path=RemotePath("s3://bucket/mine"))
    with locked(remote), locked(remote):
        pass


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(UserError, match="no params.json"):
        load_run(str(tmp_path))
    with pytest.raises(UserError, match="no run given"):
        load_run("")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda stored: stored.pop("licence"),
        lambda stored: stored["params"].pop("system"),
        lambda stored: stored["params"]["system"].update(colour="red"),
        lambda stored: stored.update(vocabulary={"genre": 3}),
    ],
)
def test_a_run_of_another_version_is_refused_by_its_name(run, spoil):
    open_run(run)
    path = run.path / "params.json"
    stored = json.loads(path.read_text())
    spoil(stored)
    path.write_text(json.dumps(stored))
    with pytest.raises(UserError, match=r"mine/params.json: .*version of tfmir"):
        load_run(str(run.path))


def test_a_run_without_weights_cannot_be_evaluated(run):
    open_run(run)
    with pytest.raises(UserError, match=r"no best.weights.h5 yet"):
        trained_run(str(run.path))
    run.best_weights.write_bytes(b"weights")
    assert trained_run(str(run.path)) == run


def test_the_history_is_numbers_by_epoch_and_empty_before_the_first(run):
    open_run(run)
    assert load_history(run) == []
    pathlib.Path(run.path / "history.csv").write_text("epoch,loss\n1,0.5\n2,0.25\n")
    assert load_history(run) == [{"epoch": 1.0, "loss": 0.5}, {"epoch": 2.0, "loss": 0.25}]


def test_records_that_were_moved_are_the_same_run_and_their_new_place_is_kept(run):
    open_run(run)
    moved = dataclasses.replace(run, records="/elsewhere/tiny")
    open_run(moved)
    assert load_run(str(run.path)) == moved


def test_a_run_of_version_0_1_goes_on_with_the_records_that_it_names(run):
    old = dataclasses.replace(run, fingerprint="")
    open_run(old)
    stored = json.loads((run.path / "params.json").read_text())
    del stored["fingerprint"]
    (run.path / "params.json").write_text(json.dumps(stored))
    assert load_run(str(run.path)) == old
    with pytest.raises(UserError, match="its records is tfrecords/tiny, asked for elsewhere"):
        open_run(dataclasses.replace(run, records="elsewhere"))
    open_run(run)
    assert load_run(str(run.path)) == run
