"""A file whose decoder crashes, hangs or eats memory; libsndfile is made to do so for files of certain names."""

import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile

from tests.fixtures.odd_audio import POISON
from tfmir.data import isolation
from tfmir.data.audio import AudioError, decode, remarks, seconds
from tfmir.data.decoding import Task
from tfmir.data.isolation import decode_ahead, decode_isolated
from tfmir.data.manifest import load_manifest

RATE = 22050


@pytest.fixture
def poisoned(tmp_path, monkeypatch):
    """A folder of two good tracks and one that kills whoever decodes it."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(POISON)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    folder = tmp_path / "audio"
    folder.mkdir()
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, RATE * 4).astype(np.float32)
    for name in ("good", "hang", "greedy", "poison", "well"):
        soundfile.write(folder / f"{name}.wav", noise, RATE)
    (folder / "annotations.csv").write_text("path,split,genre\n" + "".join(
        f"{name}.wav,{split},rock\n" for name, split in (("good", "train"), ("poison", "train"), ("well", "validation"))
    ))  # fmt: skip
    return folder


def isolated(path):
    return decode_isolated(str(path), sample_rate=RATE, max_secs=60.0)


def test_a_good_file_is_the_same_and_a_bad_one_gives_its_reason(poisoned):
    path = poisoned / "good.wav"
    np.testing.assert_array_equal(isolated(path), decode(str(path), sample_rate=RATE))
    with pytest.raises(AudioError, match=r"^missing: no such file$"):
        isolated(poisoned / "absent.wav")


def test_a_crash_a_hang_and_a_greedy_decoder_are_reasons_too(poisoned):
    with pytest.raises(AudioError, match=r"kills the process that decodes it \(SIGSEGV\)"):
        isolated(poisoned / "poison.wav")
    with pytest.raises(AudioError, match="MemoryError"):
        isolated(poisoned / "greedy.wav")
    with pytest.raises(AudioError, match="does not end: given up after 2 s"):
        decode_isolated(str(poisoned / "hang.wav"), sample_rate=RATE, timeout_secs=2)


def test_a_file_that_kills_its_worker_costs_one_line_and_no_shard(poisoned, tmp_path):
    flags = ["--corpus=folder", f"--audio_dir={poisoned}", f"--output={tmp_path}/out", "--max_rejected_fraction=0.5"]
    result = subprocess.run(
        [sys.executable, "-m", "tfmir.prepare", *flags, "--workers=1"], capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stderr
    rows = (tmp_path / "out/rejected.tsv").read_text().splitlines()[1:]
    assert [row.split("\t")[0] for row in rows] == ["poison.wav"]
    assert "kills the process that decodes it (SIGSEGV): tried twice" in rows[0]
    splits = load_manifest(str(tmp_path / "out")).splits
    assert {name: split.tracks for name, split in splits.items()} == {"train": 1, "validation": 1, "test": 0}
    assert sorted(path.name for path in (tmp_path / "out").glob(".*")) == []


def test_a_file_that_kills_its_worker_is_named_in_the_report(poisoned, tmp_path):
    flags = ["--corpus=folder", f"--audio_dir={poisoned}", f"--output={tmp_path}/out", "--report", "--workers=1"]
    result = subprocess.run(
        [sys.executable, "-m", "tfmir.prepare", *flags], capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stderr
    assert "poison.wav: kills the process that decodes it (SIGSEGV): tried twice" in result.stdout
    assert "good.wav" not in result.stdout.split("What to mend")[1].split("unreadable")[1]


def test_what_is_remarked_in_the_child_is_remarked_here(tmp_path, mp3):
    """40 s, whose header promises eight frames of 576 samples more: 0.2 s."""
    data = mp3(np.zeros(RATE * 40, np.float32))
    at = max(data.find(b"Xing"), data.find(b"Info")) + 8
    data = data[:at] + (int.from_bytes(data[at : at + 4], "big") + 8).to_bytes(4, "big") + data[at + 4 :]
    (tmp_path / "a.mp3").write_bytes(data)
    with remarks() as said:
        assert len(isolated(tmp_path / "a.mp3")) / RATE == pytest.approx(40, abs=0.1)
    assert said == ["used as far as it goes: the header promises 40.2 s, found 40.0 s"]


def test_one_child_decodes_them_all_in_order_and_those_that_end_it_are_tried_twice(poisoned, tmp_path):
    """Each sign of the log is a start of Python: one to begin with, two for either poison (that of the second try is
    of the next file too, if it lives)."""
    log = tmp_path / "starts"
    with (tmp_path / "site/sitecustomize.py").open("a") as site:
        site.write(f"open({str(log)!r}, 'a').write('x')\n")
    names = ["good", "poison", "absent", "poison", "well", "good"]
    answers = list(decode_ahead(Task(str(poisoned / f"{name}.wav"), RATE) for name in names))
    killed = "kills the process that decodes it (SIGSEGV): tried twice"
    assert [answer.problem for answer in answers] == ["", killed, "missing: no such file", killed, "", ""]
    for answer, name in zip(answers, names, strict=True):
        if not answer.problem:
            np.testing.assert_array_equal(answer.waveform, decode(str(poisoned / f"{name}.wav"), sample_rate=RATE))
    assert len(log.read_text()) == 1 + 1 + 2 + 1


def test_a_file_is_not_blamed_for_the_end_that_another_has_left_behind(poisoned, tmp_path):
    """The child ends at the second file it opens, whichever that is: tried again, it is the first of another child."""
    (tmp_path / "site/sitecustomize.py").write_text(SECOND)
    answers = list(decode_ahead(Task(str(poisoned / "good.wav"), RATE) for _ in range(4)))
    assert [(answer.problem, len(answer.waveform)) for answer in answers] == [("", RATE * 4)] * 4


SECOND = """
import os, signal
import soundfile

