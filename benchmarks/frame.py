"""What benchmarks with flags have in common: the types of flags, mistakes in one line, and what is not there."""

import argparse
import pathlib
import sys
from collections.abc import Callable

from tfmir.errors import UserError
from tfmir.params import PRECISIONS

ARITHMETIC = tuple(precision for precision in PRECISIONS if precision != "auto")


def parser(doc: str | None) -> argparse.ArgumentParser:
    """Of a benchmark with this docstring."""
    return argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)


def positive(text: str) -> int:
    """A whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is too small: it must be at least 1")
    return number


def is_missing(path: str, remedy: str) -> bool:
    """Whether a benchmark has nothing to measure, which is said and no error: `make bench` goes on."""
    if pathlib.Path(path).exists():
        return False
    print(f"nothing is measured, as there is no {path}: {remedy}")
    return True


def run(main: Callable[[], None]) -> None:
    """Calls `main`; what is wrong with files or settings is one line and exit code 2."""
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
