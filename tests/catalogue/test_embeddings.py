"""The schema of embedded songs: by hand, there and back, and what is not whole."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfmir import files
from tfmir.catalogue.embeddings import (
    CARD_KEY,
    MARK,
    SCHEMA_VERSION,
    WEIGHTS_KEY,
    Row,
    metadata_of,
    read_embeddings,
    read_table,
    schema,
    shard_file,
    to_table,
    vectors,
    write_table,
)
from tfmir.errors import UserError

COLUMNS = ["track_id", "path", "mtime_ns", "size", "duration_s", "excerpts", "artist", "tags", "scores", "embedding"]
COLUMNS += ["alive"]


def row(name, embedding, **more):
    facts = {"mtime_ns": 2**60 + 1, "size": 7, "duration_s": 6.5, "excerpts": 2, "parts": 2}
    scores = np.array([0.25, 0.5, 1.0])
    return Row(name, name, scores=scores, embedding=np.array(embedding, np.float32), **facts | more)


ROWS = [
    row("a/b.mp3", [0.6, 0.8, 0.0, 0.0], artist="X", tags=("genre/rock", "mood/calm")),
    row("é.mp3", [0.0, 0.0, 1e-9, 1.0]),
]


def test_the_columns_and_their_types_by_hand():
    found = schema(4)
    assert found.names == COLUMNS
    assert found.field("embedding").type == pa.list_(pa.float16(), 4)
    assert [str(found.field(name).type) for name in ("mtime_ns", "size", "duration_s", "excerpts")] == [
        "int64",
        "int64",
        "double",
        "int32",
    ]
    assert schema(4, excerpts=True).names == [*COLUMNS, "excerpt_embeddings"]


def test_rows_are_rounded_to_float16_and_a_part_is_alive_if_anything_of_it_is_left():
    """1e-9 is less than half of float16's smallest number, 6e-8."""
    table = to_table(ROWS, dim=4)
    assert table.column("alive").to_pylist() == [[True, False], [False, True]]
    assert table.column("tags").to_pylist() == [["genre/rock", "mood/calm"], []]
    assert table.column("artist").to_pylist() == ["X", ""]
    assert [[float(x) for x in scores] for scores in table.column("scores").to_pylist()] == [[0.25, 0.5, 1.0]] * 2
    expected = np.array([[0.6, 0.8, 0, 0], [0, 0, 0, 1]], np.float16)
    np.testing.assert_array_equal(vectors(table), expected)
    np.testing.assert_array_equal(vectors(table.slice(1)), expected[1:])
    assert vectors(table).dtype == np.float16


def test_no_rows_are_a_table_with_the_same_columns():
    for excerpts in (False, True):
        table = to_table([], dim=4, excerpts=excerpts)
        assert (len(table), table.schema) == (0, schema(4, excerpts=excerpts))
        assert vectors(table).shape == (0, 4)


def test_embeddings_of_excerpts_are_one_list_a_song():
    own = np.arange(12, dtype=np.float32).reshape(3, 4)
    table = to_table([row("a", [1, 0, 0, 0], excerpt_embeddings=own), ROWS[1]], dim=4, excerpts=True)
    first, second = table.column("excerpt_embeddings").to_pylist()
    np.testing.assert_array_equal(np.array(first, np.float32), own)
    assert second == []


def test_a_file_is_read_back_and_the_same_rows_give_the_same_bytes(tmp_path):
    table = to_table(ROWS, dim=4)
    sums = {write_table(tmp_path / name, table, metadata_of({"tags": ["é"]}, "abc")) for name in ("a.parquet", "b")}
    assert sums == {files.sha256(tmp_path / "a.parquet")}
    said = pq.read_schema(tmp_path / "b").metadata
    assert (said[WEIGHTS_KEY], json.loads(said[CARD_KEY])) == (b"abc", {"tags": ["é"]})
    assert read_table(tmp_path / "b").equals(table)
    assert read_table(tmp_path / "b", columns=["size"]).column_names == ["size"]


def test_what_is_damaged_or_absent_is_none(tmp_path):
    write_table(tmp_path / "a", to_table(ROWS, dim=4))
    (tmp_path / "half").write_bytes((tmp_path / "a").read_bytes()[:500])
    (tmp_path / "empty").touch()
    assert [read_table(tmp_path / name) for name in ("half", "empty", "absent")] == [None] * 3


@pytest.fixture
def finished(tmp_path):
    """A set of two shards."""
    shards = [
        {
            "file": shard_file(i, 2),
            "tracks": 1,
            "sha256": write_table(tmp_path / shard_file(i, 2), to_table([r], dim=4)),
        }
        for i, r in enumerate(ROWS)
    ]
    said = {"schema_version": SCHEMA_VERSION, "library": "/music", "tracks": 2, "rejected": 3, "dim": 4}
    files.write_json(tmp_path / MARK, said | {"weights_sha256": "abc", "card": {"tags": ["x"]}, "shards": shards})
    return tmp_path


def test_a_finished_set_is_read_shard_after_shard(finished):
    found = read_embeddings(finished)
    assert found.table.equals(to_table(ROWS, dim=4))
    assert (found.library, found.dim, found.weights_sha256, found.card, found.rejected) == (
        "/music",
        4,
        "abc",
        {"tags": ["x"]},
        3,
    )
    assert read_embeddings(str(finished), columns=["track_id"]).table.num_columns == 1


def lose(folder):
    (folder / shard_file(1, 2)).unlink()


def spoil(folder):
    """Other rows than it had, in a file that can be read."""
    write_table(folder / shard_file(1, 2), to_table(ROWS, dim=4))


def unmark(folder):
    (folder / MARK).unlink()


def age(folder):
    files.write_json(folder / MARK, files.read_json(folder / MARK) | {"schema_version": 0})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lose, "embeddings-00001-of-00002.parquet: missing or damaged: give the embed command again"),
        (spoil, "embeddings-00001-of-00002.parquet: missing or damaged"),
        (unmark, "there is no embeddings.json in it: no embeddings, or unfinished ones: give the embed command again"),
        (age, "schema version 0, expected 1"),
    ],
)
def test_what_is_no_finished_set_is_refused(finished, change, message):
    change(finished)
    with pytest.raises(UserError, match=message):
        read_embeddings(finished)
