"""What each part of `evaluate` and of a comparison costs at the size of the Million Song Dataset, and how it grows.

    python benchmarks/evaluate.py                     # 28 435 test tracks, and a half and a quarter of them
    python benchmarks/evaluate.py --tracks=4000

Everything but the embedding of the tracks and the baselines' training on 201 680 others. Tracks are made up: 256
numbers, 50 tags in four notions with the dataset's shares, ten excerpts a track. Seconds are of processor time, of one
thread; MB is what a part holds at its peak beyond what was there before. The exponent is that of growth from a quarter
to the whole: 1 is linear, 2 quadratic. The last lines are ratios to a named reference, interleaved, medians of five.
"""

import dataclasses
import functools
import math
import os
import pathlib
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Any

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[threads] = "1"

import numpy as np
from scipy.stats import rankdata

import frame
from tfmir.corpora.demo.zipf import zipf
from tfmir.evaluation import plots
from tfmir.evaluation.answers import Answers, collect_answers, save_answers
from tfmir.evaluation.bootstrap import interval, resampled
from tfmir.evaluation.questions import Questions, draw_questions
from tfmir.evaluation.report import Contender, build_report
from tfmir.evaluation.retrieval import KS, neighbours, recall_at_k
from tfmir.evaluation.tagging import macro_roc_auc_interval, pr_auc, roc_auc
from tfmir.evaluation.triplets import correct, leakage_matrix
from tfmir.experiments.bootstrap import COSINE, INNER_PRODUCT, draw_weights, resampled_figures
from tfmir.experiments.columns import SUBSPACES, WHOLE_SPACE
from tfmir.files import to_path
from tfmir.inference.subspaces import subspace_embeddings, unit_rows
from tfmir.vocabulary import Vocabulary

TRACKS, DIM, EXCERPTS, TURNS = 28_435, 256, 10, 5
# Notion -> how many tags it has, and the share of the test tracks that have one of them (BUILD_NOTES.md).
NOTIONS = {"genre": (28, 0.88), "mood": (12, 0.13), "instrument": (5, 0.14), "era": (5, 0.11)}
VOCABULARY = Vocabulary.from_dict({n: [f"{n} {i}" for i in range(tags)] for n, (tags, _) in NOTIONS.items()})
COLUMNS = (*(f"R@{k}" for k in KS), "ROC-AUC", WHOLE_SPACE, SUBSPACES, "track")


@dataclasses.dataclass(frozen=True)
class Made:
    """A made-up test split, what a disentangled system says of it, and what it was asked."""

    labels: np.ndarray
    contender: Contender
    excerpt_tracks: np.ndarray
    questions: Questions
    nearest: np.ndarray
    weights: np.ndarray
    answers: Answers

    @property
    def parts(self) -> dict[str, np.ndarray]:
        """The sub-spaces."""
        return subspace_embeddings(self.contender.embeddings, VOCABULARY)


def make(tracks: int) -> Made:
    """A split of so many tracks, the same at each call."""
    rng = np.random.default_rng(0)
    labels = np.concatenate([_labels(tracks, *shares, rng) for shares in NOTIONS.values()], axis=1)
    centres = rng.normal(size=[labels.shape[1], DIM]).astype(np.float32)
    embeddings = unit_rows(np.maximum(labels @ centres + 2 * rng.normal(size=[tracks, DIM]), 0))
    excerpts = np.repeat(embeddings, EXCERPTS, axis=0) + rng.normal(0, 0.05, [tracks * EXCERPTS, DIM])
    scores = (labels + rng.normal(size=labels.shape)).astype(np.float32)
    contender = Contender(embeddings, scores, disentangled=True, excerpts=unit_rows(excerpts))
    excerpt_tracks = np.repeat(np.arange(tracks), EXCERPTS)
    questions = draw_questions(VOCABULARY, labels, excerpt_tracks)
    answers = collect_answers(VOCABULARY, labels, contender, questions, excerpt_tracks)
    nearest = neighbours(embeddings, max(KS) + 1)
    return Made(labels, contender, excerpt_tracks, questions, nearest, draw_weights(tracks), answers)


