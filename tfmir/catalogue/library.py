"""Libraries of embedded tracks, embedded once and kept beside the run."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pathlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from tqdm import tqdm

from tfmir import files
from tfmir.catalogue.embedding import rows
from tfmir.catalogue.embeddings import Row, read_table, schema, to_table, vectors, write_table
from tfmir.catalogue.songs import Song, stamped, unchanged
from tfmir.corpora.audio_files import AUDIO_SUFFIXES, list_audio
from tfmir.corpora.spelling import one_line
from tfmir.data.run_records import records_of
from tfmir.errors import UserError
from tfmir.inference.audio import Stretch, embed_files
from tfmir.inference.subspaces import unit_rows
from tfmir.inference.tracks import embed_tracks
from tfmir.model.system import System
from tfmir.run_directory import Run


@dataclasses.dataclass(frozen=True)
class Library:
    """Embedded tracks.

    Attributes:
      track_ids: names shown to the user.
      embeddings: float32 [tracks, dim], unit norm.
      tags: the tags of each track where they are known, else empty.
    """

    track_ids: tuple[str, ...]
    embeddings: np.ndarray
    tags: tuple[tuple[str, ...], ...]


def split_library(run: Run, system: System, split: str, *, records: str = "") -> Library:
    """One split of the run's records; embedded at the first call, read back at later ones.

    Args:
      run: a trained run.
      system: its system.
      split: train, validation or test.
      records: directory of its record set, if that was moved since the training.

    Raises:
      UserError: other records than the run's own, or no such split.
    """
    run, manifest = records_of(run, records)
    cache = cached(run, f"{split} {[shard.sha256 for shard in manifest.splits[split].shards]}", ".npz")
    stored = files.read_arrays(cache)
    if stored is None:
        embedded = embed_tracks(system, run.records, manifest, split)
        stored = {"ids": np.array(embedded.track_ids), "embeddings": embedded.embeddings, "labels": embedded.labels}
        arrays: dict[str, Any] = stored
        keep(cache, lambda: files.write_arrays(cache, **arrays))
    names = manifest.vocabulary.tags
    tags = tuple(tuple(names[tag] for tag in np.flatnonzero(row)) for row in stored["labels"])
    return Library(tuple(stored["ids"].tolist()), stored["embeddings"], tags)


def folder_library(run: Run, system: System, folder: pathlib.Path) -> Library:
    """All audio below a folder; only files that are new or changed since the last call are embedded, in this process.

    What `tfmir.embed` does with a library, without its cluster and its shards: the same batches, the same rows.

    What cannot be decoded is named on standard error and left out, also if it ends the process that decodes it. An
    interrupted call keeps what it has done.

    Raises:
      UserError: no such folder, or nothing in it that can be decoded.
    """
    if not folder.is_dir():
        raise UserError(f"--library={folder} is neither a folder nor a split (train, validation, test)")
    songs = stamped(folder, list_audio(str(folder)))
    cache = cached(run, str(folder.resolve()), ".parquet")
    dim = system.params.encoder.embedding_dim
    known = _known_rows(cache, dim, songs)
    there = set(known.column("track_id").to_pylist())
    missing = [song for song in songs.values() if song.track_id not in there]
    found: list[Row] = []
    try:
        paths = [str(folder / song.track_id) for song in missing]
        embedded = rows(
            missing,
            embed_files(system, [Stretch(path) for path in paths]),
            parts=system.notions,
            scores=False,
            excerpts=False,
        )
        bar = tqdm(embedded, total=len(missing), desc="embed", unit="file", disable=not missing)
        for path, (_, outcome, row) in zip(paths, bar, strict=True):
            for remark in (f"left out: {outcome.problem}",) if outcome.problem else outcome.remarks:
                tqdm.write(f"{one_line(path)}: {one_line(remark)}", file=sys.stderr)
            found += [row] if row else []
    finally:
        if found:
            known = pa.concat_tables([known, to_table(found, dim=dim)]).sort_by("track_id")
            keep(cache, lambda: write_table(cache, known))
    if not len(known):
        raise UserError(f"--library={folder} holds no audio that can be decoded ({' '.join(sorted(AUDIO_SUFFIXES))})")
    stored = vectors(known).astype(np.float32)
    embeddings = unit_rows(stored) if system.params.system.normalized else stored
    return Library(tuple(known.column("track_id").to_pylist()), embeddings, ((),) * len(known))


def _known_rows(cache: files.Path, dim: int, songs: Mapping[str, Song]) -> pa.Table:
    """The rows of an earlier call whose files are what they were."""
    table = read_table(cache)
    if table is None:
        if cache.exists():
            print(f"{cache}: damaged, and made anew", file=sys.stderr)
        return schema(dim).empty_table()
    return table.filter(pa.array(unchanged(table, songs))).replace_schema_metadata(None)


def cached(run: Run, what: str, suffix: str) -> files.Path:
    """Where a library's embeddings are kept; other weights or another library have another name."""
    key = hashlib.sha256(run.best_weights.read_bytes() + os.fsencode(what)).hexdigest()[:16]
    return run.path / "library" / f"{key}{suffix}"


def keep(cache: files.Path, write: Callable[[], object]) -> None:
    """A run directory that cannot be written to is no error: the library is embedded anew each time."""
    try:
        write()
    except (OSError, UserError) as error:
        print(f"{cache}: not written ({error}); the library is embedded anew each time", file=sys.stderr)
