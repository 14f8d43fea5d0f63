"""Putting embeddings into a server: once, in batches, resumed, and never in the place of something else."""

import pytest

from tests.fixtures.embedded import songs, write_set
from tfmir.catalogue.embedded_set import open_set
from tfmir.errors import UserError
from tfmir.searching import qdrant_upload
from tfmir.searching.qdrant import open_server
from tfmir.searching.qdrant_upload import upload

pytest_plugins = ["tests.fixtures.servers"]
ADDRESS = "qdrant://localhost/music"


@pytest.fixture
def sent(qdrant, monkeypatch):
    """Ids of the points of every call."""
    calls, real = [], qdrant.upsert

    def upsert(collection, points, **words):
        calls.append([point.id for point in points])
        return real(collection, points, **words)

    monkeypatch.setattr(qdrant, "upsert", upsert)
    monkeypatch.setattr(qdrant_upload, "_BATCH", 8)
    return calls


def collections(qdrant):
    return [of.name for of in qdrant.get_collections().collections]


def test_an_upload_is_done_once(qdrant, sent, tmp_path, capsys):
    embedded = open_set(write_set(tmp_path / "e", songs(20)))
    upload(embedded, ADDRESS)
    assert sorted(i for call in sent for i in call if isinstance(i, int)) == list(range(20))
    assert max(map(len, sent)) <= 8
    sent.clear()
    upload(embedded, ADDRESS)
    assert not sent
    assert "nothing to do" in capsys.readouterr().out


def test_an_upload_that_was_ended_goes_on_and_is_not_searched_before(qdrant, sent, tmp_path, monkeypatch):
    embedded = open_set(write_set(tmp_path / "e", songs(40), shard=40))
    real = qdrant.upsert

    def stop(collection, points, **words):
        if points[0].id == 24:
            raise KeyboardInterrupt
        return real(collection, points, **words)

    with monkeypatch.context() as patch:
        patch.setattr(qdrant, "upsert", stop)
        with pytest.raises(KeyboardInterrupt):
            upload(embedded, ADDRESS)
    with pytest.raises(UserError, match="no finished index"):
        open_server(ADDRESS)
    sent.clear()
    upload(embedded, ADDRESS)
    assert [i for call in sent for i in call] == list(range(24, 40))
    index = open_server(ADDRESS)
    assert len(index.search(index.embedding(0), weights={}, top=99)) == 40


@pytest.mark.parametrize("ended", ["create_payload_index", "upsert"])
def test_an_upload_that_was_ended_before_the_collection_had_its_card_begins_anew(qdrant, tmp_path, monkeypatch, ended):
    embedded = open_set(write_set(tmp_path / "e", songs(20)))

    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(qdrant, ended, stop)
        with pytest.raises(KeyboardInterrupt):
            upload(embedded, ADDRESS)
    assert collections(qdrant) == [f"music-{embedded.sha256[:12]}"]
    upload(embedded, ADDRESS)
    index = open_server(ADDRESS)
    assert len(index.search(index.embedding(0), weights={}, top=99)) == 20


def test_a_catalogue_that_has_grown_takes_the_place_of_the_old_one(qdrant, tmp_path):
    upload(open_set(write_set(tmp_path / "e", songs(20))), ADDRESS)
    old = open_server(ADDRESS)
    grown = open_set(write_set(tmp_path / "e", songs(30)))
    upload(grown, ADDRESS)
    assert len(open_server(ADDRESS)) == 30
    assert collections(qdrant) == [f"music-{grown.sha256[:12]}"]
    assert len(old) == 20


@pytest.mark.parametrize(
    ("facts", "message"),
    [({"weights": "cd" * 32}, "its weights_sha256 is abab"), ({"library": "/other"}, "its library is /nowhere/music")],
)
def test_another_index_is_not_replaced(qdrant, tmp_path, facts, message):
    upload(open_set(write_set(tmp_path / "a", songs(20))), ADDRESS)
    with pytest.raises(UserError, match=message):
        upload(open_set(write_set(tmp_path / "b", songs(20), **facts)), ADDRESS)
    assert len(open_server(ADDRESS)) == 20


def test_a_collection_of_somebody_else_is_left_alone(qdrant, tmp_path):
    from qdrant_client import models

    qdrant.create_collection("music", vectors_config=models.VectorParams(size=2, distance=models.Distance.DOT))
    with pytest.raises(UserError, match="has a collection of this name that is no index"):
        upload(open_set(write_set(tmp_path / "e", songs(20))), ADDRESS)
    assert collections(qdrant) == ["music"]


def test_a_system_with_one_space_has_one_vector_a_song(qdrant, tmp_path):
    upload(open_set(write_set(tmp_path / "e", songs(20), disentangled=False)), ADDRESS)
    index = open_server(ADDRESS)
    assert index.notions == ()
    assert [hit.row for hit in index.search(index.embedding(3), weights={}, top=1)] == [3]
