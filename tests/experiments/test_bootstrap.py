"""Every figure under weights against the same figure of rows that are really repeated."""

import dataclasses
import time

import numpy as np
import pytest

from tfmir.evaluation.answers import Answers
from tfmir.evaluation.retrieval import KS, neighbours, recall_at_k
from tfmir.experiments.bootstrap import COSINE, INNER_PRODUCT, draw_weights, resampled_figures

NOTIONS = ("genre", "mood")
TRACKS, SAMPLES = 60, 70  # more resamples than are taken at a time


@pytest.fixture(scope="module")
def weights():
    return draw_weights(TRACKS, samples=SAMPLES, seed=3)


@pytest.fixture(scope="module")
def answers():
    """Scores are of few values, so that many are tied; one tag is carried by one track, one by all, one by nobody."""
    rng = np.random.default_rng(0)
    labels = rng.random([TRACKS, 6]) < [0.3, 0.6, 0.1, 0, 1, 0]
    labels[7, 3] = True
    labels[5] = [False, False, False, False, True, False]
    names = [f"{space}/{notion}" for space in ("whole", "subspace") for notion in NOTIONS] + ["track"]
    queries = np.flatnonzero(labels.any(axis=1))
    triplets = {name: rng.permuted(np.tile(np.arange(TRACKS), [200, 1]), axis=1)[:, :3] for name in names}
    triplets["track"][:, 1] = triplets["track"][:, 0]
    return Answers(
        queries=queries,
        recall=rng.random([len(queries), 4]).astype(np.float32),
        labels=labels,
        correct={name: rng.random(200) < 0.7 for name in names},
        triplets=triplets,
        scores=(rng.integers(0, 5, [TRACKS, 6]) + labels).astype(np.float32),
        recall_by_cosine=rng.random([len(queries), 4]).astype(np.float32),
    )


@pytest.fixture(scope="module")
def embeddings():
    return np.random.default_rng(1).random([TRACKS, 8], np.float32)


@pytest.fixture(scope="module")
def nearest(embeddings):
    return dict.fromkeys((INNER_PRODUCT, COSINE), neighbours(embeddings, 9))


def repeated(weights, sample):
    """Track numbers, each as often as it is drawn."""
    return np.repeat(np.arange(TRACKS), weights[:, sample])


def test_as_many_tracks_are_drawn_as_there_are_each_as_often_as_the_others(weights):
    assert (weights.sum(axis=0) == TRACKS).all()
    assert draw_weights(TRACKS, samples=SAMPLES, seed=3).tolist() == weights.tolist()
    many = draw_weights(20, samples=4000)
    np.testing.assert_allclose(many.mean(axis=1), 1.0, atol=0.06)
    np.testing.assert_allclose(many.var(axis=1), 1 - 1 / 20, rtol=0.1)  # of a binomial draw


def test_triplets_are_weighted_by_the_sum_of_their_tracks(answers, weights, nearest):
    columns = ["genre whole space", "mood sub-space", "track"]
    columns += ["mean of sub-spaces", "triplets", "mean of whole space"]
    found = resampled_figures(answers, NOTIONS, columns, weights, nearest)
    assert set(found) == set(columns)

    def of_triplets(name, sample):
        right, triplets = answers.correct[name], answers.triplets[name]
        more = [sum(weights[track, sample] - 1.0 for track in set(triplet)) for triplet in triplets.tolist()]
        return right.mean() + np.mean((right - right.mean()) * more)

    for sample in (0, SAMPLES - 1):
        shares = {name: of_triplets(name, sample) for name in answers.correct}
        expected = {
            "genre whole space": shares["whole/genre"],
            "mood sub-space": shares["subspace/mood"],
            "track": shares["track"],
            "mean of sub-spaces": (shares["subspace/genre"] + shares["subspace/mood"]) / 2,
            "triplets": (shares["subspace/genre"] + shares["subspace/mood"]) / 2,
            "mean of whole space": (shares["whole/genre"] + shares["whole/mood"]) / 2,
        }
        assert {name: figures[sample] for name, figures in found.items()} == pytest.approx(expected, abs=1e-6)


