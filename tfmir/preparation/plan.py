"""Which tracks go into which shard: a stable hash of their ids, so that the same corpus always gives the same plan."""

from __future__ import annotations

import dataclasses
import hashlib
import json

from tfmir.corpora.corpus import SPLITS, Corpus, Track
from tfmir.data.manifest import shard_name, shard_of
from tfmir.params import FeatureParams

_TRACKS_PER_SHARD = 100
_SHARD_VERSION = 2  # of the manifests with which shards without truth got the bytes that they have


@dataclasses.dataclass(frozen=True)
class Plan:
    """Which tracks go into which shard.

    Attributes:
      shards: (split, file name) -> tracks, in order.
      fingerprint: checksum of everything that the bytes depend on, but the audio itself and where it is.
      fingerprint_0_1: the same as version 0.1.0 made it, with the paths of the audio.
    """

    shards: dict[tuple[str, str], tuple[Track, ...]]
    fingerprint: str
    fingerprint_0_1: str

    def made(self, fingerprint: str) -> bool:
        """Whether a set of this fingerprint was made by this plan."""
        return fingerprint in (self.fingerprint, self.fingerprint_0_1)


def make_plan(corpus: Corpus, name: str, *, num_shards: int, features: FeatureParams) -> Plan:
    """Deals the tracks to shards by a stable hash of their ids; the same corpus always gives the same plan."""
    of_split = {split: [track for track in corpus.tracks if track.split == split] for split in SPLITS}
    train = len(of_split["train"]) or len(corpus.tracks)
    per_shard = max(1, train) / num_shards if num_shards else _TRACKS_PER_SHARD
    shards: dict[tuple[str, str], tuple[Track, ...]] = {}
    for split, tracks in of_split.items():
        count = max(1, round(len(tracks) / per_shard))
        members: list[list[Track]] = [[] for _ in range(count)]
        for track in tracks:
            members[shard_of(track.track_id, count)].append(track)
        for index, dealt in enumerate(members):
            shards[split, shard_name(name, split, index, count)] = tuple(dealt)
    content: dict[str, object] = {
        "schema": _SHARD_VERSION,
        "features": features.track_params,
        "vocabulary": corpus.vocabulary.to_dict(),
        "tracks": sorted((t.track_id, t.split, t.tags, t.artist_id) for t in corpus.tracks),
        "shards": [file for _, file in shards],
    }
    if corpus.annotated is not None:
        content["annotated"] = corpus.annotated
        content["truth"] = sorted((t.track_id, t.truth) for t in corpus.tracks)
    earlier = content | {"tracks": sorted((t.track_id, t.path, t.split, t.tags, t.artist_id) for t in corpus.tracks)}
    return Plan(shards, _sha256(content), _sha256(earlier))


def _sha256(content: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
