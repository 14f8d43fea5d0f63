"""What a record set says of itself: its manifest, and the names of its shards (see tfrecords/README.md).

Without TensorFlow, so that a command can tell a wrong folder before it is imported.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

from tfmir import files
from tfmir.errors import UserError
from tfmir.params import FeatureParams
from tfmir.vocabulary import Vocabulary

SCHEMA_VERSION = 3
READABLE_VERSIONS = (2, SCHEMA_VERSION)  # a set of version 2 is one of version 3 without truth
MANIFEST = "manifest.json"


@dataclasses.dataclass(frozen=True)
class Shard:
    """One file of a split: its name, how many tracks it holds, and its checksum."""

    file: str
    tracks: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class Split:
    """One split: totals, how many tracks carry each tag and a tag of each notion, and its shards in order.

    `truth_counts` are as `tag_counts`, of the whole truth; None where the tags are all that is known.
    """

    tracks: int
    frames: int
    tag_counts: tuple[int, ...]
    notion_counts: tuple[int, ...]
    shards: tuple[Shard, ...]
    truth_counts: tuple[int, ...] | None = None


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What a record set says of itself.

    Attributes:
      features: `FeatureParams.track_params` that the log-mel was computed with.
      splits: split name -> Split.
      plan: fingerprint of the tracks, tags and settings that the set was made from.
      annotated: notion -> share of the tracks that was to be annotated, where the truth stands beside the tags.
    """

    name: str
    corpus: str
    licence: str
    features: dict[str, Any]
    vocabulary: Vocabulary
    splits: dict[str, Split]
    plan: str = ""
    schema_version: int = SCHEMA_VERSION
    annotated: dict[str, float] | None = None

    @property
    def has_truth(self) -> bool:
        """Whether every track has its truth beside its tags."""
        return self.annotated is not None

    @property
    def shards(self) -> list[Shard]:
        """Those of all splits that have tracks."""
        return [shard for split in self.splits.values() for shard in split.shards if shard.tracks]

    @property
    def fingerprint(self) -> str:
        """Checksum of what is in the set, wherever it is and whatever it is called."""
        sums = {name: [shard.sha256 for shard in split.shards] for name, split in self.splits.items()}
        content = {"features": self.features, "vocabulary": list(self.vocabulary.to_dict().items()), "shards": sums}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def shard_of(track_id: str, num_shards: int) -> int:
    """The shard of a track: a stable hash of its id, the same in every process and on every machine."""
    return int.from_bytes(hashlib.blake2b(track_id.encode(), digest_size=8).digest(), "big") % num_shards


def shard_name(name: str, split: str, index: int, num_shards: int) -> str:
    """File name of a shard."""
    return f"{name}-{split}.tfrecord-{index:05d}-of-{num_shards:05d}"


def shard_paths(records: str, manifest: Manifest, split: str) -> list[str]:
    """Paths of a split's shards, in order.

    Raises:
      UserError: no such split, or one without tracks.
    """
    if split not in manifest.splits or not manifest.splits[split].tracks:
        raise UserError(f"{records}: the {split} split has no tracks: it has {_sizes(manifest)}")
    return [str(files.to_path(records) / shard.file) for shard in manifest.splits[split].shards if shard.tracks]


def missing_shards(records: str | files.Path, manifest: Manifest) -> list[str]:
    """File names of the shards with tracks that are not there, or empty."""
    return [name for name, size in shard_sizes(records, manifest).items() if not size]


def shard_sizes(records: str | files.Path, manifest: Manifest) -> dict[str, int]:
    """Bytes of every shard with tracks, by its file name; 0 of one that is not there."""
    found = files.stamps(records, [shard.file for shard in manifest.shards])
    return {name: size for name, (_, size) in found.items()}


def check_shards(records: str, manifest: Manifest) -> None:
    """Refuses records some of whose shards are not there.

    Raises:
      UserError: names the first.
    """
    if missing := missing_shards(records, manifest):
        raise UserError(
            f"{records}: {len(missing)} of {len(manifest.shards)} shards are missing, the first is {missing[0]}: "
            "give the prepare command again, which writes them anew"
        )


def save_manifest(records: str, manifest: Manifest) -> None:
    """Writes `manifest.json`, atomically: it is what makes a record set finished."""
    value = dataclasses.asdict(manifest) | {"vocabulary": manifest.vocabulary.to_dict()}
    files.write_json(files.to_path(records) / MANIFEST, value)


def load_manifest(records: str) -> Manifest:
    """The manifest of a finished record set.

    Raises:
      UserError: not there, or written by another version.
    """
    path = files.to_path(records) / MANIFEST
    if not path.exists():
        raise UserError(
            f"--records={records}: no {MANIFEST} there: make it with python -m tfmir.prepare --output={records}"
        )
    value = files.read_json(path)
    if (found := value.get("schema_version")) not in READABLE_VERSIONS:
        expected = " or ".join(map(str, reversed(READABLE_VERSIONS)))
        raise UserError(f"{path}: schema version {found}, expected {expected}: remove the set and prepare it again")
    try:
        return Manifest(**value | {"vocabulary": Vocabulary.from_dict(value["vocabulary"]), "splits": _splits(value)})
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{path}: a field is unknown or missing ({error}): remove the set and prepare it again"
        ) from error


def check_features(manifest: Manifest, features: FeatureParams, *, source: str) -> None:
    """Refuses records of another feature setting.

    Raises:
      UserError: names the first field that differs, with both values.
    """
    expected = features.track_params
    for name in sorted(set(expected) | set(manifest.features)):
        found = manifest.features.get(name)
        if found != expected.get(name):
            raise UserError(
                f"{source}: the records were made with {name}={found}, this model needs {name}={expected.get(name)}: "
                "prepare them again, or take other records"
            )


def _splits(value: dict[str, Any]) -> dict[str, Split]:
    return {
        name: Split(
            tracks=split["tracks"],
            frames=split["frames"],
            tag_counts=tuple(split["tag_counts"]),
            notion_counts=tuple(split["notion_counts"]),
            shards=tuple(Shard(**shard) for shard in split["shards"]),
            truth_counts=None if split.get("truth_counts") is None else tuple(split["truth_counts"]),
        )
        for name, split in value["splits"].items()
    }


def _sizes(manifest: Manifest) -> str:
    return ", ".join(f"{name}: {split.tracks}" for name, split in manifest.splits.items())
