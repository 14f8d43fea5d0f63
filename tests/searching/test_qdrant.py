"""The same catalogue in a server and on the disk: the same answers. The server is qdrant-client's in-process mode."""

import socket

import numpy as np
import pytest

from tests.fixtures.embedded import songs, write_set
from tfmir.catalogue.embedded_set import open_set
from tfmir.errors import UserError
from tfmir.searching.index import open_index
from tfmir.searching.index_build import Wanted, build_index
from tfmir.searching.qdrant import connect, is_server, open_server
from tfmir.searching.qdrant_upload import upload

pytest_plugins = ["tests.fixtures.servers"]
ADDRESS = "qdrant://localhost:6333/music"


@pytest.fixture
def both(qdrant, tmp_path):
    of = songs(80)
    of.vectors[30:36] = of.vectors[20]
    embedded = open_set(write_set(tmp_path / "e", of))
    upload(embedded, ADDRESS)
    return open_server(ADDRESS), open_index(str(build_index(embedded, str(tmp_path / "i"), Wanted(maps="none"))))


WEIGHTS = [{}, {"mood": 1.0}, {"mood": 1.0, "genre": 0.2}, {"mood": -1.0, "era": 0.5}]
ASKED = [
    {},
    {"tags": ["genre/rock"]},
    {"tags": ["genre/rock", "era/60s"], "artist": "Artist 3"},
    {"artist": "ARTIST  3"},
    {"diverse": True, "tags": ["mood/wild"]},
]


def test_a_server_answers_as_the_disk_does(both):
    server, disk = both
    assert len(server) == len(disk)
    assert (server.card, server.notions, server.library) == (disk.card, disk.notions, disk.library)
    assert server.weights_sha256 == disk.weights_sha256
    for weights in WEIGHTS:
        for asked in ASKED:
            for like in (7, 20):
                query = disk.embedding(like)
                np.testing.assert_array_equal(server.embedding(like), query)
                found, wanted = (of.search(query, weights=weights, top=9, exclude=[like], **asked) for of in both)
                assert [hit.row for hit in found] == [hit.row for hit in wanted]
                assert [(hit.track_id, hit.artist, hit.tags) for hit in found] == [
                    (hit.track_id, hit.artist, hit.tags) for hit in wanted
                ]
                np.testing.assert_allclose([hit.score for hit in found], [hit.score for hit in wanted], atol=1e-6)
                for hit, other in zip(found, wanted, strict=True):
                    assert hit.similarities == pytest.approx(other.similarities, abs=1e-6)


def test_tags_that_no_track_has_together_find_nothing(both, qdrant, monkeypatch):
    """A real server refuses a limit of 0, which its stand-in takes."""
    monkeypatch.setattr(qdrant, "query_points", None)
    for of in both:
        assert of.search(of.embedding(1), weights={}, top=3, tags=["genre/rock", "genre/jazz"]) == []


def test_songs_are_known_by_their_names(both, tmp_path):
    for of in both:
        assert of.rows_of("album 1/0013.flac") == (13,)
        assert of.rows_of("nowhere") == ()


@pytest.mark.parametrize(
    "asked", [{"tags": ["rock"]}, {"tags": ["mood/clam"]}, {"artist": "Artist X"}, {"artist": "Q"}, {"tags": ["x"]}]
)
def test_what_is_unknown_is_refused_in_the_same_words(both, asked):
    said = []
    for of in both:
        with pytest.raises(UserError) as told:
            of.search(of.embedding(0), weights={}, top=3, **asked)
        said.append(str(told.value))
    assert sorted(said[0].split()) == sorted(said[1].split()) or "did you mean" in said[0]


def test_a_server_without_the_index_says_how_to_make_it(qdrant):
    with pytest.raises(
        UserError, match=r"no finished index 'music': make it with .* --store=qdrant://localhost:6333/music"
    ):
        open_server(ADDRESS)


def test_addresses():
    assert is_server("qdrants://cloud.example/x")
    assert not is_server("music/qdrant")
    for address in ("qdrant://", "qdrant://host:port", "qdrant://host/a/b", "http://host"):
        with pytest.raises(UserError, match="no address such as qdrant://localhost:6333/music"):
            connect(address)


def test_a_server_that_is_not_there_is_one_line():
    pytest.importorskip("qdrant_client", reason="needs the extra `qdrant`")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"qdrant://127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(UserError, match="no Qdrant server answers") as told:
            open_server(address)
    assert "\n" not in str(told.value)


def test_without_the_client_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "qdrant_client", None)
    with pytest.raises(UserError, match=r"pip install 'tfmir\[qdrant\]'"):
        connect(ADDRESS)
