"""The demo corpus: rendered music that comes with the package, its tags, splits and files.

Every track is drawn from four independent notions; key, melody, levels, equalisers and the drum kit vary freely.
Track `i` of a split depends on the seed, the split and `i` alone, so any process may render any of them. There are two
kinds of tags, and with them two corpora: about equally frequent ones, or Zipf's (`zipf.py`).

>>> track = demo_tracks(seed=0, sizes={"test": 3})[2]
>>> track.path, track.artist
('test/00002.flac', 'test-artist-000')
"""

from __future__ import annotations

import csv
import dataclasses
import functools
import os
from collections.abc import Mapping, Sequence

import numpy as np
import soundfile

from tfmir import files
from tfmir.corpora.corpus import SPLITS
from tfmir.corpora.demo.arrangement import Score, arrange
from tfmir.corpora.demo.mastering import master
from tfmir.corpora.demo.synthesis import SAMPLE_RATE, render_hits, render_notes
from tfmir.corpora.demo.zipf import BLOCK, deal_block
from tfmir.errors import UserError

NOTIONS: dict[str, tuple[str, ...]] = {
    "genre": ("rock", "house", "jazz", "bossa", "breakbeat", "waltz"),
    "mood": ("happy", "sad", "playful", "dreamy", "nervous", "epic"),
    "instrument": ("piano", "guitar", "organ", "strings", "flute", "brass", "voice", "bells"),
    "era": ("shellac", "tape", "plate", "digital"),
}
SPLIT_SIZES = {"train": 1200, "validation": 200, "test": 400}
TRACK_SECS = 10.0
LICENCE = "CC0-1.0"

_TRACKS_PER_ARTIST = 5
_WEIGHTS = {
    "genre": (0.22, 0.2, 0.16, 0.15, 0.15, 0.12),
    "instrument": (0.17, 0.16, 0.12, 0.13, 0.11, 0.11, 0.11, 0.09),
    "era": (0.2, 0.25, 0.27, 0.28),
}
# A mood is up to three aspects, each of which may be absent (None): one track in eight has no mood at all.
_MOOD_ASPECTS: tuple[dict[str | None, float], ...] = (
    {"happy": 0.3, "sad": 0.26, None: 0.44},
    {"playful": 0.22, "dreamy": 0.2, "nervous": 0.17, None: 0.41},
    {"epic": 0.28, None: 0.72},
)


@dataclasses.dataclass(frozen=True)
class DemoTrack:
    """One track: what it is, before it is rendered.

    Attributes:
      index: its number within the split.
      path: its file below the audio folder, `train/00017.flac`.
      split: one of SPLITS.
      artist: several tracks of one split.
      tags: notion -> tags, in the order of NOTIONS; `mood` may be empty.
    """

    index: int
    path: str
    split: str
    artist: str
    tags: dict[str, tuple[str, ...]]


def demo_tracks(*, seed: int = 0, sizes: Mapping[str, int] = SPLIT_SIZES, zipf: bool = False) -> list[DemoTrack]:
    """Describes the corpus' tracks; nothing is rendered.

    Args:
      seed: same seed, same tracks.
      sizes: split -> tracks.
      zipf: tags in Zipf's proportions and of every notion, see `zipf.py`; else about equally frequent.

    Raises:
      UserError: `sizes` names a split that does not exist.
    """
    for split in sizes:
        if split not in SPLITS:
            raise UserError(f"split {split!r} of the demo corpus is unknown: use {', '.join(SPLITS)}")
    describe = _describe_zipf if zipf else _describe
    return [describe(seed, split, index) for split, size in sizes.items() for index in range(size)]


def render(track: DemoTrack, *, seed: int) -> np.ndarray:
    """Composes, plays and masters one track.

    Every stage has its own random numbers: the same track with another era is the same performance.

    Returns:
      float32 [220500], mono, in [-1, 1].
    """
    num_samples = int(TRACK_SECS * SAMPLE_RATE)
    composer, players, studio = (_rng(seed, track.split, track.index, stage) for stage in ("notes", "mix", "master"))
    score = arrange(track.tags["genre"][0], track.tags["mood"], track_secs=TRACK_SECS, rng=composer)
    mix = _mix(score, track.tags["instrument"], num_samples, players)
    return master(mix, track.tags["era"][0], studio)


