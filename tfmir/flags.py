"""Command-line flags from parameter dataclasses, and flag files, which are looked for where they belong."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from absl import flags as absl_flags

from tfmir import resources
from tfmir.errors import UserError
from tfmir.params import check

P = TypeVar("P")
_DEFINE: dict[type, Callable[..., Any]] = {
    bool: absl_flags.DEFINE_boolean,
    int: absl_flags.DEFINE_integer,
    float: absl_flags.DEFINE_float,
    str: absl_flags.DEFINE_string,
}


@dataclasses.dataclass(frozen=True)
class FlagFile:
    """One flag file of a command line: its path, and the flags in it and in those that it names, in order."""

    path: str
    words: tuple[str, ...]


def parse(argv: Sequence[str], params_class: type[P]) -> P:
    """A parameter dataclass from a command line (`argv[0]` is the program).

    Nested dataclasses give their fields too; fields without a help text are no flags. An empty `run` becomes
    `runs/<name of the first flag file>`, to which a later flag file that names another `--records` adds its own name.

    Raises:
      UserError: an unknown flag, a value of the wrong type or out of bounds, a stray word, or no such flag file.
    """
    values = absl_flags.FlagValues()
    _define(params_class, values, module_name=argv[0])
    _print_help_and_leave(argv, values)
    parts = _with_flag_files(argv)
    flat = [word for part in parts for word in (part.words if isinstance(part, FlagFile) else (part,))]
    try:
        words = values(flat)[1:]
    except absl_flags.Error as error:
        raise UserError(f"{error} (--help lists the flags)") from error
    if words:
        raise UserError(f"stray word {words[0]!r}: every setting is a flag, --name=value (--help lists them)")
    flag_files = [part for part in parts if isinstance(part, FlagFile)]
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


def _build(params_class: type, values: absl_flags.FlagValues, *, default_run: str) -> Any:
    built: dict[str, Any] = {}
    for f in dataclasses.fields(params_class):
        if dataclasses.is_dataclass(f.default):
            built[f.name] = _build(type(f.default), values, default_run=default_run)
        elif "help" in f.metadata:
            built[f.name] = values[f.name].value
    if built.get("run") == "":
        built["run"] = default_run
    return params_class(**built)


def _with_flag_files(argv: Sequence[str]) -> list[str | FlagFile]:
    """The words of a command line, with every flag file read."""
    parts: list[str | FlagFile] = []
    waiting = list(argv)
    while waiting:
        word = waiting.pop(0)
        if word == "--":
            return [*parts, word, *waiting]
        name, assigned, path = word.partition("=")
        if name not in ("--flagfile", "-flagfile"):
            parts.append(word)
            continue
        if not assigned and not waiting:
            raise UserError("--flagfile: name a flag file, such as --flagfile=launch/proxy.flags")
        parts.append(_read_flag_file(path if assigned else waiting.pop(0)))
    return parts


def _read_flag_file(path: str, *, named_by: tuple[str, ...] = ()) -> FlagFile:
    """One flag a line; empty lines and lines that begin with # or // say nothing.

    A flag file in a flag file is looked for beside the one that names it, too.
    """
    found = resources.find(os.path.expanduser(path), beside=os.path.dirname(named_by[-1]) if named_by else "")
    if found in named_by:
        raise UserError(f"--flagfile={path}: names itself, through {' and '.join(named_by)}: remove one of them")
    try:
        lines = pathlib.Path(found).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        source = f" in {named_by[-1]}" if named_by else ""
        raise UserError(f"--flagfile={path}{source}: {reason}: name a file, or one that comes with tfmir") from error
    words: list[str] = []
    for line in map(str.strip, lines):
        name, _, nested = line.partition("=")
        if name in ("--flagfile", "-flagfile"):
            words += _read_flag_file(nested, named_by=(*named_by, found)).words
        elif line and not line.startswith(("#", "//")):
            words.append(line)
    return FlagFile(found, tuple(words))


def _default_run(flag_files: Sequence[FlagFile], values: absl_flags.FlagValues) -> str:
    if not flag_files:
        return ""
    names = [pathlib.Path(file.path).stem for file in flag_files]
    usual = f"--records={values['records'].default}" if "records" in values else ""
    elsewhere = [
        name
        for name, file in zip(names[1:], flag_files[1:], strict=True)
        if any(word.startswith("--records=") and word != usual for word in file.words)
    ]
    return f"runs/{'-'.join([names[0], *elsewhere[-1:]])}"


def _print_help_and_leave(argv: Sequence[str], values: absl_flags.FlagValues) -> None:
    if any(word in ("-h", "-help", "--help") for word in argv[1:]):
        print(sys.modules["__main__"].__doc__ or "")
        print(values.get_help())
        sys.exit(0)
