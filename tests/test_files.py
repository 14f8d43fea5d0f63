import hashlib
import json
import os
import pathlib

import numpy as np
import pytest

from tfmir import files
from tfmir.errors import UserError
from tfmir.files import leftovers, locked, read_arrays, replacing
from tfmir.remote import RemotePath


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in pathlib.Path(folder).rglob("*") if path.is_file())


def both(folder):
    """A folder as a local path, and as a store that TensorFlow reaches: a file system is one of its stores."""
    return [folder, RemotePath(f"file://{folder}")]


@pytest.mark.parametrize(
    ("path", "remote"),
    [("s3://a/b", True), ("hdfs:///a", True), ("gs://a", True), ("a/b", False), ("/a:b//c", False), ("C:/a", False)],
)
def test_what_has_a_scheme_is_remote(path, remote):
    assert files.is_remote(path) == remote
    assert isinstance(files.to_path(path), RemotePath) == remote
    assert isinstance(files.to_path(files.to_path(path)), RemotePath) == remote


def test_a_file_appears_whole_and_its_folders_with_it(tmp_path):
    with files.replacing(tmp_path / "a/b/c.png") as temporary:
        pathlib.Path(temporary).write_text("new")
        assert not (tmp_path / "a/b/c.png").exists()
        assert pathlib.Path(temporary).parent == tmp_path / "a/b"  # one file system, or the renaming would fail
        assert pathlib.Path(temporary).suffix == ".png"  # by which some writers choose the format
    assert names(tmp_path) == ["a/b/c.png"]


def interrupted(path, error):
    with files.replacing(path) as temporary:
        pathlib.Path(temporary).write_text("half")
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_writer_that_fails_leaves_nothing_and_what_stood_there_stays(tmp_path, error):
    for path in both(tmp_path):
        files.write_text(path / "old.txt", "old")
        for name in ("old.txt", "new.txt"):
            with pytest.raises(error):
                interrupted(path / name, error)
        assert names(tmp_path) == ["old.txt"]
        assert (tmp_path / "old.txt").read_text() == "old"


def test_a_writer_that_writes_nothing_is_an_error_and_what_stood_there_stays(tmp_path):
    (tmp_path / "a").write_text("old")
    with pytest.raises(FileNotFoundError), files.replacing(tmp_path / "a"):
        pass
    assert (tmp_path / "a").read_text() == "old"


def test_two_processes_and_two_machines_use_other_temporary_names(tmp_path, monkeypatch):
    found = set()
    for pid, host in ((1, "one.net"), (2, "one.net"), (1, "two.net")):
        monkeypatch.setattr("os.getpid", lambda pid=pid: pid)
        monkeypatch.setattr("socket.gethostname", lambda host=host: host)
        with files.replacing(tmp_path / "a") as temporary:
            found.add(temporary)
            pathlib.Path(temporary).touch()
    assert len(found) == 3


def test_text_json_size_and_checksum_locally_and_in_a_store(tmp_path):
    """é and ö are two bytes each in UTF-8: 7 characters, 9 bytes."""
    for path in both(tmp_path):
        files.write_text(path / "a.txt", "é\nö abc")
        assert (tmp_path / "a.txt").read_bytes() == "é\nö abc".encode()
        assert files.size(path / "a.txt") == 9
        assert files.sha256(path / "a.txt") == hashlib.sha256("é\nö abc".encode()).hexdigest()
        files.write_json(path / "a.json", {"a": [1, None, "é"]})
        assert json.loads((tmp_path / "a.json").read_bytes()) == files.read_json(path / "a.json")
        with files.reading(path / "a.txt") as name:
            assert pathlib.Path(name).read_text() == "é\nö abc"
        assert pathlib.Path(name).exists() == (path == tmp_path)  # a copy of a remote one is gone again


def test_a_checksum_is_of_all_blocks(tmp_path):
    data = bytes(range(256)) * 5000  # more than the mebibyte that is read at a time
    (tmp_path / "a").write_bytes(data)
    assert files.sha256(tmp_path / "a") == hashlib.sha256(data).hexdigest()


def test_nan_is_no_json_and_the_old_value_stays(tmp_path):
    files.write_json(tmp_path / "a.json", 1)
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "a.json", {"a": float("nan")})
    assert files.read_json(tmp_path / "a.json") == 1


@pytest.mark.parametrize("data", [b"{", b"", b"\xff\xfe"])
def test_what_is_no_json_names_the_file_and_the_remedy(tmp_path, data):
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(UserError, match=r"a.json: not JSON .*: remove it and run the command"):
        files.read_json(tmp_path / "a.json")


