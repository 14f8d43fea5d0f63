"""The song a search is about, however it is spelled; the embedding of files is faked by their size."""

import os
import shutil
import unicodedata

import numpy as np
import pytest

from tfmir.catalogue.library import Library
from tfmir.data.audio import AudioError
from tfmir.errors import UserError
from tfmir.searching import query as module
from tfmir.searching.query import find_query, found_path

NFC, NFD = (unicodedata.normalize(form, "café.flac") for form in ("NFC", "NFD"))
IDS = ("sub/b.flac", NFD, "song.flac")


@pytest.fixture
def music(tmp_path, monkeypatch):
    """A library of three songs in a folder `music` of the working folder, which is the home too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(module, "embed_file", lambda system, path: np.full(2, os.path.getsize(path), np.float32))
    for name in IDS:
        path = tmp_path / "music" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "link.flac").symlink_to(tmp_path / "music/song.flac")
    (tmp_path / "other").symlink_to(tmp_path / "music", target_is_directory=True)
    os.link(tmp_path / "music/song.flac", tmp_path / "hard.flac")
    shutil.copy(tmp_path / "music/song.flac", tmp_path / "copy.flac")
    return tmp_path


def of(ids):
    return Library(tuple(ids), np.eye(len(ids), 2, dtype=np.float32), ((),) * len(ids))


SPELLINGS = {
    "song.flac": "song.flac",
    "music/song.flac": "song.flac",
    "./music/song.flac": "song.flac",
    "music/../music//song.flac": "song.flac",
    "~/music/song.flac": "song.flac",
    "{here}/music/song.flac": "song.flac",
    "link.flac": "song.flac",
    "hard.flac": "song.flac",
    "other/song.flac": "song.flac",
    "other/sub/../song.flac": "song.flac",
    "sub/b.flac": "sub/b.flac",
    "music/sub/b.flac": "sub/b.flac",
    NFD: NFD,
    NFC: NFD,
    f"music/{NFD}": NFD,
    f"music/{NFC}": NFD,
    f"~/other/{NFC}": NFD,
    f"{{here}}/music/{NFC}": NFD,
}


@pytest.mark.parametrize("folder", ["music", "other", "{here}/music", "./music/"])
@pytest.mark.parametrize("like", SPELLINGS)
def test_a_song_of_the_library_is_left_out_however_it_is_spelled(music, folder, like):
    library = of(IDS)
    asked = like.format(here=music)
    found = find_query(asked, library, None, folder=folder.format(here=music))
    assert found.track_ids == (SPELLINGS[like],)
    np.testing.assert_array_equal(found.embedding, library.embeddings[IDS.index(SPELLINGS[like])])


def test_a_song_that_lies_elsewhere_is_embedded_and_nothing_is_left_out(music):
    """A copy is another file, whatever it is called."""
    (music / "b.flac").write_text("elsewhere")
    for like in ("copy.flac", "b.flac", "~/b.flac"):
        found = find_query(like, of(IDS), None, folder="music")
        assert (found.track_ids, found.embedding[0]) == ((), 9.0)


def test_every_name_of_the_song_in_the_library_is_left_out(music):
    (music / "music/again.flac").symlink_to("song.flac")
    for like in ("song.flac", "again.flac", "music/again.flac", "link.flac"):
        found = find_query(like, of([*IDS, "again.flac"]), None, folder="music")
        assert set(found.track_ids) == {"song.flac", "again.flac"}


def test_two_files_of_names_that_differ_in_their_form_only_are_two_songs(music):
    (music / "music" / NFC).write_text("another")
    ids = (*IDS, NFC)
    for like in (NFC, NFD):
        assert find_query(like, of(ids), None, folder="music").track_ids == (like,)
        assert find_query(f"music/{like}", of(ids), None, folder="music").track_ids == (like,)


def test_in_a_split_a_song_is_known_by_its_id(music):
    """Its tracks have no files: one with the same name is another song, unless it is the id."""
    library = of(IDS)
    assert find_query("sub/b.flac", library, None).track_ids == ("sub/b.flac",)
    assert find_query(NFC, library, None).track_ids == (NFD,)
    assert find_query("music/sub/b.flac", library, None).track_ids == ()


@pytest.mark.parametrize(
    "like", ["nowhere.flac", "~nobody/a.flac", "music/nowhere/a.flac", "a" * 300, "gone.flac", "/x"]
)
def test_what_is_neither_a_file_nor_a_track_is_refused(music, like):
    (music / "gone.flac").symlink_to("nowhere.flac")
    with pytest.raises(UserError, match=r"is neither a file nor a track of the library \(sub/b.flac, …\)"):
        find_query(like, of(IDS), None, folder="music")


def test_what_cannot_be_decoded_is_refused_by_its_reason(music, monkeypatch):
    def refuse(system, path):
        raise AudioError("not audio")

    monkeypatch.setattr(module, "embed_file", refuse)
    with pytest.raises(UserError, match=r"--like=copy.flac: not audio"):
        find_query("copy.flac", of(IDS), None, folder="music")


def test_a_library_file_that_has_gone_meanwhile_is_another_song(music):
    (music / "music/song.flac").unlink()
    assert find_query("copy.flac", of(IDS), None, folder="music").track_ids == ()


def test_a_path_is_found_under_its_name_on_the_disk(music):
    folder = music / unicodedata.normalize("NFD", "Ärger")
    folder.mkdir()
    (folder / "a.flac").write_text("")
    asked = unicodedata.normalize("NFC", "Ärger")
    assert found_path(f"~/{asked}/a.flac") == str(folder / "a.flac")
    assert os.path.samefile(found_path(f"{asked}/"), folder)
    assert found_path(f"{asked}/b.flac") == found_path("") == ""
