"""embed as a user types it: killed at several moments, on an external scheduler, with annotations, and its mistakes."""

import multiprocessing
import os
import shutil
import signal

import pytest

from tests.fixtures.cluster import started_scheduler
from tests.fixtures.commands import called
from tfmir import files
from tfmir.catalogue.embeddings import read_embeddings
from tfmir.embed import EmbedParams
from tfmir.errors import UserError

NAMES = [f"{index:02d}.flac" for index in range(9)]


@pytest.fixture(scope="module")
def music(audio_folder, tmp_path_factory):
    """Nine songs, the folder's annotations, and a file that is no music."""
    folder = tmp_path_factory.mktemp("library") / "music"
    folder.mkdir()
    for name in [*NAMES, "annotations.csv"]:
        shutil.copy2(audio_folder / name, folder / name)
    (folder / "no music.mp3").write_text("no music")
    return folder


def here(monkeypatch):
    """No cluster, and parts of two songs."""
    monkeypatch.setattr(
        "tfmir.catalogue.build.run_tasks", lambda function, tasks, **_: (function(*task) for task in tasks)
    )
    monkeypatch.setattr("tfmir.catalogue.parts._SONGS", 2)


@pytest.fixture(scope="module")
def flags(run, music):
    return [f"--run={run.path}", f"--library={music}", "--max_rejected_fraction=0.2", "--workers=2"]


@pytest.fixture(scope="module")
def whole(flags, tmp_path_factory):
    """The set, made without a break and without a cluster."""
    folder = tmp_path_factory.mktemp("whole") / "out"
    with pytest.MonkeyPatch.context() as patch:
        here(patch)
        called("embed", *flags, f"--output={folder}")
    return folder


def test_a_measured_precision_is_kept_from_the_first_part_to_the_last_update(flags, tmp_path, monkeypatch):
    """Parts of another precision would be made anew, and a set may hold one only."""
    here(monkeypatch)
    monkeypatch.setattr("tfmir.model.precision.resolved", lambda *_, training: "bfloat16")
    words = [*flags, f"--output={tmp_path}/out", "--precision=auto"]
    with monkeypatch.context() as patch:
        patch.setattr("tfmir.catalogue.build.make_parts", None)
        with pytest.raises(TypeError):
            called("embed", *words)
    monkeypatch.setattr("tfmir.model.precision.resolved", None)
    for _ in ("goes on", "is finished"):
        assert called("embed", *words)["card"]["precision"] == "bfloat16"


@pytest.fixture(scope="module")
def renames(flags, tmp_path_factory):
    """How often the whole command gives a file its name."""
    found, replace = [], os.replace
    with pytest.MonkeyPatch.context() as patch:
        here(patch)
        patch.setattr(os, "replace", lambda *names: found.append(names) or replace(*names))
        called("embed", *flags, f"--output={tmp_path_factory.mktemp('counted')}/out")
    return len(found)


def bytes_of(snapshot, folder):
    return {str(name): data for name, data in snapshot(folder).items()}


def killed(flags, moment):
    """The command, in a process that kills itself when it would give a file its name for the `moment`-th time."""
    renames, replace = [], os.replace

    def replacing(source, target):
        if len(renames) == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        renames.append(target)
        replace(source, target)

    with pytest.MonkeyPatch.context() as patch:
        here(patch)
        patch.setattr(os, "replace", replacing)
        called("embed", *flags)


@pytest.mark.parametrize("moment", [5, -6, -2], ids=["a part", "the last part", "publishing"])
def test_killed_at_any_moment_it_goes_on_and_ends_with_the_same_bytes(
    flags, whole, renames, tmp_path, monkeypatch, snapshot, moment
):
    """A part is three renames: its mark, its rows, its note. The last five of all are those of the list of rejected
    songs, the shard, the plan of the publication, the shard on its way to its place, and `embeddings.json`."""
    output = f"--output={tmp_path}/out"
    here(monkeypatch)
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["tensorflow", "keras", "librosa", "pyarrow.parquet", "distributed"])
    process = processes.Process(target=killed, args=([*flags, output], moment % renames))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    assert not (tmp_path / "out/embeddings.json").exists()
    finished = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out/.build").glob("part-*.parquet.json")}
    embedded = []
    monkeypatch.setattr(
        "tfmir.catalogue.build.run_tasks",
        lambda function, tasks, **_: (embedded.append(task[1]) or function(*task) for task in tasks),
    )
    called("embed", *flags, output)
    assert not {f"{file}.json" for file in embedded} & set(finished)
    assert bytes_of(snapshot, tmp_path / "out") == bytes_of(snapshot, whole)


