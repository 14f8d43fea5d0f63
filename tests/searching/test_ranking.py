import numpy as np
import pytest

from tfmir.catalogue.library import Library
from tfmir.errors import UserError
from tfmir.inference.subspaces import unit_rows
from tfmir.searching.ranking import best, parse_weights, rank
from tfmir.vocabulary import Vocabulary

VOCABULARY = Vocabulary.from_dict({"genre": ["a"], "mood": ["x"]})


def library(embeddings):
    ids = tuple(f"t{i}" for i in range(len(embeddings)))
    return Library(ids, unit_rows(np.asarray(embeddings, np.float32)), ((),) * len(ids))


def test_one_inner_product_is_the_weighted_sum_of_cosines():
    rng = np.random.default_rng(0)
    tracks, query = library(np.abs(rng.normal(size=[20, 8]))), unit_rows(np.abs(rng.normal(size=8)))
    weights = {"genre": 0.2, "mood": 1.0}
    hits = rank(tracks, query, vocabulary=VOCABULARY, weights=weights, top=20)

    def cosine(a, b):
        return a @ b / np.linalg.norm(a) / np.linalg.norm(b)

    expected = {
        name: 0.2 * cosine(e[:4], query[:4]) + 1.0 * cosine(e[4:], query[4:])
        for name, e in zip(tracks.track_ids, tracks.embeddings, strict=True)
    }
    assert [hit.track_id for hit in hits] == sorted(expected, key=lambda name: -expected[name])
    for hit in hits:
        assert hit.score == pytest.approx(expected[hit.track_id], abs=1e-5)
        assert hit.score == pytest.approx(0.2 * hit.similarities["genre"] + hit.similarities["mood"], abs=1e-5)


def test_weights_choose_the_notion_by_hand():
    """Track 0 has the query's genre part, track 1 its mood part."""
    tracks = library([[1, 0, 0, 1], [0, 1, 1, 0]])
    query = unit_rows(np.array([1, 0, 1, 0], np.float32))
    assert rank(tracks, query, vocabulary=VOCABULARY, weights={"genre": 1.0}, top=1)[0].track_id == "t0"
    assert rank(tracks, query, vocabulary=VOCABULARY, weights={"mood": 1.0}, top=1)[0].track_id == "t1"
    away = rank(tracks, query, vocabulary=VOCABULARY, weights={"mood": -1.0}, top=1)
    assert away[0].track_id == "t0"


def test_the_query_is_left_out_and_the_whole_space_needs_no_weights():
    tracks = library([[1, 0, 1, 0], [1, 0, 0.9, 0], [0, 1, 0, 1]])
    hits = rank(tracks, tracks.embeddings[0], vocabulary=VOCABULARY, weights={}, top=5, exclude=["t0"])
    assert [(hit.rank, hit.track_id) for hit in hits] == [(1, "t1"), (2, "t2")]
    hits = rank(tracks, tracks.embeddings[0], vocabulary=VOCABULARY, weights={}, top=1, exclude=["t0", "t1"])
    assert [(hit.rank, hit.track_id) for hit in hits] == [(1, "t2")]
    assert rank(tracks, tracks.embeddings[0], vocabulary=VOCABULARY, weights={}, top=1, exclude=tracks.track_ids) == []


def test_nobody_is_asked_where_there_is_nothing():
    def fetch(count):
        raise AssertionError(f"asked for {count}")

    assert best(fetch, total=0, top=3).rows.tolist() == []


@pytest.mark.parametrize(
    ("weights", "message"),
    [({"mood": 1.0}, "nothing of mood is heard"), ({"genre": 0.0, "mood": -1.0}, "nothing of mood is heard")],
)
def test_a_song_that_is_dead_in_all_that_counts_is_refused(weights, message):
    tracks = library([[1, 0, 1, 0], [0, 1, 0, 1]])
    query = np.array([1, 0, 0, 0], np.float32)
    with pytest.raises(UserError, match=f"{message} in this song: give another weight"):
        rank(tracks, query, vocabulary=VOCABULARY, weights=weights, top=2)
    assert len(rank(tracks, query, vocabulary=VOCABULARY, weights={"genre": 1e-3, "mood": 1.0}, top=2)) == 2
    assert len(rank(tracks, query, vocabulary=VOCABULARY, weights={}, top=2)) == 2
    with pytest.raises(UserError, match="nothing of genre or mood is heard"):
        rank(tracks, 0 * query, vocabulary=VOCABULARY, weights={"genre": 1.0, "mood": 1.0}, top=2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tempo=1", "no notion 'tempo': the system has genre, mood"),
        ("mood", "'mood' is no notion=number"),
        ("mood=x", "is no notion=number"),
        ("mood=nan", "finite"),
        ("mood=0", "at least one weight"),
        ("mood=0,genre=-0.0", "at least one weight"),
        ("mood=1,mood=2", "'mood' has two weights"),
        ("mood=1,genre=1, mood =1", "'mood' has two weights"),
        ("mood=0,mood=1", "'mood' has two weights"),
        ("mood=inf", "finite"),
        ("mood=1e999", "finite"),
        ("mood=1e39", "'mood=1e39': a weight is at most 1e.06, with either sign"),
        ("mood=-1e39", "at most 1e.06"),
        ("mood=1,genre=1000001", "at most 1e.06"),
        ("mood=1e-46", "at least one weight must be 1e-06 or more, with either sign"),
        ("mood=-1e-46,genre=0", "at least one weight must be 1e-06 or more"),
    ],
)
def test_bad_weights_are_explained(text, message):
    with pytest.raises(UserError, match=message):
        parse_weights(text, VOCABULARY, disentangled=True)


@pytest.mark.parametrize("text", ["mood=1e6", "mood=-1e6,genre=1e6", "mood=1e-6", "mood=1e6,genre=1e-300"])
def test_weights_of_any_size_that_is_taken_rank_as_they_should(text):
    """The scores are numbers, and those of a single notion are its cosines times the weight."""
    rng = np.random.default_rng(0)
    tracks, query = library(np.abs(rng.normal(size=[20, 8]))), unit_rows(np.abs(rng.normal(size=8)))
    weights = parse_weights(text, VOCABULARY, disentangled=True)
    hits = rank(tracks, query, vocabulary=VOCABULARY, weights=weights, top=20)
    expected = [sum(weights.get(n, 0.0) * cosine for n, cosine in hit.similarities.items()) for hit in hits]
    np.testing.assert_allclose([hit.score for hit in hits], expected, rtol=1e-4, atol=1e-6 * max(map(abs, expected)))
    assert np.argsort(expected)[-1] == 0


def test_weights_are_parsed_and_refused_without_subspaces():
    assert parse_weights("mood=1, genre=0.2", VOCABULARY, disentangled=True) == {"mood": 1.0, "genre": 0.2}
    assert parse_weights("", VOCABULARY, disentangled=False) == {}
    with pytest.raises(UserError, match="not disentangled"):
        parse_weights("mood=1", VOCABULARY, disentangled=False)
