"""Tracks as the page gets them, and tracks found by typing, in the catalogue of `tests/fixtures/page.py`."""

import numpy as np
import pyarrow as pa
import pytest

from tests.fixtures.page import SONGS, Standin, track_id, tracks
from tfmir.serving.page.catalogue import Catalogue


def test_a_track_has_what_is_shown_of_it(catalogue):
    assert catalogue.track(0) == {
        "row": 0,
        "track_id": "songs/00.wav",
        "title": "00",
        "folder": "songs",
        "artist": "Artist 0",
        "seconds": 1.0,
        "tags": ["genre/rock"],
        "predicted": [{"tag": "mood/wild", "score": 0.8}],
    }


def test_a_name_of_two_lines_is_shown_on_one_and_kept_as_an_id(catalogue):
    found = catalogue.track(7)
    assert found["title"] == r"two\nlines"
    assert catalogue.row_of(found["track_id"]) == 7


def test_an_id_is_compared_byte_for_byte_and_never_looked_up_on_the_disk(catalogue, songs):
    for odd in ("songs/../songs/00.wav", str(songs / "songs/00.wav"), "songs/00.WAV", "", "songs/00.wav\0"):
        assert catalogue.row_of(odd) is None


FOUND = [
    ("", [0, 1, 2]),
    ("   ", [0, 1, 2]),
    ("ETE", [6]),
    ("été", [6]),
    ("e\u0301te\u0301", [6]),
    ("🎷", [6]),
    ("artist 6 22", [22]),
    ("22 artist 6", [22]),
    ("lines", [7]),
    ("$home", [4]),
    (".*", []),
    ("%", []),
    ("nothing of this name", []),
]


@pytest.mark.parametrize(("text", "rows"), FOUND)
def test_typing_finds_every_word_in_any_case_with_or_without_accents(catalogue, text, rows):
    found, total = catalogue.find(text, limit=3)
    assert found == rows
    assert total == (SONGS if not text.strip() else len(rows))


def test_names_that_begin_with_the_text_come_before_words_and_those_before_the_rest():
    names = ["a/unbluebird.mp3", "a/my blue day.mp3", "a/Blue.mp3"]
    table = tracks().slice(0, 3).set_column(0, "track_id", pa.array(names))
    catalogue = Catalogue(Standin("nowhere", table=table))
    assert catalogue.find("blue", limit=3) == ([2, 1, 0], 3)


def test_a_long_text_and_a_limit_do_no_harm(catalogue):
    assert catalogue.find("x" * 100_000, limit=3) == ([], 0)
    rows, total = catalogue.find("wav", limit=5)
    assert (len(rows), total) == (5, SONGS)


def test_a_catalogue_without_artists_says_so(catalogue):
    assert catalogue.has_artists
    table = tracks().set_column(6, "artist", pa.array([""] * SONGS))
    assert not Catalogue(Standin("nowhere", table=table)).has_artists


def test_rows_are_those_of_the_vectors_in_any_number_of_chunks(catalogue):
    parts = pa.concat_tables([tracks().slice(at, 7) for at in range(0, SONGS, 7)])
    other = Catalogue(Standin("nowhere", table=parts))
    for row in (0, 6, 7, 39):
        assert other.track(row) == catalogue.track(row)
        assert other.row_of(track_id(row)) == row
    rows = np.arange(SONGS)
    for notion, found in other.labels.of(rows).items():
        np.testing.assert_array_equal(found.tags, catalogue.labels.of(rows)[notion].tags)
