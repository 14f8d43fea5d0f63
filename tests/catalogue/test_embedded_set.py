"""Embeddings shard after shard, and what is said of a set that is damaged, unfinished or mixed."""

import hashlib
import json

import numpy as np
import pytest

from tests.fixtures.embedded import songs, write_set
from tfmir.catalogue import embedded_set
from tfmir.catalogue.embedded_set import open_set, vectors
from tfmir.errors import UserError


def test_batches_are_the_songs_in_their_order(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded_set, "_BATCH", 4)
    of = songs(20)
    embedded = open_set(write_set(tmp_path, of, shard=7))
    batches = list(embedded.batches(description="x"))
    assert [len(batch) for batch in batches] == [4, 3, 4, 3, 4, 2]
    np.testing.assert_array_equal(np.concatenate([vectors(batch) for batch in batches]), of.vectors.astype(np.float32))
    assert [name for batch in batches for name in batch.column("track_id").to_pylist()] == of.ids
    assert (embedded.tracks, embedded.dim) == (20, 24)


def mark_with(**facts):
    def spoil(folder):
        mark = json.loads((folder / "embeddings.json").read_text())
        (folder / "embeddings.json").write_text(json.dumps(mark | facts))

    return spoil


SHARD = "embeddings-00001-of-00003.parquet"


def scribbled(folder):
    """With a checksum that is right: somebody has made it anew."""
    (folder / SHARD).write_bytes(b"no parquet")
    mark = json.loads((folder / "embeddings.json").read_text())
    mark["shards"][1]["sha256"] = hashlib.sha256(b"no parquet").hexdigest()
    (folder / "embeddings.json").write_text(json.dumps(mark))


DAMAGE = {
    "unfinished": (
        lambda f: (f / "embeddings.json").unlink(),
        "or unfinished ones: give the embed command again",
    ),
    "no JSON": (lambda f: (f / "embeddings.json").write_text("{"), "not JSON"),
    "another version": (mark_with(schema_version=2), "schema version 2, expected 1"),
    "another version of the same number": (
        lambda f: (f / "embeddings.json").write_text('{"schema_version": 1}'),
        "no 'card'",
    ),
    "another count": (mark_with(tracks=21), "21 tracks, but its shards have 20"),
    "no track": (mark_with(tracks=0, shards=[]), "hold no track: "),
    "a missing shard": (lambda f: (f / SHARD).unlink(), "missing or damaged: give the embed command again"),
    "a cut shard": (lambda f: (f / SHARD).write_bytes((f / SHARD).read_bytes()[:-9]), "missing or damaged: give"),
    "a shard that is no Parquet": (scribbled, "not a Parquet file of embeddings"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_one_line(tmp_path, name):
    spoil, message = DAMAGE[name]
    write_set(tmp_path, songs(20), shard=7)
    spoil(tmp_path)
    with pytest.raises(UserError) as told:
        list(open_set(str(tmp_path)).batches(description="x"))
    assert message in str(told.value)
    assert "\n" not in str(told.value)


def test_shards_of_other_weights_are_refused(tmp_path):
    embedded = open_set(write_set(tmp_path, songs(20), shard=7, shard_weights={2: "cd" * 32}))
    with pytest.raises(UserError, match=r"00002-of-00003.parquet: embedded with other weights \(cdcdcdcdcdcd…\)"):
        list(embedded.batches(description="x"))


def test_a_folder_without_embeddings_is_refused(tmp_path):
    with pytest.raises(UserError, match="there is no embeddings.json in it"):
        open_set(str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="--embeddings is empty"):
        open_set("")