def write_audio(tracks: Sequence[DemoTrack], audio_dir: str, *, seed: int) -> int:
    """Renders the tracks whose files are not there yet, as 16-bit FLAC.

    A file appears under its name only when it is complete, so an interrupted run is resumed by running it again.

    Returns:
      How many were rendered.
    """
    missing = [track for track in tracks if not os.path.exists(os.path.join(audio_dir, track.path))]
    for track in missing:
        samples = render(track, seed=seed)
        with files.replacing(os.path.join(audio_dir, track.path)) as partial:
            soundfile.write(partial, samples, SAMPLE_RATE, subtype="PCM_16", format="FLAC")
    return len(missing)


def write_annotations(tracks: Sequence[DemoTrack], path: str) -> None:
    """Writes a CSV with one line a track and one column a notion; several tags are separated by `;`."""
    with files.replacing(path) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["path", "split", "artist", *NOTIONS])
        for track in tracks:
            writer.writerow([track.path, track.split, track.artist, *(";".join(track.tags[n]) for n in NOTIONS)])


def _describe(seed: int, split: str, index: int) -> DemoTrack:
    rng = _rng(seed, split, index, "tags")
    moods = [_choose(aspect, rng) for aspect in _MOOD_ASPECTS]
    count = rng.choice((1, 2, 3), p=(0.3, 0.45, 0.25))
    players = rng.choice(NOTIONS["instrument"], size=count, replace=False, p=_WEIGHTS["instrument"])
    tags = {
        "genre": (str(rng.choice(NOTIONS["genre"], p=_WEIGHTS["genre"])),),
        "mood": tuple(tag for tag in NOTIONS["mood"] if tag in moods),
        "instrument": tuple(tag for tag in NOTIONS["instrument"] if tag in players),
        "era": (str(rng.choice(NOTIONS["era"], p=_WEIGHTS["era"])),),
    }
    return _track(split, index, tags)


def _describe_zipf(seed: int, split: str, index: int) -> DemoTrack:
    block, row = divmod(index, BLOCK)
    dealt = _deal(seed, split, block)
    return _track(split, index, {notion: tags[row] for notion, tags in dealt.items()})


@functools.lru_cache(maxsize=4)
def _deal(seed: int, split: str, block: int) -> dict[str, list[tuple[str, ...]]]:
    """Notion -> tags of each track of a block."""
    aspect_of = [next(i for i, aspect in enumerate(_MOOD_ASPECTS) if tag in aspect) for tag in NOTIONS["mood"]]
    dealt = {}
    for notion, tags in NOTIONS.items():
        rng = _rng(seed, split, block, f"zipf {notion}")
        group_of = aspect_of if notion == "mood" else None
        numbers = deal_block(notion, num_tags=len(tags), group_of=group_of, block=block, rng=rng)
        dealt[notion] = [tuple(tags[number] for number in of_track) for of_track in numbers]
    return dealt


def _track(split: str, index: int, tags: dict[str, tuple[str, ...]]) -> DemoTrack:
    artist = f"{split}-artist-{index // _TRACKS_PER_ARTIST:03d}"
    return DemoTrack(index, f"{split}/{index:05d}.flac", split, artist, tags)


def _choose(weights: Mapping[str | None, float], rng: np.random.Generator) -> str | None:
    return list(weights)[rng.choice(len(weights), p=list(weights.values()))]


def _rng(seed: int, split: str, index: int, stage: str) -> np.random.Generator:
    stages = ("tags", "notes", "mix", "master", *(f"zipf {notion}" for notion in NOTIONS))
    return np.random.default_rng([seed, SPLITS.index(split), index, stages.index(stage)])


def _mix(score: Score, instruments: Sequence[str], num_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Plays every part, at a random level through a random equaliser: float32 [samples]."""
    players = [str(name) for name in rng.permutation(instruments)]
    roles = {"melody": players[0], "chords": players[-1], "bass": "bass"}
    if len(players) == 3:
        roles["counter"] = players[1]
    sounds = {part: render_notes(name, score.parts[part], num_samples, rng) for part, name in roles.items()}
    drums = render_hits(score.hits, num_samples, rng)
    levels = {"melody": (-2, 4), "chords": (-5, 2), "counter": (-3, 3), "bass": (-9, 0)}
    pitched = sum(sound * _level(sound, levels[part], rng) for part, sound in sounds.items())
    beaten = sum(sound * _level(sound, (-15, -4), rng) for sound in drums.values())
    return (pitched * score.gain(np.arange(num_samples) / SAMPLE_RATE) + beaten).astype(np.float32)


def _level(sound: np.ndarray, decibels: tuple[float, float], rng: np.random.Generator) -> float:
    """Gain that brings a part to a random loudness, so that busy patterns are no louder than sparse ones."""
    return 10 ** (rng.uniform(*decibels) / 20) / (float(np.sqrt(np.mean(sound**2))) + 1e-6)
