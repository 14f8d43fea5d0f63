"""Odd corpora: what is defined is reported, and what is not is null, with a reason."""

import json

import numpy as np
import pytest

from tfmir.errors import UserError
from tfmir.evaluation.baselines import logistic_probe, random_embeddings
from tfmir.evaluation.questions import draw_questions
from tfmir.evaluation.report import Contender, build_report
from tfmir.evaluation.tables import headline, report_text
from tfmir.evaluation.undefined import undefined_figures
from tfmir.vocabulary import Vocabulary

ONE, TWO = {"genre": ["a", "b"]}, {"genre": ["a", "b"], "mood": ["x"]}


def labelled(tracks, *carried, tags):
    """bool [tracks, tags]: tag i is carried by the tracks in `carried[i]`."""
    labels = np.zeros([tracks, tags], bool)
    for tag, rows in enumerate(carried):
        labels[list(rows), tag] = True
    return labels


def made(groups, labels, *, per_track=2, disentangled=True, normalized=True, theirs=None):
    """A report of random embeddings beside two baselines, one of which is called statistics."""
    vocabulary, tracks = Vocabulary.from_dict(groups), len(labels)
    rng = np.random.default_rng(0)
    of_excerpts = np.repeat(np.arange(tracks), per_track)
    embeddings = random_embeddings(tracks, 4) * (1 if normalized else 2)
    scores = logistic_probe(rng.normal(size=[tracks, 3]), labels, rng.normal(size=[tracks, 3]))
    questions = draw_questions(vocabulary, labels, of_excerpts, count=50)
    ours = Contender(embeddings, scores, disentangled, normalized, embeddings[of_excerpts], scores[::-1])
    theirs = random_embeddings(tracks, 4, seed=1) if theirs is None else theirs
    others = {"statistics": Contender(theirs, scores), "random": Contender(theirs, scores)}
    return build_report("mine", vocabulary, labels, ours, others, questions=questions)


