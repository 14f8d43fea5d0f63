import dataclasses

import numpy as np
import pytest

from tfmir.corpora.annotated import annotated, check_shares, parse_shares
from tfmir.corpora.corpus import Corpus, Track
from tfmir.errors import UserError
from tfmir.vocabulary import Vocabulary

NOTIONS = ["genre", "mood", "instrument", "era"]
MSD = "genre=0.88,mood=0.13,instrument=0.14,era=0.11"
VOCABULARY = Vocabulary.from_dict({"genre": ["rock", "jazz"], "mood": ["calm", "wild"]})


def complete(sizes):
    """Every track has a genre, and one mood or both."""
    rng = np.random.default_rng(0)
    tracks = [
        Track(f"{split}/{i}", f"/m/{split}/{i}", split, (int(rng.integers(2)), *((2,), (3,), (2, 3))[rng.integers(3)]))
        for split, size in sizes.items()
        for i in range(size)
    ]
    return Corpus("c", "CC0-1.0", VOCABULARY, tuple(tracks))


CORPUS = complete({"train": 1200, "validation": 200, "test": 400})


def carried(corpus, split):
    labels = corpus.vocabulary.multi_hot([track.tags for track in corpus.tracks if track.split == split])
    return corpus.vocabulary.carried(labels)


def test_shares_are_read_in_any_order_and_given_in_that_of_the_notions():
    expected = {"genre": 0.88, "mood": 0.13, "instrument": 0.14, "era": 0.11}
    assert parse_shares(MSD, NOTIONS) == expected
    found = parse_shares(" era = 0.11, mood=.13,genre=8.8e-1,instrument=0.14", NOTIONS)
    assert list(found.items()) == list(expected.items())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{MSD},tempo=0.1", "'tempo' is no notion of the demo corpus"),
        (MSD.replace("0.13", "1.3"), "mood=1.3 is no share"),
        (MSD.replace("0.13", "-0.1"), "mood=-0.1 is no share"),
        (MSD.replace("0.13", "nan"), "mood=nan is no share"),
        (MSD.replace("0.13", "13 %"), "mood=13 % is no share"),
        (MSD.replace("0.13", ""), "mood= is no share"),
        ("genre=0.88,era=0.1", "nothing is said of mood, instrument"),
        (f"{MSD},mood=0.2", "'mood' stands twice"),
        ("0.88,0.13", "'0.88' is not notion=share"),
        (f"{MSD},", "'' is not notion=share"),
    ],
)
def test_a_mistake_is_named_with_what_was_expected(text, message):
    with pytest.raises(UserError) as told:
        parse_shares(text, NOTIONS)
    assert f"--annotated={text}: " in str(told.value)
    assert message in str(told.value)
    assert str(told.value).endswith(f"a share from 0 to 1 for each of genre, mood, instrument, era, such as {MSD}")


def test_shares_that_leave_a_notion_with_fewer_than_two_training_tracks_are_refused():
    """Of 12 tracks 0.13 is 1.56, which is 2, and 0.11 is 1.32, which is 1."""
    check_shares("x", {"genre": 1.0, "mood": 0.13}, tracks=12)
    for share, kept, remedy in ((0.11, 1, "give era=0.17 or more"), (0.0001, 0, "give era=0.17 or more")):
        with pytest.raises(UserError) as told:
            check_shares(f"era={share}", {"era": share}, tracks=12)
        assert f"--annotated=era={share}: era={share} leaves {kept} of 12 training tracks" in str(told.value)
        assert remedy in str(told.value)


def test_exactly_the_share_of_every_split_is_annotated():
    """0.13 of 1 200, 200 and 400 tracks are 156, 26 and 52; of 0.88, 1 056, 176 and 352."""
    sparse = annotated(CORPUS, {"genre": 0.88, "mood": 0.13}, seed=0)
    found = {split: carried(sparse, split).sum(axis=0).tolist() for split in ("train", "validation", "test")}
    assert found == {"train": [1056, 156], "validation": [176, 26], "test": [352, 52]}
    assert sparse.annotated == {"genre": 0.88, "mood": 0.13}


def test_a_notion_of_a_track_keeps_all_of_its_tags_or_none_and_the_truth_stays():
    sparse = annotated(CORPUS, {"genre": 0.5, "mood": 0.5}, seed=0)
    for before, after in zip(CORPUS.tracks, sparse.tracks, strict=True):
        assert after.truth == before.tags
        assert dataclasses.replace(after, tags=before.tags, truth=None) == before
        for tags in ((0, 1), (2, 3)):
            kept = [tag for tag in after.tags if tag in tags]
            assert kept in ([], [tag for tag in before.tags if tag in tags])


def test_notions_are_drawn_by_themselves():
    """Of two halves of 1 200 tracks a quarter is in both: 300, give or take four deviations of 8.7."""
    both = carried(annotated(CORPUS, {"genre": 0.5, "mood": 0.5}, seed=0), "train").all(axis=1).sum()
    assert abs(both - 300) < 35


def test_a_larger_share_has_the_tracks_of_a_smaller_one_and_all_is_the_truth():
    less, more, everything = (annotated(CORPUS, {"genre": s, "mood": s}, seed=0) for s in (0.1, 0.3, 1))
    for few, many, all_of_them in zip(less.tracks, more.tracks, everything.tracks, strict=True):
        assert set(few.tags) <= set(many.tags) <= set(all_of_them.tags)
        assert all_of_them.tags == all_of_them.truth == few.truth
    assert not any(track.tags for track in annotated(CORPUS, {"genre": 0, "mood": 0}, seed=0).tracks)


def test_the_seed_chooses_the_tracks_and_their_order_does_not():
    shares = {"genre": 0.3, "mood": 0.3}
    first, again, other = (annotated(CORPUS, shares, seed=seed) for seed in (0, 0, 1))
    turned = annotated(dataclasses.replace(CORPUS, tracks=CORPUS.tracks[::-1]), shares, seed=0)
    assert first == again
    assert first.tracks == turned.tracks[::-1]
    assert first.tracks != other.tracks
