import json
import os
import struct

import mutagen.id3
import mutagen.wave
import numpy as np
import pytest
import soundfile

from tfmir.corpora.folder import load
from tfmir.corpora.tags_in_files import read_metadata, read_sidecars
from tfmir.errors import UserError

RATE = 22050
SILENCE = np.zeros(RATE, np.float32)


def tagged_ogg(path, **fields):
    with soundfile.SoundFile(path, "w", RATE, 1) as file:
        for name, value in fields.items():
            setattr(file, name, value)
        file.write(SILENCE)


def tagged_mp3(path, **frames):
    """ID3v2.3 before the audio: text frames in Latin-1."""
    body = b"".join(
        name.encode() + struct.pack(">IH", len(text) + 1, 0) + b"\0" + text.encode("latin-1")
        for name, text in frames.items()
    )
    size = bytes(len(body) >> shift & 0x7F for shift in (21, 14, 7, 0))
    soundfile.write(path, SILENCE, RATE)
    path.write_bytes(b"ID3\x03\0\0" + size + body + path.read_bytes())


@pytest.fixture
def music(tmp_path):
    (tmp_path / "a").mkdir()
    tagged_ogg(tmp_path / "a/one.ogg", genre="Rock; Pop", date="1994-05-01", artist="A")
    tagged_mp3(tmp_path / "two.mp3", TCON="Jazz", TMOO="Calm/Dreamy", TYER="2003", TPE1="B")
    soundfile.write(tmp_path / "three.wav", SILENCE, RATE)
    (tmp_path / "cover.jpg").touch()
    return tmp_path


def tags_of(corpus):
    return {track.track_id: {corpus.vocabulary.tags[i] for i in track.tags} for track in corpus.tracks}


def test_metadata_gives_genre_mood_and_era_in_lower_case(music):
    corpus = load(str(music), "", tags="metadata")
    assert tags_of(corpus) == {
        "a/one.ogg": {"genre/rock", "genre/pop", "era/1990s"},
        "two.mp3": {"genre/jazz", "mood/calm", "mood/dreamy", "era/2000s"},
        "three.wav": set(),
    }
    assert {track.track_id: track.artist_id for track in corpus.tracks} == {
        "a/one.ogg": "A", "two.mp3": "B", "three.wav": ""
    }  # fmt: skip
    assert all(track.split in ("train", "validation", "test") for track in corpus.tracks)


def test_the_album_is_read_too(music):
    tagged_ogg(music / "a/one.ogg", album="One")
    tagged_mp3(music / "two.mp3", TALB="Two")
    found = {track.path: track.album for track in read_metadata(str(music))}
    assert found == {"a/one.ogg": "One", "two.mp3": "Two", "three.wav": ""}


def test_placeholders_in_every_kind_of_file_are_no_tags(music):
    tagged_ogg(music / "a/one.ogg", genre="Unknown Genre", date="0000")
    tagged_mp3(music / "two.mp3", TCON="(12)", TMOO="N/A", TYER="9999")
    wave = mutagen.wave.WAVE(music / "three.wav")
    wave.add_tags()
    wave.tags.add(mutagen.id3.TCON(encoding=3, text=["(17)", "12"]))
    wave.save()
    assert tags_of(load(str(music), "", tags="metadata")) == {
        "a/one.ogg": set(), "two.mp3": set(), "three.wav": {"genre/rock"}
    }  # fmt: skip


def test_a_file_whose_metadata_cannot_be_read_has_no_tags(music):
    (music / "broken.mp3").write_bytes(b"ID3\x04" + bytes(range(200)))
    assert tags_of(load(str(music), "", tags="metadata"))["broken.mp3"] == set()


def test_a_folder_whose_files_say_nothing_is_refused(tmp_path):
    soundfile.write(tmp_path / "three.wav", SILENCE, RATE)
    with pytest.raises(UserError, match="notion 'genre' has no tag, nor has any other"):
        load(str(tmp_path), "", tags="metadata")


