"""Uploads: bounded in size, time and number; heard one at a time; the file is gone whatever happens."""

import asyncio
import re
import threading
import time

import anyio
import numpy as np
import pytest
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.testclient import TestClient

from tests.fixtures.odd_audio import POISON
from tests.fixtures.page import WEIGHTS, track_id
from tfmir.data.audio import AudioError
from tfmir.data.isolation import decode_isolated
from tfmir.errors import UserError
from tfmir.serving.page.app import build_app
from tfmir.serving.page.embedders import Heard
from tfmir.serving.page.uploads import Uploads


class Ear:
    """Decodes as the real ones do, and hears song 12 in everything that is audio."""

    weights_sha256 = WEIGHTS

    def __init__(self, vector):
        self.vector, self.paths = vector, []

    def hear(self, path):
        self.paths.append(path)
        decode_isolated(path, sample_rate=8000, timeout_secs=20)
        return Heard(self.vector, np.array([0.9, 0.1, 0.1, 0.5], np.float32))


@pytest.fixture
def ear(catalogue):
    return Ear(catalogue.index.embedding(12))


@pytest.fixture
def client(catalogue, songs, tmp_path, ear):
    def make(**limits):
        app = build_app(catalogue, Uploads(ear, str(tmp_path), **limits), audio_dir=str(songs))
        return TestClient(app, base_url="http://127.0.0.1")

    return make


def test_a_song_is_heard_and_its_answer_is_a_question(client, songs, tmp_path, ear):
    page = client()
    data = (songs / track_id(12)).read_bytes()
    answer = page.post("/api/upload", params={"name": "../my =song\n.WAV"}, content=data)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["name"] == r"../my =song\n.WAV"
    assert found["predicted"] == [{"tag": "genre/rock", "score": 0.9}, {"tag": "mood/wild", "score": 0.5}]
    words = {"vector": found["vector"], "space": found["space"], "top": 1}
    assert page.get("/api/search", params=words).json()["hits"][0]["row"] == 12
    (path,) = ear.paths
    assert path.startswith(f"{tmp_path}/upload-")
    assert path.endswith(".wav")
    assert not list(tmp_path.iterdir())


class Deaf(Ear):
    """Looks at the names of files only."""

    def hear(self, path):
        self.paths.append(path)
        return Heard(self.vector, np.zeros(4, np.float32))


def test_a_name_is_no_path(catalogue, tmp_path):
    ear = Deaf(catalogue.index.embedding(0))
    uploads = Uploads(ear, str(tmp_path))
    for name in ("../../etc/passwd", "a.sh", "", "x" * 1000, "a.wav/../b", "\0.wav", "a.wav\0"):
        asyncio.run(heard(uploads, slowly([b"a"], 0), name=name))
    assert len(ear.paths) == 7
    for path in ear.paths:
        assert re.fullmatch(rf"{re.escape(str(tmp_path))}/upload-\w+(\.wav)?", path)


def chunks(count, size=1 << 20):
    for _ in range(count):
        yield b"\0" * size


NO_AUDIO = {
    "nothing": (b"", "empty"),
    "text": (b"not audio", "cannot be heard"),
    "a header only": (b"RIFF" + b"\0" * 100, "cannot be heard"),
}


@pytest.mark.parametrize(("data", "message"), NO_AUDIO.values(), ids=NO_AUDIO)
def test_what_is_no_audio_is_422_and_names_no_path_of_the_server(client, tmp_path, data, message):
    answer = client().post("/api/upload", params={"name": "a.wav"}, content=data)
    assert answer.status_code == 422
    assert message in answer.json()["error"]
    assert str(tmp_path) not in answer.text
    assert not list(tmp_path.iterdir())


def test_too_large_by_its_own_word_or_while_it_is_read_is_413(client, tmp_path, ear):
    page = client(max_bytes=2 << 20)
    told = page.post("/api/upload", content=b"\0" * ((2 << 20) + 1))
    untold = page.post("/api/upload", content=chunks(3))  # chunked: no Content-Length
    lie = page.post("/api/upload", content=chunks(3), headers={"Content-Length": "x"})
    assert [answer.status_code for answer in (told, untold, lie)] == [413, 413, 413]
    assert told.json() == {"error": "the file is larger than 2 MB"}
    assert not ear.paths
    assert not list(tmp_path.iterdir())


