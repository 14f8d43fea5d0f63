import dataclasses
import io
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile

from tfmir.corpora import folder
from tfmir.data.records import load_manifest
from tfmir.errors import UserError
from tfmir.params import FeatureParams
from tfmir.preparation.build import _claim, build_records, verify
from tfmir.preparation.plan import make_plan
from tfmir.prepare import PrepareParams, build, main

RATE = 22050


def shards(output):
    return {path.name: path.read_bytes() for path in pathlib.Path(output).glob("*.tfrecord-*")}


def rebuild(corpus, output, **kwargs):
    return build_records(corpus, str(output), num_shards=2, max_rejected_fraction=0.0, **kwargs)


def command(audio_folder, output, *extra):
    flags = ["--corpus=folder", f"--audio_dir={audio_folder}", f"--output={output}", *extra]
    return [sys.executable, "-m", "tfmir.prepare", *flags]


def test_two_workers_write_the_same_bytes_as_one(corpus, records, tmp_path):
    rebuild(corpus, tmp_path / "tiny", workers=2)
    assert shards(tmp_path / "tiny") == shards(records)


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
    """Address of a scheduler with two workers, each a process that was started by hand."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    dask = [sys.executable, "-m", "dask"]
    commands = [[*dask, "scheduler", "--host", address, "--no-dashboard"]]
    commands += [[*dask, "worker", address, "--nthreads=1", "--no-dashboard", f"--local-directory={tmp_path}"]] * 2
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes = [subprocess.Popen(command, cwd=tmp_path, start_new_session=True, **quiet) for command in commands]
    yield address
    for process in reversed(processes):
        os.killpg(process.pid, signal.SIGTERM)
    for process in processes:
        process.wait(timeout=30)


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


def test_a_finished_set_is_left_alone_and_another_is_refused(corpus, audio_folder, records, capsys):
    before = {path: path.stat().st_mtime_ns for path in pathlib.Path(records).iterdir()}
    rebuild(corpus, records)
    assert "finished already" in capsys.readouterr().out
    with pytest.raises(UserError, match="other tracks, tags or settings"):
        build_records(corpus, records, num_shards=3, max_rejected_fraction=0.0)
    assert before == {path: path.stat().st_mtime_ns for path in pathlib.Path(records).iterdir()}


def test_an_unfinished_set_of_other_settings_is_refused(corpus, tmp_path):
    (tmp_path / "tiny/.build").mkdir(parents=True)
    (tmp_path / "tiny/.build/plan.sha256").write_text("another\n")
    with pytest.raises(UserError, match="unfinished build of other tracks"):
        rebuild(corpus, tmp_path / "tiny")


def test_verify_finds_a_flipped_bit_and_a_missing_shard(corpus, records, tmp_path, capsys):
    for path in pathlib.Path(records).iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    verify(str(tmp_path))
    assert "agree with their checksums" in capsys.readouterr().out
    first, second = sorted(tmp_path.glob("*.tfrecord-*"))[:2]
    data = bytearray(first.read_bytes())
    data[1000] ^= 1
    first.write_bytes(bytes(data))
    second.unlink()
    with pytest.raises(UserError, match=r"2 of 4 shards are damaged") as caught:
        verify(str(tmp_path))
    assert f"{first.name}: sha256" in str(caught.value)
    assert f"{second.name}: missing" in str(caught.value)


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
    rows = [f"{path.name},train,rock" for path in sorted(directory.iterdir())]
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
    build(PrepareParams(**flags, max_rejected_fraction=0.6))
    assert load_manifest(str(output)).splits["train"].tracks == 4


def test_missing_folder_and_annotations_are_one_line(tmp_path):
    for audio, message in ((tmp_path / "nowhere", "no such folder"), (tmp_path, "no such file")):
        with pytest.raises(UserError, match=message):
            build(PrepareParams(corpus="folder", audio_dir=str(audio), output=str(tmp_path / "out")))
    with pytest.raises(UserError, match="--audio_dir is empty"):
        build(PrepareParams(corpus="folder"))
    assert not (tmp_path / "out").exists()


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


@pytest.mark.parametrize(
    ("flags", "message"),
    [
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


def test_the_plan_deals_every_track_once_and_depends_on_the_settings(corpus):
    plan = make_plan(corpus, "x", num_shards=3, features=FeatureParams())
    dealt = [track.track_id for tracks in plan.shards.values() for track in tracks]
    assert sorted(dealt) == sorted(track.track_id for track in corpus.tracks)
    assert plan.fingerprint == make_plan(corpus, "x", num_shards=3, features=FeatureParams()).fingerprint
    assert plan.fingerprint != make_plan(corpus, "x", num_shards=3, features=FeatureParams(n_fft=512)).fingerprint


def test_a_split_alone_is_dealt_to_as_many_shards_as_are_asked_for(corpus):
    alone = dataclasses.replace(corpus, tracks=tuple(t for t in corpus.tracks if t.split == "validation"))
    shards = make_plan(alone, "x", num_shards=3, features=FeatureParams()).shards
    assert sum(split == "validation" for split, _ in shards) == 3


def test_a_resumed_build_remembers_which_shards_were_begun(corpus, tmp_path):
    """So that one which hung in a file, and was killed, decodes that shard's files in isolation."""
    plan = make_plan(corpus, "x", num_shards=3, features=FeatureParams())
    (tmp_path / ".build").mkdir()
    (tmp_path / ".build/a.begun").touch()
    _claim(tmp_path / ".build", plan)
    assert (tmp_path / ".build/a.begun").exists()


def test_a_small_demo_corpus_goes_the_whole_way(tmp_path):
    params = PrepareParams(audio_dir=str(tmp_path / "audio"), output=str(tmp_path / "demo"), demo_scale=0.01, workers=2)
    manifest = load_manifest(build(params))
    assert {name: split.tracks for name, split in manifest.splits.items()} == {"train": 12, "validation": 2, "test": 4}
    assert manifest.licence == "CC0-1.0"
    loaded = folder.load(str(tmp_path / "audio"), str(tmp_path / "audio/annotations.csv"))
    assert loaded.vocabulary == manifest.vocabulary
