import math

import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import log_loss

from tfmir.model.losses import entropy_floor, mean_over_anchors, multi_label_cross_entropy, triplet_hinge
from tfmir.model.mining import Triplets


def test_cross_entropy_by_hand():
    """Logit 0 costs log 2 whatever the label; logit log 3 (p = 3/4) costs log(4/3) for 1 and log 4 for 0."""
    logits = tf.constant([[0.0, math.log(3.0)], [0.0, math.log(3.0)]])
    loss = multi_label_cross_entropy(tf.constant([[1, 1], [0, 0]]), logits)
    np.testing.assert_allclose(loss, [math.log(2) + math.log(4 / 3), math.log(2) + math.log(4)], rtol=1e-6)


def test_cross_entropy_agrees_with_scikit_learn_summed_over_tags():
    rng = np.random.default_rng(0)
    labels, logits = rng.integers(0, 2, [6, 5]), rng.normal(size=[6, 5]).astype(np.float32)
    probabilities = 1 / (1 + np.exp(-logits.astype(np.float64)))
    expected = [log_loss(y, p, labels=[0, 1], normalize=False) for y, p in zip(labels, probabilities, strict=True)]
    np.testing.assert_allclose(multi_label_cross_entropy(tf.constant(labels), tf.constant(logits)), expected, rtol=1e-5)


def test_the_floor_is_the_loss_of_knowing_the_frequencies_only():
    labels = np.random.default_rng(1).random([1000, 3]) < [0.1, 0.5, 0.9]
    prevalence = labels.mean(axis=0)
    logits = np.log(prevalence / (1 - prevalence)).astype(np.float32)
    loss = multi_label_cross_entropy(tf.constant(labels), tf.constant(np.tile(logits, [1000, 1])))
    assert entropy_floor(prevalence) == pytest.approx(float(tf.reduce_mean(loss)), rel=1e-5)


def test_a_tag_that_all_or_none_carry_adds_nothing_to_the_floor():
    assert entropy_floor(np.array([0.0, 1.0])) == 0.0


def test_hinge_by_hand():
    """a=0: cos(a,n)=0.7, cos(a,p)=0.5, margin 0.1: 0.3. a=1: 0.2 - 0.9 + 0.1 < 0: 0. a=2 is not valid: 0."""
    similarity = tf.constant([[1.0, 0.5, 0.7], [0.9, 1.0, 0.2], [0.1, 0.1, 1.0]])
    triplets = Triplets(
        tf.constant([0, 1, 2]), tf.constant([1, 0, 0]), tf.constant([2, 2, 1]), tf.constant([True, True, False])
    )
    losses = triplet_hinge(similarity, triplets, margin=0.1)
    np.testing.assert_allclose(losses, [0.3, 0.0, 0.0], atol=1e-6)
    assert mean_over_anchors(losses, triplets, count=3).numpy() == pytest.approx(0.15)


def test_every_anchor_counts_once_however_many_triplets_it_has():
    """Anchor 0 has losses 0.1, 0.2, 0.6: 0.3; anchor 2 has 0.5; anchor 1 none, so (0.3 + 0.5) / 2 = 0.4."""
    triplets = Triplets(
        tf.constant([0, 0, 0, 2, 1]), tf.zeros(5, tf.int32), tf.zeros(5, tf.int32), tf.constant([True] * 4 + [False])
    )
    losses = tf.constant([0.1, 0.2, 0.6, 0.5, 0.0])
    assert mean_over_anchors(losses, triplets, count=3).numpy() == pytest.approx(0.4)
