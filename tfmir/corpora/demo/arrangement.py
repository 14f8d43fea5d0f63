"""The demo corpus' composer: genre and moods to notes and drum hits.

A genre is patterns of steps (kick, snare, hat, chords, bass), a tempo, a swing and chords. A mood is a mode and
the direction of the melody (happy, sad), an articulation (playful, dreamy, nervous), or a swell (epic). Key,
register, density, melody and the choice among a genre's patterns vary freely.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from tfmir.corpora.demo.synthesis import Hit, Note

_SILENT_DRUM = 0.3  # probability: the bass and the chords must tell the genre, too
_MAJOR, _MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)


@dataclasses.dataclass(frozen=True)
class Genre:
    """Patterns are sixteenth by sixteenth, `x` an onset; a bar is as long as they are.

    Attributes:
      swing: where in the beat its second eighth falls; 0.5 is straight.
      voicings: scale steps above the chord's root.
      roots: scale steps of the chords, one a bar.
    """

    bpm: tuple[float, float]
    low: tuple[str, ...]
    mid: tuple[str, ...]
    high: tuple[str, ...]
    chords: tuple[str, ...]
    bass: tuple[str, ...]
    swing: float = 0.5
    voicings: tuple[tuple[int, ...], ...] = ((0, 2, 4), (0, 2, 4, 6))
    roots: tuple[tuple[int, ...], ...] = ((0, 5, 3, 4), (0, 3, 4, 3))


GENRES = {
    "rock": Genre(
        bpm=(115, 145),
        low=("x.......x.x.....", "x.....x.x......."),
        mid=("....x.......x...",),
        high=("x.x.x.x.x.x.x.x.", "x...x...x...x..."),
        chords=("x.x.x.x.x.x.x.x.", "x.......x.x.x.x.", "x...x...x...x..."),
        bass=("x.x.x.x.x.x.x.x.", "x.......x.x....."),
        voicings=((0, 4, 7), (0, 2, 4)),
    ),
    "house": Genre(
        bpm=(116, 134),
        low=("x...x...x...x...",),
        mid=("....x.......x...", "............x..."),
        high=("..x...x...x...x.",),
        chords=("..x...x...x...x.", "..x..x....x..x..", "..x.......x.x.x."),
        bass=("..x...x...x...x.", "..xx..xx..xx..xx"),
        roots=((0, 0, 5, 5), (0, 5, 0, 3)),
    ),
    "jazz": Genre(
        bpm=(125, 165),
        low=("x.....x.........", "x.......x.....x.", "......x...x....."),
        mid=("......x.......x.", "..x...........x.", "......x...x...x."),
        high=("x...x.x.x...x.x.",),
        chords=("x.....x.........", "......x.......x.", "..x...x...x...x."),
        bass=("x...x...x...x...",),
        swing=0.67,
        voicings=((0, 2, 4, 6), (0, 2, 6, 8)),
        roots=((1, 4, 0, 5), (0, 5, 1, 4)),
    ),
    "bossa": Genre(
        bpm=(115, 140),
        low=("x.....x.x.....x.",),
        mid=("x..x..x...x..x..", "..x..x..x..x..x."),
        high=("x.x.x.x.x.x.x.x.", "xxxxxxxxxxxxxxxx"),
        chords=("x..x..x...x..x..", "x..x..x..x..x..."),
        bass=("x.....x.x.....x.",),
        voicings=((0, 2, 4, 6), (0, 2, 6, 8)),
        roots=((0, 1, 4, 0), (0, 5, 1, 4)),
    ),
    "breakbeat": Genre(
        bpm=(135, 165),
        low=("x.x.......x..x..", "x.x.......xx...."),
        mid=("....x..x.x..x..x", "....x..x.x....x."),
        high=("x.x.x.x.x.x.x.x.", "xxx.x.xxxxx.x.xx"),
        chords=("x...............", "x..x..x.........", "x..x..x..x..x..."),
        bass=("x.....x...x.....", "x..x......x..x.."),
        roots=((0, 0, 3, 3), (0, 5, 0, 6)),
    ),
    "waltz": Genre(
        bpm=(130, 170),
        low=("x...........", "x.........x."),
        mid=("....x...x...", "....x..xx..."),
        high=("x...x...x...", "x.x.x.x.x.x.", "....x...x..."),
        chords=("....x...x...", "....x.x.x.x."),
        bass=("x...........", "x.......x..."),
        roots=((0, 4, 0, 4), (0, 3, 4, 0)),
    ),
}


@dataclasses.dataclass(frozen=True)
class Score:
    """What is played: drum hits, and notes per part (bass, chords, melody, counter)."""

    hits: tuple[Hit, ...]
    parts: dict[str, tuple[Note, ...]]
    first_bar_secs: float  # at most 0: a track begins anywhere in its first bar
    bar_secs: float
    swell: float  # 0: level; 1: every bar grows from nothing

    def gain(self, seconds: np.ndarray) -> np.ndarray:
        """float64, the shape of `seconds`: the linear gain of the pitched parts, in [0, 1]."""
        return 1 - self.swell * (1 - (seconds - self.first_bar_secs) / self.bar_secs % 1.0)


def arrange(genre: str, moods: Collection[str], *, track_secs: float, rng: np.random.Generator) -> Score:
    """Composes a track.

    Args:
      genre: a key of GENRES.
      moods: any of happy, sad, playful, dreamy, nervous, epic; an aspect that none of them sets is neutral.
      track_secs: bars are added until this is full.
      rng: source of everything the tags leave open.
    """
    clock = _Clock(GENRES[genre], track_secs, rng)
    either, key = rng.choice((-1, 1)), int(rng.integers(-6, 6))
    direction = ("happy" in moods) - ("sad" in moods)
    scale = _MAJOR if (direction or either) > 0 else _MINOR
    written = {
        "bass": _bass(clock, scale, key, rng),
        "chords": _chords(clock, scale, key, rng),
        "melody": _melody(clock, scale, key + int(rng.integers(60, 76)), direction, rng),
        "counter": _melody(clock, scale, key + int(rng.integers(50, 72)), direction, rng),
    }
    parts = {name: tuple(_articulate(notes, name, moods, rng)) for name, notes in written.items()}
    swell = rng.uniform(0.85, 0.98) * ("epic" in moods)
    return Score(tuple(_drums(clock, rng)), parts, clock.lead_in, clock.bar_secs, swell)


class _Clock:
    """Chosen patterns of one track, and when their steps sound."""

    def __init__(self, genre: Genre, track_secs: float, rng: np.random.Generator) -> None:
        self.genre, self.track_secs, self._rng = genre, track_secs, rng
        self.beat_secs = 60.0 / rng.uniform(*genre.bpm)
        self.steps = len(genre.low[0])
        self.bar_secs = self.beat_secs * self.steps / 4
        self.lead_in = -rng.uniform(0, 1) * self.bar_secs
        self.bars = int((track_secs - self.lead_in) / self.bar_secs) + 1
        self.roots = _pick(genre.roots, rng)

    def secs(self, bar: int, step: int) -> float:
        """When a step sounds: swung, and a few milliseconds off as players are."""
        beat, sixteenth = divmod(step, 4)
        swing = self.genre.swing
        within = sixteenth / 2 * swing if sixteenth < 2 else swing + (sixteenth - 2) / 2 * (1 - swing)
        return self.lead_in + bar * self.bar_secs + (beat + within) * self.beat_secs + self._rng.normal(0, 0.003)

    def onsets(self, pattern: str) -> list[tuple[int, float, float]]:
        """(bar, seconds, seconds to the next onset) of every onset within the track."""
        steps = [step for step, mark in enumerate(pattern) if mark == "x"]
        times = [(bar, self.secs(bar, step)) for bar in range(self.bars) for step in steps]
        ends = [secs for _, secs in times] + [self.lead_in + self.bars * self.bar_secs]
        timed = [(bar, start, end - start) for (bar, start), end in zip(times, ends[1:], strict=True)]
        return [(bar, start, length) for bar, start, length in timed if 0 <= start < self.track_secs]

    def root(self, bar: int) -> int:
        """Scale step of the bar's chord."""
        return self.roots[bar % len(self.roots)]


