"""In this process, one shard after the other: what is written, kept, tried again and refused."""

import dataclasses
import hashlib
import json
import pathlib

import numpy as np
import pytest
import soundfile

from tfmir.corpora.corpus import Corpus, Track
from tfmir.data.manifest import load_manifest
from tfmir.data.records import read_tracks
from tfmir.errors import UserError
from tfmir.files import locked
from tfmir.params import FeatureParams
from tfmir.preparation import build
from tfmir.preparation.build import _claim, build_records
from tfmir.preparation.plan import make_plan
from tfmir.preparation.repair import verify
from tfmir.preparation.writer import write_shard
from tfmir.vocabulary import Vocabulary

RATE = 22050


def shards(output):
    return {path.name: path.read_bytes() for path in pathlib.Path(output).glob("*.tfrecord-*")}


def rebuild(corpus, output, **kwargs):
    return build_records(corpus, str(output), num_shards=2, max_rejected_fraction=0.0, **kwargs)


@pytest.fixture
def here(monkeypatch):
    """No cluster: tasks run in this process, in order. Gives the files that were written, in order."""
    written = []

    def run_tasks(function, tasks, *, sizes, **_):
        assert sizes == [len(task[0]) for task in tasks]
        return [function(*task) for task in tasks]

    def note(tracks, path, *, isolated, **kwargs):
        written.append((pathlib.Path(path).name, isolated))
        return write_shard(tracks, path, isolated=False, **kwargs)

    monkeypatch.setattr(build, "run_tasks", run_tasks)
    monkeypatch.setattr(build, "write_shard", note)
    return written


@pytest.fixture
def four(tmp_path):
    """Four tracks of noise: three to train, one to test, of 4, 5, 6 and 7 s."""
    tracks = []
    for index, tags in enumerate([(0, 2), (0,), (), (1, 2)]):
        wave = np.random.default_rng(index).uniform(-0.5, 0.5, RATE * (4 + index))
        soundfile.write(tmp_path / f"{index}.wav", wave, RATE)
        split = "train" if index < 3 else "test"
        tracks.append(Track(f"{index}.wav", str(tmp_path / f"{index}.wav"), split, tags, "X"))
    vocabulary = Vocabulary.from_dict({"genre": ["rock", "jazz"], "mood": ["calm"]})
    return Corpus("four", "CC0-1.0", vocabulary, tuple(tracks))


def make(corpus, output, *, limit=0.0):
    return build_records(corpus, str(output), num_shards=1, max_rejected_fraction=limit)


def test_the_manifest_by_hand(four, tmp_path, here):
    """1 + 22 050 s / 512 frames: of 4, 5 and 6 s 173 + 216 + 259, of 7 s 302. Tags and notions as in `four`."""
    manifest = make(four, tmp_path / "sets/out")
    train, validation, test = (manifest.splits[split] for split in ("train", "validation", "test"))
    assert (train.tracks, train.frames) == (3, 173 + 216 + 259)
    assert (train.tag_counts, train.notion_counts) == ((2, 0, 1), (2, 1))
    assert (validation.tracks, validation.frames, validation.tag_counts) == (0, 0, (0, 0, 0))
    assert (test.tracks, test.frames, test.tag_counts, test.notion_counts) == (1, 302, (0, 1, 1), (1, 1))
    assert (manifest.name, manifest.corpus, manifest.licence) == ("out", "four", "CC0-1.0")
    assert load_manifest(str(tmp_path / "sets/out")) == manifest
    for split in manifest.splits.values():
        for shard in split.shards:
            data = (tmp_path / "sets/out" / shard.file).read_bytes()
            assert shard.sha256 == hashlib.sha256(data).hexdigest()
    names = {path.name for path in (tmp_path / "sets/out").iterdir()}
    assert names == {"manifest.json", "rejected.tsv", *shards(tmp_path / "sets/out")}
    assert (tmp_path / "sets/out/rejected.tsv").read_text() == "track\tpath\treason\n"