def test_a_file_that_kills_its_decoder_costs_one_line(client, tmp_path, monkeypatch, songs):
    """libsndfile is made to crash at the name that every upload has."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(POISON.replace('"poison"', '"upload-"'))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    answer = client().post("/api/upload", params={"name": "a.wav"}, content=(songs / track_id(0)).read_bytes())
    assert answer.status_code == 422
    assert "kills the process that decodes it" in answer.json()["error"]
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


async def slowly(parts, secs):
    for part in parts:
        await asyncio.sleep(secs)
        yield part


def heard(uploads, body, name="a.wav"):
    return uploads.hear(Headers({}), body, name=name)


def test_a_file_that_takes_too_long_to_arrive_is_408(ear, tmp_path):
    uploads = Uploads(ear, str(tmp_path), read_secs=0.05)
    with pytest.raises(HTTPException) as told:
        asyncio.run(heard(uploads, slowly([b"a", b"b"], 1)))
    assert told.value.status_code == 408
    assert not list(tmp_path.iterdir())


class Waiting:
    """Hears nothing until it may go on, and notes how many songs are heard at a time."""

    def __init__(self):
        self.go, self.now, self.most, self.heard = threading.Event(), 0, 0, 0

    def hear(self, path):
        self.now += 1
        self.most = max(self.most, self.now)
        self.go.wait(5)
        time.sleep(0.01)
        self.now -= 1
        self.heard += 1
        return Heard(np.ones(8, np.float32), np.zeros(4, np.float32))


def test_songs_are_heard_one_at_a_time_and_the_fifth_is_asked_to_wait(tmp_path):
    waiting = Waiting()
    uploads = Uploads(waiting, str(tmp_path))

    async def crowd():
        async with anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(heard, uploads, slowly([b"a"], 0))
            await anyio.sleep(0.1)
            with pytest.raises(HTTPException) as told:
                await heard(uploads, slowly([b"a"], 0))
            waiting.go.set()
        return told.value

    refused = asyncio.run(crowd())
    assert (refused.status_code, refused.headers) == (503, {"Retry-After": "10"})
    assert (waiting.heard, waiting.most) == (4, 1)
    asyncio.run(heard(uploads, slowly([b"a"], 0)))  # there is room again
    assert not list(tmp_path.iterdir())


def test_a_sender_that_goes_away_leaves_no_file(tmp_path):
    waiting = Waiting()
    uploads = Uploads(waiting, str(tmp_path))

    async def leave():
        with anyio.move_on_after(0.05):
            await heard(uploads, slowly([b"a", b"b"], 0.04))
        assert not list(tmp_path.iterdir())

    asyncio.run(leave())
    assert uploads._places == 4


def test_a_browser_that_leaves_is_no_bug(tmp_path):
    async def left():
        yield b"a"
        raise ClientDisconnect

    with pytest.raises(HTTPException, match="has left"):
        asyncio.run(heard(Uploads(Waiting(), str(tmp_path)), left()))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("error", "status"), [(AudioError("silence"), 422), (UserError("no answer"), 502)])
def test_what_the_model_says_is_passed_on(tmp_path, error, status):
    class Broken:
        def hear(self, path):
            raise error

    with pytest.raises(HTTPException, match=str(error)) as told:
        asyncio.run(heard(Uploads(Broken(), str(tmp_path)), slowly([b"a"], 0)))
    assert told.value.status_code == status
    assert not list(tmp_path.iterdir())


def test_uploads_that_are_off_read_nothing(page):
    answer = page.post("/api/upload", content=chunks(1))
    assert answer.status_code == 403
    assert "--run or --endpoint" in answer.json()["error"]


def test_another_site_may_not_upload(client, ear):
    answer = client().post("/api/upload", content=b"a", headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403
    assert not ear.paths
