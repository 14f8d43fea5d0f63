import numpy as np
import pytest
from scipy import stats

from tfmir.evaluation.answers import Answers
from tfmir.evaluation.triplets import draw_triplets
from tfmir.experiments.bootstrap import COSINE, INNER_PRODUCT, draw_weights, resampled_figures
from tfmir.experiments.spread import (
    LEVEL,
    Figures,
    Spread,
    effect_size,
    holm,
    seeds_needed,
    spread_of,
    standard_error,
)


def test_the_standard_error_over_seeds_by_hand():
    """0.1, 0.2, 0.3 and 0.5, 0.6, 0.7: variances 0.01 each, 0.01/3 + 0.01/3; Welch and Satterthwaite say 4 degrees."""
    spread = spread_of([Figures(np.array([0.1, 0.2, 0.3])), Figures(np.array([0.5, 0.6, 0.7]))], 100)
    assert spread.between_seeds == pytest.approx((0.01, 0.01))
    assert (spread.seeds, spread.over_tracks) == ((3, 3), None)
    assert standard_error(spread) == pytest.approx((np.sqrt(0.02 / 3), 4))


def test_unequal_seeds_have_the_degrees_of_welch():
    a, b = np.array([0.1, 0.2, 0.4]), np.array([0.5, 0.51, 0.52, 0.5])
    error, degrees = standard_error(spread_of([Figures(a), Figures(b)], 100))
    found = stats.ttest_ind(a, b, equal_var=False)
    assert (a.mean() - b.mean()) / error == pytest.approx(found.statistic)
    assert 2 * stats.t.sf(abs(found.statistic), degrees) == pytest.approx(found.pvalue)


def test_the_tracks_part_is_that_of_both_systems_together():
    """Both move alike with the tracks, so their difference does not; against one that stays it does."""
    rng = np.random.default_rng(0)
    common = 0.1 * rng.normal(size=2000)
    together = [Figures(np.zeros(3), np.stack([common] * 3)), Figures(np.zeros(3), np.stack([common] * 3))]
    assert spread_of(together, 100).over_tracks == pytest.approx(0.0, abs=1e-12)
    alone = [together[0], Figures(np.zeros(3), np.zeros([3, 2000]))]
    assert spread_of(alone, 100).over_tracks == pytest.approx(0.01, rel=0.1)


def test_what_single_runs_owe_to_the_tracks_is_not_counted_twice():
    """Runs that differ by nothing but their luck with the tracks: all of the variance is between the seeds."""
    rng = np.random.default_rng(1)
    luck = [Figures(rng.normal(size=8), rng.normal(size=[8, 4000])) for _ in range(2)]
    found = spread_of(luck, 100)
    assert found.over_tracks == pytest.approx(0.0, abs=0.01)
    assert sum(b / 8 for b in found.between_seeds) == pytest.approx(0.25, rel=0.6)


def test_two_figures_of_one_system_are_compared_run_by_run():
    whole = Figures(np.array([0.1, 0.5, 0.9]), np.zeros([3, 10]))
    found = spread_of([Figures(whole.values + 0.2, np.ones([3, 10])) - whole], 50)
    assert (found.seeds, found.between_seeds[0], found.over_tracks) == ((3,), pytest.approx(0, abs=1e-20), 0.0)


def test_resamples_without_the_figure_are_left_out():
    resampled = np.array([[0.0, 0.2, np.nan], [0.0, 0.2, np.nan]])
    assert spread_of([Figures(np.zeros(2), resampled)], 50).over_tracks == pytest.approx(0.01)


def test_one_seed_tells_nothing():
    spread = spread_of([Figures(np.array([0.5])), Figures(np.array([0.1, 0.2]))], 100)
    assert spread.between_seeds == (None, pytest.approx(0.005))
    assert (standard_error(spread), seeds_needed(spread, 0.4), effect_size(0.4, spread)) == (None, None, None)


def test_the_seeds_that_a_difference_needs_are_the_first_at_which_its_interval_excludes_the_bound():
    spread = Spread((3, 3), (0.0004, 0.0004), 0.0, 1000)  # deviation 0.02, as between seeds of one system
    needed = seeds_needed(spread, 0.03)

    def half(n):
        return stats.t.ppf(0.975, 2 * n - 2) * np.sqrt(2 * 0.0004 / n)

    assert half(needed) < 0.03 < half(needed - 1)
    assert seeds_needed(spread, 1.0) == 2
    assert seeds_needed(spread, 0.0) is None


def test_where_the_tracks_are_too_few_no_number_of_seeds_is_enough():
    spread = Spread((3, 3), (0.0004, 0.0004), 0.0001, 1000)
    assert seeds_needed(spread, 0.019) is None  # 1.96 · 0.01 from the tracks alone
    assert seeds_needed(spread, 0.03) > seeds_needed(Spread((3, 3), (0.0004, 0.0004), 0.0, 1000), 0.03)


