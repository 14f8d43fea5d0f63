"""Which songs are embedded together: the unit of work of a catalogue, and what becomes of it.

What a task is made of is unpickled before a worker has set the variables that TensorFlow reads when it is imported: so
nothing here imports it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterable

from tfmir.catalogue.songs import Song
from tfmir.corpora.corpus import stable_fraction

_SONGS = 100


@dataclasses.dataclass(frozen=True)
class Job:
    """What the numbers depend on.

    Attributes:
      run: directory of the run, as the workers reach it.
      weights_sha256: checksum of its weights.
      library: folder or URL of the songs, as the workers reach it.
      excerpts: whether every excerpt's embedding is kept.
      precision: of the arithmetic.
    """

    run: str
    weights_sha256: str
    library: str
    excerpts: bool = False
    precision: str = "float32"


@dataclasses.dataclass(frozen=True)
class Part:
    """Songs that are embedded together.

    Attributes:
      file: where their rows go, a name that says all that the rows depend on: a part that is there need not be made.
      songs: sorted by id.
      least: the smallest stable fraction that an id in it can have, see `shard_index`.
      most: the largest.
    """

    file: str
    songs: tuple[Song, ...]
    least: float = 0.0
    most: float = 1.0


@dataclasses.dataclass(frozen=True)
class PartResult:
    """What became of a part.

    Attributes:
      file: its name.
      tracks: rows in it.
      rejected: (track id, path, reason) of every song that is not in it.
      remarks: (track id, path, remark) of every song that is in it although something is wrong with its file.
    """

    file: str
    tracks: int
    rejected: tuple[tuple[str, str, str], ...]
    remarks: tuple[tuple[str, str, str], ...]


def shard_index(track_id: str, count: int) -> int:
    """The shard of a song: its stable fraction of so many, so that those of another count overlap few of these.

    >>> [shard_index("a.mp3", count) for count in (1, 2, 4, 8)]
    [0, 1, 2, 5]
    """
    return min(count - 1, int(stable_fraction(track_id) * count))


def make_parts(songs: Iterable[Song], job: Job) -> list[Part]:
    """Deals songs to parts of a hundred at most on average, by a stable hash of their ids.

    The number of parts is a power of two, so that a song more or less changes the part that it is in, and no other.
    """
    ordered = sorted(songs)
    count = 1 << max(0, math.ceil(math.log2(max(1, len(ordered)) / _SONGS)))
    dealt: list[list[Song]] = [[] for _ in range(count)]
    for song in ordered:
        dealt[shard_index(song.track_id, count)].append(song)
    return [
        Part(part_file(of, job), tuple(of), index / count, (index + 1) / count) for index, of in enumerate(dealt) if of
    ]


def part_file(songs: Iterable[Song], job: Job, *, kind: str = "part") -> str:
    """The name of a part, by its songs, their files' stamps, and the job."""
    content = [job.weights_sha256, job.library, job.excerpts, job.precision, list(map(list, songs))]
    return f"{kind}-{hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]}.parquet"