def _labels(tracks: int, tags: int, annotated: float, rng: np.random.Generator) -> np.ndarray:
    """bool [tracks, tags]: of a share of the tracks one tag each, in Zipf's proportions, and sometimes a second."""
    labels = np.zeros([tracks, tags], bool)
    for share in (1.0, 0.3):
        rows = np.flatnonzero(rng.random(tracks) < annotated * share)
        labels[rows, rng.choice(tags, len(rows), p=zipf(tags))] = True
    return labels


def parts_of(made: Made, folder: pathlib.Path) -> dict[str, Callable[[], object]]:
    """Part -> what does it."""
    labels, ours, asked = made.labels, made.contender, made.questions
    embeddings, scores = ours.embeddings, ours.scores
    assert scores is not None
    recall = made.answers.recall.astype(np.float64)
    ids = [f"TR{row:06d}" for row in range(len(labels))]

    def report() -> dict[str, Any]:
        fresh = dataclasses.replace(ours)  # of which nothing is computed yet
        return build_report("made up", VOCABULARY, labels, fresh, {}, questions=asked)

    known = report()
    maps = plots.map_spaces([str(i) for i in range(100)], embeddings[:100], {})

    def draw_all() -> None:
        plots.recall_curves(known, to_path(str(folder / "recall.png")))
        plots.leakage(np.array(known["system"]["leakage"]), VOCABULARY.notions, to_path(str(folder / "leakage.png")))
        plots.tsne(maps, labels, VOCABULARY, to_path(str(folder / "tsne.png")))

    return {
        "retrieval, 256 numbers (exact: N² d)": lambda: recall_at_k(embeddings, labels),
        "retrieval, a sub-space of 64 (exact)": lambda: recall_at_k(made.parts["mood"], labels),
        "intervals of R@1, 2, 4 and 8": lambda: [interval(column) for column in recall.T],
        "ROC-AUC and PR-AUC": lambda: (roc_auc(labels, scores), pr_auc(labels, scores)),
        "interval of the ROC-AUC": lambda: macro_roc_auc_interval(labels, scores),
        "drawing the triplets": lambda: draw_questions(VOCABULARY, labels, made.excerpt_tracks),
        "triplets and their intervals": lambda: _triplets(made),
        "leakage": lambda: leakage_matrix(made.parts, asked.notions),
        "a whole report": report,
        "collecting answers, neighbours known": lambda: collect_answers(
            VOCABULARY, labels, ours, asked, made.excerpt_tracks
        ),
        "writing answers.npz": lambda: save_answers(to_path(str(folder)), made.answers),
        "t-SNE of five spaces": lambda: plots.map_spaces(ids, embeddings, made.parts),
        "drawing the figures": draw_all,
        "compare: drawing 2 000 resamples": lambda: draw_weights(len(labels)),
        **{f"compare: {column}": functools.partial(_compared, made, column) for column in COLUMNS},
    }


def _triplets(made: Made) -> list[object]:
    ours, asked = made.contender, made.questions
    spaces = [(space, triplets) for n, triplets in asked.notions.items() for space in (ours.embeddings, made.parts[n])]
    spaces += [(ours.excerpts, asked.track)]  # type: ignore[list-item]
    return [interval(correct(space, triplets)) for space, triplets in spaces if triplets is not None]


def _compared(made: Made, column: str) -> object:
    nearest = {INNER_PRODUCT: made.nearest, COSINE: made.nearest}
    return resampled_figures(made.answers, VOCABULARY.notions, [column], made.weights, nearest)


def measured(parts: Mapping[str, Callable[[], object]]) -> dict[str, tuple[float, float]]:
    """Part -> seconds of processor time, and MB at its peak beyond what was there before; 0 where this is no Linux."""
    found = {}
    for name, do in parts.items():
        before, start = _reset_peak(), time.process_time()
        do()
        found[name] = (time.process_time() - start, (_status("VmHWM") - before) / 1024)
    return found


def _reset_peak() -> int:
    """Forgets the peak of this process' memory; what it holds now, in kB."""
    try:
        pathlib.Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return _status("VmHWM")
    return _status("VmRSS")


