"""Parts and what is kept of earlier shards to shards: first beside the set, then in its place, whole or not at all.

1. all shards are written to `.build/shards/`; what stands in the folder is still read from
2. `.build/publish.json`, the new `embeddings.json`: from here on the rest is done again by whoever comes next
3. the old mark goes, and the shards that it listed; shards move to their places, the new mark is written, `.build` goes

So that between the marks nobody takes a mixture for a set. If the shards are those that are there already, they stay,
and at most the mark is written anew: a reader finds the set all the time.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from tqdm import tqdm

from tfmir import files
from tfmir.catalogue.embeddings import MARK, metadata_of, read_mark, read_table, schema, shard_file, write_table
from tfmir.catalogue.output import PLAN, REPLACED, SHARDS, announced, shards_of
from tfmir.catalogue.parts import shard_index
from tfmir.catalogue.songs import Song, unchanged
from tfmir.errors import UserError
from tfmir.preparation.resumable import STATE

_SONGS_PER_SHARD = 2000


class Labels(NamedTuple):
    """What is known of a song beside its sound: its artist, and full names of tags."""

    artist: str
    tags: tuple[str, ...]


NO_LABELS = Labels("", ())


@dataclasses.dataclass(frozen=True)
class Source:
    """A file with rows, of songs whose ids have stable fractions from `least` to `most`."""

    path: files.Path
    least: float
    most: float


def shard_span(index: int, count: int) -> tuple[float, float]:
    """The stable fractions of the ids in a shard."""
    return index / count, (index + 1) / count


def publish(
    folder: files.Path,
    sources: Sequence[Source],
    songs: Mapping[str, Song],
    labels: Mapping[str, Labels],
    said: Mapping[str, Any],
    *,
    excerpts: bool,
) -> dict[str, Any]:
    """Makes a set of the rows in `sources` whose songs are what they were; returns what `embeddings.json` says.

    A shard of the set before that is no source is missing or damaged, and is put in its place.

    Args:
      folder: of the set.
      sources: files with rows; no song is in two of them unchanged.
      songs: the songs of the library.
      labels: artist and tags of some of them.
      said: `embeddings.json` without its shards.
      excerpts: whether the rows hold the embeddings of excerpts.
    """
    count = max(1, round((len(songs) - said["rejected"]) / _SONGS_PER_SHARD))
    metadata = metadata_of(said["card"], said["weights_sha256"])
    empty = schema(said["dim"], excerpts=excerpts).empty_table()
    shards: list[dict[str, Any]] = []
    tracks = 0
    for index in tqdm(range(count), desc="publish", unit="shard", mininterval=1.0):
        tables = [_of_shard(source, index, count, songs) for source in sources if _overlaps(source, index, count)]
        table = _labelled(pa.concat_tables([empty, *tables]).sort_by("track_id"), labels)
        file = shard_file(index, count)
        sha256 = write_table(folder / STATE / SHARDS / file, table, metadata)
        tracks += len(table)
        shards.append({"file": file, "tracks": len(table), "sha256": sha256})
    mark, old = {**said, "tracks": tracks, "shards": shards}, announced(folder)
    whole = {source.path for source in sources}
    if old.get("shards") != shards or not whole.issuperset(folder / shard["file"] for shard in shards):
        files.write_json(folder / STATE / PLAN, {**mark, REPLACED: shards_of(old)})
        finish(folder)
    elif old != json.loads(json.dumps(mark)):  # as it is read back
        files.write_json(folder / MARK, mark)
    files.remove_tree(folder / STATE)
    return read_mark(folder)


def finish(folder: files.Path) -> None:
    """Puts a set into its place that is written as a whole; nothing if there is none."""
    plan = folder / STATE / PLAN
    if not plan.exists():
        return
    said: dict[str, Any] = files.read_json(plan)
    (folder / MARK).unlink(missing_ok=True)
    wanted = set(shards_of(said))
    for old in set(said.pop(REPLACED, ())) - wanted:
        (folder / old).unlink(missing_ok=True)
    for file in sorted(wanted):
        new = folder / STATE / SHARDS / file
        if new.exists():
            files.move(new, folder / file)
    files.write_json(folder / MARK, said)
    plan.unlink(missing_ok=True)


def _overlaps(source: Source, index: int, count: int) -> bool:
    """Whether a file may have rows of a shard; the ends count, as fractions are rounded."""
    least, most = shard_span(index, count)
    return source.least <= most and least <= source.most


def _of_shard(source: Source, index: int, count: int, songs: Mapping[str, Song]) -> pa.Table:
    table = read_table(source.path)
    if table is None:
        source.path.unlink(missing_ok=True)
        raise UserError(f"{source.path}: damaged while it was needed: give the command again, which makes it anew")
    of_shard = [shard_index(track_id, count) == index for track_id in table.column("track_id").to_pylist()]
    chosen = np.array(of_shard, bool) & unchanged(table, songs)
    return table.filter(pa.array(chosen)).replace_schema_metadata(None)


def _labelled(table: pa.Table, labels: Mapping[str, Labels]) -> pa.Table:
    """The rows with the artists and tags that are given."""
    found = [labels.get(track_id, NO_LABELS) for track_id in table.column("track_id").to_pylist()]
    columns = {
        "artist": pa.array([of.artist for of in found], pa.string()),
        "tags": pa.array([list(of.tags) for of in found], pa.list_(pa.string())),
    }
    for name, column in columns.items():
        table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), column)
    return table
