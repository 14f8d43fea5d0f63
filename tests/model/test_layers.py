import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmir.model.layers import Prototypes, TagVectors, ZScore, subspace_norms, subspace_unit, unit
from tfmir.model.tagging import SubDense


def test_unit_by_hand():
    """(3, 4) has norm 5, so its unit vector is (0.6, 0.8)."""
    np.testing.assert_allclose(unit(tf.constant([[3.0, 4.0]])), [[0.6, 0.8]], rtol=1e-6)


def test_unit_of_zero_is_zero_with_zero_gradient():
    x = tf.Variable([[0.0, 0.0], [3.0, 4.0]])
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(unit(x) * [[1.0, 2.0], [1.0, 2.0]])
    gradient = tape.gradient(y, x).numpy()
    np.testing.assert_array_equal(gradient[0], [0.0, 0.0])
    # d/dx of (x·w)/|x| = w/|x| - x (x·w)/|x|^3 = (0.2, 0.4) - (3, 4)·11/125
    np.testing.assert_allclose(gradient[1], [0.2 - 33 / 125, 0.4 - 44 / 125], rtol=1e-5)


def test_unit_gradient_agrees_with_finite_differences():
    x = np.random.default_rng(0).normal(size=[2, 5]).astype(np.float32)
    weights = np.arange(10.0, dtype=np.float32).reshape(2, 5)
    theory, numeric = tf.test.compute_gradient(lambda v: tf.reduce_sum(unit(v) * weights), [tf.constant(x)])
    np.testing.assert_allclose(theory[0], numeric[0], atol=2e-2)


def test_subspace_unit_by_hand():
    """Two sub-spaces of two: (3, 4) -> (0.6, 0.8), the dead (0, 0) stays (0, 0)."""
    y = subspace_unit(tf.constant([[3.0, 4.0, 0.0, 0.0]]), 2)
    np.testing.assert_allclose(y, [[0.6, 0.8, 0.0, 0.0]], rtol=1e-6)
    np.testing.assert_allclose(subspace_norms(tf.constant([[3.0, 4.0, 0.0, 0.0]]), 2), [[5.0, 0.0]])


@pytest.mark.parametrize("notions", [1, 2, 7])
def test_subspace_unit_equals_masking_each_notion_in_turn(notions):
    """Paper, eq. 9: (f∘m_s)/‖f∘m_s‖, written with the masks and a loop."""
    f = np.abs(np.random.default_rng(1).normal(size=[5, notions * 6])).astype(np.float32)
    expected = np.zeros_like(f)
    for s in range(notions):
        mask = np.zeros(notions * 6)
        mask[s * 6 : (s + 1) * 6] = 1
        masked = f * mask
        expected += masked / np.linalg.norm(masked, axis=1, keepdims=True)
    np.testing.assert_allclose(subspace_unit(tf.constant(f), notions), expected, rtol=1e-5)


def test_zscore_uses_the_papers_constants():
    y = ZScore()(tf.constant([[[0.2, 0.45]]]))
    np.testing.assert_allclose(y[..., 0], [[[0.0, 1.0]]], atol=1e-6)


def test_tag_vectors_read_their_own_subspace_only():
    layer = TagVectors(tags=2, mask=[[1, 0], [1, 0], [0, 1], [0, 1]])
    layer.build([None, 4])
    layer.vectors.assign(np.array([[1, 9], [2, 9], [9, 3], [9, 4]], np.float32))
    # tag 0: 1·1 + 1·2 = 3; tag 1: 1·3 + 1·4 = 7; the nines are masked away
    np.testing.assert_allclose(layer(tf.ones([1, 4])), [[3.0, 7.0]])


def test_tag_vectors_start_at_the_tags_prevalence():
    keras.utils.set_random_seed(0)
    prevalence = np.array([0.05, 0.3, 0.8], np.float32)
    mask = np.repeat(np.eye(2), 64, axis=0)[:, [0, 0, 1]]
    layer = TagVectors(tags=3, mask=mask, prevalence=prevalence)
    f = np.maximum(np.random.default_rng(2).normal(size=[500, 128]), 0).astype(np.float32)
    probabilities = tf.sigmoid(layer(subspace_unit(tf.constant(f), 2))).numpy().mean(axis=0)
    np.testing.assert_allclose(probabilities, prevalence, atol=0.1)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (ZScore(mean=0.1, deviation=0.5), [2, 3, 4]),
        (TagVectors(tags=2, mask=np.eye(4)[:, :2], prevalence=[0.1, 0.5]), [2, 4]),
        (TagVectors(tags=3), [2, 4]),
        (TagVectors(tags=3, unit_inputs=False), [2, 4]),
        (Prototypes(notion_of_tag=[0, 1], notions=2), [2, 4]),
        (SubDense(3, 2), [2, 4]),
    ],
)
def test_layers_survive_a_config_round_trip(layer, shape):
    x = tf.random.stateless_normal(shape, [0, 1])
    expected = layer(x)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    copy(x)
    copy.set_weights(layer.get_weights())
    np.testing.assert_allclose(copy(x), expected, rtol=1e-6)
