import dataclasses
import re

import pytest

from tfmir.data.manifest import Manifest, Shard, Split
from tfmir.params import RunParams, SystemParams, TrainParams
from tfmir.run_directory import Run
from tfmir.training.agreement import difference, facts_of
from tfmir.vocabulary import Vocabulary

VOCABULARY = Vocabulary.from_dict({"genre": ["rock", "jazz"]})
SHARDS = tuple(Shard(f"tiny-train-{index}", 5, "abc") for index in (0, 1))
MANIFEST = Manifest("tiny", "tiny", "CC0-1.0", {}, VOCABULARY, {"train": Split(10, 99, (5, 5), (10,), SHARDS)})


def run_at(path, **changes):
    return Run(path, RunParams(**changes), VOCABULARY, str(path), "tiny", "CC0-1.0", "abc")


def backup(path, epoch, weights):
    folder = path / "backup" / f"epoch-{epoch:06d}"
    folder.mkdir(parents=True)
    (folder / "state.weights.h5").write_bytes(weights)
    (folder / "state.json").write_text("{}")


def test_the_same_command_agrees_wherever_its_folders_are(tmp_path):
    """Two machines may have mounted the shared folder at different places."""
    for name in "ab":
        backup(tmp_path / name, 3, b"weights")
    a, b = (facts_of(run_at(tmp_path / name), MANIFEST, replicas=2) for name in "ab")
    assert difference(a, b) == ""
    assert {"--learning_rate", "--system", "--batch_size", "--encoder", "--hop_length"} <= set(a)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"training": TrainParams(epochs=3)}, "has --epochs 3, the chief has 1000: give all workers the same command"),
        ({"system": SystemParams("triplet")}, "has --system triplet, the chief has proxy: give all workers the same"),
    ],
)
def test_another_setting_is_named(changes, expected, tmp_path):
    ours = facts_of(run_at(tmp_path), MANIFEST, replicas=1)
    theirs = facts_of(run_at(tmp_path, **changes), MANIFEST, replicas=1)
    assert difference(ours, theirs).startswith(expected)


def test_other_records_devices_and_versions_are_named(tmp_path):
    ours = facts_of(run_at(tmp_path), MANIFEST, replicas=1)
    other = dataclasses.replace(run_at(tmp_path), fingerprint="xyz")
    told = difference(ours, facts_of(other, MANIFEST, replicas=1))
    assert "has records with the fingerprint xyz, the chief has abc: " in told
    assert "has devices 2, the chief has 1: every worker needs as many" in difference(
        ours, facts_of(run_at(tmp_path), MANIFEST, replicas=2)
    )
    assert "has the versions python 3" in difference(ours | {"the versions": "python 2"}, ours)


def test_a_worker_that_does_not_see_the_chiefs_backup_is_told_so(tmp_path):
    """None, of another epoch, or other weights of the same: a machine without the folder, or with an old copy."""
    backup(tmp_path / "chief", 4, b"weights")
    backup(tmp_path / "old", 3, b"weights")
    backup(tmp_path / "other", 4, b"others")
    (tmp_path / "other" / "backup" / "epoch-000005").mkdir()  # not whole: no state.json
    ours = facts_of(run_at(tmp_path / "chief"), MANIFEST, replicas=1)
    for name, found in [("none", "none"), ("old", "epoch-000003 with the"), ("other", "epoch-000004 with the")]:
        told = difference(ours, facts_of(run_at(tmp_path / name), MANIFEST, replicas=1))
        assert told.startswith(f"has the backup {found}")
        assert "the chief has epoch-000004 with the checksum" in told
        assert told.endswith("name a folder that they share, or a store, with --run")


def test_a_copy_of_the_records_with_a_wrong_shard_is_told_although_its_manifest_is_right(tmp_path):
    """Shards are not read, which would take hours: a copy that was cut or mixed up has other sizes."""
    facts = {}
    for name, content in (("chief", b"1234"), ("copy", b"1234"), ("cut", b"12")):
        folder = tmp_path / name
        folder.mkdir()
        for shard, written in zip(SHARDS, (b"12345678", content), strict=True):
            (folder / shard.file).write_bytes(written)
        facts[name] = facts_of(run_at(folder), MANIFEST, replicas=1)
    assert not difference(facts["chief"], facts["copy"])
    assert re.match(
        "has shards whose sizes have the checksum .*prepare --verify names", difference(facts["chief"], facts["cut"])
    )
