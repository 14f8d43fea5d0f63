import itertools

import numpy as np
import pytest
import tensorflow as tf

from tfmir.model.subspaces import notion_similarity, subspace_norms, subspace_unit, unit


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


def test_a_row_is_compared_in_the_subspace_of_its_own_notion():
    """Rows (1, 0 | 0, 1), (0, 1 | 0, 1): in the first sub-space their product is 0, in the second 1."""
    x = tf.constant([[1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 1.0]])
    np.testing.assert_allclose(notion_similarity(x, tf.constant([0, 1]), 2), [[1.0, 0.0], [1.0, 1.0]])


def test_similarity_in_the_subspace_of_each_rows_notion():
    x = np.abs(np.random.default_rng(0).normal(size=[5, 6])).astype(np.float32)
    notion = np.array([0, 2, 1, 0, 2])
    found = notion_similarity(subspace_unit(tf.constant(x), 3), tf.constant(notion), 3).numpy()
    for i, j in itertools.product(range(5), range(5)):
        part = slice(2 * notion[i], 2 * notion[i] + 2)
        a, b = x[i, part], x[j, part]
        assert found[i, j] == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-5)
