"""An index that is made anew under the open page: every answer is of one index, the one on the disk, and says which."""

import numpy as np
import pytest
from starlette.responses import JSONResponse
from starlette.testclient import TestClient

from tests.fixtures.page import Standin, track_id, tracks
from tfmir.errors import UserError
from tfmir.serving.page.app import build_app
from tfmir.serving.page.catalogue import Catalogue
from tfmir.serving.page.current import TOKEN_HEADER, Current, Shown
from tfmir.serving.page.embedders import Heard
from tfmir.serving.page.uploads import Uploads


class Disk:
    """What is in the index' folder, by number; each is opened once and is current while nothing is written over it."""

    def __init__(self, songs):
        self.songs, self.written, self.opened = songs, 0, 0

    def write(self):
        self.written += 1

    def open(self):
        """Every second index has the songs the other way round, and half of them."""
        number = self.written
        index = Standin(self.songs, table=tracks().take(list(range(39, 19, -1))) if number % 2 else None)
        index.vectors = index.vectors[39:19:-1] if number % 2 else index.vectors
        index.map = lambda space: index.vectors[:, :2]
        index.is_current = lambda: number == self.written
        self.opened += 1
        return Shown(Catalogue(index), str(self.songs))


@pytest.fixture
def disk(songs):
    return Disk(songs)


@pytest.fixture
def page(disk, tmp_path):
    return opened(disk, Uploads(None, str(tmp_path)))


def opened(disk, uploads):
    app = build_app(disk.open().catalogue, uploads, audio_dir=str(disk.songs), reopen=lambda: disk.open())
    return TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False)


def test_an_index_that_was_made_anew_is_opened_once_and_its_rows_have_another_token(page, disk):
    before = page.get("/api/about")
    disk.write()
    after = page.get("/api/about")
    assert (before.json()["tracks"], after.json()["tracks"]) == (40, 20)
    tokens = [answer.headers[TOKEN_HEADER] for answer in (before, after)]
    assert tokens == [before.json()["index"], after.json()["index"]]
    assert tokens[0] != tokens[1]
    assert page.get("/api/track", params={"id": track_id(39)}).json()["row"] == 0
    assert page.get("/api/map").headers[TOKEN_HEADER] == tokens[1]
    assert page.get("/api/track", params={"id": track_id(0)}).headers[TOKEN_HEADER] == tokens[1]  # a refusal
    assert disk.opened == 2


def test_rows_of_the_index_before_are_refused_and_ids_are_not(page, disk):
    token = page.get("/api/about").json()["index"]
    words = {"row": 3, "index": token}
    assert page.get("/api/track", params=words).json()["track_id"] == track_id(3)
    disk.write()
    for address in ("/api/track", "/audio/3"):
        answer = page.get(address, params=words)
        assert (answer.status_code, answer.headers[TOKEN_HEADER] == token) == (409, False)
    heard = page.get("/audio", params={"id": track_id(30)}).content
    assert heard == (disk.songs / track_id(30)).read_bytes()


@pytest.mark.parametrize("error", [UserError("the index was made anew"), FileNotFoundError("map-whole.npy")])
def test_what_goes_wrong_as_the_index_changes_is_asked_again(disk, error):
    current = Current(disk.open(), disk.open)
    asked = []

    def work(shown):
        asked.append(shown)
        if len(asked) == 1:
            disk.write()
            raise error
        return JSONResponse(len(shown.catalogue))

    assert current.answered(work).body == b"20"
    assert asked[0].token != asked[1].token


def test_an_answer_during_which_the_index_has_changed_is_not_given(disk):
    current, tries = Current(disk.open(), disk.open), []

    def once(shown):
        if not tries:
            disk.write()
        tries.append(len(shown.catalogue))
        return JSONResponse(tries[-1])

    assert current.answered(once).body == b"20"
    assert tries == [40, 20]


def test_an_index_that_never_rests_or_cannot_be_opened_is_503(page, disk, monkeypatch):
    real = Catalogue.row_of
    monkeypatch.setattr(Catalogue, "row_of", lambda self, like: (disk.write(), real(self, like))[1])
    answer = page.get("/api/track", params={"id": track_id(30)})
    assert (answer.status_code, "made anew" in answer.json()["error"]) == (503, True)
    monkeypatch.undo()

    def gone():
        raise UserError("index/a holds no index:\nmake it")

    disk.open = gone
    disk.write()
    answer = page.get("/api/about")
    assert answer.status_code == 503
    assert answer.json()["error"].startswith("index/a holds no index:")
    assert "\n" not in answer.json()["error"]
    del disk.open
    assert page.get("/api/about").status_code == 200


def test_without_a_way_to_open_it_anew_a_changed_index_is_not_answered_from(disk, tmp_path):
    app = build_app(disk.open().catalogue, Uploads(None, str(tmp_path)))
    disk.write()
    answer = TestClient(app, base_url="http://127.0.0.1").get("/api/about")
    assert (answer.status_code, answer.json()) == (503, {"error": "the index was made anew: start the page again"})


class Ear:
    """Hears whatever there is; meanwhile the index may change."""

    def __init__(self, sha256, meanwhile=lambda: None):
        self.weights_sha256, self.meanwhile, self.heard = sha256, meanwhile, 0

    def hear(self, path):
        self.heard += 1
        self.meanwhile()
        return Heard(np.ones(8, np.float32), np.ones(4, np.float32))


def test_an_upload_is_refused_where_the_index_has_other_weights_than_what_hears_it(disk, tmp_path):
    known = disk.open().catalogue.index.weights_sha256
    first, other = disk.open, "cd" * 32

    def reopened():
        shown = first()
        shown.catalogue.index.weights_sha256 = known if disk.written == 1 else other
        return shown

    disk.open, ear = reopened, Ear(known)
    disk.written = 1
    page = opened(disk, Uploads(ear, str(tmp_path)))
    assert page.post("/api/upload", content=b"a").status_code == 200
    ear.meanwhile = disk.write
    for heard in (2, 2):  # the second is not even taken in
        answer = page.post("/api/upload", content=b"a")
        assert (answer.status_code, ear.heard) == (409, heard)
        assert "other weights" in answer.json()["error"]
