import collections

import pytest

from tfmir.corpora.splits import deal

ALL = {"train", "validation", "test"}


def tracks(*sizes):
    """Track -> artist; as many tracks of each artist as `sizes` say."""
    return {f"{artist}/{i}.mp3": f"artist{artist}" for artist, size in enumerate(sizes) for i in range(size)}


def counts(dealt):
    return collections.Counter(dealt.values())


def test_about_80_10_10_and_who_is_there_already_stays_where_he_is():
    few, many = ({f"{i}.mp3": "" for i in range(size)} for size in (1000, 2000))
    dealt = deal(many)
    assert abs(counts(dealt)["train"] - 1600) < 60
    assert abs(counts(dealt)["test"] - 200) < 45
    assert deal(few).items() <= dealt.items()


@pytest.mark.parametrize("sizes", [[1] * 3, [2] * 4, [30, 1, 1], [5, 9, 2], [10] * 40, [1] * 10])
def test_three_artists_are_enough_for_three_splits_and_none_is_in_two(sizes, capsys):
    artists = tracks(*sizes)
    dealt = deal(artists)
    assert set(dealt.values()) == ALL
    assert len({(artist, dealt[track]) for track, artist in artists.items()}) == len(sizes)
    assert capsys.readouterr().err == ""


def test_where_the_hash_leaves_a_split_empty_the_largest_artists_are_for_training():
    assert [deal(tracks(1, 30, 1))[f"{artist}/0.mp3"] for artist in range(3)].index("train") == 1
    assert counts(deal({f"{i}.mp3": "" for i in range(3)})) == {"train": 1, "validation": 1, "test": 1}


@pytest.mark.parametrize("sizes", [[3], [10], [200], [50, 50], [1, 2]])
def test_one_or_two_artists_are_dealt_by_track_with_a_warning(sizes, capsys):
    dealt = deal(tracks(*sizes))
    assert set(dealt.values()) == ALL
    assert counts(dealt)["train"] == max(counts(dealt).values())
    told = capsys.readouterr().err
    assert f"warning: {len(sizes)} artists cannot fill train, validation and test" in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("sizes", [[1], [2], [1, 1]])
def test_fewer_than_three_tracks_are_all_for_training(sizes, capsys):
    assert set(deal(tracks(*sizes)).values()) == {"train"}
    assert capsys.readouterr().err == ""


def test_splits_that_labels_fill_need_no_more_tracks(capsys):
    assert set(deal(tracks(2), said=["validation", "test"]).values()) <= ALL
    assert counts(deal(tracks(1), said=["train"] * 8 + ["test"])) == {"validation": 1}
    assert deal({}, said=["train"]) == {}
    assert capsys.readouterr().err == ""


def test_the_order_of_the_tracks_does_not_matter():
    for artists in (tracks(4, 4, 1), tracks(7), tracks(*[3] * 30)):
        assert deal(artists) == deal(dict(reversed(artists.items())))
