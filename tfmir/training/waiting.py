"""How long the training steps wait for their batches: whether the records, or the network, set the pace."""

from __future__ import annotations

import time
from typing import Any

import keras
import tensorflow as tf


class Waiting(keras.callbacks.Callback):
    """Measures it: the time from a step's begin to the moment at which its batch is handed over.

    For one device. Under a strategy batches are fetched ahead of the step, onto the devices.
    """

    def __init__(self) -> None:
        super().__init__()
        with tf.device("CPU:0"):  # where data sets run
            self._asked = tf.Variable(0.0, dtype=tf.float64, trainable=False)
            self._waited = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        self._begin = self._steps_secs = 0.0
        self._is_first = True

    def watched(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """The same batches, whose arrival is noted; nothing may be put between them and the step."""

        def arrived(*batch: Any) -> Any:
            noted = self._waited.assign_add(tf.maximum(tf.timestamp() - self._asked, 0.0))
            with tf.control_dependencies([noted]):
                return tf.nest.map_structure(tf.identity, batch)

        options = tf.data.Options()
        options.experimental_optimization.inject_prefetch = False
        return batches.map(arrived).with_options(options)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Notes when the batch is asked for."""
        self._begin = time.perf_counter()
        self._asked.assign(tf.timestamp())

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Leaves the first step out, in which the step is compiled and the pipeline fills its buffers."""
        if self._is_first:
            self._is_first = False
            self._waited.assign(0.0)
        else:
            self._steps_secs += time.perf_counter() - self._begin

    def said(self) -> str:
        """One line: the share of the steps' time that was waiting."""
        if not self._steps_secs:
            return "waited for data: not measured, as only one step was taken"
        share = float(self._waited.numpy()) / self._steps_secs
        return f"waited for data: {share:.1%} of the training steps' time, without the first step"
