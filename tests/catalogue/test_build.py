"""In this process, part after part: what is embedded, kept, tried again, published and refused."""

import os
import shutil

import numpy as np
import pytest

from tfmir import files
from tfmir.catalogue import build, publishing
from tfmir.catalogue.build import embed_library
from tfmir.catalogue.embeddings import MARK, read_embeddings, vectors
from tfmir.catalogue.parts import Job
from tfmir.catalogue.publishing import Labels
from tfmir.errors import UserError
from tfmir.inference.audio import embed_file
from tfmir.serving.card import run_card

NAMES = [f"{index:02d}.flac" for index in range(6)]


@pytest.fixture
def music(audio_folder, tmp_path):
    for name in NAMES:
        (tmp_path / "music/sub").mkdir(parents=True, exist_ok=True)
        shutil.copy2(audio_folder / name, tmp_path / "music/sub" / name)
    return tmp_path / "music"


@pytest.fixture
def asked(monkeypatch):
    """No cluster, and parts of two songs. Gives the ids of the songs that were embedded, part by part."""
    parts = []

    def run_tasks(function, tasks, *, sizes, **_):
        assert sizes == [len(task[0]) for task in tasks]
        for task in tasks:
            parts.append([song.track_id for song in task[0]])
            yield function(*task)

    monkeypatch.setattr(build, "run_tasks", run_tasks)
    monkeypatch.setattr("tfmir.catalogue.parts._SONGS", 2)
    return parts


@pytest.fixture
def embed(run, music):
    """Embeds the folder into `out` beside it."""

    def call(out="out", *, library=music, labels=None, limit=0.0, annotations="", **of_job):
        weights = of_job.pop("weights", files.sha256(run.best_weights))
        job = Job(str(run.path), weights, str(library), **of_job)
        output = str(music.parent / out)
        more = {"labels": labels or {}, "annotations": annotations}
        return embed_library(
            job, output, card=run_card(run, precision=job.precision), max_rejected_fraction=limit, **more
        )

    return call


def ids(folder):
    return read_embeddings(folder).table.column("track_id").to_pylist()


def of_set(snapshot, folder):
    return {str(name): data for name, data in snapshot(folder).items()}


def test_a_set_of_another_precision_is_near_and_refused(embed, asked, music):
    """So no set mixes two; the card says which it is."""
    exact, rounded = embed(), embed("half", precision="bfloat16")
    assert (exact["card"]["precision"], rounded["card"]["precision"]) == ("float32", "bfloat16")
    one, other = (vectors(read_embeddings(music.parent / name).table).astype(np.float32) for name in ("out", "half"))
    assert not np.array_equal(one, other)
    assert np.sum(one * other, axis=1).min() > 0.999
    with pytest.raises(UserError, match="holds embeddings that were computed in bfloat16: give --precision=bfloat16"):
        embed("half")


def test_a_set_by_hand(embed, asked, music, run, system, audio_folder):
    """Every song once, its embedding that of `embed_file` but for rounding to float16."""
    said = embed(labels={"sub/01.flac": Labels("X", ("genre/rock",))})
    found = read_embeddings(music.parent / "out")
    assert (said["tracks"], said["rejected"], said["dim"], said["library"]) == (6, 0, 16, str(music))
    assert said["weights_sha256"] == found.weights_sha256 == files.sha256(run.best_weights)
    rows = found.table.to_pylist()
    assert [row["track_id"] for row in rows] == [row["path"] for row in rows] == [f"sub/{name}" for name in NAMES]
    assert [row["artist"] for row in rows] == ["", "X", "", "", "", ""]
    assert rows[1]["tags"] == ["genre/rock"]
    for name, row, vector in zip(NAMES, rows, vectors(found.table), strict=True):
        path = audio_folder / name
        expected = embed_file(system, str(path))
        np.testing.assert_array_equal(vector, expected.astype(np.float16))
        np.testing.assert_allclose(row["scores"], system.scores(expected[np.newaxis])[0], atol=1e-3)
        assert (row["mtime_ns"], row["size"]) == (path.stat().st_mtime_ns, path.stat().st_size)
        assert row["alive"] == [bool(part.any()) for part in np.split(vector, 2)]
    assert [row["duration_s"] for row in rows] == [4.0, 5.0, 6.0, 7.0, 4.0, 5.0]
    assert [row["excerpts"] for row in rows] == [1, 1, 2, 2, 1, 1]
    assert not (music.parent / "out/.build").exists()
    assert len(asked) > 1


