"""What may stand for a library: a folder of songs, the embeddings that `tfmir.embed` has made of one, a record set."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Sequence

import numpy as np

from tfmir import files, folders
from tfmir.catalogue.embedded_set import open_set, vectors
from tfmir.catalogue.embeddings import MARK
from tfmir.corpora.spelling import one_line
from tfmir.data.manifest import MANIFEST, check_features, check_shards, load_manifest
from tfmir.data.records import read_tracks
from tfmir.errors import UserError
from tfmir.evaluation.baselines import statistics_features
from tfmir.evaluation.library.described import ARTIST, Described, describe, described
from tfmir.evaluation.library.songs import Heard, hear
from tfmir.inference.tracks import embed_tracks
from tfmir.model.system import System
from tfmir.run_directory import Run

_SPLIT = "test"  # of a record set: as the report of a run that was trained there


@dataclasses.dataclass(frozen=True)
class Source:
    """Songs of which everything is known but how they sound.

    Attributes:
      kind: folder, embeddings or records.
      songs: what is known of those that are there.
      missing: how many more are only spoken of.
      hear: gives their embeddings, by the run's system.
    """

    kind: str
    songs: Described
    missing: int
    hear: Callable[[System], Heard]


def open_source(run: Run, library: str, annotations: str) -> Source:
    """The songs of a library; no audio is decoded.

    Args:
      run: a trained run.
      library: folder or URL of songs, folder of embeddings, or record set, of which the test split is taken.
      annotations: see `describe`; embeddings and records have labels of their own if it is empty.

    Raises:
      UserError: no such library, none of the songs of the annotations in it, embeddings of another run, records of
        other features, or annotations that cannot be read.
    """
    place = files.to_path(library)
    folders.require_folder("library", library)
    if (place / MARK).exists():
        return _of_embeddings(run, library, annotations)
    if (place / MANIFEST).exists():
        if annotations:
            raise UserError(f"--annotations={annotations}: --library={library} holds records, which have their labels")
        return _of_records(run, library)
    return _of_folder(run, library, annotations)


def _of_folder(run: Run, library: str, annotations: str) -> Source:
    songs = describe(library, annotations)
    stamps = files.stamps(library, songs.paths)
    there = [number for number, path in enumerate(songs.paths) if stamps[path] != (0, 0)]
    songs, missing = _there(songs, there, f"--library={library}")
    return Source("folder", songs, missing, lambda system: hear(run, system, library, songs.paths))


def _of_embeddings(run: Run, library: str, annotations: str) -> Source:
    stored = open_set(library)
    sha256 = files.sha256(run.best_weights)
    if stored.header["weights_sha256"] != sha256:
        raise UserError(
            f"--library={library}: embedded with the weights {stored.header['weights_sha256'][:12]}…, those of --run="
            f"{run.path} are {sha256[:12]}…: name the run that made it, or the folder of the songs"
        )
    print(f"{library}: embeddings, without audio: statistics of the log-mel are left out", file=sys.stderr)
    ids, embeddings, told = [], [], []
    for batch in stored.batches(description="read"):
        embeddings.append(vectors(batch))
        columns = (batch.column(batch.schema.names.index(name)).to_pylist() for name in ("track_id", ARTIST, "tags"))
        for track_id, artist, tags in zip(*columns, strict=True):
            ids.append(track_id)
            told.append(_columns(artist, tags))
    songs = described(f"{library}/{MARK}", zip(ids, told, strict=True))
    missing = 0
    rows = np.arange(len(ids))
    if annotations:
        songs = describe(str(stored.header["library"]), annotations)
        place = {track_id: row for row, track_id in enumerate(ids)}
        there = [number for number, path in enumerate(songs.paths) if path in place]
        songs, missing = _there(songs, there, f"--library={library}")
        rows = np.array([place[path] for path in songs.paths])
    found = np.concatenate(embeddings)[rows]
    return Source("embeddings", songs, missing, lambda system: Heard(np.arange(len(found)), found, None))


def _of_records(run: Run, records: str) -> Source:
    manifest = load_manifest(records)
    check_features(manifest, run.params.features, source=records)
    check_shards(records, manifest)
    names = manifest.vocabulary.tags
    told, statistics = [], []
    for track in read_tracks(records, manifest, _SPLIT):
        told.append((track.track_id, _columns(track.artist_id, [names[tag] for tag in track.tags])))
        statistics.append(statistics_features(track.log_mel))
    if not told:
        raise UserError(f"--library={records}: its {_SPLIT} split has no tracks")

    def heard(system: System) -> Heard:
        embedded = embed_tracks(system, records, manifest, _SPLIT)
        return Heard(np.arange(len(told)), embedded.embeddings, np.stack(statistics))

    return Source("records", described(f"{records}, {_SPLIT} split", told), 0, heard)


def _columns(artist: str, tags: Sequence[str]) -> dict[str, list[str]]:
    columns: dict[str, list[str]] = {ARTIST: [artist]}
    for notion, tag in (tag.split("/", 1) for tag in tags):
        columns.setdefault(notion, []).append(tag)
    return columns


def _there(songs: Described, there: Sequence[int], library: str) -> tuple[Described, int]:
    """The songs that are there, and how many are not, which is told.

    Raises:
      UserError: none is.
    """
    missing = len(songs.paths) - len(there)
    if not songs.paths:
        raise UserError(f"{library}: no audio there")
    found = set(there)
    absent = one_line(next((path for number, path in enumerate(songs.paths) if number not in found), ""))
    if not there:
        raise UserError(
            f"{library}: none of the {missing} songs of {songs.source} is there, the first is {absent}: paths are "
            "those below the library"
        )
    if missing:
        told = f"{missing} of the {len(songs.paths)} songs of {songs.source} are not in it, the first is {absent}"
        print(f"{library}: {told}: they are left out", file=sys.stderr)
    return songs.rows(there), missing
