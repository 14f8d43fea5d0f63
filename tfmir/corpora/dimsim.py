"""The human triplets of dim-sim: which of two songs sounds more like a third (Lee et al., ICASSP 2020; CC BY-NC 4.0).

The CSV is the one that Zenodo 3889149 publishes, with one row a triplet; the audio, excerpts of the Million Song
Dataset, is not part of it. The clean file has one vote a triplet, the raw one counts.
"""

from __future__ import annotations

import csv
import dataclasses

from tfmir.errors import UserError

COLUMNS = (
    "triplet_id",
    "anchor_id",
    "anchor_start_seconds",
    "song1_id",
    "song1_start_seconds",
    "song2_id",
    "song2_start_seconds",
    "clip_lengths_seconds",
    "song1_vote",
    "song2_vote",
)


@dataclasses.dataclass(frozen=True, order=True)
class Clip:
    """A stretch of a song: id, start and length in seconds."""

    song_id: str
    start_secs: float
    length_secs: float


@dataclasses.dataclass(frozen=True)
class HumanTriplet:
    """An anchor, two candidates, and how many listeners found each of them more like the anchor."""

    triplet_id: str
    anchor: Clip
    songs: tuple[Clip, Clip]
    votes: tuple[int, int]


def load(path: str) -> list[HumanTriplet]:
    """The triplets of a file, clean or raw.

    Raises:
      UserError: no such file, a column is missing, or a value is no number; names the line.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise UserError(f"{path}: no column {missing[0]!r}: it has {', '.join(reader.fieldnames or ['none'])}")
            triplets = [_triplet(row, f"{path}, line {reader.line_num}") for row in reader]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as a dim-sim CSV ({error})") from error
    if not triplets:
        raise UserError(f"{path}: no triplet in it: expected the CSV of Zenodo 3889149")
    return triplets


def _triplet(row: dict[str, str], where: str) -> HumanTriplet:
    try:
        length = float(row["clip_lengths_seconds"])
        anchor, song1, song2 = (
            Clip(row[f"{name}_id"], float(row[f"{name}_start_seconds"]), length)
            for name in ("anchor", "song1", "song2")
        )
        votes = int(float(row["song1_vote"])), int(float(row["song2_vote"]))
    except (TypeError, ValueError) as error:
        raise UserError(f"{where}: {error}: expected numbers in seconds and votes") from error
    if min(votes) < 0 or min(anchor.start_secs, song1.start_secs, song2.start_secs) < 0 or length <= 0:
        raise UserError(f"{where}: a negative vote or time, or an empty clip")
    return HumanTriplet(row["triplet_id"], anchor, (song1, song2), votes)
