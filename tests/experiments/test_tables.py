import dataclasses

import pytest

from tfmir.errors import UserError
from tfmir.experiments.contrasts import Contrast
from tfmir.experiments.findings import judge_contrasts
from tfmir.experiments.results import Side
from tfmir.experiments.tables import comparison_text


def test_means_deviations_ratios_and_the_best_in_bold_by_hand(results, rows):
    """R@1 0.2 and 0.4: 0.3 ± 0.141. Seconds 400 and 200 on the average: 2 × with deviation 0.5 √2 = 0.707."""
    text = comparison_text(results)
    found = rows(text, "Table 1: training time, retrieval, tagging")
    assert found["triplet"]["R@1"] == "**0.300** ± 0.141"
    assert found["plain"]["R@1"] == "0.100 ± 0.000"
    assert tuple(found[system]["training time"] for system in ("triplet", "plain")) == (
        "2.000 ± 0.707",
        "**1.000** ± 0.707",
    )
    assert [found["plain"][name] for name in ("normalised", "disentangled")] == ["no", "no"]
    assert rows(text, "Beyond the paper: time")["plain"]["epochs"] == "3 ± 0"


def test_what_two_similarities_say_alike_is_not_said_twice(results, rows):
    """Of unit norm is `triplet`: it has no row by the other similarity, and without `plain` there is no table."""
    title = "Beyond the paper: retrieval by cosine, triplets by inner product"
    found = rows(comparison_text(results), title)
    assert list(found) == ["plain"]
    assert found["plain"]["R@1 by cosine"] == "0.250 ± 0.000"
    assert found["plain"]["genre whole space by inner product"] == "0.550 ± 0.000"
    columns = {name: {"triplet": of["triplet"]} for name, of in results.labels.columns.items()}
    of_unit_norm = dataclasses.replace(results, switches={"triplet": results.switches["triplet"]}, labels=Side(columns))
    assert title not in comparison_text(of_unit_norm)


def test_nothing_is_best_where_all_are_the_same_and_equals_are_best_together(results, rows):
    r"""What is shown decides: 0.9981 and 0.9979 are both 0.998, and 0.9 is not."""
    switches = {**results.switches, "third": results.switches["plain"]}
    columns = results.labels.columns | {
        "track": {"triplet": [0.9981] * 2, "plain": [0.9979] * 2, "third": [0.9] * 2},
        "R@1": {"triplet": [0.9981] * 2, "plain": [0.9979] * 2, "third": [0.998] * 2},
    }
    text = comparison_text(dataclasses.replace(results, switches=switches, labels=Side(columns)))
    tracks = rows(text, "Table 4: triplets of tracks and of listeners")
    assert [row["track"] for row in tracks.values()] == ["**0.998** ± 0.000", "**0.998** ± 0.000", "0.900 ± 0.000"]
    recall = rows(text, "Table 1: training time, retrieval, tagging")
    assert {row["R@1"] for row in recall.values()} == {"0.998 ± 0.000"}


def test_few_seeds_and_few_tracks_are_told(results):
    text = comparison_text(results)
    assert "**Few seeds:** with fewer than 3 of a system" in text
    assert "**Few test tracks:** with 40, fewer than 200" in text
    three = {
        name: {s: [*of_seeds, of_seeds[0]] for s, of_seeds in of.items()} for name, of in results.labels.columns.items()
    }
    assert "**Few" not in comparison_text(dataclasses.replace(results, tracks=200, labels=Side(three)))


