"""A folder as people have them: twenty good files, and as many odd ones, each with one outcome wherever it is met."""

import dataclasses
import io
import os
import socket
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from tests.fixtures.odd_audio import POISON, promising, wav
from tfmir import files
from tfmir.catalogue.build import embed_library
from tfmir.catalogue.embeddings import read_embeddings
from tfmir.catalogue.library import folder_library
from tfmir.catalogue.parts import Job
from tfmir.corpora import folder
from tfmir.corpora.audio_files import list_audio
from tfmir.data.manifest import load_manifest, shard_name
from tfmir.data.records import read_tracks
from tfmir.preparation import build
from tfmir.preparation.build import build_records
from tfmir.preparation.inspection import inspect_corpus
from tfmir.serving.card import run_card

RATE = 22050
GOOD = [
    "new\nline.wav",
    "tab\there.wav",
    "[live] *?.wav",
    "100%s.wav",
    "#1.wav",
    "\N{GUITAR} riff.wav",
    "two  spaces.wav",
]
GOOD += ["Sigur Rós.wav", "שיר.wav", "album.mp3/one.wav", "a.tar.flac", "LOUD.WAV", "'quoted' \"twice\".wav"]
GOOD += [f"plain/{index}.flac" for index in range(6)] + ["linked.wav"]


def audio(secs=3.2, form="WAV"):
    data = io.BytesIO()
    wave = np.random.default_rng(len(form)).uniform(-0.3, 0.3, round(secs * RATE))
    soundfile.write(data, wave, RATE, format=form)
    return data.getvalue()


def bind(path):
    os.chdir(path.parent)  # a socket's path has a hundred bytes at most
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)


def holds(data):
    return lambda path: path.write_bytes(data)


def leads_to(target):
    return lambda path: path.symlink_to(target)


# name -> how it is made, and the reason that everybody gives; what says `listed` is not even tried by search
ODD = {
    "dangling.mp3": (leads_to("nowhere.mp3"), "missing: a link that leads nowhere"),
    "circle.wav": (leads_to("circle.wav"), "missing: a link that leads nowhere"),
    "pipe.wav": (os.mkfifo, "not a file: a pipe"),
    "socket.wav": (bind, "not a file: a socket"),
    "device.wav": (leads_to("/dev/zero"), "not a file: a device"),
    "empty.wav": (holds(b""), "empty: 0 bytes"),
    "poison.wav": (holds(audio()), "kills the process that decodes it (SIGSEGV): tried twice"),
    "no music.mp3": (holds(b"no music\n" * 99), "cannot be decoded: "),
    "no music.m4a": (holds(b"no music\n" * 99), "cannot be decoded: "),
    "page.ogg": (holds(b"<!DOCTYPE html>\n" * 99), "cannot be decoded: "),
    "half an ogg.ogg": (holds(audio(form="OGG")[:100]), "cannot be decoded: "),
    "no samples.wav": (holds(audio(0.0)), "no samples: "),
    "4 GHz.wav": (holds(wav(0.1, claimed_rate=2**32 - 1)), "cannot be decoded: its header claims an impossible sample"),
    "2 GHz.wav": (holds(wav(0.1, claimed_rate=2 * 10**9)), "its header claims 2000000000 Hz"),
    "1 Hz.wav": (holds(wav(0.1, claimed_rate=1)), "its header claims 1 Hz"),
    "3000 channels.wav": (holds(wav(0.1, claimed_channels=3000)), "its header claims more than 1024 channels"),
    "36 days.flac": (holds(promising(audio(form="FLAC"), 2**36 - 1)), "truncated: the header promises 3116529.6 s in "),
    "odd\nname.wav": (holds(b"RIFF"), "cannot be decoded: "),
    "absent\there.wav": (leads_to("/mnt/nowhere/a.wav"), "missing: a link that leads nowhere"),
    "zeros.flac": (holds(bytes(5000)), "cannot be decoded: "),
}
# Only their samples show it, and the report does not decode.
DECODED = {
    "nan.wav": (
        lambda path: soundfile.write(path, np.full(RATE * 4, np.nan), RATE, subtype="FLOAT"),
        "88200 samples are",
    ),
    "half.flac": (holds(audio(form="FLAC")[:30_000]), "damaged: decoding failed after "),
    "loud.wav": (
        lambda path: soundfile.write(path, np.full(RATE * 4, 3e38, np.float32), RATE, subtype="FLOAT"),
        "too loud for a log-mel: its largest sample is 3e+38",
    ),
}
LEFTOVERS = ["._linked.wav", ".DS_Store", ".hidden.flac", "__MACOSX/plain/._0.flac", ".Trash/old.wav", "Thumbs.db"]


@dataclasses.dataclass(frozen=True)
class Outcomes:
    """Of prepare, its report, search and embed: what is in, and name -> reason of what is not."""

    kept: dict
    said: dict


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    where = tmp_path_factory.mktemp("odd")
    music, here = where / "music", os.getcwd()
    for name in GOOD[:-1]:
        (music / name).parent.mkdir(parents=True, exist_ok=True)
        (music / name).write_bytes(audio(form="FLAC" if name.endswith("flac") else "WAV"))
    (where / "elsewhere.wav").write_bytes(audio())
    (music / "linked.wav").symlink_to("../elsewhere.wav")
    (music / "plain/back").symlink_to("..")
    for name, (make, _) in (ODD | DECODED).items():
        make(music / name)
    os.chdir(here)
    for name in LEFTOVERS:
        (music / name).parent.mkdir(parents=True, exist_ok=True)
        (music / name).write_bytes(b"\0\5\x16\7")
    return music