def _pick(variants: Sequence[Any], rng: np.random.Generator) -> Any:
    return variants[int(rng.integers(len(variants)))]


def _pitch(scale: tuple[int, ...], degree: int) -> int:
    return scale[degree % 7] + 12 * (degree // 7)


def _drums(clock: _Clock, rng: np.random.Generator) -> list[Hit]:
    """The genre's accents among softer strokes of any density, which hides how many strokes a genre has."""
    hits = []
    for drum, most in (("low", 0.35), ("mid", 0.45), ("high", 0.8)):
        if rng.uniform() < _SILENT_DRUM:
            continue
        pattern = _pick(getattr(clock.genre, drum), rng)
        ghosts = rng.uniform(size=clock.steps) < rng.uniform(0, most)
        soft = "".join("x" if on and mark == "." else "." for on, mark in zip(ghosts, pattern, strict=True))
        hits += [Hit(secs, drum, rng.uniform(0.8, 1)) for _, secs, _ in clock.onsets(pattern)]
        hits += [Hit(secs, drum, rng.uniform(0.2, 0.6)) for _, secs, _ in clock.onsets(soft)]
    return hits


def _bass(clock: _Clock, scale: tuple[int, ...], key: int, rng: np.random.Generator) -> list[Note]:
    walking = clock.genre.swing > 0.5
    notes = []
    for bar, secs, length in clock.onsets(_pick(clock.genre.bass, rng)):
        degree = clock.root(bar) + (int(rng.integers(0, 7)) if walking else 0)
        notes.append(Note(secs, length, 36 + key + _pitch(scale, degree), rng.uniform(0.8, 1)))
    return notes


def _chords(clock: _Clock, scale: tuple[int, ...], key: int, rng: np.random.Generator) -> list[Note]:
    base, voicing = 48 + key + int(rng.integers(0, 2)) * 12, _pick(clock.genre.voicings, rng)
    notes = []
    for bar, secs, length in clock.onsets(_pick(clock.genre.chords, rng)):
        degrees = [clock.root(bar) % 7 + step for step in voicing]
        notes += [Note(secs, length, base + _pitch(scale, degree), 0.9) for degree in degrees]
    return notes


def _melody(clock: _Clock, scale: tuple[int, ...], base: int, direction: int, rng: np.random.Generator) -> list[Note]:
    """A rhythm repeated bar by bar; its line rises (+1), falls (-1) or wanders (0) within the bar."""
    played = rng.uniform(size=clock.steps // 2) < rng.uniform(0.45, 0.8)
    pattern = "".join("x." if on else ".." for on in played) if played.any() else "x".ljust(clock.steps, ".")
    notes, degree, last_bar = [], 0, -1
    for bar, secs, length in clock.onsets(pattern):
        if bar != last_bar:
            degree, last_bar = clock.root(bar) % 7 - 3 * direction, bar
        notes.append(Note(secs, length, base + _pitch(scale, degree), rng.uniform(0.7, 1)))
        degree += int(rng.integers(1, 3)) * direction if direction else int(rng.integers(-2, 3))
    return notes


def _articulate(notes: list[Note], part: str, moods: Collection[str], rng: np.random.Generator) -> list[Note]:
    """Gives notes, written as long as the time to the next one, the length and repetition of the mood.

    Moods are the melody's and the counter-melody's; accompaniment is short or long as it pleases, or the mean
    change of a spectrum would tell the mood.
    """
    gate, period = rng.uniform(0.4, 0.9), rng.uniform(0.09, 0.12)
    if part in ("bass", "chords"):
        moods = ()
    if "nervous" in moods:
        return [repeat for note in notes for repeat in _tremolo(note, period)]
    if "playful" in moods:
        return [dataclasses.replace(note, secs=min(0.09, 0.4 * note.secs)) for note in notes]
    if "dreamy" in moods:
        return [dataclasses.replace(note, secs=note.secs + 0.2) for note in notes]
    return [dataclasses.replace(note, secs=note.secs * gate) for note in notes]


def _tremolo(note: Note, period: float) -> list[Note]:
    count = max(1, round(note.secs / period))
    starts = note.start_secs + period * np.arange(count)
    return [dataclasses.replace(note, start_secs=float(start), secs=0.6 * period) for start in starts]