def test_given_again_nothing_is_done(embed, asked, music, capsys, snapshot):
    embed()
    before = of_set(snapshot, music.parent / "out")
    asked.clear()
    embed()
    assert "finished already; nothing to do" in capsys.readouterr().out
    assert asked == []
    assert of_set(snapshot, music.parent / "out") == before


def test_a_set_may_lie_inside_its_library(embed, asked, music, capsys):
    """Its files are no audio: nothing is rejected, and nothing is new when it is given again."""
    assert embed("music/embeddings")["rejected"] == 0
    asked.clear()
    assert embed("music/embeddings")["tracks"] == 6
    assert asked == []
    assert "finished already; nothing to do" in capsys.readouterr().out


def test_new_and_changed_songs_are_embedded_and_no_others_and_those_that_went_are_left_out(
    embed, asked, music, audio_folder, snapshot
):
    """In the end it has the bytes of a set that was made of the folder as it is now."""
    embed()
    shutil.copy2(audio_folder / "07.flac", music / "new.flac")
    shutil.copy2(audio_folder / "08.flac", music / "sub/00.flac")
    os.utime(music / "sub/01.flac", ns=(1, 1))
    (music / "sub/02.flac").unlink()
    asked.clear()
    assert embed()["tracks"] == 6
    assert sorted(name for part in asked for name in part) == ["new.flac", "sub/00.flac", "sub/01.flac"]
    embed("afresh")
    assert of_set(snapshot, music.parent / "out") == of_set(snapshot, music.parent / "afresh")


def test_other_labels_are_published_and_nothing_is_embedded(embed, asked, music):
    embed(labels={"sub/00.flac": Labels("A", ())})
    asked.clear()
    embed(labels={"sub/00.flac": Labels("B", ("mood/calm",))})
    assert asked == []
    first = read_embeddings(music.parent / "out").table.to_pylist()[0]
    assert (first["artist"], first["tags"]) == ("B", ["mood/calm"])


def test_what_is_lost_is_counted_and_told(embed, asked, music, capsys):
    """One song is gone with its labels, two lose theirs, one keeps its own."""
    label = Labels("A", ())
    embed(labels=dict.fromkeys([f"sub/{name}" for name in NAMES[:4]], label))
    assert "lose" not in capsys.readouterr().out
    (music / "sub/00.flac").unlink()
    embed(labels={"sub/01.flac": label})
    said = capsys.readouterr().out
    assert f"{music.parent}/out: 1 songs are not in the library any more, and are dropped\n" in said
    assert f"{music.parent}/out: 2 songs lose their artists and tags, which the annotations do not have" in said


def test_the_file_of_the_labels_is_remembered_and_a_new_one_is_only_noted(embed, asked, music, snapshot):
    labels = {"sub/00.flac": Labels("A", ())}
    assert embed(labels=labels, annotations="/a.csv")["annotations"] == "/a.csv"
    shard = music.parent / "out/embeddings-00000-of-00001.parquet"
    before = shard.stat().st_ino, shard.stat().st_mtime_ns
    assert embed(labels=labels, annotations="/b.csv")["annotations"] == "/b.csv"
    assert (shard.stat().st_ino, shard.stat().st_mtime_ns) == before