def test_a_missing_file_is_the_same_error_locally_and_in_a_store(tmp_path):
    for path in both(tmp_path):
        for read in (files.read_json, files.sha256, files.size):
            with pytest.raises(FileNotFoundError):
                read(path / "absent")


def test_a_tree_is_walked_and_removed_locally_and_in_a_store(tmp_path):
    for path in both(tmp_path):
        for name in ("a/b/c.txt", "a/d.txt"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        root = path / "a"
        found = {(directory[len(str(root)) :].strip("/"), name) for directory, _, of in files.walk(root) for name in of}
        assert found == {("", "d.txt"), ("b", "c.txt")}
        files.remove_tree(root)
        assert list(tmp_path.iterdir()) == []
        files.remove_tree(root)  # nothing there is no error


def test_a_folder_that_cannot_be_read_is_named(tmp_path, capsys):
    assert list(files.walk(tmp_path / "nowhere")) == []
    assert capsys.readouterr().err == f"left out: {tmp_path}/nowhere: No such file or directory\n"


def test_a_lock_keeps_others_out_and_ends_with_its_block(tmp_path):
    path = tmp_path / "new/.lock"
    with locked(path, busy="wait"), pytest.raises(UserError, match="^wait$"), locked(path, busy="wait"):
        pass
    with pytest.raises(ZeroDivisionError), locked(path, busy="wait"):
        raise ZeroDivisionError
    with locked(path, busy="wait"):
        pass
    with locked("s3://bucket/.lock", busy="wait"), locked("s3://bucket/.lock", busy="wait"):
        pass  # a remote store has no locks


def test_leftovers_are_what_replacing_has_begun(tmp_path):
    with replacing(tmp_path / "a.json") as name:
        pathlib.Path(name).touch()
        assert [str(path) for path in leftovers(tmp_path, ".json")] == [name]
    for name in (".rec-train.tfrecord-1", ".12.tfrecord-1", "a.tfrecord-1"):
        (tmp_path / name).touch()
    assert leftovers(tmp_path, ".tfrecord-*") == []


@pytest.mark.parametrize("damage", [b"", b"no arrays", b"PK\3\4" + bytes(50)])
def test_damaged_arrays_are_none_with_a_word(tmp_path, capsys, damage):
    assert read_arrays(tmp_path / "a.npz") is None
    np.savez(tmp_path / "a.npz", x=np.arange(3))
    assert read_arrays(tmp_path / "a.npz")["x"].tolist() == [0, 1, 2]
    (tmp_path / "a.npz").write_bytes(damage)
    assert read_arrays(tmp_path / "a.npz") is None
    assert capsys.readouterr().err == f"{tmp_path}/a.npz: damaged, and made anew\n"


def test_arrays_cut_anywhere_are_none(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", x=np.random.default_rng(0).random(999), y=np.zeros(9))
    whole = (tmp_path / "a.npz").read_bytes()
    for length in range(0, len(whole), 997):
        (tmp_path / "a.npz").write_bytes(whole[:length])
        assert read_arrays(tmp_path / "a.npz") is None


def test_what_changes_when_a_file_does_locally_and_in_a_store(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a").write_bytes(b"abc")
    os.utime(tmp_path / "sub/a", ns=(0, 10**18 + 7))
    for folder in (tmp_path, f"file://{tmp_path}"):
        found = files.stamps(folder, ["sub/a", "gone"])
        assert found["gone"] == (0, 0)
        assert found["sub/a"] == (pytest.approx(10**18 + 7, abs=1000), 3)
    assert files.stamps(tmp_path, ["sub/a"])["sub/a"][0] == 10**18 + 7


def test_a_file_moves_locally_and_in_a_store(tmp_path):
    (tmp_path / "a").write_text("x")
    (tmp_path / "c").write_text("old")
    files.move(tmp_path / "a", tmp_path / "b")
    files.move(RemotePath(f"file://{tmp_path}/b"), RemotePath(f"file://{tmp_path}/c"))
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("c", "x")]


def test_arrays_are_written_whole_and_read_back(tmp_path):
    files.write_arrays(tmp_path / "a.npz", x=np.arange(3), y=np.zeros(2))
    found = read_arrays(tmp_path / "a.npz")
    assert (found["x"].tolist(), found["y"].tolist()) == ([0, 1, 2], [0.0, 0.0])
