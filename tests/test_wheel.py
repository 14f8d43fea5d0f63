"""The wheel, installed where the repository is not: it holds every module and file, and its commands do their work."""

import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile

import pytest


def call(folder, python, *words):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run([python, *words], cwd=folder, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, f"{words}\n{result.stdout[-1000:]}\n{result.stderr[-2000:]}"
    return result.stdout


@pytest.fixture(scope="module")
def wheel(repository, tmp_path_factory):
    """Built from a copy: what an earlier build has left behind must not be in it."""
    here = tmp_path_factory.mktemp("wheel")
    parts = ("tfmir", "launch", "docs", "setup.cfg", "setup.py", "pyproject.toml", "README.md")
    for name in parts:
        source = repository / name
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, here / name, ignore=ignored) if source.is_dir() else shutil.copy(source, here / name)
    call(here, sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", "dist", ".")
    return next((here / "dist").glob("*.whl"))


@pytest.fixture(scope="module")
def elsewhere(wheel, tmp_path_factory):
    """An interpreter with the wheel and what it needs, and an empty folder to work in."""
    home = tmp_path_factory.mktemp("elsewhere")
    venv.create(home / "venv", with_pip=False)
    python = home / "venv/bin/python"
    packages = next((home / "venv").glob("lib/python*/site-packages"))
    # The dependencies of these tests, and not their editable install, whose .pth file is not read from here.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    call(home, sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", wheel)
    (home / "work").mkdir()
    return home / "work", python


def test_it_holds_every_module_and_every_file_that_comes_with_tfmir(wheel, repository):
    found = set(zipfile.ZipFile(wheel).namelist())
    modules = {str(path.relative_to(repository)) for path in (repository / "tfmir").rglob("*.py")}
    tables = {str(path.relative_to(repository)) for path in (repository / "tfmir").rglob("*.tsv")}
    page = {str(path.relative_to(repository)) for path in (repository / "tfmir/serving/page/static").iterdir()}
    launch = {f"tfmir/{path.relative_to(repository)}" for path in (repository / "launch").glob("*.flags")}
    assert (
        modules | tables | page | launch | {f"tfmir/docs/comparison/{name}.csv" for name in ("contrasts", "published")}
        <= found
    )


def test_it_prepares_the_demo_trains_two_steps_and_searches_in_an_empty_folder(elsewhere):
    folder, python = elsewhere
    where = call(folder, python, "-c", "import tfmir; print(tfmir.__file__)").strip()
    assert pathlib.Path(where).is_relative_to(folder.parent)
    demo = ["--flagfile=launch/proxy.flags", "--flagfile=launch/demo.flags"]
    call(folder, python, "-m", "tfmir.prepare", "--corpus=demo", "--demo_scale=0.02", "--workers=2")
    tiny = ["--encoder=statistics", "--width_multiplier=0.0625", "--batch_size=4", "--steps_per_epoch=2", "--epochs=1"]
    call(folder, python, "-m", "tfmir.train", *demo, *tiny)
    found = call(folder, python, "-m", "tfmir.search", "--run=runs/proxy", "--like=test/00002.flac", "--weights=mood=1")
    assert "like test/00002.flac" in found
    assert "1.  test/" in found
    assert {path.name for path in folder.iterdir()} == {"audio", "runs", "tfrecords"}
