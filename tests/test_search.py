"""search as a user types it: in a split, in a folder, as a table and as JSON, and its mistakes."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import types

import numpy as np
import pytest

from tests.fixtures.commands import called
from tests.fixtures.embedded import songs, write_set
from tfmir import files
from tfmir.catalogue.embedded_set import open_set
from tfmir.errors import UserError
from tfmir.inference.audio import embed_file
from tfmir.searching.index_build import Wanted, build_index
from tfmir.searching.qdrant_upload import upload

pytest_plugins = ["tests.fixtures.servers"]


def cells(line):
    return line.split()


def test_by_mood_in_a_split_as_a_table_and_as_json(readme, monkeypatch, capsys):
    monkeypatch.chdir(readme.folder)
    called("search", "--run=runs/proxy", "--library=test", "--like=test/00002.flac", "--weights=mood=1", "--json")
    found = json.loads(capsys.readouterr().out)
    scores = [hit["score"] for hit in found["results"]]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == pytest.approx(found["results"][0]["similarities"]["mood"], abs=1e-5)
    table = readme.said("--like=test/00002.flac")
    assert all(hit["track_id"] in table for hit in found["results"])
    assert "test/00002.flac" not in [hit["track_id"] for hit in found["results"]]


def test_a_table_has_a_row_a_hit_with_the_cosine_of_every_notion_and_its_tags(run, capsys):
    called("search", f"--run={run.path}", "--like=03.flac", "--top=2")
    first, head, *rows = capsys.readouterr().out.splitlines()
    assert first == "like 03.flac  (genre/rock, mood/calm)"
    assert cells(head) == ["track", "score", "genre", "mood", "tags"]
    assert [row[0] for row in map(cells, rows)] == ["1.", "2."]
    for row in map(cells, rows):
        score, genre, mood = map(float, row[2:5])
        assert score == pytest.approx((genre + mood) / 2, abs=0.02)  # of parts whose norms differ a little
        assert row[5].startswith("genre/")


def test_a_folder_is_embedded_once_and_a_file_in_it_is_found_by_its_own_sound(run, audio_folder, tmp_path, capsys):
    """A copy of 00.flac sounds like it: the first hit, at a cosine of 1."""
    music = tmp_path / "music"
    music.mkdir()
    for name in ("00.flac", "05.flac", "08.flac"):
        (music / name).write_bytes((audio_folder / name).read_bytes())
    like = tmp_path / "copy.flac"
    like.write_bytes((audio_folder / "00.flac").read_bytes())
    flags = [f"--run={run.path}", f"--library={music}", f"--like={like}", "--weights=genre=1", "--json"]
    called("search", *flags)
    found = json.loads(capsys.readouterr().out)
    assert (found["like"], found["weights"]) == (str(like), {"genre": 1.0})
    assert [hit["rank"] for hit in found["results"]] == [1, 2, 3]
    assert found["results"][0]["track_id"] == "00.flac"
    assert found["results"][0]["score"] == pytest.approx(1.0, abs=1e-5)
    kept = {path: path.stat().st_mtime_ns for path in (run.path / "library").rglob("*") if path.is_file()}
    assert kept
    called("search", *flags)
    assert json.loads(capsys.readouterr().out) == found
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_a_tilde_is_the_home(run, audio_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "music").mkdir()
    for name in ("00.flac", "05.flac"):
        (tmp_path / "music" / name).write_bytes((audio_folder / name).read_bytes())
    called("search", f"--run={run.path}", "--library=~/music", "--like=~/music/00.flac", "--json")
    assert [hit["track_id"] for hit in json.loads(capsys.readouterr().out)["results"]] == ["05.flac"]
    called("search", f"--run={run.path}", "--library=~/music", "--like=~/music/00.flac", "--top=1")
    _, _, *rows = capsys.readouterr().out.splitlines()
    assert [cells(row)[:2] for row in rows] == [["1.", "05.flac"]]


MISTAKES = [
    ([], "--like is empty"),
    (["--like=nowhere.mp3"], "neither a file nor a track of the library (03.flac, …)"),
    (["--like=README.md"], "--like=README.md: "),
    (["--like=launch"], "--like=launch: "),
    (["--like=03.flac", "--weights=tempo=1"], "no notion 'tempo'"),
    (["--like=03.flac", "--weights=mood"], "mood"),
    (["--like=03.flac", "--weights=mood=loud"], "loud"),
    (["--like=03.flac", "--weights=mood=inf"], "must be a finite number"),
    (["--like=03.flac", "--weights=mood=1e39"], "a weight is at most 1e+06"),
    (["--like=03.flac", "--weights=mood=1,mood=2"], "'mood' has two weights"),
    (["--like=~nobody/a.flac"], "neither a file nor a track of the library"),
    (["--like=03.flac", "--library=nowhere"], "neither a folder nor a split"),
    (["--like=03.flac", "--library=launch"], "launch"),
    (["--like=03.flac", "--top=0"], "--top=0 is too small"),
    (["--like=03.flac", "--run="], "no run given"),
    (["--like=03.flac", "--run=nowhere"], "nowhere"),
]


@pytest.mark.parametrize(("flags", "message"), MISTAKES)
def test_mistakes_are_one_line(run, repository, flags, message, monkeypatch, capsys):
    monkeypatch.chdir(repository)
    with pytest.raises(UserError) as told:
        called("search", f"--run={run.path}", *flags)
    assert message in str(told.value)
    assert "\n" not in str(told.value)
    assert not capsys.readouterr().out


NAMES = ["00.flac", "03.flac", "05.flac", "08.flac", "11.flac"]


@pytest.fixture(scope="module")
def indexed(run, system, audio_folder, tmp_path_factory):
    """Five songs that the run has embedded, and their index; 11.flac is by the artist of 03.flac."""
    here = tmp_path_factory.mktemp("indexed")
    (here / "music").mkdir()
    of = songs(len(NAMES), dim=16, notions=run.vocabulary.to_dict())
    for row, name in enumerate(NAMES):
        shutil.copy(audio_folder / name, here / "music" / name)
        of.vectors[row] = embed_file(system, str(audio_folder / name))
    of.ids = of.paths = NAMES
    of.stamps = [(status.st_mtime_ns, status.st_size) for status in (os.stat(here / "music" / name) for name in NAMES)]
    of.tags = [["genre/rock"], ["genre/rock", "mood/calm"], ["genre/jazz"], ["genre/rock"], []]
    of.artists = ["a", "b", "a", "", "b"]
    weights = files.sha256(run.best_weights)
    facts = {"notions": run.vocabulary.to_dict(), "library": here / "music", "weights": weights}
    embedded = open_set(write_set(here / "e", of, **facts))
    build_index(embedded, str(here / "i"), Wanted(maps="none"))
    return here


def found(capsys, *flags):
    called("search", *flags, "--json")
    return json.loads(capsys.readouterr().out)


def test_an_index_answers_as_its_library_does(run, indexed, capsys):
    """To the rounding of float16; the song itself is left out in both."""
    flags = [f"--like={indexed}/music/03.flac", "--weights=mood=1,genre=0.2"]
    of_index = found(capsys, f"--index={indexed}/i", *flags)
    of_library = found(capsys, f"--run={run.path}", f"--library={indexed}/music", *flags)
    assert {name: of_index[name] for name in ("like", "weights")} == {
        name: of_library[name] for name in ("like", "weights")
    }
    assert [hit["track_id"] for hit in of_index["results"]] == [hit["track_id"] for hit in of_library["results"]]
    for hit, other in zip(of_index["results"], of_library["results"], strict=True):
        assert list(hit) == list(other) == ["rank", "track_id", "score", "similarities", "tags", "artist"]
        assert hit["score"] == pytest.approx(other["score"], abs=2e-3)
        assert hit["similarities"] == pytest.approx(other["similarities"], abs=2e-3)
    assert of_index["results"][0]["artist"] in ("a", "b", "")


def test_an_index_as_a_table_has_a_column_of_artists(indexed, capsys):
    called("search", f"--index={indexed}/i", "--like=03.flac", "--top=9")
    first, head, *rows = capsys.readouterr().out.splitlines()
    assert first == "like 03.flac  (genre/rock, mood/calm)"
    assert cells(head) == ["track", "score", "genre", "mood", "artist", "tags"]
    assert sorted(cells(row)[1] for row in rows) == [name for name in NAMES if name != "03.flac"]
    assert {len(row[: row.rindex("  ")]) for row in rows} == {len(head) - len("  tags")}


def test_filters_and_one_of_each_artist(indexed, capsys):
    index = f"--index={indexed}/i"
    names = [hit["track_id"] for hit in found(capsys, index, "--like=05.flac", "--tags=genre/rock")["results"]]
    assert sorted(names) == ["00.flac", "03.flac", "08.flac"]
    both = found(capsys, index, "--like=05.flac", "--tags=genre/rock, mood/calm", "--artist=B")
    assert [hit["track_id"] for hit in both["results"]] == ["03.flac"]
    artists = [hit["artist"] for hit in found(capsys, index, "--like=05.flac", "--diverse")["results"]]
    assert sorted(artists) == ["", "a", "b"]


def test_a_file_that_is_not_in_the_index_is_embedded_by_its_run(run, indexed, audio_folder, capsys):
    """A copy sounds like the song that is in the index."""
    answer = found(capsys, f"--index={indexed}/i", f"--run={run.path}", f"--like={audio_folder}/08.flac")
    assert answer["results"][0]["track_id"] == "08.flac"
    assert answer["results"][0]["score"] == pytest.approx(1.0, abs=2e-3)
    assert len(answer["results"]) == len(NAMES)


def test_a_file_that_has_changed_is_heard_anew_or_said_to_be_older(run, indexed, audio_folder, tmp_path, capsys):
    """08.flac is in the place of 03.flac now, and an index of its own library has the old one."""
    shutil.copytree(indexed / "music", tmp_path / "music")
    shutil.copytree(indexed / "i", tmp_path / "i")
    header = json.loads((tmp_path / "i/index.json").read_text())
    (tmp_path / "i/index.json").write_text(json.dumps(header | {"library": str(tmp_path / "music")}))
    flags = [f"--index={tmp_path}/i", f"--like={tmp_path}/music/03.flac"]
    called("search", *flags, "--json")
    before = capsys.readouterr()
    assert "changed" not in before.err
    shutil.copy(audio_folder / "08.flac", tmp_path / "music/03.flac")
    called("search", *flags, "--json")
    older = capsys.readouterr()
    assert older.out == before.out
    (line,) = [line for line in older.err.splitlines() if "changed" in line]
    assert f"--like={tmp_path}/music/03.flac has changed since it was indexed" in line
    called("search", *flags, f"--run={run.path}", "--json")
    heard = capsys.readouterr()
    results = json.loads(heard.out)["results"]
    assert "changed" not in heard.err
    assert (results[0]["track_id"], results[0]["score"]) == ("08.flac", pytest.approx(1.0, abs=2e-3))
    assert "03.flac" not in [hit["track_id"] for hit in results]


@dataclasses.dataclass
class FakeClient:
    """Stands for a server of the index's weights, or of others."""

    endpoint: str
    model: str

    @classmethod
    def of(cls, endpoint, model):
        return cls(endpoint, model)

    def refuse_other_weights(self, sha256):
        if "other" in self.endpoint:
            raise UserError(f"{self.endpoint} serves other weights than the index's")

    def embed_file(self, path):
        return types.SimpleNamespace(embedding=np.eye(16, dtype=np.float32)[0], valid=True)