def rejected(folder):
    """Track id, path and reason of each."""
    return [line.split("\t") for line in (folder / "rejected.tsv").read_text().split("\n")[1:-1]]


@pytest.fixture(scope="module")
def outcomes(music, run, system, tmp_path_factory):
    """All four, with a libsndfile that some files kill."""
    site = tmp_path_factory.mktemp("site")
    (site / "sitecustomize.py").write_text(POISON)
    names = [*GOOD, *ODD, *DECODED]
    rows = ['"' + name.replace('"', '""') + f'",{("train", "validation")[i % 2]},rock' for i, name in enumerate(names)]
    (site / "labels.csv").write_text("\n".join(["path,split,genre", *rows]) + "\n")
    corpus = folder.load(str(music), str(site / "labels.csv"), name="odd")
    kept, said = {}, {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(site))
        output = str(site / "records")
        # As if a worker had died over each shard before: their files are then decoded in a process of their own.
        for split in ("train", "validation", "test"):
            begun = site / f"records/.build/{shard_name('records', split, 0, 1)}.begun"
            begun.parent.mkdir(parents=True, exist_ok=True)
            begun.touch()
        patch.setattr(build, "run_tasks", lambda function, tasks, **_: [function(*task) for task in tasks])
        manifest = build_records(corpus, output, num_shards=1, max_rejected_fraction=1.0, workers=1)
        kept["prepare"] = {
            t.track_id for split in ("train", "validation") for t in read_tracks(output, manifest, split)
        }
        said["prepare"] = {track_id: reason for track_id, _, reason in rejected(site / "records")}
        facts = inspect_corpus(corpus, workers=1)
        kept["report"] = {fact.track_id for fact in facts if not fact.problem}
        said["report"] = {fact.track_id: fact.problem for fact in facts if fact.problem}
        err = io.StringIO()
        patch.setattr("sys.stderr", err)
        kept["search"] = set(folder_library(run, system, music).track_ids)
        said["search"] = err.getvalue()
        err.truncate(0)
        # As if a worker had died over each part before.
        alone = lambda function, tasks, **_: [function(*task[:-1], True) for task in tasks]  # noqa: E731
        patch.setattr("tfmir.catalogue.build.run_tasks", alone)
        job = Job(str(run.path), files.sha256(run.best_weights), str(music))
        embed_library(
            job, str(site / "embedded"), labels={}, card=run_card(run, precision="float32"), max_rejected_fraction=1.0
        )
        kept["embed"] = set(read_embeddings(site / "embedded").table.column("track_id").to_pylist())
        said["embed"] = err.getvalue() + "".join(
            f"{path}: left out: {reason}\n" for _, path, reason in rejected(site / "embedded")
        )
    assert load_manifest(output) == manifest
    return Outcomes(kept, said)


@pytest.mark.parametrize("command", ["prepare", "search", "embed", "report"])
def test_all_that_is_good_is_in_and_nothing_else(outcomes, command):
    assert outcomes.kept[command] == {*GOOD, *(DECODED if command == "report" else ())}


def shown(name):
    return name.replace("\n", r"\n").replace("\t", r"\t")


@pytest.mark.parametrize("name", [*ODD, *DECODED])
def test_what_is_odd_has_one_reason_wherever_it_is_met(outcomes, music, name):
    reason = (ODD | DECODED)[name][1]
    told = outcomes.said["prepare"][shown(name)]
    assert told.startswith(reason)
    if name in ODD:
        assert outcomes.said["report"][name] == told
    for command in ("search", "embed"):
        lines = [line for line in outcomes.said[command].splitlines() if "left out: " in line and shown(name) in line]
        (line,) = lines
        assert line.endswith(
            (f"{music}/{shown(name)}: left out: {told}", f"left out: {shown(name)} in {music}: {told}")
        )


def test_nobody_speaks_of_leftovers_and_the_loop_is_named(outcomes, music):
    assert len(GOOD) == len(ODD) == 20
    assert not [name for name in LEFTOVERS if name in outcomes.said["search"]]
    assert f"left out: plain/back in {music}: a link to a folder that is read already" in outcomes.said["search"]
    assert {*outcomes.said["prepare"]} == {shown(name) for name in [*ODD, *DECODED]}


def test_what_is_listed_is_what_may_be_audio(music):
    no_files = {name for name, (_, reason) in ODD.items() if reason.startswith(("missing", "not a file"))}
    assert set(list_audio(str(music))) == {*GOOD, *ODD, *DECODED} - no_files


def test_the_first_search_of_such_a_folder_ends_well_and_every_name_stays_in_its_row(music, run, tmp_path):
    """As a user types it; its cache is that of the folder by another name, so that nothing is embedded yet."""
    (tmp_path / "sitecustomize.py").write_text(POISON)
    folder = tmp_path / "few"
    folder.mkdir()
    for name in ("new\nline.wav", "tab\there.wav", "LOUD.WAV", "poison.wav", "#1.wav"):
        (folder / name).symlink_to(music / name)
    call = [sys.executable, "-m", "tfmir.search", f"--run={run.path}", f"--library={folder}", "--like=#1.wav"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    result = subprocess.run(call, capture_output=True, text=True, env=environment, timeout=300)
    assert result.returncode == 0, result.stderr
    assert f"{folder}/poison.wav: left out: kills the process that decodes it (SIGSEGV): tried twice" in result.stderr
    rows = result.stdout.splitlines()
    assert {row.split()[1] for row in rows[2:]} == {r"new\nline.wav", r"tab\there.wav", "LOUD.WAV"}
    assert all(row[3] == "." for row in rows[2:])
