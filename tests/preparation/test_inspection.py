import dataclasses
import hashlib
import json
import struct
import subprocess

import numpy as np
import pytest
import soundfile

from tfmir.corpora.corpus import Corpus, Track
from tfmir.preparation import inspection
from tfmir.preparation.inspection import _inspect_isolated, _length_by_metadata, inspect_corpus, inspect_files
from tfmir.preparation.survey import FileFacts
from tfmir.vocabulary import Vocabulary

RATE = 22050


def wav(path, secs, rate=RATE):
    soundfile.write(path, np.zeros(int(secs * rate)), rate)
    return path


def atom(name, body):
    return struct.pack(">I", 8 + len(body)) + name + body


def m4a(path, ticks, per_second):
    """As short as an MP4 file of sound can be: a track with its clock and no sound; libsndfile cannot open it."""
    clock = atom(b"mdhd", struct.pack(">5I", 0, 0, 0, per_second, ticks) + bytes(4))
    media = atom(b"mdia", clock + atom(b"hdlr", bytes(8) + b"soun" + bytes(13)))
    path.write_bytes(atom(b"ftyp", b"M4A \0\0\0\0") + atom(b"moov", atom(b"trak", media)))
    return path


def endless_flac(path):
    """As of an encoder that writes to a pipe: the 36 bits of the number of samples are 0."""
    soundfile.write(path, np.zeros(RATE, np.float32), RATE)
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    path.write_bytes(data)
    return path


def facts(path):
    (found,) = inspect_files([("id", str(path))])
    assert found.track_id == "id"
    return found


def test_checksum_and_length_by_hand(tmp_path):
    """16 000 samples at 8 kHz are 2 s; 33 075 at 22 050 Hz are 1.5 s."""
    for path, secs in ((wav(tmp_path / "a.wav", 2, 8000), 2.0), (wav(tmp_path / "b.flac", 1.5), 1.5)):
        assert facts(path) == FileFacts("id", hashlib.sha256(path.read_bytes()).hexdigest(), secs)


def test_the_length_of_what_libsndfile_cannot_open_is_in_its_metadata(tmp_path):
    """2500 ticks of a millisecond, and 5 of half a second."""
    for ticks, per_second in ((2500, 1000), (5, 2)):
        path = m4a(tmp_path / "a.m4a", ticks, per_second)
        with pytest.raises(soundfile.LibsndfileError):
            soundfile.info(path)
        assert _length_by_metadata(str(path)) == facts(path).secs == 2.5
        assert not facts(path).problem


def test_metadata_and_header_agree(tmp_path):
    for name in ("a.wav", "a.flac", "a.ogg"):
        assert _length_by_metadata(str(wav(tmp_path / name, 2.5))) == pytest.approx(2.5)


@pytest.mark.parametrize("data", [b"", b"no music", b"ID3\x04" + bytes(range(200)), b"\0\0\0\x20ftypM4A "])
def test_what_has_no_metadata_has_no_length(tmp_path, data):
    (tmp_path / "a.m4a").write_bytes(data)
    assert _length_by_metadata(str(tmp_path / "a.m4a")) == 0.0
    assert _length_by_metadata(str(tmp_path / "absent.m4a")) == 0.0


PROBLEMS = {
    "absent.wav": (lambda path: None, "missing"),
    "empty.wav": (lambda path: path.touch(), "empty: 0 bytes"),
    "text.mp3": (lambda path: path.write_text("no music"), "unreadable: no header of an audio file"),
    "headerless.raw": (lambda path: path.write_bytes(bytes(9000)), "unreadable: no header of an audio file"),
    "stream.flac": (endless_flac, "unreadable: no header of an audio file"),
    "header.wav": (lambda path: wav(path, 0), "unreadable: no header of an audio file"),
    "folder.wav": (lambda path: path.mkdir(), "unreadable: "),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_problem_has_a_name(tmp_path, name):
    make, problem = PROBLEMS[name]
    make(tmp_path / name)
    found = facts(tmp_path / name)
    assert found.problem.startswith(problem)
    assert found.secs == 0
    assert bool(found.sha256) == (problem.endswith("audio file"))


def test_a_corpus_is_looked_at_in_parts_and_no_file_is_left_out(tmp_path, monkeypatch):
    """250 tracks in parts of 100; a part that kills its workers is looked at file by file."""
    calls = []

    def run_tasks(function, tasks, *, sizes, instead, **_):
        calls.append((function, sizes, instead))
        yield from (function(*task) for task in tasks)

    monkeypatch.setattr(inspection, "run_tasks", run_tasks)
    tracks = [Track(f"t{i}", str(tmp_path / f"{i}.wav"), "train", ()) for i in range(250)]
    wav(tmp_path / "7.wav", 1)
    found = inspect_corpus(Corpus("c", "l", Vocabulary.from_dict({"g": ["a"]}), tuple(tracks)))
    assert calls == [(inspect_files, [100, 100, 50], _inspect_isolated)]
    assert [fact.track_id for fact in found] == [track.track_id for track in tracks]
    assert {fact.track_id for fact in found if not fact.problem} == {"t7"}


def test_a_file_that_kills_its_process_is_named_and_the_others_are_looked_at(monkeypatch):
    good = FileFacts("good", "abc", 2.0)

    def run(call, **_):
        dies = "poison" in call[-1]
        return subprocess.CompletedProcess(
            call, -11 if dies else 0, b"" if dies else json.dumps(dataclasses.asdict(good))
        )

    monkeypatch.setattr("subprocess.run", run)
    found = _inspect_isolated([("bad", "poison.wav"), ("good", "good.wav")])
    assert found == [FileFacts("bad", problem="kills the process that opens it"), good]