class Second(soundfile.SoundFile):
    opened = 0

    def __init__(self, file, *args, **kwargs):
        Second.opened += 1
        if Second.opened == 2:
            os.kill(os.getpid(), signal.SIGABRT)
        super().__init__(file, *args, **kwargs)

soundfile.SoundFile = Second
"""


def test_a_child_that_cannot_begin_is_a_reason(poisoned, monkeypatch):
    monkeypatch.setattr(isolation, "_CHILD", "tfmir.nothing")
    with pytest.raises(AudioError, match=r"^ends the process that decodes it \(.*No module named tfmir.nothing\): "):
        isolated(poisoned / "good.wav")


def test_what_a_decoder_prints_is_no_answer(poisoned, tmp_path):
    (tmp_path / "site/sitecustomize.py").write_text(POISON.replace("super()", "os.write(1, b'hello\\n'); super()"))
    assert len(isolated(poisoned / "good.wav")) == RATE * 4


def test_the_child_is_ahead_while_the_caller_works(poisoned, tmp_path):
    """The second file takes its second while the caller rests; the child has ended when the caller stops."""
    (tmp_path / "site/sitecustomize.py").write_text(POISON.replace("time.sleep(60)", "time.sleep(1)"))
    answers = decode_ahead(Task(str(poisoned / f"{name}.wav"), RATE) for name in ("good", "hang", "well"))
    next(answers)
    time.sleep(1.5)
    start = time.monotonic()
    next(answers)
    assert time.monotonic() - start < 0.5
    answers.close()


def test_the_length_alone_may_be_asked_for(poisoned):
    tasks = [Task(str(poisoned / f"{name}.wav")) for name in ("good", "poison", "absent")]
    good, poison, absent = decode_ahead(tasks)
    assert (good.problem, good.secs, len(good.waveform)) == ("", seconds(tasks[0].path), 0)
    assert poison.problem == "kills the process that decodes it (SIGSEGV): tried twice"
    assert absent.problem == "missing: no such file"


@pytest.mark.parametrize("name", ["new\nline.wav", "tab\t\N{GUITAR}.wav", "[a] 100%s#.wav", '"quoted".wav'])
def test_odd_names_reach_the_child(poisoned, name):
    path = (poisoned / "good.wav").rename(poisoned / name)
    assert len(isolated(path)) == RATE * 4


def test_a_remote_file_is_decoded_from_a_copy(poisoned):
    tasks = [Task(f"file://{poisoned}/{name}.wav", RATE) for name in ("good", "absent", "well")]
    assert [answer.problem for answer in decode_ahead(tasks)] == ["", "missing: no such file", ""]
