"""Command-line flags from parameter dataclasses; flag files are read by `flag_files.py`."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import os
import pathlib
import re
import sys
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

from absl import flags as absl_flags

from tfmir import files
from tfmir.errors import UserError
from tfmir.fields import check
from tfmir.flag_files import FlagFile, Line, with_flag_files

P = TypeVar("P")
_DEFINE: dict[type, Callable[..., Any]] = {
    bool: absl_flags.DEFINE_boolean,
    int: absl_flags.DEFINE_integer,
    float: absl_flags.DEFINE_float,
    str: absl_flags.DEFINE_string,
}
_TRUTH = dict.fromkeys(("true", "t", "1", "yes", "y", "on"), True)
_TRUTH |= dict.fromkeys(("false", "f", "0", "no", "n", "off"), False)


class _Switch(absl_flags.BooleanFlag):
    """A switch that stands for one value of another flag: on gives it that value, off takes it back."""

    def __init__(self, name: str, meaning: str, other: Any):
        super().__init__(name, False, f"--{other.name}={meaning}, off takes it back; the last of the two flags counts")
        self._other, self._meaning = other, meaning

    def parse(self, argument: Any) -> None:
        super().parse(argument)
        if self.value:
            self._other.value = self._meaning
        elif self._other.value == self._meaning:
            self._other.value = self._other.default


def parse(argv: Sequence[str], params_class: type[P]) -> P:
    """A parameter dataclass from a command line (`argv[0]` is the program).

    Nested dataclasses give their fields too; fields without a help text are no flags. A flag or flag file that is given
    twice counts as given last. In paths, `~` is the home, and a slash at the end says nothing. An empty `run` becomes
    `runs/<name of the first flag file>`, to which a later flag file that names another `--records` adds its own name.

    Raises:
      UserError: an unknown flag, a value of the wrong type or out of bounds, a stray word, or no such flag file; names
        the line of the flag file that it stands in.
    """
    values = absl_flags.FlagValues()
    _define(params_class, values, module_name=argv[0])
    _print_help_and_leave(argv, values)
    parts = with_flag_files(argv)
    flag_files = [part for part in parts if isinstance(part, FlagFile)]
    flat = [word for part in parts for word in (part.words if isinstance(part, FlagFile) else (part,))]
    try:
        _read_words(flat, values)
    except UserError:
        for line in (line for file in flag_files for line in file.lines):
            _check_line(line, params_class)
        raise
    params = _build(params_class, values, default_run=_default_run(flag_files, values))
    check(params)
    return params


def to_argv(params: Any) -> list[str]:
    """The flags that give `params`, every one of them but those that are at their default.

    >>> from tfmir.params import SystemParams
    >>> to_argv(SystemParams("triplet", disentangled=False))
    ['--system=triplet', '--nodisentangled']
    """
    words = []
    for f in dataclasses.fields(params):
        value = getattr(params, f.name)
        if dataclasses.is_dataclass(value):
            words += to_argv(value)
        elif "help" in f.metadata and value != f.default:
            words.append(f"--{'' if value else 'no'}{f.name}" if isinstance(value, bool) else f"--{f.name}={value}")
    return words


def _define(params_class: type, values: absl_flags.FlagValues, *, module_name: str) -> None:
    for f in dataclasses.fields(params_class):
        if dataclasses.is_dataclass(f.default):
            _define(type(f.default), values, module_name=module_name)
        elif "help" in f.metadata:
            define = _DEFINE[type(f.default)]
            define(f.name, f.default, f.metadata["help"], flag_values=values, module_name=module_name)
            if "switch" in f.metadata:
                make: Callable[..., absl_flags.Flag[Any]] = _Switch  # absl's metaclass hides its arguments
                switch = make(*f.metadata["switch"], values[f.name])
                absl_flags.DEFINE_flag(switch, flag_values=values, module_name=module_name)


def _build(params_class: type, values: absl_flags.FlagValues, *, default_run: str) -> Any:
    built: dict[str, Any] = {}
    for f in dataclasses.fields(params_class):
        if dataclasses.is_dataclass(f.default):
            built[f.name] = _build(type(f.default), values, default_run=default_run)
        elif "help" in f.metadata:
            built[f.name] = _tidy(f, values[f.name].value)
    if built.get("run") == "":
        built["run"] = default_run
    return params_class(**built)


def _tidy(f: dataclasses.Field[Any], value: Any) -> Any:
    """A value as it is used: paths from the home if they begin with `~`, and without a slash at their end."""
    kind = f.metadata.get("path")
    if kind == "list":
        return ",".join(_tidy_path(f.name, path.strip(), bare=True) for path in value.split(","))
    return _tidy_path(f.name, value, bare=kind != "or name") if kind else value


def _tidy_path(flag: str, path: str, *, bare: bool) -> str:
    if files.is_remote(path):
        scheme, _, name = path.partition("://")
        return f"{scheme}://{name.rstrip('/')}"
    expanded = os.path.expanduser(path)
    if expanded == path and path.split("/")[0] == "~":
        raise UserError(f"--{flag}={path}: this user has no home: set HOME, or write the path out")
    return (expanded.rstrip("/") or expanded[:1]) if bare else expanded


def _read_words(words: Sequence[str], values: absl_flags.FlagValues) -> None:
    """Gives flags their values; `words[0]` is the program."""
    try:
        stray = values(_with_plain_switches(words, {name for name in values if values[name].boolean}))[1:]
    except absl_flags.IllegalFlagValueError as error:
        raise UserError(_explained(str(error), values)) from error
    except absl_flags.Error as error:
        raise UserError(f"{error} (--help lists the flags)") from error
    if stray:
        raise UserError(f"stray word {stray[0]!r}: every setting is a flag, --name=value (--help lists them)")


def _check_line(line: Line, params_class: type) -> None:
    """Refuses a line of a flag file that is wrong by itself."""
    values = absl_flags.FlagValues()
    _define(params_class, values, module_name="")
    try:
        _read_words(["", line.word], values)
    except UserError as error:
        raise UserError(f"{line}: {error}") from error


def _with_plain_switches(words: Sequence[str], switches: Collection[str]) -> list[str]:
    """Words in which a switch is --name or --noname, whether it was --name=no, --name no, or the like."""
    plain: list[str] = []
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        if word == "--":
            return [*plain, word, *waiting]
        name, assigned, value = word.lstrip("-").partition("=")
        positive = name if name in switches else name.removeprefix("no")
        if not word.startswith("-") or positive not in switches:
            plain.append(word)
            continue
        if not assigned and waiting and waiting[0].lower() in _TRUTH:
            assigned, value = "=", waiting.pop(0)
        if assigned and (name != positive or value.lower() not in _TRUTH):
            raise UserError(f"--{name}={value}: a switch takes true or false: write --{positive} or --no{positive}")
        plain.append(f"--{name}" if not assigned or _TRUTH[value.lower()] else f"--no{name}")
    return plain


def _explained(message: str, values: absl_flags.FlagValues) -> str:
    """absl's words on a value that is no number, as one of ours."""
    found = re.match(r"flag --(\w+)=(.*?): ", message, re.DOTALL)
    if not found or found[1] not in values:
        return message
    kind = {"int": "whole number", "float": "number"}.get(values[found[1]].flag_type(), "such value")
    return f"--{found[1]}={found[2]}: no {kind}"


