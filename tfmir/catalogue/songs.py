"""Songs of a library as files: which there are, and whether they are still what they were."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from tfmir import files


class Song(NamedTuple):
    """A file of a library: its path below it, which is its id, nanoseconds of its last change, and its bytes."""

    track_id: str
    mtime_ns: int
    size: int


def stamped(library: str | os.PathLike[str], names: Sequence[str]) -> dict[str, Song]:
    """The songs of these names, paths below a library."""
    stamps = files.stamps(library, names)
    return {name: Song(name, *stamps[name]) for name in names}


def unchanged(table: pa.Table, songs: Mapping[str, Song]) -> np.ndarray:
    """bool [rows]: whether each row is of a song that is there, and whose file is what it was."""
    columns = (table.column(name).to_pylist() for name in ("track_id", "mtime_ns", "size"))
    return np.array([songs.get(row[0]) == row for row in zip(*columns, strict=True)], bool)
