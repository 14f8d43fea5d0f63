"""What a run answered to every single question of an evaluation: `answers.npz`, from which comparisons resample.

    queries            int32 [queries], track numbers of the tracks that carry a tag
    recall             float32 [queries, 4], R@1, 2, 4 and 8 by inner product; NaN where a split has too few tracks
    recall_by_cosine   the same by cosine; only where the embedding is not of unit norm
    labels, scores     bool and float32 [tracks, tags]; scores only where the system has them
    correct/<name>     bool [count], whether a triplet was predicted
    triplets/<name>    int32 [count, 3], track numbers of its anchor, positive and negative

Names are `whole/<notion>` and `subspace/<notion>`, and `track` for triplets of excerpts; triplets are by cosine. What
cannot be asked on a split is not there. In the file track numbers are of the smallest type that holds them, and a
sub-space's triplets, the same as the whole space's, stand there once.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfmir import files
from tfmir.errors import UserError
from tfmir.evaluation.questions import Questions
from tfmir.evaluation.report import Contender
from tfmir.evaluation.retrieval import KS, recall_at_k
from tfmir.evaluation.triplets import correct
from tfmir.inference.subspaces import subspace_embeddings
from tfmir.vocabulary import Vocabulary

ANSWERS = "answers.npz"


@dataclasses.dataclass(frozen=True)
class Answers:
    """The arrays of this module's docstring; `correct` and `triplets` have the same names."""

    queries: np.ndarray
    recall: np.ndarray
    labels: np.ndarray
    correct: dict[str, np.ndarray]
    triplets: dict[str, np.ndarray]
    scores: np.ndarray | None = None
    recall_by_cosine: np.ndarray | None = None


def collect_answers(
    vocabulary: Vocabulary,
    labels: np.ndarray,
    contender: Contender,
    questions: Questions,
    excerpt_tracks: np.ndarray | None = None,
) -> Answers:
    """What a contender answers to every question.

    Args:
      vocabulary: tags and notions.
      labels: bool [tracks, tags].
      contender: what is asked.
      questions: the triplets.
      excerpt_tracks: int [excerpts], the track of each excerpt; None: there are no triplets of excerpts.
    """
    whole, excerpts = contender.by_cosine.embeddings, contender.by_cosine.excerpts
    parts = subspace_embeddings(whole, vocabulary) if contender.disentangled else {}
    asked = {f"whole/{n}": (whole, triplets) for n, triplets in questions.notions.items()}
    asked |= {f"subspace/{n}": (part, questions.notions[n]) for n, part in parts.items()}
    found = {name: (correct(space, t), t) for name, (space, t) in asked.items() if t is not None}
    if excerpts is not None and excerpt_tracks is not None and questions.track is not None:
        found["track"] = (correct(excerpts, questions.track), excerpt_tracks[questions.track])
    return Answers(
        queries=np.flatnonzero(labels.any(axis=1)).astype(np.int32),
        recall=_recall(contender, labels),
        labels=labels,
        correct={name: right for name, (right, _) in found.items()},
        triplets={name: triplets.astype(np.int32) for name, (_, triplets) in found.items()},
        scores=None if contender.scores is None else contender.scores.astype(np.float32),
        recall_by_cosine=None if contender.normalized else _recall(contender.by_cosine, labels),
    )


def save_answers(folder: files.Path, answers: Answers) -> None:
    """Writes `answers.npz` into a folder, compressed."""
    arrays = {"queries": answers.queries, "recall": answers.recall, "labels": answers.labels}
    some = {"scores": answers.scores, "recall_by_cosine": answers.recall_by_cosine}
    arrays |= {name: array for name, array in some.items() if array is not None}
    arrays |= {f"correct/{name}": right for name, right in answers.correct.items()}
    numbers = np.min_scalar_type(len(answers.labels))
    arrays |= {f"triplets/{_asked_as(name)}": t.astype(numbers) for name, t in answers.triplets.items()}
    with files.replacing(folder / ANSWERS) as temporary:
        np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]


def load_answers(folder: files.Path) -> Answers:
    """What `save_answers` has written into a folder.

    Raises:
      UserError: it is not there, or damaged.
    """
    path = folder / ANSWERS
    stored = files.read_arrays(path)
    right = _below("correct/", stored or {})
    needed = {"queries", "recall", "labels", *(f"triplets/{_asked_as(name)}" for name in right)}
    if stored is None or not needed <= set(stored):
        raise UserError(f"{path}: not there, or no answers: remove report.json beside it, and both are made again")
    triplets = {name: array.astype(np.int32) for name, array in _below("triplets/", stored).items()}
    return Answers(
        queries=stored["queries"],
        recall=stored["recall"],
        labels=stored["labels"],
        correct=right,
        triplets={name: triplets[_asked_as(name)] for name in right},
        scores=stored.get("scores"),
        recall_by_cosine=stored.get("recall_by_cosine"),
    )


def _asked_as(name: str) -> str:
    """The name under which the triplets of a name stand in the file."""
    return f"whole/{name.removeprefix('subspace/')}" if name.startswith("subspace/") else name


def _below(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _recall(contender: Contender, labels: np.ndarray) -> np.ndarray:
    """float32 [queries, KS]; NaN at the numbers of neighbours that the split does not have."""
    found = np.full([int(labels.any(axis=1).sum()), len(KS)], np.nan, np.float32)
    ks = [k for k in KS if k < len(labels)]
    if len(found) and ks:
        found[:, : len(ks)] = recall_at_k(contender.embeddings, labels, ks=ks, nearest=contender.nearest)
    return found