def test_what_is_rejected_is_named_and_tried_again_alone(embed, asked, music, capsys):
    """As if a decoder had been installed meanwhile: the file is what it was."""
    whole = (music / "sub/03.flac").read_bytes()
    stamp = (1, 10**18)
    (music / "sub/03.flac").write_bytes(bytes(len(whole)))
    os.utime(music / "sub/03.flac", ns=stamp)
    with pytest.raises(UserError, match=r"1 of 6 tracks are rejected.*finished parts are kept"):
        embed()
    (line,) = (music.parent / "out/rejected.tsv").read_text().splitlines()[1:]
    assert line.startswith(f"sub/03.flac\t{music}/sub/03.flac\tcannot be decoded: ")
    assert not (music.parent / "out" / MARK).exists()
    asked.clear()
    capsys.readouterr()
    assert embed(limit=0.2)["rejected"] == 1
    assert "\n5 songs more are kept of an embed that did not end\n" in capsys.readouterr().out
    assert asked == [["sub/03.flac"]]
    assert "sub/03.flac" not in ids(music.parent / "out")
    (music / "sub/03.flac").write_bytes(whole)
    os.utime(music / "sub/03.flac", ns=stamp)
    asked.clear()
    assert embed()["tracks"] == 6
    assert asked == [["sub/03.flac"]]
    assert (music.parent / "out/rejected.tsv").read_text() == "track\tpath\treason\n"


def test_with_a_broken_file_the_set_is_left_alone_and_the_file_is_tried_and_named_again(embed, asked, music):
    (music / "sub/03.flac").write_bytes(b"no audio")
    embed(limit=0.2)
    out = music.parent / "out"
    named = (out / "rejected.tsv").read_text()
    (out / "rejected.tsv").unlink()
    before = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in out.iterdir()}
    asked.clear()
    assert embed(limit=0.2)["tracks"] == 5
    assert asked == [["sub/03.flac"]]
    assert (out / "rejected.tsv").read_text() == named
    (out / "rejected.tsv").unlink()
    assert {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in out.iterdir()} == before


def test_a_remark_on_a_song_stays_while_its_row_does(embed, asked, music, audio_folder, monkeypatch):
    heard = build.embed_part

    def remarking(songs, *rest):
        result = heard(songs, *rest)
        rows = [(s.track_id, "p", "a bit short") for s in songs if s.track_id in ("sub/00.flac", "sub/01.flac")]
        return type(result)(result.file, result.tracks, result.rejected, tuple(rows))

    monkeypatch.setattr(build, "embed_part", remarking)
    embed()
    (music / "sub/01.flac").unlink()
    shutil.copy2(audio_folder / "07.flac", music / "new.flac")
    embed()
    lines = (music.parent / "out/remarks.tsv").read_text().splitlines()
    assert lines == ["track\tpath\tremark", "sub/00.flac\tp\ta bit short"]


def test_a_finished_part_is_kept_and_the_others_are_embedded(embed, asked, music, monkeypatch, snapshot):
    """It ends like a killed one after its first part; then the same call goes on."""

    def killed(function, tasks, **_):
        asked.append([song.track_id for song in tasks[0][0]])
        function(*tasks[0])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(build, "run_tasks", killed)
        with pytest.raises(KeyboardInterrupt):
            embed()
    embed()
    names = [name for part in asked for name in part]
    assert len(names) == len(set(names)) == 6
    embed("whole")
    assert of_set(snapshot, music.parent / "out") == of_set(snapshot, music.parent / "whole")


def test_a_part_that_was_begun_before_is_decoded_in_isolation(embed, asked, music, monkeypatch):
    seen = []

    def noting(system, stretches, *, isolated):
        seen.append(isolated)
        return ()

    monkeypatch.setattr("tfmir.catalogue.embedding.embed_files", noting)
    for _ in range(2):
        with pytest.raises(ValueError, match="zip"):  # no answers: it ends like one that dies
            embed()
    assert seen == [False, True]


