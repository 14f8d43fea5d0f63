import os
import pathlib
import socket
import unicodedata

import pytest

from tfmir.corpora.audio_files import as_on_disk, list_audio, no_file

AUDIO = ["a/b/one.MP3", "a/two.flac", "three.Ogg", "x.tar.wav", "ümlaut.m4a"]
OTHERS = ["a/cover.jpg", "a/two.json", "mp3", ".mp3", "one.mp3.part", "a.wav/readme"]


@pytest.fixture
def music(tmp_path):
    for name in AUDIO + OTHERS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize("form", ["{}", "{}/", "file://{}", "file://{}/"])
def test_files_are_audio_by_the_end_of_their_names_sorted_and_below_the_folder(music, form):
    """Upper case, further dots and a folder that is named like a file; a dot at the start is no suffix."""
    assert list_audio(form.format(music)) == sorted(AUDIO)


def test_the_working_directory_is_a_folder_too(music, monkeypatch):
    monkeypatch.chdir(music)
    assert list_audio(".") == sorted(AUDIO)
    assert list_audio("a") == ["b/one.MP3", "two.flac"]


def test_a_name_that_is_not_utf_8_is_left_out_with_a_word(music, capsys):
    os.rename(music / "three.Ogg", os.fsencode(str(music)) + b"/d\xe9j\xe0.wav")
    assert list_audio(str(music)) == sorted({*AUDIO} - {"three.Ogg"})
    assert rf"left out: b'd\xe9j\xe0.wav' in {music}: the name is not UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize(("disk", "asked"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_a_path_is_found_in_either_unicode_form_of_its_folders_and_its_name(tmp_path, disk, asked):
    path = unicodedata.normalize(disk, "Björk/Jóga é.flac")
    (tmp_path / path).parent.mkdir()
    (tmp_path / path).touch()
    other = unicodedata.normalize(asked, path)
    assert as_on_disk(str(tmp_path), [other, path, "a.mp3"]) == {other: path, path: path, "a.mp3": "a.mp3"}


def test_where_both_forms_lie_there_each_is_itself_and_what_is_nowhere_stays(tmp_path):
    both = [unicodedata.normalize(form, "é.wav") for form in ("NFC", "NFD")]
    for name in both:
        (tmp_path / name).touch()
    assert as_on_disk(f"file://{tmp_path}", [*both, "ö.wav"]) == {name: name for name in (*both, "ö.wav")}


LEFTOVERS = ["._song.mp3", ".DS_Store", ".hidden.wav", ".Trash/old.mp3", "__MACOSX/._a.mp3", "__MACOSX/a.mp3"]
LEFTOVERS += ["a/$RECYCLE.BIN/b.mp3", "a/@eaDir/c.flac", "a/.git/deep/d.wav"]


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_what_systems_leave_behind_and_what_is_hidden_is_no_candidate_and_no_word_is_lost(music, capsys, form):
    for name in LEFTOVERS:
        (music / name).parent.mkdir(parents=True, exist_ok=True)
        (music / name).touch()
    assert list_audio(form.format(music)) == sorted(AUDIO)
    assert not capsys.readouterr().err
    inside = music / ".Trash"
    assert list_audio(form.format(inside)) == ["old.mp3"]  # below a hidden folder that is asked for


def test_a_store_is_listed_alike(monkeypatch):
    """No links, no pipes there; a loop that some store might show is for the store to end."""
    found = [("s3://b/m", ["x", ".h"], ["a.mp3", "._a.mp3", "t.txt"]), ("s3://b/m/x", [], ["b\nc.wav"])]
    monkeypatch.setattr("tfmir.files.walk", lambda path: iter([*found, ("s3://b/m/.h", [], ["d.wav"])]))
    assert list_audio("s3://b/m/") == ["a.mp3", "x/b\nc.wav"]


ODD_NAMES = [
    "new\nline.wav",
    "tab\t.wav",
    "[a]*?.mp3",
    "100%s.mp3",
    "#1.mp3",
    "\N{GUITAR}.flac",
    " a  b .ogg",
    "a\\b.wav",
]


