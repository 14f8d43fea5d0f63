import numpy as np
import pytest

from tfmir.evaluation.library.apart import (
    chance_apart,
    draw_apart,
    neighbours_apart,
    recall_apart,
    to_groups,
    wanted_labels,
)
from tfmir.evaluation.retrieval import recall_at_k
from tfmir.inference.subspaces import unit_rows

KS = (1, 2, 4, 8)


def songs(count=60, *, artists=9, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.random([count, 5]) < 0.25
    return unit_rows(rng.normal(size=[count, 6])), labels, rng.integers(0, artists, count)


def test_with_a_group_for_every_song_it_is_the_papers_recall():
    """The oracle is `retrieval.py`; every label is carried by several, so that all of them can be found."""
    embeddings, labels, _ = songs()
    alone = np.arange(len(labels))
    wanted = wanted_labels(labels, alone)
    np.testing.assert_array_equal(wanted, labels)
    found = recall_apart(neighbours_apart(embeddings, alone, 8), labels, wanted, ks=KS)
    np.testing.assert_allclose(found, recall_at_k(embeddings, labels, ks=KS))


def test_recall_of_other_groups_is_that_of_a_loop(monkeypatch):
    """Several blocks, the last one not full."""
    monkeypatch.setattr("tfmir.evaluation.library.apart._BLOCK", 17)
    embeddings, labels, artists = songs()
    expected = []
    for song in range(len(labels)):
        others = [other for other in range(len(labels)) if artists[other] != artists[song]]
        wanted = labels[song] & labels[others].any(axis=0)
        if wanted.any():
            nearest = sorted(others, key=lambda other: -float(embeddings[song] @ embeddings[other]))
            expected.append([(wanted & labels[nearest[:k]].any(axis=0)).sum() / wanted.sum() for k in KS])
    nearest = neighbours_apart(embeddings, artists, 8)
    np.testing.assert_allclose(recall_apart(nearest, labels, wanted_labels(labels, artists), ks=KS), expected)


def test_where_there_are_no_more_songs_of_others_nothing_more_is_found():
    """Songs 0, 1, 2 are of one artist, 3 of another: each has the other's alone for neighbours."""
    embeddings = unit_rows(np.float32([[1, 0], [1, 0.1], [1, 0.2], [0, 1]]))
    artists = np.array([0, 0, 0, 1])
    nearest = neighbours_apart(embeddings, artists, 2)
    assert nearest.tolist() == [[3, -1], [3, -1], [3, -1], [2, 1]]
    labels = np.array([[1, 1], [1, 0], [0, 0], [1, 0]], bool)
    wanted = wanted_labels(labels, artists)
    # The second label is song 0's alone, and song 2 has none.
    assert wanted.tolist() == [[True, False], [True, False], [False, False], [True, False]]
    # Song 3 finds 2 first, which carries nothing, then 1.
    assert recall_apart(nearest, labels, wanted, ks=(1, 2)).tolist() == [[1, 1], [1, 1], [0, 1]]


@pytest.mark.parametrize("by_artist", [False, True])
def test_chance_is_the_mean_of_many_draws(by_artist):
    _, labels, artists = songs(14, artists=4)
    groups = artists if by_artist else np.arange(14)
    wanted, rng = wanted_labels(labels, groups), np.random.default_rng(1)
    draws = []
    for _ in range(1500):
        near = [rng.permutation(np.append(np.flatnonzero(groups != own), [-1] * 8)) for own in groups]
        near = np.stack([np.append(row[row >= 0], [-1] * 8)[:8] for row in near])
        draws.append(recall_apart(near, labels, wanted, ks=KS))
    np.testing.assert_allclose(chance_apart(labels, groups, wanted, ks=KS), np.mean(draws, axis=0), atol=0.06)


def test_chance_by_hand():
    """Song 0 has three others, of which two carry its label: 2/3, then 1 - 1/3 * 0."""
    labels = np.array([[1], [1], [1], [0]], bool)
    alone = np.arange(4)
    found = chance_apart(labels, alone, wanted_labels(labels, alone), ks=(1, 2, 4))
    np.testing.assert_allclose(found, [[2 / 3, 1, 1]] * 3)


@pytest.mark.parametrize("by_artist", [False, True])
def test_triplets_are_what_they_promise(by_artist):
    _, labels, artists = songs()
    groups = artists if by_artist else np.arange(len(labels))
    anchors, positives, negatives = draw_apart(labels, groups, count=3000, seed=1).T
    assert (labels[anchors] & labels[positives] & ~labels[negatives]).any(axis=1).all()
    assert (groups[anchors] != groups[positives]).all()
    assert (groups[anchors] != groups[negatives]).all()
    assert set(anchors) == set(np.flatnonzero(labels.any(axis=1)))
    np.testing.assert_array_equal(draw_apart(labels, groups, count=3000, seed=1).T, [anchors, positives, negatives])


def test_every_possible_triplet_is_drawn_and_no_other():
    """Label carried by 0, 1 (artist a) and 2 (b); 3 (a) and 4 (c) lack it.

    0 and 1 have positive 2 and negative 4; 2 has positives 0, 1 and negatives 3, 4.
    """
    labels = np.array([[1], [1], [1], [0], [0]], bool)
    drawn = draw_apart(labels, np.array([0, 0, 1, 0, 2]), count=500)
    assert {tuple(row) for row in drawn.tolist()} == {
        (0, 2, 4), (1, 2, 4), (2, 0, 3), (2, 0, 4), (2, 1, 3), (2, 1, 4)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("carried", "artists"),
    [([1, 1, 1], [0, 1, 2]), ([1, 0, 0], [0, 1, 2]), ([1, 1, 0], [0, 0, 1]), ([1, 1, 0], [0, 1, 0])],
)
def test_without_a_positive_or_a_negative_of_another_artist_there_are_none(carried, artists):
    """The last: of songs 0 and 1, song 0 has no negative, but 1 has: positive 0, negative 2."""
    drawn = draw_apart(np.array(carried, bool)[:, np.newaxis], np.array(artists), count=5)
    assert drawn is None if artists != [0, 1, 0] else drawn.tolist() == [[1, 0, 2]] * 5


def test_a_song_without_an_artist_is_of_no_group():
    groups = to_groups(["a", "", "b", "a", ""])
    assert groups[0] == groups[3]
    assert len(set(groups)) == 4
