import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmir.model.layers import Prototypes, SubDense, TagVectors, ZScore
from tfmir.model.subspaces import subspace_unit


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


def test_a_prototype_scores_by_the_cosine_in_its_subspace(vocabulary):
    """Genre owns the first half. Track (3 4 | 0 1), prototype of tag 0 (1 0 | 9 9): cosine 3/5; of tag 3 (9 9 | 1 1):
    1/√2; a tag without tracks scores 0."""
    layer = Prototypes(notion_of_tag=vocabulary.notion_of_tag, notions=2)
    layer.build([None, 4])
    layer.vectors.assign([[1, 0, 9, 9], [0, 0, 0, 0], [3, 4, 0, 0], [9, 9, 1, 1], [0, 0, 0, 5]])
    found = layer(tf.constant([[3.0, 4.0, 0.0, 1.0]]))
    np.testing.assert_allclose(found, [[0.6, 0.0, 1.0, np.sqrt(0.5), 1.0]], rtol=1e-6)


def test_a_prototype_scores_in_the_whole_space_whatever_the_subspaces():
    """Track (3 4 0 0), prototypes (3 4 0 5): 25 / (5 · √50) = √½; (0 0 2 0): 0; none: 0."""
    layer = Prototypes(notion_of_tag=[0, 0, 1], notions=2)
    layer.build([None, 4])
    layer.vectors.assign([[3, 4, 0, 5], [0, 0, 2, 0], [0, 0, 0, 0]])
    np.testing.assert_allclose(layer.in_whole(tf.constant([[3.0, 4.0, 0.0, 0.0]])), [[np.sqrt(0.5), 0, 0]], rtol=1e-6)


def test_a_layer_for_each_notion_reads_the_whole_input_and_writes_its_own_part():
    """max(0, x W_s + b_s), one notion after the other, in NumPy."""
    layer = SubDense(3, 2)
    x = np.random.default_rng(0).normal(size=[5, 4]).astype(np.float32)
    layer.build([None, 4])
    for index, part in enumerate(layer.parts):
        part.bias.assign([0.1, -0.2, 0.3 * index])
    expected = np.concatenate([np.maximum(x @ part.kernel.numpy() + part.bias.numpy(), 0) for part in layer.parts], 1)
    assert (expected > 0).any(axis=0).all()
    np.testing.assert_allclose(layer(tf.constant(x)), expected, rtol=1e-5, atol=1e-6)


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
