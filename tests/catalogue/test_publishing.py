"""Shards from parts and older shards, and a publication that is cut off anywhere."""

import os

import pytest

from tests.catalogue.test_embeddings import row
from tfmir import files
from tfmir.catalogue import publishing
from tfmir.catalogue.embeddings import MARK, read_embeddings, to_table, write_table
from tfmir.catalogue.parts import shard_index
from tfmir.catalogue.publishing import Labels, Source, finish, publish, shard_span
from tfmir.catalogue.songs import Song
from tfmir.errors import UserError

IDS = [f"{i}.mp3" for i in range(9)]
SONGS = {name: Song(name, 1, 2) for name in IDS}
SAID = {
    "schema_version": 1,
    "library": "/music",
    "tracks": 0,
    "rejected": 0,
    "dim": 4,
    "weights_sha256": "a",
    "card": {},
}


def rows(names, **more):
    return to_table([row(name, [1, 0, 0, 0], **{"mtime_ns": 1, "size": 2} | more) for name in names], dim=4)


@pytest.fixture
def three(monkeypatch):
    """Three songs a shard."""
    monkeypatch.setattr(publishing, "_SONGS_PER_SHARD", 3)


def sources(folder, count):
    """The songs in so many files, as shards hold them, in no order."""
    found = []
    for index in range(count):
        path = folder / f"{count}-{index}"
        write_table(path, rows([name for name in IDS[::-1] if shard_index(name, count) == index]))
        found.append(Source(path, *shard_span(index, count)))
    return found


def made(folder, of, **more):
    return publish(folder, of, SONGS, more.pop("labels", {}), SAID | more, excerpts=False)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_shards_are_the_same_whatever_files_the_rows_come_from(tmp_path, three, snapshot, count):
    made(tmp_path / "a", sources(tmp_path, 3))
    said = made(tmp_path / "b", sources(tmp_path, count))
    assert snapshot(tmp_path / "a") == snapshot(tmp_path / "b")
    assert said["tracks"] == 9
    assert [shard["file"] for shard in said["shards"]] == [f"embeddings-0000{i}-of-00003.parquet" for i in range(3)]
    found = read_embeddings(tmp_path / "b").table.column("track_id").to_pylist()
    assert sorted(found) == IDS
    expected = [name for index in range(3) for name in IDS if shard_index(name, 3) == index]
    assert found == expected


def test_rows_of_songs_that_went_or_changed_are_left_out(tmp_path):
    write_table(tmp_path / "x", rows(["0.mp3", "gone.mp3"]))
    write_table(tmp_path / "y", rows(["1.mp3"], size=99))
    both = [Source(tmp_path / name, 0.0, 1.0) for name in "xy"]
    made(tmp_path / "set", both, labels={"0.mp3": Labels("X", ("mood/calm",))})
    (only,) = read_embeddings(tmp_path / "set").table.to_pylist()
    assert (only["track_id"], only["artist"], only["tags"]) == ("0.mp3", "X", ["mood/calm"])


def test_only_the_shards_of_the_set_before_are_removed(tmp_path, three):
    mine = ("embeddings-mine.parquet", "embeddings-00007-of-00009.parquet")
    (tmp_path / "set").mkdir()
    for name in mine:
        (tmp_path / "set" / name).write_text("mine")
    made(tmp_path / "set", sources(tmp_path, 1), rejected=5)
    made(tmp_path / "set", sources(tmp_path, 2))
    shards = {f"embeddings-0000{i}-of-00003.parquet" for i in range(3)}
    assert {path.name for path in (tmp_path / "set").iterdir()} == {*mine, *shards, MARK}
    assert "replaced" not in files.read_json(tmp_path / "set" / MARK)


def places(folder):
    """What tells a file that was written again from one that was not."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()}


def test_the_same_shards_are_left_where_they_are(tmp_path, three):
    """The mark too, unless something else in it is new; what is damaged is put in its place again."""
    made(tmp_path / "set", sources(tmp_path, 1), rejected=1)
    before = places(tmp_path / "set")
    own = [Source(tmp_path / "set" / name, 0.0, 1.0) for name in sorted(set(before) - {MARK})]
    made(tmp_path / "set", own, rejected=1)
    assert places(tmp_path / "set") == before
    assert made(tmp_path / "set", own, rejected=0)["rejected"] == 0
    after = places(tmp_path / "set")
    assert after.pop(MARK) != before.pop(MARK)
    assert after == before
    own[0].path.write_text("damaged")
    made(tmp_path / "set", [*own[1:], *sources(tmp_path, 3)[:1]])
    assert read_embeddings(tmp_path / "set").table.num_rows == 9


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("steps", range(8))
def test_cut_off_anywhere_there_is_the_old_set_or_none_and_then_the_new_one(
    tmp_path, three, snapshot, monkeypatch, steps
):
    """After so many renames; the old set has another number of shards."""
    made(tmp_path / "set", sources(tmp_path, 1), rejected=5)
    old = snapshot(tmp_path / "set")
    made(tmp_path / "expected", sources(tmp_path, 2))
    before, done, replace = sources(tmp_path, 2), [], os.replace

    def replacing(source, target):
        if len(done) == steps:
            raise Killed
        done.append(target)
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replacing)
        try:
            made(tmp_path / "set", before)
        except Killed:
            kept = {name: data for name, data in snapshot(tmp_path / "set").items() if name.parts[0] != ".build"}
            if (tmp_path / "set" / MARK).exists():
                assert kept == old
            else:
                with pytest.raises(UserError, match="unfinished"):
                    read_embeddings(tmp_path / "set")
    finish(tmp_path / "set")
    if (tmp_path / "set/.build/shards").exists():
        made(tmp_path / "set", before)
    files.remove_tree(tmp_path / "set/.build")
    assert snapshot(tmp_path / "set") in (old, snapshot(tmp_path / "expected"))
    if steps >= 4:  # three shards and the plan are written
        assert snapshot(tmp_path / "set") == snapshot(tmp_path / "expected")


def test_a_part_that_is_damaged_is_named_and_made_anew_next_time(tmp_path):
    (tmp_path / "x").write_text("no rows")
    with pytest.raises(UserError, match="x: damaged while it was needed: give the command again"):
        made(tmp_path / "set", [Source(tmp_path / "x", 0.0, 1.0)])
    assert not (tmp_path / "x").exists()
