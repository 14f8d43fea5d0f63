"""The numbers of a run beside its baselines: the structure of `report.json`.

    {"schema_version": 3, "run": name, "notions": {notion: [tag, …]}, "tracks": int, "tag_tracks": {tag: int},
     "system": contender, "baselines": {name: contender}, "ratios": {...},
     "training": {"epochs": int, "seconds_per_epoch": number, "seconds": number, "cpu_seconds_per_epoch": number,
                  "cpu_seconds": number} or null,
     "human": {"triplets": int, "votes": int, "whole": interval, "subspaces": {notion: interval},
               "inner_product": interval or null} or null,
     "undefined": {figure: reason}, "weights_sha256": checksum of the weights that were evaluated,
     "against": "labels" or "truth"}

    contender   recall          {k: interval}, whole space by inner product, all tags
                recall_notion   {notion: {k: interval}}, own sub-space if disentangled, that notion's tags
                roc_auc         interval, macro;  pr_auc  number, macro; in the tag's sub-space where there is one
                prototypes_whole                  {"roc_auc": interval, "pr_auc": number} of a triplet system by its
                                prototypes in the whole space; else null
                roc_auc_tag, pr_auc_tag           {tag: number or null};  roc_auc_notion  {notion: number or null}
                triplets        {notion: interval}, whole space by cosine;  triplets_subspace  in the sub-space
                triplets_track  interval, whole space by cosine, excerpts of one track against another's
                cosine, inner_product             {"recall", "recall_notion", "triplets", "triplets_track"} by each of
                                the two, where the embedding is not of unit norm and they differ; else null
                leakage         [[number]], row: sub-space, column: notion of the triplets;  leakage_gap  number
    ratios      {"recall_1_over_statistics": interval}, paired bootstrap over queries; a bound that is null is infinite
    interval    {"mean": number, "low": number, "high": number}, 95 %
    undefined   why a figure is null that the system could have had, on another test split: {"recall 8": "needs more
                than 8 tracks, the test split has 6", "triplets mood": …, "leakage mood": (a column), "tsne.png": …}.
                It is null for the baselines and under `cosine` and `inner_product`, too. Absent from older reports
    tag_tracks  how many test tracks carry each tag. Absent from older reports
    against     what is right: the labels of the test split, or the whole truth that the records keep beside them (in
                `<run>/truth/report.json`, by evaluate --truth). Absent from older reports, which are of labels

What a contender does not have (scores, sub-spaces) is null. Any number or interval may be null where it is undefined;
means over tags and notions are over those that are defined. Retrieval is by inner product, by which plain
classification collapses in the paper (section 5); triplets of tags, of tracks and of listeners are by its D, the cosine
(section 3.1), of every system.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfmir.errors import UserError
from tfmir.evaluation.bootstrap import Interval, interval, ratio_interval
from tfmir.evaluation.questions import LABELS, Questions, draw_questions
from tfmir.evaluation.retrieval import KS, neighbours, recall_at_k
from tfmir.evaluation.tagging import macro_roc_auc_interval, pr_auc, roc_auc
from tfmir.evaluation.triplets import correct, leakage_gap, leakage_matrix
from tfmir.evaluation.undefined import undefined_figures
from tfmir.inference.subspaces import subspace_embeddings, unit_rows
from tfmir.vocabulary import Vocabulary

SCHEMA_VERSION = 3
STATISTICS = "statistics"


@dataclasses.dataclass(frozen=True)
class Contender:
    """Something that embeds the test tracks and perhaps scores their tags.

    Attributes:
      embeddings: float32 [tracks, dim].
      scores: float32 [tracks, tags].
      prototype_scores: float32 [tracks, tags], by prototypes in the whole space.
      disentangled: whether it has a sub-space for each notion.
      normalized: whether its embeddings have unit norm, so that inner product and cosine are one.
      excerpts: float32 [excerpts, dim].
    """

    embeddings: np.ndarray
    scores: np.ndarray | None
    disentangled: bool = False
    normalized: bool = True
    excerpts: np.ndarray | None = None
    prototype_scores: np.ndarray | None = None

    @functools.cached_property
    def nearest(self) -> np.ndarray:
        """int64 [tracks, k], what `neighbours` gives for the largest k that retrieval asks for and the split has.

        The search takes tracks² · dim steps, more than all else: it is done once for all labels, and for the answers.
        """
        return neighbours(self.embeddings, min(max(KS), len(self.embeddings) - 1))

    @functools.cached_property
    def by_cosine(self) -> Contender:
        """The same with embeddings of unit norm; itself if they are."""
        if self.normalized:
            return self
        excerpts = None if self.excerpts is None else unit_rows(self.excerpts)
        return dataclasses.replace(self, embeddings=unit_rows(self.embeddings), excerpts=excerpts, normalized=True)


def build_report(
    name: str,
    vocabulary: Vocabulary,
    labels: np.ndarray,
    system: Contender,
    baselines: Mapping[str, Contender],
    *,
    questions: Questions | None = None,
    against: str = LABELS,
    seed: int = 0,
) -> dict[str, Any]:
    """All figures of the system and of its baselines on the same tracks, triplets and resamples.

    Args:
      name: name of the run.
      vocabulary: tags and notions.
      labels: bool [tracks, tags] of the test split.
      system: what the run has learnt.
      baselines: name -> what it must beat.
      questions: the triplets to predict; None draws some, without those of tracks.
      against: what `labels` are: LABELS or TRUTH.
      seed: seed of triplets and bootstrap.

    Returns:
      The structure of this module's docstring; JSON types only.

    Raises:
      UserError: there are no tracks.
    """
    if not len(labels):
        raise UserError("the test split has no tracks: there is nothing to evaluate")
    questions = questions or draw_questions(vocabulary, labels, np.arange(len(labels)), seed=seed)
    statistics = baselines.get(STATISTICS)
    report = {
        "schema_version": SCHEMA_VERSION,
        "run": name,
        "notions": vocabulary.to_dict(),
        "tracks": len(labels),
        "tag_tracks": dict(zip(vocabulary.tags, labels.sum(axis=0).tolist(), strict=True)),
        "system": _figures(vocabulary, labels, system, questions, seed),
        "baselines": {key: _figures(vocabulary, labels, c, questions, seed) for key, c in baselines.items()},
        "ratios": {"recall_1_over_statistics": _ratio(labels, system, statistics, seed)} if statistics else {},
        "training": None,
        "human": None,
        "against": against,
    }
    undefined = undefined_figures(report, vocabulary, labels, with_excerpts=system.excerpts is not None)
    return {**report, "undefined": undefined}


def _figures(
    vocabulary: Vocabulary, labels: np.ndarray, contender: Contender, questions: Questions, seed: int
) -> dict[str, Any]:
    by_product = _by_similarity(vocabulary, labels, contender, questions, seed)
    by_cosine = by_product
    if not contender.normalized:
        by_cosine = _by_similarity(vocabulary, labels, contender.by_cosine, questions, seed)
    parts = subspace_embeddings(contender.embeddings, vocabulary) if contender.disentangled else None
    matrix = leakage_matrix(parts, questions.notions) if parts else None
    own = {n: _accuracy(parts[n], t, seed) for n, t in questions.notions.items()} if parts else None
    return {
        "recall": by_product["recall"],
        "recall_notion": by_product["recall_notion"],
        **_tagging(vocabulary, labels, contender.scores, seed),
        "prototypes_whole": _areas(labels, contender.prototype_scores, seed),
        "triplets": by_cosine["triplets"],
        "triplets_subspace": own,
        "triplets_track": by_cosine["triplets_track"],
        "cosine": None if contender.normalized else by_cosine,
        "inner_product": None if contender.normalized else by_product,
        "leakage": None if matrix is None else [[_number(share) for share in row] for row in matrix],
        "leakage_gap": None if matrix is None else _number(leakage_gap(matrix)),
    }


def _by_similarity(
    vocabulary: Vocabulary, labels: np.ndarray, contender: Contender, questions: Questions, seed: int
) -> dict[str, Any]:
    """All that depends on how two embeddings are compared: by their inner product."""
    whole = contender.embeddings
    parts = subspace_embeddings(whole, vocabulary) if contender.disentangled else {}
    spaces = {n: Contender(parts[n], None) if parts else contender for n in vocabulary.notions}
    return {
        "recall": _recall(contender, labels, seed),
        "recall_notion": {n: _recall(space, labels[:, vocabulary.tags_of(n)], seed) for n, space in spaces.items()},
        "triplets": {notion: _accuracy(whole, triplets, seed) for notion, triplets in questions.notions.items()},
        "triplets_track": _accuracy(contender.excerpts, questions.track, seed),
    }


def _accuracy(embeddings: np.ndarray | None, triplets: np.ndarray | None, seed: int) -> Any:
    if embeddings is None or triplets is None:
        return None
    return _json(interval(correct(embeddings, triplets), seed=seed))


def _recall(space: Contender, labels: np.ndarray, seed: int) -> dict[str, Any]:
    ks = _defined_ks(labels)
    values = recall_at_k(space.embeddings, labels, ks=ks, nearest=space.nearest) if ks else np.empty([0, 0])
    found = {k: _json(interval(values[:, column], seed=seed)) for column, k in enumerate(ks)}
    return {str(k): found.get(k) for k in KS}


def _defined_ks(labels: np.ndarray) -> list[int]:
    """Numbers of neighbours that a split has, which needs a track with a tag to ask for them."""
    return [k for k in KS if k < len(labels) and labels.any()]


def _ratio(labels: np.ndarray, ours: Contender, theirs: Contender, seed: int) -> Any:
    """R@1 of one over that of the other; None where they are not defined, or the other's is 0."""
    if 1 not in _defined_ks(labels):
        return None
    a, b = (recall_at_k(c.embeddings, labels, ks=(1,), nearest=c.nearest)[:, 0] for c in (ours, theirs))
    return _json(ratio_interval(a, b, seed=seed)) if b.any() else None


