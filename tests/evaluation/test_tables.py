import dataclasses

import numpy as np
import pytest

from tfmir.evaluation.baselines import random_embeddings
from tfmir.evaluation.report import Contender, build_report
from tfmir.evaluation.tables import contenders, headline, report_text
from tfmir.inference.subspaces import unit_rows
from tfmir.vocabulary import Vocabulary

VOCABULARY = Vocabulary.from_dict({"genre": ["a", "b"], "mood": ["x", "y"]})


def made(name="mine", *, normalized=True, disentangled=True, baselines=("statistics",), prototypes=False):
    rng = np.random.default_rng(0)
    labels = rng.random([40, 4]) < 0.4
    embeddings = np.abs(np.repeat(labels + 0.3 * rng.normal(size=labels.shape), 2, axis=1)).astype(np.float32)
    embeddings = unit_rows(embeddings) if normalized else embeddings * rng.uniform(0.1, 9, [40, 1]).astype(np.float32)
    system = Contender(embeddings, labels + rng.random([40, 4]), disentangled, normalized)
    if prototypes:
        system = dataclasses.replace(system, prototype_scores=labels + 3 * rng.random([40, 4]))
    others = {key: Contender(random_embeddings(40, 8, seed=1), None) for key in baselines}
    return build_report(name, VOCABULARY, labels, system, others)


@pytest.fixture(scope="module")
def report():
    return made()


@pytest.fixture(scope="module")
def plain():
    return made("plain", normalized=False, disentangled=False)


