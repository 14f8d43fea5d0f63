"""Stores through TensorFlow's file systems."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

from tfmir.stores.store import absent, refused


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
            raise absent(url, reads=reads) from error
        except tf.errors.OpError as error:
            raise refused(url, error.message) from error
