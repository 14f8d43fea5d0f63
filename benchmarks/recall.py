"""How many of the ten nearest tracks graphs find, at four weightings, on the embeddings of a trained run.

    python benchmarks/recall.py --embeddings=embeddings/music         # 200 queries

"graphs" is `tfmir.index --kind=hnsw`: candidates of each notion, united and ranked exactly. "one graph" is the usual
way: one over the sub-spaces side by side, asked for the weighted query. Truth is the exact index of the same set.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Mapping

import faiss
import numpy as np

from tfmir.errors import UserError
from tfmir.inference.embedded_set import EmbeddedSet, open_set
from tfmir.inference.graphs import EF_CONSTRUCTION, LEAST_CANDIDATES, LINKS
from tfmir.inference.index import Index, open_index
from tfmir.inference.index_build import Wanted, build_index
from tfmir.inference.ranking import query_parts, weighted_query
from tfmir.inference.searching import SUBSPACES, WHOLE

TOP, QUERIES = 10, 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--embeddings", required=True)
    parser.add_argument("--queries", type=int, default=QUERIES)
    asked = parser.parse_args()
    try:
        table(open_set(asked.embeddings), asked.queries)
    except UserError as error:
        raise SystemExit(f"error: {error}") from error


def table(embedded: EmbeddedSet, queries: int) -> None:
    """Prints a line for each of four weightings."""
    with tempfile.TemporaryDirectory() as folder:
        exact = open_index(str(build_index(embedded, f"{folder}/exact", Wanted("exact", "none"))))
        graphs = open_index(str(build_index(embedded, f"{folder}/hnsw", Wanted("hnsw", "none"))))
        rows = np.random.default_rng(0).choice(len(exact), min(queries, len(exact)), replace=False).tolist()
        single = {space: _one_graph(exact, space) for space in (WHOLE, SUBSPACES) if space == WHOLE or exact.notions}
        print(f"{len(exact)} tracks, {len(rows)} queries, recall@{TOP} and median milliseconds of CPU of a query:")
        print("| weights | graphs | ms | one graph | exact, ms |\n| --- | ---: | ---: | ---: | ---: |")
        for weights in weightings(exact.notions):
            _line(exact, graphs, single[SUBSPACES if weights else WHOLE], weights, rows)


def weightings(notions: tuple[str, ...]) -> list[dict[str, float]]:
    """The whole space, one notion, one with a little of another, and all alike."""
    if not notions:
        return [{}]
    first, second = [name for name in ("mood", *notions, *notions) if name in notions][:2]
    second = next((name for name in notions if name != first), second)
    return [{}, {first: 1.0}, {first: 1.0, second: 0.2}, dict.fromkeys(notions, 1.0)]


def _line(exact: Index, graphs: Index, single: faiss.Index, weights: Mapping[str, float], rows: list[int]) -> None:
    found: dict[str, list[float]] = {name: [] for name in ("graphs", "single", "ms", "exact ms")}
    for row in rows:
        query, start = exact.embedding(row), time.process_time()
        truth = [hit.row for hit in exact.search(query, weights=weights, top=TOP, exclude=[row])]
        middle = time.process_time()
        near = [hit.row for hit in graphs.search(query, weights=weights, top=TOP, exclude=[row])]
        found["ms"].append(1e3 * (time.process_time() - middle))
        found["exact ms"].append(1e3 * (middle - start))
        vector = weighted_query(query_parts(query, exact.vocabulary), weights) if weights else query
        params = faiss.SearchParametersHNSW(efSearch=LEAST_CANDIDATES)  # type: ignore[attr-defined]
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
    graph = faiss.IndexHNSWSQ(exact.embedding(0).size, half, LINKS, metric)  # type: ignore[arg-type]
    graph.hnsw.efConstruction = EF_CONSTRUCTION
    for first in range(0, len(exact), 1 << 14):
        graph.add(exact.vectors(space, np.arange(first, min(first + (1 << 14), len(exact)))))
    return graph


if __name__ == "__main__":
    main()
