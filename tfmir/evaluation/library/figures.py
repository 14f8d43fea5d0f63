"""The numbers of a run on the songs of a library: the structure of `library/<name>/report.json`.

    {"schema_version": 1, "run": name, "library": path, "kind": "folder", "embeddings" or "records",
     "annotations": path or word, "by": "tags" or column,…, "songs": int, "labels": {column: {label: songs}},
     "artists": int or null, "tags": {"only_run": [tag], "only_library": [tag]} or null,
     "missing": int, "rejected": [[path, reason]], "trained": {"songs": int, "by": "sound" or "id", "same_id": int,
     "tracks": int} or null,
     "system": {space: figures}, "baselines": {"statistics": figures, "chance": figures}, "ratios": {…},
     "undefined": {figure: reason}, "weights_sha256": checksum of the weights that were evaluated}

    space       "whole" and the run's notions, by cosine; "inner_product": the whole space by inner product, where the
                embedding is not of unit norm. Statistics have the whole space alone. Chance is what is to be expected
                of neighbours drawn at random, computed and not drawn; of triplets one half
    figures     queries         int, songs that share a label with another: those that recall is about
                recall          {k: interval} of all labels
                recall_column   {column: {k: interval}} of the labels of one
                triplets        {column: interval}: anchor and positive share a label of it that the negative lacks
                other_artists   the four again, of songs of other artists alone: those of the query's or the anchor's
                                own are neither found nor asked about; null where no artist is known. A song without an
                                artist is one of its own
    labels      of a column, with the number of songs that carry each: by tags the columns are notions
    artists     how many there are, null where none is known
    missing     songs of the annotations that are not in the library
    rejected    songs that cannot be decoded
    trained     songs that are of the run's training split, known by their sound, or by their id where no audio was
                heard; how many more have such an id and another sound; tracks of that split. Null where the run's
                records are no longer where they were. Absent from older reports
    ratios      {"recall_1_over_statistics": interval, "recall_1_over_statistics_other_artists": interval} of the whole
                space, paired bootstrap over queries
    interval    {"mean": number, "low": number, "high": number}, 95 %, over queries, and over anchors of triplets
    undefined   why a figure is null: {"recall 8": "needs more than 8 songs, there are 6", …}, the same for all spaces

A label that one song alone carries is asked about by nobody; a song without a label is a neighbour, and no query.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from tqdm import tqdm

from tfmir.evaluation.bootstrap import Interval, interval, ratio_interval, resampled
from tfmir.evaluation.library.apart import chance_apart, draw_apart, neighbours_apart, recall_apart, wanted_labels
from tfmir.evaluation.library.labels import Labels
from tfmir.evaluation.report import STATISTICS
from tfmir.evaluation.retrieval import KS
from tfmir.evaluation.triplets import correct

SCHEMA_VERSION = 1
WHOLE, BY_PRODUCT, CHANCE = "whole", "inner_product", "chance"
RATIO, OTHERS = "recall_1_over_statistics", "other_artists"
_LARGEST = max(KS)


@dataclasses.dataclass(frozen=True)
class _Asked:
    """What every space is asked, of songs in groups.

    Attributes:
      groups: int [songs], of which a song's own is left out.
      others: what the songs that are asked about are called.
      triplets: column -> int [count, 3] or None.
      wanted: column -> bool [songs, labels]; all of them under "".
    """

    groups: np.ndarray
    others: str
    triplets: Mapping[str, np.ndarray | None]
    wanted: Mapping[str, np.ndarray]


def build_figures(
    labels: Labels,
    artists: np.ndarray | None,
    system: Mapping[str, np.ndarray],
    baselines: Mapping[str, np.ndarray | None],
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """The fields `system`, `baselines`, `ratios` and `undefined` of a report.

    Args:
      labels: of the songs, of which there is one at least.
      artists: int [songs], a number for each artist; None where none is known.
      system: space -> float32 [songs, dim], compared by inner product.
      baselines: name -> the same; None for chance.
      seed: of triplets and bootstrap.
    """
    asked = [_ask(labels, np.arange(len(labels.every)), "songs", seed)]
    asked += [] if artists is None else [_ask(labels, artists, "songs of different artists", seed)]
    with tqdm(total=(len(system) + len(baselines)) * len(asked), desc="ask", unit="space", mininterval=1.0) as bar:

        def answered(embeddings: np.ndarray | None) -> list[_Answers]:
            answers = []
            for of in asked:
                answers.append(_answered(labels, of, embeddings, seed))
                bar.update()
            return answers

        found = {space: answered(embeddings) for space, embeddings in system.items()}
        others = {name: answered(embeddings) for name, embeddings in baselines.items()}
    ratios = {}
    if STATISTICS in baselines:
        for name, ours, theirs in zip((RATIO, f"{RATIO}_{OTHERS}"), found[WHOLE], others[STATISTICS], strict=False):
            ratios[name] = _ratio(ours.first, theirs.first, seed)
    report = {
        "system": {space: _joined(of) for space, of in found.items()},
        "baselines": {name: _joined(of) for name, of in others.items()},
        "ratios": ratios,
    }
    return {**report, "undefined": dict(_undefined(report, labels, asked))}


def _ask(labels: Labels, groups: np.ndarray, others: str, seed: int) -> _Asked:
    wanted = {column: wanted_labels(of, groups) for column, of in {"": labels.every, **labels.carried}.items()}
    triplets = {column: draw_apart(of, groups, seed=seed) for column, of in labels.carried.items()}
    return _Asked(groups, others, triplets, wanted)


@dataclasses.dataclass(frozen=True)
class _Answers:
    """The figures of one space, and R@1 of each query float64 [queries], empty where it is not defined."""

    figures: dict[str, Any]
    first: np.ndarray


def _answered(labels: Labels, asked: _Asked, embeddings: np.ndarray | None, seed: int) -> _Answers:
    ks = [k for k in KS if k < len(asked.groups)]
    nearest = None if embeddings is None else neighbours_apart(embeddings, asked.groups, _LARGEST)

    def recall(carried: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        if not ks:
            return np.empty([0, 0])
        if nearest is None:
            return chance_apart(carried, asked.groups, wanted, ks=ks)
        return recall_apart(nearest, carried, wanted, ks=ks)

    whole = recall(labels.every, asked.wanted[""])
    by_column = {column: recall(of, asked.wanted[column]) for column, of in labels.carried.items()}
    figures = {
        "queries": int(asked.wanted[""].any(axis=1).sum()),
        "recall": _intervals(whole, ks, seed),
        "recall_column": {column: _intervals(of, ks, seed) for column, of in by_column.items()},
        "triplets": {column: _accuracy(embeddings, of, seed) for column, of in asked.triplets.items()},
    }
    return _Answers(figures, whole[:, 0] if ks else np.empty(0))


def _intervals(values: np.ndarray, ks: list[int], seed: int) -> dict[str, Any]:
    found = {k: _json(interval(values[:, column], seed=seed)) for column, k in enumerate(ks)} if len(values) else {}
    return {str(k): found.get(k) for k in KS}


def _accuracy(embeddings: np.ndarray | None, triplets: np.ndarray | None, seed: int) -> Any:
    """The share of the triplets; resampled by anchor: those of one song are no independent witnesses."""
    if triplets is None:
        return None
    if embeddings is None:
        return _json(Interval(0.5, 0.5, 0.5))
    right = np.bincount(triplets[:, 0], correct(embeddings, triplets))
    asked = np.bincount(triplets[:, 0])
    right, asked = right[asked > 0], asked[asked > 0]
    return _json(resampled(len(asked), lambda rows: right[rows].sum() / asked[rows].sum(), seed=seed))


def _ratio(ours: np.ndarray, theirs: np.ndarray, seed: int) -> Any:
    return _json(ratio_interval(ours, theirs, seed=seed)) if theirs.any() else None


def _joined(answers: list[_Answers]) -> dict[str, Any]:
    """Figures of all songs, and those of other artists' below them."""
    return {**answers[0].figures, OTHERS: answers[1].figures if len(answers) > 1 else None}


