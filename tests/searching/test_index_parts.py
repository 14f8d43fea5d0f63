"""What is said of an index that is damaged, cut, of another version, or none."""

import errno
import json
import os
import shutil

import numpy as np
import pytest

from tests.fixtures.embedded import songs, write_set
from tfmir.catalogue.embedded_set import open_set
from tfmir.errors import UserError
from tfmir.searching.index import open_index
from tfmir.searching.index_build import Wanted, build_index
from tfmir.searching.index_parts import Parts, new_part, write_faiss


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    embedded = open_set(write_set(folder / "e", songs(30)))
    return build_index(embedded, str(folder / "i"), Wanted("hnsw", "none", part_rows=8))


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "copy")


def searched(folder):
    index = open_index(str(folder))
    for weights in ({}, {"mood": 1.0}):
        index.search(index.embedding(29), weights=weights, top=3)


def test_rows_are_read_from_their_parts_in_the_order_asked(whole):
    parts, of = Parts(whole, "whole", 30, 8), songs(30)
    np.testing.assert_array_equal(parts.rows([29, 0, 8, 7, 0]), of.vectors[[29, 0, 8, 7, 0]].astype(np.float32))
    assert parts.rows([]).shape[0] == 0
    assert [first for first, _ in parts] == [0, 8, 16, 24]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a disk that is always full")
@pytest.mark.parametrize("count", [10, 1_000_000])
def test_a_full_disk_is_told_also_where_only_the_last_bytes_do_not_fit(tmp_path, count):
    """A small file is in a buffer until it is closed."""
    part = new_part(4)
    part.add(np.ones([count, 4], np.float32))
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as told:
        write_faiss(part, tmp_path / "full")
    assert (told.value.errno, told.value.filename) == (errno.ENOSPC, str(tmp_path / "full"))


def header_with(**facts):
    def spoil(folder):
        path = folder / "index.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | facts))

    return spoil


def without(name):
    return lambda folder: (folder / name).unlink()


def cut(name):
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-1])


def scribbled(name):
    """Of the same size, so that only reading it tells."""
    return lambda folder: (folder / name).write_bytes(b"\0" * (folder / name).stat().st_size)


def no_card(folder):
    header_with(card={"notions": {"mood": ["a"]}})(folder)


DAMAGE = {
    "no header": (without("index.json"), "no index.json in it: make an index with"),
    "a header that is no JSON": (lambda f: (f / "index.json").write_text("{"), "not JSON"),
    "a header of another version": (header_with(schema_version=9), "of version 9, this tfmir reads 1"),
    "a header that is a list": (lambda f: (f / "index.json").write_text("[]"), "of version None"),
    "a header without a library": (lambda f: (f / "index.json").write_text('{"schema_version": 1}'), "has no 'card'"),
    "a card of another version": (no_card, "not what this version of tfmir writes"),
    "a part that is missing": (without("subspaces-00002.faiss"), "subspaces-00002.faiss is not there"),
    "a part that is cut": (cut("whole-00003.faiss"), "whole-00003.faiss has"),
    "tracks that are cut": (cut("tracks.arrow"), "tracks.arrow has"),
    "a part that is scribbled over": (scribbled("whole-00000.faiss"), "whole-00000.faiss: damaged"),
    "tracks that are scribbled over": (scribbled("tracks.arrow"), "tracks.arrow: damaged"),
    "embeddings": (lambda f: (f / "index.json").rename(f / "embeddings.json"), "holds embeddings: index them with"),
    "nothing": (shutil.rmtree, "no index.json in it"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_one_line(copy, name):
    spoil, message = DAMAGE[name]
    spoil(copy)
    with pytest.raises(UserError) as told:
        searched(copy)
    assert message in str(told.value)
    assert "\n" not in str(told.value)


def test_parts_that_were_mixed_up_are_noticed(copy):
    """Part 3 has 6 rows, the others 8."""
    (copy / "whole-00000.faiss").write_bytes((copy / "whole-00003.faiss").read_bytes())
    header = json.loads((copy / "index.json").read_text())
    header["files"]["whole-00000.faiss"] = header["files"]["whole-00003.faiss"]
    (copy / "index.json").write_text(json.dumps(header))
    with pytest.raises(UserError, match="whole-00000.faiss: damaged"):
        searched(copy)
