"""index as a user types it, and its mistakes."""

import os

import pytest

from tests.fixtures.commands import called
from tests.fixtures.embedded import songs, write_set
from tfmir.errors import UserError
from tfmir.searching.index import open_index
from tfmir.searching.qdrant import open_server

pytest_plugins = ["tests.fixtures.servers"]


@pytest.fixture
def embeddings(tmp_path):
    return write_set(tmp_path / "e", songs(30))


@pytest.mark.parametrize("kind", ["exact", "hnsw"])
def test_embeddings_become_an_index_with_maps(embeddings, tmp_path, capsys, kind):
    called("index", f"--embeddings={embeddings}", f"--output={tmp_path}/i", f"--kind={kind}", "--map_sample=20")
    assert f"30 tracks: python -m tfmir.search --index={tmp_path}/i --like=<track>" in capsys.readouterr().out
    index = open_index(f"{tmp_path}/i")
    assert len(index) == 30
    assert all(index.map(space) is not None for space in ("whole", "genre", "mood", "era"))
    graphs = {f"graph-{space}.faiss" for space in ("whole", "genre", "mood", "era")}
    assert {name for name in os.listdir(tmp_path / "i") if name.startswith("graph")} == (
        graphs if kind == "hnsw" else set()
    )


def test_maps_can_be_left_out(embeddings, tmp_path):
    called("index", f"--embeddings={embeddings}", f"--output={tmp_path}/i", "--maps=none")
    assert not [name for name in os.listdir(tmp_path / "i") if name.startswith("map")]


def test_a_server_takes_the_place_of_a_folder(qdrant, embeddings, capsys):
    called("index", f"--embeddings={embeddings}", "--store=qdrant://localhost:6333")
    assert "--index=qdrant://localhost:6333 --like=<track>" in capsys.readouterr().out
    assert len(open_server("qdrant://localhost:6333")) == 30


MISTAKES = [
    ([], "--embeddings is empty"),
    (["--embeddings=nowhere", "--output=i"], "nowhere: there is no embeddings.json in it"),
    (["--embeddings={e}"], "--output is empty"),
    (["--embeddings={e}", "--output={e}"], "holds something that is no index"),
    (["--embeddings={e}", "--output=s3://bucket/i"], "name a local folder"),
    (["--embeddings={e}", "--output=i", "--store=qdrant://host"], "--store and --output"),
    (["--embeddings={e}", "--store=qdrant://host", "--kind=hnsw"], "--kind and --store: a server's searches are exact"),
    (["--embeddings={e}", "--store=qdrant://host", "--maps=none"], "--maps and --store"),
    (["--embeddings={e}", "--store=qdrant://host", "--map_sample=9"], "--map_sample and --store"),
    (["--embeddings={e}", "--output=."], "--output=.: an index is moved into its place"),
    (["--embeddings={e}", "--store=host:6333"], "no address such as qdrant://localhost:6333/music"),
    (["--embeddings={e}", "--output=i", "--kind=ivf"], "--kind=ivf is none of exact, hnsw"),
    (["--embeddings={e}", "--output=i", "--map_sample=3"], "--map_sample=3 is too small"),
]


@pytest.mark.parametrize(("flags", "message"), MISTAKES)
def test_mistakes_are_one_line(embeddings, tmp_path, monkeypatch, flags, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as told:
        called("index", *(flag.format(e=embeddings) for flag in flags))
    assert message in str(told.value)
    assert "\n" not in str(told.value)