def _status(name: str) -> int:
    try:
        found = re.search(rf"{name}:\s+(\d+)", pathlib.Path("/proc/self/status").read_text())
    except OSError:
        return 0
    return int(found[1]) if found else 0


def exponent(small: float, large: float, factor: float) -> str:
    """Of growth, by what the same costs at `factor` times the size; nothing where it is too little to be told."""
    return f"{math.log(large / small) / math.log(factor):.2f}" if small > 0 and large > 0 else "–"


def print_table(found: Mapping[int, Mapping[str, tuple[float, float]]]) -> None:
    """A line a part."""
    sizes = sorted(found)
    heads = " | ".join(f"{size} tracks, s" for size in sizes)
    print(f"| part | {heads} | exponent | {sizes[0]} tracks, MB | {sizes[-1]} tracks, MB | exponent |")
    print(f"| --- |{' ---: |' * (len(sizes) + 4)}")
    factor = sizes[-1] / sizes[0]
    for name in found[sizes[-1]]:
        times, (small, *_, large) = zip(*(found[size][name] for size in sizes), strict=True)
        shown = " | ".join(f"{value:.2f}" for value in times)
        growth = exponent(times[0], times[-1], factor), exponent(small, large, factor) if large >= 50 else "–"
        print(f"| {name} | {shown} | {growth[0]} | {small:.0f} | {large:.0f} | {growth[1]} |", flush=True)


def rank_formula(labels: np.ndarray, scores: np.ndarray) -> float:
    """The macro ROC-AUC by the ranks of all scores (Mann-Whitney)."""
    positives = labels.sum(axis=0)
    pairs = positives * (len(labels) - positives)
    sums = (rankdata(scores, axis=0) * labels).sum(axis=0)
    return float(((sums - positives * (positives + 1) / 2) / pairs).mean())


def print_ratios(made: Made) -> None:
    """Retrieval over the product of the matrices alone, and the ROC-AUC's interval over ranking every resample."""
    labels, embeddings, scores = made.labels, made.contender.embeddings, made.contender.scores
    assert scores is not None
    common = labels.sum(axis=0) > 20  # in every resample
    labels, scores = labels[:, common], scores[:, common]
    block, few = np.empty([1024, len(embeddings)], np.float32), 10

    def product() -> None:
        for start in range(0, len(embeddings), 1024):
            rows = embeddings[start : start + 1024]
            np.matmul(rows, embeddings.T, out=block[: len(rows)])

    jobs: dict[str, Callable[[], object]] = {
        "retrieval": lambda: neighbours(embeddings, max(KS)),
        "product": product,
        "interval": lambda: macro_roc_auc_interval(labels, scores),
        "ranks": lambda: resampled(len(labels), lambda r: rank_formula(labels[r], scores[r]), samples=few),
    }
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(TURNS):
        for name, job in jobs.items():
            start = time.process_time()
            job()
            times[name].append(time.process_time() - start)
    ratio = statistics.median(a / b for a, b in zip(times["retrieval"], times["product"], strict=True))
    print(f"retrieval takes {ratio:.2f} times as long as the product of the matrices alone, in blocks")
    ratio = statistics.median(a / b for a, b in zip(times["ranks"], times["interval"], strict=True)) * 201 / (few + 1)
    print(f"ranking every one of 200 resamples takes {ratio:.1f} times as long as the interval of the ROC-AUC")


def main() -> None:
    parser = frame.parser(__doc__)
    parser.add_argument("--tracks", type=frame.positive, default=TRACKS)
    asked = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        measured({"first": parts_of(make(1000), pathlib.Path(folder))["a whole report"]})
        for size in (asked.tracks // 4, asked.tracks // 2, asked.tracks):
            made = make(size)
            found[size] = measured(parts_of(made, pathlib.Path(folder)))
            print(f"{size} tracks: {sum(seconds for seconds, _ in found[size].values()):.0f} s", flush=True)
    print_table(found)
    print_ratios(made)


if __name__ == "__main__":
    frame.run(main)
