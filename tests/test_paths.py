"""Every flag of every command that is a path."""

import dataclasses
import importlib
import os
import pwd

import pytest

from tfmir.errors import UserError
from tfmir.flags import parse
from tfmir.train import TrainCommand

COMMANDS = {
    "prepare": ("audio_dir", "annotations", "vocabulary", "output"),
    "train": ("records", "run"),
    "evaluate": ("run", "human_triplets", "audio_dir"),
    "export": ("run", "output"),
    "search": ("run", "library", "like"),
    "compare": ("output", "settings", "published", "stored", "human_triplets", "audio_dir", "launch"),
    "tune": ("records", "output"),
}
PATHS = [(command, name) for command, names in COMMANDS.items() for name in names]


def params_of(command):
    module = importlib.import_module(f"tfmir.{command}")
    return next(value for name, value in vars(module).items() if name.lower().startswith(command) and name[-1] in "sd")


@pytest.mark.parametrize(("command", "name"), PATHS)
def test_a_path_begins_at_home_and_ends_as_it_likes(command, name, monkeypatch):
    """In every command; what is in a store is left as it is, and so is what a tilde does not begin."""
    monkeypatch.setenv("HOME", "/home/anna")
    named = {"library": "/", "like": "/"}.get(name, "")  # where a folder `test/` is not the split `test`
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
        assert getattr(parse(["x", f"--{name}={given}"], params_of(command)), name) == found
    monkeypatch.delenv("HOME")
    home = pwd.getpwuid(os.getuid()).pw_dir
    assert getattr(parse(["x", f"--{name}=~/x"], params_of(command)), name) == f"{home}/x"


def test_every_flag_that_is_a_path_is_marked_as_one():
    """By what it is called or what its help says: a new one is not forgotten."""
    for command, names in COMMANDS.items():
        fields = dataclasses.fields(params_of(command))
        assert {f.name for f in fields if f.metadata.get("path")} == set(names)


def test_a_list_of_paths_is_expanded_one_by_one(monkeypatch):
    monkeypatch.setenv("HOME", "/home/anna")
    assert parse(["x", "--settings=~/a.flags, b.flags,~/c/"], params_of("compare")).settings == (
        "/home/anna/a.flags,b.flags,/home/anna/c"
    )


def test_a_user_without_a_home_is_told(monkeypatch):
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    with pytest.raises(UserError, match="--run=~/x: this user has no home: set HOME, or write the path out"):
        parse(["x", "--run=~/x"], TrainCommand)
