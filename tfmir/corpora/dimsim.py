"""The human triplets of dim-sim: which of two songs sounds more like a third (Lee et al., ICASSP 2020; CC BY-NC 4.0).

The CSV is the one that Zenodo 3889149 publishes, with one row a triplet; the audio, excerpts of the Million Song
Dataset, is not part of it. The clean file has one vote a triplet, the raw one counts.
"""

from __future__ import annotations

from tfmir.corpora.labels import Row, read_rows
from tfmir.corpora.votes import Clip, HumanTriplet
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


def load(path: str) -> list[HumanTriplet]:
    """The triplets of a file, clean or raw.

    Raises:
      UserError: no such file, a column is missing, or a value is no number; names the line.
    """
    rows = read_rows(path, needed=COLUMNS, what="the CSV of Zenodo 3889149")
    return [_triplet(row) for row in rows]


def _triplet(row: Row) -> HumanTriplet:
    try:
        length = float(row["clip_lengths_seconds"])
        anchor, song1, song2 = (
            Clip(row[f"{name}_id"], float(row[f"{name}_start_seconds"]), length)
            for name in ("anchor", "song1", "song2")
        )
        votes = int(float(row["song1_vote"])), int(float(row["song2_vote"]))
    except (TypeError, ValueError) as error:
        raise UserError(f"{row.where}: {error}: expected numbers in seconds and votes") from error
    if min(votes) < 0 or min(anchor.start_secs, song1.start_secs, song2.start_secs) < 0 or length <= 0:
        raise UserError(f"{row.where}: a negative vote or time, or an empty clip")
    return HumanTriplet(row["triplet_id"], anchor, (song1, song2), votes)
