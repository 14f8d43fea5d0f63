"""A file whose decoder crashes, hangs or eats memory; libsndfile is made to do so for files of certain names."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile

from tfmir.data.audio import AudioError, decode, remarks
from tfmir.data.records import load_manifest
from tfmir.preparation import isolation
from tfmir.preparation.isolation import decode_isolated

RATE = 22050
POISON = """
import os, signal, time
import soundfile

class Poisoned(soundfile.SoundFile):
    def __init__(self, file, *args, **kwargs):
        name = os.path.basename(str(file))
        if "poison" in name:
            os.kill(os.getpid(), signal.SIGSEGV)
        if "hang" in name:
            time.sleep(60)
        if "greedy" in name:
            bytearray(8 << 30)
        super().__init__(file, *args, **kwargs)

soundfile.SoundFile = Poisoned
"""


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


def test_a_crash_a_hang_and_a_greedy_decoder_are_reasons_too(poisoned, monkeypatch):
    with pytest.raises(AudioError, match=r"kills the process that decodes it \(SIGSEGV\)"):
        isolated(poisoned / "poison.wav")
    with pytest.raises(AudioError, match="MemoryError"):
        isolated(poisoned / "greedy.wav")
    monkeypatch.setattr(isolation, "_TIMEOUT_SECS", 2)
    with pytest.raises(AudioError, match="does not end: given up after 2 s"):
        isolated(poisoned / "hang.wav")


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
    assert "poison.wav: kills the process that opens it" in result.stdout
    assert "good.wav" not in result.stdout.split("What to mend")[1].split("unreadable")[1]


def test_what_is_remarked_in_the_child_is_remarked_here(tmp_path, monkeypatch):
    said_there = b"noise\nremark: used as far as it goes\n"
    done = subprocess.CompletedProcess([], 0, np.ones(3, np.float32).tobytes(), said_there)
    monkeypatch.setattr("subprocess.run", lambda *_, **__: done)
    with remarks() as said:
        np.testing.assert_array_equal(isolated(tmp_path / "a.wav"), [1, 1, 1])
    assert said == ["used as far as it goes"]
