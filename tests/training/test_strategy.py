import keras
import pytest
import tensorflow as tf

from tfmir.errors import UserError
from tfmir.params import PipelineParams, RunParams, SystemParams, TrainParams
from tfmir.training import strategy as strategy_module
from tfmir.training.cluster import Cluster
from tfmir.training.strategy import check_shares, count_replicas, make_strategy


@pytest.mark.parametrize("replicas", [0, 1])
def test_one_device_needs_no_strategy(replicas):
    """One over a single device made every validation wait for a sleeping thread, up to as long as the epoch itself."""
    with make_strategy(TrainParams(replicas=replicas)).scope():
        assert not tf.distribute.has_strategy()


def test_several_replicas_are_as_many_logical_cpus():
    """The tests' process has two; a strategy that is built here is not run: one per process is."""
    strategy = make_strategy(TrainParams(replicas=2))
    assert strategy.num_replicas_in_sync == 2
    assert strategy.extended.worker_devices == tuple(f"/job:localhost/replica:0/task:0/device:CPU:{i}" for i in (0, 1))


def test_more_cpus_than_tensorflow_has_started_with_need_a_new_process():
    tf.zeros([1])  # whatever touches the devices
    with pytest.raises(UserError, match="--replicas=3: TensorFlow has already started .* use a new process"):
        make_strategy(TrainParams(replicas=3))


@pytest.mark.parametrize(
    ("version", "replicas", "refused"), [("3.9.2", 2, True), ("3.10.0", 2, False), ("3.9.2", 1, False)]
)
def test_a_keras_whose_replicas_learn_wrong_weights_is_refused(version, replicas, refused, monkeypatch):
    """As numbers: 3.10 is later than 3.9."""
    monkeypatch.setattr(keras, "__version__", version)
    if refused:
        with pytest.raises(UserError, match=r"--replicas=2 needs Keras 3.10 or later, found 3.9.2"):
            make_strategy(TrainParams(replicas=replicas))
    else:
        assert make_strategy(TrainParams(replicas=replicas)).num_replicas_in_sync == replicas


def test_more_replicas_than_gpus_are_refused(monkeypatch):
    monkeypatch.setattr(strategy_module.tf.config, "list_physical_devices", lambda kind: ["GPU:0"] * (kind == "GPU"))
    with pytest.raises(UserError, match="--replicas=2 but there are 1 GPUs"):
        make_strategy(TrainParams(replicas=2))


@pytest.mark.parametrize(
    ("system", "track_weight", "batch", "replicas", "remedy"),
    [
        ("proxy", 0.0, 6, 4, "use 4 or another multiple of 4"),
        ("proxy", 0.0, 3, 4, "use 4 or another multiple of 4"),
        ("proxy", 0.0, 8, 4, ""),
        ("proxy", 0.0, 7, 1, ""),
        ("triplet", 0.0, 10, 2, "use 8 or another multiple of 4"),
        ("triplet", 0.0, 4, 2, "use 8 or another multiple of 4"),
        ("triplet", 0.0, 8, 2, ""),
        ("triplet", 0.5, 10, 2, "use 8 or another multiple of 4"),
        ("triplet", 0.5, 8, 2, ""),
        ("joint", 0.0, 6, 2, ""),
        ("triplet", 0.0, 2, 1, ""),  # the loop's own check tells of this one
    ],
)
def test_every_replica_gets_as_many_whole_pairs_two_at_least(system, track_weight, batch, replicas, remedy):
    """10 excerpts are 5 pairs, which two cannot share; of 4 each would have one pair, and no negative."""
    switches = SystemParams(system, track_weight=track_weight)
    params = RunParams(system=switches, pipeline=PipelineParams(batch_size=batch))
    if remedy:
        with pytest.raises(UserError, match=rf"^--batch_size={batch}: {replicas} replicas .*: {remedy}, or other "):
            check_shares(params, replicas)
    else:
        check_shares(params, replicas)


@pytest.mark.parametrize(("replicas", "gpus", "count"), [(0, 0, 1), (0, 3, 3), (2, 3, 2), (5, 0, 5)])
def test_replicas_are_counted_before_a_device_is_touched(replicas, gpus, count, monkeypatch):
    monkeypatch.setattr(strategy_module.tf.config, "list_physical_devices", lambda kind: ["GPU"] * gpus)
    assert count_replicas(TrainParams(replicas=replicas)) == count


TWO = Cluster(("a:1", "b:1"))


@pytest.mark.parametrize(("replicas", "gpus", "count"), [(0, 0, 1), (1, 0, 1), (0, 3, 3), (2, 3, 2)])
def test_replicas_are_those_of_one_worker(replicas, gpus, count, monkeypatch):
    monkeypatch.setattr(strategy_module.tf.config, "list_physical_devices", lambda kind: ["GPU"] * gpus)
    assert count_replicas(TrainParams(replicas=replicas), TWO) == count


def test_a_worker_without_gpus_is_one_replica():
    with pytest.raises(UserError, match="--replicas=2: a worker of a cluster without GPUs has one: start more workers"):
        count_replicas(TrainParams(replicas=2), TWO)


def test_workers_of_one_device_are_replicas_for_keras_too(monkeypatch):
    monkeypatch.setattr(keras, "__version__", "3.9.2")
    with pytest.raises(UserError, match=r"--replicas=2 needs Keras 3.10 or later"):
        count_replicas(TrainParams(), TWO)
