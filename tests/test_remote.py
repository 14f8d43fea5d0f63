"""Audio, records and runs in an S3 store: a local server, and the commands as a user types them."""

import os
import pathlib
import socket
import subprocess
import sys
import time

import pytest

from tfmir import remote
from tfmir.catalogue.embeddings import read_embeddings
from tfmir.errors import UserError
from tfmir.files import to_path
from tfmir.remote import RemotePath

boto3 = pytest.importorskip("boto3")
BUCKET = "music"
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (tmp_path_factory.mktemp("s3") / "log").open("wb")
    call = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(call, stdout=log, stderr=log)
    end = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            assert time.monotonic() < end, "the server does not start"
            time.sleep(0.1)
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.wait()


@pytest.fixture(scope="module")
def store(endpoint):
    """A bucket, as others see it."""
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
    )
    client.create_bucket(Bucket=BUCKET)
    return client


def objects(store, prefix):
    """Name below the prefix -> bytes."""
    found = store.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
    return {
        item["Key"][len(prefix) :]: store.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read() for item in found
    }


def python(endpoint, *arguments, **environment):
    """A process of its own, since one that has used S3 cannot end in peace."""
    names = {**os.environ, **KEYS, "S3_ENDPOINT": endpoint, **environment}
    return subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, env=names, timeout=240
    )


def test_names_and_parents_by_hand():
    path = to_path("s3://bucket/a/") / "b.txt"
    assert (str(path), path.name, str(path.parent)) == ("s3://bucket/a/b.txt", "b.txt", "s3://bucket/a")
    assert len({path, RemotePath("s3://bucket/a/b.txt")}) == 1
    assert path != "s3://bucket/a/b.txt"
    assert sorted([path, path.parent]) == [path.parent, path]


def test_making_and_comparing_paths_uses_no_store_and_asking_does(monkeypatch, tmp_path):
    """Only a process that has asked a store for something must end without the interpreter's own end."""
    monkeypatch.setattr(remote, "_stores_used", False)
    path = RemotePath(f"file://{tmp_path}") / "a.txt"
    assert str(path.parent) == f"file://{tmp_path}"
    assert not remote.was_used()
    assert not path.exists()
    assert remote.was_used()


def test_a_store_keeps_the_promises_of_pathlib(tmp_path):
    """TensorFlow's local file system stands for a store: everything asked through it is there on the disk."""
    store = RemotePath(f"file://{tmp_path}")
    (store / "b.txt").write_text("hé")
    (store / "a.txt").write_bytes(b"")
    assert ((tmp_path / "b.txt").read_text(), (store / "b.txt").read_text(), (store / "b.txt").size()) == (
        "hé",
        "hé",
        3,
    )
    assert [path.name for path in store.glob("*.txt")] == ["a.txt", "b.txt"]
    (store / "a.txt").unlink()
    with pytest.raises(FileNotFoundError, match="a.txt"):
        (store / "a.txt").unlink()
    (store / "a.txt").unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError, match="a.txt"):
        (store / "a.txt").read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["b.txt"]


def test_a_folder_with_odd_letters_in_its_name_is_no_pattern(tmp_path):
    for name in ("[1]*", "1x"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"in {name}").touch()
    assert [path.name for path in RemotePath(f"file://{tmp_path}/[1]*").glob("*")] == ["in [1]*"]


def test_writing_where_there_is_no_bucket_is_told_with_the_remedy(tmp_path):
    with pytest.raises(UserError, match=r"nowhere/a.txt: there is no such bucket or store: check the address"):
        RemotePath(f"file://{tmp_path}/nowhere/a.txt").write_text("x")


ACTIONS = """
from tfmir import files
from tfmir.command import leave
from tfmir.files import to_path
from tfmir.catalogue.embeddings import read_embeddings
root = to_path("s3://music/odd")
assert not root.exists() and not root.is_dir() and list(root.glob("*")) == []
files.write_text(root / "x.json", "[1]")
files.write_text(root / "x.json.more", "kept")
files.write_text(root / "empty", "")
assert files.read_json(root / "x.json") == [1] and (root / "empty").read_bytes() == b""
assert [path.name for path in root.glob("x*")] == ["x.json", "x.json.more"]
assert root.is_dir() and files.size(root / "x.json.more") == 4
assert files.sha256(root / "empty").startswith("e3b0c442")
(root / "x.json").unlink()
(root / "x.json").unlink(missing_ok=True)
try:
    files.read_json(root / "x.json")
except FileNotFoundError:
    print("not there")
files.write_text(to_path("s3://music/odder/y"), "another folder")
files.remove_tree(root)
files.remove_tree(root)
leave(7)
"""


def test_files_are_written_read_listed_and_removed_and_the_exit_code_is_kept(store, endpoint):
    result = python(endpoint, "-c", ACTIONS)
    assert (result.returncode, result.stdout) == (7, "not there\n"), result.stderr
    assert set(objects(store, "odd")) == {"er/y"}


