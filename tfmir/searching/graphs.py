"""Approximate neighbours in every space by itself (Malkov and Yashunin, 2018): candidates that are then ranked exactly.

One graph over the sub-spaces side by side loses the neighbours of skewed queries: measured at a recall@10 of 0.56 for
`mood=1`. A notion's own graph knows its neighbours, whatever the weights.
"""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Iterator

import faiss
import numpy as np
from tqdm import tqdm

from tfmir.searching.index_parts import graph_name, read_faiss, write_faiss
from tfmir.searching.searchable import WHOLE, Question

LINKS, EF_CONSTRUCTION = 16, 80
LEAST_CANDIDATES = 400  # of each space, and as many paths are kept while its graph is walked
PER_WANTED = 8
_BLOCK = 1 << 14


class Graphs:
    """The graphs of an index, in a folder."""

    def __init__(self, folder: pathlib.Path):
        self._graph = functools.cache(lambda space: read_faiss(folder / graph_name(space)))

    def candidates(self, question: Question, count: int, total: int) -> np.ndarray | None:
        """int64 [k], rows that are near in a space that counts; None: graphs do not help, take all.

        They do not help to find what is far away (a negative weight), nor where a good part of all rows is wanted.

        Args:
          question: what is looked for.
          count: how many rows are wanted.
          total: how many rows there are.
        """
        each = max(LEAST_CANDIDATES, PER_WANTED * count)
        if 4 * each > total or any(weight < 0 for weight in question.weights.values()):
            return None
        asked = {notion: question.parts[notion] for notion, weight in question.weights.items() if weight > 0}
        if len(asked) != 1:
            asked[WHOLE] = question.query
        each *= 2 if len(asked) == 1 else 1
        rows = np.unique(np.concatenate([self._near(space, vector, each) for space, vector in asked.items()]))
        return rows if len(rows) >= count else None

    def _near(self, space: str, vector: np.ndarray, count: int) -> np.ndarray:
        params = faiss.SearchParametersHNSW(efSearch=count)  # type: ignore[attr-defined]
        _, rows = self._graph(space).search(vector[np.newaxis].astype(np.float32), count, params=params)
        return rows[0][rows[0] >= 0]


def build_graph(parts: Iterator[tuple[int, faiss.Index]], columns: slice, path: pathlib.Path, *, total: int) -> None:
    """Writes the graph of one space.

    Args:
      parts: (first row, vectors) of `Parts`.
      columns: which of their columns are the space.
      path: of the file.
      total: how many rows there are.
    """
    dim, half, metric = columns.stop - columns.start, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    graph = faiss.IndexHNSWSQ(dim, half, LINKS, metric)  # type: ignore[arg-type]
    graph.hnsw.efConstruction = EF_CONSTRUCTION
    with tqdm(total=total, unit="track", desc=path.stem, mininterval=1.0) as bar:
        for _, part in parts:
            for first in range(0, part.ntotal, _BLOCK):
                block = part.reconstruct_n(first, min(_BLOCK, part.ntotal - first))[:, columns]
                graph.add(np.ascontiguousarray(block))
                bar.update(len(block))
    write_faiss(graph, path)
