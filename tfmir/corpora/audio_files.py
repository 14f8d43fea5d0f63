"""Which files below a folder are audio, by their names."""

from __future__ import annotations

import os
import sys

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
    found = []
    for directory, _, names in files.walk(files.to_path(folder)):
        below = directory[len(str(files.to_path(folder))) :].strip("/")
        found += [f"{below}/{name}".lstrip("/") for name in names if _suffix(name) in AUDIO_SUFFIXES]
    odd = [path for path in found if not _is_text(path)]
    for path in odd:
        print(f"left out: {os.fsencode(path)!r} in {folder}: the name is not UTF-8: rename it", file=sys.stderr)
    return sorted(set(found) - set(odd))


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
