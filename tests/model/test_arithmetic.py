import numpy as np
import pytest
import tensorflow as tf

from tfmir.model import arithmetic
from tfmir.model.arithmetic import ROUNDING, faster_than_float32, largest_difference


@pytest.mark.parametrize("precision", ROUNDING)
def test_one_rounding_changes_a_number_by_its_share_at_most(precision):
    numbers = np.random.default_rng(0).uniform(1, 2, 10_000)
    rounded = tf.cast(tf.constant(numbers), precision)
    changes = np.abs(tf.cast(rounded, tf.float64) / numbers - 1)
    assert 0.9 * ROUNDING[precision] < changes.max() <= ROUNDING[precision]


def test_errors_of_layers_add_in_squares():
    """Twice three deviations of a sum of independent numbers that are even between -1 and 1; 24 layers are 48."""
    sums = np.random.default_rng(0).uniform(-1, 1, [100_000, 48]).sum(axis=1)
    assert largest_difference("bfloat16", 24) == pytest.approx(2 * 3 * sums.std() * ROUNDING["bfloat16"], rel=0.01)


@pytest.mark.parametrize(
    ("words", "found"),
    [("flags : fpu avx512_bf16 sse", "bfloat16"), ("Features : fp bf16", "bfloat16"), ("flags : avx512f", "")],
)
def test_a_processor_says_what_it_has(words, found, monkeypatch):
    monkeypatch.setattr(arithmetic.tf.config, "list_physical_devices", lambda kind: [])
    monkeypatch.setattr(arithmetic.pathlib.Path, "read_text", lambda self, encoding: words)
    assert faster_than_float32() == found


def test_another_system_than_linux_says_nothing(monkeypatch):
    def nowhere(self, encoding):
        raise FileNotFoundError(self)

    monkeypatch.setattr(arithmetic.tf.config, "list_physical_devices", lambda kind: [])
    monkeypatch.setattr(arithmetic.pathlib.Path, "read_text", nowhere)
    assert faster_than_float32() == ""


@pytest.mark.parametrize(
    ("able", "found"), [([(8, 6)], "bfloat16"), ([(8, 6), (7, 5)], "float16"), ([(6, 1)], ""), ([None], "")]
)
def test_of_several_gpus_the_oldest_decides(able, found, monkeypatch):
    details = {f"GPU:{i}": {} if of is None else {"compute_capability": of} for i, of in enumerate(able)}
    monkeypatch.setattr(arithmetic.tf.config, "list_physical_devices", lambda kind: list(details))
    monkeypatch.setattr(arithmetic.tf.config.experimental, "get_device_details", details.get)
    assert faster_than_float32() == found