def test_an_effect_and_its_interval_are_those_of_the_noncentral_t():
    """Without tracks: the exact interval, from the noncentrality for which t is the 97.5 % and the 2.5 % point."""
    spread = Spread((10, 10), (0.0004, 0.0004), 0.0, 1000)
    found = effect_size(0.03, spread)
    assert found.size == pytest.approx(1.5)
    for bound, share in ((found.low, 0.975), (found.high, 0.025)):
        noncentrality = bound * np.sqrt(10 / 2)
        assert stats.nct.cdf(1.5 * np.sqrt(10 / 2), 18, noncentrality) == pytest.approx(share, abs=0.004)
    assert effect_size(0.03, Spread((2, 2), (0.0, 0.0), 0.0001, 1000)) is None


def test_holms_correction_by_hand():
    """Four times the smallest, three times the next, and never less than the one before (Holm, 1979)."""
    assert holm([0.02, 0.005, 0.9, 0.03]) == pytest.approx([0.06, 0.02, 0.9, 0.06])
    assert holm([0.4, 0.6]) == pytest.approx([0.8, 0.8])
    assert holm([]) == []


@pytest.mark.parametrize("seeds", [(3, 3), (10, 10), (3, 10)])
@pytest.mark.parametrize("sizes", [(1.0, 1.0, 1.0), (0.2, 1.0, 3.0), (3.0, 0.0, 0.5)])
def test_under_nothing_about_one_in_twenty_is_called(seeds, sizes):
    """Two systems of one expectation, 400 times: their seeds, their way with the tracks and the luck of each run
    differ, in sizes (of these three) that each stand for the deviation of a figure."""
    rng, (tracks, samples, times) = np.random.default_rng(sum(seeds)), (60, 120, 400)
    weights = rng.multinomial(tracks, np.full(tracks, 1 / tracks), samples) / tracks
    called = 0
    of_seeds, of_tracks, luck = np.array(sizes) * [1, np.sqrt(tracks), np.sqrt(tracks)]
    for _ in range(times):
        common = rng.normal(size=tracks)
        answers = {
            system: common
            + of_seeds * rng.normal(size=[n, 1])
            + of_tracks * rng.normal(size=tracks)
            + luck * rng.normal(size=[n, tracks])
            for system, n in zip("xy", seeds, strict=True)
        }
        called += told(*(Figures(values.mean(axis=1), values @ weights.T) for values in answers.values()), tracks)
    assert 0.025 <= called / times <= 0.075


def told(x, y, tracks):
    """Whether the means of two systems are told apart."""
    error, degrees = standard_error(spread_of([x, y], tracks))
    return error > 0 and 2 * stats.t.sf(abs(x.values.mean() - y.values.mean()) / error, degrees) < LEVEL


ZIPF = 1 / np.arange(1, 6)


RETRIEVAL, PREDICTION = "R@1", "a whole space"


def equal_systems(rng, *, tracks, share, weights):
    """Column -> figures, of two systems with three seeds each: R@1, and the prediction of drawn triplets of a notion.

    Every track has one of five tags, in Zipf's proportions, and is annotated with it or not. An embedding is the tag's
    direction, and noise: more of it is a system's than a seed's, so that what is left to chance is in the tracks.
    """
    tags = rng.choice(5, tracks, p=ZIPF / ZIPF.sum())
    labels = np.eye(5, dtype=bool)[tags] & (rng.random([tracks, 1]) < share)
    queries, triplets = np.flatnonzero(labels.any(axis=1)), draw_triplets(labels, np.arange(5), count=2000)
    anchors, positives, negatives = triplets.T
    for _ in "xy":
        values, resampled, centres = [], [], np.eye(5, 8)[tags] + 0.6 * rng.normal(size=[tracks, 8])
        for _ in range(3):
            embeddings = centres + 0.1 * rng.normal(size=[tracks, 8])
            embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
            cosines = embeddings @ embeddings.T - 2 * np.eye(tracks)
            nearest = np.argsort(-cosines, axis=1)[:, :2]
            hits = labels[nearest[:, 0], tags][queries].astype(np.float32)
            right = cosines[anchors, positives] > cosines[anchors, negatives]
            found = Answers(queries, np.tile(hits, [4, 1]).T, labels, {"whole/a": right}, {"whole/a": triplets})
            values.append({RETRIEVAL: hits.mean(), PREDICTION: right.mean()})
            nearest = dict.fromkeys((INNER_PRODUCT, COSINE), nearest)
            resampled.append(resampled_figures(found, ["a"], [RETRIEVAL, PREDICTION], weights, nearest))
        yield {
            name: Figures(np.array([v[name] for v in values]), np.array([r[name] for r in resampled]))
            for name in (RETRIEVAL, PREDICTION)
        }


@pytest.mark.parametrize("share", [0.13, 1.0])
def test_so_it_is_with_drawn_triplets_and_of_retrieval_no_more(share):
    """200 times. By anchors alone 24 % and 28 % of triplets were called, by queries alone 10 % and 18 % of R@1."""
    rng, tracks = np.random.default_rng(3), 160
    weights = draw_weights(tracks, samples=100)
    called = {RETRIEVAL: 0, PREDICTION: 0}
    for _ in range(200):
        x, y = equal_systems(rng, tracks=tracks, share=share, weights=weights)
        called = {name: so_far + told(x[name], y[name], tracks) for name, so_far in called.items()}
    assert 0.02 <= called[PREDICTION] / 200 <= 0.08
    assert called[RETRIEVAL] / 200 <= 0.05
