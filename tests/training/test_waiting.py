import re
import time

import numpy as np
import pytest
import tensorflow as tf

from tfmir.training.waiting import Waiting


def slow(secs):
    """Ten batches, each of which takes its time."""

    def make():
        for number in range(10):
            time.sleep(secs)
            yield np.full(2, number, np.float32), {"labels": np.full(2, number, np.int64)}

    spec = tf.TensorSpec([2], tf.float32), {"labels": tf.TensorSpec([2], tf.int64)}
    return tf.data.Dataset.from_generator(make, output_signature=spec)


@pytest.mark.parametrize(("data_secs", "step_secs", "share"), [(0.03, 0.01, 75), (0.001, 0.03, 3)])
def test_the_share_of_the_steps_time_that_was_waiting(data_secs, step_secs, share):
    waiting = Waiting()
    batches = iter(waiting.watched(slow(data_secs)))
    found = []
    for number in range(10):
        waiting.on_train_batch_begin(number)
        excerpts, targets = next(batches)
        time.sleep(step_secs)
        waiting.on_train_batch_end(number)
        found.append((excerpts.numpy()[0], targets["labels"].numpy()[0]))
    assert found == [(number, number) for number in range(10)]
    percent = float(
        re.match(r"waited for data: ([\d.]+)% of the training steps' time; [\d.]+ s for the", waiting.said())[1]
    )
    assert percent == pytest.approx(share, abs=15)


def test_nothing_learnt_is_nothing_waited():
    assert Waiting().said() == "waited for data: 0.0% of the training steps' time; 0.0 s for the first batch"
