"""The triplets that every system is asked about: drawn once from a seed and kept beside the record set."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import numpy as np

from tfmir import files
from tfmir.data.manifest import Manifest
from tfmir.errors import UserError
from tfmir.evaluation.triplets import COUNT, draw_track_triplets, draw_triplets
from tfmir.vocabulary import Vocabulary

LABELS, TRUTH = "labels", "truth"  # what figures are taken against: the tags that training saw, or all that are right
_NONE = np.empty([0, 3], np.int32)  # stored where no triplets can be drawn


@dataclasses.dataclass(frozen=True)
class Questions:
    """Triplets int32 [count, 3] of anchor, positive, negative.

    Attributes:
      notions: notion -> track numbers; None where none can be drawn.
      track: excerpt numbers, anchor and positive of one track; None where no track has two excerpts, or is alone.
    """

    notions: dict[str, np.ndarray | None]
    track: np.ndarray | None


def draw_questions(
    vocabulary: Vocabulary, labels: np.ndarray, excerpt_tracks: np.ndarray, *, count: int = COUNT, seed: int = 0
) -> Questions:
    """Triplets of every notion and of tracks.

    Args:
      vocabulary: tags and notions.
      labels: bool [tracks, tags].
      excerpt_tracks: int [excerpts], the track of each excerpt, ascending.
      count: triplets of each kind.
      seed: same seed, same triplets.
    """
    notions = {n: draw_triplets(labels, vocabulary.tags_of(n), count=count, seed=seed) for n in vocabulary.notions}
    return Questions(notions, draw_track_triplets(excerpt_tracks, count=count, seed=seed))


def stored_questions(
    records: str,
    manifest: Manifest,
    split: str,
    labels: np.ndarray,
    excerpt_tracks: np.ndarray,
    *,
    against: str = LABELS,
) -> Questions:
    """The questions about a split, `<records>/triplets-<split>.npz`; drawn and written if they are not there yet.

    Those of other shards, excerpts or numbers are drawn anew. A record set that cannot be written to is no error:
    the same seed gives the same triplets.

    Args:
      records: directory of the record set.
      manifest: manifest of the record set.
      split: train, validation or test.
      labels: bool [tracks, tags], of what the questions are about.
      excerpt_tracks: int [excerpts], the track of each excerpt, ascending.
      against: LABELS, or TRUTH, whose questions stand in a file of their own, `triplets-<split>-truth.npz`.
    """
    path = files.to_path(records) / f"triplets-{split}{'' if against == LABELS else f'-{against}'}.npz"
    shards = [shard.sha256 for shard in manifest.splits[split].shards]
    key = hashlib.sha256(f"{shards} {len(excerpt_tracks)} {COUNT}".encode()).hexdigest()
    stored = _load(path, key, manifest.vocabulary)
    if stored:
        return stored
    questions = draw_questions(manifest.vocabulary, labels, excerpt_tracks)
    drawn = {f"notion/{n}": triplets for n, triplets in questions.notions.items()} | {"track": questions.track}
    arrays: dict[str, Any] = {name: _NONE if triplets is None else triplets for name, triplets in drawn.items()}
    try:
        with files.replacing(path) as temporary:
            np.savez_compressed(temporary, key=np.array(key), **arrays)
    except (OSError, UserError) as error:
        print(f"{path}: not written ({error}); the triplets are drawn anew each time")
    return questions


def _load(path: files.Path, key: str, vocabulary: Vocabulary) -> Questions | None:
    stored = files.read_arrays(path) or {}
    names = {f"notion/{notion}" for notion in vocabulary.notions}
    if str(stored.get("key")) != key or not names <= set(stored):
        return None
    # A set without triplets of tracks once had no array of them.
    drawn = {name: triplets if len(triplets) else None for name, triplets in stored.items() if name != "key"}
    return Questions({n: drawn[f"notion/{n}"] for n in vocabulary.notions}, drawn.get("track"))
