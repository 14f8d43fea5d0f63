import itertools

import numpy as np
import pytest
import tensorflow as tf

from tfmir.model.losses import mean_over_anchors, triplet_hinge
from tfmir.model.mining import Triplets, all_triplets, lacks_tag, mine
from tfmir.model.subspaces import notion_similarity, subspace_unit

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
    """The valid triplets, as a list, so that one that is there twice is seen."""
    found = zip(triplets.anchor.numpy(), triplets.positive.numpy(), triplets.negative.numpy(), strict=True)
    return [tuple(map(int, row)) for row, valid in zip(found, triplets.valid.numpy(), strict=True) if valid]


def mined(labels, tag, positive, similarity, negatives, seed=SEED):
    allowed = lacks_tag(tf.constant(labels), tf.constant(tag))
    return set(rows(mine(tf.constant(similarity), tf.constant(positive), allowed, negatives=negatives, seed=seed)))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rate", [0.1, 0.4, 0.9])
def test_random_negatives_over_many_draws_are_exactly_those_of_three_loops(seed, rate):
    """12 anchors with 11 candidates at most: 200 draws miss one with the chance 12 · 11 · (10/11)^200 < 1e-6."""
    batch = random_batch(seed, rate=rate)
    draws = (mined(*batch, "random", seed=tf.constant([seed, i], tf.int64)) for i in range(200))
    assert set(itertools.chain.from_iterable(draws)) == loops(*batch, "random")


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rate", [0.1, 0.4, 0.9])
def test_all_triplets_of_a_batch_are_those_of_three_loops(seed, rate):
    labels, tag, _, _ = random_batch(seed, rate=rate)
    n = len(labels)
    lacks = lacks_tag(tf.constant(labels), tf.constant(tag))
    found = rows(all_triplets(~lacks & ~tf.eye(n, dtype=tf.bool), lacks))
    expected = set()
    for a in range(n):
        for p in range(n):
            for b in range(n):
                if p != a and labels[p, tag[a]] and not labels[b, tag[a]]:
                    expected.add((a, p, b))
    assert set(found) == expected
    assert len(found) == len(expected)


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
        losses = triplet_hinge(similarity, found, margin=0.1)
        loss = mean_over_anchors(losses, found, count=4)
    assert not found.valid.numpy().any()
    assert loss.numpy() == 0.0
    assert not tf.convert_to_tensor(tape.gradient(loss, similarity)).numpy().any()


def test_an_empty_batch_is_no_error():
    found = mine(tf.zeros([0, 0]), tf.zeros([0], tf.int32), tf.zeros([0, 0], tf.bool), negatives="hard", seed=SEED)
    assert found.negative.shape == [0]
    assert mean_over_anchors(tf.zeros([0]), found, count=0).numpy() == 0.0


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


def test_similarity_in_the_subspace_of_each_rows_notion():
    x = np.abs(np.random.default_rng(0).normal(size=[5, 6])).astype(np.float32)
    notion = np.array([0, 2, 1, 0, 2])
    found = notion_similarity(subspace_unit(tf.constant(x), 3), tf.constant(notion), 3).numpy()
    for i, j in itertools.product(range(5), range(5)):
        part = slice(2 * notion[i], 2 * notion[i] + 2)
        a, b = x[i, part], x[j, part]
        assert found[i, j] == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-5)
