import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmir.errors import UserError
from tfmir.model.losses import entropy_floor
from tfmir.model.systems import build_system
from tfmir.params import EncoderParams, RunParams, SystemParams
from tfmir.vocabulary import Vocabulary

VOCABULARY = Vocabulary.from_dict({"genre": ["a", "b", "c"], "mood": ["x", "y"]})
TINY = RunParams(encoder=EncoderParams(width_multiplier=0.0625, blocks=1, embedding_dim=16))
TABLE = {
    "proxy": SystemParams(),
    "proxy_basic": SystemParams(disentangled=False),
}


def tiny(name="proxy", vocabulary=VOCABULARY, **kwargs):
    keras.utils.set_random_seed(0)
    return build_system(dataclasses.replace(TINY, system=TABLE[name]), vocabulary, **kwargs)


def excerpts(count, seed=0):
    return tf.random.stateless_uniform([count, 129, 128], [0, seed])


def test_masked_form_equals_the_one_product_form():
    """Paper, eq. 9: logit_z = (f∘m_s)/‖f∘m_s‖ · (p_z∘m_s), tag by tag in NumPy."""
    system = tiny()
    f = np.abs(np.random.default_rng(0).normal(size=[4, 16])).astype(np.float32)
    vectors, masks = system.proxies.vectors.numpy(), VOCABULARY.masks(16)
    expected = np.empty([4, 5])
    for tag, notion in enumerate(VOCABULARY.notion_of_tag):
        masked = f * masks[notion]
        similarity = (masked / np.linalg.norm(masked, axis=1, keepdims=True)) @ (vectors[:, tag] * masks[notion])
        expected[:, tag] = similarity
    np.testing.assert_allclose(system.logits(tf.constant(f)), expected, rtol=1e-4, atol=1e-6)


def test_basic_proxies_see_the_whole_space():
    """Paper, eq. 7: logit_z = f/‖f‖ · p_z."""
    system = tiny("proxy_basic")
    f = np.abs(np.random.default_rng(0).normal(size=[4, 16])).astype(np.float32)
    expected = f / np.linalg.norm(f, axis=1, keepdims=True) @ system.proxies.vectors.numpy()
    np.testing.assert_allclose(system.logits(tf.constant(f)), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", TABLE)
def test_learns_a_batch_by_heart(name):
    system = tiny(name)
    system.compile(optimizer=keras.optimizers.Adam(0.05), jit_compile=False)
    x = excerpts(8) * tf.linspace(0.1, 2.0, 8)[:, None, None]
    labels = tf.constant(np.random.default_rng(3).integers(0, 2, [8, 5]), tf.float32)
    first = system.train_on_batch(x, labels, return_dict=True)["loss"]
    for _ in range(60):
        last = system.train_on_batch(x, labels, return_dict=True)["loss"]
    assert last < 0.35 * first


@pytest.mark.parametrize("name", TABLE)
def test_saves_and_restores(name, tmp_path):
    system = tiny(name)
    x = excerpts(2)
    expected = system(x)
    system.save_weights(tmp_path / "a.weights.h5")
    keras.utils.set_random_seed(99)
    copy = build_system(system.params, VOCABULARY)
    assert np.abs(copy(x) - expected).max() > 1e-4
    copy.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(copy(x), expected)


@pytest.mark.parametrize("name", TABLE)
def test_two_replicas_take_the_same_steps_as_one(name, two_replicas):
    """Same global batch, three steps. Adam divides by the gradient's own size, so rounding of a tiny gradient may
    move a weight by a share of the learning rate: with 1e-3 a tolerance of 1e-4 is a tenth of one step."""
    x, labels = excerpts(8), tf.constant(np.random.default_rng(3).integers(0, 2, [8, 5]), tf.float32)
    data = tf.data.Dataset.from_tensors((x, labels)).unbatch().batch(8, drop_remainder=True).repeat()
    results = []
    for strategy in (tf.distribute.get_strategy(), two_replicas):
        with strategy.scope():
            system = tiny(name)
            system.compile(optimizer=keras.optimizers.Adam(1e-3, epsilon=1e-3), jit_compile=False)
        history = system.fit(data, steps_per_epoch=3, verbose=0).history
        results.append((history["loss"][0], system.get_weights()))
    assert results[1][0] == pytest.approx(results[0][0], rel=1e-4)
    for one, two in zip(results[0][1], results[1][1], strict=True):
        np.testing.assert_allclose(two, one, atol=1e-4, rtol=1e-3)


def test_first_loss_lies_near_the_tag_frequency_floor():
    prevalence = np.array([0.1, 0.2, 0.05, 0.5, 0.3])
    system = tiny(prevalence=prevalence, validation_prevalence=prevalence)
    labels = np.random.default_rng(5).random([64, 5]) < prevalence
    system.compile(optimizer="adam", jit_compile=False)
    logs = system.test_on_batch(excerpts(64), tf.constant(labels, tf.float32), return_dict=True)
    assert logs["above_floor"] == pytest.approx(logs["loss"] - entropy_floor(prevalence), abs=1e-4)
    assert abs(logs["above_floor"]) < 1.0


def test_track_embedding_is_the_normalised_mean_of_its_excerpts():
    system = tiny()
    batch = tf.reshape(excerpts(6), [2, 3, 129, 128])
    each = np.stack([system.normalise(system.features(track)).numpy().mean(axis=0) for track in batch])
    expected = each / np.linalg.norm(each, axis=1, keepdims=True)
    np.testing.assert_allclose(system.track_embedding(batch), expected, atol=1e-5)


def test_dead_subspaces_are_counted():
    """One of the two sub-spaces is switched off by a bias that no input reaches: half of all are dead."""
    system = tiny()
    bias = np.full(16, 0.1, np.float32)
    bias[8:] = -1e6
    system.embedding_layer.bias.assign(bias)
    system.compile(optimizer="adam", jit_compile=False)
    logs = system.test_on_batch(excerpts(4), tf.zeros([4, 5]), return_dict=True)
    assert logs["dead_share"] == pytest.approx(0.5)
    assert np.isfinite(logs["loss"])


@pytest.mark.parametrize("notions", [2, 7])
def test_any_number_of_notions(notions):
    vocabulary = Vocabulary.from_dict({f"n{i}": ["p", "q"] for i in range(notions)})
    params = dataclasses.replace(
        TINY, encoder=EncoderParams(width_multiplier=0.0625, blocks=1, embedding_dim=notions * 4)
    )
    system = build_system(params, vocabulary)
    assert system(excerpts(1)).shape == (1, 2 * notions)
    parts = tf.reshape(system.subspaces(tf.ones([1, notions * 4])), [notions, 4])
    np.testing.assert_allclose(tf.norm(parts, axis=1), np.ones(notions), rtol=1e-6)


def test_an_embedding_that_does_not_divide_is_refused_with_the_nearest_that_do():
    vocabulary = Vocabulary.from_dict({f"n{i}": ["p"] for i in range(7)})
    with pytest.raises(UserError, match="252 or 259"):
        build_system(RunParams(encoder=EncoderParams(width_multiplier=0.0625)), vocabulary)
