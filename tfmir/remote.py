"""Paths such as `s3://bucket/folder`, with the part of pathlib's interface that `files.py`, the door to them, needs.

There are no folders in stores, only names with slashes: a folder is there once something is in it. Nothing is ever
renamed: on S3 tensorflow-io's rename takes along every object whose name merely starts like the source's.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
import time
from collections.abc import Iterator

from tfmir.errors import UserError
from tfmir.stores import known
from tfmir.stores.store import Store

_PAUSES = (2.0, 10.0)  # seconds before a second and a third try


class RemotePath(os.PathLike[str]):
    """A name in a remote store.

    >>> (RemotePath("s3://bucket/a/") / "b.txt").name, str(RemotePath("s3://bucket/a/b").parent)
    ('b.txt', 's3://bucket/a')
    """

    def __init__(self, url: str | os.PathLike[str]):
        self._url = os.fspath(url).rstrip("/")

    def __fspath__(self) -> str:
        return self._url

    __str__ = __fspath__

    def __repr__(self) -> str:
        return f"RemotePath({self._url!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RemotePath) and other._url == self._url

    def __lt__(self, other: RemotePath) -> bool:
        return self._url < other._url

    def __hash__(self) -> int:
        return hash(self._url)

    def __truediv__(self, name: str | os.PathLike[str]) -> RemotePath:
        return RemotePath(f"{self._url}/{os.fspath(name)}")

    @property
    def name(self) -> str:
        """What stands after the last slash."""
        return self._url.rsplit("/", 1)[1]

    @property
    def parent(self) -> RemotePath:
        """What stands before it."""
        return RemotePath(self._url.rsplit("/", 1)[0])

    def exists(self) -> bool:
        """Whether there is an object of this name, or one below it."""
        return self._store.exists(self._url)

    def is_dir(self) -> bool:
        """Whether there is an object below this name."""
        return self._store.is_dir(self._url)

    def read_bytes(self) -> bytes:
        """The object; FileNotFoundError if it is not there."""
        return self._store.read(self._url)

    def read_text(self, encoding: str = "utf-8") -> str:
        """The object as text."""
        return self.read_bytes().decode(encoding)

    def write_bytes(self, data: bytes) -> None:
        """Writes the object; nobody sees it before it is whole."""
        self._store.write(self._url, data)

    def write_text(self, text: str, encoding: str = "utf-8") -> None:
        """Writes text."""
        self.write_bytes(text.encode(encoding))

    def download(self, target: str) -> None:
        """Copies the object to a local file, tried three times; FileNotFoundError if it is not there."""
        for pause in (*_PAUSES, None):
            try:
                return self._store.download(self._url, target)
            except UserError:  # a store that is busy or out of reach for a moment
                if pause is None:
                    raise
                time.sleep(pause)

    def upload(self, source: str) -> None:
        """Copies a local file to the object."""
        if not os.path.getsize(source):  # TensorFlow does not copy an empty file
            self.write_bytes(b"")
        else:
            self._store.upload(source, self._url)

    def glob(self, pattern: str) -> Iterator[RemotePath]:
        """Objects and folders whose name below this one matches, sorted; folders stand in the pattern as they are."""
        yield from sorted(map(RemotePath, self._store.glob(self._url, pattern)))

    def walk(self) -> Iterator[tuple[str, list[str], list[str]]]:
        """As `os.walk`."""
        yield from self._store.walk(self._url)

    def unlink(self, missing_ok: bool = False) -> None:
        """Removes the object."""
        if not self.exists():
            if missing_ok:
                return
            raise FileNotFoundError(self._url)
        self._store.remove(self._url)

    def rmtree(self) -> None:
        """Removes everything below this name; nothing there is no error."""
        if self.is_dir():
            self._store.remove_tree(self._url)

    def size(self) -> int:
        """Bytes."""
        return self._store.size(self._url)

    def stamps(self) -> dict[str, tuple[int, int]]:
        """Every object below this name: nanoseconds of its last change, 0 if the store does not say, and its bytes."""
        return self._store.stamps(self._url)

    @property
    def _store(self) -> Store:
        global _stores_used
        _stores_used = True
        return known.store_of(self._url)


_stores_used = False


def was_used() -> bool:
    """Whether this process has asked a store for anything; tensorflow-io's S3 then aborts at the interpreter's end."""
    return _stores_used


def fetch(url: str) -> str:
    """Copies an object to a local file, which the caller removes; what is left is removed by `clean_up`."""
    descriptor, target = tempfile.mkstemp(dir=_folder(), suffix=f"-{RemotePath(url).name}")
    os.close(descriptor)
    RemotePath(url).download(target)
    return target


def clean_up() -> None:
    """Removes what was fetched and not removed since."""
    if _folder.cache_info().currsize:
        shutil.rmtree(_folder(), ignore_errors=True)
        _folder.cache_clear()


@functools.cache
def _folder() -> str:
    atexit.register(clean_up)
    return tempfile.mkdtemp(prefix="tfmir-")
