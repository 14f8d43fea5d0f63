import dataclasses

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from tfmir.evaluation.bootstrap import resampled
from tfmir.evaluation.tagging import macro_auc, macro_roc_auc_interval, pr_auc, roc_auc


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


@pytest.fixture(scope="module")
def weights():
    """How often each of 60 tracks is drawn in each of 70 resamples, more than are taken at a time."""
    return np.random.default_rng(3).multinomial(60, np.full(60, 1 / 60), 70).T.astype(np.uint8)


def test_the_area_is_scikit_learns_of_repeated_rows(weights):
    """Scores are of few values, so that many are tied; one tag is carried by one track, one by all, one by nobody."""
    rng = np.random.default_rng(0)
    labels = rng.random([60, 6]) < [0.3, 0.6, 0.1, 0, 1, 0]
    labels[7, 3] = True
    scores = (rng.integers(0, 5, [60, 6]) + labels).astype(np.float32)
    found = macro_auc(labels, scores, weights)
    for sample in range(70):
        rows = np.repeat(np.arange(60), weights[:, sample])
        again, of_them = labels[rows], scores[rows]
        defined = [tag for tag in range(6) if 0 < again[:, tag].mean() < 1]
        expected = np.mean([roc_auc_score(again[:, tag], of_them[:, tag]) for tag in defined])
        assert found[sample] == pytest.approx(expected, abs=1e-12)
    drawn = weights[7] > 0
    assert drawn.any()
    assert not drawn.all()  # both with the tag that one track carries and without it


def test_tied_scores_count_a_half_by_hand():
    """Carriers 1 and 2 against others 1, 1.5 and 0 once each: 0.5 + 0 + 1, and 1 + 1 + 1, of 6."""
    labels = np.array([[True], [True], [False], [False], [False]])
    scores = np.array([[1.0], [2.0], [1.0], [1.5], [0.0]])
    once = np.ones([5, 1], np.uint8)
    assert macro_auc(labels, scores, once).tolist() == pytest.approx([4.5 / 6])
    twice = once * np.array([[1], [1], [2], [1], [1]], np.uint8)
    assert macro_auc(labels, scores, twice).tolist() == pytest.approx([6 / 8])


def test_without_a_tag_of_both_classes_there_is_no_area(weights):
    labels = np.zeros([60, 2], bool)
    assert np.isnan(macro_auc(labels, np.zeros([60, 2]), weights)).all()
    labels[3, 0] = True
    found = macro_auc(labels, np.arange(120).reshape(60, 2), weights)
    assert (np.isnan(found) == (weights[3] == 0)).all()


def test_the_interval_is_that_of_rows_drawn_one_resample_after_the_other(data):
    """As `resampled` draws them, each area by scikit-learn."""
    labels, scores = data

    def area(rows):
        return np.mean([roc_auc_score(labels[rows, tag], scores[rows, tag]) for tag in range(4)])

    found, expected = macro_roc_auc_interval(labels, scores, seed=5), resampled(80, area, seed=5, samples=200)
    np.testing.assert_allclose(dataclasses.astuple(found), dataclasses.astuple(expected), rtol=1e-12)


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