def _tagging(vocabulary: Vocabulary, labels: np.ndarray, scores: np.ndarray | None, seed: int) -> dict[str, Any]:
    names = ("roc_auc", "pr_auc", "roc_auc_tag", "pr_auc_tag", "roc_auc_notion")
    if scores is None:
        return dict.fromkeys(names)
    roc, pr = roc_auc(labels, scores), pr_auc(labels, scores)
    by_notion = {notion: _mean(roc[vocabulary.tags_of(notion)]) for notion in vocabulary.notions}
    figures: tuple[Any, ...] = (
        _macro(labels, scores, roc, seed),
        _mean(pr),
        dict(zip(vocabulary.tags, map(_number, roc), strict=True)),
        dict(zip(vocabulary.tags, map(_number, pr), strict=True)),
        by_notion,
    )
    return dict(zip(names, figures, strict=True))


def _areas(labels: np.ndarray, scores: np.ndarray | None, seed: int) -> dict[str, Any] | None:
    if scores is None:
        return None
    macro = _macro(labels, scores, roc_auc(labels, scores), seed)
    return {"roc_auc": macro, "pr_auc": _mean(pr_auc(labels, scores))}


def _macro(labels: np.ndarray, scores: np.ndarray, roc: np.ndarray, seed: int) -> dict[str, float | None] | None:
    macro = macro_roc_auc_interval(labels, scores, seed=seed)
    return _json(macro) | {"mean": _mean(roc)} if macro else None


def _mean(values: np.ndarray) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else None


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _json(value: Interval) -> dict[str, float | None]:
    return {name: _number(number) for name, number in dataclasses.asdict(value).items()}
