"""A run finds its own records wherever they are, and takes no others."""

import dataclasses
import os
import pathlib
import shutil

import pytest

from tfmir.data.manifest import load_manifest, save_manifest
from tfmir.data.run_records import records_of
from tfmir.errors import UserError
from tfmir.params import RunParams
from tfmir.run_directory import Run
from tfmir.vocabulary import Vocabulary


@pytest.fixture
def run(records):
    manifest = load_manifest(records)
    return Run(
        pathlib.Path("runs/mine"), RunParams(), manifest.vocabulary, records, "tiny", "CC0-1.0", manifest.fingerprint
    )


@pytest.fixture
def copy(records, tmp_path):
    return pathlib.Path(shutil.copytree(records, tmp_path / "elsewhere"))


def changed(folder, **changes):
    manifest = load_manifest(str(folder))
    save_manifest(str(folder), dataclasses.replace(manifest, **changes))


def test_they_are_where_they_were_or_where_they_are_said_to_be(run, records, copy):
    assert records_of(run) == (run, load_manifest(records))
    found, manifest = records_of(run, str(copy))
    assert (found.records, found.path, manifest) == (str(copy), run.path, load_manifest(records))


@pytest.mark.parametrize("spelling", ["{0}/", "{0}/.", "{0}/../elsewhere", "relative", "link"])
def test_another_spelling_is_the_same_place(run, copy, spelling, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(copy)
    names = {"relative": "elsewhere", "link": "link"}
    records_of(run, names.get(spelling, spelling.format(copy)))


def test_a_renamed_set_is_the_same(run, copy):
    changed(copy, name="other", corpus="renamed")
    records_of(run, str(copy))


def test_records_that_have_gone_are_asked_for(run, tmp_path):
    gone = dataclasses.replace(run, records=str(tmp_path / "gone"))
    with pytest.raises(UserError, match=r"gone: no manifest.json there.*say with --records where they are now"):
        records_of(gone)


def other_tags(copy):
    changed(copy, vocabulary=Vocabulary.from_dict({"genre": ["jazz", "pop"], "mood": ["calm", "wild"]}))


def other_order(copy):
    changed(copy, vocabulary=Vocabulary.from_dict(dict(reversed(load_manifest(copy).vocabulary.to_dict().items()))))


def other_shard(copy):
    manifest = load_manifest(str(copy))
    test = manifest.splits["test"]
    shards = (dataclasses.replace(test.shards[0], sha256="0" * 64), *test.shards[1:])
    changed(copy, splits=manifest.splits | {"test": dataclasses.replace(test, shards=shards)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other_tags, r"the tags of 'genre' are \['jazz', 'pop'\], the run knows"),
        (other_order, "other order of notions"),
        (other_shard, "their shards hold other tracks, tags or splits"),
    ],
)
def test_records_made_anew_with_other_tags_or_tracks_are_refused(run, copy, change, message):
    change(copy)
    with pytest.raises(UserError, match=f"not the records that runs/mine was trained on: .*{message}.*--records"):
        records_of(run, str(copy))


def test_a_run_of_version_0_1_knows_its_tags_only(run, copy):
    old = dataclasses.replace(run, fingerprint="")
    other_shard(copy)
    records_of(old, str(copy))
    other_tags(copy)
    with pytest.raises(UserError, match="the tags of 'genre'"):
        records_of(old, str(copy))


def test_a_half_copied_set_is_told_before_any_work(run, copy):
    os.unlink(min(copy.glob("*-train.tfrecord-*")))
    with pytest.raises(UserError, match=r"1 of 4 shards are missing, the first is tiny-train.*give the prepare"):
        records_of(run, str(copy))
