"""The one schema of embedded songs: what `tfmir.embed` writes, what `tfmir.index` and `search` read back.

<folder>/embeddings.json                             the mark of a finished set, and what is in it
<folder>/embeddings-00000-of-00012.parquet           one row a song, sorted by its id
<folder>/rejected.tsv                                track, path, reason
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tfmir import files
from tfmir.errors import UserError

SCHEMA_VERSION = 1
MARK = "embeddings.json"
WEIGHTS_KEY, CARD_KEY = b"tfmir.weights_sha256", b"tfmir.card"
EXCERPTS = "excerpt_embeddings"
_WORDS = ("artist", "tags.list.element")  # the columns that repeat themselves
_REMEDY = "give the embed command again"


@dataclasses.dataclass(frozen=True)
class Row:
    """One song.

    Attributes:
      track_id: its path below the library, as is `path`.
      mtime_ns: when the file was changed last, 0 where a store does not say.
      size: bytes of the file.
      duration_s: seconds that were heard, ten minutes at most.
      excerpts: int, of how many excerpts the embedding is the mean.
      scores: float [tags], empty where nobody asked for them.
      embedding: float [dim], of the whole space.
      parts: how many equal parts the embedding has: the notions, or one.
      excerpt_embeddings: float [excerpts, dim] of every excerpt; None where they are not kept.
      artist: empty where it is not known.
      tags: full names `notion/tag`; empty where they are not known.
    """

    track_id: str
    path: str
    mtime_ns: int
    size: int
    duration_s: float
    excerpts: int
    scores: np.ndarray
    embedding: np.ndarray
    parts: int
    excerpt_embeddings: np.ndarray | None = None
    artist: str = ""
    tags: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Embeddings:
    """A finished set.

    Attributes:
      folder: where it is.
      library: folder or URL of the songs.
      dim: size of the embedding.
      weights_sha256: checksum of the weights that made it.
      card: of the run.
      rejected: how many songs could not be embedded.
      table: every column of `schema`, shard after shard.
    """

    folder: str
    library: str
    dim: int
    weights_sha256: str
    card: dict[str, Any]
    rejected: int
    table: pa.Table


def schema(dim: int, *, excerpts: bool = False) -> pa.Schema:
    """The columns of a shard, in their order."""
    vector = pa.list_(pa.float16(), dim)
    columns = [
        ("track_id", pa.string()),
        ("path", pa.string()),
        ("mtime_ns", pa.int64()),
        ("size", pa.int64()),
        ("duration_s", pa.float64()),
        ("excerpts", pa.int32()),
        ("artist", pa.string()),
        ("tags", pa.list_(pa.string())),
        ("scores", pa.list_(pa.float16())),
        ("embedding", vector),
        ("alive", pa.list_(pa.bool_())),
    ]
    return pa.schema(columns + ([(EXCERPTS, pa.list_(vector))] if excerpts else []))


def to_table(rows: Sequence[Row], *, dim: int, excerpts: bool = False) -> pa.Table:
    """Rows as a table, in the order in which they are given; numbers are rounded to float16.

    A part of an embedding is alive if anything of it is left after rounding: what is stored is what is searched.
    """
    embeddings = _stacked([row.embedding[np.newaxis] for row in rows], dim)
    alive = [(vector.reshape(row.parts, -1) != 0).any(axis=1) for vector, row in zip(embeddings, rows, strict=True)]
    arrays = [
        pa.array([row.track_id for row in rows], pa.string()),
        pa.array([row.path for row in rows], pa.string()),
        pa.array([row.mtime_ns for row in rows], pa.int64()),
        pa.array([row.size for row in rows], pa.int64()),
        pa.array([row.duration_s for row in rows], pa.float64()),
        pa.array([row.excerpts for row in rows], pa.int32()),
        pa.array([row.artist for row in rows], pa.string()),
        pa.array([list(row.tags) for row in rows], pa.list_(pa.string())),
        _lists([len(row.scores) for row in rows], pa.array(_flat([row.scores for row in rows]), pa.float16())),
        _vectors(embeddings, dim),
        _lists([len(of) for of in alive], pa.array(np.concatenate([*alive, np.zeros(0, bool)]), pa.bool_())),
    ]
    if excerpts:
        kept = [np.zeros([0, dim]) if row.excerpt_embeddings is None else row.excerpt_embeddings for row in rows]
        arrays.append(_lists([len(of) for of in kept], _vectors(_stacked(kept, dim), dim)))
    return pa.Table.from_arrays(arrays, schema=schema(dim, excerpts=excerpts))


def vectors(table: pa.Table, column: str = "embedding") -> np.ndarray:
    """float16 [rows, dim]: a column of vectors."""
    dim = table.schema.field(column).type.list_size
    chunks = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in table.column(column).chunks]
    return np.concatenate([*chunks, np.zeros(0, np.float16)]).reshape(-1, dim)


def write_table(path: str | os.PathLike[str], table: pa.Table, metadata: Mapping[bytes, bytes] | None = None) -> str:
    """Writes a Parquet file, whole or not at all; the same table gives the same bytes. Returns its sha256."""
    sink = pa.BufferOutputStream()
    described = table.replace_schema_metadata(dict(metadata or {}))
    pq.write_table(described, sink, compression="zstd", use_dictionary=list(_WORDS))
    data = sink.getvalue()
    with files.replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(data)
    return hashlib.sha256(data).hexdigest()


def read_table(path: str | os.PathLike[str], *, columns: Sequence[str] | None = None) -> pa.Table | None:
    """What `write_table` has written; None if it is not there or damaged: what keeps such files makes them anew."""
    try:
        return _opened(path).read(columns=list(columns) if columns else None, use_threads=False)
    except (OSError, pa.ArrowException):
        return None


def column_names(path: str | os.PathLike[str]) -> list[str]:
    """The columns of a file that is whole."""
    return list(_opened(path).schema_arrow.names)


def precision_of(card: Mapping[str, Any]) -> str:
    """In which precision a set was embedded, by its run's card; sets from before there was a choice: float32."""
    return str(card.get("precision", "float32"))


