import dataclasses

import pytest

from tfmir.errors import UserError
from tfmir.experiments.columns import summary
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
    by_cosine = rows(text, "Beyond the paper: retrieval by cosine, and time")
    assert by_cosine["plain"]["R@1 by cosine"] == "0.250 ± 0.000"
    by_product = rows(text, "Beyond the paper: triplets by inner product")
    assert by_product["plain"]["genre whole space by inner product"] == "0.550 ± 0.000"
    assert by_product["triplet"]["genre whole space by inner product"] == "**0.600** ± 0.000"


def test_table_3_has_both_spaces_in_one_table_and_a_row_where_there_is_a_subspace(results):
    lines = comparison_text(results).split("## Table 3: triplets of tags\n\n")[1].split("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0] == ["space", "system", "normalised", "disentangled", "genre", "mood", "mean"]
    assert [row[:2] for row in cells[2:]] == [
        ["whole space", "triplet"],
        ["whole space", "plain"],
        ["sub-space", "triplet"],
    ]
    assert cells[-1][-1] == "**0.800** ± 0.000"


def test_the_findings_stand_below_the_tables(results, reports, rows):
    """Renamed as the paper's two classification systems: R@1 0.2 and 0.4 against 0.1 and 0.1, difference 0.2 ± 0.1·√2,
    t = 12.706 for one degree of freedom: 0.2 ± 12.706 · 0.1."""
    names = {"triplet": "classification", "plain": "classification_plain"}
    columns = summary({names[s]: group for s, group in reports.items()})
    switches = {names[s]: value for s, value in results.switches.items()}
    text = comparison_text(dataclasses.replace(results, switches=switches, columns=columns))
    found = rows(text, "What the paper found")["Normalisation lifts classification's retrieval"]
    assert found["difference"] == "classification − classification_plain, R@1"
    assert (found["mean"], found["verdict"]) == ("+0.200", "undecided")
    assert found["95 % interval over the seeds"] == "[-1.071, +1.471]"


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
    one = {name: {s: values[:1] for s, values in of.items()} for name, of in results.columns.items()}
    text = comparison_text(dataclasses.replace(results, seeds=1, columns=one))
    assert "±" not in text.split("\n\n## ", 1)[1]
    assert "| **0.500** |" in text  # CPU time of `plain`: 200 s, a half of the mean of its two seeds
    assert "over 1 seed(s)" in text
