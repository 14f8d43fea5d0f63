"""A library's embeddings: plan the parts, embed what is new or changed, publish the shards.

    songs -> those that are not in the set yet -> parts (`parts.py`) -> shards, `embeddings.json` (`publishing.py`)

What is finished is known from the set itself and from `.build/`, where the parts lie until they are published: killed
at any moment, the same command goes on with what is missing, and ends with the same bytes.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
from tqdm import tqdm

from tfmir import files
from tfmir.catalogue.embeddings import (
    EXCERPTS,
    MARK,
    SCHEMA_VERSION,
    column_names,
    is_whole,
    precision_of,
    read_mark,
    read_table,
)
from tfmir.catalogue.output import refuse_what_is_not_ours
from tfmir.catalogue.parts import Job, Part, PartResult, make_parts, part_file
from tfmir.catalogue.publishing import NO_LABELS, Labels, Source, finish, publish, shard_span
from tfmir.catalogue.songs import Song, stamped, unchanged
from tfmir.corpora.audio_files import AUDIO_SUFFIXES, list_audio
from tfmir.corpora.spelling import one_line
from tfmir.errors import UserError
from tfmir.preparation.engine import run_tasks
from tfmir.preparation.resumable import REMARKS, STATE, clear_leftovers, list_tracks, noted, refuse_too_many

_KNOWN = ("track_id", "mtime_ns", "size", "artist", "tags")


@dataclasses.dataclass(frozen=True)
class Known:
    """What a finished set has that can be kept.

    Attributes:
      sources: its shards that are whole.
      ids: of the songs in them whose files are what they were.
      is_current: whether nothing else is in them, and their artists and tags are those that are given.
    """

    sources: tuple[Source, ...] = ()
    ids: frozenset[str] = frozenset()
    is_current: bool = False


def embed_library(
    job: Job,
    output: str,
    *,
    labels: Mapping[str, Labels],
    card: Mapping[str, Any],
    annotations: str = "",
    max_rejected_fraction: float = 0.01,
    workers: int = 0,
    scheduler: str = "",
) -> dict[str, Any]:
    """Embeds a library, or what is new or changed in it since the last time; returns what `embeddings.json` says.

    A file that could not be used is tried again whenever this is called, in a process of its own.

    Args:
      job: run and library.
      output: folder of the set.
      labels: artist and tags of the songs where they are known, by their ids.
      card: of the run; kept in every shard.
      annotations: the file that the labels are from, which the set remembers.
      max_rejected_fraction: if a larger share of the songs is rejected, nothing is published.
      workers: see `engine.run_tasks`.
      scheduler: see `engine.run_tasks`.

    Raises:
      UserError: no audio in the library, `output` holds something else, or too many songs are rejected.
    """
    folder = files.to_path(output)
    refuse_what_is_not_ours(folder)
    busy = f"--output={output}: another embed is writing it: wait for it, or end it"
    with files.locked(folder / STATE / "lock", busy=busy):
        finish(folder)
        clear_leftovers(folder, ".parquet", ".tsv")
        clear_leftovers(folder / STATE, ".parquet")
        songs = stamped(job.library, list_audio(job.library))
        known = _known(folder, job, songs, labels, annotations)
        todo = [song for song in songs.values() if song.track_id not in known.ids]
        if not todo and known.is_current:
            print(f"{folder}: finished already; nothing to do")
            files.remove_tree(folder / STATE)
            return read_mark(folder)
        print(f"{output}: {len(songs)} songs in {job.library}, {len(known.ids)} are in the set already")
        parts, results = _embed(folder / STATE, todo, job, workers=workers, scheduler=scheduler)
        clear_leftovers(folder / STATE, ".parquet")
        rejected = _list(folder, results, known, len(songs))
        refuse_too_many(rejected, len(songs), max_rejected_fraction, kept="parts")
        if rejected == len(songs):
            raise UserError(
                f"--library={job.library} holds no audio that can be decoded ({' '.join(sorted(AUDIO_SUFFIXES))})"
            )
        sources = [*known.sources, *(Source(folder / STATE / p.file, p.least, p.most) for p in parts)]
        said = {"schema_version": SCHEMA_VERSION, "library": job.library, "tracks": 0, "rejected": rejected}
        said |= {"annotations": annotations}
        said |= {"dim": card["embedding_dim"], "weights_sha256": job.weights_sha256, "card": dict(card)}
        return publish(folder, sources, songs, labels, said, excerpts=job.excerpts)


def embed_part(songs: tuple[Song, ...], file: str, state: str, job: Job, isolated: bool) -> PartResult:
    """The task of a worker, which alone needs TensorFlow: see `embedding.write_part`."""
    from tfmir.catalogue.embedding import write_part

    return write_part(songs, file, files.to_path(state), job, isolated=isolated)


def _known(
    folder: files.Path, job: Job, songs: Mapping[str, Song], labels: Mapping[str, Labels], annotations: str
) -> Known:
    """What can be kept of the set that is there, if there is one; what is lost is told.

    Raises:
      UserError: it is of other weights, of another library, or has other columns.
    """
    if not (folder / MARK).exists():
        return Known()
    said = read_mark(folder)
    _refuse_other_weights(folder, said, job)
    sources, ids, lost = [], set(), collections.Counter[str]()
    is_current = bool(said["shards"]) and said.get("annotations") == annotations
    for index, shard in enumerate(tqdm(said["shards"], desc="read", unit="shard", mininterval=1.0)):
        path = folder / shard["file"]
        table = read_table(path, columns=_KNOWN) if is_whole(path, shard["sha256"]) else None
        if table is None:
            print(f"{path}: missing or damaged, and made anew")
            is_current = False
            continue
        _refuse_other_columns(folder, path, job)
        kept = table.filter(pa.array(unchanged(table, songs)))
        is_current = is_current and len(kept) == len(table) and _has(kept, labels)
        lost += _losses(table, songs, labels)
        ids |= set(kept.column("track_id").to_pylist())
        sources.append(Source(path, *shard_span(index, len(said["shards"]))))
    if said["library"] != job.library:
        if not ids:
            raise UserError(
                f"--output={folder} holds the embeddings of {said['library']}, of which no song is in "
                f"--library={job.library}: choose another --output, or remove it"
            )
        print(f"{folder} was made of {said['library']}: {len(ids)} of its songs are in {job.library}, unchanged")
        is_current = False
    for what, count in lost.items():
        print(f"{folder}: {count} songs {what}")
    return Known(tuple(sources), frozenset(ids), is_current)


def _refuse_other_weights(folder: files.Path, said: Mapping[str, Any], job: Job) -> None:
    found, precision = said["weights_sha256"], precision_of(said["card"])
    if found != job.weights_sha256:
        raise UserError(
            f"--output={folder} holds embeddings of other weights (sha256 {found[:12]}…) than --run={job.run} has "
            f"({job.weights_sha256[:12]}…): choose another --output, or remove it; no index may mix them"
        )
    if precision != job.precision:
        raise UserError(
            f"--output={folder} holds embeddings that were computed in {precision}: give --precision={precision}, or "
            "choose another --output"
        )


def _refuse_other_columns(folder: files.Path, path: files.Path, job: Job) -> None:
    if (EXCERPTS in column_names(path)) != job.excerpts:
        has, flag = ("without", "--noexcerpts") if job.excerpts else ("with", "--excerpts")
        raise UserError(
            f"--output={folder} holds embeddings {has} those of every excerpt: give {flag}, or choose another "
            "--output, or remove it"
        )


def _has(table: pa.Table, labels: Mapping[str, Labels]) -> bool:
    """Whether artists and tags are those that are given."""
    columns = (table.column(name).to_pylist() for name in ("track_id", "artist", "tags"))
    return all(
        labels.get(name, NO_LABELS) == (artist, tuple(tags)) for name, artist, tags in zip(*columns, strict=True)
    )


def _losses(table: pa.Table, songs: Mapping[str, Song], labels: Mapping[str, Labels]) -> collections.Counter[str]:
    """How many songs go from the set, and how many of the others lose their artists and tags."""
    columns = (table.column(name).to_pylist() for name in ("track_id", "artist", "tags"))
    lost: collections.Counter[str] = collections.Counter()
    for name, artist, tags in zip(*columns, strict=True):
        if name not in songs:
            lost["are not in the library any more, and are dropped"] += 1
        elif (artist or tags) and labels.get(name, NO_LABELS) == NO_LABELS:
            lost["lose their artists and tags, which the annotations do not have any more"] += 1
    return lost


def _embed(
    state: files.Path, todo: Iterable[Song], job: Job, *, workers: int, scheduler: str
) -> tuple[list[Part], list[PartResult]]:
    """Embeds what is to do: every part, and what became of it.

    Parts that an earlier call has finished are kept; only what was rejected in them is tried again.
    """
    parts, done = make_parts(todo, job), {}
    for part in parts:
        said = noted(state, part.file)
        if said and (state / part.file).exists():
            done[part.file] = PartResult(**said)
    if kept := sum(len(part.songs) - len(done[part.file].rejected) for part in parts if part.file in done):
        print(f"{kept} songs more are kept of an embed that did not end")
    again = _again(parts, done, job)
    tasks = [(part, False) for part in parts if part.file not in done] + [(part, True) for part in again]
    results = run_tasks(
        embed_part,
        [(part.songs, part.file, str(state), job, isolated) for part, isolated in tasks],
        sizes=[len(part.songs) for part, _ in tasks],
        description="embed",
        unit="song",
        workers=workers,
        scheduler=scheduler,
    )
    return [*parts, *again], [*(dataclasses.replace(result, rejected=()) for result in done.values()), *results]


def _again(parts: Iterable[Part], done: Mapping[str, PartResult], job: Job) -> list[Part]:
    """The songs that were rejected in parts which are finished, as parts of their own."""
    rejected = {track_id for result in done.values() for track_id, _, _ in result.rejected}
    songs = [song for part in parts for song in part.songs if song.track_id in rejected]
    return [Part(part_file(part.songs, job, kind="again"), part.songs) for part in make_parts(songs, job)]


def _list(folder: files.Path, results: Iterable[PartResult], known: Known, tracks: int) -> int:
    """Writes what could not be used, and what is remarked, of kept songs too; returns how many were rejected."""
    results, old = list(results), folder / REMARKS
    ids = {one_line(track_id) for track_id in known.ids}
    lines = old.read_text(encoding="utf-8").splitlines()[1:] if ids and old.exists() else []
    earlier = [tuple(line.split("\t")) for line in lines]
    remarks = [row for row in earlier if row[0] in ids] + [row for result in results for row in result.remarks]
    rejected = [row for result in results for row in result.rejected]
    list_tracks(folder, rejected=rejected, remarks=remarks, tracks=tracks)
    return len(rejected)
