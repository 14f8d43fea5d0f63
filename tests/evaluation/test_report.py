import json

import numpy as np
import pytest

from tfmir.evaluation import report as module
from tfmir.evaluation.answers import collect_answers
from tfmir.evaluation.baselines import random_embeddings
from tfmir.evaluation.questions import Questions, draw_questions
from tfmir.evaluation.report import SCHEMA_VERSION, Contender, build_report
from tfmir.evaluation.retrieval import neighbours
from tfmir.inference.subspaces import unit_rows
from tfmir.vocabulary import Vocabulary

VOCABULARY = Vocabulary.from_dict({"genre": ["a", "b"], "mood": ["x", "y"]})


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    labels = rng.random([120, 4]) < [0.5, 0.3, 0.4, 0.3]
    signal = labels + 0.3 * rng.normal(size=labels.shape)
    return labels, unit_rows(np.abs(np.repeat(signal, 2, axis=1))), signal


@pytest.fixture(scope="module")
def statistics():
    return {"statistics": Contender(random_embeddings(120, 64, seed=1), None)}


@pytest.fixture(scope="module")
def report(data, statistics):
    labels, embeddings, scores = data
    return build_report("mine", VOCABULARY, labels, Contender(embeddings, scores, disentangled=True), statistics)


def test_the_report_is_deterministic_json(data, report):
    labels, embeddings, scores = data
    again = build_report("mine", VOCABULARY, labels, Contender(embeddings, scores, disentangled=True), {})
    assert again["system"] == report["system"]
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert (report["schema_version"], report["run"], report["tracks"]) == (SCHEMA_VERSION, "mine", 120)
    assert report["notions"] == VOCABULARY.to_dict()
    assert [again[name] for name in ("baselines", "ratios", "training", "human")] == [{}, {}, None, None]


def test_a_system_that_knows_the_tags_wins_every_column(report):
    mine, other = report["system"], report["baselines"]["statistics"]
    assert all(mine["recall"][k]["low"] > other["recall"][k]["high"] for k in ("1", "2"))
    assert mine["roc_auc"]["mean"] > 0.9
    assert all(mine["triplets_subspace"][n]["mean"] > 0.65 > other["triplets"][n]["mean"] for n in VOCABULARY.notions)
    assert mine["leakage_gap"] > 0.2
    assert report["ratios"]["recall_1_over_statistics"]["low"] > 1


@pytest.mark.parametrize("name", ["random", "untrained", "statistics"])
def test_a_run_that_is_named_like_a_baseline_keeps_its_own_figures(data, statistics, name):
    labels, embeddings, scores = data
    found = build_report(name, VOCABULARY, labels, Contender(embeddings, scores), {name: statistics["statistics"]})
    alone = build_report("mine", VOCABULARY, labels, Contender(embeddings, scores), {})
    assert found["run"] == name
    assert found["system"] == alone["system"]
    assert found["system"]["recall"]["1"]["low"] > found["baselines"][name]["recall"]["1"]["high"]
    # The ratio is that of two contenders, and not of one to itself.
    assert ("recall_1_over_statistics" in found["ratios"]) == (name == "statistics")
    assert all(ratio["low"] > 1 for ratio in found["ratios"].values())


def test_prototypes_of_the_whole_space_have_areas_of_their_own_and_other_systems_have_none(data, report):
    """Scores that the system has, and their mirror image: an area of a and of 1 - a, by tag."""
    labels, embeddings, scores = data
    both = Contender(embeddings, scores, disentangled=True, prototype_scores=-scores)
    found = build_report("mine", VOCABULARY, labels, both, {})["system"]
    assert found["prototypes_whole"]["roc_auc"]["mean"] == pytest.approx(1 - found["roc_auc"]["mean"])
    assert found["prototypes_whole"]["pr_auc"] < found["pr_auc"]
    assert {name: value for name, value in found.items() if name != "prototypes_whole"} == {
        name: value for name, value in report["system"].items() if name != "prototypes_whole"
    }
    alike = Contender(embeddings, scores, prototype_scores=scores)
    found = build_report("mine", VOCABULARY, labels, alike, {})["system"]
    assert found["prototypes_whole"] == {"roc_auc": found["roc_auc"], "pr_auc": found["pr_auc"]}


def test_the_leakage_diagonal_is_the_subspace_accuracy(report):
    mine = report["system"]
    for index, notion in enumerate(VOCABULARY.notions):
        assert mine["leakage"][index][index] == pytest.approx(mine["triplets_subspace"][notion]["mean"])


