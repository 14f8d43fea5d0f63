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
from tfmir.catalogue.embeddings import MARK, WEIGHTS_KEY, is_whole, read_mark, schema
from tfmir.errors import UserError

VECTORS = "embedding"
_BATCH = 4096
_REMEDY = "give the embed command again"
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
        path, columns = self.folder / shard["file"], schema(self.dim).names
        lost = UserError(f"{path}: missing or damaged: {_REMEDY}, which makes it anew")
        if not path.exists():
            raise lost
        with files.reading(path) as name:
            if not is_whole(files.to_path(name), shard["sha256"]):
                raise lost
            try:
                with pq.ParquetFile(name) as source:
                    found = (source.schema_arrow.metadata or {}).get(WEIGHTS_KEY, b"").decode()
                    if found != self.header["weights_sha256"]:
                        raise UserError(
                            f"{path}: embedded with other weights ({found[:12]}…) than the set "
                            f"({self.header['weights_sha256'][:12]}…): embed the whole library into an empty folder"
                        )
                    yield from source.iter_batches(_BATCH, columns=columns)
            except pa.ArrowInvalid as error:
                raise UserError(f"{path}: not a Parquet file of embeddings: remove it, and {_REMEDY}") from error


def open_set(folder: str) -> EmbeddedSet:
    """The embeddings in a folder.

    Raises:
      UserError: there are none, they are unfinished, hold no track, or another version wrote them.
    """
    if not folder:
        raise UserError("--embeddings is empty: name the folder that tfmir.embed has written")
    header, path = read_mark(folder), files.to_path(folder)
    source = path / MARK
    if lacking := sorted(_FIELDS - set(header)):
        raise UserError(f"{source} has no {lacking[0]!r}: embed the library again")
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