@pytest.fixture
def scheduler(tmp_path):
    with started_scheduler(tmp_path, workers=1) as address:
        yield address


def test_an_external_scheduler_gives_the_same_bytes(run, flags, whole, tmp_path, scheduler, snapshot, monkeypatch):
    """With relative paths, which mean another place to the worker."""
    monkeypatch.setattr("tfmir.catalogue.parts._SONGS", 2)
    relative = [f"--run={os.path.relpath(run.path)}", *flags[1:]]
    output = os.path.relpath(tmp_path / "out")
    called("embed", *relative, f"--output={output}", f"--scheduler={scheduler}", "--projector")
    assert (tmp_path / "out/projector/vectors.tsv").read_text().count("\n") == 9
    shutil.rmtree(tmp_path / "out/projector")
    assert bytes_of(snapshot, tmp_path / "out") == bytes_of(snapshot, whole)


def test_artist_and_tags_are_those_that_prepare_reads(whole, corpus):
    """Of the folder's own annotations.csv, in which 24 tracks are named."""
    found = read_embeddings(whole)
    tracks = {track.track_id: track for track in corpus.tracks}
    for row in found.table.to_pylist():
        track = tracks[row["track_id"]]
        assert row["artist"] == track.artist_id
        assert row["tags"] == [corpus.vocabulary.tags[tag] for tag in track.tags]
    assert {"genre/rock", "mood/calm"} <= set(found.table.to_pylist()[0]["tags"])
    assert found.rejected == 1
    assert found.card["tags"] == list(corpus.vocabulary.tags)
    assert files.read_json(whole / "embeddings.json")["schema_version"] == 1


def test_other_annotations_are_read_and_need_not_name_every_song(flags, music, tmp_path, monkeypatch, capsys):
    here(monkeypatch)
    (tmp_path / "own.csv").write_text("path,artist,era\n00.flac,Somebody,90s\nnot here.flac,X,80s\n")
    more = [f"--annotations={tmp_path}/own.csv", f"--output={tmp_path}/out", "--projector"]
    called("embed", *flags, *more)
    rows = read_embeddings(tmp_path / "out").table.to_pylist()
    assert [(row["artist"], row["tags"]) for row in rows[:2]] == [("Somebody", ["era/90s"]), ("", [])]
    said = capsys.readouterr().out
    assert f"{tmp_path}/out: 9 songs in 1 shards, " in said
    assert f"9 songs for the projector: tensorboard --logdir={tmp_path}/out/projector" in said
    called("embed", *flags, f"--output={tmp_path}/out")
    assert read_embeddings(tmp_path / "out").table.to_pylist() == rows
    (tmp_path / "own.csv").rename(tmp_path / "elsewhere.csv")
    called("embed", *flags, f"--output={tmp_path}/out", "--annotations=none")
    assert not any(row["artist"] or row["tags"] for row in read_embeddings(tmp_path / "out").table.to_pylist())
    assert "1 songs lose their artists and tags" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--library="], "--library is empty"),
        (["--library=nowhere"], "--library=nowhere: no such folder"),
        (["--annotations=nowhere.csv"], "--annotations=nowhere.csv: no such file"),
        (["--run=nowhere"], "nowhere: there is no params.json in it"),
        (["--run="], "no run given"),
    ],
)
def test_mistakes_are_one_line_and_nothing_is_written(flags, tmp_path, given, message):
    with pytest.raises(UserError) as told:
        called("embed", *flags, f"--output={tmp_path}/out", *given)
    assert message in str(told.value)
    assert "\n" not in str(told.value)
    assert not (tmp_path / "out").exists()


def test_the_output_is_called_after_the_library(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert EmbedParams(library="/data/music").folder == f"{tmp_path}/embeddings/music"
    assert EmbedParams(library="s3://bucket/music").folder == f"{tmp_path}/embeddings/music"
    assert EmbedParams(library="s3://bucket/music", output="s3://bucket/x").folder == "s3://bucket/x"


def test_the_output_stays_in_embeddings_whatever_the_library_is_called(monkeypatch, tmp_path):
    """A link's own name is the library's, as it is what the user sees."""
    (tmp_path / "music/sub").mkdir(parents=True)
    (tmp_path / "linked").symlink_to(tmp_path / "music")
    monkeypatch.chdir(tmp_path / "music/sub")
    for library, name in (("..", "music"), (".", "sub"), ("../../linked", "linked"), ("/", "root")):
        assert EmbedParams(library=library).folder == f"{tmp_path}/music/sub/embeddings/{name}"
