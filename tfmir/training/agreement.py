"""What the workers of a training must have in common; compared before TensorFlow connects them, and read without it."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import sys
from collections.abc import Mapping
from typing import Any

from tfmir import files
from tfmir.data.manifest import Manifest, shard_sizes
from tfmir.fields import to_dict
from tfmir.run_directory import Run
from tfmir.training.progress import newest_backup

_VERSIONS, _REPLICAS, _BACKUP = "the versions", "devices", "the backup"
_RECORDS, _SHARDS = "records with the fingerprint", "shards whose sizes have the checksum"
_REMEDIES = {
    _VERSIONS: "install the same everywhere",
    _REPLICAS: "every worker needs as many: say with --replicas how many of its GPUs each takes",
    _RECORDS: "give all workers the same records, by a shared folder, a store or a copy",
    _SHARDS: "a copy of the records is not one: prepare --verify names the shards that are wrong",
    _BACKUP: "all workers read the chief's run directory: name a folder that they share, or a store, with --run",
}


def facts_of(run: Run, manifest: Manifest, *, replicas: int) -> dict[str, str]:
    """What a worker tells the chief, name -> value.

    Args:
      run: what it is about to train.
      manifest: of its records; their shards are not read, but their sizes are compared.
      replicas: devices of this worker.
    """
    settings = {f"--{name}": str(value) for section in to_dict(run.params).values() for name, value in section.items()}
    return {
        _VERSIONS: _versions(),
        **settings,
        _REPLICAS: str(replicas),
        _RECORDS: run.fingerprint,
        _SHARDS: _sizes(run.records, manifest),
        _BACKUP: _backup(run),
    }


def difference(chiefs: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    """What is said of a worker that is about to train something else; empty if it is the same.

    >>> difference({"--seed": "0"}, {"--seed": "1"})
    'has --seed 1, the chief has 0: give all workers the same command'
    """
    for name in [*chiefs, *theirs]:
        if chiefs.get(name) != theirs.get(name):
            remedy = _REMEDIES.get(name, "give all workers the same command")
            return f"has {name} {theirs.get(name)}, the chief has {chiefs.get(name)}: {remedy}"
    return ""


def _versions() -> str:
    python = ".".join(map(str, sys.version_info[:2]))
    packages = [f"{name} {importlib.metadata.version(name)}" for name in ("tensorflow", "keras")]
    return ", ".join([f"python {python}", *packages])


def _sizes(records: str, manifest: Manifest) -> str:
    return hashlib.sha256(json.dumps(shard_sizes(records, manifest)).encode()).hexdigest()[:12]


def _backup(run: Run) -> str:
    """Name and checksum of what the training goes on from."""
    newest = newest_backup(run.path)
    if newest is None:
        return "none"
    return f"{newest.name} with the checksum {files.sha256(newest / 'state.weights.h5')[:12]}"
