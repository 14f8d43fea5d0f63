"""Stores by both ways: TensorFlow's file systems, and fsspec's, whose memory stands for a store on the network."""

import time

import fsspec
import pytest

from tfmir.stores.fsspecs import FsspecStore
from tfmir.stores.tensorflows import TensorFlowStore


@pytest.fixture(params=["tensorflow", "fsspec"])
def store(request, tmp_path):
    """A store and the name of an empty folder in it."""
    if request.param == "tensorflow":
        return TensorFlowStore(), f"file://{tmp_path}"
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    return FsspecStore(system, "memory"), "memory://folder"


def test_what_is_written_is_there_and_is_read(store):
    store, root = store
    assert not store.exists(f"{root}/a.txt")
    store.write(f"{root}/a.txt", b"one")
    store.write(f"{root}/a.txt", b"other")
    assert store.exists(f"{root}/a.txt")
    assert (store.read(f"{root}/a.txt"), store.size(f"{root}/a.txt")) == (b"other", 5)
    assert store.is_dir(root)
    assert not store.is_dir(f"{root}/b")


def test_files_come_and_go(store, tmp_path):
    store, root = store
    (tmp_path / "local").write_bytes(b"here")
    store.upload(str(tmp_path / "local"), f"{root}/up")
    store.download(f"{root}/up", str(tmp_path / "down"))
    assert (tmp_path / "down").read_bytes() == b"here"
    store.remove(f"{root}/up")
    assert not store.exists(f"{root}/up")


def test_names_below_a_folder_match_a_pattern(store, tmp_path):
    store, root = store
    (tmp_path / "of[1]").mkdir()
    for name in ("b.json", "a.json", "c.txt"):
        store.write(f"{root}/of[1]/{name}", b"x")
    assert sorted(store.glob(f"{root}/of[1]", "*.json")) == [f"{root}/of[1]/a.json", f"{root}/of[1]/b.json"]
    assert store.glob(root, "nothing/*") == []


def test_a_tree_is_walked_as_the_systems_own_and_removed(store, tmp_path):
    store, root = store
    tree = f"{root}/t"
    (tmp_path / "t/one/two").mkdir(parents=True)  # TensorFlow's local file system makes no folders by itself
    for name in ("x", "one/y", "one/two/z"):
        store.write(f"{tree}/{name}", b"x")
    found = {folder.rstrip("/"): (sorted(folders), sorted(names)) for folder, folders, names in store.walk(tree)}
    assert found == {tree: (["one"], ["x"]), f"{tree}/one": (["two"], ["y"]), f"{tree}/one/two": ([], ["z"])}
    store.remove_tree(tree)
    assert not store.is_dir(tree)


def test_stamps_of_all_files_are_asked_for_at_once(store, tmp_path):
    store, root = store
    (tmp_path / "t/one").mkdir(parents=True)
    before = time.time_ns()
    for name, data in (("x", b"12"), ("one/y", b"123")):
        store.write(f"{root}/t/{name}", data)
    found = store.stamps(f"{root}/t")
    assert {name: size for name, (_, size) in found.items()} == {"x": 2, "one/y": 3}
    assert all(abs(changed - before) < 60 * 10**9 for changed, _ in found.values())


def test_what_is_absent_is_a_missing_file_where_it_is_read(store, tmp_path):
    store, root = store
    for read in (store.read, store.size, lambda url: store.download(url, str(tmp_path / "x"))):
        with pytest.raises(FileNotFoundError, match="absent"):
            read(f"{root}/absent")
