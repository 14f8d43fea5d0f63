"""Libraries of embedded tracks, embedded once and kept beside the run."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pathlib
import sys
from typing import Any

import numpy as np
from tqdm import tqdm

from tfmir import files
from tfmir.corpora.audio_files import AUDIO_SUFFIXES, list_audio
from tfmir.corpora.spelling import one_line
from tfmir.data.run_records import records_of
from tfmir.errors import UserError
from tfmir.inference.audio import Stretch, embed_files
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
    cache = _cache(run, f"{split} {[shard.sha256 for shard in manifest.splits[split].shards]}")
    stored = files.read_arrays(cache)
    if stored is None:
        embedded = embed_tracks(system, run.records, manifest, split)
        stored = {"ids": np.array(embedded.track_ids), "embeddings": embedded.embeddings, "labels": embedded.labels}
        _save(cache, **stored)
    names = manifest.vocabulary.tags
    tags = tuple(tuple(names[tag] for tag in np.flatnonzero(row)) for row in stored["labels"])
    return Library(tuple(stored["ids"].tolist()), stored["embeddings"], tags)


def folder_library(run: Run, system: System, folder: pathlib.Path) -> Library:
    """All audio below a folder; only files that are new or changed since the last call are embedded.

    What cannot be decoded is named on standard error and left out, also if it ends the process that decodes it. An
    interrupted call keeps what it has done.

    Raises:
      UserError: no such folder, or nothing in it that can be decoded.
    """
    if not folder.is_dir():
        raise UserError(f"--library={folder} is neither a folder nor a split (train, validation, test)")
    paths = {name: folder / name for name in list_audio(str(folder))}
    stamps = {name: _stamp(path) for name, path in paths.items()}
    cache = _cache(run, str(folder.resolve()))
    known = {name: row for name, row in _load_known(cache).items() if stamps.get(name) == row[0]}
    current = {name: embedding for name, (_, embedding) in known.items()}
    missing = [name for name in paths if name not in current]
    try:
        found = embed_files(system, [Stretch(str(paths[name])) for name in missing])
        bar = tqdm(found, total=len(missing), desc="embed", unit="file", disable=not missing)
        for name, embedded in zip(missing, bar, strict=True):
            said = (f"left out: {embedded.problem}",) if embedded.problem else embedded.remarks
            for remark in said:
                tqdm.write(f"{one_line(str(paths[name]))}: {one_line(remark)}", file=sys.stderr)
            if not embedded.problem:
                current[name] = embedded.embedding
    finally:
        if len(current) > len(known):
            ids = sorted(current)
            rows = {"ids": np.array(ids), "stamps": np.array([stamps[name] for name in ids])}
            _save(cache, embeddings=np.stack([current[name] for name in ids]), **rows)
    if not current:
        raise UserError(f"--library={folder} holds no audio that can be decoded ({' '.join(sorted(AUDIO_SUFFIXES))})")
    ids = sorted(current)
    return Library(tuple(ids), np.stack([current[name] for name in ids]), ((),) * len(ids))


def _stamp(path: pathlib.Path) -> str:
    """What changes when a file does; empty if it is gone since it was listed."""
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_mtime_ns}:{status.st_size}"


def _load_known(cache: files.Path) -> dict[str, tuple[str, np.ndarray]]:
    stored = files.read_arrays(cache)
    if stored is None:
        return {}
    rows = zip(stored["ids"].tolist(), stored["stamps"].tolist(), stored["embeddings"], strict=True)
    return {name: (stamp, embedding) for name, stamp, embedding in rows}


def _cache(run: Run, what: str) -> files.Path:
    """Where a library's embeddings are kept; other weights or another library have another name."""
    key = hashlib.sha256(run.best_weights.read_bytes() + os.fsencode(what)).hexdigest()[:16]
    return run.path / "library" / f"{key}.npz"


def _save(cache: files.Path, **arrays: Any) -> None:
    """A run directory that cannot be written to is no error: the library is embedded anew each time."""
    try:
        with files.replacing(cache) as temporary:
            np.savez(temporary, **arrays)
    except (OSError, UserError) as error:
        print(f"{cache}: not written ({error}); what is searched is embedded anew each time", file=sys.stderr)
