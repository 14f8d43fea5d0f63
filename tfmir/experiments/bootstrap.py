"""The figures of a run on resampled test tracks: every system and seed is asked on the same resamples.

A resample draws as many tracks as there are, with repetition. A track that is drawn w times counts w times as a row of
the ROC-AUC (`evaluation/tagging.py`).

A triplet has three tracks, and its figure is linear in their weights. With answers v, 0 or 1, to n triplets and their
mean m it is the first-order (Hájek) form of a U-statistic:

    m + Σ_t (w_t - 1) I_t,   I_t = Σ (v_i - m) / n over the triplets i in which track t is anchor, positive or negative

(once where it is anchor and positive, as in triplets of excerpts). Its variance over the resamples is Σ I_t². That the
n triplets were drawn is chance, too, of variance Σ (v_i - m)² / n². Each of the three tracks brings it along, so it is
counted three times, 2 Σ (v_i - m)² / n² too much, which is not taken off. The product of the three weights in the place
of their sum would count it seven times.

R@k is linear, too. With outcomes r of n queries and their mean m, track t has the part (r_t - m) / n as a query. As one
of the k nearest of other queries its part is what R@k loses without it, where the next nearest takes its place: that of
the jackknife, which errs on the wide side (B. Efron and C. Stein, "The jackknife estimate of variance", 1981).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from tfmir.evaluation.answers import Answers
from tfmir.evaluation.retrieval import KS
from tfmir.evaluation.tagging import macro_auc
from tfmir.experiments.columns import SUBSPACES, TRIPLETS, WHOLE_SPACE

SAMPLES = 2000
INNER_PRODUCT, COSINE = "", " by cosine"  # what the columns of R@k end with
_BLOCK = 64  # resamples at a time: the weights of 2 000 tracks stay in the cache


def draw_weights(tracks: int, *, samples: int = SAMPLES, seed: int = 0) -> np.ndarray:
    """uint8 [tracks, samples]: how often each track is drawn in each resample.

    >>> draw_weights(4, samples=3).sum(axis=0).tolist()
    [4, 4, 4]
    """
    rng, share = np.random.default_rng(seed), np.full(tracks, 1 / tracks)
    # Made room for once: between blocks of 64-bit numbers, small arrays would leave holes of half a GB.
    drawn = np.empty([tracks, samples], np.uint8, order="F")
    for start in range(0, samples, _BLOCK):
        drawn[:, start : start + _BLOCK] = rng.multinomial(tracks, share, min(_BLOCK, samples - start)).T
    return drawn


def resampled_figures(
    answers: Answers,
    notions: Sequence[str],
    columns: Iterable[str],
    weights: np.ndarray,
    neighbours: Mapping[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """Columns of a comparison under each resample.

    Args:
      answers: those of a run.
      notions: in order.
      columns: the columns that are wanted.
      weights: uint8 [tracks, samples], as `draw_weights` gives.
      neighbours: of `INNER_PRODUCT` and `COSINE`, int [tracks, more than the largest k], the nearest tracks of each;
        where a split has too few, all others.

    Returns:
      Column -> float64 [samples], NaN where a resample does not define it; without the columns that the answers do not
      tell, such as times.
    """
    figures = _figures(answers, neighbours)
    wanted = {name: parts for name in columns if (parts := _parts(name, notions, figures))}
    asked = dict.fromkeys(part for parts in wanted.values() for part in parts if part in figures)
    known = {part: figures[part](weights) for part in asked}
    return {
        name: np.mean([known[part] for part in parts], axis=0)
        for name, parts in wanted.items()
        if all(part in known for part in parts)
    }


# Name -> what makes float64 [samples] of weights, uint8 [tracks, samples].
_Figures = dict[str, Callable[[np.ndarray], np.ndarray]]


def _figures(answers: Answers, neighbours: Mapping[str, np.ndarray]) -> _Figures:
    """Everything that the answers tell."""
    by_cosine = answers.recall if answers.recall_by_cosine is None else answers.recall_by_cosine
    recalls = {INNER_PRODUCT: answers.recall, COSINE: by_cosine}
    found: _Figures = {
        f"R@{k}{similarity}": functools.partial(_of_queries, recall[:, i], answers, neighbours[similarity], k)
        for similarity, recall in recalls.items()
        for i, k in enumerate(KS)
        if len(recall) and not np.isnan(recall[:, i]).any()
    }
    for name, right in answers.correct.items():
        found[name] = functools.partial(_of_triplets, right, answers.triplets[name])
    if answers.scores is not None:
        found["auc"] = functools.partial(macro_auc, answers.labels, answers.scores)
    return found


def _parts(column: str, notions: Sequence[str], figures: _Figures) -> list[str]:
    """What a column is the mean of: names of figures; empty for a column that is none of them."""
    spaces = {"whole space": "whole", "sub-space": "subspace"}
    means = {WHOLE_SPACE: "whole", SUBSPACES: "subspace"}
    means[TRIPLETS] = "subspace" if any(name.startswith("subspace/") for name in figures) else "whole"
    if column in means:
        return [f"{means[column]}/{notion}" for notion in notions]
    if column == "ROC-AUC":
        return ["auc"]
    of_notion = {f"{notion} {space}": f"{key}/{notion}" for notion in notions for space, key in spaces.items()}
    return [of_notion.get(column, column)] if of_notion.get(column, column) in figures else []


def _of_queries(
    recall: np.ndarray, answers: Answers, neighbours: np.ndarray, k: int, weights: np.ndarray
) -> np.ndarray:
    """float64 [samples]: m + Σ_t (w_t - 1) I_t for R@k, float32 [queries]."""
    queries, nearest = answers.queries, neighbours[answers.queries, : k + 1]
    influence = np.bincount(queries, (recall - recall.mean()) / len(recall), len(weights))
    wanted = answers.labels[queries]
    found = answers.labels[nearest] & wanted[:, np.newaxis]  # [queries, k + 1, tags]
    times, sizes = found.sum(axis=1), wanted.sum(axis=1)
    for rank in range(min(k, nearest.shape[1])):
        without = (times > found[:, rank]).sum(axis=1) / sizes
        influence += np.bincount(nearest[:, rank], (recall - without) / len(recall), len(weights))
    return _linear(float(recall.mean()), influence, weights)


def _of_triplets(right: np.ndarray, triplets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """float64 [samples]: m + Σ_t (w_t - 1) I_t for the answers to triplets, bool [count]."""
    anchors, positives, negatives = triplets.T
    parts = (right - right.mean()) / len(right)
    roles = [(anchors, parts), (positives, parts * (positives != anchors)), (negatives, parts)]
    influence = np.sum([np.bincount(tracks, values, len(weights)) for tracks, values in roles], axis=0)
    return _linear(float(right.mean()), influence, weights)


def _linear(mean: float, influence: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """float64 [samples]: m + Σ_t (w_t - 1) I_t, of which Σ_t (w_t - 1) is 0."""
    values, found = (influence - influence.mean()).astype(np.float32), []
    for start in range(0, weights.shape[1], _BLOCK):
        found.append(values @ weights[:, start : start + _BLOCK].astype(np.float32))
    return mean + np.concatenate(found).astype(np.float64)
