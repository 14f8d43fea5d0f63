"""Remote stores: TensorFlow's own file system where there is one for a scheme, else fsspec's.

`gs://` is TensorFlow's own; with the extra `io` so are `s3://`, `hdfs://` and `az://`. Without it `s3://` is s3fs' and
`az://` adlfs', through fsspec (the extras `s3` and `az`).
"""

from __future__ import annotations

import contextlib
import datetime
import fnmatch
import functools
import importlib.util
import os
import re
import warnings
from collections.abc import Iterator
from typing import Any, Protocol

from tfmir.errors import UserError

_HINT = "check the address, the credentials (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) and the endpoint (S3_ENDPOINT)"
MODULES = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs", "hdfs": "pyarrow"}  # scheme -> fsspec's module for it

_CHANGED = ("LastModified", "last_modified", "mtime", "updated", "modified", "created")  # of s3, az, hdfs, gs, memory
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


class Store(Protocol):
    """What a store can do with a name; FileNotFoundError where what is read is not there, else UserError."""

    def exists(self, url: str) -> bool:
        """Whether there is an object of this name, or one below it."""

    def is_dir(self, url: str) -> bool:
        """Whether there is an object below this name."""

    def read(self, url: str) -> bytes:
        """The object."""

    def write(self, url: str, data: bytes) -> None:
        """Writes the object; nobody sees it before it is whole."""

    def download(self, url: str, target: str) -> None:
        """Copies the object to a local file."""

    def upload(self, source: str, url: str) -> None:
        """Copies a local file, which is not empty, to the object."""

    def glob(self, url: str, pattern: str) -> list[str]:
        """Objects and folders whose name below `url` matches; folders stand in the pattern as they are."""

    def walk(self, url: str) -> Iterator[tuple[str, list[str], list[str]]]:
        """As `os.walk`."""

    def remove(self, url: str) -> None:
        """Removes the object."""

    def remove_tree(self, url: str) -> None:
        """Removes everything below this name."""

    def size(self, url: str) -> int:
        """Bytes of the object."""

    def stamps(self, url: str) -> dict[str, tuple[int, int]]:
        """Every object below `url`, by its name below it: nanoseconds of its last change, 0 if unknown, and bytes."""


def scheme(url: str) -> str:
    """What stands before `://`."""
    return url.partition("://")[0]


def extra_of(name: str) -> str:
    """The extra that is to be installed for a scheme."""
    return "io" if name == "hdfs" else name


def is_tensorflows(url: str) -> bool:
    """Whether TensorFlow itself, its data sets included, reads and writes a store."""
    return scheme(url) in _registered()


def store_of(url: str) -> Store:
    """The store of a name.

    Raises:
      UserError: nothing that is installed knows its scheme; names what to install.
    """
    return TensorFlowStore() if is_tensorflows(url) else _fsspec_store(scheme(url))


@functools.cache
def _registered() -> frozenset[str]:
    import tensorflow as tf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(Exception):  # under a later TensorFlow it imports, or not, and registers nothing
            import tensorflow_io  # noqa: F401
    return frozenset(tf.io.gfile.get_registered_schemes())


@functools.cache
def _fsspec_store(name: str) -> FsspecStore:
    if name not in MODULES:
        raise UserError(f"{name}://: no such kind of store: it must be one of {', '.join(MODULES)}, or a local path")
    if importlib.util.find_spec(MODULES[name]) is None:
        raise UserError(
            f"{name}://: nothing that is installed reads such stores: pip install 'tfmir[{extra_of(name)}]'"
        )
    import fsspec

    return FsspecStore(fsspec.filesystem(name, use_listings_cache=False, **_options(name)), name)


def _options(name: str) -> dict[str, Any]:
    """Those that s3fs does not read from TensorFlow's variables by itself."""
    if name != "s3":
        return {}
    client = {"endpoint_url": os.environ.get("S3_ENDPOINT"), "region_name": os.environ.get("AWS_REGION")}
    return {"client_kwargs": {key: value for key, value in client.items() if value}}


