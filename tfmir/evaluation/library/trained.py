"""How many songs of a library a run was trained on: of those, its figures are of memory.

Records keep neither path nor checksum of the audio, but its log-mel: a song is known by the statistics of that,
whatever it is called. Where no audio was heard, it is known by its id alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from tfmir.data.manifest import Manifest
from tfmir.data.records import StoredTrack, read_tracks
from tfmir.data.run_records import records_of
from tfmir.errors import UserError
from tfmir.evaluation.baselines import statistics_features
from tfmir.run_directory import Run

SOUND, ID = "sound", "id"
_SPLIT = "train"
_TOLERANCE = 1e-3  # of a band's statistics: float16 rounds single frames by as much, and they are means over many


@dataclasses.dataclass(frozen=True)
class Trained:
    """Songs that are tracks of the training split.

    Attributes:
      songs: how many.
      by: how they were known: SOUND or ID.
      same_id: how many more have the id of such a track, but another sound, or the same in another encoding.
      tracks: size of the training split.
    """

    songs: int
    by: str
    same_id: int
    tracks: int


def trained_on(run: Run, ids: Sequence[str], statistics: np.ndarray | None) -> Trained | None:
    """Looks for songs in the training split of a run's records, which is read once.

    Args:
      run: a trained run.
      ids: of the songs.
      statistics: float32 [songs, 3 * mels], as `statistics_features` gives them; None where no audio was heard.

    Returns:
      What was found; None where the run's records are no longer there, or are other ones.
    """
    try:
        run, manifest = records_of(run)
    except UserError:
        return None
    seen, same = np.zeros(len(ids), bool), np.zeros(len(ids), bool)
    rows: dict[str, list[int]] = {}
    for row, track_id in enumerate(ids):
        rows.setdefault(track_id, []).append(row)
    sounds = None if statistics is None else _Sounds(statistics)
    for track in _read(run, manifest):
        same[rows.get(track.track_id, [])] = True
        if sounds is not None:
            seen[sounds.like(statistics_features(track.log_mel))] = True
    tracks = manifest.splits[_SPLIT].tracks
    if sounds is None:
        return Trained(int(same.sum()), ID, 0, tracks)
    return Trained(int(seen.sum()), SOUND, int((same & ~seen).sum()), tracks)


def _read(run: Run, manifest: Manifest) -> tqdm[StoredTrack]:
    total = manifest.splits[_SPLIT].tracks
    tracks = read_tracks(run.records, manifest, _SPLIT)
    return tqdm(tracks, total=total, desc="look for training tracks", unit="track", mininterval=1.0)


class _Sounds:
    """Statistics of songs, in the order of their means: only songs of about the same mean can be the same."""

    def __init__(self, statistics: np.ndarray):
        means = statistics.mean(axis=1)
        self._order = np.argsort(means, kind="stable")
        self._means, self._statistics = means[self._order], statistics[self._order]

    def like(self, statistics: np.ndarray) -> np.ndarray:
        """Rows of the songs that have these statistics [3 * mels]."""
        mean = statistics.mean()
        near = slice(*np.searchsorted(self._means, [mean - _TOLERANCE, mean + _TOLERANCE]))
        same = np.abs(self._statistics[near] - statistics).max(axis=1) <= _TOLERANCE
        return self._order[near][same]
