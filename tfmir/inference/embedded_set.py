"""A folder of embeddings, read shard after shard: what is held does not grow with the catalogue."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from tfmir import files
from tfmir.errors import UserError

HEADER = "embeddings.json"
VECTORS = "embedding"
COLUMNS = (
    "track_id", "path", "mtime_ns", "size", "duration_s", "excerpts", "artist", "tags", "scores", VECTORS, "alive",
)  # fmt: skip
_BATCH = 4096
_FIELDS = {"library", "tracks", "dim", "weights_sha256", "card", "shards"}


@dataclasses.dataclass(frozen=True)
class EmbeddedSet:
    """A finished set of embeddings.

    Attributes:
      folder: where it is.
      header: what `embeddings.json` says.
      sha256: of `embeddings.json`, which has the checksum of every shard.
    """

    folder: files.Path
    header: dict[str, Any]
    sha256: str

    @property
    def tracks(self) -> int:
        """How many there are."""
        return int(self.header["tracks"])

    @property
    def dim(self) -> int:
        """Of a vector."""
        return int(self.header["dim"])

    def batches(self, *, description: str) -> Iterator[pa.RecordBatch]:
        """Some thousand tracks at a time, in the order of the shards, with a progress bar.

        Raises:
          UserError: a shard is missing, damaged, or of other weights than the set.
        """
        with tqdm(total=self.tracks, unit="track", desc=description, mininterval=1.0) as bar:
            for shard in self.header["shards"]:
                for batch in self._batches_of(shard):
                    yield batch
                    bar.update(len(batch))

    def _batches_of(self, shard: dict[str, Any]) -> Iterator[pa.RecordBatch]:
        path = self.folder / shard["file"]
        remedy = "give the tfmir.embed command again"
        try:
            with files.reading(path) as name:
                if files.sha256(name) != shard["sha256"]:
                    raise UserError(f"{path}: damaged, its checksum is not that of {HEADER}: remove it and {remedy}")
                with pq.ParquetFile(name) as source:
                    facts = source.schema_arrow.metadata or {}
                    found = facts.get(b"tfmir.weights_sha256", b"").decode()
                    if found != self.header["weights_sha256"]:
                        raise UserError(
                            f"{path}: embedded with other weights ({found[:12]}…) than the set "
                            f"({self.header['weights_sha256'][:12]}…): embed the whole library into an empty folder"
                        )
                    yield from source.iter_batches(_BATCH, columns=list(COLUMNS))
        except FileNotFoundError as error:
            raise UserError(f"{path}: not there, {HEADER} names it: copy the folder again, or {remedy}") from error
        except pa.ArrowInvalid as error:
            raise UserError(f"{path}: not a Parquet file of embeddings: remove it and {remedy}") from error


def open_set(folder: str) -> EmbeddedSet:
    """The embeddings in a folder.

    Raises:
      UserError: there are none, they are unfinished, hold no track, or another version wrote them.
    """
    if not folder:
        raise UserError("--embeddings is empty: name the folder that tfmir.embed has written")
    path = files.to_path(folder)
    source = path / HEADER
    if not source.exists():
        unfinished = path.exists() and any(path.glob("*.parquet"))
        remedy = "give its tfmir.embed command again, which ends it" if unfinished else "make it with tfmir.embed"
        raise UserError(f"--embeddings={folder}: no {HEADER} in it: {remedy}")
    header = files.read_json(source)
    if not isinstance(header, dict) or header.get("schema_version") != 1 or not set(header) >= _FIELDS:
        raise UserError(f"{source}: not what this version of tfmir writes: embed the library again")
    counted = sum(shard["tracks"] for shard in header["shards"])
    if counted != header["tracks"]:
        raise UserError(f"{source}: {header['tracks']} tracks, but its shards have {counted}: embed the library again")
    if not counted:
        raise UserError(f"--embeddings={folder} hold no track: {source.parent / 'rejected.tsv'} says why")
    return EmbeddedSet(path, header, files.sha256(source))


def vectors(batch: pa.RecordBatch) -> np.ndarray:
    """float32 [rows, dim]: the whole-space embeddings of a batch."""
    column = batch.column(batch.schema.get_field_index(VECTORS))
    flat = column.flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(len(batch), -1).astype(np.float32)
