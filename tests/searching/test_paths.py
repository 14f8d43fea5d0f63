"""Names of files below a library; `found_path` is tested with queries."""

import pytest

from tfmir.searching.paths import is_same, names_below


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "music/sub").mkdir(parents=True)
    (tmp_path / "music/song.flac").write_text("a")
    (tmp_path / "music/again.flac").symlink_to("song.flac")
    (tmp_path / "elsewhere.flac").write_text("a")
    (tmp_path / "music/sub/out.flac").symlink_to("../../elsewhere.flac")
    return tmp_path


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("music/song.flac", ("song.flac",)),
        ("music/again.flac", ("again.flac", "song.flac")),
        ("music/sub/out.flac", ("sub/out.flac",)),
        ("music/sub/../song.flac", ("song.flac",)),
        ("elsewhere.flac", ()),
        ("", ()),
        ("s3://bucket/song.flac", ()),
    ],
)
def test_a_file_has_the_names_by_which_a_listing_may_know_it(here, path, names):
    assert names_below(path, str(here / "music")) == names


def test_a_remote_library_has_what_begins_like_it():
    assert names_below("s3://b/music/a.mp3", "s3://b/music") == ("a.mp3",)
    assert names_below("s3://b/music2/a.mp3", "s3://b/music") == ()
    assert names_below("music/a.mp3", "s3://b/music") == ()


def test_files_are_the_same_by_what_they_are(here):
    assert is_same("music/again.flac", "music/song.flac")
    assert not is_same("music/song.flac", "elsewhere.flac")
    assert not is_same("music/song.flac", "gone.flac")