def test_a_damaged_shard_is_made_anew_and_only_its_songs(embed, asked, music, monkeypatch, snapshot, capsys):
    monkeypatch.setattr(publishing, "_SONGS_PER_SHARD", 3)
    embed()
    before, shard = of_set(snapshot, music.parent / "out"), music.parent / "out/embeddings-00001-of-00002.parquet"
    lost = files.read_json(music.parent / "out" / MARK)["shards"][1]["tracks"]
    shard.write_bytes(shard.read_bytes()[:100])
    asked.clear()
    embed()
    assert f"{shard}: missing or damaged, and made anew" in capsys.readouterr().out
    assert sum(map(len, asked)) == lost
    assert of_set(snapshot, music.parent / "out") == before


def test_every_excerpt_is_kept_if_asked_for(embed, asked, music, system):
    embed(excerpts=True)
    table = read_embeddings(music.parent / "out").table
    for row, vector in zip(table.to_pylist(), vectors(table), strict=True):
        kept = np.array(row["excerpt_embeddings"], np.float32)
        assert kept.shape == (row["excerpts"], 16)
        mean = system.track_embeddings(kept, np.zeros(len(kept), np.int32))[0]
        np.testing.assert_allclose(mean, vector.astype(np.float32), atol=2e-3)
    with pytest.raises(UserError, match="holds embeddings with those of every excerpt: give --excerpts"):
        embed()


def test_of_another_origin_nothing_is_touched(embed, asked, music, audio_folder, snapshot):
    embed()
    before = of_set(snapshot, music.parent / "out")
    other = music.parent / "other"
    other.mkdir()
    shutil.copy2(audio_folder / "09.flac", other / "x.flac")
    for more, message in (
        ({"weights": "0" * 64}, "holds embeddings of other weights .*: choose another --output, or remove it"),
        ({"excerpts": True}, "holds embeddings without those of every excerpt: give --noexcerpts"),
        ({"library": other}, f"holds the embeddings of {music}, of which no song is in --library={other}"),
    ):
        with pytest.raises(UserError, match=message):
            embed(**more)
    (music.parent / "out/.build/lock").unlink()
    (music.parent / "out/.build").rmdir()
    assert of_set(snapshot, music.parent / "out") == before


def test_what_is_no_set_of_its_own_is_refused_and_nothing_is_written(embed, asked, music, snapshot):
    (music.parent / "out").mkdir()
    (music.parent / "out/embeddings-00000-of-00001.parquet").write_text("of whom?")
    before = of_set(snapshot, music.parent / "out")
    with pytest.raises(UserError, match="holds embeddings-00000-of-00001.parquet, which no embeddings.json"):
        embed()
    assert (asked, of_set(snapshot, music.parent / "out")) == ([], before)


def test_a_library_that_was_moved_is_known_by_its_songs(embed, asked, music, capsys):
    embed()
    music.rename(music.parent / "moved")
    asked.clear()
    said = embed(library=music.parent / "moved")
    assert (asked, said["library"]) == ([], str(music.parent / "moved"))
    assert f"was made of {music}: 6 of its songs are in {music.parent}/moved, unchanged" in capsys.readouterr().out


def test_weights_that_change_meanwhile_are_refused(embed, asked):
    with pytest.raises(UserError, match="its weights have changed since the command was given"):
        embed(weights="0" * 64)


def test_no_audio_at_all_is_refused(embed, asked, music):
    (music.parent / "empty").mkdir()
    with pytest.raises(UserError, match="empty holds no audio that can be decoded"):
        embed(library=music.parent / "empty")
    (music.parent / "empty/a.wav").touch()
    with pytest.raises(UserError, match="empty holds no audio that can be decoded"):
        embed(library=music.parent / "empty", limit=1.0)


def test_a_second_embed_of_the_same_output_is_refused(embed, asked, music):
    with (
        files.locked(music.parent / "out/.build/lock", busy="x"),
        pytest.raises(UserError, match="another embed is writing it: wait for it, or end it"),
    ):
        embed()
