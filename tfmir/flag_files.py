"""Flag files: where they are looked for, how they are read, and which line of which file a flag comes from."""

from __future__ import annotations

import codecs
import dataclasses
import os
import pathlib
import re
from collections.abc import Sequence

from tfmir import resources
from tfmir.errors import UserError

# Windows' editors and shells write these marks.
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_FLAG_FILE = ("--flagfile", "-flagfile")
_WITH_A_BLANK = re.compile(r"^(--?\w+)\s+(?:=\s*)?(\S.*)$")


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of a flag file: its file, its number from 1, and its flag, as a word of a command line."""

    path: str
    number: int
    word: str

    def __str__(self) -> str:
        return f"{self.path}, line {self.number}"


@dataclasses.dataclass(frozen=True)
class FlagFile:
    """One flag file of a command line: its path, and the lines of it and of those that it names, in order."""

    path: str
    lines: tuple[Line, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """What it adds to the command line."""
        return tuple(line.word for line in self.lines)


def with_flag_files(argv: Sequence[str]) -> list[str | FlagFile]:
    """The words of a command line, with every flag file read.

    Raises:
      UserError: a flag file that is not there, is no text, or names itself; names the file and the line.
    """
    parts: list[str | FlagFile] = []
    waiting = list(argv)
    while waiting:
        word = waiting.pop(0)
        if word == "--":
            return [*parts, word, *waiting]
        name, assigned, path = word.partition("=")
        if name not in _FLAG_FILE:
            parts.append(word)
            continue
        if not assigned and not waiting:
            raise UserError("--flagfile: name a flag file, such as --flagfile=launch/proxy.flags")
        parts.append(_read(path if assigned else waiting.pop(0)))
    return parts


def _read(path: str, *, named_by: tuple[str, ...] = ()) -> FlagFile:
    """One flag a line, as --name=value, --name value or --name = value; empty lines and comments (#, //) say nothing.

    A flag file in a flag file is looked for beside the one that names it, too.
    """
    found = resources.find(os.path.expanduser(path), beside=os.path.dirname(named_by[-1]) if named_by else "")
    if found in named_by:
        raise UserError(f"--flagfile={path}: names itself, through {' and '.join(named_by)}: remove one of them")
    try:
        data = pathlib.Path(found).read_bytes()
    except OSError as error:
        source = f" in {named_by[-1]}" if named_by else ""
        raise UserError(
            f"--flagfile={path}{source}: {error.strerror}: name a file, or one that comes with tfmir"
        ) from error
    lines: list[Line] = []
    for number, text in enumerate(_text(data, found).splitlines(), 1):
        word = _WITH_A_BLANK.sub(r"\1=\2", text.strip())
        name, _, nested = word.partition("=")
        if name in _FLAG_FILE:
            lines += _read(nested, named_by=(*named_by, found)).lines
        elif word and not word.startswith(("#", "//")):
            lines.append(Line(found, number, word))
    return FlagFile(found, tuple(lines))


def _text(data: bytes, path: str) -> str:
    encoding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
        before = text.partition("\0")[0]
    except UnicodeDecodeError as error:
        text, before = "", data[: error.start].decode(encoding, "replace")
    if before != text or (data and not text):
        number = len(f"{before}.".splitlines())
        raise UserError(f"--flagfile={path}, line {number}: not UTF-8: save the file as UTF-8 text")
    return text