@pytest.fixture
def served(monkeypatch):
    monkeypatch.setitem(sys.modules, "tfmir.serving.client", types.SimpleNamespace(Client=FakeClient))


def test_a_server_embeds_what_is_not_in_the_index(served, indexed, audio_folder, capsys):
    answer = found(capsys, f"--index={indexed}/i", "--endpoint=http://host:8501", f"--like={audio_folder}/08.flac")
    scores = [hit["score"] for hit in answer["results"]]
    assert len(scores) == len(NAMES)
    assert scores == sorted(scores, reverse=True)


def test_a_qdrant_server_answers_alike(qdrant, indexed, capsys):
    upload(open_set(f"{indexed}/e"), "qdrant://host/music")
    flags = [f"--like={indexed}/music/03.flac", "--weights=mood=1", "--tags=genre/rock"]
    a, b = found(capsys, "--index=qdrant://host/music", *flags), found(capsys, f"--index={indexed}/i", *flags)
    assert [hit["track_id"] for hit in a["results"]] == [hit["track_id"] for hit in b["results"]]


def test_an_index_answers_without_tensorflow(indexed, repository):
    words = [sys.executable, "-X", "importtime", "-m", "tfmir.search", f"--index={indexed}/i", "--diverse"]
    words += [f"--like={indexed}/music/03.flac", "--weights=mood=1"]
    result = subprocess.run(words, capture_output=True, text=True, cwd=repository, check=True)
    assert "00.flac" in result.stdout
    loaded = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
    assert "faiss" in loaded
    heavy = ("tensorflow", "keras", "librosa", "sklearn", "soundfile", "qdrant", "matplotlib", "numba")
    assert not [name for name in loaded if name.startswith(heavy)]


