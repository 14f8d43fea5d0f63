import dataclasses
import pathlib
import shutil

import numpy as np
import pytest

from tfmir.data.manifest import load_manifest
from tfmir.data.records import read_tracks
from tfmir.evaluation import questions
from tfmir.evaluation.questions import draw_questions, stored_questions
from tfmir.vocabulary import Vocabulary


@pytest.fixture
def asked(records, tmp_path):
    """A copy of the records to write beside, the test split's labels, and the track of each excerpt."""
    copy = shutil.copytree(records, tmp_path / "tiny")
    manifest = load_manifest(str(copy))
    stored = list(read_tracks(str(copy), manifest, "train"))
    labels = manifest.vocabulary.multi_hot([track.tags for track in stored])
    return str(copy), manifest, labels, np.repeat(np.arange(len(labels)), 2)


def test_they_are_drawn_once_and_read_back_by_every_system(asked, monkeypatch):
    records, manifest, labels, tracks = asked
    first = stored_questions(records, manifest, "train", labels, tracks)
    assert (pathlib.Path(records) / "triplets-train.npz").exists()
    monkeypatch.setattr(questions, "draw_questions", None)
    again = stored_questions(records, manifest, "train", labels, tracks)
    assert list(again.notions) == list(manifest.vocabulary.notions)
    for notion, triplets in first.notions.items():
        np.testing.assert_array_equal(triplets, again.notions[notion])
    np.testing.assert_array_equal(first.track, again.track)


def test_other_shards_are_asked_other_questions(asked):
    records, manifest, labels, tracks = asked
    stored_questions(records, manifest, "train", labels, tracks)
    shards = tuple(dataclasses.replace(shard, sha256="0") for shard in manifest.splits["train"].shards)
    split = dataclasses.replace(manifest.splits["train"], shards=shards)
    other = dataclasses.replace(manifest, splits={**manifest.splits, "train": split})
    found = stored_questions(records, other, "train", ~labels, tracks)
    expected = draw_questions(manifest.vocabulary, ~labels, tracks)
    np.testing.assert_array_equal(found.notions["genre"], expected.notions["genre"])


def test_those_about_the_truth_are_kept_apart(asked):
    """And ask the same of excerpts, which have nothing to do with tags."""
    records, manifest, labels, tracks = asked
    first = stored_questions(records, manifest, "train", labels, tracks)
    truth = stored_questions(records, manifest, "train", ~labels, tracks, against="truth")
    assert (pathlib.Path(records) / "triplets-train-truth.npz").exists()
    again = stored_questions(records, manifest, "train", labels, tracks)
    np.testing.assert_array_equal(first.notions["genre"], again.notions["genre"])
    expected = draw_questions(manifest.vocabulary, ~labels, tracks)
    np.testing.assert_array_equal(truth.notions["genre"], expected.notions["genre"])
    assert not np.array_equal(truth.notions["genre"], first.notions["genre"])
    np.testing.assert_array_equal(truth.track, first.track)


def test_questions_that_cannot_be_asked_are_kept_as_none(asked, monkeypatch):
    """No genre to ask about, as every track has the first, and no track with two excerpts."""
    records, manifest, labels, _ = asked
    genre = manifest.vocabulary.tags_of("genre")
    labels[:, genre] = [True, False]
    one_each = np.arange(len(labels))
    for _ in range(2):
        found = stored_questions(records, manifest, "train", labels, one_each)
        assert found.notions["genre"] is found.track is None
        assert len(found.notions["mood"])
        monkeypatch.setattr(questions, "draw_questions", None)


def test_those_of_another_vocabulary_are_drawn_anew(asked):
    records, manifest, labels, tracks = asked
    stored_questions(records, manifest, "train", labels, tracks)
    words = {"style": manifest.vocabulary.to_dict()["genre"], "mood": manifest.vocabulary.to_dict()["mood"]}
    other = dataclasses.replace(manifest, vocabulary=Vocabulary.from_dict(words))
    assert set(stored_questions(records, other, "train", labels, tracks).notions) == {"style", "mood"}


def test_records_that_cannot_be_written_to_are_no_error(asked, capsys, monkeypatch):
    records, manifest, labels, tracks = asked

    def refuse(*args, **kwargs):
        raise PermissionError("read-only")

    monkeypatch.setattr(questions.np, "savez_compressed", refuse)
    assert stored_questions(records, manifest, "train", labels, tracks).track is not None
    assert "not written (read-only)" in capsys.readouterr().out
