"""The one door to files, local or remote (`s3://…`), which are either whole or not there.

A local file is written under a temporary name and renamed; a remote one is written locally and uploaded.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import re
import shutil
import socket
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import numpy as np

from tfmir.errors import UserError
from tfmir.remote import RemotePath
from tfmir.remote import fetch as fetch
from tfmir.stores.known import is_tensorflows

Path: TypeAlias = pathlib.Path | RemotePath
_TEMPORARY = re.compile(r"\.\d+-[^.]*\.")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://")


def is_remote(path: str | os.PathLike[str]) -> bool:
    """Whether a path has a scheme.

    >>> is_remote("s3://bucket/a"), is_remote("/tmp/a")
    (True, False)
    """
    return bool(_SCHEME.match(os.fspath(path)))


def to_path(path: str | os.PathLike[str]) -> Path:
    """A local path or a remote one, by what it looks like."""
    return RemotePath(path) if is_remote(path) else pathlib.Path(path)


def tensorflow_reads(path: str | os.PathLike[str]) -> bool:
    """Whether TensorFlow's data sets read a path: a local one, or one in a store that TensorFlow knows."""
    return not is_remote(path) or is_tensorflows(os.fspath(path))


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[str]:
    """Yields a temporary name beside `path`, with its suffixes kept, and renames it to `path` at the end.

    If the block raises, the temporary file is removed and what stood at `path` stays.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> with replacing(f"{folder}/a.txt") as name:
    ...     _ = pathlib.Path(name).write_text("whole")
    >>> sorted(os.listdir(folder))
    ['a.txt']
    """
    target = to_path(path)
    if isinstance(target, RemotePath):
        with tempfile.TemporaryDirectory() as folder:
            yield f"{folder}/{target.name}"
            target.upload(f"{folder}/{target.name}")
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    # Processes of several machines may write to one file system.
    temporary = target.with_name(f".{os.getpid()}-{socket.gethostname().split('.')[0]}.{target.name}")
    try:
        yield str(temporary)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[str]:
    """Yields a local name of the file: its own, or that of a copy of a remote one.

    Raises:
      FileNotFoundError: a remote file is not there.
    """
    source = to_path(path)
    if not isinstance(source, RemotePath):
        yield str(source)
        return
    with tempfile.TemporaryDirectory() as folder:
        source.download(f"{folder}/{source.name}")
        yield f"{folder}/{source.name}"


def upload_folder(source: str, target: str | os.PathLike[str]) -> None:
    """Copies the files of a local folder to a remote one; nothing where the target is local."""
    folder = to_path(target)
    if isinstance(folder, RemotePath):
        for path in sorted(pathlib.Path(source).iterdir()):
            (folder / path.name).upload(str(path))


@contextlib.contextmanager
def locked(path: str | os.PathLike[str], *, busy: str) -> Iterator[None]:
    """Keeps other processes out while the block runs; the lock ends with the process, however it ends.

    Args:
      path: a local file that stands for what is locked; a remote store has no locks, and none is made.
      busy: what is said if another process holds the lock.

    Raises:
      UserError: another process holds it.
    """
    target = to_path(path)
    if isinstance(target, RemotePath):
        yield
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(busy) from error
        yield


def remove_tree(path: Path) -> None:
    """Removes a folder with everything in it; nothing there is no error."""
    if isinstance(path, RemotePath):
        path.rmtree()
    else:
        shutil.rmtree(path, ignore_errors=True)


def walk(path: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """As `os.walk`; a folder that cannot be read is named on standard error."""
    yield from path.walk() if isinstance(path, RemotePath) else os.walk(path, onerror=_tell)


def _tell(error: OSError) -> None:
    print(f"left out: {error.filename}: {error.strerror}", file=sys.stderr)


def leftovers(folder: Path, pattern: str) -> list[Path]:
    """What killed processes have left behind of files that match a pattern: see `replacing`."""
    return [path for path in folder.glob(f".*{pattern}") if _TEMPORARY.match(path.name)]


def size(path: Path) -> int:
    """Bytes of a file."""
    return path.size() if isinstance(path, RemotePath) else path.stat().st_size


def stamps(folder: str | os.PathLike[str], names: Iterable[str]) -> dict[str, tuple[int, int]]:
    """What changes when a file does, of files below a folder: nanoseconds of its last change, and its bytes.

    Both are 0 of a file that is gone. A store is asked for all of its files at once; the time is 0 if it does not say.
    """
    top = to_path(folder)
    if isinstance(top, RemotePath):
        found = top.stamps()
        return {name: found.get(name, (0, 0)) for name in names}
    return {name: _stamp(top / name) for name in names}


def _stamp(path: pathlib.Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:  # gone since it was listed
        return 0, 0
    return status.st_mtime_ns, status.st_size


def move(source: Path, target: Path) -> None:
    """Gives a file another name in the same folder tree; in a store, where nothing is renamed, it is copied there."""
    if isinstance(source, RemotePath) or isinstance(target, RemotePath):
        with reading(source) as name, replacing(target) as temporary:
            shutil.copyfile(name, temporary)
        source.unlink()
    else:
        os.replace(source, target)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes `text` as UTF-8, atomically."""
    with replacing(path) as temporary:
        pathlib.Path(temporary).write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Writes `value` as indented JSON, atomically; NaN is refused."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: str | os.PathLike[str]) -> Any:
    """The JSON value in a file.

    Raises:
      UserError: the file is not JSON.
    """
    try:
        return json.loads(to_path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not JSON ({error}): remove it and run the command that writes it again") from error


def write_arrays(path: str | os.PathLike[str], **arrays: Any) -> None:
    """Writes arrays as an `.npz` file, atomically."""
    with replacing(path) as temporary:
        np.savez(temporary, **arrays)


def read_arrays(path: str | os.PathLike[str]) -> dict[str, np.ndarray] | None:
    """The arrays of an `.npz` file; None if it is not there or damaged: what keeps such files makes them anew."""
    source = to_path(path)
    if not source.exists():
        return None
    try:
        with reading(path) as name, np.load(name, allow_pickle=False) as stored:
            return dict(stored)
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error):
        print(f"{path}: damaged, and made anew", file=sys.stderr)
        return None


def sha256(path: str | os.PathLike[str]) -> str:
    """Hexadecimal checksum of a file."""
    digest = hashlib.sha256()
    with reading(path) as name, open(name, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
