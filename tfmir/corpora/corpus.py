"""What every corpus comes down to: tracks with their audio, artist, split and tags, and a vocabulary."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping

from tfmir.vocabulary import Vocabulary

SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True)
class Track:
    """One song of a corpus.

    Attributes:
      track_id: unique within the corpus; for a folder, the path below the audio folder.
      path: where its audio is.
      split: one of SPLITS.
      tags: sorted indices into the corpus' vocabulary; may be empty.
      artist_id: may be empty.
      secs: length as the label file gives it, 0 if it does not.
      truth: as `tags`, all that the track would be tagged with; None where nobody knows.
    """

    track_id: str
    path: str
    split: str
    tags: tuple[int, ...]
    artist_id: str = ""
    secs: float = 0.0
    truth: tuple[int, ...] | None = None


@dataclasses.dataclass(frozen=True)
class Corpus:
    """All tracks of one corpus.

    Attributes:
      licence: what the publisher allows; travels with the records and with every exported model.
      tracks: in the order of the label files.
      empty_notions: notions that the label file has a place for, but no tag.
      annotated: notion -> share of the tracks that were annotated with it; None where the tags are all that is known.
        Every track has its truth, or none has.
    """

    name: str
    licence: str
    vocabulary: Vocabulary
    tracks: tuple[Track, ...]
    empty_notions: tuple[str, ...] = ()
    annotated: Mapping[str, float] | None = None


def stable_fraction(key: str) -> float:
    """A number in [0, 1) that depends on the text alone, the same on every machine and in every process.

    >>> stable_fraction("a/b.mp3") == stable_fraction("a/b.mp3")
    True
    """
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big") / 2**64
