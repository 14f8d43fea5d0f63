import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmir.model import precision as precision_module
from tfmir.model.arithmetic import largest_difference
from tfmir.model.precision import computing_in, resolved


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_layers_compute_in_it_with_variables_of_float32_and_others_are_left_alone(precision):
    with computing_in(precision):
        layer = keras.layers.Dense(2)
    assert (layer.compute_dtype, layer.variable_dtype) == (precision, "float32")
    assert keras.layers.Dense(2).compute_dtype == "float32"


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_every_system_is_that_of_float32_up_to_rounding(tiny, name, precision, excerpts):
    """Embeddings by the derived bound on their difference; scores and embeddings are float32."""
    exact, rounded = tiny(name), tiny(name, precision=precision)
    one, other = (system.excerpt_embeddings(excerpts(16)).numpy() for system in (exact, rounded))
    layers = exact.params.encoder.depth + 1
    allowed = largest_difference(precision, layers) * np.linalg.norm(one, axis=1)
    assert (np.linalg.norm(one - other, axis=1) > 0).all()
    assert (np.linalg.norm(one - other, axis=1) <= allowed).all()
    assert other.dtype == np.float32
    assert rounded.scores(other).dtype == tf.float32
    assert {variable.dtype for variable in rounded.trainable_variables} == {"float32"}


@pytest.mark.parametrize("encoder", ["inception", "statistics"])
def test_the_log_mel_is_standardised_before_it_is_rounded(tiny, encoder):
    """A hundredth of a deviation above the mean; bfloat16 has no number between 0.2 and 0.201."""
    (layer,) = (of for of in tiny(encoder=encoder, precision="bfloat16").encoder.layers if hasattr(of, "deviation"))
    log_mel = tf.fill([1, 129, 128], 0.2025)
    found = tf.reshape(tf.cast(layer(log_mel), tf.float32), [-1])[0]
    assert float(found) == pytest.approx(0.01, rel=2**-8)


def test_a_precision_that_is_named_is_taken_without_a_measurement(network, monkeypatch):
    monkeypatch.setattr(precision_module, "faster_than_float32", None)
    assert resolved("float16", network, training=True) == "float16"


def test_auto_is_float32_where_the_machine_has_nothing_else(network, monkeypatch, capsys):
    monkeypatch.setattr(precision_module, "faster_than_float32", lambda: "")
    assert resolved("auto", network, training=True) == "float32"
    assert "no arithmetic of bfloat16 or float16" in capsys.readouterr().out


@pytest.mark.parametrize(("ratio", "chosen"), [(0.6, "bfloat16"), (0.95, "float32"), (1.3, "float32")])
def test_auto_is_what_a_measurement_finds_faster_by_a_tenth(network, monkeypatch, capsys, ratio, chosen):
    monkeypatch.setattr(precision_module, "faster_than_float32", lambda: "bfloat16")
    monkeypatch.setattr(precision_module, "_ratio", lambda other, params, training: ratio)
    assert resolved("auto", network, training=False) == chosen
    said = f"precision: {chosen}, as a forward pass in bfloat16 takes {ratio:.2f} of float32's time here"
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("training", [True, False])
def test_the_measurement_takes_every_step_and_leaves_the_precision(network, monkeypatch, training):
    monkeypatch.setattr(precision_module, "faster_than_float32", lambda: "bfloat16")
    assert resolved("auto", network, training=training) in ("bfloat16", "float32")
    assert keras.mixed_precision.global_policy().name == "float32"
