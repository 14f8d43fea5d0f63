"""Audio: from below one folder, links resolved; in ranges of bytes; of the right type. Evil paths come to nothing."""

import os

import pytest

from tests.fixtures.page import track_id
from tfmir.corpora.audio_files import AUDIO_SUFFIXES
from tfmir.serving.page.audio import MEDIA_TYPES, audio_path


@pytest.fixture
def house(tmp_path):
    """A folder of audio, a secret beside it, and links: within, out of, and to nothing."""
    inside, outside = tmp_path / "music", tmp_path / "secret"
    for folder in (inside / "deep", outside):
        folder.mkdir(parents=True)
        (folder / "a.wav").write_bytes(b"RIFF")
    (inside / "back\\slash.wav").write_bytes(b"RIFF")
    (inside / "notes.txt").write_text("not audio")
    (inside / "folder.wav").mkdir()
    os.mkfifo(inside / "pipe.wav")
    (inside / "within.wav").symlink_to(inside / "deep/a.wav")
    (inside / "out.wav").symlink_to(outside / "a.wav")
    (inside / "text.wav").symlink_to(inside / "notes.txt")
    (inside / "away").symlink_to(outside)
    (inside / "loop.wav").symlink_to(inside / "loop.wav")
    (tmp_path / "door").symlink_to(inside)
    return tmp_path


def test_what_lies_below_the_folder_is_found_by_links_as_well(house):
    file = house / "music/deep/a.wav"
    assert audio_path(str(house / "music"), "deep/a.wav") == file
    assert audio_path(str(house / "music"), "within.wav") == file
    assert audio_path(str(house / "door"), "deep/a.wav") == file
    assert audio_path(str(house / "music"), "back\\slash.wav").name == "back\\slash.wav"


EVIL = [
    "../secret/a.wav",
    "deep/../../secret/a.wav",
    "{house}/secret/a.wav",
    "/etc/passwd",
    "out.wav",
    "away/a.wav",
    "loop.wav",
    "text.wav",
    "notes.txt",
    "folder.wav",
    "pipe.wav",
    "deep",
    "",
    ".",
    "deep/a.wav\0",
    "a.wav\0.wav",
    "..\\secret\\a.wav",
    "%2e%2e/secret/a.wav",
    "..%2fsecret%2fa.wav",
    "absent.wav",
    "x" * 5000 + ".wav",
]


@pytest.mark.parametrize("path", EVIL)
def test_an_index_that_names_anything_else_gets_nothing(house, path):
    assert audio_path(str(house / "music"), path.format(house=house)) is None


def test_without_a_folder_there_is_no_audio(house):
    assert audio_path("", "deep/a.wav") is None
    assert audio_path(str(house / "gone"), "deep/a.wav") is None


def test_every_kind_of_audio_has_a_type():
    assert set(MEDIA_TYPES) == AUDIO_SUFFIXES
    assert all(kind.startswith("audio/") for kind in MEDIA_TYPES.values())


EVIL_ADDRESSES = [
    "/audio/../../../../etc/passwd",
    "/audio/..%2f..%2f..%2fetc%2fpasswd",
    "/audio/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/audio/%252e%252e%252fetc%252fpasswd",
    "/audio//etc/passwd",
    "/audio/%2fetc%2fpasswd",
    "/audio/..%5c..%5cetc%5cpasswd",
    "/audio/0%00",
    "/audio/0%2f..%2f..%2fetc%2fpasswd",
    "/audio/-1",
    "/audio/40",
    "/audio/1e1",
    "/audio/%C2%B2",
    "/audio/" + "9" * 5000,
    "/audio/songs/00.wav",
    "/audio?id=../../../../etc/passwd",
    "/audio?id=/etc/passwd",
    "/audio?id=songs/../songs/00.wav",
    "/audio?id=songs/00.wav%00",
    "/audio?row=../0",
    "/audio",
    "/static/../api.py",
    "/static/%2e%2e/api.py",
    "/static/..%2fapi.py",
    "/static//etc/passwd",
    "/static/",
    "/static",
]


@pytest.mark.parametrize("address", EVIL_ADDRESSES)
def test_evil_addresses_are_404(page, address):
    """As the client sends them; `test_server.py` sends some as they stand."""
    answer = page.get(address)
    assert answer.status_code == 404, answer.text
    assert set(answer.json()) == {"error"}
    assert "root:" not in answer.text


def test_a_row_and_an_id_lead_to_the_same_bytes(page, songs):
    data = (songs / track_id(6)).read_bytes()
    for answer in (page.get("/audio/6"), page.get("/audio", params={"id": track_id(6)}), page.get("/audio?row=6")):
        assert answer.status_code == 200
        assert answer.content == data
        assert answer.headers["content-type"] == "audio/wav"
        assert answer.headers["accept-ranges"] == "bytes"
        assert "content-encoding" not in answer.headers


RANGES = [
    ("bytes=0-9", 206, slice(0, 10)),
    ("bytes=100-", 206, slice(100, None)),
    ("bytes=-5", 206, slice(-5, None)),
    ("bytes=0-99999999", 206, slice(0, None)),
    ("bytes=99999999-", 416, None),
    ("bytes=-0", 416, None),
]


@pytest.mark.parametrize(("asked", "status", "part"), RANGES)
def test_ranges_of_bytes(page, songs, asked, status, part):
    data = (songs / track_id(0)).read_bytes()
    answer = page.get("/audio/0", headers={"Range": asked})
    assert answer.status_code == status
    if part:
        assert answer.content == data[part]
        first = range(len(data))[part].start
        assert answer.headers["content-range"] == f"bytes {first}-{first + len(data[part]) - 1}/{len(data)}"
    else:
        assert answer.headers["content-range"] == f"bytes */{len(data)}"


def test_head_has_the_length_and_if_range_the_whole_of_another_file(page, songs):
    data = (songs / track_id(0)).read_bytes()
    head = page.head("/audio/0")
    assert (head.status_code, head.content, int(head.headers["content-length"])) == (200, b"", len(data))
    same = {"Range": "bytes=0-9", "If-Range": head.headers["etag"]}
    assert page.get("/audio/0", headers=same).status_code == 206
    other = page.get("/audio/0", headers=same | {"If-Range": '"another"'})
    assert (other.status_code, other.content) == (200, data)