OF_INDEX = [
    (["--like=nowhere.mp3"], "--like=nowhere.mp3 is neither a file nor a track of the index (of "),
    (["--like={audio}/08.flac"], "is not in the index: name what embeds it, with --run="),
    (["--like=03.flac", "--weights=tempo=1"], "no notion 'tempo'"),
    (["--like=03.flac", "--tags=rock"], "no tag 'rock': did you mean genre/rock?"),
    (["--like=03.flac", "--artist=zz"], "--artist=zz: no such artist"),
    (["--like=03.flac", "--index=nowhere"], "--index=nowhere: no index.json in it"),
    (["--like=03.flac", "--index={here}/e"], "holds embeddings: index them with"),
    (["--like=03.flac", "--run=nowhere"], "nowhere"),
    (["--like=03.flac", "--endpoint=http://other"], "http://other serves other weights"),
    (["--like=03.flac", "--endpoint=http://host", "--run=x"], "--run and --endpoint: one of them embeds"),
    (["--like=03.flac", "--library=train"], "--library and --index: the index is searched instead"),
    (["--like=03.flac", "--records=r"], "--records and --index: the index is searched instead"),
    (["--like=03.flac", "--index="], "no run given"),
    (["--like=03.flac", "--index=", "--diverse"], "--diverse needs --index"),
    (["--like=03.flac", "--index=", "--endpoint=http://host"], "--endpoint needs --index"),
    (["--like=README.md", "--run={run}"], "--like=README.md: "),
]


@pytest.mark.parametrize(("flags", "message"), OF_INDEX)
def test_mistakes_with_an_index_are_one_line(
    served, run, indexed, audio_folder, repository, flags, message, monkeypatch
):
    monkeypatch.chdir(repository)
    named = {"here": indexed, "audio": audio_folder, "run": run.path}
    with pytest.raises(UserError) as told:
        called("search", f"--index={indexed}/i", *(flag.format(**named) for flag in flags))
    assert message in str(told.value)
    assert "\n" not in str(told.value)


def test_an_index_of_other_weights_than_the_runs_is_refused(run, indexed, tmp_path):
    """Also where the song is in the index and nothing has to be embedded."""
    index = shutil.copytree(indexed / "i", tmp_path / "i")
    header = json.loads((index / "index.json").read_text())
    (index / "index.json").write_text(json.dumps(header | {"weights_sha256": "ab" * 32}))
    with pytest.raises(UserError, match="the index was made with abababababab…: name the run that made it"):
        called("search", f"--index={index}", f"--run={run.path}", "--like=03.flac")
