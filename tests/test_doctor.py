"""The table of a sound machine, and of machines on which one thing after another is broken."""

import builtins
import configparser
import importlib
import importlib.metadata
import importlib.util
import json
import re
import subprocess
import sys
import types

import pytest

from tfmir import doctor
from tfmir.doctor import DoctorParams, main
from tfmir.errors import UserError
from tfmir.stores import known as stores


@pytest.fixture
def examined(capsys, monkeypatch):
    """What -> (found, verdict), and the lines after the table."""
    monkeypatch.setattr(doctor, "_GIVEN", {})

    def examine():
        try:
            main(DoctorParams())
        except UserError as error:
            print(f"error: {error}")
        lines = capsys.readouterr().out.splitlines()
        cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines if line.startswith("|")]
        rows = {what.strip(): (found.strip(), verdict.strip()) for what, found, verdict in cells}
        return rows, [line for line in lines if line and not line.startswith("|")]

    return examine


def without(monkeypatch, *missing, broken=()):
    """A Python in which modules are not there, or raise when they are imported."""
    find, load = importlib.util.find_spec, importlib.import_module
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name in missing else find(name, *rest))

    def fail(name, *rest):
        if name in broken:
            raise ImportError(f"lib{name}.so: undefined symbol\nof | C++")
        return load(name, *rest)

    monkeypatch.setattr(importlib, "import_module", fail)
    real = builtins.__import__

    def fail_too(name, *rest, **more):
        if name.split(".")[0] in (*missing, *broken):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", fail_too)


def test_a_sound_machine_has_nothing_to_mend(examined):
    rows, lines = examined()
    assert not lines
    assert rows["Python"] == (sys.version.split()[0], "ok")
    assert rows["tensorflow"] == (importlib.metadata.version("tensorflow"), "ok")
    assert rows["faiss-cpu"][1] == rows["working directory"][1] == rows["wav, flac, ogg, mp3, aiff"][1] == "ok"
    assert {"GPUs", "arithmetic beside float32", "CPU cores", "memory free", "local files", "s3://", "az://"} < set(
        rows
    )


@pytest.mark.parametrize(
    ("module", "what", "verdict"),
    [
        ("av", "m4a, aac, alac, wma, webm", "missing: pip install 'tfmir[formats]'"),
        ("starlette", "page in a browser", "missing: pip install 'tfmir[page]'"),
        ("qdrant_client", "qdrant://", "missing: pip install 'tfmir[qdrant]'"),
        ("adlfs", "az://", "missing: pip install 'tfmir[az]'"),
        ("s3fs", "s3://", "missing: pip install 'tfmir[s3]'"),
        ("tensorflow_io", "tensorflow-io", "ok: fsspec reads stores without it"),
    ],
)
def test_what_is_optional_is_named_with_its_extra_and_is_no_fault(examined, monkeypatch, module, what, verdict):
    without(monkeypatch, module)
    monkeypatch.setattr("tensorflow.io.gfile.get_registered_schemes", lambda: ["", "gs"])
    rows, lines = examined()
    assert rows[what][1] == verdict
    assert rows["gs://"] == ("by TensorFlow", "ok")
    assert not lines


@pytest.mark.parametrize("module", ["tensorflow", "numpy", "soundfile", "faiss", "keras"])
@pytest.mark.parametrize("missing", [True, False])
def test_what_is_needed_is_to_be_mended_and_the_rest_is_still_looked_at(examined, monkeypatch, module, missing):
    without(monkeypatch, *[module] * missing, broken=[module] * (not missing))
    rows, lines = examined()
    name = {"faiss": "faiss-cpu"}.get(module, module)
    assert rows[name][0].startswith("not there" if missing else "does not load: ImportError: lib")
    assert rows[name][1].endswith(f"pip install --upgrade {name}")
    assert lines[0].startswith(f"to mend: {name}: ")
    assert lines[-1].startswith("error: tfmir does not work here before 1 of the above")
    assert "environment" not in rows
    assert "local files" in rows


