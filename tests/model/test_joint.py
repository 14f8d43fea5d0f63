import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tfmir.model.listwise import listwise
from tfmir.model.losses import entropy_floor, multi_label_cross_entropy

PREVALENCE = np.array([0.1, 0.2, 0.05, 0.5, 0.3])


@pytest.fixture
def joint(tiny):
    """The system with weights and temperatures that can be told apart; nothing is traced."""

    def build(**kwargs):
        system = tiny("joint", **kwargs)
        lists = {"list_weight": 0.3, "list_temperature": 0.7, "whole_weight": 0.11, "whole_temperature": 0.13}
        switches = dataclasses.replace(system.params.system, unannotated_weight=1.0, **lists)
        system.params = dataclasses.replace(system.params, system=switches)
        return system

    return build


@pytest.fixture
def given(batch, joint):
    """Embeddings of 8 excerpts, like those of a ReLU, and their targets; the last two are of one track."""
    _, targets = batch(joint())
    targets["track"] = tf.constant([0, 1, 2, 3, 4, 5, 6, 6], tf.int64)
    f = np.abs(np.random.default_rng(0).normal(size=[8, 16])).astype(np.float32)
    return f, targets


def numpy_unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def one(rows, labels, track, temperature):
    arrays = (tf.constant(x[np.newaxis], tf.float32) for x in (rows, labels))
    return float(listwise(*arrays, track, temperature=temperature)[0])


def test_its_loss_is_the_proxies_and_a_list_for_every_notion_and_for_the_whole(joint, given):
    """The slices of the embedding and of the tags are cut by hand: genre has the first three tags, mood two."""
    system, (f, targets) = joint(prevalence=PREVALENCE), given
    y, track = targets["labels"].numpy(), targets["track"]
    lists = [one(numpy_unit(f[:, :8]), y[:, :3], track, 0.7), one(numpy_unit(f[:, 8:]), y[:, 3:], track, 0.7)]
    whole = one(numpy_unit(f), y, track, 0.13)
    proxies = float(tf.reduce_mean(multi_label_cross_entropy(targets["labels"], system.logits(f))))
    loss = float(system.batch_loss(tf.constant(f), targets, training=True))
    assert min(*lists, whole) > 0.1
    assert loss == pytest.approx(proxies + 0.3 * sum(lists) + 0.11 * whole, rel=1e-5)
    found = {metric.name: float(metric.result()) for metric in system.metrics}
    assert found["loss"] == pytest.approx(loss, rel=1e-6)
    assert found["listwise"] == pytest.approx(sum(lists), rel=1e-5)
    assert found["listwise_whole"] == pytest.approx(whole, rel=1e-5)
    assert found["above_floor"] == pytest.approx(proxies - entropy_floor(PREVALENCE), rel=1e-4)


def test_a_batch_of_one_track_is_the_proxy_loss_alone(joint, given):
    system, (f, targets) = joint(), given
    alone = targets | {"track": tf.zeros([8], tf.int64)}
    expected = tf.reduce_mean(multi_label_cross_entropy(targets["labels"], system.logits(f)))
    assert float(system.batch_loss(tf.constant(f), alone, training=False)) == pytest.approx(float(expected), rel=1e-6)


def test_dead_sub_spaces_have_no_gradient_and_nothing_is_no_number(joint, given):
    """The mood of all excerpts and the genre of the first are dead; a ReLU's own gradient would be 0 there too."""
    system, (f, targets) = joint(), given
    f[:, 8:] = 0
    f[0] = 0
    x = tf.Variable(f)
    with tf.GradientTape() as tape:
        loss = system.batch_loss(x, targets, training=True)
    gradient = tape.gradient(loss, x).numpy()
    assert np.isfinite(float(loss))
    assert np.isfinite(gradient).all()
    assert not gradient[:, 8:].any()
    assert not gradient[0].any()
    assert np.abs(gradient[1:, :8]).max() > 1e-3


def test_the_lists_teach_the_sub_spaces_their_norms(joint, given):
    """The proxy loss does not change when a sub-space grows; the whole space's list does."""
    system, (f, targets) = joint(), given
    louder = np.concatenate([f[:, :8], 3 * f[:, 8:]], axis=1)
    np.testing.assert_allclose(system.logits(louder), system.logits(f), atol=1e-4)
    losses = [float(system.batch_loss(tf.constant(x), targets, training=True)) for x in (f, louder)]
    assert abs(losses[0] - losses[1]) > 1e-3