def test_a_track_counts_in_retrieval_as_a_query_and_by_what_it_is_to_others(answers, embeddings, nearest):
    """Taken out of the library, but not of the queries, each track changes R@k by what the formula says."""
    queries = np.flatnonzero(answers.labels.any(axis=1))
    recall = recall_at_k(embeddings, answers.labels)
    asked = dataclasses.replace(answers, queries=queries, recall=recall, recall_by_cosine=None)
    drawn = np.ones([TRACKS, TRACKS], np.uint8) - np.eye(TRACKS, dtype=np.uint8)  # each is left out once
    found = resampled_figures(asked, NOTIONS, ["R@1", "R@8", "R@8 by cosine"], drawn, nearest)
    similarity = embeddings @ embeddings.T - 99 * np.eye(TRACKS)
    for column, k in (("R@1", 1), ("R@8", 8), ("R@8 by cosine", 8)):
        of_queries = recall[:, KS.index(k)]
        parts = np.zeros(TRACKS)
        parts[queries] = (of_queries - of_queries.mean()) / len(queries)
        for track in range(TRACKS):
            without = similarity.copy()
            without[:, track] = -np.inf
            kept = np.argsort(-without, axis=1)[queries, :k]
            wanted = answers.labels[queries]
            now = (wanted & answers.labels[kept].any(axis=1)).sum(axis=1) / wanted.sum(axis=1)
            mine = queries != track  # a track is not its own neighbour
            parts[track] += ((of_queries - now) * mine).sum() / len(queries)
        # One of the weights is 0 and the others are 1: their sum is not that of a draw, so means are taken off.
        expected = of_queries.mean() - (parts - parts.mean())
        np.testing.assert_allclose(found[column], expected, atol=1e-6)


def test_triplets_by_hand(answers, nearest):
    """Right, wrong, right, wrong: each is an eighth more or less. Track 0 is in the first and the second (twice there,
    once counted), which cancel; 1 in the first and the third, +1/4; 2 in the first three, +1/8; 3 in the last two, 0;
    4 in the last, -1/8. Drawn 0, 3, 1, 0 and 1 times: 1/2 + 2/4."""
    triplets = np.array([[0, 1, 2], [0, 0, 2], [1, 3, 2], [4, 4, 3]])
    right = {"track": np.array([True, False, True, False])}
    asked = dataclasses.replace(answers, correct=right, triplets={"track": triplets})
    drawn = np.array([[0, 3, 1, 0, 1], [1, 1, 1, 1, 1], [1, 1, 1, 0, 2]], np.uint8).T
    assert resampled_figures(asked, NOTIONS, ["track"], drawn, nearest)["track"] == pytest.approx(
        [1.0, 0.5, 0.375], abs=1e-6
    )


def test_columns_that_the_answers_do_not_tell_are_left_out(answers, weights, nearest):
    """No sub-spaces, no scores, no notion with triplets but one; times and votes never."""
    few = {name: answers.correct[name] for name in ("whole/genre",)}
    triplets = {name: answers.triplets[name] for name in few}
    recall = np.full_like(answers.recall, np.nan)
    recall[:, :2] = answers.recall[:, :2]
    poor = dataclasses.replace(answers, correct=few, triplets=triplets, scores=None)
    poor = dataclasses.replace(poor, recall=recall, recall_by_cosine=None)
    asked = ["R@1", "R@8", "R@1 by cosine", "ROC-AUC", "genre whole space", "mood whole space", "mean of whole space"]
    asked += ["mean of sub-spaces", "track", "human", "CPU time", "triplets"]
    found = resampled_figures(poor, NOTIONS, asked, weights, nearest)
    assert set(found) == {"R@1", "R@1 by cosine", "genre whole space"}
    np.testing.assert_array_equal(found["R@1"], found["R@1 by cosine"])
    assert set(resampled_figures(answers, NOTIONS, asked, weights, nearest)) == {*asked} - {"human", "CPU time"}


def test_a_run_of_the_size_of_the_experiments_takes_about_a_second_at_most():
    """2 000 tracks, 50 tags, 40 000 triplets of nine kinds, 2 000 resamples: ninety runs stay below two minutes."""
    rng, tracks = np.random.default_rng(0), 2000
    names = [f"{space}/{notion}" for space in ("whole", "subspace") for notion in "abcd"] + ["track"]
    labels = rng.random([tracks, 50]) < 0.1
    labels[:, 0] |= ~labels.any(axis=1)
    big = Answers(
        np.arange(tracks), rng.random([tracks, 4], np.float32), labels,
        {name: rng.random(40_000) < 0.7 for name in names},
        {name: rng.integers(0, tracks, [40_000, 3]) for name in names},
        rng.random(labels.shape, np.float32),
    )  # fmt: skip
    weights, nearest = draw_weights(tracks), {INNER_PRODUCT: rng.integers(0, tracks, [tracks, 9])}
    nearest[COSINE] = nearest[INNER_PRODUCT]
    began = time.thread_time()
    resampled_figures(big, "abcd", ["R@1", "ROC-AUC", "triplets", "mean of whole space", "track"], weights, nearest)
    assert time.thread_time() - began < 1.3