def test_table_3_has_both_spaces_in_one_table_and_a_row_where_there_is_a_subspace(results):
    lines = comparison_text(results).split("## Table 3: triplets of tags\n\n")[1].split("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0] == ["space", "system", "normalised", "disentangled", "genre", "mood", "mean"]
    assert [row[:2] for row in cells[2:]] == [
        ["whole space", "triplet"],
        ["whole space", "plain"],
        ["sub-space", "triplet"],
    ]
    assert cells[-1][-1] == "0.800 ± 0.000"


def test_the_findings_stand_below_the_tables(results, rows):
    """R@1 0.2 and 0.4 against 0.1 and 0.1: 0.2 ± 0.1, one degree of freedom, of which t is 12.706."""
    contrast = Contrast("a", "Triplets win", "5", "triplet", "plain", "R@1", primary=True)
    found = judge_contrasts([contrast], results.labels.columns, {}, tracks=40)
    side = dataclasses.replace(results.labels, contrasts=found)
    text = comparison_text(dataclasses.replace(results, labels=side))
    row = rows(text, "Primary contrasts")["Triplets win (5)"]
    assert row["contrast"] == "triplet − plain, R@1"
    assert (row["difference"], row["95 % interval"], row["verdict"]) == ("+0.200", "[-1.071, +1.471]", "undecided")


def test_a_system_that_is_another_has_its_figures_and_a_note(results, rows):
    """In its own place among the rows, and the best of a column is bold in both."""
    switches = {"twin": results.switches["triplet"], **results.switches}
    text = comparison_text(dataclasses.replace(results, switches=switches, aliases={"twin": "triplet"}))
    table = rows(text, "Table 1: training time, retrieval, tagging")
    assert list(table) == ["twin", "triplet", "plain"]
    assert table["twin"] == {**table["triplet"], "system": "twin"}
    assert "`twin` and `triplet` are one function, which was trained once" in text
    assert "| sub-space | twin |" in text


def test_the_truth_has_tables_of_its_own_below_the_labels(results, rows):
    columns = {**results.labels.columns, "R@1": {"triplet": [0.7, 0.8], "plain": [0.6, 0.6]}}
    text = comparison_text(dataclasses.replace(results, truth=Side(columns)))
    assert rows(text, "Table 1: training time, retrieval, tagging")["triplet"]["R@1"] == "**0.300** ± 0.141"
    of_truth = rows(text, "Table 1: training time, retrieval, tagging, against the truth")
    assert of_truth["triplet"]["R@1"] == "**0.750** ± 0.071"
    assert "# Against the truth" not in comparison_text(results)


def test_unequal_numbers_of_seeds_are_told(results):
    columns = {name: {**of, "plain": [*of["plain"], of["plain"][0]]} for name, of in results.labels.columns.items()}
    text = comparison_text(dataclasses.replace(results, labels=Side(columns)))
    assert "over 2 seeds (plain: 3);" in text


def test_published_figures_stand_beside_ours_and_other_systems_below(results, rows):
    published = {"R@1": {"triplet": 0.42, "somebody": 0.1}, "human": {"triplet": 0.82}}
    text = comparison_text(results, published=published)
    found = rows(text, "Table 1: training time, retrieval, tagging")
    assert [found[s]["R@1, published"] for s in ("triplet", "plain", "somebody")] == ["0.420", "–", "0.100"]
    assert found["somebody"]["R@1"] == "–"
    human = rows(text, "Table 4: triplets of tracks and of listeners")["triplet"]
    assert (human["human"], human["human, published"]) == ("–", "0.820")
    assert "not their size" in text
    assert "published" not in comparison_text(results)
    with pytest.raises(UserError, match="no column 'R@3' in the report"):
        comparison_text(results, published={"R@3": {"triplet": 0.1}})


def test_a_column_without_any_figure_is_left_out_and_one_that_only_others_have_is_not(results):
    """Nobody heard listeners: "human" stands there only with published figures."""
    assert "| human" not in comparison_text(results)
    assert "| human | human, published |" in comparison_text(results, published={"human": {"triplet": 0.82}})


def test_the_lowest_time_is_the_best_and_one_seed_has_no_deviation(results):
    one = {name: {s: values[:1] for s, values in of.items()} for name, of in results.labels.columns.items()}
    text = comparison_text(dataclasses.replace(results, labels=Side(one)))
    assert "±" not in text.split("\n\n## ", 1)[1]
    assert "| **0.500** |" in text  # CPU time of `plain`: 200 s, a half of the mean of its two seeds
    assert "over 1 seed;" in text