@pytest.mark.parametrize(
    ("version", "good"), [("2.16.2", False), ("2.17.0", True), ("2.21.1", True), ("2.22.0", False)]
)
def test_another_tensorflow_is_told_with_the_range(examined, monkeypatch, version, good):
    real = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: version if name == "tensorflow" else real(name))
    rows, lines = examined()
    assert rows["tensorflow"][0] == version
    assert (rows["tensorflow"][1] == "ok") == good == (not lines)
    assert good or "pip install 'tensorflow>=2.17,<2.22'" in lines[0]


@pytest.mark.parametrize(("version", "good"), [((3, 9), False), ((3, 10), True), ((3, 13), True), ((3, 14), False)])
def test_another_python_is_told_with_the_range(monkeypatch, version, good):
    monkeypatch.setattr(doctor, "sys", types.SimpleNamespace(version_info=(*version, 0), getfilesystemencoding=str))
    row = next(doctor.python())
    assert (row.verdict, row.mend) == (("ok", False) if good else ("take Python 3.10 to 3.13", True))


@pytest.mark.parametrize(("free", "mend"), [(1.9e9, True), (2.0e9, False)])
def test_less_than_two_gigabytes_are_too_little(monkeypatch, free, mend):
    monkeypatch.setattr(doctor, "free_memory", lambda: free)
    assert [row.mend for row in doctor.machine()] == [False, mend]


def test_a_folder_that_cannot_be_written_to_is_told_but_a_home_is_not_needed(monkeypatch, tmp_path):
    def refuse(dir):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    rows = list(doctor.folders())
    assert [row.mend for row in rows] == [True, True, False]
    assert {row.found for row in rows} == {"cannot be written to: Permission denied"}


def test_secrets_are_never_shown(examined, monkeypatch):
    """Of a proxy not even its address, which may hold a password; nor what another program calls TF_something."""
    secrets = {
        "AWS_SECRET_ACCESS_KEY": "S",
        "https_proxy": "http://me:S@host",
        "TF_VAR_password": "S",
        "S3_ENDPOINT": "S",
    }
    given = {"KERAS_BACKEND": "jax", "TF_ENABLE_ONEDNN_OPTS": "a|b", "UNKNOWN": "S"}
    monkeypatch.setattr(doctor, "_GIVEN", secrets | given)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    rows, _ = examined()
    assert {name: rows[name][0] for name in secrets} == dict.fromkeys(secrets, "set")
    assert rows["KERAS_BACKEND"] == ("'jax'", "ok: commands override it")
    assert rows["TF_ENABLE_ONEDNN_OPTS"] == ("'a\\|b'", "ok")
    assert "UNKNOWN" not in rows


def test_a_probe_that_fails_is_a_row(examined, monkeypatch):
    def surprise():
        yield doctor.Row("one", "1")
        raise ZeroDivisionError("nobody\nthought of it")

    monkeypatch.setattr(doctor, "PROBES", (surprise, doctor.machine))
    rows, lines = examined()
    assert rows["one"] == ("1", "ok")
    assert rows["surprise"] == ("cannot be told: ZeroDivisionError: nobody thought of it", "–")
    assert "CPU cores" in rows
    assert not lines


def test_its_ranges_and_packages_are_those_of_the_project(repository):
    setup = configparser.ConfigParser()
    setup.read(repository / "setup.cfg")
    assert setup["options"]["python_requires"] == ">=3.10,<3.14"
    assert (doctor.PYTHONS[0], doctor.PYTHONS[1]) == ((3, 10), (3, 13))
    wanted = setup["options"]["install_requires"].split()
    assert f"tensorflow>=2.{doctor.TENSORFLOWS[0][1]},<2.{doctor.TENSORFLOWS[1][1] + 1}" in wanted
    names = {re.split(r"[\[<>=]", word)[0] for word in wanted}
    assert set(doctor._NEEDED.values()) - {"distributed"} <= names
    assert {"formats", "s3", "gs", "az", "io"} <= set(setup["options.extras_require"])
    assert {stores.extra_of(scheme) for scheme in stores.MODULES} <= set(setup["options.extras_require"])


def test_the_command_prints_one_table_and_nothing_else():
    result = subprocess.run([sys.executable, "-m", "tfmir.doctor"], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    assert {json.dumps(line[:2] + line[-2:]) for line in result.stdout.strip().splitlines()} == {'"|  |"'}
