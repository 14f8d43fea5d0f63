import dataclasses

import numpy as np
import pytest

from tfmir.experiments.contrast_tables import findings_sections
from tfmir.experiments.contrasts import AGREE, Contrast
from tfmir.experiments.findings import joint_against_the_best, judge_contrasts
from tfmir.experiments.results import Side

FIRST = Contrast("a", "A wins", "5, Table 1", "x", "y", "R@1", primary=True)
CONTRASTS = [
    FIRST,
    dataclasses.replace(FIRST, id="b", column="track"),
    Contrast("c", "They agree", "3.3", "x", "y", "R@1", kind=AGREE, margin=0.02),
    Contrast("d", "A sub-space is better", "", "x", "x", "R@1", "track"),
]
COLUMNS = {
    "R@1": {"x": [0.50, 0.52, 0.51], "y": [0.40, 0.41, 0.39, 0.40]},
    "track": {"x": [0.90, 0.91, 0.92], "y": [0.91, 0.905, 0.90, 0.91]},
}


@pytest.fixture
def side():
    resampled = {s: {"R@1": np.full([len(v), 50], 0.4)} for s, v in COLUMNS["R@1"].items()}
    return Side(COLUMNS, judge_contrasts(CONTRASTS, COLUMNS, resampled, tracks=100))


def cells(text):
    _, _, *body = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in body]


def test_primary_and_secondary_stand_apart_and_say_what_they_are(side):
    primary, others = findings_sections(side, published={}, ending=", so")
    assert primary.startswith("## Primary contrasts, so\n\nNamed before any run; the systems of 2 of them")
    assert others.startswith("## Secondary contrasts, so\n\nWithout correction")
    assert [row[0] for row in cells(primary)] == ["A wins (5, Table 1)", ""]  # a claim is told once
    assert [row[1] for row in cells(others)] == ["x − y, R@1 (within ± 0.02)", "x, R@1 − track"]
    assert [row[6] for row in cells(others)] == ["resampled", "fixed"]


def test_a_row_by_hand(side):
    """0.51 - 0.40; deviations 0.01 and 0.00816, pooled with 2 and 3 degrees of freedom: 0.00894."""
    row = cells(findings_sections(side, published={"R@1": {"x": 0.45, "y": 0.44}})[0])[0]
    found = side.contrasts[0]
    assert row[2:4] == ["+0.110", f"[{found.low:+.3f}, {found.high:+.3f}]"]
    assert row[4] == "< 0.001"
    assert row[5].startswith("+12.3 [")
    assert row[6:] == ["3, 4", str(found.seeds_needed), "+0.010", row[9], "seen"]
    assert int(row[9]) > found.seeds_needed  # the published difference is smaller


def test_p_is_the_corrected_one_and_without_published_figures_there_is_a_dash(side):
    row = cells(findings_sections(side, published={"R@1": {"x": 0.45}})[0])[1]
    assert row[4] == f"{side.contrasts[1].adjusted_p:.3f}"
    assert row[8:] == ["–", "–", "undecided"]


def test_where_the_tracks_are_too_few_no_number_of_seeds_is_named():
    rng = np.random.default_rng(0)
    resampled = {s: {"R@1": rng.normal(0.4, 0.2, 500) + np.zeros([len(v), 1])} for s, v in COLUMNS["R@1"].items()}
    side = Side(COLUMNS, judge_contrasts([FIRST], COLUMNS, resampled, tracks=100))
    assert cells(findings_sections(side, published={})[0])[0][7] == "no number"


def test_one_seed_has_dashes():
    one = {"R@1": {"x": [0.5], "y": [0.4]}}
    row = cells(findings_sections(Side(one, judge_contrasts([FIRST], one, {}, tracks=9)), published={})[0])[0]
    assert row[2:] == ["+0.100", "–", "–", "–", "1, 1", "–", "–", "–", "undecided"]


def test_what_is_undefined_has_dashes_and_its_seeds():
    lacks = dataclasses.replace(FIRST, column="human")
    row = cells(findings_sections(Side(COLUMNS, judge_contrasts([lacks], COLUMNS, {}, tracks=9)), published={})[0])[0]
    assert row[1:] == ["x − y, human", "–", "–", "–", "–", "3, 4", "–", "–", "–", "undefined"]


def test_the_joint_system_has_a_table_of_its_own_and_nothing_is_nothing():
    columns = {"R@1": {"joint": [0.5, 0.6], "proxy": [0.4, 0.5]}}
    (text,) = findings_sections(Side(columns, [], joint_against_the_best(columns, {}, tracks=9)), published={})
    assert text.startswith("## The joint system against the best of the paper's\n")
    assert cells(text)[0][0] == "joint − proxy, R@1"
    assert cells(text)[0][-1] == "first"
    assert findings_sections(Side({}), published={}) == []
