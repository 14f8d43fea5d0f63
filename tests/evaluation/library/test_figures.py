import json

import numpy as np
import pytest

from tfmir.evaluation.baselines import random_embeddings
from tfmir.evaluation.library.figures import build_figures
from tfmir.evaluation.library.labels import Labels
from tfmir.evaluation.triplets import correct, draw_triplets
from tfmir.inference.subspaces import unit_rows


def labels_of(**columns):
    arrays = {name: np.array(of, bool) for name, of in columns.items()}
    return Labels({name: tuple(map(str, range(of.shape[1]))) for name, of in arrays.items()}, arrays)


@pytest.fixture(scope="module")
def known():
    """80 songs of 10 artists; the system knows the genre, and who sings."""
    rng = np.random.default_rng(0)
    artists = np.arange(80) % 10
    genre = np.eye(4, dtype=bool)[rng.integers(0, 4, 80)]
    voice = np.eye(10)[artists]
    embeddings = unit_rows(np.concatenate([genre + 0.3 * rng.random([80, 4]), 1.5 * voice], axis=1))
    return labels_of(genre=genre, artist=voice), artists, embeddings


@pytest.fixture(scope="module")
def figures(known):
    labels, artists, embeddings = known
    spaces = {"whole": embeddings, "genre": unit_rows(embeddings[:, :4])}
    baselines = {"statistics": random_embeddings(80, 9, seed=1), "chance": None}
    return build_figures(labels, artists, spaces, baselines)


def test_it_is_json_and_the_same_each_time(known, figures):
    labels, artists, embeddings = known
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    again = build_figures(labels, artists, {"whole": embeddings}, {})
    assert again["system"]["whole"] == figures["system"]["whole"]
    assert (again["baselines"], again["ratios"]) == ({}, {})


def test_a_space_is_better_than_chance_where_it_knows_the_labels(figures):
    whole, chance = figures["system"]["whole"], figures["baselines"]["chance"]
    assert whole["recall_column"]["genre"]["1"]["low"] > chance["recall_column"]["genre"]["1"]["high"]
    assert whole["triplets"]["genre"]["low"] > 0.5
    assert chance["triplets"]["genre"] == {"mean": 0.5, "low": 0.5, "high": 0.5}
    assert chance["recall_column"]["artist"]["1"]["mean"] == pytest.approx(7 / 79)  # each sings eight songs
    assert whole["queries"] == 80
    assert figures["ratios"]["recall_1_over_statistics"]["low"] > 1


def test_without_the_artists_own_songs_only_the_genre_is_left(figures):
    """No song of another artist has the label of the artist: nothing of that column can be asked."""
    others = figures["system"]["whole"]["other_artists"]
    assert others["recall_column"]["artist"] == {"1": None, "2": None, "4": None, "8": None}
    assert others["triplets"]["artist"] is None
    assert others["recall_column"]["genre"] == others["recall"]
    assert others["recall"]["1"]["mean"] == 1.0  # with the voices gone, the nearest is of the same genre
    assert figures["system"]["genre"]["triplets"]["artist"]["high"] < 0.7
    reasons = figures["undefined"]
    assert reasons["other_artists triplets artist"] == (
        "no label of artist that two songs of different artists share and another lacks"
    )
    missing = "no two songs of different artists share a label of artist"
    assert reasons["other_artists recall_column artist 1"] == missing
    assert not [name for name in reasons if not name.startswith("other_artists")]


def test_triplets_are_about_as_those_of_a_test_split(known, figures):
    labels, _, embeddings = known
    drawn = draw_triplets(labels.every, np.arange(4), seed=3)
    expected = correct(embeddings, drawn).mean()
    assert figures["system"]["whole"]["triplets"]["genre"]["mean"] == pytest.approx(expected, abs=0.02)


def test_few_songs_have_wide_intervals_however_many_triplets_are_drawn():
    """40 000 triplets of eight songs at random: by anchor the interval is not that of 40 000 coins, 0.01 wide."""
    labels = labels_of(genre=np.eye(2, dtype=bool)[np.arange(8) % 2])
    found = build_figures(labels, None, {"whole": random_embeddings(8, 16, seed=5)}, {})["system"]["whole"]["triplets"]
    assert found["genre"]["high"] - found["genre"]["low"] > 0.05


def test_what_too_few_songs_do_not_define_is_null_with_its_reason():
    """Three songs, the mood of one alone; no artist is known; statistics find nothing."""
    labels = labels_of(genre=[[1], [1], [0]], mood=[[1], [0], [0]])
    near, far = np.float32([[1, 0], [1, 0.1], [0, 1]]), np.float32([[1, 0], [0, 1], [0.6, 0.6]])
    found = build_figures(labels, None, {"whole": unit_rows(near)}, {"statistics": unit_rows(far)})
    whole = found["system"]["whole"]
    assert (whole["recall"]["1"]["mean"], whole["recall"]["2"]["mean"]) == (1.0, 1.0)
    assert whole["other_artists"] is None
    assert found["undefined"] == {
        "recall 4": "needs more than 4 songs, there are 3",
        "recall 8": "needs more than 8 songs, there are 3",
        "recall_column genre 4": "needs more than 4 songs, there are 3",
        "recall_column genre 8": "needs more than 8 songs, there are 3",
        "recall_column mood 1": "no two songs share a label of mood",
        "recall_column mood 2": "no two songs share a label of mood",
        "recall_column mood 4": "needs more than 4 songs, there are 3",
        "recall_column mood 8": "needs more than 8 songs, there are 3",
        "triplets mood": "no label of mood that two songs share and another lacks",
        "other_artists": "no artist is known",
        "recall_1_over_statistics": "the R@1 of statistics is 0, or not defined",
    }