def _undefined(report: Mapping[str, Any], labels: Labels, asked: list[_Asked]) -> Iterator[tuple[str, str]]:
    """Name and reason of every figure that is null: which, does not depend on the space."""
    figures = report["system"][WHOLE]
    songs = len(labels.every)
    for prefix, found, of in zip(("", f"{OTHERS} "), (figures, figures[OTHERS]), asked, strict=False):
        rows = {"": found["recall"], **found["recall_column"]}
        for column, by_k in rows.items():
            share = f"no two {of.others} share a label{f' of {column}' if column else ''}"
            for k in [k for k, value in by_k.items() if value is None]:
                name = f"{prefix}recall_column {column} {k}" if column else f"{prefix}recall {k}"
                yield name, f"needs more than {k} songs, there are {songs}" if songs <= int(k) else share
        for column in [column for column, value in found["triplets"].items() if value is None]:
            yield f"{prefix}triplets {column}", f"no label of {column} that two {of.others} share and another lacks"
    if len(asked) == 1:
        yield OTHERS, "no artist is known"
    for name in [name for name, value in report["ratios"].items() if value is None]:
        yield name, "the R@1 of statistics is 0, or not defined"


def _json(value: Interval) -> dict[str, float | None]:
    return {name: number if math.isfinite(number) else None for name, number in dataclasses.asdict(value).items()}
