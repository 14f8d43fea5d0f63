"""What listeners said: which of two songs sounds more like a third, as two corpora have asked them.

dim-sim (Lee et al., ICASSP 2020; CC BY-NC 4.0; Zenodo 3889149): one row a triplet; its audio, excerpts of the Million
Song Dataset, is not part of it. The clean file has one vote a triplet, the raw one counts.

MagnaTagATune (Law et al., ISMIR 2009): 533 odd-one-out comparisons.
"""

from __future__ import annotations

import dataclasses
import pathlib

from tfmir import folders
from tfmir.corpora.labels import Row, read_rows, read_text
from tfmir.errors import UserError

CLIP_SECS = 29.0  # of a clip of MagnaTagATune
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
_VOTES = ("clip1_id", *(f"clip{i}_{what}" for what in ("numvotes", "mp3_path") for i in (1, 2, 3)))


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


def votes_on_songs(path: str, audio_dir: str) -> list[HumanTriplet]:
    """What `--human_triplets` and `--audio_dir` ask for, looked at before long work begins: none where both are empty.

    Raises:
      UserError: one without the other, no such folder, or votes that cannot be read.
    """
    if bool(path) != bool(audio_dir):
        raise UserError("--human_triplets and --audio_dir go together: the votes, and the songs that they are about")
    if not path:
        return []
    folders.require_folder("audio_dir", audio_dir)
    return load_triplets(path)


def load_triplets(path: str) -> list[HumanTriplet]:
    """The votes in a file of one of the two published forms, which its header tells apart.

    Raises:
      UserError: no such file, or not what its header promises; names the row.
    """
    header = read_text(path, what="the CSV of dim-sim, or comparisons_final.csv of MagnaTagATune").partition("\n")[0]
    return load_comparisons(path) if "clip1_numvotes" in header else load_dimsim(path)


def load_dimsim(path: str) -> list[HumanTriplet]:
    """The triplets of dim-sim's file, clean or raw.

    Raises:
      UserError: no such file, a column is missing, or a value is no number; names the line.
    """
    rows = read_rows(path, needed=COLUMNS, what="the CSV of Zenodo 3889149")
    return [_triplet(row) for row in rows]


def load_comparisons(path: str) -> list[HumanTriplet]:
    """The triplets of `comparisons_final.csv`: three clips, and how many players found each the odd one out.

    A vote that c is odd says of anchor a that b is more like it than c is, and of anchor b the same of a; of anchor c
    it says nothing. So each row gives three triplets, those without any vote left out.

    Raises:
      UserError: no such file, a column is missing, or a vote is no number; names the row.
    """
    triplets = []
    for row in read_rows(path, needed=_VOTES, what="comparisons_final.csv of MagnaTagATune", delimiter="\t"):
        clips = [Clip(pathlib.PurePosixPath(row[f"clip{i}_mp3_path"]).stem, 0.0, CLIP_SECS) for i in (1, 2, 3)]
        odd = [_votes(row, f"clip{i}_numvotes") for i in (1, 2, 3)]
        for a, b, c in ((0, 1, 2), (1, 0, 2), (2, 0, 1)):
            if odd[b] + odd[c]:
                name = f"{row.where.rsplit(' ', 1)[1]}-{a + 1}"
                triplets.append(HumanTriplet(name, clips[a], (clips[b], clips[c]), (odd[c], odd[b])))
    return triplets


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


def _votes(row: Row, column: str) -> int:
    if not row[column].strip().isdigit():
        raise UserError(f"{row.where}: {column} is {row[column]!r}, expected a number of votes")
    return int(row[column])
