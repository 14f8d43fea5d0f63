import re
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmir.data.excerpts import options
from tfmir.training.waiting import Waiting


def slow(secs):
    """Thirty batches, each of which takes its time, with the pipeline's own options."""

    def make():
        for number in range(30):
            time.sleep(secs)
            yield np.full([2, 1], number, np.float32), np.full([2, 1], number, np.float32)

    spec = tf.TensorSpec([2, 1], tf.float32)
    return tf.data.Dataset.from_generator(make, output_signature=(spec, spec)).with_options(options())


class Sleeper(keras.Model):
    """A network whose step takes its time, and keeps what it was given."""

    def __init__(self, secs):
        super().__init__()
        self.secs, self.seen = secs, []
        self.scale = self.add_weight(shape=(), name="scale")

    def train_step(self, data):
        def step(excerpts):
            time.sleep(self.secs)
            self.seen.append(float(excerpts[0, 0]))
            return np.float32(0.0)

        return {"loss": tf.ensure_shape(tf.numpy_function(step, [data[0]], tf.float32), [])}


@pytest.mark.parametrize(("data_secs", "step_secs", "share"), [(0.03, 0.01, 75), (0.0, 0.03, 2), (0.01, 0.03, 25)])
def test_the_share_of_the_steps_time_that_was_waiting(data_secs, step_secs, share):
    """Nothing is read ahead here: a step waits for all that its batch takes."""
    waiting, network = Waiting(), Sleeper(step_secs)
    network.compile(optimizer="sgd", jit_compile=False)
    network.fit(waiting.watched(slow(data_secs)), steps_per_epoch=15, epochs=2, verbose=0, callbacks=[waiting])
    assert network.seen == list(range(30))
    percent = float(re.match(r"waited for data: ([\d.]+)% of the training steps' time", waiting.said())[1])
    assert percent == pytest.approx(share, abs=15)


def test_a_share_of_nothing_is_not_said():
    assert Waiting().said() == "waited for data: not measured, as only one step was taken"
