import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from tfmir.evaluation.tagging import _rank_auc, macro_roc_auc_interval, pr_auc, roc_auc


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    labels = rng.random([80, 4]) < 0.3
    return labels, np.round(labels + rng.normal(size=[80, 4]), 1)  # rounded: with ties


def test_areas_are_scikit_learns(data):
    labels, scores = data
    np.testing.assert_allclose(roc_auc(labels, scores), [roc_auc_score(labels[:, t], scores[:, t]) for t in range(4)])
    expected = [average_precision_score(labels[:, t], scores[:, t]) for t in range(4)]
    np.testing.assert_allclose(pr_auc(labels, scores), expected)


def test_by_hand():
    """Of the four pairs of a positive (.9, .7) and a negative (.8, .1), only .7 < .8 is out of order: 3/4."""
    labels, scores = np.array([[1], [0], [1], [0]], bool), np.array([[0.9], [0.8], [0.7], [0.1]])
    assert roc_auc(labels, scores)[0] == pytest.approx(3 / 4)
    assert pr_auc(labels, scores)[0] == pytest.approx((1 / 1 + 2 / 3) / 2)


def test_the_rank_formula_equals_the_area_also_with_ties(data):
    labels, scores = data
    assert _rank_auc(labels, scores) == pytest.approx(roc_auc(labels, scores).mean())


def test_a_tag_with_one_class_has_no_area_and_does_not_count():
    labels = np.array([[1, 1, 0], [0, 1, 0], [1, 1, 0]], bool)
    scores = np.array([[0.9, 0.1, 0.2], [0.3, 0.2, 0.1], [0.8, 0.5, 0.9]])
    assert np.isnan(roc_auc(labels, scores)).tolist() == [False, True, True]
    assert macro_roc_auc_interval(labels, scores).mean == 1.0


@pytest.mark.filterwarnings("error")
def test_without_a_tag_of_both_classes_there_is_no_macro_area():
    labels = np.array([[1, 0], [1, 0]], bool)
    assert macro_roc_auc_interval(labels, np.ones([2, 2])) is None
    assert np.isnan([roc_auc(labels, np.ones([2, 2])), pr_auc(labels, np.ones([2, 2]))]).all()


def test_the_interval_holds_the_area_and_shrinks_with_more_tracks(data):
    labels, scores = data
    small = macro_roc_auc_interval(labels, scores)
    large = macro_roc_auc_interval(np.tile(labels, [9, 1]), np.tile(scores, [9, 1]))
    assert small.low < roc_auc(labels, scores).mean() < small.high
    assert (large.high - large.low) < 0.5 * (small.high - small.low)
