"""Songs to rows, and a part of a catalogue to a file: what a worker of `tfmir.embed` does, and `search` by itself."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator

import numpy as np

from tfmir import files
from tfmir.catalogue.embeddings import Row, to_table, write_table
from tfmir.catalogue.parts import Job, PartResult
from tfmir.catalogue.songs import Song
from tfmir.errors import UserError
from tfmir.inference.audio import Embedded, Stretch, embed_files
from tfmir.inference.weights import load_system
from tfmir.model.system import System
from tfmir.preparation.resumable import begun, note
from tfmir.run_directory import trained_run

_LARGEST = float(np.finfo(np.float16).max)


def rows(
    songs: Iterable[Song], embedded: Iterable[Embedded], *, parts: int, scores: bool, excerpts: bool
) -> Iterator[tuple[Song, Embedded, Row | None]]:
    """Each song with what became of it, and its row, if it has one.

    Args:
      songs: in any order.
      embedded: what became of each.
      parts: equal parts of the embedding.
      scores: whether the scores of its tags are kept.
      excerpts: whether the embeddings of its excerpts are kept.
    """
    for song, found in zip(songs, embedded, strict=True):
        if not found.problem and np.abs(found.excerpts).max() > _LARGEST:  # only of a system that is not normalised
            found = Embedded(f"its embedding does not fit into float16: {np.abs(found.excerpts).max():g}")
        if found.problem:
            yield song, found, None
            continue
        row = Row(
            track_id=song.track_id,
            path=song.track_id,
            mtime_ns=song.mtime_ns,
            size=song.size,
            duration_s=found.secs,
            excerpts=len(found.excerpts),
            scores=found.scores.astype(np.float16) if scores else np.zeros(0, np.float16),
            embedding=found.embedding.astype(np.float16),
            parts=parts,
            excerpt_embeddings=found.excerpts.astype(np.float16) if excerpts else None,
        )
        yield song, found, row


def write_part(songs: tuple[Song, ...], file: str, folder: files.Path, job: Job, *, isolated: bool) -> PartResult:
    """Writes a part's rows, then the note that it is finished. The same songs give the same bytes, whoever does it.

    Args:
      songs: of the part.
      file: name of the part.
      folder: where it goes.
      job: what the numbers depend on.
      isolated: whether its files are decoded in a process of their own, also if no worker has died over it before.

    Raises:
      UserError: the run has other weights by now.
    """
    system = _system(job.run, job.weights_sha256, job.precision)
    rejected, remarks, kept = [], [], []
    with begun(folder, file) as died:
        paths = [str(files.to_path(job.library) / song.track_id) for song in songs]
        found = embed_files(system, [Stretch(path) for path in paths], isolated=died or isolated)
        embedded = rows(songs, found, parts=system.notions, scores=True, excerpts=job.excerpts)
        for path, (song, outcome, row) in zip(paths, embedded, strict=True):
            remarks += [(song.track_id, path, remark) for remark in outcome.remarks]
            if row:
                kept.append(row)
            else:
                rejected.append((song.track_id, path, outcome.problem))
        dim = system.params.encoder.embedding_dim
        write_table(folder / file, to_table(kept, dim=dim, excerpts=job.excerpts))
        result = PartResult(file, len(kept), tuple(rejected), tuple(remarks))
        note(folder, file, dataclasses.asdict(result))
    return result


@functools.lru_cache(maxsize=1)
def _system(run: str, weights_sha256: str, precision: str) -> System:
    """Read once in a worker's life."""
    trained = trained_run(run)
    if files.sha256(trained.best_weights) != weights_sha256:
        raise UserError(f"--run={run}: its weights have changed since the command was given: give it again")
    return load_system(trained, precision=precision)
