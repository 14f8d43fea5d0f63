import numpy as np
import pytest

from tfmir.experiments import systems
from tfmir.experiments.columns import tables, triplet_columns
from tfmir.experiments.findings import TRIPLETS, claims, findings, joint_against_the_best, seed_interval
from tfmir.experiments.published import load_published

COLUMNS = (
    "R@1",
    "R@2",
    "R@4",
    "R@8",
    "R@1 by cosine",
    "ROC-AUC",
    "mean of whole space",
    "mean of sub-spaces",
    "track",
    "human",
    "CPU time",
)


def summary(**changed):
    """Every figure 0.5 in three seeds, but those that are changed: column -> system -> three figures."""
    values = {column: {system: [0.5, 0.5, 0.5] for system in systems.ALL} for column in COLUMNS}
    values["mean of sub-spaces"]["triplet"] = [None, None, None]
    for column, figures in changed.items():
        values[column].update(figures)
    return values


def verdicts(found, claim):
    return [verdict.verdict for verdict in found[claim]]


def test_the_interval_over_seeds_by_hand():
    """0.1, 0.2, 0.3: mean 0.2, deviation 0.1, t = 4.3027 for two degrees of freedom: 0.2 ± 4.3027 · 0.1 / √3."""
    found = seed_interval([0.1, 0.2, 0.3])
    assert found.mean == pytest.approx(0.2)
    assert found.high - found.mean == pytest.approx(0.24841, abs=1e-5)
    assert np.isinf(seed_interval([0.4]).high)


@pytest.mark.parametrize(
    ("figures", "verdict"),
    [([0.60, 0.61, 0.62], "seen"), ([0.40, 0.41, 0.42], "not seen"), ([0.4, 0.5, 0.7], "undecided")],
)
def test_a_difference_is_judged_by_the_side_of_its_interval(figures, verdict):
    found = findings(summary(**{"R@1": {"classification": figures}}))
    assert verdicts(found, "Normalisation lifts classification's retrieval")[0] == verdict


def test_agreement_needs_the_whole_interval_within_the_bound():
    agree = "Disentangled proxies and disentangled classification agree"

    def judged(figures):
        return verdicts(findings(summary(**{"R@1": {"proxy": figures}})), agree)[0]

    assert judged([0.51, 0.511, 0.512]) == "seen"
    assert judged([0.60, 0.61, 0.62]) == "not seen"
    assert judged([0.45, 0.50, 0.55]) == "undecided"


def test_a_subspace_is_compared_with_the_whole_space_of_the_same_system():
    found = findings(summary(**{"mean of sub-spaces": {"proxy": [0.7, 0.71, 0.72]}}))
    claim = "A sub-space predicts its own notion's triplets better than the whole space"
    by_system = {verdict.comparison.more: verdict for verdict in found[claim]}
    assert by_system["proxy"].verdict == "seen"
    assert by_system["proxy"].difference.mean == pytest.approx(0.21)
    assert by_system["triplet_disentangled"].difference.mean == pytest.approx(0.0)


def test_triplets_are_compared_where_each_system_is_best():
    """A system without sub-spaces by its whole space: 0.7 against triplet_disentangled's 0.6 in the sub-spaces."""
    found = findings(
        summary(
            **{"mean of whole space": {"triplet": [0.7] * 3}, "mean of sub-spaces": {"triplet_disentangled": [0.6] * 3}}
        )
    )
    claim = found["Disentangled triplets are best at triplet prediction"]
    difference = {verdict.comparison.less: verdict.difference.mean for verdict in claim}
    assert difference["triplet"] == pytest.approx(-0.1)
    assert difference["proxy"] == pytest.approx(0.1)


def test_the_joint_system_is_first_or_within_the_interval_of_the_best_other():
    columns = {
        "R@1": {"joint": [0.6] * 3, "proxy": [0.55] * 3},
        "R@2": {"joint": [0.50, 0.51, 0.52], "proxy": [0.505, 0.52, 0.525]},
        "R@4": {"joint": [0.5] * 3, "proxy": [0.60, 0.61, 0.62]},
    }
    found = {verdict.comparison.column: verdict for verdict in joint_against_the_best(summary(**columns))}
    assert [found[column].verdict for column in ("R@1", "R@2", "R@4")] == ["first", "within the interval", "behind"]
    assert found["R@4"].comparison.less == "proxy"
    assert found["R@4"].difference.mean == pytest.approx(-0.11)


def test_claims_about_systems_that_are_not_there_are_left_out():
    few = {column: {s: v for s, v in figures.items() if s in ("proxy", "triplet_disentangled")} for column, figures in
           summary().items()}  # fmt: skip
    found = findings(few)
    assert "Normalisation lifts classification's retrieval" not in found
    assert [v.comparison.more for v in found["Proxies and classification beat triplets in retrieval"]] == ["proxy"]
    assert joint_against_the_best(few) == []


def test_one_seed_decides_nothing_but_who_is_first():
    values = {column: {s: v and v[:1] for s, v in figures.items()} for column, figures in summary().items()}
    values["R@1"]["joint"], values["R@2"]["joint"] = [0.6], [0.2]
    found = {verdict.comparison.column: verdict.verdict for verdict in joint_against_the_best(values)}
    assert (found["R@1"], found["R@2"]) == ("first", "undecided")
    claim = findings(values | {"R@1": {"classification": [0.9], "classification_plain": [0.1]}})
    assert verdicts(claim, "Normalisation lifts classification's retrieval")[0] == "undecided"


def test_the_claims_are_the_papers(repository):
    """Every difference of a claim has the paper's sign in the paper's own figures, of which those by cosine and of CPU
    time are not published; the paper's ratio of training times stands in for the latter."""
    published = load_published(str(repository / "docs/comparison/published.csv"))
    figures = {column: {s: [value] for s, value in of.items()} for column, of in published.items()}
    figures["CPU time"] = figures["training time"]
    judged = findings(figures)
    assert set(judged) == set(claims())
    for claim, group in judged.items():
        for verdict in group:
            mean, names = verdict.difference.mean, verdict.comparison
            assert abs(mean) <= 0.02 if names.agree else mean > 0, f"{claim}: {names} {mean}"


def test_every_column_and_system_of_a_claim_is_one_of_the_comparison():
    layout = [*tables(["genre"]).values(), *triplet_columns(["genre"]).values()]
    columns = {name for group in layout for name in group} | {TRIPLETS, ""}
    for group in claims().values():
        for comparison in group:
            assert {comparison.column, comparison.more_column} <= columns
            assert {comparison.more, comparison.less} <= set(systems.PAPER)
