"""What listeners said: which of two songs sounds more like a third."""

from __future__ import annotations

import dataclasses


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
