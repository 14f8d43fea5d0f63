"""The decoder by itself, and as the process that `isolation.py` begins."""

import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from tfmir.data.audio import decode
from tfmir.data.decoding import Task, decode_here
from tfmir.data.isolation import decode_ahead

RATE = 22050


@pytest.fixture
def good(tmp_path):
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, RATE * 4).astype(np.float32)
    soundfile.write(tmp_path / "good.wav", wave, RATE)
    return tmp_path / "good.wav"


def test_a_waveform_a_length_or_a_reason(good, tmp_path):
    found = decode_here(Task(str(good), RATE, 2.0))
    np.testing.assert_array_equal(found.waveform, decode(str(good), sample_rate=RATE, max_secs=2.0))
    assert (found.problem, len(found.waveform)) == ("", 2 * RATE)
    assert decode_here(Task(str(good))).secs == 4.0
    (tmp_path / "text.wav").write_text("hello")
    assert decode_here(Task(str(tmp_path / "text.wav"), RATE)).problem


def test_the_process_answers_line_by_line_and_says_the_same(good, tmp_path):
    tasks = [Task(str(good), RATE), Task(str(tmp_path / "absent.wav"), RATE), Task(str(good))]
    lines = "".join(json.dumps(vars(task)) + "\n" for task in tasks)
    call = [sys.executable, "-m", "tfmir.data.decoding"]
    said = subprocess.run(call, input=lines.encode(), capture_output=True, check=True).stdout
    for here in map(decode_here, tasks):
        head, _, said = said.partition(b"\n")
        facts, size = json.loads(head), 4 * len(here.waveform)
        assert (facts["problem"], facts["secs"], facts["samples"]) == (here.problem, here.secs, len(here.waveform))
        np.testing.assert_array_equal(np.frombuffer(said[:size], np.float32), here.waveform)
        said = said[size:]
    assert not said


def test_in_this_process_the_answers_are_those_of_the_child(good, tmp_path):
    tasks = [Task(str(path), RATE, 60.0) for path in (good, tmp_path / "absent.wav")]
    for here, there in zip(map(decode_here, tasks), decode_ahead(tasks), strict=True):
        assert (here.problem, here.remarks) == (there.problem, there.remarks)
        np.testing.assert_array_equal(here.waveform, there.waveform)
