"""Command-line flags from parameter dataclasses, and the frame around every command.

A command is a dataclass of parameters and a function of it:

    if __name__ == "__main__":
        flags.run(main, PrepareParams)
"""

from __future__ import annotations

import dataclasses
import errno
import os
import pathlib
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from absl import flags as absl_flags

from tfmir.errors import UserError
from tfmir.params import check
from tfmir.remote import leave

P = TypeVar("P")
EXIT_BUG = 1
EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130
_DISK_REFUSES = (errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.ENOTDIR)
_DEFINE: dict[type, Callable[..., Any]] = {
    bool: absl_flags.DEFINE_boolean,
    int: absl_flags.DEFINE_integer,
    float: absl_flags.DEFINE_float,
    str: absl_flags.DEFINE_string,
}


def run(main: Callable[[Any], object], params_class: type) -> None:
    """Parses the command line into `params_class`, calls `main` with it, and turns errors into exit codes.

    Exit codes: 0 done; 1 a bug, with its traceback; 2 a mistake that the message explains; 130 interrupted (the work
    can be resumed).
    """
    set_environment()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        main(parse(sys.argv, params_class))
        leave(0)
    except BrokenPipeError:  # the reader of our output, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        leave(EXIT_USER_ERROR)
    except OSError as error:
        if not isinstance(error, PermissionError) and error.errno not in _DISK_REFUSES:
            traceback.print_exc()
            leave(EXIT_BUG)
        print(f"error: {error.filename or ''}: {error.strerror}: what is written before is kept", file=sys.stderr)
        leave(EXIT_USER_ERROR)
    except KeyboardInterrupt:
        print("interrupted: give the same command again to go on where it stopped", file=sys.stderr)
        leave(EXIT_INTERRUPTED)
    except Exception:
        traceback.print_exc()
        leave(EXIT_BUG)


def parse(argv: Sequence[str], params_class: type[P]) -> P:
    """A parameter dataclass from a command line (`argv[0]` is the program).

    Nested dataclasses give their fields too; fields without a help text are no flags. An empty `run` becomes
    `runs/<name of the first flag file>`.

    Raises:
      UserError: an unknown flag, a value of the wrong type or out of bounds, or a stray word.
    """
    values = absl_flags.FlagValues()
    _define(params_class, values, module_name=argv[0])
    _print_help_and_leave(argv, values)
    try:
        words = values(list(argv))[1:]
    except absl_flags.Error as error:
        raise UserError(f"{error} (--help lists the flags)") from error
    except OSError as error:
        raise UserError(f"--flagfile: {error.filename}: {error.strerror}") from error
    if words:
        raise UserError(f"stray word {words[0]!r}: every setting is a flag, --name=value (--help lists them)")
    params = _build(params_class, values, default_run=_default_run(argv))
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


def set_environment() -> None:
    """Settings that TensorFlow reads when it is imported, where the user has not chosen.

    oneDNN doubles training speed on CPUs without AVX-512, where it is off by default.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")


def _interrupt(signum: int, frame: Any) -> None:
    raise KeyboardInterrupt


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


def _default_run(argv: Sequence[str]) -> str:
    for position, word in enumerate(argv):
        if word.lstrip("-").startswith("flagfile="):
            return f"runs/{pathlib.Path(word.split('=', 1)[1]).stem}"
        if word.lstrip("-") == "flagfile" and position + 1 < len(argv):
            return f"runs/{pathlib.Path(argv[position + 1]).stem}"
    return ""


def _print_help_and_leave(argv: Sequence[str], values: absl_flags.FlagValues) -> None:
    if any(word in ("-h", "-help", "--help") for word in argv[1:]):
        print(sys.modules["__main__"].__doc__ or "")
        print(values.get_help())
        sys.exit(0)
