import numpy as np
import pytest

from tfmir.evaluation.triplets import correct, draw_track_triplets, draw_triplets, leakage_gap, leakage_matrix
from tfmir.inference.subspaces import subspace_embeddings, unit_rows
from tfmir.vocabulary import Vocabulary

VOCABULARY = Vocabulary.from_dict({"genre": ["a", "b", "c"], "mood": ["x", "y"]})


@pytest.fixture
def labels():
    return np.random.default_rng(0).random([50, 5]) < [0.05, 0.3, 0.6, 0.5, 0.2]


def test_every_triplet_is_valid_for_some_tag_of_its_notion(labels):
    for a, p, n in draw_triplets(labels, np.array([0, 1, 2]), count=2000):
        assert a != p
        assert any(labels[a, t] and labels[p, t] and not labels[n, t] for t in range(3))


def test_rare_tags_are_drawn_as_often_as_frequent_ones():
    """One tag each: 3 carriers against 47. Drawn by tag, half of the anchors are the three."""
    labels = np.zeros([50, 2], bool)
    labels[:3, 0] = labels[3:, 1] = True
    anchors = draw_triplets(labels, np.array([0, 1]), count=4000)[:, 0]
    assert abs((anchors < 3).mean() - 0.5) < 0.03


def test_the_seed_decides(labels):
    tags = np.array([0, 1])
    np.testing.assert_array_equal(draw_triplets(labels, tags, count=50), draw_triplets(labels, tags, count=50))
    assert (draw_triplets(labels, tags, count=50) != draw_triplets(labels, tags, count=50, seed=1)).any()


@pytest.mark.parametrize("carriers", [0, 1, 5])
def test_a_notion_without_usable_tags_has_no_triplets(carriers):
    assert draw_triplets(np.arange(5)[:, np.newaxis] < carriers, np.array([0])) is None


def test_the_leakage_of_a_notion_without_triplets_is_a_column_without_numbers():
    """Of the other notion the own sub-space predicts everything and the other nothing: a gap of 1."""
    asked = np.array([[0, 1, 2]])
    parts = {"genre": np.float32([[1, 0], [1, 0], [0, 1]]), "mood": np.float32([[1, 0], [0, 1], [1, 0]])}
    matrix = leakage_matrix(parts, {"genre": asked, "mood": None})
    np.testing.assert_array_equal(matrix, [[1, np.nan], [0, np.nan]])
    assert leakage_gap(matrix) == 1.0


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("matrix", [[[0.9]], [[np.nan, np.nan], [np.nan, np.nan]]])
def test_without_another_subspace_or_triplets_there_is_no_gap(matrix):
    assert np.isnan(leakage_gap(np.array(matrix)))


def test_accuracy_equals_a_loop(labels):
    embeddings = unit_rows(np.random.default_rng(1).normal(size=[50, 6]))
    triplets = draw_triplets(labels, np.array([3, 4]), count=300)
    expected = [embeddings[a] @ embeddings[p] > embeddings[a] @ embeddings[n] for a, p, n in triplets]
    np.testing.assert_array_equal(correct(embeddings, triplets), expected)


def test_perfectly_disentangled_embeddings_have_a_full_diagonal_and_chance_beside_it():
    """Each sub-space is the one-hot tag of its own notion; the two notions are drawn independently."""
    rng = np.random.default_rng(2)
    genre, mood = rng.integers(0, 3, 600), rng.integers(0, 2, 600)
    labels = np.concatenate([np.eye(3)[genre], np.eye(2)[mood]], axis=1) > 0
    embeddings = np.concatenate([np.eye(3)[genre], np.eye(3)[mood]], axis=1)
    parts = subspace_embeddings(embeddings, VOCABULARY)
    triplets = {n: draw_triplets(labels, VOCABULARY.tags_of(n), count=4000) for n in VOCABULARY.notions}
    matrix = leakage_matrix(parts, triplets)
    np.testing.assert_array_equal(np.diag(matrix), [1.0, 1.0])
    # Off the diagonal a one-hot ties often, and a tie is not correct: P(same) P(different) = 1/3·2/3 and 1/2·1/2.
    np.testing.assert_allclose([matrix[0, 1], matrix[1, 0]], [2 / 9, 1 / 4], atol=0.04)
    assert leakage_gap(matrix) == pytest.approx(1 - (matrix[0, 1] + matrix[1, 0]) / 2)


def test_a_dead_subspace_predicts_nothing_and_is_no_nan():
    parts = subspace_embeddings(np.zeros([4, 6]), VOCABULARY)
    assert not np.isnan(parts["genre"]).any()
    assert not correct(parts["genre"], np.array([[0, 1, 2]])).any()


def test_track_triplets_are_two_excerpts_of_a_track_and_one_of_another():
    """Tracks of 1, 3, 2 and 4 excerpts: the first can be a negative only, and every other is the anchor's a third."""
    tracks = np.repeat([0, 1, 2, 3], [1, 3, 2, 4])
    triplets = draw_track_triplets(tracks, count=3000)
    anchor, positive, negative = triplets.T
    assert (anchor != positive).all()
    assert (tracks[anchor] == tracks[positive]).all()
    assert (tracks[anchor] != tracks[negative]).all()
    assert set(anchor) == set(positive) == set(range(1, 10))
    assert set(negative) == set(range(10))
    np.testing.assert_allclose(np.bincount(tracks[anchor], minlength=4) / 3000, [0, 1 / 3, 1 / 3, 1 / 3], atol=0.04)
    np.testing.assert_array_equal(triplets, draw_track_triplets(tracks, count=3000))


@pytest.mark.parametrize("tracks", [[0, 1, 2], [0, 0, 0]])
def test_without_two_excerpts_or_two_tracks_there_are_no_track_triplets(tracks):
    assert draw_track_triplets(np.array(tracks)) is None
