"""Making an index: streamed, whole or not at all, and never over something else."""

import json
import os
import shutil

import numpy as np
import pytest

from tests.fixtures.embedded import songs, write_set
from tfmir import files
from tfmir.catalogue.embedded_set import open_set
from tfmir.errors import UserError
from tfmir.searching import index_build
from tfmir.searching.index import open_index
from tfmir.searching.index_build import Wanted, build_index

PLAIN = Wanted(maps="none", part_rows=16)


@pytest.fixture
def embedded(tmp_path):
    return open_set(write_set(tmp_path / "e", songs(50)))


def test_the_same_embeddings_give_the_same_files_whatever_their_shards(tmp_path, snapshot):
    of = songs(50)
    for name, shard in (("a", 7), ("b", 50)):
        build_index(open_set(write_set(tmp_path / f"e{name}", of, shard=shard)), str(tmp_path / name), PLAIN)
    a, b = snapshot(tmp_path / "a"), snapshot(tmp_path / "b")
    assert {name for name in a if a[name] != b[name]} == {
        name for name in a if name.name in ("index.json", "tracks.arrow")
    }
    assert open_index(str(tmp_path / "a")).tracks.equals(open_index(str(tmp_path / "b")).tracks)
    assert not [name for name in os.listdir(tmp_path) if name.endswith((".tmp", ".old"))]


def test_it_is_made_once_and_mended_when_it_is_damaged(embedded, tmp_path, capsys):
    out = build_index(embedded, str(tmp_path / "i"), PLAIN)
    stamp = (out / "index.json").stat().st_mtime_ns
    build_index(embedded, str(out), PLAIN)
    assert "nothing to do" in capsys.readouterr().out
    assert (out / "index.json").stat().st_mtime_ns == stamp
    part = out / "whole-00001.faiss"
    whole = part.read_bytes()
    part.write_bytes(whole[:-1] + b"?")
    build_index(embedded, str(out), PLAIN)
    assert part.read_bytes() == whole
    assert "nothing to do" not in capsys.readouterr().out


def test_a_catalogue_that_has_grown_replaces_its_index(embedded, tmp_path):
    out = build_index(embedded, str(tmp_path / "i"), PLAIN)
    grown = open_set(write_set(tmp_path / "e", songs(60)))
    build_index(grown, str(out), PLAIN)
    assert len(open_index(str(out))) == 60


def test_an_end_in_the_middle_leaves_what_was_there(embedded, tmp_path, monkeypatch, snapshot):
    out = build_index(embedded, str(tmp_path / "i"), PLAIN)
    before = snapshot(out)
    grown = open_set(write_set(tmp_path / "e", songs(60)))

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(index_build, "_write_graphs", stop)
    with pytest.raises(KeyboardInterrupt):
        build_index(grown, str(out), Wanted("hnsw", "none", part_rows=16))
    assert snapshot(out) == before
    (tmp_path / ".i.tmp").mkdir()  # as kill -9 leaves it
    (tmp_path / ".i.tmp/whole-00000.faiss").write_text("half")
    monkeypatch.undo()
    build_index(grown, str(out), PLAIN)
    assert len(open_index(str(out))) == 60
    assert sorted(os.listdir(tmp_path)) == [".i.lock", "e", "i"]


def test_an_end_between_the_two_renames_brings_nothing_to_an_end(embedded, tmp_path):
    """The old index has been put aside, the new one is not in its place yet."""
    out = build_index(embedded, str(tmp_path / "i"), PLAIN)
    out.rename(tmp_path / ".i.old")
    build_index(embedded, str(out), PLAIN)
    assert len(open_index(str(out))) == 50
    assert not (tmp_path / ".i.old").exists()


def test_what_lies_beside_an_index_is_no_reason_to_make_it_again(embedded, tmp_path, capsys):
    out = build_index(embedded, str(tmp_path / "i"), PLAIN)
    (out / "notes").mkdir()
    (out / "notes/mine.txt").write_text("mine")
    (out / "a.txt").write_text("mine")
    build_index(embedded, str(out), PLAIN)
    assert "nothing to do" in capsys.readouterr().out


@pytest.mark.parametrize("changed", ["grown", "damaged"])
def test_what_lies_beside_an_index_is_not_lost_when_it_is_replaced(embedded, tmp_path, snapshot, changed):
    out = build_index(embedded, str(tmp_path / "i"), PLAIN)
    (out / "notes").mkdir()
    (out / "notes/mine.txt").write_text("mine")
    for name in "dcb":
        (out / f"{name}.txt").write_text("mine")
    if changed == "grown":
        embedded = open_set(write_set(tmp_path / "e", songs(60)))
    else:
        (out / "tracks.arrow").unlink()
    before = snapshot(out)
    with pytest.raises(UserError, match="holds b.txt, c.txt, d.txt, … beside the index, which would be lost") as told:
        build_index(embedded, str(out), PLAIN)
    assert "\n" not in str(told.value)
    assert snapshot(out) == before


def test_hidden_files_beside_an_index_are_kept(embedded, tmp_path):
    out = build_index(embedded, str(tmp_path / "i"), PLAIN)
    (out / ".DS_Store").write_text("finder")
    (out / ".git").mkdir()
    (out / ".git/config").write_text("mine")
    (out / ".link").symlink_to("nowhere")
    build_index(open_set(write_set(tmp_path / "e", songs(60))), str(out), PLAIN)
    assert len(open_index(str(out))) == 60
    assert ((out / ".DS_Store").read_text(), (out / ".git/config").read_text()) == ("finder", "mine")
    assert os.readlink(out / ".link") == "nowhere"
    assert not [name for name in json.loads((out / "index.json").read_text())["files"] if name.startswith(".")]


