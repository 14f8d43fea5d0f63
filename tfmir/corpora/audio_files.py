"""Which files lie below a folder: those that are audio, by their names, and those that labels speak of."""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Collection, Iterator

from tfmir import files
from tfmir.errors import UserError

AUDIO_SUFFIXES = frozenset({".aif", ".aiff", ".flac", ".m4a", ".mp3", ".ogg", ".opus", ".wav"})


def require_folder(audio_dir: str) -> None:
    """Refuses a folder that is not there."""
    if not files.to_path(audio_dir).is_dir():
        raise UserError(f"--audio_dir={audio_dir}: no such folder")


def list_audio(folder: str) -> list[str]:
    """Sorted paths, below `folder` and with slashes, of all files whose name ends like an audio file's.

    A name that is not UTF-8 cannot be the id of a track: it is named on standard error and left out.
    """
    found = [path for path in _all_files(folder) if _suffix(path) in AUDIO_SUFFIXES]
    odd = [path for path in found if not _is_text(path)]
    for path in odd:
        print(f"left out: {os.fsencode(path)!r} in {folder}: the name is not UTF-8: rename it", file=sys.stderr)
    return sorted(set(found) - set(odd))


def as_on_disk(folder: str, paths: Collection[str]) -> dict[str, str]:
    """Each path below `folder` as the disk spells it; one that is not there stays as it is.

    What reads as `é` may be one character or two (Unicode's NFC and NFD), and systems differ in which they write: both
    mean the same file. Where both lie there, each is itself. The disk is only looked at if a path is not plain ASCII.
    """
    if all(path.isascii() for path in paths):
        return {path: path for path in paths}
    found = set(_all_files(folder))
    spelt = {unicodedata.normalize("NFC", path): path for path in sorted(found, reverse=True)}
    return {path: path if path in found else spelt.get(unicodedata.normalize("NFC", path), path) for path in paths}


def _all_files(folder: str) -> Iterator[str]:
    """Paths below `folder`, with slashes, in any order."""
    for directory, _, names in files.walk(files.to_path(folder)):
        below = directory[len(str(files.to_path(folder))) :].strip("/")
        yield from (f"{below}/{name}".lstrip("/") for name in names)


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
