"""Where a set's artists and tags come from when no file is named, and when that is refused."""

import json
import pathlib

import pytest

from tests.fixtures.embedded import songs, write_set
from tfmir.catalogue.annotations import read_annotations
from tfmir.catalogue.publishing import Labels
from tfmir.errors import UserError

ROCK = {"a.mp3": Labels("X", ("genre/rock",))}


@pytest.fixture
def music(tmp_path):
    (tmp_path / "music").mkdir()
    (tmp_path / "music/a.mp3").touch()
    return tmp_path / "music"


def csv(path, artist="X"):
    path.write_text(f"path,artist,genre\na.mp3,{artist},rock\n")
    return str(path)


def made(folder, library, *, labelled=True, **said):
    """A set that says where its artists and tags are from; older ones do not say."""
    of = songs(9)
    if not labelled:
        of.tags, of.artists = [()] * 9, [""] * 9
    write_set(folder, of, library=library, shard=5)
    mark = folder / "embeddings.json"
    mark.write_text(json.dumps(json.loads(mark.read_text()) | said))
    return str(folder)


def read(given, music):
    return read_annotations(given, library=str(music), output=str(music.parent / "out"))


def test_a_file_that_is_named_is_read_before_that_of_the_library(music, tmp_path):
    assert read("", music) == ("", {})
    default, own = csv(music / "annotations.csv"), csv(tmp_path / "own.csv", "Y")
    assert read("", music) == (default, ROCK)
    assert read(own, music) == (own, {"a.mp3": Labels("Y", ("genre/rock",))})
    assert read("none", music) == ("", {})
    with pytest.raises(UserError, match=r"--annotations=nowhere.csv: no such file"):
        read("nowhere.csv", music)


def test_the_file_that_was_named_before_is_read_again(music, tmp_path, capsys):
    """Also where the library has its own by now; if it went, that one is read."""
    own = csv(tmp_path / "own.csv")
    made(tmp_path / "out", music, annotations=own)
    assert read("", music) == (own, ROCK)
    assert f"artists and tags are those of {own}, as before" in capsys.readouterr().out
    default = csv(music / "annotations.csv", "Z")
    assert read("", music).path == own
    pathlib.Path(own).unlink()
    assert read("", music).path == default


def test_of_a_copied_library_its_own_file_is_read(music, tmp_path):
    (tmp_path / "old").mkdir()
    old = csv(tmp_path / "old/annotations.csv", "Y")
    made(tmp_path / "out", tmp_path / "old", annotations=old)
    assert read("", music).path == old
    assert read("", music).labels["a.mp3"].artist == "Y"
    default = csv(music / "annotations.csv")
    assert read("", music).path == default


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"annotations": "/gone.csv"}, "has artists and tags of /gone.csv, which is not there any more: name their"),
        ({}, "has artists and tags, and no annotations are there: name their file with --annotations="),
    ],
)
def test_artists_and_tags_are_not_wiped_unasked(music, tmp_path, said, message):
    made(tmp_path / "out", music, **said)
    with pytest.raises(UserError, match=message) as told:
        read("", music)
    assert str(told.value).endswith("or drop them with --annotations=none")
    assert "\n" not in str(told.value)
    assert read("none", music) == ("", {})


def test_a_set_without_any_needs_no_file(music, tmp_path):
    made(tmp_path / "out", music, labelled=False)
    assert read("", music) == ("", {})
    made(tmp_path / "out", music, labelled=False, annotations="/gone.csv")
    assert read("", music) == ("", {})


def test_a_set_that_is_on_its_way_to_its_place_is_asked(music, tmp_path):
    """Killed after its plan was written: nothing is in its place yet."""
    made(tmp_path / "out/.build/shards", music, annotations="/gone.csv")
    (tmp_path / "out/.build/shards/embeddings.json").rename(tmp_path / "out/.build/publish.json")
    with pytest.raises(UserError, match="has artists and tags of /gone.csv"):
        read("", music)
