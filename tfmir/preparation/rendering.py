"""The demo corpus' audio, rendered by a cluster."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tfmir.corpora.demo import demo
from tfmir.preparation import engine

_PER_TASK = 20
_GB, _SECS = 0.29e-3, 0.07  # a track, measured (BUILD_NOTES.md)


def render_all(
    tracks: Sequence[demo.DemoTrack], audio_dir: str, *, seed: int, workers: int = 0, scheduler: str = ""
) -> None:
    """Renders tracks into a folder, and says before how much that is.

    Args:
      tracks: those that are not there yet.
      audio_dir: the folder.
      seed: of the corpus.
      workers: see `engine.run_tasks`, as `scheduler`.
    """
    if tracks:
        said = f"{_size(len(tracks) * _GB)}, {_duration(len(tracks) * _SECS)} of one core"
        print(f"rendering {len(tracks)} tracks of the demo corpus to {audio_dir}: {said}", file=sys.stderr)
    parts = [tracks[i : i + _PER_TASK] for i in range(0, len(tracks), _PER_TASK)]
    for _ in engine.run_tasks(
        _render,
        [(part, audio_dir, seed) for part in parts],
        sizes=[len(part) for part in parts],
        description="render",
        unit="track",
        workers=workers,
        scheduler=scheduler,
    ):
        pass


def _size(gigabytes: float) -> str:
    """Of files.

    >>> _size(0.03), _size(5.2)
    ('under 0.1 GB', '5.2 GB')
    """
    return f"{gigabytes:.1f} GB" if gigabytes >= 0.1 else "under 0.1 GB"


def _duration(secs: float) -> str:
    """A rough one.

    >>> _duration(12), _duration(70), _duration(1260)
    ('under a minute', 'some 1 minute', 'some 21 minutes')
    """
    minutes = round(secs / 60)
    return "under a minute" if secs < 60 else f"some {minutes} minute{'s' if minutes > 1 else ''}"


def _render(tracks: list[demo.DemoTrack], audio_dir: str, seed: int) -> int:
    return demo.write_audio(tracks, audio_dir, seed=seed)
