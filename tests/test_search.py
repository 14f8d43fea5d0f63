"""search as a user types it: in a split, in a folder, as a table and as JSON, and its mistakes."""

import json

import pytest

from tests.fixtures.commands import called
from tfmir.errors import UserError


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
        assert score == pytest.approx((genre + mood) / 2, abs=2e-3)
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
