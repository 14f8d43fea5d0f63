"""The house: imports run downwards only, shown by reading them, those inside functions included; tests mirror it."""

import ast
import importlib.util
import pathlib
import re
import subprocess
import sys

import pytest

from tests.fixtures.embedded import songs, write_set
from tfmir.catalogue.embedded_set import open_set
from tfmir.searching.index_build import Wanted, build_index

PACKAGE = pathlib.Path(__file__).parent.parent / "tfmir"
# From the ground up: a module may import what stands on its own floor or below. Modules at the top of the package that
# are not named here are commands: they may import anything, and nobody imports them but another command.
GROUND = {
    "errors",
    "fields",
    "params",
    "vocabulary",
    "markdown",
    "stores",
    "remote",
    "files",
    "folders",
    "resources",
    "flag_files",
    "flags",
    "memory",
}
GROUND |= {"quiet", "command", "figures"}
FLOORS = (
    ("corpora",),
    ("data", "run_directory"),
    ("preparation", "model"),
    ("inference",),
    ("catalogue",),
    ("searching",),
    ("training", "serving", "evaluation"),
    ("experiments",),
)
ALONE = ({"preparation", "model"}, {"training", "serving", "evaluation"})  # neighbours that know nothing of each other


def modules():
    return {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.name != "__init__.py"
    }


def imports(path, known):
    """Names of tfmir's modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found & set(known)


def floor(module):
    room = module.split(".")[1]
    if room in GROUND:
        return 0
    return next((level for level, rooms in enumerate(FLOORS, 1) if room in rooms), len(FLOORS) + 1)


KNOWN = modules()
GRAPH = {module: imports(path, KNOWN) for module, path in KNOWN.items()}


@pytest.mark.parametrize("module", GRAPH)
def test_a_module_imports_nothing_from_a_floor_above(module):
    room = module.split(".")[1]
    for target in GRAPH[module]:
        other = target.split(".")[1]
        assert floor(target) <= floor(module), f"{module} imports {target}"
        neighbours = any({room, other} <= group for group in ALONE)
        assert room == other or not neighbours, f"{module} imports its neighbour {target}"


def test_no_import_goes_round_in_a_circle():
    waiting = {module: set(targets) for module, targets in GRAPH.items()}
    while free := [module for module, targets in waiting.items() if not targets & set(waiting) - {module}]:
        for module in free:
            del waiting[module]
    assert not waiting


def reached(module):
    seen, todo = set(), [module]
    while todo:
        seen.add(name := todo.pop())
        todo += GRAPH[name] - seen
    return seen


@pytest.mark.parametrize("command", ["search", "export", "index"])
def test_search_index_and_export_never_reach_the_training_loop(command):
    assert not [module for module in reached(f"tfmir.{command}") if module.startswith("tfmir.training")]
    for module in reached(f"tfmir.{command}"):
        assert "tensorboard" not in KNOWN[module].read_text(), module


def test_remote_stores_have_one_door():
    users = [module for module, targets in GRAPH.items() if "tfmir.remote" in targets]
    assert users == ["tfmir.command", "tfmir.files"]  # how a process ends depends on whether a store was used


RUN = '\nif __name__ == "__main__":\n    command.run(main'
COMMANDS = [name.split(".")[1] for name, path in KNOWN.items() if RUN in path.read_text()]
# Each takes from a thirtieth of a second to seconds to import.
HEAVY = {
    "tensorflow", "keras", "keras_tuner", "tensorboard", "librosa", "numba", "sklearn", "scipy", "matplotlib", "PIL",
    "pandas", "faiss", "pyarrow", "dask", "distributed", "joblib", "fsspec", "grpc", "requests", "qdrant_client",
    "starlette", "uvicorn", "soundfile", "soxr", "av", "mutagen", "tqdm",
}  # fmt: skip


def ended(*words):
    """How a command ends, and the heavy libraries that it has imported; those alone that are there."""
    words = [sys.executable, "-X", "importtime", "-m", *words]
    result = subprocess.run(words, capture_output=True, text=True, cwd=PACKAGE.parent)
    loaded = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines() if line.startswith("import time:")}
    assert "tfmir.flags" in loaded
    heavy = {name for name in loaded if name in HEAVY and importlib.util.find_spec(name)}
    return result, heavy | {name for name in loaded if name.startswith("tfmir.training.")}


def test_all_commands_are_known():
    assert {"prepare", "train", "evaluate", "search", "doctor"} <= set(COMMANDS)
    assert len(COMMANDS) == 12


@pytest.mark.parametrize("command", COMMANDS)
def test_help_and_a_mistyped_flag_are_answered_without_a_heavy_import(command):
    result, heavy = ended(f"tfmir.{command}", "--help")
    assert (result.returncode, heavy) == (0, set())
    result, heavy = ended(f"tfmir.{command}", "--mistyped=3")
    assert (result.returncode, heavy) == (2, set())
    assert "error: Unknown command line flag 'mistyped'" in result.stderr


def test_an_index_is_searched_with_what_reads_vectors_and_facts_alone(tmp_path):
    """That nothing heavy is imported for a search is what keeps it under a second."""
    made = songs(40)
    write_set(tmp_path / "set", made)
    build_index(open_set(str(tmp_path / "set")), str(tmp_path / "index"), Wanted(maps="none"))
    result, heavy = ended("tfmir.search", f"--index={tmp_path / 'index'}", f"--like={made.ids[3]}", "--weights=mood=1")
    assert result.returncode == 0, result.stderr
    assert heavy == {"faiss", "pyarrow", "tqdm"}


@pytest.mark.parametrize("module", GRAPH)
def test_every_module_has_a_test_file_in_the_same_place(module):
    path = KNOWN[module].relative_to(PACKAGE)
    assert (pathlib.Path(__file__).parent / path.parent / f"test_{path.name}").exists()


WRONG_PATHS = {
    "prepare": ["--corpus=folder", "--audio_dir=nowhere"],
    "prepare by lost labels": ["--corpus=jamendo", "--audio_dir=docs", "--annotations=nowhere"],
    "prepare, a report": ["--corpus=folder", "--audio_dir=nowhere", "--report"],
    "train": ["--run=runs/a", "--records=nowhere"],
    "train to a file": ["--run=/dev/null/a"],
    "train by a missing flag file": ["--flagfile=nowhere.flags"],
    "evaluate": ["--run=nowhere"],
    "evaluate on a library": ["--run=nowhere", "--library=nowhere"],
    "export": ["--run=nowhere"],
    "embed": ["--run=nowhere", "--library=docs"],
    "search": ["--run=nowhere", "--like=a"],
    "tune": ["--records=nowhere", "--system=triplet"],
    "compare": ["--systems=proxy", "--settings=nowhere.flags"],
}


@pytest.mark.parametrize("wrong", WRONG_PATHS)
def test_a_wrong_path_is_told_before_tensorflow_is_loaded(wrong, tmp_path):
    command = re.split(r"\W", wrong)[0]
    result, heavy = ended(f"tfmir.{command}", *WRONG_PATHS[wrong])
    assert result.returncode == 2
    assert re.search(r"(?m)^error: .*(nowhere|/dev/null/a)", result.stderr)
    assert not heavy & {"tensorflow", "keras", "librosa", "sklearn", "matplotlib", "distributed"}
