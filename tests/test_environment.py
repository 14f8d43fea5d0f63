"""A command in the environments that users have: the same is said in each, and none ends it in a traceback."""

import os
import pathlib
import shlex
import subprocess
import sys
import warnings

import pytest

from tfmir import command, quiet


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """An environment, warnings and ways to find modules that a test may change."""
    monkeypatch.setattr(os, "environ", {"HOME": str(tmp_path)})
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setattr(sys, "warnoptions", [])
    with warnings.catch_warnings():
        yield os.environ


def quiet_modules():
    return {finder.name for finder in sys.meta_path if isinstance(finder, quiet._Finder)}


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, {"TF_ENABLE_ONEDNN_OPTS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}),
        ({"TF_ENABLE_ONEDNN_OPTS": "0"}, {"TF_ENABLE_ONEDNN_OPTS": "0"}),
        ({"TF_CPP_MIN_LOG_LEVEL": "1"}, {"TF_CPP_MIN_LOG_LEVEL": "1"}),
        ({"KERAS_BACKEND": "jax"}, {"KERAS_BACKEND": "tensorflow"}),
        ({"KERAS_HOME": "/home/anna/keras"}, {"KERAS_HOME": os.devnull}),
        ({"TF_USE_LEGACY_KERAS": "1"}, {"TF_USE_LEGACY_KERAS": "0"}),
        ({"MPLBACKEND": "module://matplotlib_inline.backend_inline"}, {"MPLBACKEND": "agg"}),
        ({"KERAS_MAX_EPOCHS": "1", "KERAS_MAX_STEPS_PER_EPOCH": "x"}, {"KERAS_MAX_EPOCHS": None}),
        ({"CUDA_VISIBLE_DEVICES": "1"}, {"CUDA_VISIBLE_DEVICES": "1", "NUMBA_CACHE_DIR": None}),
    ],
)
def test_what_would_change_the_results_is_overridden_and_the_rest_is_the_users(environment, given, found):
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, quiet._Finder)]
    environment.update(given)
    command.set_environment()
    assert {name: environment.get(name) for name in found} == found
    assert quiet_modules() == ({"tensorflow"} if environment["TF_CPP_MIN_LOG_LEVEL"] == "3" else set())


@pytest.mark.parametrize(
    ("home", "own", "moved"),
    [
        ("", {}, False),
        ("new", {}, False),
        ("file/below", {}, True),
        ("locked", {}, True),
        ("locked/new", {"NUMBA_CACHE_DIR": "/mine"}, True),
    ],
)
def test_caches_go_elsewhere_where_the_home_cannot_be_written_to(environment, tmp_path, monkeypatch, home, own, moved):
    """numba, and with it librosa, cannot be imported without a place for its cache."""
    (tmp_path / "file").touch()
    (tmp_path / "locked").mkdir()
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: real(path, mode) and "locked" not in os.fspath(path))
    environment.update({"HOME": str(tmp_path / home)} | own)
    command.set_environment()
    assert ("MPLCONFIGDIR" in environment) == ("NUMBA_CACHE_DIR" in environment) == moved
    if moved:
        assert os.path.isdir(environment["MPLCONFIGDIR"])
        assert environment["NUMBA_CACHE_DIR"] == own.get("NUMBA_CACHE_DIR", environment["MPLCONFIGDIR"])


def test_a_warning_of_a_library_ends_no_command(environment):
    environment["PYTHONWARNINGS"] = "error"
    sys.warnoptions[:] = ["error", "ignore::FutureWarning", "error::UserWarning"]
    warnings.simplefilter("error")
    warnings.filterwarnings("error", category=UserWarning)
    command.set_environment()
    warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert sys.warnoptions == ["ignore::FutureWarning"]  # what child processes are told
    assert "PYTHONWARNINGS" not in environment


SAYS = """
import dataclasses, sys, warnings
from tfmir import command
P = dataclasses.make_dataclass("P", [])
def main(_):
    warnings.warn("old")
    print("Gr\\u00fcn", sys.getfilesystemencoding(), sys.flags.optimize)
command.run(main, P)
"""


