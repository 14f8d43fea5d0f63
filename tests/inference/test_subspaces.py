import numpy as np
import pytest
import tensorflow as tf

from tfmir.inference.subspaces import subspace_embeddings, unit_rows
from tfmir.model import subspaces
from tfmir.vocabulary import Vocabulary


def test_rows_by_hand():
    """(3 4) / 5; zero stays zero; one vector alone is a row."""
    np.testing.assert_allclose(unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]])), [[0.6, 0.8], [0, 0]], rtol=1e-6)
    np.testing.assert_allclose(unit_rows(np.array([0.0, 5.0])), [0, 1])
    assert unit_rows(np.array([3.0, 4.0])).dtype == np.float32


def test_each_notion_has_its_own_equal_part():
    """Two notions of two: (3 4 | 0 2) -> (0.6 0.8) and (0 1); a dead part stays zero."""
    vocabulary = Vocabulary.from_dict({"genre": ["a", "b", "c"], "mood": ["x"]})
    found = subspace_embeddings(np.array([[3.0, 4.0, 0.0, 2.0], [0.0, 0.0, 1.0, 0.0]]), vocabulary)
    assert list(found) == ["genre", "mood"]
    np.testing.assert_allclose(found["genre"], [[0.6, 0.8], [0.0, 0.0]], rtol=1e-6)
    np.testing.assert_allclose(found["mood"], [[0.0, 1.0], [1.0, 0.0]], rtol=1e-6)


@pytest.mark.parametrize("notions", [1, 2, 7])
def test_numpy_and_tensorflow_agree(notions):
    """The counterparts for finished embeddings and for training."""
    vocabulary = Vocabulary.from_dict({f"n{i}": ["p"] for i in range(notions)})
    x = np.abs(np.random.default_rng(0).normal(size=[6, 3 * notions])).astype(np.float32)
    x[1] = 0
    np.testing.assert_allclose(unit_rows(x), subspaces.unit(tf.constant(x)), atol=1e-6)
    found = np.concatenate(list(subspace_embeddings(x, vocabulary).values()), axis=1)
    np.testing.assert_allclose(found, subspaces.subspace_unit(tf.constant(x), notions), atol=1e-6)
