"""What another precision costs a trained run, and what it gains: figures of the test split, cosines, time.

    python benchmarks/precision.py --run=runs/proxy

Embeddings are compared with those of float32; times are medians of interleaved passes over the test split's excerpts,
reading included, over float32's.
"""

import statistics
import time

from tfmir import command

command.set_environment()

import numpy as np

import frame
from tfmir.data.run_records import records_of
from tfmir.evaluation.retrieval import recall_at_k
from tfmir.evaluation.tagging import roc_auc
from tfmir.inference.tracks import embed_tracks
from tfmir.inference.weights import load_system
from tfmir.run_directory import trained_run


def main() -> None:
    parser = frame.parser(__doc__)
    parser.add_argument("--run", default="runs/proxy", help="a trained run; nothing is measured where it is not there")
    parser.add_argument("--records", default="", help="where its records are, if they were moved")
    parser.add_argument("--repetitions", type=frame.positive, default=5)
    given = parser.parse_args()
    if frame.is_missing(given.run, "train one, or name another with --run"):
        return
    run, manifest = records_of(trained_run(given.run), given.records)
    systems = {precision: load_system(run, precision=precision) for precision in frame.ARITHMETIC}
    times: dict[str, list[float]] = {precision: [] for precision in systems}
    tracks = {}
    for _ in range(given.repetitions):
        for precision, system in systems.items():
            start = time.perf_counter()
            tracks[precision] = embed_tracks(system, run.records, manifest, "test")
            times[precision].append(time.perf_counter() - start)
    exact = tracks["float32"].embeddings
    for precision, system in systems.items():
        found, labels = tracks[precision].embeddings, tracks[precision].labels
        cosines = np.sum(found * exact, axis=1) / (np.linalg.norm(found, axis=1) * np.linalg.norm(exact, axis=1))
        recall = recall_at_k(found, labels, ks=(1,)).mean()
        area = np.nanmean(roc_auc(labels, system.scores(found).numpy()))
        ratio = statistics.median(a / b for a, b in zip(times[precision], times["float32"], strict=True))
        print(
            f"{precision:8s} R@1 {recall:.4f}, ROC-AUC {area:.4f}, cosine to float32 {cosines.mean():.6f} "
            f"(least {cosines.min():.6f}), {ratio:.2f} of its time"
        )


if __name__ == "__main__":
    frame.run(main)
