import dataclasses

import numpy as np
import pytest

from tfmir.errors import UserError
from tfmir.evaluation.answers import collect_answers, load_answers, save_answers
from tfmir.evaluation.questions import draw_questions
from tfmir.evaluation.report import Contender, build_report
from tfmir.evaluation.tagging import roc_auc
from tfmir.inference.subspaces import unit_rows
from tfmir.vocabulary import Vocabulary

VOCABULARY = Vocabulary.from_dict({"genre": ["a", "b"], "mood": ["x", "y"]})
TRACKS, EXCERPTS = 30, 4


@pytest.fixture(scope="module")
def asked():
    """Labels of which some tracks have none, embeddings of any norm, and questions."""
    rng = np.random.default_rng(0)
    labels = rng.random([TRACKS, 4]) < 0.4
    labels[:4] = False
    excerpt_tracks = np.repeat(np.arange(TRACKS), EXCERPTS)
    excerpts = rng.random([TRACKS * EXCERPTS, 8]).astype(np.float32) + labels[excerpt_tracks].repeat(2, axis=1)
    return labels, excerpts, excerpt_tracks, draw_questions(VOCABULARY, labels, excerpt_tracks, count=500)


def contender(excerpts, **switches):
    whole = excerpts.reshape(TRACKS, EXCERPTS, -1).mean(axis=1)
    if switches.get("normalized", True):
        whole, excerpts = unit_rows(whole), unit_rows(excerpts)
    return Contender(whole, whole[:, ::2].astype(np.float64), excerpts=excerpts, **switches)


KINDS = [{"disentangled": True}, {"disentangled": False}, {"normalized": False}]


@pytest.mark.parametrize("switches", KINDS)
def test_their_means_are_the_figures_of_the_report(asked, switches):
    labels, excerpts, excerpt_tracks, questions = asked
    system = contender(excerpts, **switches)
    report = build_report("mine", VOCABULARY, labels, system, {}, questions=questions)["system"]
    found = collect_answers(VOCABULARY, labels, system, questions, excerpt_tracks)
    for column, k in enumerate("1248"):
        assert found.recall[:, column].mean() == pytest.approx(report["recall"][k]["mean"], abs=1e-6)
        if not switches.get("normalized", True):
            by_cosine = report["cosine"]["recall"][k]["mean"]
            assert found.recall_by_cosine[:, column].mean() == pytest.approx(by_cosine, abs=1e-6)
    assert (found.recall_by_cosine is None) == switches.get("normalized", True)
    shares = {name: right.mean() for name, right in found.correct.items()}
    expected = {f"whole/{notion}": figure["mean"] for notion, figure in report["triplets"].items()}
    expected |= {f"subspace/{notion}": figure["mean"] for notion, figure in (report["triplets_subspace"] or {}).items()}
    assert shares == pytest.approx({**expected, "track": report["triplets_track"]["mean"]})
    assert np.nanmean(roc_auc(found.labels, found.scores)) == pytest.approx(report["roc_auc"]["mean"])


def test_each_answer_belongs_to_its_track(asked):
    labels, excerpts, excerpt_tracks, questions = asked
    found = collect_answers(VOCABULARY, labels, contender(excerpts, disentangled=True), questions, excerpt_tracks)
    assert found.queries.tolist() == np.flatnonzero(labels.any(axis=1)).tolist()
    assert len(found.recall) == len(found.queries)
    np.testing.assert_array_equal(found.triplets["whole/mood"], questions.notions["mood"])
    np.testing.assert_array_equal(found.triplets["subspace/mood"], questions.notions["mood"])
    np.testing.assert_array_equal(found.triplets["track"], questions.track // EXCERPTS)


@pytest.mark.parametrize("switches", KINDS)
def test_what_is_saved_is_loaded(asked, switches, tmp_path):
    labels, excerpts, excerpt_tracks, questions = asked
    saved = collect_answers(VOCABULARY, labels, contender(excerpts, **switches), questions, excerpt_tracks)
    save_answers(tmp_path, saved)
    loaded = load_answers(tmp_path)
    for field in dataclasses.fields(saved):
        np.testing.assert_equal(getattr(loaded, field.name), getattr(saved, field.name))
    assert loaded.correct["whole/mood"].dtype == loaded.labels.dtype == bool
    assert (loaded.recall.dtype, loaded.scores.dtype, loaded.triplets["track"].dtype) == (
        np.float32,
        np.float32,
        np.int32,
    )


def test_a_file_has_the_triplets_of_both_spaces_once_in_few_bytes(asked, tmp_path):
    """500 triplets of two notions and of tracks, a byte for each of 30 track numbers, before compression."""
    labels, excerpts, excerpt_tracks, questions = asked
    system = contender(excerpts, disentangled=True)
    save_answers(tmp_path, collect_answers(VOCABULARY, labels, system, questions, excerpt_tracks))
    with np.load(tmp_path / "answers.npz") as stored:
        triplets = {name: stored[name].nbytes for name in stored if name.startswith("triplets/")}
    assert triplets == {f"triplets/{name}": 1500 for name in ("whole/genre", "whole/mood", "track")}


def test_what_cannot_be_asked_is_not_there(asked):
    """Three tracks have no four neighbours; tracks without tags are no queries, and make no triplets."""
    few = Contender(np.eye(3, 8, dtype=np.float32), None)
    labels = np.array([[True, False, False, False]] * 2 + [[False, True, False, False]])
    found = collect_answers(VOCABULARY, labels, few, draw_questions(VOCABULARY, labels, np.arange(3), count=5))
    assert np.isnan(found.recall[:, 2:]).all()
    assert not np.isnan(found.recall[:, :2]).any()
    assert (set(found.correct), found.scores) == ({"whole/genre"}, None)
    nothing = np.zeros([3, 4], bool)
    found = collect_answers(VOCABULARY, nothing, few, draw_questions(VOCABULARY, nothing, np.arange(3), count=5))
    assert (found.recall.shape, found.correct) == ((0, 4), {})


def test_answers_that_are_not_there_or_damaged_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"answers.npz: not there, or no answers: remove report.json beside it"):
        load_answers(tmp_path)
    (tmp_path / "answers.npz").write_bytes(b"half")
    with pytest.raises(UserError, match="no answers"):
        load_answers(tmp_path)
    np.savez(tmp_path / "answers.npz", recall=np.zeros(3))
    with pytest.raises(UserError, match="no answers"):
        load_answers(tmp_path)
    earlier = {"correct/track": np.zeros(3, bool), "anchors/track": np.zeros(3, np.int32)}
    np.savez(tmp_path / "answers.npz", queries=[0], recall=np.zeros([1, 4]), labels=np.ones([3, 1]), **earlier)
    with pytest.raises(UserError, match="no answers"):
        load_answers(tmp_path)
