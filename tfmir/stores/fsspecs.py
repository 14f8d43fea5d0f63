"""Stores through fsspec's file systems."""

from __future__ import annotations

import contextlib
import datetime
import fnmatch
from collections.abc import Iterator
from typing import Any

from tfmir.stores.store import absent, refused

_CHANGED = ("LastModified", "last_modified", "mtime", "updated", "modified", "created")  # of s3, az, hdfs, gs, memory
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


class FsspecStore:
    """A file system of fsspec's.

    Args:
      system: the file system.
      name: its scheme.
    """

    def __init__(self, system: Any, name: str):
        self.system = system
        self.name = name

    def exists(self, url: str) -> bool:  # noqa: D102
        with self._explained(url):
            return bool(self.system.exists(url))

    def is_dir(self, url: str) -> bool:  # noqa: D102
        with self._explained(url):
            return bool(self.system.isdir(url))

    def read(self, url: str) -> bytes:  # noqa: D102
        with self._explained(url, reads=True):
            return bytes(self.system.cat_file(url))

    def write(self, url: str, data: bytes) -> None:  # noqa: D102
        with self._explained(url):
            self.system.pipe_file(url, data)

    def download(self, url: str, target: str) -> None:  # noqa: D102
        with self._explained(url, reads=True):
            self.system.get_file(url, target)

    def upload(self, source: str, url: str) -> None:  # noqa: D102
        with self._explained(url):
            self.system.put_file(source, url)

    def glob(self, url: str, pattern: str) -> list[str]:  # noqa: D102
        folder, _, names = f"{url}/{pattern}".rpartition("/")
        with self._explained(url):
            found = self._below(folder)
        return [name for name in found if fnmatch.fnmatchcase(name.rpartition("/")[2], names)]

    def walk(self, url: str) -> Iterator[tuple[str, list[str], list[str]]]:  # noqa: D102
        with self._explained(url):
            for folder, folders, names in self.system.walk(url):
                yield self._url(folder), list(folders), [name for name in names if name]

    def remove(self, url: str) -> None:  # noqa: D102
        with self._explained(url):
            self.system.rm_file(url)

    def remove_tree(self, url: str) -> None:  # noqa: D102
        with self._explained(url):
            self.system.rm(url, recursive=True)

    def size(self, url: str) -> int:  # noqa: D102
        with self._explained(url, reads=True):
            return int(self.system.size(url))

    def stamps(self, url: str) -> dict[str, tuple[int, int]]:  # noqa: D102
        with self._explained(url):
            found = self.system.find(url, detail=True)
        return {
            self._url(name)[len(url) :].lstrip("/"): (_changed(facts), int(facts.get("size") or 0))
            for name, facts in found.items()
        }

    def _below(self, folder: str) -> list[str]:
        try:
            return [self._url(name) for name in self.system.ls(folder, detail=False)]
        except FileNotFoundError:
            return []

    def _url(self, name: str) -> str:
        return name.rstrip("/") if "://" in name else f"{self.name}://{name.strip('/')}"

    @contextlib.contextmanager
    def _explained(self, url: str, *, reads: bool = False) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise absent(url, reads=reads) from error
        except Exception as error:  # of the store's own client, whichever that is
            raise refused(url, str(error)) from error


def _changed(facts: dict[str, Any]) -> int:
    """Nanoseconds of an object's last change, which every store calls by another name; 0 if it does not say."""
    found = next((facts[name] for name in _CHANGED if isinstance(facts.get(name), datetime.datetime | float)), None)
    if found is None:
        return 0
    if isinstance(found, float):
        return int(found * 1e9)
    known = found if found.tzinfo else found.replace(tzinfo=datetime.timezone.utc)
    return (known - _EPOCH) // datetime.timedelta(microseconds=1) * 1000
