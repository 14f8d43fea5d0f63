"""The JSON that `docs/page.md` promises."""

import pathlib
import re

import pytest
from starlette.testclient import TestClient

from tests.fixtures.page import Standin, track_id
from tfmir.errors import UserError
from tfmir.serving.page.app import build_app
from tfmir.serving.page.catalogue import Catalogue
from tfmir.serving.page.uploads import Uploads

DOCUMENT = pathlib.Path(__file__).parents[3] / "docs/page.md"


def test_about_says_what_there_is(page):
    about = page.get("/api/about").json()
    assert about["tracks"] == 40
    assert about["notions"] == ["genre", "mood"]
    assert about["tags"]["genre"] == {"genre/rock": 20, "genre/jazz": 10}
    assert about["maps"] == ["whole", "genre"]
    assert (about["audio"], about["uploads"], about["artists"]) == (True, False, True)


def test_a_search_gives_the_hits_and_why(page):
    found = page.get("/api/search", params={"like": track_id(0), "weights": "mood=1", "top": 2}).json()
    assert found["weights"] == {"mood": 1.0}
    assert found["query"]["track_id"] == track_id(0)
    assert [hit["row"] for hit in found["hits"]] == [33, 26]
    first = found["hits"][0]
    assert first["score"] == first["similarities"]["mood"] == pytest.approx(0.9994, abs=1e-4)  # cos 2°
    assert first["similarities"]["genre"] == pytest.approx(0.4067, abs=1e-4)  # cos 66°


def test_tracks_and_one_track(page):
    found = page.get("/api/tracks", params={"q": "artist 3", "limit": 2}).json()
    assert found["total"] == 14  # five of Artist 3, and nine of other artists with a 3 in their names
    assert [track["artist"] for track in found["tracks"]] == ["Artist 3", "Artist 3"]
    assert page.get("/api/track", params={"id": track_id(6)}).json()["row"] == 6
    assert page.get("/api/track", params={"row": 6}).json()["track_id"] == track_id(6)


def test_a_map_has_the_points_of_its_sample_and_their_labels(page):
    found = page.get("/api/map", params={"space": "genre"}).json()
    assert found["rows"] == list(range(39))  # 39 is outside
    assert len(found["x"]) == len(found["y"]) == 39
    assert found["labels"]["genre"]["tags"][:3] == [0, 0, 0]
    assert found["labels"]["genre"]["predicted"][36:] == [1, 1, 1]
    whole = page.get("/api/map", params={"space": "whole"}).json()
    assert (whole["x"], whole["y"]) == (found["y"], found["x"])


REFUSED = [
    ("/api/map?space=mood", 404, "no map"),
    ("/api/map?space=../whole", 404, "no map"),
    ("/api/track?row=40", 404, "no such track"),
    ("/api/track", 404, "no such track"),
    ("/api/tracks?limit=0", 400, "limit"),
    ("/api/tracks?limit=1e9", 400, "limit"),
    ("/api/search?like=songs/00.wav&weights=tempo=1", 400, "tempo"),
    ("/api/search.csv?like=absent", 404, "no such track"),
    ("/api/nothing", 404, "Not Found"),
]


@pytest.mark.parametrize(("address", "status", "message"), REFUSED)
def test_a_refusal_is_json_with_its_reason_on_one_line(page, address, status, message):
    answer = page.get(address)
    assert answer.status_code == status
    assert message in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


def test_what_the_search_refuses_is_said_instead_of_an_empty_list(songs, tmp_path):
    index = Standin(songs)

    def dead(*args, **kwargs):
        raise UserError("nothing of mood is heard in this song")

    index.search = dead
    page = TestClient(build_app(Catalogue(index), Uploads(None, str(tmp_path))), base_url="http://localhost")
    for address in ("/api/search", "/api/search.csv"):
        answer = page.get(address, params={"like": track_id(0), "weights": "mood=1"})
        assert (answer.status_code, answer.json()) == (400, {"error": "nothing of mood is heard in this song"})


def test_get_does_not_upload(page):
    assert page.get("/api/upload").status_code == 405
    assert page.post("/api/search").status_code == 405


def test_without_audio_notions_and_maps_the_page_can_say_so(songs, tmp_path):
    index = Standin(songs, disentangled=False)
    index.map = lambda space: None
    page = TestClient(build_app(Catalogue(index), Uploads(None, str(tmp_path))), base_url="http://localhost")
    about = page.get("/api/about").json()
    assert (about["notions"], about["maps"], about["audio"]) == ([], [], False)
    assert page.get("/audio/0").status_code == 404
    assert page.get("/api/search", params={"like": track_id(0)}).json()["hits"][0]["similarities"] == {}


def test_a_bug_is_told_without_its_traceback(songs, tmp_path):
    index = Standin(songs)
    index.search = lambda *args, **kwargs: 1 / 0
    app = build_app(Catalogue(index), Uploads(None, str(tmp_path)))
    page = TestClient(app, base_url="http://localhost", raise_server_exceptions=False)
    answer = page.get("/api/search", params={"like": track_id(0)})
    assert (answer.status_code, answer.json()) == (500, {"error": "a bug: see the server's output"})


def test_the_document_names_every_address_and_every_field(page):
    text = DOCUMENT.read_text()
    for address in ("about", "tracks", "track", "search", "search.csv", "map", "upload"):
        assert f"/api/{address}`" in text, address
    answers = [
        page.get("/api/about").json(),
        page.get("/api/track?row=0").json(),
        page.get("/api/map").json(),
        page.get("/api/search", params={"like": track_id(0)}).json(),
        page.get("/api/search", params={"like": track_id(0)}).json()["hits"][0],
    ]
    names = {name for answer in answers for name in answer}
    assert names <= set(re.findall(r"`(\w+)`", text))