def test_the_manifest_of_a_corpus_with_truth_by_hand(four, tmp_path, here, capsys):
    """Two thirds of three and all of one train and test track have a genre, a third of three and one of one a mood."""
    truths = [(0, 2), (0, 2), (1, 2), (1, 2)]
    tracks = tuple(dataclasses.replace(t, truth=truth) for t, truth in zip(four.tracks, truths, strict=True))
    corpus = dataclasses.replace(four, tracks=tracks, annotated={"genre": 0.7, "mood": 0.3})
    manifest = make(corpus, tmp_path / "out")
    counts = [manifest.splits[split].truth_counts for split in ("train", "validation", "test")]
    assert counts == [(2, 1, 3), (0, 0, 0), (0, 1, 1)]
    assert manifest.splits["train"].tag_counts == (2, 0, 1)
    assert (manifest.has_truth, manifest.annotated) == (True, {"genre": 0.7, "mood": 0.3})
    assert load_manifest(str(tmp_path / "out")) == manifest
    assert {t.track_id: t.truth for t in read_tracks(str(tmp_path / "out"), manifest, "test")} == {"3.wav": (1, 2)}
    said = capsys.readouterr().out
    assert "train: annotated with genre 66.7% (asked 70%), mood 33.3% (asked 30%)\n" in said
    assert "validation: annotated" not in said
    with pytest.raises(UserError, match="holds records of other tracks, tags or settings"):
        make(four, tmp_path / "out")


def test_a_build_that_an_earlier_version_began_is_finished(four, tmp_path, here):
    """Its notes say nothing of the truth."""
    (tmp_path / "0.wav").rename(tmp_path / "away")
    with pytest.raises(UserError, match="rejected"):
        make(four, tmp_path / "out")
    (tmp_path / "away").rename(tmp_path / "0.wav")
    for path in (tmp_path / "out/.build").glob("*.tfrecord-*.json"):
        note = json.loads(path.read_text())
        del note["truth_counts"]
        path.write_text(json.dumps(note))
    here.clear()
    manifest = make(four, tmp_path / "out")
    assert [name.split(".")[0] for name, _ in here] == ["out-train"]
    assert [split.truth_counts for split in manifest.splits.values()] == [None] * 3


def test_a_finished_shard_is_kept_and_the_others_are_written(four, tmp_path, here, monkeypatch):
    """The build ends like a killed one after its first shard; then the same call goes on."""

    def killed(function, tasks, **_):
        function(*tasks[0])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(build, "run_tasks", killed)
        with pytest.raises(KeyboardInterrupt):
            make(four, tmp_path / "out")
    (first,) = here
    assert not (tmp_path / "out/manifest.json").exists()
    make(four, tmp_path / "out")
    assert [name for name, _ in here].count(first[0]) == 1
    assert sorted(name for name, _ in here) == sorted(shards(tmp_path / "out"))
    make(four, tmp_path / "whole/out")
    assert shards(tmp_path / "whole/out") == shards(tmp_path / "out")


def test_a_noted_shard_that_is_gone_is_written_again(four, tmp_path, here):
    (tmp_path / "0.wav").rename(tmp_path / "away")
    with pytest.raises(UserError, match="1 of 4 tracks are rejected"):
        make(four, tmp_path / "out")
    (tmp_path / "away").rename(tmp_path / "0.wav")
    gone = next((tmp_path / "out").glob("*-test.tfrecord-*"))
    gone.unlink()
    here.clear()
    make(four, tmp_path / "out")
    assert {name.split(".")[0] for name, _ in here} == {"out-train", "out-test"}
    verify(str(tmp_path / "out"))


def test_a_mended_file_is_tried_again_and_what_was_good_is_kept(four, tmp_path, here):
    whole = (tmp_path / "0.wav").read_bytes()
    (tmp_path / "0.wav").write_text("no music")
    with pytest.raises(UserError, match=r"1 of 4 tracks are rejected, more than --max_rejected_fraction=0.2 allows"):
        make(four, tmp_path / "out", limit=0.2)
    assert not (tmp_path / "out/manifest.json").exists()
    (tmp_path / "0.wav").write_bytes(whole)
    here.clear()
    assert make(four, tmp_path / "out", limit=0.2).splits["train"].tracks == 3
    assert [name for name, _ in here] == ["out-train.tfrecord-00000-of-00001"]


