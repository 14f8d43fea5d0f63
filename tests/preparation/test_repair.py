import pathlib
import shutil

import pytest

from tests.fixtures.cluster import no_cluster
from tfmir.data.manifest import load_manifest
from tfmir.errors import UserError
from tfmir.preparation.build import build_records
from tfmir.preparation.repair import damaged_shards, verify


@pytest.fixture
def copy(records, tmp_path):
    """A finished set of its own."""
    return pathlib.Path(shutil.copytree(records, tmp_path / "tiny"))


def prepare(corpus, folder):
    with no_cluster():
        return build_records(corpus, str(folder), num_shards=2, max_rejected_fraction=0.0)


def shards(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.tfrecord-*")}


def cut(path):
    path.write_bytes(path.read_bytes()[:-50])


def flip(path):
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(bytes(data))


def test_verify_finds_a_flipped_bit_and_a_missing_shard(copy, capsys):
    verify(str(copy))
    assert "agree with their checksums" in capsys.readouterr().out
    first, second = sorted(copy.glob("*.tfrecord-*"))[:2]
    flip(first)
    second.unlink()
    with pytest.raises(UserError, match=r"2 of 4 shards are damaged") as caught:
        verify(str(copy))
    assert f"{first.name}: sha256" in str(caught.value)
    assert f"{second.name}: missing" in str(caught.value)


@pytest.mark.parametrize("damage", [cut, flip, pathlib.Path.unlink])
def test_prepare_writes_anew_what_verify_has_found(copy, corpus, records, damage, capsys):
    first = min(copy.glob("*-train.tfrecord-*"))
    damage(first)
    with pytest.raises(UserError, match="1 of 4 shards are damaged: give the prepare command again"):
        verify(str(copy))
    prepare(corpus, copy)
    assert "1 damaged shards are written anew, with the bytes that they had" in capsys.readouterr().out
    assert shards(copy) == shards(pathlib.Path(records))
    verify(str(copy))
    prepare(corpus, copy)
    assert "finished already; nothing to do" in capsys.readouterr().out


def test_a_missing_shard_is_found_without_verify(copy, corpus, records):
    gone = min(copy.glob("*-test.tfrecord-*"))
    gone.unlink()
    assert damaged_shards(copy, load_manifest(str(copy))) == {gone.name}
    prepare(corpus, copy)
    assert shards(copy) == shards(pathlib.Path(records))


def test_where_the_audio_has_changed_the_set_is_not_repaired_with_it(copy, corpus, monkeypatch):
    gone = min(copy.glob("*-test.tfrecord-*"))
    gone.unlink()
    manifest = (copy / "manifest.json").read_text()
    stored = load_manifest(str(copy)).splits["test"].shards[0].sha256
    (copy / "manifest.json").write_text(manifest.replace(stored, "0" * 64))
    with pytest.raises(UserError, match=r"not what they were, the first is .*: the audio, .* has changed"):
        prepare(corpus, copy)
