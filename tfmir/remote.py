"""Paths such as `s3://bucket/folder`, with the part of pathlib's interface that `files.py`, the door to them, needs.

Through TensorFlow's file systems and tensorflow-io's (`s3://`, `gs://`, `hdfs://`, `az://`). There are no folders in
such stores, only names with slashes: a folder is there once something is in it. Nothing is ever renamed: on S3
tensorflow-io's rename takes along every object whose name merely starts like the source's.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import time
import warnings
from collections.abc import Iterator
from typing import Any

from tfmir.errors import UserError

_PAUSES = (2.0, 10.0)  # seconds before a second and a third try
_HINT = "check the address, the credentials (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) and the endpoint (S3_ENDPOINT)"


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
        with _explained(self._url):
            return bool(_gfile().exists(self._url))

    def is_dir(self) -> bool:
        """Whether there is an object below this name."""
        with _explained(self._url):
            return bool(_gfile().isdir(f"{self._url}/"))

    def read_bytes(self) -> bytes:
        """The object; FileNotFoundError if it is not there."""
        with _explained(self._url, reads=True), _gfile().GFile(self._url, "rb") as file:
            return bytes(file.read())

    def read_text(self, encoding: str = "utf-8") -> str:
        """The object as text."""
        return self.read_bytes().decode(encoding)

    def write_bytes(self, data: bytes) -> None:
        """Writes the object; nobody sees it before it is whole."""
        with _explained(self._url), _gfile().GFile(self._url, "wb") as file:
            file.write(data)

    def write_text(self, text: str, encoding: str = "utf-8") -> None:
        """Writes text."""
        self.write_bytes(text.encode(encoding))

    def download(self, target: str) -> None:
        """Copies the object to a local file, tried three times; FileNotFoundError if it is not there."""
        for pause in (*_PAUSES, None):
            try:
                with _explained(self._url, reads=True):
                    _gfile().copy(self._url, target, overwrite=True)
                return
            except UserError:  # a store that is busy or out of reach for a moment
                if pause is None:
                    raise
                time.sleep(pause)

    def upload(self, source: str) -> None:
        """Copies a local file to the object."""
        if not os.path.getsize(source):  # an empty file cannot be copied
            self.write_bytes(b"")
            return
        with _explained(self._url):
            _gfile().copy(source, self._url, overwrite=True)

    def glob(self, pattern: str) -> Iterator[RemotePath]:
        """Objects and folders right below whose names match, sorted."""
        literal = re.sub(r"([*?\[\\])", r"[\1]", self._url)
        with _explained(self._url):
            found = _gfile().glob(f"{literal}/{pattern}")
        yield from sorted(map(RemotePath, found))

    def walk(self) -> Iterator[tuple[str, list[str], list[str]]]:
        """As `os.walk`."""
        with _explained(self._url):
            yield from _gfile().walk(self._url)

    def unlink(self, missing_ok: bool = False) -> None:
        """Removes the object."""
        if not self.exists():
            if missing_ok:
                return
            raise FileNotFoundError(self._url)
        with _explained(self._url):
            _gfile().remove(self._url)

    def rmtree(self) -> None:
        """Removes everything below this name; nothing there is no error."""
        if self.is_dir():
            with _explained(self._url):
                _gfile().rmtree(self._url)

    def size(self) -> int:
        """Bytes."""
        with _explained(self._url, reads=True):
            return int(_gfile().stat(self._url).length)


def was_used() -> bool:
    """Whether this process has asked a store for anything; tensorflow-io's S3 then aborts at the interpreter's end."""
    return _stores_used


_stores_used = False


def _gfile() -> Any:
    global _stores_used
    _stores_used = True
    return _file_systems()


@functools.cache
def _file_systems() -> Any:
    """TensorFlow's own, with those that tensorflow-io adds."""
    import tensorflow as tf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(ImportError, NotImplementedError):
            import tensorflow_io  # noqa: F401  (registers s3, hdfs and az; gs comes with TensorFlow)
    return tf.io.gfile


@contextlib.contextmanager
def _explained(url: str, *, reads: bool = False) -> Iterator[None]:
    """TensorFlow's errors as a missing file, if one is read, or as something that a user can mend."""
    import tensorflow as tf

    try:
        yield
    except tf.errors.NotFoundError as error:
        if reads:
            raise FileNotFoundError(url) from error
        raise UserError(f"{url}: there is no such bucket or store: {_HINT}") from error
    except tf.errors.OpError as error:
        raise UserError(f"{url}: {' '.join(error.message.split())[:300]}: {_HINT}") from error
