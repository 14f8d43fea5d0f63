"""What a query of a large catalogue costs: the kept index against the old way, which made one anew at each query.

    python benchmarks/index.py                        # 1 000 000 tracks of 256 numbers; 1.6 GB below --folder meanwhile
    python benchmarks/index.py --tracks=100000

Every way is measured in a process of its own, in turns; "peak" is all that the process ever held, Python and its
libraries with it. The tracks are made up: in each notion one of 500 clusters, non-negative as after a ReLU.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import faiss
import numpy as np
import pyarrow as pa

import frame
from tfmir.catalogue.embedded_set import EmbeddedSet
from tfmir.inference.subspaces import subspace_embeddings, unit_rows
from tfmir.searching.index import open_index
from tfmir.searching.searchable import WHOLE
from tfmir.vocabulary import Vocabulary

DIM, CLUSTERS, BLOCK, TURNS, RECALL_TRACKS = 256, 500, 10_000, 5, 100_000
NOTIONS = {"genre": ["a"], "mood": ["b"], "instrument": ["c"], "era": ["d"]}
TAGS = [f"{notion}/{tags[0]}" for notion, tags in NOTIONS.items()]
WEIGHTS = {"mood": 1.0, "genre": 0.2}


class MadeUp(EmbeddedSet):
    """Embeddings that are made when they are asked for."""

    def batches(self, *, description: str) -> Iterator[pa.RecordBatch]:
        """Blocks of tracks, the same at each call."""
        centres = np.random.default_rng(0).gamma(0.5, size=[len(NOTIONS), CLUSTERS, DIM // len(NOTIONS)])
        for first in range(0, self.tracks, BLOCK):
            count, rng = min(BLOCK, self.tracks - first), np.random.default_rng(first + 1)
            kinds = rng.integers(0, CLUSTERS, [count, len(NOTIONS)])
            parts = centres[np.arange(len(NOTIONS)), kinds] + rng.gamma(0.5, 0.5, [count, *centres.shape[::2]])
            vectors = unit_rows(parts.reshape(count, DIM)).astype(np.float16)
            names = [f"artist {row % 9973:04d}/song {row:07d}.flac" for row in range(first, first + count)]
            yield pa.RecordBatch.from_pydict(
                {
                    "track_id": pa.array(names),
                    "path": pa.array(names),
                    "mtime_ns": pa.array(np.arange(first, first + count)),
                    "size": pa.array(np.arange(first, first + count)),
                    "duration_s": pa.array(np.full(count, 200.0)),
                    "excerpts": pa.array(np.full(count, 66, np.int32)),
                    "artist": pa.array([name.split("/")[0] for name in names]),
                    "tags": pa.array(
                        [[f"{n}/{NOTIONS[n][0]}" for n in list(NOTIONS)[: row % 4]] for row in range(count)]
                    ),
                    "scores": pa.array([np.zeros(4, np.float16)] * count, pa.list_(pa.float16())),
                    "embedding": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), DIM),
                    "alive": pa.array([[True] * 4] * count),
                }
            )


def main() -> None:
    parser = frame.parser(__doc__)
    parser.add_argument("--tracks", type=frame.positive, default=1_000_000)
    parser.add_argument("--folder", default=None, help="where the index lies meanwhile")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        print(json.dumps({"build": build, "kept": kept, "old": old}[asked.child[0]](asked.child[1], asked.tracks)))
        return
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        place = f"{folder}/index"
        made = child("build", place, asked.tracks)
        size = sum(path.stat().st_size for path in pathlib.Path(place).iterdir())
        print(f"{asked.tracks} tracks: built in {made['cpu']:.0f} s of CPU, peak {made['peak']:.2f} GB")
        print(f"{size / 1e9:.2f} GB on disk")
        turns: dict[str, list[dict[str, float]]] = {"kept": [], "old": []}
        for _ in range(TURNS):
            for name, found in turns.items():
                found.append(child(name, place, asked.tracks))
    print("CPU ms of a query: median of the first of a process | of a later one | the least | median of peak GB")
    for name, found in turns.items():
        first, later, peak = (statistics.median(of[key] for of in found) for key in ("first", "later", "peak"))
        least = min(of["least"] for of in found)  # what other work on the machine does not stretch
        print(f"  {name:5} {1e3 * first:8.0f} | {1e3 * later:8.0f} | {1e3 * least:8.0f} | {peak:.2f}")
    import recall  # its libraries are no part of a query's memory

    recall.table(made_up(min(asked.tracks, RECALL_TRACKS)), recall.QUERIES)


def made_up(tracks: int) -> MadeUp:
    card = {"notions": NOTIONS, "system": {"disentangled": True}, "tags": TAGS}
    header = {"library": "/nowhere", "tracks": tracks, "dim": DIM, "weights_sha256": "", "card": card}
    return MadeUp(pathlib.Path("/nowhere"), header, "")


def child(what: str, place: str, tracks: int) -> dict[str, float]:
    words = [sys.executable, __file__, f"--tracks={tracks}", "--child", what, place]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def build(place: str, tracks: int) -> dict[str, float]:
    from tfmir.searching.index_build import Wanted, build_index

    start = time.process_time()
    build_index(made_up(tracks), place, Wanted("exact", "none"))
    return {"cpu": time.process_time() - start, "peak": peak_gb()}


def kept(place: str, tracks: int) -> dict[str, float]:
    """A query of a file that is not in the index, the index opened for the first, and then others."""
    query = np.abs(np.random.default_rng(1).normal(size=[9, DIM])).astype(np.float32)
    times, index = [], None
    for row in query:
        start = time.process_time()
        index = index or open_index(place)
        index.search(unit_rows(row), weights=WEIGHTS, top=10)
        times.append(time.process_time() - start)
    return {"first": times[0], "later": statistics.median(times[1:]), "least": min(times), "peak": peak_gb()}


def old(place: str, tracks: int) -> dict[str, float]:
    """As `rank` did: all embeddings in memory, parts, one matrix and an index of it made for each query."""
    embeddings = np.empty([tracks, DIM], np.float32)
    for first, part in open_index(place)._parts[WHOLE]:
        embeddings[first : first + part.ntotal] = part.reconstruct_n(0, part.ntotal)
    vocabulary, times = Vocabulary.from_dict(NOTIONS), []
    for row in np.abs(np.random.default_rng(1).normal(size=[2, DIM])).astype(np.float32):
        start = time.process_time()
        parts = subspace_embeddings(embeddings, vocabulary)
        query = {n: part[0] for n, part in subspace_embeddings(unit_rows(row)[np.newaxis], vocabulary).items()}
        matrix = np.concatenate(list(parts.values()), axis=1)
        vector = np.concatenate([np.float32(WEIGHTS.get(notion, 0.0)) * part for notion, part in query.items()])
        index = faiss.IndexFlatIP(DIM)
        index.add(np.ascontiguousarray(matrix, np.float32))
        index.search(vector[np.newaxis].astype(np.float32), 10)
        times.append(time.process_time() - start)
    return {"first": times[0], "later": times[1], "least": min(times), "peak": peak_gb()}


def peak_gb() -> float:
    """What the process has held at most, files that it has mapped with it."""
    status = pathlib.Path(f"/proc/{os.getpid()}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e9


if __name__ == "__main__":
    frame.run(main)