def test_embeddings_without_unit_norm_are_compared_by_cosine_too(data):
    """Lengths at random: the inner product prefers long vectors, the cosine is as for the unit vectors."""
    labels, embeddings, scores = data
    long = embeddings * np.random.default_rng(1).uniform(0.1, 10, [120, 1])
    raw = build_report("raw", VOCABULARY, labels, Contender(long, scores, normalized=False), {})["system"]
    unit = build_report("unit", VOCABULARY, labels, Contender(embeddings, scores), {})["system"]
    for name in ("recall", "recall_notion", "triplets"):
        assert raw["cosine"][name] == unit[name]
    assert raw["recall"]["1"]["mean"] < unit["recall"]["1"]["mean"]
    assert raw["triplets"] == raw["cosine"]["triplets"] != raw["inner_product"]["triplets"]
    assert raw["recall"] == raw["inner_product"]["recall"]
    assert unit["cosine"] is unit["inner_product"] is None


def test_plain_classification_retrieves_by_inner_product_and_is_asked_triplets_by_cosine():
    """Five tracks (1, 0) tagged a and x, five tracks (6, 8) tagged b and y.

    Inner products: 1 among the short, 6 between short and long, 100 among the long. The five nearest of a short track
    are the long ones, the nearest of a long one is long: R@1 = R@4 = (0 + 1) / 2, R@8 = 1. Of the triplets short,
    short, long and long, long, short the second is right, 100 > 6, and the first is not, 1 < 6: 1/2 of one each; 3/4
    of the triplets of tracks, three of which are the second.

    Cosines: 1 within a group, 0.6 between them. Everything is right.
    """
    embeddings = np.repeat(np.float32([[1, 0], [6, 8]]), 5, axis=0)
    labels = np.repeat([[1, 0, 1, 0], [0, 1, 0, 1]], 5, axis=0) > 0
    short, long = [0, 1, 5], [5, 6, 0]
    questions = Questions(
        dict.fromkeys(("genre", "mood"), np.array([short, long])), np.array([short, long, long, long])
    )
    plain = Contender(embeddings, labels.astype(np.float32), normalized=False, excerpts=embeddings)
    found = build_report("plain", VOCABULARY, labels, plain, {}, questions=questions)["system"]

    def means(figures):
        recall = [figures["recall"][k]["mean"] for k in ("1", "4", "8")]
        notions = [figures["recall_notion"][notion]["1"]["mean"] for notion in ("genre", "mood")]
        triplets = [figures["triplets"][notion]["mean"] for notion in ("genre", "mood")]
        return recall, notions, triplets, figures["triplets_track"]["mean"]

    assert means(found["inner_product"]) == ([0.5, 0.5, 1.0], [0.5, 0.5], [0.5, 0.5], 0.75)
    assert means(found["cosine"]) == ([1.0, 1.0, 1.0], [1.0, 1.0], [1.0, 1.0], 1.0)
    assert means(found) == ([0.5, 0.5, 1.0], [0.5, 0.5], [1.0, 1.0], 1.0)


def test_what_a_contender_lacks_is_null(report):
    other = report["baselines"]["statistics"]
    lacking = ("roc_auc", "pr_auc_tag", "prototypes_whole", "triplets_subspace", "leakage")
    assert [other[name] for name in lacking] == [None] * 5
    assert report["system"]["prototypes_whole"] is None
    assert [other[name] for name in ("triplets_track", "cosine", "inner_product")] == [None] * 3


def test_a_tag_that_every_track_has_is_null_and_does_not_count(data):
    labels, embeddings, scores = data
    labels = labels.copy()
    labels[:, 3] = True
    found = build_report("mine", VOCABULARY, labels, Contender(embeddings, scores), {})["system"]
    assert found["roc_auc_tag"]["mood/y"] is found["pr_auc_tag"]["mood/y"] is None
    assert found["roc_auc_notion"]["mood"] == found["roc_auc_tag"]["mood/x"]
    assert found["roc_auc"]["mean"] == pytest.approx(np.mean([v for v in found["roc_auc_tag"].values() if v]))


def test_neighbours_are_searched_for_once_in_each_space(data, monkeypatch):
    """The whole space for all notions, the answers and two sets of labels; each sub-space; and the cosine's space."""
    labels, embeddings, scores = data
    searches = []
    monkeypatch.setattr(module, "neighbours", lambda e, k: searches.append(e.shape) or neighbours(e, k))
    questions = draw_questions(VOCABULARY, labels, np.arange(len(labels)), count=50)
    for contender in (Contender(embeddings, scores), Contender(2 * embeddings, scores, normalized=False)):
        searches.clear()
        for right in (labels, ~labels):
            build_report("mine", VOCABULARY, right, contender, {"statistics": contender}, questions=questions)
            collect_answers(VOCABULARY, right, contender, questions)
        assert len(searches) == (1 if contender.normalized else 2)
