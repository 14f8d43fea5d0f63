import numpy as np
import pytest
import tensorflow as tf

from tfmir.model.listwise import listwise

N, TAGS, DIM, TEMPERATURE = 11, 6, 5, 0.3
TRACK = np.array([0, 1, 2, 2, 3, 4, 5, 5, 5, 6, 7])
SPACES = 2


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


@pytest.fixture
def embeddings():
    return unit(np.abs(np.random.default_rng(0).normal(size=[SPACES, N, DIM])))


@pytest.fixture
def labels():
    """Some excerpts have no tag, some share one with nobody, some with their own track only."""
    found = np.random.default_rng(1).random([SPACES, N, TAGS]) < 0.2
    found[0, 2:4] = [0, 0, 0, 0, 0, 1]
    found[0, [0, 1, *range(4, N)], 5] = False
    return found.astype(np.float64)


def by_loops(embeddings, labels, track, temperature):
    """Equation (1), pair by pair, in float64; the mean over the anchors, and how many there are."""
    losses = []
    for i in range(len(track)):
        others = [j for j in range(len(track)) if track[j] != track[i] and labels[j].any()]
        shares = {}
        for j in others:
            both = sum(a and b for a, b in zip(labels[i], labels[j], strict=True))
            either = sum(a or b for a, b in zip(labels[i], labels[j], strict=True))
            shares[j] = both / either if either else 0.0
        if total := sum(shares.values()):
            weights = {j: np.exp(embeddings[i] @ embeddings[j] / temperature) for j in others}
            losses.append(-sum(shares[j] / total * np.log(weights[j] / sum(weights.values())) for j in others))
    return (np.mean(losses) if losses else 0.0), len(losses)


def value(embeddings, labels, track=TRACK, temperature=TEMPERATURE):
    arrays = (tf.constant(np.asarray(x), tf.float32) for x in (embeddings, labels))
    return listwise(*arrays, tf.constant(track, tf.int64), temperature=temperature).numpy()


def test_two_neighbours_by_hand():
    """Cosines 1 with the only one that shares the tag, 0 with the third, τ = 1: -log(e / (e + 1)) for both anchors; the
    third is none."""
    found = value([[[1, 0], [1, 0], [0, 1]]], [[[1, 0], [1, 0], [0, 1]]], [0, 1, 2], 1.0)
    assert found == pytest.approx(np.log(1 + np.exp(-1)))


def test_half_of_the_tags_is_half_the_share_by_hand():
    """Anchor {a} and neighbours {a}, {a b}, all of the same direction: shares 2/3 and 1/3, predictions 1/2 each, so
    log 2; it is log 2 for the other two anchors as well."""
    assert value(np.ones([1, 3, 1]), [[[1, 0], [1, 0], [1, 1]]], [0, 1, 2]) == pytest.approx(np.log(2))


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_it_is_that_of_loops_over_the_pairs(embeddings, labels, temperature):
    expected = [by_loops(e, y, TRACK, temperature) for e, y in zip(embeddings, labels, strict=True)]
    assert all(2 < anchors < N for _, anchors in expected)
    np.testing.assert_allclose(value(embeddings, labels, temperature=temperature), [x for x, _ in expected], rtol=1e-5)


def test_the_gradient_is_that_of_finite_differences_of_the_loops(embeddings, labels):
    """Central differences of a step of 1e-5 in float64 are exact to about 1e-9 here; float32 gives the rest."""
    x = tf.Variable(embeddings, dtype=tf.float32)
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(listwise(x, tf.constant(labels, tf.float32), tf.constant(TRACK), temperature=TEMPERATURE))
    found, expected = tape.gradient(y, x).numpy(), np.empty(embeddings.shape)
    for index in np.ndindex(*embeddings.shape):
        moved = [embeddings.copy() for _ in range(2)]
        moved[0][index] -= 1e-5
        moved[1][index] += 1e-5
        low, high = (by_loops(m[index[0]], labels[index[0]], TRACK, TEMPERATURE)[0] for m in moved)
        expected[index] = (high - low) / 2e-5
    assert np.abs(expected).max() > 0.05
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_order_of_the_batch_does_not_matter(embeddings, labels):
    rows = np.random.default_rng(2).permutation(N)
    found = value(embeddings[:, rows], labels[:, rows], TRACK[rows])
    np.testing.assert_allclose(found, value(embeddings, labels), rtol=1e-5)