def a_folder_of_songs(out):
    out.mkdir()
    (out / "song.flac").write_text("music")


def an_index_of_other_weights(out):
    embedded = open_set(write_set(out.parent / "other", songs(20), weights="cd" * 32))
    build_index(embedded, str(out), PLAIN)


def an_index_of_another_library(out):
    build_index(open_set(write_set(out.parent / "other", songs(20), library="/other")), str(out), PLAIN)


@pytest.mark.parametrize(
    ("there", "message"),
    [
        (a_folder_of_songs, "holds something that is no index: choose another --output"),
        (lambda out: out.write_text(""), "holds something that is no index"),
        (an_index_of_other_weights, "holds another index: its weights_sha256 is cdcd"),
        (
            an_index_of_another_library,
            "its library is /other, that of the embeddings /nowhere/music",
        ),
    ],
)
def test_nothing_else_is_replaced(embedded, tmp_path, there, message, snapshot):
    out = tmp_path / "i"
    there(out)
    before = snapshot(tmp_path)
    with pytest.raises(UserError) as told:
        build_index(embedded, str(out), PLAIN)
    assert message in str(told.value)
    assert "\n" not in str(told.value)
    assert {name: data for name, data in snapshot(tmp_path).items() if name.name != ".i.lock"} == {
        name: data for name, data in before.items() if name.name != ".i.lock"
    }


@pytest.mark.parametrize("output", [".", "../here", "", "/"])
def test_the_folder_that_one_is_in_is_no_place_for_an_index(embedded, tmp_path, monkeypatch, output):
    """Its place is taken by a new folder; who is in the old one would see nothing any more."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(UserError, match=r"--output.*: name a.*, such as index/music"):
        build_index(embedded, output, PLAIN)
    assert sorted(os.listdir(tmp_path)) == ["e", "here"]


def test_a_place_may_be_named_by_dots_or_by_a_link(embedded, tmp_path, monkeypatch):
    (tmp_path / "there/below").mkdir(parents=True)
    (tmp_path / "link").symlink_to("there")
    monkeypatch.chdir(tmp_path / "there/below")
    build_index(embedded, "../../link/i/.", PLAIN)
    build_index(embedded, str(tmp_path / "link/i"), PLAIN)
    assert len(open_index(str(tmp_path / "there/i"))) == 50


def test_an_empty_folder_is_a_place_for_an_index(embedded, tmp_path):
    (tmp_path / "i").mkdir()
    assert len(open_index(str(build_index(embedded, str(tmp_path / "i"), PLAIN)))) == 50


def test_one_at_a_time(embedded, tmp_path):
    with (
        files.locked(tmp_path / ".i.lock", busy=""),
        pytest.raises(UserError, match="another process is making an index"),
    ):
        build_index(embedded, str(tmp_path / "i"), PLAIN)


def spoilt(folder, spoil):
    of = songs(20)
    spoil(of)
    return open_set(write_set(folder / "bad", of))


def test_vectors_that_are_none_and_counts_that_are_wrong_are_refused(tmp_path):
    def not_a_number(of):
        of.vectors[13, 2] = np.nan

    with pytest.raises(UserError, match="track 13 is no vector"):
        build_index(spoilt(tmp_path, not_a_number), str(tmp_path / "i"), PLAIN)
    folder = write_set(tmp_path / "e", songs(20))
    mark = json.loads((tmp_path / "e/embeddings.json").read_text())
    for facts, message in (
        ({"dim": 32}, "of 24 numbers, its header says 32"),
        ({"tracks": 22}, "20 tracks, but"),
    ):
        shards = [*mark["shards"]]
        if "tracks" in facts:
            shards[0] = {**shards[0], "tracks": 9}
        (tmp_path / "e/embeddings.json").write_text(json.dumps({**mark, **facts, "shards": shards}))
        with pytest.raises(UserError, match=message):
            build_index(open_set(folder), str(tmp_path / "i"), PLAIN)
    assert not (tmp_path / "i").exists()


def test_maps_are_made_of_the_whole_space_and_each_notion(embedded, tmp_path):
    """Every seventh song is dead in genre: it has a place on every other map."""
    out = build_index(embedded, str(tmp_path / "i"), Wanted(map_sample=30))
    index = open_index(str(out))
    places = {space: np.isfinite(index.map(space)).all(axis=1) for space in ("whole", "genre", "mood", "era")}
    assert (places["whole"].sum(), index.map("whole").shape, index.map("whole").dtype) == (30, (50, 2), np.float32)
    np.testing.assert_array_equal(places["mood"], places["whole"])
    np.testing.assert_array_equal(places["genre"], places["whole"] & (np.arange(50) % 7 > 0))
    assert index.map("tempo") is None


def test_a_remote_or_empty_output_is_refused(embedded):
    for output, message in (("s3://bucket/i", "name a local folder"), ("", "--output is empty")):
        with pytest.raises(UserError, match=message):
            build_index(embedded, output, PLAIN)


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to_is_named(embedded, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(PermissionError):
        build_index(embedded, str(tmp_path / "closed/i"), PLAIN)
    shutil.rmtree(tmp_path / "closed")