def test_sidecars_name_notions_artist_and_split(music):
    (music / "a/one.json").write_text(json.dumps({"genre": ["rock", " pop "], "mood": "calm", "artist": "A"}))
    (music / "two.mp3.json").write_text(json.dumps({"tempo": "fast", "split": "test"}))
    corpus = load(str(music), "", tags="json")
    assert tags_of(corpus) == {
        "a/one.ogg": {"genre/rock", "genre/pop", "mood/calm"}, "two.mp3": {"tempo/fast"}, "three.wav": set()
    }  # fmt: skip
    assert [(t.track_id, t.split) for t in corpus.tracks if t.track_id == "two.mp3"] == [("two.mp3", "test")]


def test_notions_of_sidecars_are_spelt_like_tags(music):
    """Most frequent; two keys of one sidecar are joined."""
    (music / "a/one.json").write_text(json.dumps({"genre": "rock", " Genre ": "pop"}))
    (music / "two.json").write_text(json.dumps({"genre": "Rock"}))
    (music / "three.json").write_text(json.dumps({"genre": "rock"}))
    found = tags_of(load(str(music), "", tags="json"))
    assert found == {"a/one.ogg": {"genre/rock", "genre/pop"}, "two.mp3": {"genre/rock"}, "three.wav": {"genre/rock"}}


def test_a_sidecar_is_found_in_either_unicode_form(tmp_path):
    soundfile.write(tmp_path / "Jo\u0301ga.wav", SILENCE, RATE)
    (tmp_path / "J\u00f3ga.json").write_text(json.dumps({"genre": "pop"}))
    assert tags_of(load(str(tmp_path), "", tags="json")) == {"Jo\u0301ga.wav": {"genre/pop"}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "list found, expected an object"),
        ("{", "not JSON"),
        ('{"genre": 7}', "'genre': 7 found, expected a text or a list of texts"),
        ('{"genre": ["a", 7]}', "expected a text or a list"),
        ('{"split": "all", "genre": "a"}', "split 'all' is none of"),
        ('{"artist": 1}', "artist 1, split None: both are texts"),
        ('{"artist": "\\ud83d"}', "not JSON .*surrogates"),
        ('{"": "a"}', "key '': a notion has no name"),
        ('{"  ": "a"}', "key '  ': a notion has no name"),
        ('{"\\u200b": "a"}', "a notion has no name"),
        ('{"mood/theme": "a"}', "key 'mood/theme': no slash"),
        ('{"log_mel": "a"}', "key 'log_mel': '_log_mel' is the end"),
        ('{"Artist": "a"}', "key 'Artist': .* lower case"),
        ('{"genre": "a", "genre": "b"}', "not JSON .*'genre' stands twice"),
    ],
)
def test_a_malformed_sidecar_is_named(music, text, message):
    (music / "two.json").write_text(text)
    with pytest.raises(UserError, match=f"two.json.*{message}"):
        load(str(music), "", tags="json")


def test_without_any_sidecar_the_folder_is_refused(music):
    with pytest.raises(UserError, match="no JSON file beside any of its 3 audio files"):
        load(str(music), "", tags="json")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_sidecar_that_is_no_file_is_none(music, make):
    (music / "two.json").write_text('{"genre": "jazz"}')
    make(music / "three.json")
    tags = {track.path: track.tags for track in read_sidecars(str(music))}
    assert tags == {"a/one.ogg": {}, "two.mp3": {"genre": ["jazz"]}, "three.wav": {}}


@pytest.mark.parametrize("error", [IndexError, ZeroDivisionError, RecursionError, MemoryError])
def test_whatever_the_reader_of_metadata_raises_the_file_has_no_tags(music, monkeypatch, error):
    def fail(*_, **__):
        raise error("odd")

    monkeypatch.setattr("mutagen.File", fail)
    assert all(not any(track.tags.values()) for track in read_metadata(str(music)))
