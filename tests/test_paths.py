"""Every flag of every command that is a path."""

import dataclasses
import os
import pwd
import re

import pytest

from tfmir.compare import CompareParams
from tfmir.embed import EmbedParams
from tfmir.errors import UserError
from tfmir.evaluate import EvaluateParams
from tfmir.export import ExportParams
from tfmir.flags import parse
from tfmir.index import IndexParams
from tfmir.prepare import PrepareParams
from tfmir.search import SearchParams
from tfmir.train import TrainCommand
from tfmir.tune import TuneParams

COMMANDS = {
    "prepare": PrepareParams,
    "train": TrainCommand,
    "evaluate": EvaluateParams,
    "export": ExportParams,
    "index": IndexParams,
    "search": SearchParams,
    "embed": EmbedParams,
    "compare": CompareParams,
    "tune": TuneParams,
}
PATHS = [(name, f.name) for name, of in COMMANDS.items() for f in dataclasses.fields(of) if f.metadata.get("path")]


@pytest.mark.parametrize(("command", "name"), PATHS)
def test_a_path_begins_at_home_and_ends_as_it_likes(command, name, monkeypatch):
    """In every command; what is in a store is left as it is, and so is what a tilde does not begin."""
    monkeypatch.setenv("HOME", "/home/anna")
    # Where a folder `test/` is not the split `test`.
    kind = next(f for f in dataclasses.fields(COMMANDS[command]) if f.name == name).metadata["path"]
    named = "/" if kind == "or name" else ""
    for given, found in {
        "~/a b/x": "/home/anna/a b/x",
        "~": "/home/anna",
        "x//": "x" + 2 * named,
        "/": "/",
        "./~x": "./~x",
        "x~": "x~",
        "~nobody-at-all/x": "~nobody-at-all/x",
        "s3://bucket/~/x": "s3://bucket/~/x",
        "gs://bucket/x/": "gs://bucket/x",
    }.items():
        assert getattr(parse(["x", f"--{name}={given}"], COMMANDS[command]), name) == found
    monkeypatch.delenv("HOME")
    home = pwd.getpwuid(os.getuid()).pw_dir
    assert getattr(parse(["x", f"--{name}=~/x"], COMMANDS[command]), name) == f"{home}/x"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_flag_that_is_a_path_is_marked_as_one(command):
    """By what its help says, so that a new one is not forgotten; `tags` and `licence` only speak of files."""
    flags = {f.name: f.metadata for f in dataclasses.fields(COMMANDS[command]) if isinstance(f.default, str)}
    words = re.compile("director|folder|file|CSV|report.json|votes|record set|records")
    named = {name for name, facts in flags.items() if words.search(facts["help"])} - {"tags", "licence", "systems"}
    assert named == {name for name, facts in flags.items() if facts.get("path")}


def test_a_list_of_paths_is_expanded_one_by_one(monkeypatch):
    monkeypatch.setenv("HOME", "/home/anna")
    assert parse(["x", "--settings=~/a.flags, b.flags,~/c/"], CompareParams).settings == (
        "/home/anna/a.flags,b.flags,/home/anna/c"
    )


def test_a_user_without_a_home_is_told(monkeypatch):
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    with pytest.raises(UserError, match="--run=~/x: this user has no home: set HOME, or write the path out"):
        parse(["x", "--run=~/x"], TrainCommand)
