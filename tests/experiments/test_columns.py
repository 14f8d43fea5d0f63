import json

import pytest

from tfmir.experiments.columns import TIMES, TRIPLETS, is_column, mean_or_none, summary, tables, triplet_columns


def test_the_summary_keeps_every_seed(reports):
    found = summary(reports)
    assert found["R@1"] == {"triplet": [0.2, 0.4], "plain": [0.1, 0.1]}
    assert found["cpu_seconds"]["plain"] == [200, 600]
    assert found["CPU time"]["triplet"] == [600 / 400, 1000 / 400]
    assert found["leakage gap"]["plain"] == [None, None]
    json.dumps(found, allow_nan=False)


def test_every_column_of_every_table_has_figures(reports):
    notions = ["genre", "mood"]
    known = set(summary(reports))
    for columns in (*tables(notions).values(), *triplet_columns(notions).values()):
        assert set(columns) <= known


def test_a_column_is_known_whatever_the_notions_are():
    """Not what the columns are read from, such as seconds, nor half a name."""
    for columns in (*tables(["taste"]).values(), *triplet_columns(["taste"]).values()):
        assert all(map(is_column, columns))
    assert is_column(TRIPLETS)
    for name in ("", "R@3", "seconds", "taste", " sub-space", "mean of sub-space", "R@1 of taste", "R@1 by cosines"):
        assert not is_column(name)


def test_figures_are_read_where_the_report_has_them(reports):
    found = summary(reports)
    assert found["R@8"]["triplet"] == [pytest.approx(0.35), pytest.approx(0.55)]
    assert found["mean of whole space"]["plain"] == [pytest.approx(0.7)] * 2
    assert found["mean of sub-spaces"] == {"triplet": [pytest.approx(0.8)] * 2, "plain": [None, None]}
    assert found["mood sub-space"]["triplet"] == [0.9, 0.9]
    assert found["ROC-AUC mood"]["plain"] == [0.7, 0.7]
    assert found["ROC-AUC, prototypes of the whole space"] == {"triplet": [0.75, 0.75], "plain": [None, None]}


def test_of_unit_norm_both_similarities_are_one_and_else_each_has_its_own(reports):
    """Without unit norm, R@K is by inner product and triplets by cosine (the paper's D, section 3.1)."""
    found = summary(reports)
    assert found["R@1"]["plain"] == [0.1, 0.1]
    assert found["R@1 by cosine"] == {"triplet": [0.2, 0.4], "plain": [0.25, 0.25]}
    assert found["genre whole space"]["plain"] == [0.6, 0.6]
    assert found["genre whole space by inner product"] == {"triplet": [0.6, 0.6], "plain": [0.55, 0.55]}
    assert found["track by inner product"] == {"triplet": [0.95, 0.95], "plain": [0.9, 0.9]}


def test_agreement_with_listeners_by_both_similarities(reports):
    for report in (*reports["triplet"], reports["plain"][0]):
        report["human"] = {"whole": {"mean": 0.8}}
    reports["plain"][0]["human"]["inner_product"] = {"mean": 0.7}
    found = summary(reports)
    assert found["human"] == {"triplet": [0.8, 0.8], "plain": [0.8, None]}
    assert found["human by inner product"] == {"triplet": [0.8, 0.8], "plain": [0.7, None]}


def test_times_are_ratios_to_the_mean_of_the_fastest_and_a_run_without_a_history_has_none(reports):
    found = summary(reports)
    for ratio, clock in TIMES.items():
        lowest = min(sum(values) / 2 for values in found[clock].values())
        assert found[ratio]["triplet"] == [value / lowest for value in found[clock]["triplet"]]
    reports["plain"][0]["training"] = None
    found = summary(reports)
    assert found["training time"] == {"triplet": [300 / 400, 500 / 400], "plain": [None, 300 / 400]}
    assert found["epochs"]["plain"] == [None, 3]


def test_what_the_test_split_does_not_define_is_missing(reports):
    """A split without triplets in mood, with eight tracks, and no tag of both classes."""
    nothing = {"recall": "8", "recall_notion": "genre", "triplets": "mood", "triplets_subspace": "mood"}
    for report in (*reports["triplet"], *reports["plain"]):
        system = report["system"]
        for figures in filter(None, (system, system["cosine"], system["inner_product"])):
            for name, key in nothing.items():
                if figures.get(name):
                    figures[name] = figures[name] | {key: None}
        system["recall_notion"] = {n: dict.fromkeys("1248") for n in ("genre", "mood")}
        system |= dict.fromkeys(("roc_auc", "pr_auc", "triplets_track", "leakage_gap"))
        system["roc_auc_notion"] = {"genre": None, "mood": 0.7}
    found = summary(reports)
    missing = {name for name, of_systems in found.items() if set(map(tuple, of_systems.values())) == {(None, None)}}
    by_cosine = {"R@8", "R@8 by cosine", "genre R@1", "mood R@1", "leakage gap"}
    triplets = {"mood whole space", "mean of whole space", "mood sub-space", "mean of sub-spaces", "track"}
    assert missing >= by_cosine | triplets | {"ROC-AUC", "PR-AUC", "ROC-AUC genre", "mood whole space by inner product"}
    assert found["R@4"]["triplet"] == [pytest.approx(0.3), pytest.approx(0.5)]
    assert found["genre whole space"]["plain"] == [0.6, 0.6]


def test_a_mean_with_a_missing_figure_is_missing():
    assert mean_or_none([1.0, 2.0]) == 1.5
    assert mean_or_none([1.0, None]) is None
