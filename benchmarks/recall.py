"""How many of the ten nearest tracks graphs find, at four weightings, on the embeddings of a trained run.

    python benchmarks/recall.py --embeddings=embeddings/music                # 200 queries
    python benchmarks/recall.py --embeddings=embeddings/music --excerpts     # of tfmir.embed --excerpts: each a track

"graphs" is `tfmir.index --kind=hnsw`: candidates of each notion, united and ranked exactly. "one graph" is the usual
way: one over the sub-spaces side by side, asked for the weighted query. Truth is the exact index of the same set.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import Any

import faiss
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import frame
from tfmir.catalogue.embedded_set import VECTORS, EmbeddedSet, open_set
from tfmir.catalogue.embeddings import EXCERPTS, column_names, read_table
from tfmir.errors import UserError
from tfmir.searching import graphs
from tfmir.searching.index import Index, open_index
from tfmir.searching.index_build import Wanted, build_index
from tfmir.searching.ranking import query_parts, weighted_query
from tfmir.searching.searchable import SUBSPACES, WHOLE

TOP, QUERIES = 10, 200


def main() -> None:
    parser = frame.parser(__doc__)
    parser.add_argument("--embeddings", default="embeddings/demo")
    parser.add_argument("--queries", type=frame.positive, default=QUERIES)
    parser.add_argument("--excerpts", action="store_true", help="take every excerpt of 3 s for a track")
    parser.add_argument(
        "--candidates", type=frame.positive, default=graphs.LEAST_CANDIDATES, help="fewer for a small catalogue"
    )
    asked = parser.parse_args()
    graphs.LEAST_CANDIDATES, graphs.PER_WANTED = asked.candidates, min(graphs.PER_WANTED, asked.candidates // TOP)
    if frame.is_missing(asked.embeddings, "make demo makes the demo's, or name others with --embeddings"):
        return
    embedded = open_set(asked.embeddings)
    table(every_excerpt(embedded) if asked.excerpts else embedded, asked.queries)


class Excerpts(EmbeddedSet):
    """A set whose tracks are the excerpts of another one's."""

    def batches(self, *, description: str) -> Iterator[pa.RecordBatch]:
        """A shard's excerpts at a time."""
        for shard in self.header["shards"]:
            yield from _exploded(read_table(self.folder / shard["file"])).to_batches()


def every_excerpt(embedded: EmbeddedSet) -> Excerpts:
    """The set of a set's excerpts."""
    shards = [embedded.folder / shard["file"] for shard in embedded.header["shards"]]
    if any(EXCERPTS not in column_names(path) for path in shards):
        raise UserError(f"--embeddings={embedded.folder} has no excerpts: embed with tfmir.embed --excerpts")
    tables: list[Any] = [read_table(path, columns=["excerpts"]) for path in shards]
    count = sum(pc.sum(of["excerpts"]).as_py() for of in tables)
    return Excerpts(embedded.folder, {**embedded.header, "tracks": count}, embedded.sha256)


def _exploded(found: Any) -> pa.Table:
    lists = found[EXCERPTS].combine_chunks()
    tracks = found.drop_columns([EXCERPTS]).take(pc.list_parent_indices(lists))
    return tracks.set_column(tracks.schema.get_field_index(VECTORS), VECTORS, pc.list_flatten(lists))


def table(embedded: EmbeddedSet, queries: int) -> None:
    """Prints a line for each of four weightings."""
    with tempfile.TemporaryDirectory() as folder:
        exact = open_index(str(build_index(embedded, f"{folder}/exact", Wanted("exact", "none"))))
        near = open_index(str(build_index(embedded, f"{folder}/hnsw", Wanted("hnsw", "none"))))
        rows = np.random.default_rng(0).choice(len(exact), min(queries, len(exact)), replace=False).tolist()
        single = {space: _one_graph(exact, space) for space in (WHOLE, SUBSPACES) if space == WHOLE or exact.notions}
        needed = 4 * graphs.LEAST_CANDIDATES
        if len(exact) < needed:
            print(f"fewer than {needed} tracks: graphs are not asked, every search is exact")
        print(f"{len(exact)} tracks, {len(rows)} queries, recall@{TOP} and median milliseconds of CPU of a query:")
        print("| weights | graphs | ms | one graph | exact, ms |\n| --- | ---: | ---: | ---: | ---: |")
        for weights in weightings(exact.notions):
            _line(exact, near, single[SUBSPACES if weights else WHOLE], weights, rows)


def weightings(notions: tuple[str, ...]) -> list[dict[str, float]]:
    """The whole space, one notion, one with a little of another, and all alike."""
    if not notions:
        return [{}]
    first, second = [name for name in ("mood", *notions, *notions) if name in notions][:2]
    second = next((name for name in notions if name != first), second)
    return [{}, {first: 1.0}, {first: 1.0, second: 0.2}, dict.fromkeys(notions, 1.0)]


def _line(exact: Index, approximate: Index, single: faiss.Index, weights: Mapping[str, float], rows: list[int]) -> None:
    found: dict[str, list[float]] = {name: [] for name in ("graphs", "single", "ms", "exact ms")}
    for row in rows:
        query, start = exact.embedding(row), time.process_time()
        truth = [hit.row for hit in exact.search(query, weights=weights, top=TOP, exclude=[row])]
        middle = time.process_time()
        near = [hit.row for hit in approximate.search(query, weights=weights, top=TOP, exclude=[row])]
        found["ms"].append(1e3 * (time.process_time() - middle))
        found["exact ms"].append(1e3 * (middle - start))
        vector = weighted_query(query_parts(query, exact.vocabulary), weights) if weights else query
        params = faiss.SearchParametersHNSW(efSearch=graphs.LEAST_CANDIDATES)  # type: ignore[attr-defined]
        usual = single.search(vector[np.newaxis], TOP + 1, params=params)[1][0]
        found["graphs"].append(len({*truth} & {*near}) / max(1, len(truth)))
        found["single"].append(len({*truth} & {*usual.tolist()} - {row}) / max(1, len(truth)))
    name = ",".join(f"{notion}={weight:g}" for notion, weight in weights.items()) or "whole space"
    mean, median = statistics.mean, statistics.median
    print(
        f"| {name} | {mean(found['graphs']):.3f} | {median(found['ms']):.1f} | {mean(found['single']):.3f} "
        f"| {median(found['exact ms']):.1f} |",
        flush=True,
    )


def _one_graph(exact: Index, space: str) -> faiss.Index:
    half, metric = faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    graph = faiss.IndexHNSWSQ(exact.embedding(0).size, half, graphs.LINKS, metric)  # type: ignore[arg-type]
    graph.hnsw.efConstruction = graphs.EF_CONSTRUCTION
    for first in range(0, len(exact), 1 << 14):
        graph.add(exact.vectors(space, np.arange(first, min(first + (1 << 14), len(exact)))))
    return graph


if __name__ == "__main__":
    frame.run(main)
