"""One file under its many spellings: what is on the disk, and by which name a library knows it."""

from __future__ import annotations

import os

from tfmir import files
from tfmir.corpora.spelling import composed


def found_path(path: str) -> str:
    """A path as the disk has it, from the home where it begins with `~`; empty if there is nothing.

    A name that is not there may be there in the other Unicode form: `é` as one character (NFC) or as two (NFD).
    """
    path = os.path.expanduser(path)
    if os.path.exists(path):
        return path
    above, name = os.path.split(path.rstrip("/"))
    folder = found_path(above or ".") if name else ""
    if not os.path.isdir(folder):
        return ""
    paths = (os.path.join(folder, other) for other in sorted(os.listdir(folder)) if composed(other) == composed(name))
    return next(filter(os.path.exists, paths), "")


def is_same(path: str, other: str) -> bool:
    """Whether two paths are one file; False if one of them is not there any more."""
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False


def names_below(path: str, library: str) -> tuple[str, ...]:
    """The names that a library may have for a file: its paths below the library's folder, best first.

    Args:
      path: of a file on the disk, however it is spelled, or below the same remote store as the library.
      library: the folder or URL that the library was made from.

    Returns:
      None if the file lies elsewhere; two if it is a link in the folder to another file there.

    >>> names_below("s3://bucket/music/a/b.flac", "s3://bucket/music")
    ('a/b.flac',)
    """
    if files.is_remote(library):
        prefix = library.rstrip("/") + "/"
        return (path.removeprefix(prefix),) if path.startswith(prefix) else ()
    if not path or files.is_remote(path):
        return ()
    folder, name = os.path.split(path.rstrip("/"))
    spelled = [os.path.join(os.path.realpath(folder or "."), name), os.path.realpath(path)]
    below = [os.path.relpath(each, os.path.realpath(library)) for each in dict.fromkeys(spelled)]
    return tuple(name for name in below if name.split(os.sep)[0] != os.pardir)
