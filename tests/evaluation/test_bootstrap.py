import numpy as np
import pytest

from tfmir.evaluation.bootstrap import interval, ratio_interval, resampled


def test_constant_values_have_no_width():
    found = interval(np.full(20, 0.25))
    assert (found.mean, found.low, found.high) == (0.25, 0.25, 0.25)


@pytest.mark.parametrize("values", [np.random.default_rng(0).normal(3, 2, 400), np.arange(400) % 4 == 0])
def test_the_width_is_that_of_the_normal_approximation(values):
    """95 % of the mean of n values lie within 1.96 s / sqrt(n)."""
    found = interval(values)
    half = 1.96 * np.std(values) / np.sqrt(len(values))
    assert found.mean == pytest.approx(np.mean(values))
    np.testing.assert_allclose([found.low, found.high], [found.mean - half, found.mean + half], atol=0.15 * half)


def test_the_ratio_of_a_figure_to_itself_is_one():
    found = ratio_interval(np.arange(1.0, 50), np.arange(1.0, 50))
    assert (found.mean, found.low, found.high) == (1.0, 1.0, 1.0)


def test_the_ratio_is_paired():
    """b is a with another scale: however queries are drawn, the ratio is 2. Unpaired, it would scatter."""
    a = np.random.default_rng(1).random(50)
    found = ratio_interval(2 * a, a)
    assert found.high - found.low < 1e-9
    assert found.mean == pytest.approx(2.0)


@pytest.mark.filterwarnings("error")
def test_a_ratio_to_what_is_0_in_some_resamples_has_an_infinite_bound():
    """One of ten: 0 in 0.9^10 = 35 % of the resamples. In all, it is never 0."""
    rare = np.arange(10) < 1
    found = ratio_interval(np.ones(10), rare)
    assert (found.mean, found.high) == (pytest.approx(10.0), np.inf)
    assert 2 <= found.low < 10
    assert np.isfinite(ratio_interval(rare, np.ones(10)).high)


def test_one_value_is_its_own_interval():
    for found in (interval([0.3]), interval([1.0]), ratio_interval([0.3], [0.6])):
        assert found.low == found.mean == found.high


def test_the_seed_decides():
    values = np.random.default_rng(0).random(30)
    assert interval(values, seed=3) == interval(values, seed=3)
    assert interval(values, seed=3) != interval(values, seed=4)


def test_any_figure_can_be_resampled():
    values = np.arange(100.0)
    found = resampled(100, lambda rows: float(np.median(values[rows])), samples=300)
    assert found.low < 49.5 < found.high
