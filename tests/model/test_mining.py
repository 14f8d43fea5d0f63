import itertools

import numpy as np
import pytest
import tensorflow as tf

from tfmir.model.losses import triplet_hinge
from tfmir.model.mining import lacks_tag, mine

SEED = tf.constant([0, 0], tf.int64)


def random_batch(seed, n=12, tags=5, rate=0.4):
    """Pairs (0, 1), (2, 3), … that share a drawn tag; the other tags are random."""
    rng = np.random.default_rng(seed)
    labels = rng.random([n, tags]) < rate
    tag = np.repeat(rng.integers(0, tags, n // 2), 2)
    labels[np.arange(n), tag] = True
    similarity = np.round(rng.random([n, n]), 2).astype(np.float32)
    return labels, tag, np.arange(n) ^ 1, similarity


def loops(labels, tag, positive, similarity, negatives):
    """All triplets that the definition allows, by three nested loops."""
    found = set()
    n = len(labels)
    for a in range(n):
        for p in range(n):
            for b in range(n):
                if (
                    p == positive[a]
                    and not labels[b, tag[a]]
                    and (negatives != "semihard" or similarity[a, b] < similarity[a, p])
                ):
                    found.add((a, p, b))
    return found


def rows(triplets):
    """The valid triplets (anchor, positive, negative)."""
    columns = (triplets.positive.numpy(), triplets.negative.numpy(), triplets.valid.numpy())
    return {(a, int(p), int(n)) for a, (p, n, valid) in enumerate(zip(*columns, strict=True)) if valid}


def mined(labels, tag, positive, similarity, negatives, seed=SEED):
    allowed = lacks_tag(tf.constant(labels), tf.constant(tag))
    return rows(mine(tf.constant(similarity), tf.constant(positive), allowed, negatives=negatives, seed=seed))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rate", [0.1, 0.4, 0.9])
def test_random_negatives_over_many_draws_are_exactly_those_of_three_loops(seed, rate):
    """12 anchors with 11 candidates at most: 200 draws miss one with the chance 12 · 11 · (10/11)^200 < 1e-6."""
    batch = random_batch(seed, rate=rate)
    draws = (mined(*batch, "random", seed=tf.constant([seed, i], tf.int64)) for i in range(200))
    assert set(itertools.chain.from_iterable(draws)) == loops(*batch, "random")


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rate", [0.1, 0.4, 0.9])
@pytest.mark.parametrize("negatives", ["semihard", "hard"])
def test_the_nearest_negative_is_that_of_three_loops(seed, rate, negatives):
    batch = random_batch(seed, rate=rate)
    similarity, best = batch[3], {}
    for a, p, b in sorted(loops(*batch, negatives)):
        if a not in best or similarity[a, b] > similarity[a, best[a][1]]:
            best[a] = (p, b)
    assert mined(*batch, negatives) == {(a, p, b) for a, (p, b) in best.items()}


def test_a_batch_in_which_all_share_the_tag_has_no_triplet_no_loss_and_no_gradient():
    labels, tag = np.ones([4, 1], bool), np.zeros(4, int)
    similarity = tf.Variable(tf.random.stateless_uniform([4, 4], [0, 0]))
    with tf.GradientTape() as tape:
        allowed = lacks_tag(tf.constant(labels), tf.constant(tag))
        found = mine(similarity, tf.constant([1, 0, 3, 2]), allowed, negatives="hard", seed=SEED)
        loss = triplet_hinge(similarity, found, margin=0.1).mean()
    assert not found.valid.numpy().any()
    assert loss.numpy() == 0.0
    assert not tf.convert_to_tensor(tape.gradient(loss, similarity)).numpy().any()


def test_an_empty_batch_is_no_error():
    found = mine(tf.zeros([0, 0]), tf.zeros([0], tf.int32), tf.zeros([0, 0], tf.bool), negatives="hard", seed=SEED)
    assert found.negative.shape == [0]
    assert triplet_hinge(tf.zeros([0, 0]), found, margin=0.1).mean().numpy() == 0.0