ODD = {
    "one notion": (ONE, labelled(12, range(6), range(4, 12), tags=2), {"leakage_gap"}),
    "a notion with one tag": (TWO, labelled(12, range(6), range(4, 12), range(5), tags=3), set()),
    "a tag that all carry": (
        ONE,
        labelled(12, range(12), range(5), tags=2),
        {"roc_auc_tag genre/a", "pr_auc_tag genre/a", "leakage_gap"},
    ),
    "a notion that all carry": (
        TWO,
        labelled(12, range(6), range(4, 12), range(12), tags=3),
        {f"{name} mood" for name in ("roc_auc_notion", "triplets", "triplets_subspace", "leakage")}
        | {"roc_auc_tag mood/x", "pr_auc_tag mood/x"},
    ),
    "a notion that none carries": (
        TWO,
        labelled(12, range(6), range(4, 12), tags=3),
        {f"{name} mood" for name in ("roc_auc_notion", "triplets", "triplets_subspace", "leakage")}
        | {f"recall_notion mood {k}" for k in (1, 2, 4, 8)}
        | {"roc_auc_tag mood/x", "pr_auc_tag mood/x"},
    ),
    "six tracks": (
        TWO,
        labelled(6, range(3), range(2, 6), range(4), tags=3),
        {f"{name} 8" for name in ("recall", "recall_notion genre", "recall_notion mood")},
    ),
    "tags that two tracks share in no notion": (
        ONE,
        labelled(9, [0], [1], tags=2),
        {"triplets genre", "triplets_subspace genre", "leakage genre", "leakage_gap"},
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_exactly_what_is_not_defined_is_said_not_to_be(name):
    groups, labels, missing = ODD[name]
    report = made(groups, labels)
    assert set(report["undefined"]) - {"recall_1_over_statistics"} == missing
    assert all(report["undefined"].values())


def nulls(value, path=()):
    """The places of a report that hold null."""
    if value is None:
        yield path
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from nulls(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from nulls(inner, (*path, number))


CORPORA = {
    **{name: (groups, labels) for name, (groups, labels, _) in ODD.items()},
    **{f"{n} tracks": (TWO, labelled(n, range(n // 2), range(n), [0], tags=3)) for n in (1, 2, 3, 4, 5, 8)},
    "no tag at all": (TWO, labelled(10, tags=3)),
    "every tag": (TWO, np.ones([10, 3], bool)),
    "one track without a tag": (ONE, labelled(1, tags=2)),
    "two tracks with the same tag": (ONE, labelled(2, [0, 1], tags=2)),
}


@pytest.mark.parametrize("switches", [{}, {"disentangled": False}, {"normalized": False}, {"per_track": 1}])
@pytest.mark.parametrize("name", CORPORA)
@pytest.mark.filterwarnings("error")
def test_every_odd_corpus_has_a_report_of_json_and_tables_and_every_null_has_a_reason(name, switches):
    groups, labels = CORPORA[name]
    report = made(groups, labels, **switches)
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    said = report["undefined"]
    text = report_text(report) + headline(report)
    assert not [word for word in ("nan", "None", "inf") if word in text]
    for reason in said.values():
        assert text.count(reason) >= 2  # in report.md and in the headline
    notions, system = list(groups), report["system"]
    by_nature = {"cosine", "inner_product"} if switches.get("normalized", True) else set()
    by_nature |= set() if switches.get("disentangled", True) else {"triplets_subspace", "leakage", "leakage_gap"}
    for path in nulls({key: value for key, value in system.items() if key not in by_nature}):
        path = path[1:] if path[0] in ("cosine", "inner_product") else path
        path = ("leakage", notions[path[2]]) if path[0] == "leakage" else path
        assert " ".join(path) in said, path


def test_no_track_at_all_cannot_be_evaluated():
    nothing = Contender(np.zeros([0, 4], np.float32), np.zeros([0, 2], np.float32))
    with pytest.raises(UserError, match="the test split has no tracks"):
        build_report("mine", Vocabulary.from_dict(ONE), np.zeros([0, 2], bool), nothing, {})


def test_reasons_name_what_was_found():
    said = made(TWO, labelled(6, range(3), range(6), tags=3), per_track=1)["undefined"]
    assert said["recall 8"] == "needs more than 8 tracks, the test split has 6"
    assert said["recall_notion genre 8"] == said["recall 8"]
    assert said["recall_notion mood 1"] == "no test track has a tag of mood"
    assert said["roc_auc_tag genre/b"] == said["pr_auc_tag genre/b"] == "every test track carries it"
    assert said["roc_auc_tag mood/x"] == "no test track carries it"
    assert said["roc_auc_notion mood"] == "no tag of mood that some test tracks carry and others do not"
    assert said["triplets mood"] == "no tag of mood that two test tracks carry and another does not"
    assert said["leakage mood"] == said["triplets_subspace mood"] == said["triplets mood"]
    assert said["triplets_track"] == "no two test tracks of which one has two excerpts"
    assert made(ONE, labelled(12, range(6), tags=2))["undefined"]["leakage_gap"].startswith("one notion only")


@pytest.mark.parametrize(("found", "reason"), [(0, "the R@1 of statistics is 0"), (None, "an R@1 is not defined")])
def test_a_ratio_to_nothing_is_null(found, reason):
    """Two tags that no two tracks share: nobody finds any. One track: nothing to find."""
    labels = labelled(2, [0], [1], tags=2) if found == 0 else labelled(1, [0], tags=2)
    report = made(ONE, labels)
    assert report["ratios"] == {"recall_1_over_statistics": None}
    assert report["undefined"]["recall_1_over_statistics"] == reason
    assert "recall_1_over_statistics: –" in headline(report)


def test_a_ratio_to_a_figure_that_some_resamples_lack_has_no_upper_bound():
    """Five pairs that find each other, one of them of one genre: R@1 2/10, and 0 in 0.8^10 = 11 % of the resamples."""
    labels = labelled(10, [0, 1, 2, 4, 6, 8], [3, 5, 7, 9], tags=2)
    ours = np.eye(2, dtype=np.float32)[labels[:, 1].astype(int)]
    others = {"statistics": Contender(np.repeat(np.eye(5, dtype=np.float32), 2, axis=0), None)}
    report = build_report("mine", Vocabulary.from_dict(ONE), labels, Contender(ours, None), others)
    ratio = report["ratios"]["recall_1_over_statistics"]
    assert (ratio["mean"], ratio["high"]) == (pytest.approx(1 / 0.2), None)
    assert 1 < ratio["low"] < 5
    assert "R@1 of statistics is 0 in some resamples" in report["undefined"]["recall_1_over_statistics high"]
    assert f"[{ratio['low']:.3f}, –]" in headline(report)


def test_a_whole_report_has_nothing_undefined():
    labels = labelled(30, range(12), range(10, 30), range(0, 30, 3), tags=3)
    report = made(TWO, labels, theirs=np.eye(2)[labels[:, 0].astype(int)].astype(np.float32))
    assert report["undefined"] == {}
    assert "ot defined" not in report_text(report) + headline(report)
    assert undefined_figures(report, Vocabulary.from_dict(TWO), labels, with_excerpts=True) == {}
