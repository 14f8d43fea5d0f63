"""What every remote store can do, and what is said of one that fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from tfmir.errors import UserError

_HINT = "check the address, the credentials (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) and the endpoint (S3_ENDPOINT)"


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


def absent(url: str, *, reads: bool) -> Exception:
    """What is said of an object that is not there: a missing file, if it is read, else a missing store."""
    return FileNotFoundError(url) if reads else UserError(f"{url}: there is no such bucket or store: {_HINT}")


def refused(url: str, message: str) -> UserError:
    """What is said of a store that fails, in its own words."""
    return UserError(f"{url}: {' '.join(message.split())[:300]}: {_HINT}")
