"""The files of an index: a header, tracks, vectors in parts of equal size, graphs and maps.

index.json               the mark of a finished index: what it is of, and name -> bytes and sha256 of every other file
tracks.arrow             all columns of the embeddings but the vectors; mapped: what is not asked for is not read
whole-00000.faiss, …     float16 [part, dim], the whole space; subspaces-00000.faiss, …: unit sub-spaces side by side
graph-<space>.faiss      approximate neighbours in one space (--kind=hnsw); map-<space>.npy  float32 [tracks, 2]
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import faiss
import numpy as np

from tfmir import files
from tfmir.errors import UserError
from tfmir.searching.ranking import Scored

HEADER, TRACKS = "index.json", "tracks.arrow"
SCHEMA_VERSION = 1
# A query maps one part after the other, 64 MB at a dimension of 256: its memory does not grow with the catalogue.
PART_ROWS = 1 << 17
# So many stay mapped between queries, 256 MB at a dimension of 256: mapping a page costs as much as scanning it.
KEPT_PARTS = 4
# Since faiss 1.11 files are mapped; before, a part is read.
_MAPPED = getattr(faiss, "IO_FLAG_MMAP_IFC", 0)


def new_part(dim: int) -> faiss.Index:
    """An empty part: exact inner products of float16 vectors."""
    return faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)


def part_name(space: str, part: int) -> str:
    """The file of a part of `WHOLE` or `SUBSPACES`."""
    return f"{space}-{part:05d}.faiss"


def graph_name(space: str) -> str:
    """The file of the approximate neighbours in one space."""
    return f"graph-{space}.faiss"


def map_name(space: str) -> str:
    """The file of the map of one space."""
    return f"map-{space}.npy"


def read_faiss(path: pathlib.Path) -> faiss.Index:
    """A faiss index, mapped and not read where faiss can do so.

    Raises:
      UserError: it is not there, or none.
    """
    try:
        return faiss.read_index(str(path), _MAPPED)
    except RuntimeError as error:
        raise damaged(path) from error


def write_faiss(made: faiss.Index, path: pathlib.Path) -> None:
    """Writes a faiss index through Python's file.

    faiss' own writer ends at a full disk with a RuntimeError, or with none at all where the last bytes are lost.

    Raises:
      OSError: as the system says it, such as that the disk is full; it names the file.
    """
    try:
        with path.open("wb") as file:
            faiss.write_index(made, faiss.PyCallbackIOWriter(file.write, 1 << 20))  # type: ignore[attr-defined]
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def damaged(path: pathlib.Path) -> UserError:
    """What is said of a file of an index that cannot be read."""
    return UserError(f"{path}: damaged or not there: copy the index again, or make it again with tfmir.index")


def read_header(folder: str) -> dict[str, Any]:
    """The header of a finished index all of whose files are there and of their sizes.

    Raises:
      UserError: there is no index, one of another version, or a file is missing or cut.
    """
    path = pathlib.Path(folder)
    header = _header_of(path)
    for name, facts in header["files"].items():
        found = (path / name).stat().st_size if (path / name).is_file() else None
        if found != facts["bytes"]:
            said = "is not there" if found is None else f"has {found} bytes"
            wanted = f"{HEADER} says {facts['bytes']}: copy the index again, or make it again with tfmir.index"
            raise UserError(f"{path / name} {said}, {wanted}")
    return header


def _header_of(path: pathlib.Path) -> dict[str, Any]:
    if not (path / HEADER).is_file():
        if (path / "embeddings.json").is_file():
            raise UserError(
                f"--index={path} holds embeddings: index them with python -m tfmir.index --embeddings={path} "
                "--output=<folder>, and name that one"
            )
        raise UserError(
            f"--index={path}: no {HEADER} in it: make an index with python -m tfmir.index --embeddings=<folder> "
            f"--output={path}"
        )
    header = files.read_json(path / HEADER)
    version = header.get("schema_version") if isinstance(header, dict) else None
    if version != SCHEMA_VERSION:
        raise UserError(
            f"{path / HEADER}: of version {version}, this tfmir reads {SCHEMA_VERSION}: make the index again"
        )
    needed = {"kind", "tracks", "dim", "part_rows", "library", "weights_sha256", "card", "tags", "maps", "files"}
    if lacking := sorted(needed - set(header)):
        raise UserError(f"{path / HEADER} has no {lacking[0]!r}: make the index again with tfmir.index")
    return header


class Parts:
    """The vectors of one space on the disk, float16 [tracks, dim], part after part.

    Args:
      folder: of the index.
      space: `WHOLE` or `SUBSPACES`.
      tracks: how many rows there are.
      part_rows: rows of every part but the last.
    """

    def __init__(self, folder: pathlib.Path, space: str, tracks: int, part_rows: int):
        self._paths = [folder / part_name(space, part) for part in range(-(-tracks // part_rows))]
        self._tracks, self._part_rows = tracks, part_rows
        self._kept: dict[int, faiss.Index] = {}

    def _read(self, number: int) -> faiss.Index:
        if number >= KEPT_PARTS:
            return read_faiss(self._paths[number])
        if number not in self._kept:
            self._kept[number] = read_faiss(self._paths[number])
        return self._kept[number]

    def __iter__(self) -> Iterator[tuple[int, faiss.Index]]:
        """(first row, part), one part at a time."""
        for number, path in enumerate(self._paths):
            first, part = number * self._part_rows, self._read(number)
            if part.ntotal != min(self._part_rows, self._tracks - first):
                raise damaged(path)
            yield first, part

    def nearest(self, vector: np.ndarray, count: int, allowed: np.ndarray | None) -> Scored:
        """The `count` best of every part by inner product with `vector`.

        Args:
          vector: float32 [dim].
          count: of each part.
          allowed: bool [tracks], which rows may be found; None: all.
        """
        rows, scores = [], []
        for first, part in self:
            params, k = None, min(count, part.ntotal)
            if allowed is not None:
                chosen = allowed[first : first + part.ntotal]
                if not chosen.any():
                    continue
                bits = np.packbits(chosen, bitorder="little")  # held while faiss reads it
                selector = faiss.IDSelectorBitmap(len(chosen), faiss.swig_ptr(bits))
                params = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
                k = min(k, int(chosen.sum()))
            of_scores, of_rows = part.search(vector[np.newaxis].astype(np.float32), k, params=params)
            there = of_rows[0] >= 0
            rows.append(of_rows[0][there] + first)
            scores.append(of_scores[0][there])
        return Scored(*(np.concatenate(of) if of else np.zeros(0, np.int64) for of in (rows, scores)))

    def rows(self, chosen: Sequence[int] | np.ndarray) -> np.ndarray:
        """float32 [k, dim]: the vectors of some rows, in their order; no other is read."""
        wanted = np.asarray(chosen, np.int64)
        found: np.ndarray | None = None
        for number in np.unique(wanted // self._part_rows).tolist():
            part, first = self._read(number), number * self._part_rows
            inside = wanted // self._part_rows == number
            vectors = part.reconstruct_batch(wanted[inside] - first)
            found = np.zeros([len(wanted), part.d], np.float32) if found is None else found
            found[inside] = vectors
        return np.zeros([0, 0], np.float32) if found is None else found


def facts_of(folder: pathlib.Path, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Name -> bytes and sha256 of some files of an index; those that are not there are left out."""
    paths = {name: folder / name for name in sorted(names)}
    return {
        name: {"bytes": path.stat().st_size, "sha256": files.sha256(path)}
        for name, path in paths.items()
        if path.is_file()
    }


def is_whole(folder: pathlib.Path, header: dict[str, Any]) -> bool:
    """Whether every file that the header names has the checksum that it says; others do not count."""
    return facts_of(folder, header["files"]) == header["files"]
