import dataclasses
import json

import numpy as np
import pytest
import soundfile

from tfmir.corpora import folder
from tfmir.errors import UserError
from tfmir.preparation.inspection import inspect_files
from tfmir.preparation.survey import (
    artist_leaks,
    pairless_notions,
    refuse_empty_splits,
    refuse_leaks,
    survey,
    survey_text,
)

RATE = 22050
CSV = """path,split,artist,genre,mood,era
a.wav,train,X,rock,,
b.wav,train,X,rock;jazz,,
c.wav,validation,Y,rock,,
d.wav,test,X,,,
e.wav,test,Z,jazz,,
f.wav,test,Z,jazz,,
"""


@pytest.fixture
def corpus(tmp_path):
    """An artist in two splits, a notion without tags, a copy of a track, one file missing, one that is no audio."""
    for index, name in enumerate("abc"):
        soundfile.write(tmp_path / f"{name}.wav", np.full(RATE * 2, index / 10), RATE)
    (tmp_path / "d.wav").write_bytes((tmp_path / "a.wav").read_bytes())
    (tmp_path / "e.wav").write_text("no audio")
    (tmp_path / "tags.csv").write_text(CSV)
    return folder.load(str(tmp_path), str(tmp_path / "tags.csv"), name="planted", licence="CC0-1.0")


@pytest.fixture
def report(corpus):
    return survey(corpus, inspect_files([(track.track_id, track.path) for track in corpus.tracks]))


def test_sizes_and_hours_per_split(report):
    assert report["tracks"] == {"train": 2, "validation": 1, "test": 3}
    assert report["untagged"] == {"train": 0, "validation": 0, "test": 1}
    assert report["hours"] == {
        "train": pytest.approx(4 / 3600), "validation": pytest.approx(2 / 3600), "test": pytest.approx(2 / 3600)
    }  # fmt: skip
    assert report["tags"]["genre/jazz"] == {"train": 1, "validation": 0, "test": 2}
    assert report["notions"] == {"genre": {"tags": 2, "tracks": {"train": 2, "validation": 1, "test": 2}}}


def test_shares_and_the_truth_are_told_where_they_are_known(corpus, report):
    """Of two tracks to train a quarter is none, of one to validate all; the sixth is the only one of three to test."""
    assert report["annotated"] is report["truth"] is None
    assert "## Annotated" not in survey_text(report)
    tracks = tuple(dataclasses.replace(track, tags=(), truth=(0, 1)) for track in corpus.tracks)
    tracks = (*tracks[:2], dataclasses.replace(tracks[2], tags=(1,)), *tracks[3:5], corpus.tracks[5])
    known = survey(dataclasses.replace(corpus, tracks=tracks, annotated={"genre": 0.25}))
    assert known["annotated"] == {"genre": 0.25}
    assert known["truth"]["genre/rock"] == {"train": 2, "validation": 1, "test": 2}
    text = survey_text(known)
    assert "| genre | 25% | 0% | 100% | 33.3% | 33.3% |" in text
    assert "| rock | 0 | 1 | 0 | 1 | 5 |" in text


def test_what_was_planted_is_found(report):
    assert report["empty_notions"] == ["mood", "era"]
    assert report["rare_tags"] == {"genre/jazz": 3, "genre/rock": 3}
    assert report["artist_leaks"] == {"X": {"train": 2, "test": 1}}
    assert report["duplicates"] == [["a.wav", "d.wav"]]
    nothing = "cannot be decoded: Format not recognised; Invalid data found when processing input"
    assert report["problems"] == {"e.wav": nothing, "f.wav": "missing: no such file"}


def test_people_read_the_same(report):
    text = survey_text(report)
    for line in ("| tracks | 2 | 1 | 3 | 6 |", "**notions without a tag: 2**", "X: 2 train, 1 test", "a.wav = d.wav"):
        assert line in text
    json.dumps(report, allow_nan=False)


def test_long_lists_are_cut_for_people_only(report):
    report["problems"] = {f"{i}.wav": "missing" for i in range(33)}
    assert "    * and 13 more" in survey_text(report)


def test_names_stay_on_their_line(report):
    report["problems"] = {"B-side\n\tlive.wav": "missing: no such file"}
    assert "    * B-side\\n\\tlive.wav: missing: no such file\n" in survey_text(report)


def test_strict_refuses_a_leak(corpus):
    with pytest.raises(UserError, match=r"1 artists have tracks in more than one split, the first is 'X' \(2 train, 1"):
        refuse_leaks(corpus)


def test_tracks_without_an_artist_leak_nothing(tmp_path):
    (tmp_path / "t.csv").write_text("path,split,genre\na.wav,train,rock\nb.wav,test,rock\n")
    loaded = folder.load(str(tmp_path), str(tmp_path / "t.csv"))
    assert artist_leaks(loaded) == {}
    refuse_leaks(loaded)


def test_without_audio_the_labels_lengths_count_and_else_nobody_knows(corpus):
    assert survey(corpus)["hours"] is None
    assert "| hours | unknown | unknown | unknown | unknown |" in survey_text(survey(corpus))
    assert survey(corpus)["problems"] == {}


def in_splits(tmp_path, splits):
    rows = [f"{i}.wav,{split},rock" for i, split in enumerate(splits.split())]
    (tmp_path / "t.csv").write_text("\n".join(["path,split,genre", *rows]))
    return folder.load(str(tmp_path), str(tmp_path / "t.csv"), name="few")


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ("train", "^few: no track is for validation, none for test .1 train.: training needs .* mend the column split"),
        ("test", "no track is for train, none for validation .1 test."),
        ("validation test", "no track is for train .1 validation, 1 test."),
        ("train train test test", "no track is for validation .2 train, 2 test."),
    ],
)
def test_splits_that_training_needs_must_have_tracks(tmp_path, splits, message):
    with pytest.raises(UserError, match=message):
        refuse_empty_splits(in_splits(tmp_path, splits))


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ("train validation", "warning: few: no track is for test: evaluate will find nothing\n"),
        ("train validation test", ""),
    ],
)
def test_without_tracks_to_test_on_one_is_warned(tmp_path, capsys, splits, message):
    refuse_empty_splits(in_splits(tmp_path, splits))
    assert capsys.readouterr().err == message


def test_people_read_which_splits_are_empty(tmp_path):
    text = survey_text(survey(in_splits(tmp_path, "train")))
    assert "**splits without a track: 2**\n    * validation\n    * test\n" in text


def test_a_notion_of_which_no_two_tracks_share_a_tag_teaches_nothing(tmp_path):
    rows = ["path,title,genre,mood,key", "a.wav,A,rock,calm,C", "b.wav,B,rock,,D", "c.wav,C,jazz,calm;wild,C;D"]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    assert pairless_notions(folder.load(str(tmp_path), str(tmp_path / "t.csv"))) == ["title"]
