"""Embeddings to an index: streamed part by part, written beside its place and moved there when it is whole."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfmir import files
from tfmir.catalogue.embedded_set import VECTORS, EmbeddedSet, vectors
from tfmir.corpora.spelling import one_line
from tfmir.errors import UserError
from tfmir.inference.subspaces import subspace_embeddings
from tfmir.searching import maps
from tfmir.searching.graphs import build_graph
from tfmir.searching.index import Index
from tfmir.searching.index_parts import (
    HEADER,
    PART_ROWS,
    SCHEMA_VERSION,
    TRACKS,
    Parts,
    facts_of,
    graph_name,
    is_whole,
    map_name,
    new_part,
    part_name,
    write_faiss,
)
from tfmir.searching.searchable import SUBSPACES, WHOLE
from tfmir.vocabulary import Vocabulary

_NAMED = 3  # of the foreign files in the way


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What index is made.

    Attributes:
      kind: exact, or hnsw: graphs too.
      maps: tsne, umap or none.
      map_sample: how many tracks a map has at most.
      part_rows: tracks of a part.
    """

    kind: str = "exact"
    maps: str = "tsne"
    map_sample: int = 5000
    part_rows: int = PART_ROWS


def build_index(embedded: EmbeddedSet, output: str, wanted: Wanted = Wanted()) -> pathlib.Path:
    """Makes an index, or leaves the one that is there if it is the same and whole.

    An index of the same library and weights, of fewer or other tracks, is replaced at the very end; nothing else is.
    Hidden files beside it, as file managers leave them, are kept.

    Raises:
      UserError: `output` holds something else or something more, another process writes there, or the embeddings are
        damaged.
    """
    maps.check_method(wanted.maps)
    final = _place(output)
    busy = f"--output={output}: another process is making an index there: wait for it, or end it"
    with files.locked(final.with_name(f".{final.name}.lock"), busy=busy):
        if _is_made(final, embedded, wanted):
            print(f"{final}: is this index already: nothing to do")
            return final
        temporary = final.with_name(f".{final.name}.tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        try:
            _write(embedded, temporary, wanted)
            _replace(temporary, final)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return final


def _place(output: str) -> pathlib.Path:
    if not output:
        raise UserError("--output is empty: name a folder for the index, such as index/music")
    if files.is_remote(output):
        raise UserError(f"--output={output}: an index is mapped into memory: name a local folder")
    final = pathlib.Path(output).resolve()
    if final in (pathlib.Path(final.anchor), pathlib.Path.cwd().resolve()):
        said = "is moved into its place when it is whole, which cannot be the folder that you are in, nor the root"
        raise UserError(f"--output={output}: an index {said}: name another, such as index/music")
    return final


def _is_made(final: pathlib.Path, embedded: EmbeddedSet, wanted: Wanted) -> bool:
    """Whether the index is there; refuses to replace anything but an index of the same library and weights."""
    if not final.exists() or (final.is_dir() and not any(final.iterdir())):
        return False
    try:
        header = files.read_json(final / HEADER)
        listed = {HEADER, *header["files"]}
        same = {name: (header[name], embedded.header[name]) for name in ("weights_sha256", "library")}
    except (OSError, KeyError, TypeError) as error:
        raise UserError(f"--output={final} holds something that is no index: choose another --output") from error
    for name, (found, asked) in same.items():
        if found != asked:
            raise UserError(
                f"--output={final} holds another index: its {name} is {found}, that of the embeddings {asked}: "
                "choose another --output, or remove that folder"
            )
    asked = {"embeddings_sha256": embedded.sha256, **dataclasses.asdict(wanted)}
    if header.get("made_from") == asked and is_whole(final, header):
        return True
    if foreign := sorted(name for name in os.listdir(final) if name not in listed and not name.startswith(".")):
        raise UserError(
            f"--output={final} holds {one_line(', '.join(foreign[:_NAMED]))}{', …' if foreign[_NAMED:] else ''} beside "
            "the index, which would be lost: move that elsewhere, or choose another --output"
        )
    return False


def _replace(temporary: pathlib.Path, final: pathlib.Path) -> None:
    for hidden in final.glob(".*"):  # copied: whenever this is ended, one of the two folders has them
        if hidden.is_dir() and not hidden.is_symlink():
            shutil.copytree(hidden, temporary / hidden.name, symlinks=True)
        else:
            shutil.copy2(hidden, temporary / hidden.name, follow_symlinks=False)
    aside = final.with_name(f".{final.name}.old")
    shutil.rmtree(aside, ignore_errors=True)
    if final.exists():
        final.rename(aside)
    temporary.rename(final)
    shutil.rmtree(aside, ignore_errors=True)


def _write(embedded: EmbeddedSet, folder: pathlib.Path, wanted: Wanted) -> None:
    card = embedded.header["card"]
    vocabulary = Vocabulary.from_dict(card["notions"])
    disentangled = card["system"]["disentangled"]
    tags = _write_tracks_and_parts(embedded, folder, vocabulary if disentangled else None, wanted.part_rows)
    header: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "kind": wanted.kind,
        "tracks": embedded.tracks,
        "dim": embedded.dim,
        "part_rows": wanted.part_rows,
        **{name: embedded.header[name] for name in ("library", "weights_sha256", "card")},
        "tags": tags,
        "maps": [],
        "made_from": {"embeddings_sha256": embedded.sha256, **dataclasses.asdict(wanted)},
    }
    index = Index(folder, {**header, "kind": "exact"})
    if wanted.kind == "hnsw":
        _write_graphs(index, folder, header)
    if wanted.maps != "none":
        header["maps"] = _write_maps(index, folder, wanted)
    files.write_json(folder / HEADER, {**header, "files": facts_of(folder, os.listdir(folder))})


