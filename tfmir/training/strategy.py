"""How many devices train."""

from __future__ import annotations

import keras
import tensorflow as tf

from tfmir import command
from tfmir.errors import UserError
from tfmir.params import RunParams, TrainParams
from tfmir.training.cluster import ALONE, Cluster

_SAFE_KERAS = (3, 10)


def make_strategy(params: TrainParams, cluster: Cluster = ALONE) -> tf.distribute.Strategy:
    """A MirroredStrategy over every GPU, or over `replicas` logical CPU devices; one device needs none.

    In a cluster it is a MultiWorkerMirroredStrategy over the same devices of every worker, and waits for them all. What
    a replica sees is the same in both: an equal share of every batch, in the order of the workers. Moments and
    gradients are those of the whole batch; triplets and lists are formed within a share.

    A strategy over one device would not be free: its buffers' tuning threads hold up the end of every validation (see
    `tfmir.data.excerpts.options`), for as long again as the epoch took.

    Must be called before TensorFlow has touched its devices: in a cluster, before any operation.

    Args:
      params: replicas of this process.
      cluster: who trains together; as TF_CONFIG says, which TensorFlow reads by itself.

    Raises:
      UserError: more replicas than GPUs, a Keras whose distributed optimiser is wrong, devices already in use.
    """
    count = count_replicas(params, cluster)
    if cluster.several:
        return _over_workers(count)
    if count == 1:
        return tf.distribute.get_strategy()
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    if kind == "CPU":
        _split_cpu(count)
    return tf.distribute.MirroredStrategy([f"{kind}:{i}" for i in range(count)])


def count_replicas(params: TrainParams, cluster: Cluster = ALONE) -> int:
    """How many devices of this process will train; none is touched.

    Raises:
      UserError: more replicas than GPUs, several CPUs in a cluster, or a Keras whose distributed optimiser is wrong.
    """
    gpus = tf.config.list_physical_devices("GPU")
    count = params.replicas or max(1, len(gpus))
    total = count * cluster.workers
    if total > 1 and tuple(int(part) for part in keras.__version__.split(".")[:2]) < _SAFE_KERAS:
        raise UserError(
            f"--replicas={total} needs Keras 3.10 or later, found {keras.__version__}: wrong weights before it"
        )
    if gpus and count > len(gpus):
        raise UserError(f"--replicas={count} but there are {len(gpus)} GPUs: use at most as many")
    if cluster.several and count > 1 and not gpus:
        raise UserError(f"--replicas={count}: a worker of a cluster without GPUs has one: start more workers instead")
    return count


def check_shares(params: RunParams, replicas: int) -> None:
    """Refuses a batch that the replicas cannot share evenly, in whole pairs.

    Raises:
      UserError: names the batch sizes that they can.
    """
    # A replica finds negatives in its own share, so two pairs are the least.
    pairs = params.system.uses_triplets and replicas > 1
    unit = replicas * (params.system.unit if pairs else 1)
    batch, least = params.pipeline.batch_size, 2 * unit if pairs else unit
    if batch % unit or batch < least:
        raise UserError(
            f"--batch_size={batch}: {replicas} replicas cannot share it evenly: use {max(least, batch // unit * unit)} "
            f"or another multiple of {unit}, or other --replicas"
        )


def _over_workers(count: int) -> tf.distribute.Strategy:
    """The strategy of a cluster, over the first `count` GPUs of this worker or its CPU."""
    tf.config.set_visible_devices(tf.config.list_physical_devices("GPU")[:count], "GPU")
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    command.leave_at_once()
    return strategy


def _split_cpu(count: int) -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    existing = tf.config.get_logical_device_configuration(cpu)
    if existing is not None and len(existing) >= count:
        return
    try:
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
    except RuntimeError as error:
        raise UserError(
            f"--replicas={count}: TensorFlow has already started on {cpu.name}: use a new process"
        ) from error
