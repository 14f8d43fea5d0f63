import numpy as np
import pytest
import tensorflow as tf

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