def _write_tracks_and_parts(
    embedded: EmbeddedSet, folder: pathlib.Path, vocabulary: Vocabulary | None, part_rows: int
) -> list[str]:
    """Writes what a search needs, in one pass; returns the tags that tracks carry, in the alphabet's order."""
    writers = {space: _PartWriter(folder, space, embedded.dim, part_rows) for space in (WHOLE, SUBSPACES)}
    tags: set[str] = set()
    rows = 0
    with contextlib.ExitStack() as stack:
        sink = None
        for batch in embedded.batches(description="index"):
            if sink is None:
                schema = pa.schema([field for field in batch.schema if field.name != VECTORS])
                sink = stack.enter_context(pa.ipc.new_file(str(folder / TRACKS), schema))
            found = vectors(batch)
            _check(found, rows, embedded)
            sink.write_batch(batch.select(schema.names))
            tags.update(pc.unique(pc.list_flatten(batch.column("tags"))).to_pylist())
            writers[WHOLE].add(found)
            if vocabulary:
                writers[SUBSPACES].add(np.concatenate(list(subspace_embeddings(found, vocabulary).values()), axis=1))
            rows += len(batch)
    if rows != embedded.tracks:
        raise UserError(f"--embeddings={embedded.folder}: {rows} tracks, but its header says {embedded.tracks}")
    for writer in writers.values():
        writer.flush()
    return sorted(tags)


def _check(found: np.ndarray, rows: int, embedded: EmbeddedSet) -> None:
    if found.shape[1] != embedded.dim:
        raise UserError(
            f"--embeddings={embedded.folder}: vectors of {found.shape[1]} numbers, its header says {embedded.dim}: "
            "embed the library again"
        )
    wrong = np.flatnonzero(~np.isfinite(found).all(axis=1))
    if len(wrong):
        raise UserError(
            f"--embeddings={embedded.folder}: track {rows + wrong[0]} is no vector: embed the library again"
        )


class _PartWriter:
    """Vectors to the parts of one space; a part is written as soon as it is full."""

    def __init__(self, folder: pathlib.Path, space: str, dim: int, part_rows: int):
        self._folder, self._space, self._dim, self._part_rows = folder, space, dim, part_rows
        self._part, self._number = new_part(dim), 0

    def add(self, found: np.ndarray) -> None:
        while len(found):
            fitting = found[: self._part_rows - self._part.ntotal]
            self._part.add(np.ascontiguousarray(fitting))
            found = found[len(fitting) :]
            if self._part.ntotal == self._part_rows:
                self.flush()

    def flush(self) -> None:
        if self._part.ntotal:
            write_faiss(self._part, self._folder / part_name(self._space, self._number))
            self._part, self._number = new_part(self._dim), self._number + 1


def _write_graphs(index: Index, folder: pathlib.Path, header: dict[str, Any]) -> None:
    spaces = {WHOLE: (WHOLE, slice(0, header["dim"]))}
    for notion in index.notions:
        spaces[notion] = (SUBSPACES, index.vocabulary.subspace(notion, header["dim"]))
    for name, (of, columns) in spaces.items():
        parts = Parts(folder, of, len(index), header["part_rows"])
        build_graph(iter(parts), columns, folder / graph_name(name), total=len(index))


def _write_maps(index: Index, folder: pathlib.Path, wanted: Wanted) -> list[str]:
    rows = maps.sample(_ids(index), wanted.map_sample)
    whole = index.vectors(WHOLE, rows)
    spaces = {WHOLE: whole, **(subspace_embeddings(whole, index.vocabulary) if index.notions else {})}
    made = maps.make_maps(spaces, rows, len(index), method=wanted.maps)
    for name, points in made.items():
        np.save(folder / map_name(name), points)
    return list(made)


def _ids(index: Index) -> Iterator[str]:
    for chunk in index.tracks["track_id"].chunks:
        yield from chunk.to_pylist()