def metadata_of(card: Mapping[str, Any], weights_sha256: str) -> dict[bytes, bytes]:
    """What every shard says of itself."""
    return {WEIGHTS_KEY: weights_sha256.encode(), CARD_KEY: json.dumps(card, sort_keys=True).encode()}


def read_mark(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """What a finished set says of itself.

    Raises:
      UserError: no finished set there, or one of another version.
    """
    mark = files.to_path(folder) / MARK
    if not mark.exists():
        raise UserError(f"{folder}: there is no {MARK} in it: no embeddings, or unfinished ones: {_REMEDY}")
    said: dict[str, Any] = files.read_json(mark)
    if said.get("schema_version") != SCHEMA_VERSION:
        raise UserError(
            f"{mark}: schema version {said.get('schema_version')}, expected {SCHEMA_VERSION}: it was written by "
            "another version of tfmir: embed the library again, in another --output"
        )
    return said


def read_embeddings(folder: str | os.PathLike[str], *, columns: Sequence[str] | None = None) -> Embeddings:
    """A finished set, every shard against its checksum.

    Args:
      folder: as `tfmir.embed` has written it.
      columns: the columns that are wanted; None: all of them.

    Raises:
      UserError: no finished set there, or a shard is missing or damaged.
    """
    said = read_mark(folder)
    tables = []
    for shard in said["shards"]:
        path = files.to_path(folder) / shard["file"]
        table = read_table(path, columns=columns) if is_whole(path, shard["sha256"]) else None
        if table is None:
            raise UserError(f"{path}: missing or damaged: {_REMEDY}, which makes it anew")
        tables.append(table)
    return Embeddings(
        folder=str(folder),
        library=said["library"],
        dim=said["dim"],
        weights_sha256=said["weights_sha256"],
        card=said["card"],
        rejected=said["rejected"],
        table=pa.concat_tables(tables),
    )


def is_whole(path: files.Path, sha256: str) -> bool:
    """Whether a shard is there with the bytes that it had."""
    try:
        return files.sha256(path) == sha256
    except OSError:
        return False


def shard_file(index: int, count: int) -> str:
    """File name of a shard.

    >>> shard_file(0, 12)
    'embeddings-00000-of-00012.parquet'
    """
    return f"embeddings-{index:05d}-of-{count:05d}.parquet"


def _opened(path: str | os.PathLike[str]) -> pq.ParquetFile:
    """The file, in memory: a Python file that Arrow's threads still read would abort the interpreter at its end."""
    with files.reading(path) as name, open(name, "rb") as file:
        return pq.ParquetFile(pa.BufferReader(file.read()))


def _flat(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([*(np.asarray(part, np.float16) for part in parts), np.zeros(0, np.float16)])


def _stacked(parts: Sequence[np.ndarray], dim: int) -> np.ndarray:
    """float16 [rows, dim] of parts [..., dim]."""
    return _flat([np.ravel(part) for part in parts]).reshape(-1, dim)


def _vectors(rows: np.ndarray, dim: int) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel(), pa.float16()), dim)


def _lists(lengths: Iterable[int], values: pa.Array) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(np.cumsum([0, *lengths]), pa.int32()), values)
