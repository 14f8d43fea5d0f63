import numpy as np
import pytest

from tfmir.errors import UserError
from tfmir.evaluation.library.described import described
from tfmir.evaluation.library.labels import askable, choose_labels
from tfmir.vocabulary import Vocabulary

RUN = Vocabulary.from_dict({"genre": ["rock", "Hip Hop", "jazz"], "mood": ["calm"]})
SONGS = [
    ("a.mp3", {"artist": ["A"], "Genre": ["Rock"], "Mood": ["CALM"], "live": ["yes"]}),
    ("b.mp3", {"artist": ["A"], "Genre": ["ROCK", "hip  hop"], "Mood": [], "live": ["yes"]}),
    ("c.mp3", {"artist": ["B"], "Genre": ["polka"], "Mood": ["calm"], "live": ["yes"]}),
    ("d.mp3", {"artist": [], "Genre": [], "Mood": ["sad"], "live": ["yes"]}),
]


def songs(columns=None):
    return described("tags.csv", [(path, columns or of) for path, of in SONGS])


def test_shared_tags_are_found_in_any_spelling_and_called_as_the_run_does():
    labels = choose_labels(songs(), "tags", RUN)
    assert labels.names == {"genre": ("rock", "Hip Hop"), "mood": ("calm",)}
    np.testing.assert_array_equal(labels.carried["genre"], [[1, 0], [1, 1], [0, 0], [0, 0]])
    np.testing.assert_array_equal(labels.every[:, 2], [1, 0, 1, 0])
    assert labels.only_run == ("genre/jazz",)
    assert labels.only_library == ("Genre/polka", "Mood/sad")  # an artist is no tag
    assert labels.rows(np.array([1])).every.tolist() == [[True, True, False]]


def test_a_column_is_named_in_any_case_and_its_values_are_the_labels():
    labels = choose_labels(songs(), "Artist, genre", RUN)
    assert list(labels.names) == ["artist", "Genre"]
    assert labels.names["artist"] == ("A", "B")
    np.testing.assert_array_equal(labels.carried["artist"], [[1, 0], [1, 0], [0, 1], [0, 0]])
    assert "polka" in labels.names["Genre"]


@pytest.mark.parametrize(
    ("by", "told"),
    [
        (
            "album",
            "--by=album: tags.csv has no such column, or nothing in it. Columns that can be asked: artist, Genre",
        ),
        ("", "--by=: an empty name"),
        ("artist,", "--by=artist,: an empty name. Columns that can be asked: artist, Genre"),
        ("artist, Artist", "--by=artist, Artist: artist stands twice"),
        ("artist,tags", "--by=artist,tags: tags are asked about alone. Columns that can be asked: artist, Genre"),
        ("Path", "--by=Path: says which song it is, not what songs share. Columns that can be asked: artist, Genre"),
        ("split", "--by=split: says what a corpus uses a song for, not what songs share. Columns that can be asked"),
        ("live", "--by=live: tags.csv: all 4 songs have the value 'yes'"),
    ],
)
def test_a_column_that_cannot_be_asked_is_refused(by, told):
    with pytest.raises(UserError) as error:
        choose_labels(songs(), by, RUN)
    assert told in str(error.value)


def test_a_column_of_values_that_differ_is_refused():
    numbered = described("x", [(path, {"number": [path]}) for path, _ in SONGS])
    with pytest.raises(UserError, match="each of its 4 values is that of one song"):
        choose_labels(numbered, "number", RUN)


def test_where_nothing_is_shared_both_sides_are_listed_and_a_column_is_proposed():
    with pytest.raises(UserError) as error:
        choose_labels(songs(), "tags", Vocabulary.from_dict({"era": ["60s", "70s"]}))
    for part in ("artist: A, B; Genre: ", "polka", "The run knows: era: 60s, 70s", "--by=artist"):
        assert part in str(error.value)
    with pytest.raises(UserError, match="Found: nothing.*--annotations="):
        choose_labels(described("x", [("a.mp3", {})]), "tags", RUN)


def test_tags_that_one_song_alone_carries_cannot_be_asked():
    with pytest.raises(UserError, match=r"too \(genre: rock\) none is carried by two songs.*--by=genre"):
        choose_labels(described("x", [("a.mp3", {"genre": ["rock"]}), ("b.mp3", {"genre": ["polka"]})]), "tags", RUN)


@pytest.mark.parametrize(
    ("carried", "expected"),
    [([1, 1, 0], True), ([1, 1, 1], False), ([1, 0, 0], False), ([0, 0, 0], False)],
)
def test_askable_is_what_two_share_and_another_lacks(carried, expected):
    assert askable(np.array(carried, bool)[:, np.newaxis]) == expected