def test_odd_names_are_names(tmp_path):
    for name in ODD_NAMES:
        (tmp_path / name).touch()
    assert list_audio(str(tmp_path)) == sorted(ODD_NAMES)


def socket_at(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


NO_FILES = {
    "dangling.mp3": (lambda path: path.symlink_to("nowhere.mp3"), "missing: a link that leads nowhere"),
    "circle.mp3": (lambda path: path.symlink_to(path), "missing: a link that leads nowhere"),
    "pipe.wav": (os.mkfifo, "not a file: a pipe"),
    "socket.wav": (socket_at, "not a file: a socket"),
    "zero.wav": (lambda path: path.symlink_to("/dev/zero"), "not a file: a device"),
    "unmounted": (lambda path: path.symlink_to("/mnt/nowhere"), "missing: a link that leads nowhere"),
}


@pytest.mark.parametrize("name", NO_FILES)
def test_what_is_no_file_is_left_out_with_its_reason_and_never_opened(music, monkeypatch, capsys, name):
    """In a folder of its own, whose name is short: a socket's has a hundred bytes at most."""
    make, reason = NO_FILES[name]
    monkeypatch.chdir(music)
    make(pathlib.Path(name))
    assert list_audio(".") == sorted(AUDIO)
    assert capsys.readouterr().err == f"left out: {name} in .: {reason}\n"
    assert no_file(name) == reason


def test_a_file_a_folder_and_nothing_have_their_reasons(music):
    assert no_file(str(music / "three.Ogg")) == ""
    assert no_file(str(music / "a.wav")) == "not a file: a folder"
    for name in ("absent.mp3", "three.Ogg/a.mp3", "a\0.mp3"):
        assert no_file(str(music / name)) == "missing: no such file"
    assert no_file(str(music / ("a" * 300))) == "cannot be reached: File name too long"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_left_out(music, capsys):
    (music / "three.Ogg").chmod(0)
    assert list_audio(str(music)) == sorted({*AUDIO} - {"three.Ogg"})
    assert "no permission to read it" in capsys.readouterr().err


def test_links_are_followed_to_files_and_folders_and_each_folder_is_read_once(tmp_path, capsys):
    """`a_link` sorts before `real`: the files still have the names of where they lie."""
    music, outside = tmp_path / "music", tmp_path / "outside"
    for path in (music / "real/one.mp3", outside / "album/two.mp3", outside / "three.mp3"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (music / "song.mp3").symlink_to(outside / "three.mp3")
    (music / "albums").symlink_to(outside)
    (music / "a_link").symlink_to(music / "real")
    (music / "real/loop").symlink_to(music)
    (outside / "album/back").symlink_to("..")
    listed = ["albums/album/two.mp3", "albums/three.mp3", "real/one.mp3", "song.mp3"]
    assert list_audio(str(music)) == listed
    told = sorted(capsys.readouterr().err.splitlines())
    places = ("a_link", "albums/album/back", "real/loop")
    assert told == [f"left out: {place} in {music}: a link to a folder that is read already" for place in places]
    assert list_audio(f"file://{music}") == listed


def test_as_on_disk_follows_links_looks_into_hidden_folders_and_says_nothing(tmp_path, capsys):
    there = unicodedata.normalize("NFD", "é.wav")
    for folder in ("other", "music/.hidden"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / there).touch()
    (tmp_path / "music/link").symlink_to("../other")
    (tmp_path / "music/loop").symlink_to(".")
    asked = [f"{folder}/é.wav" for folder in ("link", ".hidden", "loop/link")]
    found = as_on_disk(str(tmp_path / "music"), asked)
    assert found == {asked[0]: f"link/{there}", asked[1]: f".hidden/{there}", asked[2]: asked[2]}
    assert not capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_is_named(music, capsys):
    (music / "a").chmod(0)
    try:
        assert list_audio(str(music)) == ["three.Ogg", "x.tar.wav", "ümlaut.m4a"]
    finally:
        (music / "a").chmod(0o700)
    assert capsys.readouterr().err == f"left out: a in {music}: Permission denied\n"
