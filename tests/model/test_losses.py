import math

import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import log_loss

from tfmir.model.losses import (
    Hinge,
    all_triplets_hinge,
    annotation_weights,
    entropy_floor,
    multi_label_cross_entropy,
    triplet_hinge,
)
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


def test_tags_of_a_notion_that_an_excerpt_has_none_of_weigh_less():
    """Notions a (two tags) and b (one): the first excerpt has a, the second b, the third neither."""
    labels = tf.constant([[1, 0, 0], [0, 0, 1], [0, 0, 0]])
    weights = annotation_weights(labels, np.array([0, 0, 1]), unannotated=0.25)
    np.testing.assert_array_equal(weights, [[1, 1, 0.25], [0.25, 0.25, 1], [0.25, 0.25, 0.25]])


def test_weights_are_of_the_summands():
    logits = tf.constant([[0.0, math.log(3.0)]])
    loss = multi_label_cross_entropy(tf.constant([[1, 0]]), logits, tf.constant([[0.5, 0.25]]))
    np.testing.assert_allclose(loss, [0.5 * math.log(2) + 0.25 * math.log(4)], rtol=1e-6)


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
    triplets = Triplets(tf.constant([1, 0, 0]), tf.constant([2, 2, 1]), tf.constant([True, True, False]))
    hinge = triplet_hinge(similarity, triplets, margin=0.1)
    np.testing.assert_allclose(hinge.total, [0.3, 0.0, 0.0], atol=1e-6)
    assert (hinge.valid.numpy().tolist(), hinge.active.numpy().tolist()) == ([1, 1, 0], [1, 0, 0])
    assert hinge.mean().numpy() == pytest.approx(0.15)


def test_every_anchor_counts_once_however_many_triplets_it_has():
    """Anchor 0 has losses 0.1, 0.2, 0.6: 0.3; anchor 2 has 0.5; anchor 1 none, so (0.3 + 0.5) / 2 = 0.4."""
    hinge = Hinge(tf.constant([0.9, 0.0, 0.5]), tf.constant([3.0, 0.0, 1.0]), tf.constant([3.0, 0.0, 1.0]))
    assert hinge.mean().numpy() == pytest.approx(0.4)


def test_all_triplets_by_hand():
    """Columns 0.5, 0.7 positive, 0.65, 0.1 negative, margin 0.1. With 0.5: 0.25 and 0; with 0.7: 0.05 and 0."""
    cosines = tf.constant([[0.5, 0.7, 0.65, 0.1, 0.9]])
    positives, negatives = tf.constant([[1, 1, 0, 0, 0]]) > 0, tf.constant([[0, 0, 1, 1, 0]]) > 0
    hinge = all_triplets_hinge(cosines, positives, negatives, margin=0.1)
    assert hinge.total.numpy().tolist() == pytest.approx([0.3])
    assert (hinge.valid.numpy().tolist(), hinge.active.numpy().tolist()) == ([4], [2])


def index_tuples(similarity, positives, negatives, margin):
    """The mean hinge, the number of triplets, and of those with a loss: every triplet written down."""
    a, p, n = tf.unstack(tf.where(positives[:, :, tf.newaxis] & negatives[:, tf.newaxis, :]), axis=1)
    losses = tf.nn.relu(
        tf.gather_nd(similarity, tf.stack([a, n], 1)) - tf.gather_nd(similarity, tf.stack([a, p], 1)) + margin
    )
    count = similarity.shape[0]
    valid = tf.math.unsorted_segment_sum(tf.ones_like(losses), a, count)
    of_anchors = tf.math.divide_no_nan(tf.math.unsorted_segment_sum(losses, a, count), valid)
    mean = tf.math.divide_no_nan(tf.reduce_sum(of_anchors), tf.reduce_sum(tf.cast(valid > 0, tf.float32)))
    return mean, len(losses), int(tf.reduce_sum(tf.cast(losses > 0, tf.int32)))


def sorted_form(similarity, positives, negatives, margin):
    hinge = all_triplets_hinge(similarity, positives, negatives, margin=margin)
    return hinge.mean(), int(tf.reduce_sum(hinge.valid)), int(tf.reduce_sum(hinge.active))


@pytest.mark.parametrize("width", [20, 40])
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("digits", [2, 7])
def test_all_triplets_are_those_that_are_written_down(width, rate, digits):
    """Loss, counts and gradient, also where cosines are equal, where anchors have no positive or no negative, and where
    an excerpt is neither. A margin of 0.25 is exact, and so are the sums that decide which triplets have a loss."""
    draw = np.random.default_rng(width)
    similarity = tf.Variable(np.round(draw.random([20, width]) * 2**digits).astype(np.float32) / 2**digits)
    positives = draw.random([20, width]) < rate
    negatives = ~positives & (draw.random([20, width]) < 0.8)
    found = {}
    for form in (index_tuples, sorted_form):
        with tf.GradientTape() as tape:
            mean, valid, active = form(similarity, tf.constant(positives), tf.constant(negatives), 0.25)
        gradient = tf.convert_to_tensor(tape.gradient(mean, similarity)).numpy()
        found[form] = [float(mean), valid, active, gradient]
    (mean, valid, active, gradient), counted = found.values()
    assert counted[0] == pytest.approx(mean, rel=1e-5, abs=1e-7)
    assert counted[1:3] == [valid, active]
    np.testing.assert_allclose(counted[3], gradient, rtol=1e-4, atol=1e-7)
    assert (valid > active > 0) == (0 < rate < 1)


def test_all_triplets_of_an_empty_batch_are_no_error():
    nothing = tf.zeros([0, 0], tf.bool)
    assert all_triplets_hinge(tf.zeros([0, 0]), nothing, nothing, margin=0.1).mean().numpy() == 0.0


@pytest.mark.parametrize("jit_compile", [False, True])
def test_all_triplets_in_a_graph_are_those_outside(jit_compile):
    cosines, positives = tf.random.stateless_uniform([8, 8], [0, 0]), tf.random.stateless_uniform([8, 8], [0, 1]) < 0.5

    def total(cosines, positives):
        return all_triplets_hinge(cosines, positives, ~positives, margin=0.1).total

    found = tf.function(total, jit_compile=jit_compile)(cosines, positives)
    np.testing.assert_allclose(found, total(cosines, positives), rtol=1e-5)
