"""Imports a library without the log lines that it writes to standard error whatever it is told.

TensorFlow 2.18 and later greet with a dozen of them ("I0000 00:00:… port.cc:153] oneDNN custom operations are on"),
before anything has read TF_CPP_MIN_LOG_LEVEL. They come from C++, so it is the file descriptor that is turned aside.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import os
import re
import sys
import types
from collections.abc import Iterator, Sequence
from typing import Any

_LOG_LINE = re.compile(
    rb"[IWE]\d{4} \d\d:\d\d:\d+\.\d+ .*"  # absl
    rb"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWE] .*"  # TensorFlow to 2.17
    rb"|WARNING: All log messages before absl::InitializeLog\(\) is called are written to STDERR.*"
    rb"|To enable the following instructions: .*"  # the second line of one of them
)
_STDERR = 2


class _QuietLoader(importlib.abc.Loader):
    """Another loader, quiet while it runs; the module then knows that one alone."""

    def __init__(self, loader: importlib.abc.Loader):
        self.loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: types.ModuleType) -> None:
        if module.__spec__:
            module.__spec__.loader = self.loader
        module.__loader__ = self.loader
        with without_log_lines():
            self.loader.exec_module(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds one module as the other finders do, and has it loaded quietly."""

    def __init__(self, name: str):
        self.name = name

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.name:
            return None
        others = (
            finder.find_spec(fullname, path, target) for finder in sys.meta_path if not isinstance(finder, _Finder)
        )
        spec = next(filter(None, others), None)
        if spec and spec.loader:
            spec.loader = _QuietLoader(spec.loader)
        return spec


def importing(name: str) -> None:
    """Has a module's log lines left out when it is imported, by whomever; it is not imported now.

    Args:
      name: of a module, or of a package, whose own imports are meant too.
    """
    if not any(isinstance(finder, _Finder) and finder.name == name for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder(name))


@contextlib.contextmanager
def without_log_lines() -> Iterator[None]:
    """Leaves out the log lines that reach standard error inside; everything else is written at the end.

    If the block raises, nothing is left out.
    """
    try:
        real = os.dup(_STDERR)
    except OSError:  # it is closed
        yield
        return
    with open(os.memfd_create("stderr"), "w+b") as aside:  # in memory: there may be no place for temporary files
        _flush()
        os.dup2(aside.fileno(), _STDERR)
        wanted = _LOG_LINE
        try:
            yield
        except BaseException:
            wanted = re.compile(rb"(?!)")  # no line at all
            raise
        finally:
            _flush()
            os.dup2(real, _STDERR)
            os.close(real)
            aside.seek(0)
            _write(b"".join(line for line in aside if not wanted.fullmatch(line.rstrip(b"\r\n"))))


def _flush() -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.flush()


def _write(data: bytes) -> None:
    with contextlib.suppress(OSError):  # as with standard error itself, nobody may be reading
        while data:
            data = data[os.write(_STDERR, data) :]