def _default_run(flag_files: Sequence[FlagFile], values: absl_flags.FlagValues) -> str:
    if not flag_files:
        return ""
    names = [pathlib.Path(file.path).stem for file in flag_files]
    usual = f"--records={values['records'].default}" if "records" in values else ""
    elsewhere = [
        name
        for name, file in zip(names[1:], flag_files[1:], strict=True)
        if any(word.startswith("--records=") and word.rstrip("/") != usual for word in file.words)
    ]
    return f"runs/{'-'.join([names[0], *elsewhere[-1:]])}"


def _print_help_and_leave(argv: Sequence[str], values: absl_flags.FlagValues) -> None:
    if any(word in ("-h", "-help", "--help") for word in argv[1:]):
        print(_docstring(sys.modules["__main__"]))
        print(f"A flag that is given twice counts as given last.\n{values.get_help()}")
        sys.exit(0)


def _docstring(module: Any) -> str:
    """Of a module; from its source where Python has dropped it (`python -OO`)."""
    text = module.__doc__
    if text is None and getattr(module, "__file__", None):
        with contextlib.suppress(OSError, SyntaxError, UnicodeDecodeError):
            text = ast.get_docstring(ast.parse(pathlib.Path(module.__file__).read_text(encoding="utf-8")))
    return text or ""