def say(*words, environment=None, then="", code=SAYS, flags=()):
    """A command in a shell: its exit code and what it has printed. Words of the shell come after it."""
    line = " ".join([shlex.quote(sys.executable), *flags, "-c", shlex.quote(code), *words, then])
    names = {name: value for name, value in os.environ.items() if name not in ("LC_ALL", "PYTHONUTF8")}
    names["PYTHONPATH"] = str(pathlib.Path(command.__file__).parent.parent)
    # dash, unlike bash, knows no pipefail: the command's own code goes to the end of its standard error
    result = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], capture_output=True, env=names | (environment or {})
    )
    return result.returncode, result.stdout.decode(), result.stderr.decode()


@pytest.mark.parametrize(
    ("environment", "flags", "said"),
    [
        ({"LC_ALL": "C"}, [], "Grün utf-8 0\n"),
        ({"LC_ALL": "POSIX", "PYTHONUTF8": "0"}, [], "Grün utf-8 0\n"),
        ({"PYTHONIOENCODING": "ascii"}, [], "Gr\\xfcn utf-8 0\n"),
        ({"PYTHONOPTIMIZE": "2"}, [], "Grün utf-8 1\n"),
        ({"PYTHONOPTIMIZE": "2", "LC_ALL": "C", "PYTHONUTF8": "0"}, [], "Grün utf-8 1\n"),
        ({"PYTHONWARNINGS": "error"}, [], "Grün utf-8 0\n"),
        ({}, ["-W", "error"], "Grün utf-8 0\n"),
        ({"HOME": "/dev/null/nowhere", "TMPDIR": "/nowhere", "http_proxy": "http://127.0.0.1:1"}, [], "Grün utf-8 0\n"),
    ],
)
def test_a_command_says_the_same_in_every_environment(environment, flags, said):
    code, out, err = say(environment=environment, flags=flags)
    assert (code, out) == (0, said)
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("then", "code", "out"),
    [
        ("<&-", 0, "Grün utf-8 0\n"),
        (">&-", 0, ""),
        ("<&- >&- 2>&-", 0, ""),
        ("--bogus <&- >&- 2>&-", 2, ""),
        ("> /dev/full", 2, ""),
        ("> /dev/full 2> /dev/full", 2, ""),
        ("--help > /dev/full", 2, ""),
        ("| true", 0, ""),
        ("--help | true", 0, ""),
        ("--bogus 2>&1 | true", 2, ""),
    ],
)
def test_streams_that_are_closed_full_or_unread_end_no_command_in_a_traceback(then, code, out):
    found, printed, err = say(then=then)
    assert (found, printed) == (code, out)
    assert not [line for line in err.splitlines() if "Traceback" in line or "Exception ignored" in line]


def test_without_docstrings_there_is_help_but_no_tensorflow():
    """python -OO, which no variable of the environment can take back."""
    code, out, err = say(flags=["-OO"])
    assert (code, out) == (2, "")
    assert err == "error: python -OO drops the docstrings, which TensorFlow reads: leave it out, or take -O\n"
    words = [sys.executable, "-OO", "-m", "tfmir.search", "--help"]
    assert "Finds what sounds like a song" in subprocess.run(words, capture_output=True, text=True).stdout


def test_keras_is_as_the_models_need_it_whatever_the_home_says(tmp_path):
    """The user's file asks for another backend, layout and precision; it is neither read nor written."""
    (tmp_path / ".keras").mkdir()
    asked = '{"backend": "jax", "floatx": "float64", "image_data_format": "channels_first", "epsilon": 0.5}'
    (tmp_path / ".keras/keras.json").write_text(asked)
    facts = "c.backend(), c.floatx(), c.image_data_format(), c.epsilon(), tf.keras.__version__ == keras.__version__"
    code = SAYS.replace("print(", f"import keras, tensorflow as tf; c = keras.config; print({facts}); print(")
    environment = {"HOME": str(tmp_path), "KERAS_BACKEND": "torch", "TF_USE_LEGACY_KERAS": "1"}
    found, out, err = say(code=code, environment=environment | {"PYTHONWARNINGS": "error"})
    assert (found, out.splitlines()[0]) == (0, "tensorflow float32 channels_last 1e-07 True"), err
    assert (tmp_path / ".keras/keras.json").read_text() == asked


def test_a_module_that_is_imported_leaves_the_environment_alone():
    """In a notebook, say: only commands change it."""
    code = "import os, sys; before = dict(os.environ)\nimport tfmir.command, tfmir.search, tfmir.train\n"
    code += "assert before == os.environ and not [f for f in sys.meta_path if type(f).__module__ == 'tfmir.quiet']"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
