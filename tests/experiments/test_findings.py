import dataclasses
import json

import numpy as np
import pytest
from scipy import stats

from tfmir.experiments import systems
from tfmir.experiments.contrasts import AGREE, Contrast, load_contrasts
from tfmir.experiments.findings import (
    JOINT_COLUMNS,
    from_json,
    joint_against_the_best,
    judge_contrasts,
)
from tfmir.experiments.published import load_published
from tfmir.experiments.spread import holm

TRACKS = 400


def columns(**changed):
    """Every figure 0.5 in three seeds, but those that are changed: column -> system -> the seeds' figures."""
    values = {column: {system: [0.5, 0.5, 0.5] for system in systems.ALL} for column in JOINT_COLUMNS}
    values["mean of sub-spaces"]["triplet"] = [None, None, None]
    for column, figures in changed.items():
        values[column].update(figures)
    return values


def judged(contrast, **changed):
    (found,) = judge_contrasts([contrast], columns(**changed), {}, tracks=TRACKS)
    return found


MORE = Contrast("a", "A", "5", "proxy", "triplet", "R@1")
EQUAL = Contrast("b", "B", "3.3", "proxy", "triplet", "R@1", kind=AGREE, margin=0.02)


@pytest.mark.parametrize(
    ("figures", "verdict"),
    [([0.60, 0.61, 0.62], "seen"), ([0.40, 0.41, 0.42], "not seen"), ([0.4, 0.5, 0.7], "undecided")],
)
def test_a_difference_is_judged_by_the_side_of_its_interval(figures, verdict):
    found = judged(MORE, **{"R@1": {"proxy": figures}})
    assert found.verdict == verdict
    assert (found.low > 0 or found.high < 0) == (found.p < 0.05) == (verdict != "undecided")


def test_interval_and_p_by_hand():
    """0.60, 0.61, 0.62 against 0.5: 0.11, error 0.01/√3, two degrees of freedom, of which t is 4.3027."""
    found = judged(MORE, **{"R@1": {"proxy": [0.60, 0.61, 0.62]}})
    assert (found.low, found.high) == pytest.approx(
        (0.11 - 4.3027 * 0.01 / 3**0.5, 0.11 + 4.3027 * 0.01 / 3**0.5), abs=1e-5
    )
    assert found.p == pytest.approx(2 * stats.t.sf(0.11 * 3**0.5 / 0.01, 2))


@pytest.mark.parametrize(
    ("figures", "verdict"),
    [
        ([0.510, 0.511, 0.512], "seen"),
        ([0.60, 0.61, 0.62], "not seen"),
        ([0.45, 0.50, 0.55], "undecided"),
        ([0.515, 0.52, 0.525], "undecided"),
    ],
)
def test_agreement_needs_the_whole_interval_within_the_margin(figures, verdict):
    found = judged(EQUAL, **{"R@1": {"proxy": figures}})
    assert found.verdict == verdict
    within, beyond = -0.02 < found.low < found.high < 0.02, found.low > 0.02 or found.high < -0.02
    assert (within or beyond) == (found.p < 0.05)


def test_systems_without_any_spread_agree_and_differ_from_nothing():
    assert (judged(EQUAL).verdict, judged(EQUAL).p) == ("seen", 0.0)
    assert (judged(MORE).verdict, judged(MORE).p, judged(MORE).effect) == ("undecided", 1.0, None)


def test_the_tracks_widen_the_interval():
    values = columns(**{"R@1": {"proxy": [0.60, 0.61, 0.62]}})
    rng = np.random.default_rng(0)
    resampled = {"proxy": {"R@1": 0.61 + 0.1 * rng.normal(size=2000) + np.zeros([3, 1])},
                 "triplet": {"R@1": np.full([3, 2000], 0.5)}}  # fmt: skip
    (found,) = judge_contrasts([MORE], values, resampled, tracks=TRACKS)
    assert (found.verdict, found.seeds_needed) == ("undecided", None)
    assert found.high - found.low == pytest.approx(2 * 1.966 * np.sqrt(0.1**2 + 0.01**2 / 3), rel=0.05)


