"""Which files lie below a folder: those that are audio, by their names, and those that labels speak of."""

from __future__ import annotations

import errno
import os
import pathlib
import stat
import sys
from collections.abc import Callable, Collection, Iterator

from tfmir import files
from tfmir.corpora.spelling import composed, one_line

# What libsndfile opens, and what FFmpeg opens (the extra `formats`); films are not looked into.
_SNDFILE = {".aif", ".aiff", ".caf", ".flac", ".mp2", ".mp3", ".oga", ".ogg", ".opus", ".wav"}
_FFMPEG = {".aac", ".ape", ".m4a", ".m4b", ".mka", ".weba", ".wma", ".wv"}
AUDIO_SUFFIXES = frozenset(_SNDFILE | _FFMPEG)
_LEFT_BEHIND = frozenset({"__MACOSX", "@eaDir", "$RECYCLE.BIN"})  # of zip files of a Mac, Synology's disks, and Windows


def list_audio(folder: str) -> list[str]:
    """Sorted paths, below `folder` and with slashes, of all files whose name ends like an audio file's.

    Hidden files and folders, whose name begins with a dot, and what other systems leave behind (a Mac's `._song.mp3`,
    `__MACOSX`) are none. Links are followed, and each folder is read once, so that a loop of links ends. Named on
    standard error and left out are names that are not UTF-8, which cannot be the id of a track, folders that cannot be
    read, and what is no file, such as a link that leads nowhere, or a pipe: nothing is opened.
    """
    found = []
    for path in sorted(set(_files_below(folder, tell=_tell))):
        if _is_hidden(path) or not (_is_audio(path) or _leads_nowhere(folder, path)):
            continue
        if not _is_text(path):
            _tell(f"{os.fsencode(path)!r}", folder, "the name is not UTF-8: rename it")
        elif reason := "" if files.is_remote(_local(folder)) else no_file(os.path.join(_local(folder), path)):
            _tell(path, folder, reason)
        else:
            found.append(path)
    return found


def no_file(path: str) -> str:
    """Why a local path is no file that can be read; empty if it is one. It is not opened: a pipe might never answer."""
    try:
        mode = os.stat(path).st_mode
    except ValueError:  # a byte 0 in it
        return "missing: no such file"
    except OSError as error:
        is_absent = isinstance(error, FileNotFoundError | NotADirectoryError)
        if os.path.islink(path) and (is_absent or error.errno == errno.ELOOP):
            return "missing: a link that leads nowhere"
        return "missing: no such file" if is_absent else f"cannot be reached: {error.strerror}"
    if stat.S_ISREG(mode):
        return "" if os.access(path, os.R_OK) else "no permission to read it"
    kinds = {stat.S_IFDIR: "folder", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}
    return f"not a file: a {kinds.get(stat.S_IFMT(mode), 'device')}"


def as_on_disk(folder: str, paths: Collection[str]) -> dict[str, str]:
    """Each path below `folder` as the disk spells it; one that is not there stays as it is.

    What reads as `é` may be one character or two (Unicode's NFC and NFD), and systems differ in which they write: both
    mean the same file. Where both lie there, each is itself. The disk is only looked at if a path is not plain ASCII.
    """
    if all(path.isascii() for path in paths):
        return {path: path for path in paths}
    found = set(_files_below(folder))
    spelt = {composed(path): path for path in sorted(found, reverse=True)}
    return {path: path if path in found else spelt.get(composed(path), path) for path in paths}


def _files_below(folder: str, *, tell: Callable[[str, str, str], None] | None = None) -> Iterator[str]:
    """Paths of all files below `folder`, with slashes, in any order.

    Args:
      folder: local or remote.
      tell: called with what is left out, the folder and the reason; None: hidden folders are looked into as well, and
        nothing is said.
    """
    top = files.to_path(_local(folder))
    if isinstance(top, pathlib.Path):
        yield from _local_files(str(top), tell)
        return
    for directory, _, names in files.walk(top):
        below = directory[len(str(top)) :].strip("/")
        yield from (f"{below}/{name}".lstrip("/") for name in names)


def _local_files(top: str, tell: Callable[[str, str, str], None] | None) -> Iterator[str]:
    """As `_files_below`. Links to folders come last: a file's path is that of where it lies, if it lies here."""

    def failed(error: OSError) -> None:
        if tell:
            tell(os.path.relpath(error.filename, top), top, str(error.strerror))

    seen: set[tuple[int, int]] = set()
    links = [""]  # the folder itself may be one
    while links:
        first = links.pop(0)
        for directory, folders, names in os.walk(os.path.join(top, first), onerror=failed):
            below = os.path.relpath(directory, top) if directory != os.path.join(top, "") else ""
            status = os.stat(directory)
            if (status.st_dev, status.st_ino) in seen:
                folders.clear()
                if tell and below == first:
                    tell(below, top, "a link to a folder that is read already")
                continue
            seen.add((status.st_dev, status.st_ino))
            folders[:] = sorted(name for name in folders if not (tell and _is_hidden(name)))
            links += [os.path.join(below, name) for name in folders if os.path.islink(os.path.join(directory, name))]
            yield from (os.path.join(below, name) for name in names)


def _local(folder: str) -> str:
    """A folder's path, without the scheme if it is that of local files."""
    return folder.removeprefix("file://")


def _tell(path: str, folder: str, reason: str) -> None:
    print(f"left out: {one_line(path)} in {one_line(folder)}: {reason}", file=sys.stderr)


def _leads_nowhere(folder: str, path: str) -> bool:
    """Whether a link without a suffix leads nowhere: it may be meant for a folder of audio."""
    local = os.path.join(_local(folder), path)
    return not _suffix(path) and os.path.islink(local) and not os.path.exists(local)


def _is_hidden(path: str) -> bool:
    return any(name.startswith(".") or name in _LEFT_BEHIND for name in path.split("/"))


def _is_audio(path: str) -> bool:
    return _suffix(path) in AUDIO_SUFFIXES


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