def test_up_to_the_limit_the_rest_is_kept_and_every_reason_is_one_line(four, tmp_path, here, capsys):
    """One of four is a quarter: only more than the limit is refused. The path has a tab and a line break."""
    odd = dataclasses.replace(four.tracks[1], path=str(tmp_path / "a\tb\nc.wav"))
    corpus = dataclasses.replace(four, tracks=(four.tracks[0], odd, *four.tracks[2:]))
    manifest = make(corpus, tmp_path / "out", limit=0.25)
    assert [track.track_id for track in read_tracks(str(tmp_path / "out"), manifest, "train")] == ["0.wav", "2.wav"]
    rows = (tmp_path / "out/rejected.tsv").read_text().splitlines()
    assert rows == ["track\tpath\treason", f"1.wav\t{tmp_path}/a\\tb\\nc.wav\tmissing: no such file"]
    assert rows[1] in capsys.readouterr().out


def test_a_split_of_which_every_track_is_rejected_is_named(four, tmp_path, here, capsys):
    """Of the validation split, there was none before."""
    (tmp_path / "3.wav").write_text("no music")
    make(four, tmp_path / "out", limit=0.25)
    told = capsys.readouterr().err
    assert told == f"warning: every track of the test split is rejected: see {tmp_path}/out/rejected.tsv\n"


def test_a_shard_that_was_begun_before_is_decoded_in_isolation(four, tmp_path, here):
    """A worker died over it, or hung: the mark is of the build before, and is gone when the shard is there."""
    (tmp_path / "out/.build").mkdir(parents=True)
    plan = make_plan(four, "out", num_shards=1, features=FeatureParams())
    (tmp_path / "out/.build/plan.sha256").write_text(plan.fingerprint)
    begun = "out-train.tfrecord-00000-of-00001"
    (tmp_path / f"out/.build/{begun}.begun").touch()
    make(four, tmp_path / "out")
    assert {name: isolated for name, isolated in here if isolated} == {begun: True}
    assert not (tmp_path / "out/.build").exists()


def test_what_killed_processes_leave_behind_is_removed_and_nothing_else(four, tmp_path, here):
    (tmp_path / "out/.build").mkdir(parents=True)
    for name in (".12-host.out-train.tfrecord-00000-of-00001", ".hidden", "notes.txt"):
        (tmp_path / "out" / name).touch()
    (tmp_path / "out/.build/.12-host.x.json").touch()
    make(four, tmp_path / "out")
    found = {path.name for path in (tmp_path / "out").iterdir()}
    assert found == {".hidden", "notes.txt", "manifest.json", "rejected.tsv", *shards(tmp_path / "out")}


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


def test_a_resumed_build_remembers_which_shards_were_begun(corpus, tmp_path):
    """So that one which hung in a file, and was killed, decodes that shard's files in isolation."""
    plan = make_plan(corpus, "x", num_shards=3, features=FeatureParams())
    (tmp_path / ".build").mkdir()
    (tmp_path / ".build/a.begun").touch()
    _claim(tmp_path / ".build", plan)
    assert (tmp_path / ".build/a.begun").exists()


def test_a_second_prepare_of_the_same_output_is_refused_and_takes_nothing_away(corpus, tmp_path):
    """A shard in the making, of the first, stays."""
    writing = tmp_path / "tiny/.99-host.tiny-train.tfrecord-00000-of-00001"
    writing.parent.mkdir()
    writing.touch()
    with (
        locked(tmp_path / "tiny/.build/lock", busy="x"),
        pytest.raises(UserError, match="another prepare is writing it"),
    ):
        rebuild(corpus, tmp_path / "tiny")
    assert writing.exists()


def test_a_set_whose_name_begins_with_a_dot_keeps_its_shards(corpus, tmp_path, here):
    manifest = rebuild(corpus, tmp_path / ".rec")
    assert all((tmp_path / ".rec" / shard.file).exists() for shard in manifest.shards)
    assert not list((tmp_path / ".rec").glob(".*-host.*"))
