"""Finds damaged shards of a finished record set, so that the same prepare command writes them anew."""

from __future__ import annotations

from collections.abc import Mapping

from tqdm import tqdm

from tfmir import files
from tfmir.data.manifest import Manifest, load_manifest, missing_shards
from tfmir.errors import UserError
from tfmir.preparation.resumable import STATE
from tfmir.preparation.writer import ShardResult

_NOTE = f"{STATE}/damaged.json"


def verify(records: str) -> None:
    """Re-reads every shard of a finished record set against its checksum; `prepare` writes anew what differs.

    Raises:
      UserError: names every shard that is missing or differs.
    """
    manifest = load_manifest(records)
    shards = [shard for split in manifest.splits.values() for shard in split.shards]
    problems: dict[str, str] = {}
    for shard in tqdm(shards, desc="verify", unit="shard"):
        path = files.to_path(records) / shard.file
        if not path.exists():
            problems[shard.file] = "missing"
        elif (found := files.sha256(path)) != shard.sha256:
            problems[shard.file] = f"sha256 is {found[:12]}…, the manifest says {shard.sha256[:12]}…"
    if problems:
        files.write_json(files.to_path(records) / _NOTE, list(problems))
        listed = "\n  ".join(f"{file}: {problem}" for file, problem in problems.items())
        raise UserError(
            f"{records}: {len(problems)} of {len(shards)} shards are damaged: give the prepare command again, which "
            f"writes them anew\n  {listed}"
        )
    print(f"{records}: {len(shards)} shards agree with their checksums")


def damaged_shards(folder: files.Path, manifest: Manifest) -> set[str]:
    """File names of the shards that are missing, or that `verify` has found to differ."""
    found = set(files.read_json(folder / _NOTE)) if (folder / _NOTE).exists() else set()
    return found.union(missing_shards(folder, manifest))


def repaired(folder: files.Path, done: Mapping[str, ShardResult]) -> Manifest:
    """The manifest of a finished set whose damaged shards were written anew.

    Args:
      folder: directory of the set.
      done: file name -> what was written.

    Raises:
      UserError: a shard has other bytes than it had: the audio has changed, or what decodes it.
    """
    manifest = load_manifest(str(folder))
    wanted = {shard.file: shard.sha256 for split in manifest.splits.values() for shard in split.shards}
    changed = [file for file, result in done.items() if result.sha256 != wanted[file]]
    if changed:
        raise UserError(
            f"{folder}: {len(changed)} of the {len(done)} damaged shards are not what they were, the first is "
            f"{changed[0]}: the audio, or what decodes it, has changed since: remove the set and prepare it again"
        )
    files.remove_tree(folder / STATE)
    print(f"{folder}: {len(done)} damaged shards are written anew, with the bytes that they had")
    return manifest
