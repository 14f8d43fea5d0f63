import os
import unicodedata

import pytest

from tfmir.corpora.audio_files import as_on_disk, list_audio, require_folder
from tfmir.errors import UserError

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


def test_a_folder_that_is_not_there_is_refused(music):
    require_folder(str(music))
    require_folder(f"file://{music}")
    for path in (music / "nowhere", music / "three.Ogg"):
        with pytest.raises(UserError, match=rf"--audio_dir={path}: no such folder"):
            require_folder(str(path))


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