def test_the_primary_ones_are_corrected_together_and_the_others_not_at_all():
    """Told from 0 by itself, but not among four."""
    close = {"proxy": [0.56, 0.61, 0.66]}
    alone = dataclasses.replace(MORE, primary=True)
    others = [dataclasses.replace(alone, id=column, column=column) for column in ("R@2", "R@4", "R@8")]
    found = judge_contrasts([alone, *others, MORE], columns(**{"R@1": close}), {}, tracks=TRACKS)
    assert [f.adjusted_p for f in found[:4]] == holm([f.p for f in found[:4]])
    assert (found[0].verdict, found[4].verdict, found[4].adjusted_p) == ("undecided", "undecided", None)
    closer = {"proxy": [0.58, 0.61, 0.64]}
    found = judge_contrasts([alone, *others, MORE], columns(**{"R@1": closer}), {}, tracks=TRACKS)
    assert found[0].p == found[4].p < 0.05 < found[0].adjusted_p
    assert (found[0].verdict, found[4].verdict) == ("undecided", "seen")


def test_a_subspace_is_compared_with_the_whole_space_of_the_same_runs():
    """Run by run it is always 0.1 above, however much the runs differ."""
    contrast = Contrast("a", "A", "5", "proxy", "proxy", "mean of sub-spaces", "mean of whole space")
    changed = {"mean of sub-spaces": {"proxy": [0.6, 0.71, 0.9]}, "mean of whole space": {"proxy": [0.5, 0.6, 0.8]}}
    found = judged(contrast, **changed)
    assert (found.verdict, found.spread.seeds) == ("seen", (3,))
    assert found.difference == pytest.approx(0.31 / 3)


def test_triplets_are_compared_where_each_system_is_best():
    """A system without sub-spaces by its whole space: 0.7 against triplet_disentangled's 0.6 in the sub-spaces."""
    contrast = Contrast("a", "A", "5", "triplet_disentangled", "triplet", "triplets")
    changed = {"mean of whole space": {"triplet": [0.7] * 3}, "mean of sub-spaces": {"triplet_disentangled": [0.6] * 3}}
    assert judged(contrast, **changed).difference == pytest.approx(-0.1)
    assert judged(dataclasses.replace(contrast, less="proxy"), **changed).difference == pytest.approx(0.1)


def test_systems_may_have_unequal_numbers_of_seeds():
    found = judged(MORE, **{"R@1": {"proxy": [0.60, 0.61, 0.62, 0.63, 0.61]}})
    assert (found.spread.seeds, found.verdict) == ((5, 3), "seen")


def test_systems_that_are_not_compared_are_left_out_and_secondary_columns_that_nobody_has():
    few = {column: {s: v for s, v in of.items() if s == "proxy"} for column, of in columns().items()}
    assert judge_contrasts([MORE, dataclasses.replace(MORE, primary=True)], few, {}, tracks=TRACKS) == []
    human = dataclasses.replace(MORE, column="human")
    asked = columns() | {"human": {system: [None, None, None] for system in systems.ALL}}
    assert judge_contrasts([human], columns(), {}, tracks=TRACKS) == []
    assert judge_contrasts([human], asked, {}, tracks=TRACKS) == []
    assert joint_against_the_best(few, {}, tracks=TRACKS) == []


@pytest.mark.parametrize("primary", [True, False])
def test_what_a_run_lacks_is_undefined(primary):
    """`triplet` has no sub-spaces; of R@2 one run of three has no figure."""
    lacks = dataclasses.replace(MORE, column="mean of sub-spaces", primary=primary)
    one = dataclasses.replace(MORE, column="R@2", primary=primary)
    found = judge_contrasts([lacks, one], columns(**{"R@2": {"proxy": [0.6, None, 0.6]}}), {}, tracks=TRACKS)
    assert [(f.verdict, f.difference, f.low, f.p, f.spread.seeds) for f in found] == [
        ("undefined", None, None, 1.0, (3, 3))
    ] * 2
    assert [f.adjusted_p for f in found] == ([1.0, 1.0] if primary else [None, None])