def rows(text, title=""):
    """The cells of the first table below a title, by its first column."""
    lines = text.split(f"## {title}\n\n")[1].splitlines() if title else text.splitlines()
    lines = [line for line in lines if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {tuple(row[:2]): dict(zip(cells[0], row, strict=False)) for row in cells[2:]}


def shown(value):
    return f"{value['mean']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"


def test_the_tables_hold_the_numbers(report):
    text = report_text(report)
    mine = report["system"]
    for number in (mine["recall"]["8"]["low"], mine["pr_auc"], mine["roc_auc_tag"]["mood/y"], mine["leakage"][0][1]):
        assert f"{number:.3f}" in text
    assert f"{report['ratios']['recall_1_over_statistics']['low']:.3f}" in headline(report)
    assert f"leakage gap (diagonal minus the rest): {mine['leakage_gap']:.3f}" in headline(report)
    widths = {line.count("|") for line in headline(report).splitlines() if line.startswith("|")}
    assert len(widths) == 1


@pytest.mark.parametrize("name", ["random", "untrained", "statistics"])
def test_a_run_that_is_named_like_a_baseline_stands_beside_it(name):
    report = made(name, baselines=("statistics", "untrained", "random"))
    names = [name, "statistics (baseline)", "untrained (baseline)", "random (baseline)"]
    assert [key for key, _ in contenders(report)] == names
    text = report_text(report)
    first = {key[0]: row for key, row in rows(headline(report)).items()}
    assert list(first) == names
    mine, other = (first[key]["R@1"] for key in (name, f"{name} (baseline)"))
    assert mine == shown(report["system"]["recall"]["1"])
    assert other == shown(report["baselines"][name]["recall"]["1"])
    assert mine != other
    by_notion = rows(text, "Per notion")
    assert by_notion[name, "genre"]["R@1"] != by_notion[f"{name} (baseline)", "genre"]["R@1"]
    assert f"a sub-space (row) of {name} predicts" in text


def test_without_unit_norm_both_similarities_are_shown(plain):
    system = plain["system"]
    first = {key[0]: row for key, row in rows(headline(plain)).items()}
    assert first["plain"]["R@1"] == shown(system["inner_product"]["recall"]["1"])
    assert first["plain, by cosine"]["R@1"] == shown(system["cosine"]["recall"]["1"])
    assert first["plain"]["R@1"] != first["plain, by cosine"]["R@1"]
    found = rows(report_text(plain), "Per notion")
    here, there = found["plain", "genre"], found["plain, the other way", "genre"]
    assert here["R@1"] == shown(system["inner_product"]["recall_notion"]["genre"]["1"])
    assert here["triplets, whole space"] == shown(system["cosine"]["triplets"]["genre"])
    assert there["R@1"] == shown(system["cosine"]["recall_notion"]["genre"]["1"])
    assert there["triplets, whole space"] == shown(system["inner_product"]["triplets"]["genre"])
    assert here["triplets, whole space"] != there["triplets, whole space"]


def test_prototypes_of_the_whole_space_have_a_row_of_their_own_and_other_systems_none(report):
    found = made(prototypes=True)
    first = {key[0]: row for key, row in rows(headline(found)).items()}
    row, whole = first["mine, prototypes of the whole space"], found["system"]["prototypes_whole"]
    assert (row["ROC-AUC"], row["PR-AUC"], row["R@1"]) == (shown(whole["roc_auc"]), f"{whole['pr_auc']:.3f}", "–")
    assert first["mine"]["ROC-AUC"] == shown(found["system"]["roc_auc"]) != row["ROC-AUC"]
    assert "prototypes" not in headline(report)


def test_a_normalised_system_has_no_other_way(report):
    assert "by cosine" not in headline(report)
    assert not [name for name, _ in rows(report_text(report), "Per notion") if "the other way" in name]


def test_a_stranger_is_told_how_to_read_it(report):
    """What R@k is, how far above statistics, what the training took, how many tracks a tag rests on."""
    training = {"epochs": 26, "seconds": 1800.0, "cpu_seconds": 3600.0}
    text = report_text({**report, "training": training})
    ratio = shown(report["ratios"]["recall_1_over_statistics"])
    for part in (
        "R@k, recall at k: the share",
        "Baselines: statistics, mean, deviation and movement of each band of the log-mel.",
        "**Few test tracks:** with 40, fewer than 200",
        f"* R@1 over that of statistics: {ratio} (`recall_1_over_statistics`)",
        "* Training: 26 epochs, 1.0 hours of CPU time, 30.0 minutes by the clock",
    ):
        assert part in text, part
    tags = rows(text, "ROC-AUC per tag")
    assert {name: int(row["test tracks"]) for (name, _), row in tags.items()} == report["tag_tracks"]
    earlier = {key: value for key, value in report.items() if key != "tag_tracks"}
    assert "| tag | mine |" in report_text(earlier)
    assert "Few" not in report_text({**report, "tracks": 200}) + headline({**report, "tracks": 200})


def test_a_column_or_row_without_any_figure_is_left_out(report, plain):
    assert "| triplets, sub-space |" in report_text(report)
    text = report_text(plain)
    assert "| triplets, sub-space |" not in text
    assert "track | – | – | – |" not in text


def test_without_subspaces_there_is_no_leakage(report, plain):
    assert "## Leakage" in report_text(report)
    assert "eakage" not in report_text(plain) + headline(plain)


def test_agreement_with_listeners_names_every_space(report, plain):
    """Of a normalised system the inner product is the cosine, so it is not named."""
    human = {"triplets": 3, "votes": 10, "whole": {"mean": 0.8, "low": 0.7, "high": 0.9}, "inner_product": None}
    human["subspaces"] = {"genre": {"mean": 0.5, "low": 0.4, "high": 0.6}}
    said = headline({**report, "human": human, "tracks": 200}).splitlines()[-1]
    assert said == (
        "agreement with 10 votes of listeners on 3 triplets: whole space 0.800 [0.700, 0.900], "
        "genre 0.500 [0.400, 0.600]"
    )
    by_product = {"mean": 0.3, "low": 0.2, "high": 0.4}
    said = headline({**plain, "tracks": 200, "human": human | {"inner_product": by_product, "subspaces": {}}})
    assert said.endswith("whole space 0.800 [0.700, 0.900], whole space by inner product 0.300 [0.200, 0.400]")
    assert "listeners" not in headline(report)


def test_every_tag_has_a_row_of_its_own(report):
    found = {key[0]: row for key, row in rows(report_text(report), "ROC-AUC per tag").items()}
    assert list(found) == list(VOCABULARY.tags)
    assert {name: row["mine"] for name, row in found.items()} == {
        name: f"{value:.3f}" for name, value in report["system"]["roc_auc_tag"].items()
    }