class TensorFlowStore:
    """TensorFlow's file systems, and those that tensorflow-io adds."""

    def __init__(self) -> None:
        import tensorflow as tf

        self.gfile: Any = tf.io.gfile

    def exists(self, url: str) -> bool:  # noqa: D102
        with self._explained(url):
            return bool(self.gfile.exists(url))

    def is_dir(self, url: str) -> bool:  # noqa: D102
        with self._explained(url):
            return bool(self.gfile.isdir(f"{url}/"))

    def read(self, url: str) -> bytes:  # noqa: D102
        with self._explained(url, reads=True), self.gfile.GFile(url, "rb") as file:
            return bytes(file.read())

    def write(self, url: str, data: bytes) -> None:  # noqa: D102
        with self._explained(url), self.gfile.GFile(url, "wb") as file:
            file.write(data)

    def download(self, url: str, target: str) -> None:  # noqa: D102
        with self._explained(url, reads=True):
            self.gfile.copy(url, target, overwrite=True)

    def upload(self, source: str, url: str) -> None:  # noqa: D102
        with self._explained(url):
            self.gfile.copy(source, url, overwrite=True)

    def glob(self, url: str, pattern: str) -> list[str]:  # noqa: D102
        literal = re.sub(r"([*?\[\\])", r"[\1]", url)
        with self._explained(url):
            return list(self.gfile.glob(f"{literal}/{pattern}"))

    def walk(self, url: str) -> Iterator[tuple[str, list[str], list[str]]]:  # noqa: D102
        with self._explained(url):
            yield from self.gfile.walk(url)

    def remove(self, url: str) -> None:  # noqa: D102
        with self._explained(url):
            self.gfile.remove(url)

    def remove_tree(self, url: str) -> None:  # noqa: D102
        with self._explained(url):
            self.gfile.rmtree(url)

    def size(self, url: str) -> int:  # noqa: D102
        with self._explained(url, reads=True):
            return int(self.gfile.stat(url).length)

    def stamps(self, url: str) -> dict[str, tuple[int, int]]:  # noqa: D102
        found = {}
        for folder, _, names in self.walk(url):
            for path in (f"{folder.rstrip('/')}/{name}" for name in names):
                with self._explained(path, reads=True):
                    status = self.gfile.stat(path)
                found[path[len(url) :].lstrip("/")] = (int(status.mtime_nsec), int(status.length))
        return found

    @contextlib.contextmanager
    def _explained(self, url: str, *, reads: bool = False) -> Iterator[None]:
        """TensorFlow's errors as a missing file, if one is read, or as something that a user can mend."""
        import tensorflow as tf

        try:
            yield
        except tf.errors.NotFoundError as error:
            raise _absent(url, reads=reads) from error
        except tf.errors.OpError as error:
            raise _refused(url, error.message) from error


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
            raise _absent(url, reads=reads) from error
        except Exception as error:  # of the store's own client, whichever that is
            raise _refused(url, str(error)) from error


def _changed(facts: dict[str, Any]) -> int:
    """Nanoseconds of an object's last change, which every store calls by another name; 0 if it does not say."""
    found = next((facts[name] for name in _CHANGED if isinstance(facts.get(name), datetime.datetime | float)), None)
    if found is None:
        return 0
    if isinstance(found, float):
        return int(found * 1e9)
    known = found if found.tzinfo else found.replace(tzinfo=datetime.timezone.utc)
    return (known - _EPOCH) // datetime.timedelta(microseconds=1) * 1000


def _absent(url: str, *, reads: bool) -> Exception:
    return FileNotFoundError(url) if reads else UserError(f"{url}: there is no such bucket or store: {_HINT}")


def _refused(url: str, message: str) -> UserError:
    return UserError(f"{url}: {' '.join(message.split())[:300]}: {_HINT}")
