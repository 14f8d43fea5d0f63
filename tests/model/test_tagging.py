import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tfmir.model.losses import entropy_floor


def embeddings(rows=4):
    """Like the output of a ReLU layer: not negative, of any norm."""
    return np.abs(np.random.default_rng(0).normal(size=[rows, 16])).astype(np.float32)


def test_masked_form_equals_the_one_product_form(tiny, vocabulary):
    """Paper, eq. 9: logit_z = (f∘m_s)/‖f∘m_s‖ · (p_z∘m_s), tag by tag in NumPy."""
    system, f = tiny(), embeddings()
    vectors, masks = system.proxies.vectors.numpy(), vocabulary.masks(16)
    expected = np.empty([4, 5])
    for tag, notion in enumerate(vocabulary.notion_of_tag):
        masked = f * masks[notion]
        similarity = (masked / np.linalg.norm(masked, axis=1, keepdims=True)) @ (vectors[:, tag] * masks[notion])
        expected[:, tag] = similarity
    np.testing.assert_allclose(system.logits(tf.constant(f)), expected, rtol=1e-4, atol=1e-6)


def test_basic_proxies_see_the_whole_space(tiny):
    """Paper, eq. 6: logit_z = f/‖f‖ · p_z."""
    system, f = tiny("proxy_basic"), embeddings()
    expected = f / np.linalg.norm(f, axis=1, keepdims=True) @ system.proxies.vectors.numpy()
    np.testing.assert_allclose(system.logits(tf.constant(f)), expected, rtol=1e-4, atol=1e-6)


def test_plain_classification_is_the_raw_inner_product(tiny):
    """logit_z = f · c_z: the embedding's norm counts."""
    system, f = tiny("classification_plain"), embeddings()
    np.testing.assert_allclose(system.logits(tf.constant(f)), f @ system.classifiers[0].vectors.numpy(), rtol=1e-4)


def test_normalised_classification_sees_the_direction_only(tiny):
    """Paper, eq. 8: logit_z = f/‖f‖ · c_z."""
    system, f = tiny("classification"), embeddings()
    expected = f / np.linalg.norm(f, axis=1, keepdims=True) @ system.classifiers[0].vectors.numpy()
    np.testing.assert_allclose(system.logits(tf.constant(f)), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(system.logits(tf.constant(7 * f)), expected, rtol=1e-4, atol=1e-6)


def test_disentangled_classification_has_a_matrix_for_each_notion(tiny, vocabulary):
    """Paper, eq. 11: logit_z = h_s/‖h_s‖ · c_z, h_s the notion's eighth and following numbers of f."""
    system, f = tiny("classification_disentangled"), embeddings()
    expected = np.empty([4, 5])
    for index, notion in enumerate(vocabulary.notions):
        h = f[:, 8 * index : 8 * index + 8]
        vectors = system.classifiers[index].vectors.numpy()
        expected[:, vocabulary.tags_of(notion)] = h / np.linalg.norm(h, axis=1, keepdims=True) @ vectors
    np.testing.assert_allclose(system.logits(tf.constant(f)), expected, rtol=1e-4, atol=1e-6)


def test_basic_proxies_and_classification_are_one_function_before_and_after_training(tiny, batch):
    """Paper, eqs. 6 and 8: two names of one system, from one seed equal to the last bit. So a comparison trains one."""
    trained = []
    for name in ("proxy_basic", "classification"):
        system = tiny(name)
        system.compile(optimizer="adam", run_eagerly=True)
        losses = [float(system.train_on_batch(*batch(system, seed=s), return_dict=True)["loss"]) for s in range(2)]
        trained.append([*system.get_weights(), np.array(losses)])
    for mine, others in zip(*trained, strict=True):
        np.testing.assert_array_equal(mine, others)


@pytest.mark.parametrize("kind", ["proxy", "proxy_basic", "classification", "classification_plain", "joint"])
def test_scores_are_the_sigmoid_of_the_logits(kind, tiny):
    system, f = tiny(kind), tf.constant(embeddings())
    expected = 1 / (1 + np.exp(-system.logits(f).numpy().astype(np.float64)))
    np.testing.assert_allclose(system.scores(f), expected, rtol=1e-5)


def test_first_loss_lies_near_the_tag_frequency_floor(tiny, excerpts):
    prevalence = np.array([0.1, 0.2, 0.05, 0.5, 0.3])
    system = tiny(prevalence=prevalence, validation_prevalence=prevalence)
    labels = np.random.default_rng(5).random([64, 5]) < prevalence
    system.compile(optimizer="adam", jit_compile=False)
    targets = {"labels": tf.constant(labels, tf.float32), "track": tf.range(64)}
    logs = system.test_on_batch(excerpts(64), targets, return_dict=True)
    assert logs["above_floor"] == pytest.approx(logs["loss"] - entropy_floor(prevalence), abs=1e-4)
    assert abs(logs["above_floor"]) < 1.0


def test_each_split_is_measured_against_its_own_floor(tiny, excerpts):
    """Tags that all or none of the validation tracks carry have the floor 0; training's is 5 · log 2."""
    system = tiny(prevalence=np.full(5, 0.5), validation_prevalence=np.zeros(5))
    f, targets = system.encode(excerpts(3)), {"labels": tf.zeros([3, 5])}
    found = {}
    for training in (True, False):
        system.reset_metrics()
        loss = float(system.batch_loss(f, targets, training=training))
        found[training] = loss - float(system.above_floor_mean.result())
        assert float(system.loss_mean.result()) == pytest.approx(loss, rel=1e-6)
    assert found == {True: pytest.approx(5 * np.log(2), rel=1e-5), False: pytest.approx(0.0, abs=1e-5)}


@pytest.mark.parametrize("kind", ["proxy", "classification", "joint"])
def test_zeros_of_a_notion_without_any_tag_weigh_what_is_asked(kind, tiny, excerpts):
    """The first excerpt has both notions, the second genre alone: of its mood, tags 3 and 4, a quarter counts. What is
    reported above the floor is the paper's loss all the same."""
    system = tiny(kind)
    switches = dataclasses.replace(system.params.system, unannotated_weight=0.25, list_weight=0.0, whole_weight=0.0)
    system.params = dataclasses.replace(system.params, system=switches)
    labels = np.array([[1, 0, 0, 1, 0], [0, 1, 0, 0, 0]], np.float32)
    f = system.encode(excerpts(2))
    loss = float(system.batch_loss(f, {"labels": tf.constant(labels), "track": tf.range(2)}, training=True))
    p = system.scores(f).numpy().astype(np.float64)
    entropies = -labels * np.log(p) - (1 - labels) * np.log(1 - p)
    assert loss == pytest.approx(
        (entropies[0].sum() + entropies[1, :3].sum() + 0.25 * entropies[1, 3:].sum()) / 2, rel=1e-5
    )
    assert float(system.above_floor_mean.result()) == pytest.approx(entropies.sum() / 2, rel=1e-5)