def test_holm_counts_what_is_undefined():
    """By itself p is 0.007; of two it is 0.014, though the other is not judged."""
    first = dataclasses.replace(MORE, primary=True)
    nobody = dataclasses.replace(first, id="human", column="human")
    changed = {"R@1": {"proxy": [0.59, 0.61, 0.62]}}
    (alone,) = judge_contrasts([first], columns(**changed), {}, tracks=TRACKS)
    found = judge_contrasts([first, nobody], columns(**changed), {}, tracks=TRACKS)
    assert [f.verdict for f in found] == ["seen", "undefined"]
    assert (alone.adjusted_p, found[0].adjusted_p) == pytest.approx((0.0068, 0.0136), abs=1e-4)
    (itself,) = judge_contrasts(
        [dataclasses.replace(nobody, less="proxy", against="R@1")], columns(), {}, tracks=TRACKS
    )
    assert itself.spread.seeds == (3,)


def test_the_joint_system_has_a_place_beside_the_best_of_the_papers():
    changed = {
        "R@1": {"joint": [0.60, 0.60, 0.61], "proxy": [0.55] * 3, "joint_other": [0.9] * 3},
        "R@2": {"joint": [0.50, 0.51, 0.52], "proxy": [0.505, 0.52, 0.525]},
        "R@4": {"joint": [0.5] * 3, "proxy": [0.60, 0.61, 0.62]},
        "R@8": {"joint": [0.4, 0.55, 0.7]},
    }
    found = {f.contrast.column: f for f in joint_against_the_best(columns(**changed), {}, tracks=TRACKS)}
    places = [found[column].verdict for column in ("R@1", "R@2", "R@4", "R@8")]
    assert places == ["first, beyond the interval", "within the interval", "behind", "first"]
    assert found["R@4"].contrast.less == "proxy"
    assert found["R@4"].difference == pytest.approx(-0.11)


def test_one_seed_decides_nothing_but_who_is_first():
    one = {column: {s: v[:1] for s, v in of.items()} for column, of in columns().items()}
    one["R@1"]["joint"], one["R@2"]["joint"] = [0.6], [0.2]
    found = {f.contrast.column: f.verdict for f in joint_against_the_best(one, {}, tracks=TRACKS)}
    assert (found["R@1"], found["R@2"]) == ("first", "undecided")
    (claim,) = judge_contrasts([MORE], one | {"R@1": {"proxy": [0.9], "triplet": [0.1]}}, {}, tracks=TRACKS)
    assert (claim.verdict, claim.low, claim.p, claim.seeds_needed) == ("undecided", None, 1.0, None)


def test_a_finding_is_the_same_after_json():
    changed = {"R@1": {"proxy": [0.60, 0.61, 0.63]}}
    single = judge_contrasts([MORE], {"R@1": {"proxy": [0.9], "triplet": [0.1]}}, {}, tracks=TRACKS)
    lacks = judged(dataclasses.replace(MORE, column="mean of sub-spaces", primary=True))
    for found in (judged(MORE, **changed), judged(dataclasses.replace(EQUAL, primary=True), **changed), *single, lacks):
        assert from_json(json.loads(json.dumps(dataclasses.asdict(found), allow_nan=False))) == found


def test_the_contrasts_are_the_papers(repository):
    """Every difference has the paper's sign in the paper's own figures, of which those by cosine, of CPU time and of
    the joint system are not published; the paper's ratio of training times stands in for the second."""
    published = load_published(str(repository / "docs/comparison/published.csv"))
    figures = {column: {s: [value] for s, value in of.items()} for column, of in published.items()}
    figures["CPU time"] = figures["training time"]
    contrasts = load_contrasts(str(repository / "docs/comparison/contrasts.csv"))
    found = judge_contrasts(contrasts, figures, {}, tracks=TRACKS)
    judged = {f.contrast.id: f for f in found if f.difference is not None}
    left_out = {contrast for contrast in contrasts if contrast.id not in judged}
    assert {contrast.id for contrast in left_out if "not in it" not in contrast.section} == {"normalisation-cosine"}
    assert all("not in it" in contrast.section or not contrast.primary for contrast in left_out)
    for finding in judged.values():
        mean, contrast = finding.difference, finding.contrast
        assert abs(mean) <= contrast.margin if contrast.kind == AGREE else mean > 0, contrast