def test_audio_records_and_runs_in_the_store(store, endpoint, audio_folder, records):
    for path in audio_folder.glob("*.flac"):
        store.put_object(Bucket=BUCKET, Key=f"audio/{path.name}", Body=path.read_bytes())
    prepare = ["--corpus=folder", "--audio_dir=s3://music/audio", f"--annotations={audio_folder}/annotations.csv"]
    prepare += ["--output=s3://music/records/tiny", "--num_shards=2", "--workers=1"]
    first = python(endpoint, "-m", "tfmir.prepare", *prepare)
    assert first.returncode == 0, first.stderr
    found = objects(store, "records/tiny/")
    local = {path.name: path.read_bytes() for path in to_path(records).glob("*.tfrecord-*")}
    assert {name: data for name, data in found.items() if ".tfrecord-" in name} == local
    assert set(found) == {*local, "manifest.json", "rejected.tsv"}
    again = python(endpoint, "-m", "tfmir.prepare", *prepare)
    assert "finished already" in again.stdout, again.stderr

    train = [
        "--records=s3://music/records/tiny",
        "--run=s3://music/runs/tiny",
        "--encoder=statistics",
        "--width_multiplier=0.0625",
    ]
    train += ["--embedding_dim=16", "--batch_size=4", "--excerpts_per_read=2", "--shuffle_buffer=8"]
    once = python(endpoint, "-m", "tfmir.train", *train, "--epochs=1")
    assert once.returncode == 0, once.stderr
    more = python(endpoint, "-m", "tfmir.train", *train, "--epochs=2")
    assert (more.returncode, "resuming s3://music/runs/tiny" in more.stdout) == (0, True), more.stderr
    run = objects(store, "runs/tiny/")
    assert len(run["history.csv"].splitlines()) == 3
    assert {"params.json", "best.weights.h5", "backup/epoch-000002/state.json"} <= set(run)
    assert any(name.startswith("logs/events") for name in run)
    search = ["--run=s3://music/runs/tiny", "--library=train", "--like=00.flac", "--top=2"]
    assert python(endpoint, "-m", "tfmir.search", *search).returncode == 0


EMBED = """
import sys
from tests.fixtures.commands import called
from tfmir.command import leave
from tfmir.catalogue import build
build.run_tasks = lambda function, tasks, **_: (function(*task) for task in tasks)  # no cluster
run, output = sys.argv[1:]
for folder in (output, output, "s3://music/embedded"):
    called("embed", f"--run={run}", "--library=s3://music/library", f"--output={folder}")
leave(0)
"""


def test_a_library_in_the_store_is_embedded_file_by_file(store, endpoint, audio_folder, run, tmp_path):
    """The store says when a file was written: a second call has nothing to do. The output may lie in the store, too."""
    for name in ("00.flac", "01.flac", "annotations.csv"):
        store.put_object(Bucket=BUCKET, Key=f"library/{name}", Body=(audio_folder / name).read_bytes())
    (tmp_path / "tmp").mkdir()
    result = python(endpoint, "-c", EMBED, run.path, tmp_path / "out", TMPDIR=str(tmp_path / "tmp"))
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("finished already; nothing to do") == 1
    assert not list((tmp_path / "tmp").glob("**/*.flac"))  # no copy of a file is left
    found = read_embeddings(tmp_path / "out")
    rows = found.table.to_pylist()
    assert (found.library, [row["track_id"] for row in rows]) == ("s3://music/library", ["00.flac", "01.flac"])
    head = store.head_object(Bucket=BUCKET, Key="library/00.flac")
    assert rows[0]["size"] == head["ContentLength"]
    assert rows[0]["mtime_ns"] // 10**9 == head["LastModified"].timestamp()
    assert rows[0]["artist"] == "artist0"
    assert objects(store, "embedded/") == {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}


ISOLATED = """
from tfmir.data.audio import AudioError
from tfmir.data.isolation import decode_isolated
from tfmir.command import leave
print(len(decode_isolated("s3://music/alone/00.flac", sample_rate=22050, max_secs=2.0)))
try:
    decode_isolated("s3://music/alone/absent.flac", sample_rate=22050, max_secs=2.0)
except AudioError as error:
    print(error)
leave(0)
"""


def test_a_file_in_the_store_can_be_decoded_in_a_process_of_its_own(store, endpoint, audio_folder):
    store.put_object(Bucket=BUCKET, Key="alone/00.flac", Body=(audio_folder / "00.flac").read_bytes())
    result = python(endpoint, "-c", ISOLATED)
    assert result.stdout == "44100\nmissing: no such file\n", result.stderr


def test_a_store_that_refuses_is_one_line_with_a_remedy(store, endpoint, audio_folder):
    flags = ["--corpus=folder", f"--audio_dir={audio_folder}", "--output=s3://no-such-bucket/x", "--workers=1"]
    result = python(endpoint, "-m", "tfmir.prepare", *flags)
    assert result.returncode == 2
    assert "s3://no-such-bucket/x" in result.stderr.splitlines()[-1]
    assert "check the address, the credentials" in result.stderr


def test_a_store_that_is_busy_for_a_moment_is_asked_again(tmp_path, monkeypatch):
    class Busy:
        """A store of which the first two calls fail."""

        calls = 0

        def download(self, url, target):
            self.calls += 1
            if self.calls < 3:
                raise UserError(f"{url}: slow down")

    busy = Busy()
    monkeypatch.setattr("tfmir.stores.known.store_of", lambda url: busy)
    monkeypatch.setattr(remote, "_PAUSES", (0.0, 0.0))
    RemotePath("s3://a/b").download(str(tmp_path / "b"))
    assert busy.calls == 3
    busy.calls = -1
    with pytest.raises(UserError, match="s3://a/b: slow down"):
        RemotePath("s3://a/b").download(str(tmp_path / "b"))


def test_what_is_fetched_is_local_and_nothing_of_it_is_left(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"here")
    local = pathlib.Path(remote.fetch(f"file://{tmp_path}/a.bin"))
    assert (local.read_bytes(), local.name.endswith("-a.bin")) == (b"here", True)
    remote.clean_up()
    assert not local.parent.exists()
    remote.clean_up()
