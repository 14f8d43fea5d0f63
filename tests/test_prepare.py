import io
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile

from tests.fixtures.cluster import no_cluster, started_scheduler
from tests.fixtures.commands import called
from tfmir.data.manifest import load_manifest
from tfmir.data.records import read_tracks
from tfmir.errors import UserError
from tfmir.prepare import PrepareParams, build, main

RATE = 22050


def shards(output):
    return {path.name: path.read_bytes() for path in pathlib.Path(output).glob("*.tfrecord-*")}


def command(audio_folder, output, *extra):
    flags = ["--corpus=folder", f"--audio_dir={audio_folder}", f"--output={output}", *extra]
    return [sys.executable, "-m", "tfmir.prepare", *flags]


def test_killed_command_resumes_and_killed_worker_is_replaced_with_the_same_bytes(audio_folder, records, tmp_path):
    """SIGKILL of the whole process group once some shards are there; then a resumed run loses one of its workers."""
    output = tmp_path / "tiny"
    args = command(audio_folder, output, "--num_shards=2", "--workers=2", "--max_rejected_fraction=0")
    process = subprocess.Popen(args, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _wait_for(lambda: any(output.glob(".*.tfrecord-*")) or shards(output))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (output / "manifest.json").exists()
    for leftover in output.glob(".*.tfrecord-*"):
        leftover.unlink()
    process = subprocess.Popen(args, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _wait_for(lambda: any(output.glob(".*.tfrecord-*")))
    writing = next(output.glob(".*.tfrecord-*")).name  # a shard in the making is named after its process
    os.kill(int(writing.split(".")[1].split("-")[0]), signal.SIGKILL)
    assert process.wait(timeout=120) == 0
    assert shards(output) == shards(records)
    assert not (output / ".build").exists()


@pytest.fixture
def scheduler(tmp_path):
    with started_scheduler(tmp_path, workers=2) as address:
        yield address


def test_a_running_scheduler_with_two_workers_writes_the_same_bytes(audio_folder, records, tmp_path, scheduler):
    args = command(audio_folder, tmp_path / "tiny", "--num_shards=2", f"--scheduler={scheduler}")
    result = subprocess.run(args, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert shards(tmp_path / "tiny") == shards(records)


def _wait_for(condition, timeout=90):
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)


@pytest.fixture
def odd_folder(tmp_path):
    """Every kind of file that a real folder holds."""
    directory = tmp_path / "audio"
    directory.mkdir()
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, RATE * 4).astype(np.float32)
    for name in ("good.ogg", "good.mp3"):
        soundfile.write(directory / name, noise, RATE)
    (directory / "empty.wav").touch()
    (directory / "text.mp3").write_text("not music\n" * 100)
    flac = io.BytesIO()
    soundfile.write(flac, noise, RATE, format="FLAC")
    (directory / "truncated.flac").write_bytes(flac.getvalue()[: len(flac.getvalue()) // 2])
    soundfile.write(directory / "one_second.wav", noise[:RATE], RATE)
    soundfile.write(directory / "8khz.wav", noise[: 8000 * 4], 8000)
    soundfile.write(directory / "six.wav", np.stack([noise] * 6, axis=1), RATE)
    soundfile.write(directory / "nan.wav", np.where(noise > 0.49, np.nan, noise), RATE, subtype="FLOAT")
    split = {"good.ogg": "validation", "good.mp3": "test"}
    rows = [f"{path.name},{split.get(path.name, 'train')},rock" for path in sorted(directory.iterdir())]
    (directory / "annotations.csv").write_text("\n".join(["path,split,genre", *rows, "absent.mp3,train,rock"]) + "\n")
    return directory


def test_a_real_folder_keeps_the_good_and_names_the_rest(odd_folder, tmp_path):
    output = tmp_path / "odd"
    result = subprocess.run(command(odd_folder, output, "--workers=1"), capture_output=True, text=True)
    assert result.returncode == 2
    assert "6 of 10 tracks are rejected, more than --max_rejected_fraction=0.01 allows" in result.stderr
    assert not (output / "manifest.json").exists()
    rows = [line.split("\t") for line in (output / "rejected.tsv").read_text().splitlines()]
    reasons = {row[0]: row[2] for row in rows[1:]}
    assert set(reasons) == {"absent.mp3", "empty.wav", "nan.wav", "one_second.wav", "text.mp3", "truncated.flac"}
    assert "too short: 1.00 s, an excerpt needs 3 s" in reasons["one_second.wav"]
    assert all(name in result.stdout for name in reasons)

    flags = {"corpus": "folder", "audio_dir": str(odd_folder), "output": str(output), "workers": 1}
    with no_cluster():
        build(PrepareParams(**flags, max_rejected_fraction=0.6))
    splits = load_manifest(str(output)).splits
    assert {name: split.tracks for name, split in splits.items()} == {"train": 2, "validation": 1, "test": 1}


def test_missing_folder_and_annotations_are_one_line(tmp_path):
    for audio, message in ((tmp_path / "nowhere", "no such folder"), (tmp_path, "no such file")):
        with pytest.raises(UserError, match=message):
            build(PrepareParams(corpus="folder", audio_dir=str(audio), output=str(tmp_path / "out")))
    with pytest.raises(UserError, match="--audio_dir is empty"):
        build(PrepareParams(corpus="folder"))
    assert not (tmp_path / "out").exists()


def test_a_library_without_moods_is_prepared_without_that_notion(tmp_path, monkeypatch, capsys):
    for name in ("one.ogg", "two.ogg", "three.ogg"):
        with soundfile.SoundFile(tmp_path / name, "w", RATE, 1) as file:
            file.genre, file.date = "Rock", "1994"
            file.write(np.zeros(RATE))
    built = []
    monkeypatch.setattr("tfmir.preparation.build.build_records", lambda corpus, *_, **__: built.append(corpus))
    build(PrepareParams(corpus="folder", audio_dir=str(tmp_path), tags="metadata", output=str(tmp_path / "out")))
    assert built[0].vocabulary.notions == ("genre", "era")
    assert "warning: no file has a mood" in capsys.readouterr().err


@pytest.mark.parametrize("rows", ["a.wav,X,rock", "a.wav,X,rock\nb.wav,Y,rock"])
def test_one_or_two_tracks_are_refused_before_anything_is_written(tmp_path, rows):
    (tmp_path / "tags.csv").write_text(f"path,artist,genre\n{rows}\n")
    flags = {"corpus": "folder", "audio_dir": str(tmp_path), "annotations": str(tmp_path / "tags.csv"), "workers": 1}
    with pytest.raises(UserError, match="out: no track is for validation, none for test .[12] train.: training needs"):
        build(PrepareParams(**flags, output=str(tmp_path / "out")))
    assert not (tmp_path / "out").exists()


def test_a_column_of_titles_is_warned_of(tmp_path, monkeypatch, capsys):
    rows = ["path,title,genre", "a.wav,A,rock", "b.wav,B,rock", "c.wav,C,rock"]
    (tmp_path / "annotations.csv").write_text("\n".join(rows))
    monkeypatch.setattr("tfmir.preparation.build.build_records", lambda *_, **__: None)
    build(PrepareParams(corpus="folder", audio_dir=str(tmp_path), output=str(tmp_path / "out")))
    told = capsys.readouterr().err
    assert told == "warning: notion 'title': no two tracks share a tag of it: is it a notion?\n"


def test_a_report_is_written_before_strict_refuses_a_leak(tmp_path, capsys):
    (tmp_path / "tags.csv").write_text("path,split,artist,genre,mood\na.wav,train,X,rock,\nb.wav,test,X,rock,\n")
    soundfile.write(tmp_path / "a.wav", np.zeros(RATE), RATE)
    flags = {"corpus": "folder", "audio_dir": str(tmp_path), "annotations": str(tmp_path / "tags.csv"), "workers": 1}
    with pytest.raises(UserError, match="1 artists have tracks in more than one split, the first is 'X'"):
        main(PrepareParams(**flags, output=str(tmp_path / "out"), report=True, strict=True))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"corpus.md", "corpus.json", "corpus.png"}
    printed = capsys.readouterr().out
    assert all(line in printed for line in ("X: 1 train, 1 test", "    * mood", "b.wav: missing"))
    with pytest.raises(UserError, match="notion 'mood' has no tag"):
        build(PrepareParams(**flags, output=str(tmp_path / "out")))


@pytest.fixture
def renders(monkeypatch):
    """No cluster, and a second of noise in a name instead of music. Gives the paths that were rendered."""
    rendered = []

    def write_audio(tracks, audio_dir, *, seed):
        for track in tracks:
            rendered.append(track.path)
            path = pathlib.Path(audio_dir, track.path)
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, np.random.default_rng(len(rendered)).uniform(-0.5, 0.5, RATE * 3), RATE)

    monkeypatch.setattr("tfmir.corpora.demo.demo.write_audio", write_audio)
    monkeypatch.setattr(
        "tfmir.preparation.engine.run_tasks", lambda function, tasks, **_: [function(*task) for task in tasks]
    )
    with no_cluster():
        yield rendered


MSD = "genre=0.88,mood=0.13,instrument=0.14,era=0.11"
ALL = "genre=1,mood=1,instrument=1,era=1"


def test_a_sparse_demo_and_its_complete_twin_share_audio_and_truth(tmp_path, monkeypatch, renders, capsys):
    """The flag files as they stand, at a two hundredth of their size: 60, 10 and 20 tracks.

    Of 60 to train 52.8 have a genre, 7.8 a mood, 8.4 an instrument and 6.6 an era.
    """
    monkeypatch.chdir(tmp_path)
    for name in ("sparse", "complete"):
        called("prepare", f"--flagfile=launch/{name}_demo.flags", "--demo_scale=0.05")
    assert len(renders) == len(set(renders)) == 90
    assert {path.name for path in (tmp_path / "tfrecords").iterdir()} == {"demo_sparse", "demo_complete"}
    sparse, complete = (load_manifest(f"tfrecords/demo_{name}") for name in ("sparse", "complete"))
    assert sparse.splits["train"].notion_counts == (53, 8, 8, 7)
    assert complete.splits["train"].notion_counts == (60, 60, 60, 60)
    assert sparse.annotated == {"genre": 0.88, "mood": 0.13, "instrument": 0.14, "era": 0.11}
    for split in ("train", "validation", "test"):
        assert sparse.splits[split].truth_counts == complete.splits[split].truth_counts
        assert complete.splits[split].truth_counts == complete.splits[split].tag_counts
        first, second = (
            {t.track_id: t for t in read_tracks(f"tfrecords/{m.name}", m, split)} for m in (sparse, complete)
        )
        assert {name: t.truth for name, t in first.items()} == {name: t.tags for name, t in second.items()}
        assert all(np.array_equal(t.log_mel, second[name].log_mel) for name, t in first.items())
    capsys.readouterr()
    called("prepare", "--flagfile=launch/sparse_demo.flags", "--demo_scale=0.05")
    assert "finished already" in capsys.readouterr().out
    called("prepare", "--flagfile=launch/sparse_demo.flags", "--demo_scale=0.05", "--verify")
    assert "agree with their checksums" in capsys.readouterr().out


def test_the_plain_demo_and_that_of_zipf_are_never_taken_for_each_other(tmp_path, monkeypatch, renders):
    monkeypatch.chdir(tmp_path)
    small = ["--corpus=demo", "--demo_scale=0.02"]
    called("prepare", *small, f"--annotated={MSD}")
    called("prepare", *small)
    assert {path.name for path in (tmp_path / "audio").iterdir()} == {"demo", "demo_zipf"}
    assert {path.name for path in (tmp_path / "tfrecords").iterdir()} == {"demo", "demo_sparse"}
    assert not load_manifest("tfrecords/demo").has_truth
    for flags in ([f"--annotated={ALL}", "--audio_dir=audio/demo"], ["--audio_dir=audio/demo_zipf"]):
        with pytest.raises(UserError, match="name another --audio_dir"):
            called("prepare", *small, *flags, "--output=tfrecords/other")
    with pytest.raises(UserError, match="holds records of other tracks, tags or settings"):
        called("prepare", *small, f"--annotated={ALL}")


def test_a_report_on_the_sparse_demo_renders_nothing_and_tells_its_shares(tmp_path, monkeypatch, renders, capsys):
    monkeypatch.chdir(tmp_path)
    called("prepare", "--flagfile=launch/sparse_demo.flags", "--demo_scale=1", "--report")
    assert renders == []
    told = capsys.readouterr().out
    assert "| tracks | 1200 | 200 | 400 | 1800 |" in told
    assert "| mood | 13% | 13% | 13% | 13% | 13% |" in told
    report = json.loads((tmp_path / "tfrecords/demo_sparse/corpus.json").read_text())
    genres = [report["truth"][f"genre/{tag}"]["train"] for tag in ("rock", "house", "jazz", "bossa")]
    assert genres == [pytest.approx(1200 / 2.45 / rank, abs=2) for rank in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"corpus": "folder", "audio_dir": "x", "annotated": MSD}, "--annotated=genre.* is for --corpus=demo, whose"),
        ({"annotated": "genre=1"}, "nothing is said of mood, instrument, era"),
        (
            {"annotated": MSD.replace("0.11", "0.0001")},
            "era=0.0001 leaves 0 of 1200 training tracks with a tag of era, and 2 at least .*: give era=0.0017 or more",
        ),
        ({"annotated": MSD, "demo_scale": 0.01}, "era=0.11 leaves 1 of 12 training .* or a larger --demo_scale"),
        ({"annotated": MSD, "annotations": "tags.csv"}, "--annotations does not go with --corpus=demo, whose tags"),
        ({"licence": "mine"}, "--licence does not go with --corpus=demo"),
        ({"corpus": "msd", "audio_dir": "x"}, "--annotations is empty: name the label files of msd"),
        ({"corpus": "jamendo", "audio_dir": "x", "tags": "json"}, "--tags=json is for --corpus=folder"),
        ({"corpus": "jamendo", "audio_dir": "nowhere", "annotations": "x"}, "--audio_dir=nowhere: no such folder"),
        ({"corpus": "folder", "audio_dir": "s3://a", "tags": "metadata"}, "--tags=metadata needs a local folder"),
        ({"audio_dir": "s3://a"}, "the demo corpus needs a local folder"),
    ],
)
def test_flags_that_do_not_go_together_are_named(flags, message):
    with pytest.raises(UserError, match=message):
        build(PrepareParams(**flags))
