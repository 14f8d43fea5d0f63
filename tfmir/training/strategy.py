"""How many devices train, and with which numbers."""

from __future__ import annotations

import keras
import tensorflow as tf

from tfmir.errors import UserError
from tfmir.params import TrainParams

_SAFE_KERAS = (3, 10)


def make_strategy(params: TrainParams) -> tf.distribute.Strategy:
    """A MirroredStrategy over every GPU, or over `replicas` logical CPU devices; one device needs none.

    A strategy over one device would not be free: its buffers' tuning threads hold up the end of every validation (see
    `tfmir.data.excerpts.options`), for as long again as the epoch took.

    Must be called before TensorFlow has touched its devices.

    Raises:
      UserError: more replicas than GPUs, a Keras whose distributed optimiser is wrong, devices already in use.
    """
    keras.mixed_precision.set_global_policy("mixed_float16" if params.mixed_precision else "float32")
    gpus = tf.config.list_physical_devices("GPU")
    count = params.replicas or max(1, len(gpus))
    if count > 1 and tuple(int(part) for part in keras.__version__.split(".")[:2]) < _SAFE_KERAS:
        raise UserError(
            f"--replicas={count} needs Keras 3.10 or later, found {keras.__version__}: wrong weights before it"
        )
    if gpus:
        if count > len(gpus):
            raise UserError(f"--replicas={count} but there are {len(gpus)} GPUs: use at most as many")
    elif count > 1:
        _split_cpu(count)
    if count == 1:
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy([f"{'GPU' if gpus else 'CPU'}:{i}" for i in range(count)])


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
