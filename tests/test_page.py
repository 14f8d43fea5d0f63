"""The command: what it refuses, what it says, how it ends. The page itself is in `test_page_in_a_browser.py`."""

import builtins
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import psutil
import pytest

from tests.fixtures.odd_audio import POISON
from tests.fixtures.page import track_id, untrained_run, write_index, write_songs
from tfmir import page
from tfmir.errors import UserError
from tfmir.flags import parse


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Songs, a run and the index of them."""
    folder = tmp_path_factory.mktemp("page")
    write_songs(folder / "songs")
    write_index(folder, folder / "songs", untrained_run(str(folder / "run")))
    return folder


def call(*flags):
    page.main(parse(["tfmir", *map(str, flags)], page.PageParams))


def upload(address, path):
    with contextlib.suppress(OSError):
        urllib.request.urlopen(f"{address}api/upload?name=a.wav", data=path.read_bytes(), timeout=30)


def wait_for(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_it_opens_without_tensorflow_answers_and_ends_at_a_signal(home, tmp_path):
    """Though a song is being heard that hangs its decoder: the exit code is 0, and neither file nor process is left."""
    site = home / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(POISON.replace('"hang"', '"upload-"'))
    words = [
        sys.executable,
        "-X",
        "importtime",
        "-m",
        "tfmir.page",
        f"--index={home}/index",
        f"--run={home}/run",
        "--port=0",
    ]
    environment = os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": f"{site}:{os.getcwd()}"}
    with open(tmp_path / "said", "w") as said:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=said, text=True, env=environment)
    try:
        line = process.stdout.readline()
        address = line.split()[1]
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(
            f"{address}api/search?like={track_id(0)}&weights=mood=1&top=3", timeout=20
        ) as answer:
            assert [hit["row"] for hit in json.load(answer)["hits"]] == [33, 26, 19]
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{address}audio/%2e%2e%2f%2e%2e%2fetc%2fpasswd", timeout=20)
        rebound = urllib.request.Request(address, headers={"Host": "evil.example"})
        with pytest.raises(urllib.error.HTTPError, match="421"):
            urllib.request.urlopen(rebound, timeout=20)
        threading.Thread(target=upload, args=(address, home / "songs" / track_id(0)), daemon=True).start()
        wait_for(psutil.Process(process.pid).children)
        (child,) = psutil.Process(process.pid).children()
    finally:
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=20)
    assert (process.returncode, rest) == (0, "")
    wait_for(lambda: not child.is_running())
    lines = (tmp_path / "said").read_text().splitlines()
    loaded = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
    assert "starlette.applications" in loaded
    assert not [name for name in loaded if name.startswith(("tensorflow", "keras", "librosa"))]
    assert not [line for line in lines if not line.startswith("import time:")]
    assert [path.name for path in tmp_path.iterdir()] == ["said"]


MISTAKES = {
    "no index": ([], "--index is empty"),
    "an index that is not there": (["--index=nowhere"], "nowhere"),
    "a run that is not there": (["--index={home}/index", "--run=nowhere"], "--run=nowhere"),
    "no audio folder": (["--index={home}/index", "--audio_dir=nowhere"], "--audio_dir=nowhere: no such folder"),
    "audio in a store": (["--index={home}/index", "--audio_dir=s3://bucket/a"], "no such folder on this machine"),
    "two that hear": (["--index={home}/index", "--run={home}/run", "--endpoint=http://a:1"], "leave the other out"),
    "nobody at the endpoint": (["--index={home}/index", "--endpoint=http://127.0.0.1:9"], "nobody answers there"),
    "an index in a server": (["--index=qdrant://localhost/music"], "the page needs an index on the disk"),
    "a host of others": (["--index={home}/index", "--host=203.0.113.7"], "--host=203.0.113.7"),
    "a port that is none": (["--index={home}/index", "--port=70000"], "--port=70000 is too large"),
}


@pytest.mark.parametrize(("flags", "message"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_one_line(home, flags, message):
    with pytest.raises(UserError) as told:
        call("--port=0", *(flag.format(home=home) for flag in flags))
    assert message in str(told.value)
    assert "\n" not in str(told.value)


def test_a_port_that_is_taken_is_one_line(home):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"--port={port}: something listens there already"):
            call(f"--index={home}/index", f"--port={port}")


def test_a_run_of_other_weights_is_refused(home, tmp_path):
    other = untrained_run(str(tmp_path / "other"))
    with pytest.raises(UserError, match="--run=.*other has other weights"):
        call(f"--index={home}/index", f"--run={other.path}", "--port=0")


def test_without_the_extra_its_name_is_said(home, monkeypatch):
    for name in [name for name in sys.modules if name.startswith(("tfmir.serving.page", "uvicorn"))]:
        monkeypatch.delitem(sys.modules, name)
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.partition(".")[0] == "uvicorn":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"no uvicorn: the page needs an extra: pip install 'tfmir\[page\]'"):
        call(f"--index={home}/index")


@pytest.fixture
def served(home, monkeypatch):
    """What the command would serve, without serving it."""
    from tfmir.serving.page import server

    found = {}
    monkeypatch.setattr(server, "serve", lambda app, taken, *, host: found.update(app=app, host=host))
    return found


def browser(app):
    from starlette.testclient import TestClient

    return TestClient(app, base_url="http://127.0.0.1")


def api(app):
    return browser(app).get("/api/about").json()


def test_without_a_run_uploads_are_off_and_with_one_they_are_on(home, served):
    call(f"--index={home}/index", "--port=0")
    assert api(served["app"])["uploads"] is False
    call(f"--index={home}/index", f"--run={home}/run", "--port=0")
    assert api(served["app"])["uploads"] is True


def test_a_library_that_has_moved_is_named_anew(home, served, tmp_path, capsys):
    (home / "songs").rename(home / "moved")
    try:
        call(f"--index={home}/index", "--port=0")
        assert "no audio is played" in capsys.readouterr().out
        assert api(served["app"])["audio"] is False
        call(f"--index={home}/index", f"--audio_dir={home}/moved", "--port=0")
        assert api(served["app"])["audio"] is True
    finally:
        (home / "moved").rename(home / "songs")


def test_an_index_that_is_made_anew_under_the_open_page_is_opened_anew(tmp_path, served):
    """With fewer songs, of a run that was trained on: rows are other songs, and uploads are refused."""
    write_songs(tmp_path / "songs")
    run = untrained_run(str(tmp_path / "run"))
    index = write_index(tmp_path, tmp_path / "songs", run)
    call(f"--index={index}", f"--run={run.path}", "--port=0")
    opened = browser(served["app"])
    before = opened.get("/api/about").json()
    assert opened.get("/api/track?row=3").json()["track_id"] == track_id(3)
    other = tmp_path / "other"
    other.mkdir()
    made = write_index(other, other / "songs", untrained_run(str(other / "run")))
    shutil.rmtree(index)
    assert opened.get("/api/about").status_code == 503
    shutil.move(made, index)
    after = opened.get("/api/about").json()
    assert before["index"] != after["index"]
    assert before["space"] != after["space"]
    assert after["audio"] is False  # its library is not there
    assert opened.get("/api/track", params={"row": 3, "index": before["index"]}).status_code == 409
    assert opened.post("/api/upload", content=b"a").status_code == 409


def test_a_hard_link_to_the_song_is_no_hit(tmp_path, served):
    write_songs(tmp_path / "songs")
    index = write_index(tmp_path, tmp_path / "songs", untrained_run(str(tmp_path / "run")))
    (tmp_path / "songs" / track_id(1)).unlink()
    (tmp_path / "songs" / track_id(1)).hardlink_to(tmp_path / "songs" / track_id(0))
    call(f"--index={index}", "--port=0")
    words = {"like": track_id(0), "weights": "genre=1", "top": 2}
    hits = browser(served["app"]).get("/api/search", params=words).json()["hits"]
    assert [hit["row"] for hit in hits] == [2, 3]
