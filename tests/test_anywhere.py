"""What users bring, command by command, and what becomes of it: a table. One process, one tiny run, copies of it.

An outcome that begins with "error: " is a `UserError` of one line, of which it is a part; any other is printed.
"""

import json
import os
import shutil
import unicodedata

import pytest

from tests.fixtures.commands import called
from tfmir import files
from tfmir.errors import UserError
from tfmir.flags import to_argv
from tfmir.preparation import build
from tfmir.run_directory import load_run
from tfmir.serving import bundle

FOLDER = ["prepare", "--corpus=folder", "--audio_dir=audio", "--annotations=tags.csv", "--output=made", "--workers=1"]
EVALUATE = ["evaluate", "--run=run", "--nobaselines"]
SEARCH = ["search", "--run=run", "--like=03.flac", "--library=test"]
RESUME = ["train", "--run=run", "SAME"]
NEW = ["train", "--run=new", "--records=records"]
TAGS = "error: the tags of 'genre' are ['pop', 'rock']"
ONE_ARTIST = "path,artist,genre\n" + "".join(f"{i:02d}.flac,X,{'ab'[i % 2]}\n" for i in range(24))
DAMAGED = "no weights of this system can be read from it"


class World:
    """A folder with a run, its records and the audio that they are of."""

    def __init__(self, folder, run, records, audio):
        self.folder = folder
        shutil.copytree(records, folder / "records")
        shutil.copytree(run.path, folder / "run")
        (folder / "audio").symlink_to(audio)
        shutil.copy(audio / "annotations.csv", folder / "tags.csv")
        self.store(records=str(folder / "records"))

    def store(self, **changes):
        stored = json.loads((self.folder / "run/params.json").read_text()) | changes
        (self.folder / "run/params.json").write_text(json.dumps(stored))

    def call(self, name, *flags):
        own = load_run("run") if "SAME" in flags else None
        words = [word for word in flags if word != "SAME"]
        if own:
            place = [] if any("--records" in word for word in words) else [f"--records={own.records}"]
            words += [*to_argv(own.params), *place]
        return called(name, *words)

    def table(self, text):
        (self.folder / "tags.csv").write_text(text)

    def remake(self, old, new):
        """The records, made anew at the same place, of tags in which one word stands for another."""
        shutil.rmtree(self.folder / "records")
        self.table((self.folder / "tags.csv").read_text().replace(old, new))
        self.call(*FOLDER[:-2], "--output=records", "--workers=1", "--num_shards=2")

    def move(self, name="moved"):
        (self.folder / "records").rename(self.folder / name)

    def spoil(self, pattern, change):
        path = min(self.folder.glob(pattern))
        change(path)
        return path


