"""The words of an address as a question to the index."""

import base64

import numpy as np
import pytest
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException

from tests.fixtures.page import WEIGHTS, Standin, track_id
from tfmir.errors import UserError
from tfmir.serving.page.catalogue import Catalogue
from tfmir.serving.page.questions import check_weights, question, space_name, vector_text


def asked(catalogue, words):
    return question(QueryParams(words), catalogue)


def rows(catalogue, words):
    return [hit.row for hit in asked(catalogue, words).ask(catalogue)]


def test_one_notion_ranks_by_its_angle(catalogue):
    """From song 0 on, 2° a song in genre; in mood 33, 26 and 19 are the next."""
    like = f"like={track_id(0)}&top=3"
    assert rows(catalogue, f"{like}&weights=genre=1") == [1, 2, 3]
    assert rows(catalogue, f"{like}&weights=mood=1") == [33, 26, 19]
    assert rows(catalogue, f"{like}&weights=mood=-1")[0] == 7  # 17 · 7 mod 40 = 39: the farthest


def test_filters_are_all_kept_to(catalogue):
    like = f"like={track_id(0)}&weights=genre=1&top=5"
    assert rows(catalogue, f"{like}&tag=genre/jazz") == [20, 21, 22, 23, 24]
    assert rows(catalogue, f"{like}&tag=genre/jazz&artist=@home") == [21, 29]
    assert rows(catalogue, f"{like}&tag=genre/jazz&tag=genre/rock") == []
    assert len(rows(catalogue, f"{like.replace('top=5', 'top=50')}&diverse=1")) == 8
    assert len(rows(catalogue, f"{like.replace('top=5', 'top=50')}&diverse=0")) == 39


def test_the_song_itself_is_no_hit_and_all_weights_at_0_are_the_whole_space(catalogue):
    found = asked(catalogue, f"like={track_id(3)}&top=500")
    assert (found.row, found.weights) == (3, {})
    assert 3 not in [hit.row for hit in found.ask(catalogue)]


def test_another_name_of_the_song_s_file_is_no_hit(catalogue):
    found = rows(catalogue, f"like={track_id(36)}&top=500")
    assert len(found) == 38
    assert not {35, 36} & set(found)


def test_an_uploaded_song_is_in_the_address_and_is_asked_about_to_float16(catalogue):
    embedding = catalogue.index.embedding(12)
    words = f"vector={vector_text(embedding)}&space={space_name(catalogue)}"
    found = asked(catalogue, words)
    assert found.row is None
    np.testing.assert_allclose(found.embedding, embedding, atol=5e-4)
    assert found.ask(catalogue)[0].row == 12
    assert len(vector_text(np.ones(256))) == 683


def text(values, dtype="<f2"):
    return base64.urlsafe_b64encode(np.array(values, dtype).tobytes()).decode().rstrip("=")


SPACE = f"space={WEIGHTS[:12]}"
REFUSED = [
    ("", 404, "no such track"),
    ("like=", 404, "no such track"),
    ("like=../../etc/passwd", 404, "no such track"),
    ("like=songs/00.wav&top=0", 400, "top=0"),
    ("like=songs/00.wav&top=501", 400, "1 to 500"),
    ("like=songs/00.wav&top=²", 400, "top"),
    (f"like=songs/00.wav&top={'9' * 5000}", 400, "top"),
    ("like=songs/00.wav&tag=genre/polka", 400, "genre/polka"),
    (f"vector={text([1] * 8)}", 400, "another model"),
    (f"vector={text([1] * 8)}&space=000000000000", 400, "another model"),
    (f"vector={text([1] * 7)}&{SPACE}", 400, "8 finite numbers"),
    (f"vector={text([0] * 8)}&{SPACE}", 400, "not all 0"),
    (f"vector={text([np.nan] * 8)}&{SPACE}", 400, "finite"),
    (f"vector={text([np.inf] * 8)}&{SPACE}", 400, "finite"),
    (f"vector=***&{SPACE}", 400, "no base64"),
    (f"vector=AAA&{SPACE}", 400, "8 finite numbers"),
    (f"vector=A&{SPACE}", 400, "no base64"),
]


@pytest.mark.parametrize(("words", "status", "message"), REFUSED)
def test_what_cannot_be_read_is_refused_with_its_reason(catalogue, words, status, message):
    with pytest.raises(HTTPException) as told:
        asked(catalogue, words)
    assert told.value.status_code == status
    assert message in told.value.detail


@pytest.mark.parametrize(
    "weights", ["tempo=1", "mood", "mood=loud", "mood=inf", "mood=nan", "mood=1,mood=1", "genre=0"]
)
def test_weights_are_as_the_search_command_takes_them(catalogue, weights):
    with pytest.raises(UserError, match="weights"):
        asked(catalogue, f"like={track_id(0)}&weights={weights}")


def test_one_space_has_no_weights(songs):
    catalogue = Catalogue(Standin(songs, disentangled=False))
    assert asked(catalogue, f"like={track_id(0)}").ask(catalogue)[0].similarities == {}
    with pytest.raises(UserError, match="one space only"):
        asked(catalogue, f"like={track_id(0)}&weights=mood=1")


def test_a_model_of_another_space_is_named_with_its_remedy():
    check_weights("a" * 64, "a" * 64, index="i", flag="--run=r")
    with pytest.raises(UserError, match=r"^--run=r has other weights \(bbbbbbbbbbbb\) than --index=i .*name the run"):
        check_weights("a" * 64, "b" * 64, index="i", flag="--run=r")
