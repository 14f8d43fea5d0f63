"""With stand-ins for TensorFlow that write to file descriptor 2, as C++ does."""

import importlib
import importlib.util
import os
import subprocess
import sys

import pytest

from tfmir import quiet

NOISE = """\
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795612961.068428   28623 port.cc:153] oneDNN custom operations are on.
I1125 13:48:20.123456   28623 cudart_stub.cc:31] Could not find cuda drivers on your machine, GPU will not be used.
2026-11-25 13:22:54.434034: I external/local_xla/xla/tsl/cuda/cudart_stub.cc:32] Could not find cuda drivers
2026-11-25 13:22:54.444815: E external/local_xla/xla/stream_executor/cuda/cuda_fft.cc:485] Unable to register cuFFT
I0000 00:00:1795612961.581824   28623 cpu_feature_guard.cc:227] This TensorFlow binary is optimized to use available
To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow with the compiler flags.
"""
REAL = "F0000 00:00:1795612961.1 1 cpu.cc:1] no AVX\nTraceback: I0000 is meant\nfree(): invalid pointer\n"


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Makes a module that says something on descriptor 2 while it is imported, and forgets it afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))

    def make(name, said, then=""):
        (tmp_path / name).mkdir()
        (tmp_path / name / "text.txt").write_text("data")
        (tmp_path / name / "__init__.py").write_text(f"import os\nos.write(2, {said.encode()!r})\n{then}\n")
        monkeypatch.delitem(sys.modules, name, raising=False)
        quiet.importing(name)
        return name

    return make


def test_log_lines_are_left_out_and_everything_else_is_said(stand_in, capfd):
    importlib.import_module(stand_in("noisy", NOISE + REAL + NOISE + "no end"))
    assert capfd.readouterr().err == REAL + "no end"
    os.write(2, NOISE.encode())  # what is said later is none of its business
    assert capfd.readouterr().err == NOISE


def test_what_python_prints_meanwhile_keeps_its_place():
    code = "import os, sys; from tfmir import quiet\nsay = lambda word: print(word, file=sys.stderr)\nsay('before')\n"
    code += "with quiet.without_log_lines(): os.write(2, b'one\\n'); say('two'); os.write(2, b'three\\n')\nsay('after')"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stderr.split() == ["before", "one", "two", "three", "after"]


@pytest.mark.parametrize("error", ["ImportError('no AVX')", "KeyboardInterrupt()"])
def test_of_an_import_that_fails_nothing_is_left_out(stand_in, capfd, error):
    name = stand_in(f"broken_{error[:3]}", NOISE, f"raise {error}")
    with pytest.raises((ImportError, KeyboardInterrupt)):
        importlib.import_module(name)
    assert capfd.readouterr().err == NOISE
    os.write(2, b"still here\n")
    assert capfd.readouterr().err == "still here\n"


def test_only_the_module_itself_is_quiet_and_it_does_not_know(stand_in, capfd):
    """Also after somebody has only asked whether it is there; its data and its source are found as ever."""
    name = stand_in("asked", NOISE)
    quiet.importing(name)
    assert importlib.util.find_spec(name).origin.endswith("__init__.py")
    module = importlib.import_module(name)
    assert not capfd.readouterr().err
    assert type(module.__loader__).__module__ == type(module.__spec__.loader).__module__ == "_frozen_importlib_external"
    assert module.__loader__.get_data(f"{module.__path__[0]}/text.txt") == b"data"
    assert importlib.util.find_spec("quiet_nowhere") is None
    assert sum(isinstance(finder, quiet._Finder) and finder.name == name for finder in sys.meta_path) == 1


def test_what_is_not_there_is_not_found(monkeypatch):
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    quiet.importing("quiet_nowhere")
    with pytest.raises(ModuleNotFoundError, match="quiet_nowhere"):
        importlib.import_module("quiet_nowhere")


def test_with_standard_error_closed_there_is_nothing_to_turn_aside():
    code = "import os; os.close(2)\nfrom tfmir import quiet\nwith quiet.without_log_lines(): print('inside')"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, "inside\n")
