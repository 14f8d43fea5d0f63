import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmir.model.normalization import BatchNorm


def _pair():
    ours, reference = BatchNorm(momentum=0.99), keras.layers.BatchNormalization(momentum=0.99, epsilon=1e-3)
    for layer in (ours, reference):
        layer.build([None, 4, 4, 3])
    ours.scale.assign([0.5, 1.0, 2.0])
    ours.offset.assign([0.1, 0.2, 0.3])
    reference.gamma.assign([0.5, 1.0, 2.0])
    reference.beta.assign([0.1, 0.2, 0.3])
    return ours, reference


def test_training_output_and_gradient_equal_keras():
    ours, reference = _pair()
    x = tf.random.stateless_normal([8, 4, 4, 3], [0, 1]) * 3 + 1
    results = []
    for layer in (ours, reference):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x, training=True) ** 3)
        results.append((loss, tape.gradient(loss, x)))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-4)
    np.testing.assert_allclose(results[0][1], results[1][1], atol=2e-3)


def test_moving_moments_follow_the_batch_and_serve_inference():
    ours, _ = _pair()
    x = tf.random.stateless_normal([16, 4, 4, 3], [0, 2]) * 2 + 5
    ours(x, training=True)
    mean = x.numpy().mean(axis=(0, 1, 2))
    variance = x.numpy().var(axis=(0, 1, 2), ddof=1)
    np.testing.assert_allclose(ours.moving_mean, 0.01 * mean, rtol=1e-4)
    np.testing.assert_allclose(ours.moving_variance, 0.99 + 0.01 * variance, rtol=1e-4)
    expected = (x - ours.moving_mean) / np.sqrt(ours.moving_variance.numpy() + 1e-3) * ours.scale + ours.offset
    np.testing.assert_allclose(ours(x, training=False), expected, atol=1e-4)


@pytest.mark.parametrize("shape", [[8, 4, 4, 3], [8, 3]])
def test_synchronised_moments_equal_the_fused_ones_over_the_whole_batch(shape, two_replicas):
    """Each replica sees half the batch; output and moving moments must be those of the whole."""
    x = tf.random.stateless_normal(shape, [0, 3]) * 3 + 1
    whole = BatchNorm()
    expected = whole(x, training=True)
    with two_replicas.scope():
        split = BatchNorm()
        split.build(x.shape)
    dataset = two_replicas.experimental_distribute_dataset(tf.data.Dataset.from_tensors(x).unbatch().batch(8))

    @tf.function
    def step(part):
        return two_replicas.run(lambda z: split(z, training=True), [part])

    parts = two_replicas.experimental_local_results(step(next(iter(dataset))))
    np.testing.assert_allclose(np.concatenate(parts), expected, atol=1e-4)
    np.testing.assert_allclose(split.moving_mean.numpy(), whole.moving_mean.numpy(), rtol=1e-4)
    np.testing.assert_allclose(split.moving_variance.numpy(), whole.moving_variance.numpy(), rtol=1e-4)


def test_vectors_are_normalised_as_images_of_one_pixel():
    """Output, moving moments, and what is served then."""
    x, (image, vector) = tf.random.stateless_normal([6, 3], [0, 4]) * 2 + 5, (BatchNorm(), BatchNorm())
    for training in (True, False):
        expected = image(x[:, tf.newaxis, tf.newaxis], training=training)
        np.testing.assert_array_equal(vector(x, training=training), expected[:, 0, 0])
    np.testing.assert_array_equal(vector.moving_variance, image.moving_variance)


@pytest.mark.parametrize("momentum", [0.9, 0.99])
def test_config_round_trip(momentum):
    layer = BatchNorm(momentum=momentum, epsilon=0.01)
    copy = BatchNorm.from_config(layer.get_config())
    assert (copy.momentum, copy.epsilon) == (momentum, 0.01)


@pytest.mark.parametrize("channels", [12, 16])
def test_in_bfloat16_the_moments_are_those_of_float32(channels):
    """Whether the channels fill vectors or not; the output is rounded once, at most by 2^-8 of it."""
    x = tf.cast(tf.random.stateless_normal([16, 4, 4, channels], [0, 4]) * 2 + 5, tf.bfloat16)
    rounded, exact = BatchNorm(dtype="mixed_bfloat16"), BatchNorm()
    found, expected = rounded(x, training=True), exact(tf.cast(x, tf.float32), training=True)
    assert found.dtype == tf.bfloat16
    np.testing.assert_allclose(tf.cast(found, tf.float32), expected, rtol=2**-8, atol=2**-8)
    np.testing.assert_allclose(rounded.moving_mean, exact.moving_mean, rtol=1e-5)
    np.testing.assert_allclose(rounded.moving_variance, exact.moving_variance, rtol=1e-4)
