"""What may lie in an --output, and what is refused."""

import json

import pytest

from tests.fixtures.embedded import songs, write_set
from tfmir.catalogue.output import announced, refuse_what_is_not_ours, shards_of
from tfmir.errors import UserError
from tfmir.searching.index_parts import HEADER

SHARD = "embeddings-00000-of-00002.parquet"


def test_a_set_nothing_and_files_of_other_names_are_let_be(tmp_path):
    refuse_what_is_not_ours(tmp_path / "nowhere")
    write_set(tmp_path, songs(9), shard=5)
    for name in ("embeddings-mine.parquet", "embeddings-0-of-1.parquet", "notes.txt"):
        (tmp_path / name).write_text("mine")
    (tmp_path / HEADER).write_text('{"pages": 3}')
    refuse_what_is_not_ours(tmp_path)
    (tmp_path / HEADER).write_text("no JSON")
    refuse_what_is_not_ours(tmp_path)


def test_shards_that_no_mark_lists_are_refused(tmp_path):
    write_set(tmp_path, songs(9), shard=5)
    (tmp_path / "embeddings-00000-of-00001.parquet").write_text("of whom?")
    with pytest.raises(UserError, match=r"holds embeddings-00000-of-00001.parquet, which no embeddings.json there lis"):
        refuse_what_is_not_ours(tmp_path)
    (tmp_path / "embeddings-00000-of-00001.parquet").unlink()
    (tmp_path / "embeddings.json").unlink()
    with pytest.raises(UserError, match=f"holds {SHARD}, which no .* choose another --output, or remove that file"):
        refuse_what_is_not_ours(tmp_path)


def test_shards_of_a_publication_that_was_cut_off_are_its_own(tmp_path):
    """The old set's are still there, and some of the new one's."""
    (tmp_path / ".build").mkdir()
    plan = {"shards": [{"file": "embeddings-00000-of-00001.parquet"}], "replaced": [SHARD], "library": "/new"}
    (tmp_path / ".build/publish.json").write_text(json.dumps(plan))
    for name in (SHARD, "embeddings-00000-of-00001.parquet"):
        (tmp_path / name).touch()
    refuse_what_is_not_ours(tmp_path)
    assert announced(tmp_path) == plan


def test_an_index_is_refused(tmp_path):
    (tmp_path / HEADER).write_text('{"schema_version": 1, "weights_sha256": "ab", "part_rows": 9}')
    with pytest.raises(UserError, match="holds an index: choose another --output for the embeddings"):
        refuse_what_is_not_ours(tmp_path)


def test_only_names_of_shards_count(tmp_path):
    write_set(tmp_path, songs(9), shard=5)
    assert shards_of(announced(tmp_path)) == [SHARD, "embeddings-00001-of-00002.parquet"]
    assert shards_of({"shards": [{"file": f"../{SHARD}"}, {"file": "annotations.csv"}]}) == []
    assert announced(tmp_path / "nowhere") == {}
