import numpy as np
import pytest

from tfmir.errors import UserError
from tfmir.evaluation.retrieval import neighbours, recall_at_k
from tfmir.inference.subspaces import unit_rows


def brute_force(embeddings, labels, ks):
    """Paper, eq. 12, in loops over Python sets."""
    rows = []
    for q, tags in enumerate(labels):
        wanted = set(np.flatnonzero(tags))
        if not wanted:
            continue
        similarity = embeddings @ embeddings[q]
        order = sorted((i for i in range(len(labels)) if i != q), key=lambda i: -similarity[i])
        rows.append([len(wanted & {t for i in order[:k] for t in np.flatnonzero(labels[i])}) / len(wanted) for k in ks])
    return np.array(rows)


@pytest.mark.parametrize("seed", range(5))
def test_equals_brute_force_on_random_multi_label_data(seed):
    rng = np.random.default_rng(seed)
    embeddings, labels = unit_rows(rng.normal(size=[60, 7])), rng.random([60, 5]) < 0.25
    assert not labels.any(axis=1).all()
    np.testing.assert_allclose(recall_at_k(embeddings, labels), brute_force(embeddings, labels, (1, 2, 4, 8)))


def test_three_tracks_by_hand():
    """Track 0 {a, b} finds 1 {a}: 1/2, then 2 {b}: 1. Track 1 finds 0: 1. Track 2 finds 1: 0, then 0: 1."""
    embeddings = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]], np.float32)
    labels = np.array([[1, 1], [1, 0], [0, 1]], bool)
    np.testing.assert_array_equal(recall_at_k(embeddings, labels, ks=(1, 2)), [[0.5, 1.0], [1.0, 1.0], [0.0, 1.0]])


def test_exact_duplicates_find_each_other_and_never_themselves():
    embeddings = np.repeat(unit_rows(np.random.default_rng(0).normal(size=[4, 8])), 3, axis=0)
    found = neighbours(embeddings, 2)
    for track, others in enumerate(found):
        assert track not in others
        assert {other // 3 for other in others} == {track // 3}


def test_tracks_without_tags_are_found_but_do_not_ask():
    embeddings = np.array([[1, 0], [1, 0.01], [0, 1], [0.01, 1]], np.float32)
    labels = np.array([[1], [0], [1], [1]], bool)
    np.testing.assert_array_equal(recall_at_k(embeddings, labels, ks=(1,)), [[0.0], [1.0], [1.0]])


def test_too_few_tracks_or_tags_are_refused():
    with pytest.raises(UserError, match="more than 8 tracks, the split has 5"):
        recall_at_k(np.ones([5, 2], np.float32), np.ones([5, 1], bool))
    with pytest.raises(UserError, match="none of this split has one"):
        recall_at_k(np.ones([9, 2], np.float32), np.zeros([9, 1], bool))
