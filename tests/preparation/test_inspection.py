import hashlib
import os
import re

import numpy as np
import pytest
import soundfile

from tests.fixtures.odd_audio import POISON, wav
from tfmir.corpora.corpus import Corpus, Track
from tfmir.data.audio import AudioError, decode
from tfmir.preparation import inspection
from tfmir.preparation.inspection import _inspect_isolated, inspect_corpus, inspect_files
from tfmir.preparation.survey import FileFacts
from tfmir.vocabulary import Vocabulary

RATE = 22050


def silence(path, secs, rate=RATE):
    soundfile.write(path, np.zeros(int(secs * rate)), rate)
    return path


def facts(path):
    (found,) = inspect_files([("id", str(path))])
    assert found.track_id == "id"
    return found


def test_checksum_and_length_by_hand(tmp_path):
    """16 000 samples at 8 kHz are 2 s; 33 075 at 22 050 Hz are 1.5 s."""
    for path, secs in ((silence(tmp_path / "a.wav", 2, 8000), 2.0), (silence(tmp_path / "b.flac", 1.5), 1.5)):
        assert facts(path) == FileFacts("id", hashlib.sha256(path.read_bytes()).hexdigest(), secs)


def test_what_libsndfile_cannot_open_has_a_length_too(tmp_path, encode):
    path = tmp_path / "a.m4a"
    encode(path, np.zeros(2 * RATE, np.float32), "alac", container="ipod")
    assert facts(path) == FileFacts("id", hashlib.sha256(path.read_bytes()).hexdigest(), pytest.approx(2.0))


def test_without_the_extra_it_is_unreadable_and_the_problem_names_what_to_install(tmp_path, encode, monkeypatch):
    encode(tmp_path / "a.m4a", np.zeros(2 * RATE, np.float32), "alac", container="ipod")
    monkeypatch.setattr("tfmir.data.ffmpeg.is_installed", lambda: False)
    assert re.match(r"cannot be decoded: .*pip install 'tfmir\[formats\]'", facts(tmp_path / "a.m4a").problem)


PROBLEMS = {
    "absent.wav": (lambda path: None, "missing: no such file"),
    "empty.wav": (lambda path: path.touch(), "empty: 0 bytes"),
    "text.mp3": (lambda path: path.write_text("no music"), "cannot be decoded: "),
    "headerless.raw": (lambda path: path.write_bytes(bytes(9000)), "cannot be decoded: "),
    "header.wav": (lambda path: silence(path, 0), "no samples: "),
    "folder.wav": (lambda path: path.mkdir(), "not a file: a folder"),
    "dangling.wav": (lambda path: path.symlink_to("nowhere"), "missing: a link that leads nowhere"),
    "pipe.wav": (os.mkfifo, "not a file: a pipe"),
    "fast.wav": (lambda path: path.write_bytes(wav(claimed_rate=2_000_000_000)), "its header claims 2000000000 Hz"),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_problem_has_a_name(tmp_path, name):
    make, problem = PROBLEMS[name]
    make(tmp_path / name)
    found = facts(tmp_path / name)
    assert found.problem.startswith(problem)
    assert found.secs == 0
    assert bool(found.sha256) == (name in ("text.mp3", "headerless.raw", "header.wav", "fast.wav"))
    with pytest.raises(AudioError) as told:
        decode(str(tmp_path / name), sample_rate=RATE)
    assert found.problem == str(told.value)  # prepare rejects it with the same words


def test_a_corpus_is_looked_at_in_parts_and_no_file_is_left_out(tmp_path, monkeypatch):
    """250 tracks in parts of 100; a part that kills its workers is looked at file by file."""
    calls = []

    def run_tasks(function, tasks, *, sizes, instead, **_):
        calls.append((function, sizes, instead))
        yield from (function(*task) for task in tasks)

    monkeypatch.setattr(inspection, "run_tasks", run_tasks)
    tracks = [Track(f"t{i}", str(tmp_path / f"{i}.wav"), "train", ()) for i in range(250)]
    silence(tmp_path / "7.wav", 1)
    found = inspect_corpus(Corpus("c", "l", Vocabulary.from_dict({"g": ["a"]}), tuple(tracks)))
    assert calls == [(inspect_files, [100, 100, 50], _inspect_isolated)]
    assert [fact.track_id for fact in found] == [track.track_id for track in tracks]
    assert {fact.track_id for fact in found if not fact.problem} == {"t7"}


def test_a_file_that_kills_its_process_is_named_and_the_others_are_looked_at(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(POISON)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    tracks = [(name, str(silence(tmp_path / f"{name}.wav", 2))) for name in ("good", "poison", "well")]
    good, bad, well = _inspect_isolated(tracks)
    assert [good, well] == inspect_files([tracks[0], tracks[2]])
    assert bad.problem == "kills the process that decodes it (SIGSEGV): tried twice"
    assert (bad.track_id, bad.secs, len(bad.sha256)) == ("poison", 0.0, 64)
