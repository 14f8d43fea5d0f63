import numpy as np
import pytest
import tensorflow as tf

from tfmir.evaluation.baselines import statistics_features
from tfmir.model.encoder import build_encoder
from tfmir.params import EncoderParams, FeatureParams

FEATURES = FeatureParams()


def test_the_stages_have_the_published_sizes():
    encoder = build_encoder(EncoderParams(batch_norm=False), FEATURES)
    assert encoder.get_layer("stem_pool").output.shape[1:] == (64, 64, 64)
    for block, size in enumerate([32, 16, 8, 4, 2, 1], start=1):
        assert encoder.get_layer(f"block{block}_reduce").output.shape[1:] == (size, size, 256)


def test_parameter_count_without_normalisation():
    """The design's 2.80 M, with the dense layer of 256 x 256 + 256 that follows the encoder."""
    encoder = build_encoder(EncoderParams(batch_norm=False), FEATURES)
    assert encoder.count_params() + 256 * 256 + 256 == pytest.approx(2.80e6, rel=0.002)


@pytest.mark.parametrize(("multiplier", "channels"), [(0.0625, 16), (0.25, 64), (0.5, 128)])
def test_width_scales_every_filter_count(multiplier, channels):
    encoder = build_encoder(EncoderParams(width_multiplier=multiplier), FEATURES)
    assert encoder.output.shape[-1] == channels
    assert encoder.get_layer("stem").filters == round(64 * multiplier)


@pytest.mark.parametrize(("multiplier", "width"), [(1.0, 256), (0.125, 32), (0.001, 1)])
def test_statistics_go_through_two_dense_layers_that_the_width_scales(multiplier, width):
    """4 numbers a channel are its normalisation's. The paper's blocks have no part in it."""
    encoder = build_encoder(EncoderParams("statistics", width_multiplier=multiplier, blocks=3), FEATURES)
    assert encoder.count_params() == (384 + 4) * width + (width + 4) * width
    assert encoder.output.shape == (None, width)


def test_statistics_are_those_of_the_z_scored_log_mel_in_numpy():
    """By the baseline's function, then W s + b and ReLU twice, in float64."""
    encoder = build_encoder(EncoderParams("statistics", width_multiplier=0.1, batch_norm=False), FEATURES)
    x = np.random.default_rng(0).random([5, 129, 128]).astype(np.float32)
    rows = np.stack([statistics_features((excerpt - 0.2) / 0.25) for excerpt in x]).astype(np.float64)
    for name in ("dense1", "dense2"):
        layer = encoder.get_layer(name)
        layer.bias.assign(np.random.default_rng(1).normal(size=layer.bias.shape))
        rows = np.maximum(rows @ layer.kernel.numpy() + layer.bias.numpy(), 0)
    np.testing.assert_allclose(encoder(x), rows, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("batch_norm", [True, False])
def test_silence_has_finite_gradients_in_the_statistics_encoder(batch_norm):
    """No deviation, no difference: alone in its batch, and beside an excerpt that is none."""
    encoder = build_encoder(EncoderParams("statistics", width_multiplier=0.05, batch_norm=batch_norm), FEATURES)
    for x in (tf.zeros([4, 129, 128]), tf.concat([tf.zeros([1, 129, 128]), tf.random.uniform([3, 129, 128])], 0)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(encoder(x, training=True) ** 2)
        gradients = tape.gradient(loss, [x, *encoder.trainable_variables])
        assert all(np.isfinite(gradient).all() for gradient in gradients)
        assert np.isfinite(encoder(x)).all()


@pytest.mark.parametrize("batch_norm", [True, False])
def test_narrow_encoders_train_without_damage(batch_norm):
    """oneDNN's gradient of a narrow, strided 1x1 convolution corrupts memory; the encoder must not contain one."""
    encoder = build_encoder(EncoderParams(width_multiplier=0.125, batch_norm=batch_norm), FEATURES)
    strided = [layer.name for layer in encoder.layers if getattr(layer, "kernel_size", None) == (1, 1)]
    assert all(encoder.get_layer(name).strides == (1, 1) for name in strided)
    x = tf.random.stateless_normal([2, 129, 128], [0, 1])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(encoder(x, training=True) ** 2)
    gradients = tape.gradient(loss, encoder.trainable_variables)
    assert all(gradient is not None and np.isfinite(gradient).all() for gradient in gradients)


def test_biases_stand_where_no_normalisation_follows():
    assert build_encoder(EncoderParams(width_multiplier=0.1, batch_norm=False), FEATURES).get_layer("stem").use_bias
    assert not build_encoder(EncoderParams(width_multiplier=0.1), FEATURES).get_layer("stem").use_bias