def test_an_excerpt_of_the_same_track_is_neither_a_positive_nor_a_negative():
    """A twin of anchor 0, wherever it lies, leaves anchor 0's own loss as it was: nobody else is an anchor of its tag
    but excerpt 1, whose list gets longer. With track numbers of their own the twin would be what anchor 0 looks for."""
    labels = np.array([[[1, 0], [1, 0], [0, 1], [1, 0]]])
    of = {}
    for twin in (0, 1):
        rows = np.eye(2)[[[0, 0, 1, twin]]]
        of[twin] = by_loops(rows[0], labels[0], [0, 1, 2, 0], 1.0)[0]
        np.testing.assert_allclose(value(rows, labels, [0, 1, 2, 0], 1.0), of[twin], rtol=1e-5)
    # By hand, twin at the anchor's place: anchors 0 and 3 log(1 + 1/e), anchor 1 log(2 + 1/e).
    assert of[0] == pytest.approx((2 * np.log(1 + np.exp(-1)) + np.log(2 + np.exp(-1))) / 3)


@pytest.mark.parametrize("place", [[1.0, 0.0], [0.0, 1.0]])
def test_an_excerpt_without_a_tag_is_in_no_list(place):
    """Wherever it lies; an excerpt with another tag in its place would be one to keep away from."""
    labels, track = np.array([[[1, 0], [1, 0], [0, 1], [0, 0]]]), [0, 1, 2, 3]
    without = value(np.eye(2)[[[0, 0, 1]]], labels[:, :3], track[:3])
    rows = np.concatenate([np.eye(2)[[[0, 0, 1]]], [[place]]], axis=1)
    np.testing.assert_allclose(value(rows, labels, track), without, rtol=1e-6)
    labels[0, 3] = [0, 1]
    assert value(rows, labels, track) > without


NO_TAGS, NOBODY = np.zeros([1, 4, 3]), np.eye(4)[np.newaxis]


@pytest.mark.parametrize(
    ("labels", "track"),
    [
        (NO_TAGS, [0, 1, 2, 3]),
        (NOBODY, [0, 1, 2, 3]),
        (np.ones([1, 4, 3]), [5, 5, 5, 5]),
        (np.ones([1, 1, 3]), [0]),
        (np.ones([1, 0, 3]), []),
    ],
    ids=["no tags", "no shared tags", "one track", "one excerpt", "an empty share"],
)
@pytest.mark.parametrize("temperature", [0.001, 0.2])
def test_a_batch_without_an_anchor_gives_nothing_and_no_gradient(labels, track, temperature):
    x = tf.Variable(unit(np.ones([*labels.shape[:2], 3])), dtype=tf.float32)
    with tf.GradientTape() as tape:
        found = listwise(x, tf.constant(labels, tf.float32), tf.constant(track, tf.int64), temperature=temperature)
    np.testing.assert_array_equal(found, [0.0])
    np.testing.assert_array_equal(tape.gradient(found, x), np.zeros(x.shape))


def test_a_space_without_an_anchor_leaves_the_others_alone(embeddings, labels):
    expected = value(embeddings, labels)
    labels[1] = 0
    np.testing.assert_allclose(value(embeddings, labels), [expected[0], 0.0], rtol=1e-6)


def test_dead_rows_are_at_cosine_zero_and_all_is_finite(embeddings, labels):
    """A dead sub-space has embedding 0: its anchors predict all others alike."""
    embeddings[:, :6] = 0
    expected = [by_loops(e, y, TRACK, TEMPERATURE)[0] for e, y in zip(embeddings, labels, strict=True)]
    np.testing.assert_allclose(value(embeddings, labels), expected, rtol=1e-5)