@pytest.fixture
def world(run, records, audio_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bundle, "_check", lambda *_: None)
    monkeypatch.setattr(build, "run_tasks", lambda function, tasks, **_: (function(*task) for task in tasks))
    return World(tmp_path, run, records, audio_folder)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def remove(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def rows(head, cells):
    return f"path,split,{head}\n" + "".join(
        f"{i:02d}.flac,{('train', 'train', 'validation', 'test')[i % 4]},{cells[i % len(cells)]}\n" for i in range(24)
    )


def other_tags(world):
    world.remake("jazz", "pop")


def other_split(world):
    world.remake("01.flac,train", "01.flac,test")


def a_searched_run(world):
    world.call(*SEARCH)


def a_damaged_cache(world):
    a_searched_run(world)
    world.spoil("run/library/*.npz", cut)


def a_read_only_run(world):
    """Nobody but root writes to a read-only folder, so a file stands where the cache's folder would be."""
    shutil.rmtree(world.folder / "run/library", ignore_errors=True)
    (world.folder / "run/library").write_text("in the way")


def finished_records(world):
    world.call(*FOLDER)


def damaged_records(world):
    finished_records(world)
    world.spoil("made/*-train.tfrecord-*", cut)
    with pytest.raises(UserError, match="1 of 3 shards are damaged"):
        world.call("prepare", "--output=made", "--verify")


def decomposed_song(world):
    """A folder of music with an umlaut in a name, in Unicode's other form."""
    (world.folder / "music").mkdir()
    for name in ("für.flac", "other.flac"):
        shutil.copy(world.folder / "audio/00.flac", world.folder / "music" / unicodedata.normalize("NFD", name))


# what is given -> (what makes it so, the command, its outcome)
KINDS = {
    # A run and its records belong together.
    "records made anew with other tags, evaluated": (
        other_tags,
        EVALUATE,
        "error: the tags of 'genre' are ['pop', 'rock']",
    ),
    "records made anew with other tags, searched": (
        other_tags,
        SEARCH,
        "error: the tags of 'genre' are ['pop', 'rock']",
    ),
    "records made anew with other tags, resumed": (other_tags, RESUME, "error: was trained on other records"),
    "records made anew with another split, evaluated": (
        other_split,
        EVALUATE,
        "error: hold other tracks, tags or splits",
    ),
    "records made anew with another split, resumed": (other_split, RESUME, "error: was trained on other records"),
    "records that have gone": (World.move, EVALUATE, "error: say with --records where they are now"),
    "records that were moved, searched": (World.move, [*SEARCH, "--records=moved"], "like 03.flac"),
    "records that were moved, resumed": (World.move, [*RESUME, "--records=moved/"], "nothing to do"),
    "the same records by another spelling, resumed": (None, [*RESUME, "--records=./run/../records"], "nothing to do"),
    "the same audio by another spelling, prepared": (
        finished_records,
        [*FOLDER[:2], "--audio_dir=./audio/", *FOLDER[3:]],
        "finished already; nothing to do",
    ),
    # Tags, notions, splits.
    "a column without a name": (
        lambda w: w.table(",path,genre\n" + "".join(f"{i},{i:02d}.flac,rock\n" for i in range(24))),
        FOLDER,
        "error: index=False",
    ),
    "a notion called log_mel": (lambda w: w.table(rows("log_mel", ["a", "b"])), FOLDER, "error: log_mel"),
    "a notion called a/b": (lambda w: w.table(rows("a/b", ["a", "b"])), FOLDER, "error: a/b"),
    "a notion called track_id": (lambda w: w.table(rows("track_id", ["a", "b"])), FOLDER, "error: track_id"),
    "tags that differ in case and spaces": (
        lambda w: w.table(rows("genre", ["Rock", "rock ", "JAZZ", "jazz"])),
        FOLDER,
        "24 tracks",
    ),
    "one artist and no split": (lambda w: w.table(ONE_ARTIST), FOLDER, "24 tracks"),
    "two tracks": (lambda w: w.table("path,genre\n00.flac,a\n01.flac,b\n"), FOLDER, "error: validation"),
    "a notion with one tag": (lambda w: w.table(rows("genre,mood", ["a,x", "b,x"])), FOLDER, "24 tracks"),
    "a Latin-1 table": (
        lambda w: (w.folder / "tags.csv").write_bytes(b"path,genre\n00.flac,m\xfcde\n"),
        FOLDER,
        "error: UTF-8",
    ),
    # Queries.
    "a weight twice": (None, [*SEARCH, "--weights=mood=1,mood=2"], "error: mood"),
    "a weight that overflows": (None, [*SEARCH, "--weights=mood=1e39"], "error: 1e39"),
    "a notion that is not there": (None, [*SEARCH, "--weights=tempo=1"], "error: no notion 'tempo'"),
    # Seeds.
    "the largest seed": (
        None,
        ["train", "--run=new", "--records=records", "--seed=4294967296"],
        "error: --seed=4294967296",
    ),
    "a negative seed": (None, ["train", "--run=new", "--records=records", "--seed=-1"], "error: --seed=-1"),
    # Damaged artefacts.
    "weights cut in half, searched": (lambda w: w.spoil("run/best.weights.h5", cut), SEARCH, f"error: {DAMAGED}"),
    "weights cut in half, evaluated": (lambda w: w.spoil("run/best.weights.h5", cut), EVALUATE, f"error: {DAMAGED}"),
    "weights cut in half, exported": (
        lambda w: w.spoil("run/best.weights.h5", cut),
        ["export", "--run=run", "--output=models"],
        f"error: {DAMAGED}",
    ),
    "a run without its weights": (
        lambda w: w.spoil("run/best.weights.h5", remove),
        SEARCH,
        "error: no best.weights.h5 yet",
    ),
    "a run without its parameters": (
        lambda w: w.spoil("run/params.json", remove),
        SEARCH,
        "error: no params.json in it",
    ),
    "parameters cut in half": (lambda w: w.spoil("run/params.json", cut), SEARCH, "error: not JSON"),
    "a backup cut in half": (
        lambda w: w.spoil("run/backup/*/state.weights.h5", cut),
        RESUME,
        "error: to train from the first epoch again",
    ),
    "a cache cut in half": (a_damaged_cache, SEARCH, "like 03.flac"),
    "a run that cannot be written to, searched": (a_read_only_run, SEARCH, "like 03.flac"),
    "a shard that is missing, searched": (
        lambda w: w.spoil("records/*-test.tfrecord-*", remove),
        SEARCH,
        "error: 1 of 4 shards are missing",
    ),
    "a manifest cut in half": (lambda w: w.spoil("records/manifest.json", cut), EVALUATE, "error: not JSON"),
    "a shard that --verify has found": (damaged_records, FOLDER, "1 damaged shards are written anew"),
    # Flags and files of flags.
    "a flag file with a BOM and CRLF": (
        lambda w: (w.folder / "a.flags").write_bytes(b"\xef\xbb\xbf--like=03.flac\r\n--run=run\r\n"),
        ["search", "--flagfile=a.flags", "--library=test"],
        "like 03.flac",
    ),
    "a switch with a word that it does not take": (None, [*NEW, "--nodisentangled=x"], "error: disentangled"),
    "a home in a path": (
        lambda w: os.environ.__setitem__("HOME", str(w.folder)),
        ["search", "--run=~/run", "--like=03.flac", "--library=test"],
        "like 03.flac",
    ),
    # Folders.
    "an empty folder": (
        lambda w: (w.folder / "music").mkdir(),
        ["search", "--run=run", "--library=music", "--like=audio/00.flac"],
        "error: --library=music holds no audio that can be decoded",
    ),
    "a file that is no audio, as the query": (
        None,
        ["search", "--run=run", "--like=tags.csv"],
        "error: --like=tags.csv: ",
    ),
}


@pytest.mark.parametrize("given", KINDS)
def test_what_is_given_has_its_outcome(world, given, capsys, monkeypatch):
    monkeypatch.setenv("HOME", os.environ["HOME"])  # so that it is put back
    make, command, outcome = KINDS[given]
    if make:
        make(world)
    capsys.readouterr()
    if outcome.startswith("error: "):
        before = sorted(path.name for path in world.folder.iterdir())
        with pytest.raises(UserError) as told:
            world.call(*command)
        assert outcome.removeprefix("error: ") in str(told.value)
        assert "\n" not in str(told.value)
        assert not (world.folder / "new").exists()
        assert set(before) >= {path.name for path in world.folder.iterdir()} - {"made", "models"}
    else:
        world.call(*command)
        assert outcome in capsys.readouterr().out


@pytest.mark.parametrize("like", ["music/für.flac", "./music/für.flac", "music/../music/für.flac", "link.flac"])
def test_a_song_of_the_library_is_not_its_own_neighbour_however_it_is_spelled(world, like, capsys):
    """NFC and NFD are one name; a link is what it leads to."""
    decomposed_song(world)
    (world.folder / "link.flac").symlink_to(next((world.folder / "music").glob("f*")))
    world.call("search", "--run=run", "--library=music", f"--like={like}", "--json")
    found = json.loads(capsys.readouterr().out)["results"]
    assert [hit["track_id"] for hit in found] == ["other.flac"]


@pytest.mark.parametrize(
    ("name", "lock", "command"),
    [
        ("two prepares", "made/.build/lock", FOLDER),
        ("two exports", "models/tfmir/.lock", ["export", "--run=run", "--output=models"]),
        ("train and evaluate", "run/.lock", EVALUATE),
        ("evaluate and train", "run/.lock", RESUME),
    ],
)
def test_of_two_commands_on_one_thing_the_second_is_refused(world, name, lock, command):
    with (
        files.locked(world.folder / lock, busy="x"),
        pytest.raises(UserError, match=r"another .*: wait for it, or end it"),
    ):
        world.call(*command)


def test_a_tiny_corpus_of_one_notion_goes_the_whole_way(world, capsys):
    """Three splits of one genre column, two test tracks: a report all the same, which says what it does not define."""
    text = "path,split,genre\n" + "".join(
        f"{i:02d}.flac,{'train' if i < 8 else 'validation' if i < 12 else 'test'},{'ab'[i % 2]}\n" for i in range(14)
    )
    world.table(text)
    world.call(*FOLDER)
    tiny = ["--width_multiplier=0.0625", "--blocks=1", "--embedding_dim=16", "--batch_size=4", "--excerpts_per_read=2"]
    world.call(
        "train", "--run=solo", "--records=made", "--epochs=1", "--steps_per_epoch=1", "--shuffle_buffer=8", *tiny
    )
    report = world.call("evaluate", "--run=solo", "--nobaselines")
    assert report["undefined"]
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    world.call("search", "--run=solo", "--like=12.flac", "--weights=genre=1")
    assert "13.flac" in capsys.readouterr().out
    assert (world.call("export", "--run=solo", "--output=models") / "saved_model.pb").exists()
