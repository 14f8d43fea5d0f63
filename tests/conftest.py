"""Shared fixtures: two logical CPU devices, a small tagged folder of audio, and records made from it."""

import os
import pathlib
import signal

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from tests.fixtures.cluster import no_cluster
from tfmir.corpora import folder
from tfmir.inference.weights import load_system
from tfmir.params import EncoderParams, PipelineParams, RunParams, TrainParams
from tfmir.preparation.build import build_records
from tfmir.run_directory import load_run
from tfmir.serving.bundle import write_bundle
from tfmir.training.loop import start

# Before anything touches the devices; one MirroredStrategy per process, because their collectives share keys.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)

# Commands that tests interrupt must not inherit an ignored SIGINT, as jobs in the background of a script do.
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["tests.fixtures.commands", "tests.fixtures.formats"]
REPOSITORY = pathlib.Path(__file__).parent.parent
SHARED_DATA = REPOSITORY.parent / "shared" / "data"
RATE = 22050
GENRES, MOODS = ("rock", "jazz"), ("calm", "wild", "")


@pytest.fixture(scope="session")
def two_replicas():
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@pytest.fixture(scope="session")
def clips():
    """Real clips, where they are."""
    folder_of_clips = SHARED_DATA / "audio"
    if not folder_of_clips.is_dir():
        pytest.skip(f"no real clips: {folder_of_clips} is not there")
    return folder_of_clips


@pytest.fixture(scope="session")
def shared_labels():
    """Real label files, where they are."""
    if not (SHARED_DATA / "msd").is_dir():
        pytest.skip(f"no real label files: {SHARED_DATA} is not there")
    return SHARED_DATA


@pytest.fixture(scope="session")
def audio_folder(tmp_path_factory):
    """24 tracks of 4 to 7 s; genre sets the pitch, mood the tremolo; mood may be missing."""
    directory = tmp_path_factory.mktemp("audio")
    rows = ["path,split,artist,genre,mood"]
    rng = np.random.default_rng(0)
    for index in range(24):
        split = ("train", "train", "validation", "test")[index % 4]
        genre, mood = GENRES[index // 4 % 2], MOODS[index // 8]
        seconds = np.arange(RATE * (4 + index % 4)) / RATE
        wave = 0.3 * np.sin(2 * np.pi * (200 if genre == "rock" else 900) * seconds)
        wave *= 1 + 0.5 * np.sin(2 * np.pi * (2 if mood == "calm" else 9) * seconds)
        wave += 0.02 * rng.normal(size=wave.shape)
        soundfile.write(directory / f"{index:02d}.flac", wave.astype(np.float32), RATE)
        rows.append(f"{index:02d}.flac,{split},artist{index % 4},{genre},{mood}")
    (directory / "annotations.csv").write_text("\n".join(rows) + "\n")
    return directory


@pytest.fixture(scope="session")
def corpus(audio_folder):
    return folder.load(str(audio_folder), str(audio_folder / "annotations.csv"), name="tiny", licence="CC0-1.0")


@pytest.fixture(scope="session")
def records(corpus, tmp_path_factory):
    """The folder's records, two shards of training tracks."""
    output = str(tmp_path_factory.mktemp("records") / "tiny")
    with no_cluster():
        build_records(corpus, output, num_shards=2, max_rejected_fraction=0.0)
    return output


TINY = RunParams(
    encoder=EncoderParams(encoder="statistics", width_multiplier=0.25, embedding_dim=16),
    pipeline=PipelineParams(batch_size=4, excerpts_per_read=2, shuffle_buffer=8),
    training=TrainParams(epochs=1),
)


@pytest.fixture(scope="session")
def run(records, tmp_path_factory):
    """A trained run of the disentangled proxy system."""
    path = str(tmp_path_factory.mktemp("runs") / "tiny")
    start(path, TINY, records)
    return load_run(path)


@pytest.fixture(scope="session")
def system(run):
    return load_system(run)


@pytest.fixture(scope="session")
def bundle(run, system, tmp_path_factory):
    return write_bundle(system, run, output=str(tmp_path_factory.mktemp("models")), name="m", version=0)


@pytest.fixture(scope="session")
def snapshot():
    """Name -> bytes of every file below a folder: what must not have changed."""

    def take(folder):
        return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    return take


def pytest_addoption(parser):
    parser.addoption("--all_systems", action="store_true", help="the long tests of two workers, too")


TOGETHER = {f"tests/serving/test_{name}.py": "bundle" for name in ("bundle", "check_bundle", "served")}
TOGETHER |= {f"tests/data/test_{name}.py": "librosa" for name in ("audio", "features")}


def pytest_itemcollected(item):
    """Each file's tests go to one process, which builds its fixtures once; README's blocks are run by one as well.

    Those of every system are long and share little: they are dealt one by one. Files that serve the bundle go together,
    and those that wait for librosa to compile itself. Marked here, and not in `pytest_collection_modifyitems`, where
    pytest-xdist may have read the marks already.
    """
    name = "readme" if "readme" in getattr(item, "fixturenames", ()) else str(item.path.relative_to(REPOSITORY))
    name = TOGETHER.get(name, name)
    name = item.name if item.path.name == "test_every_system.py" else name
    item.add_marker(pytest.mark.xdist_group(name))


def pytest_collection_modifyitems(items):
    """The longest groups first, so that two processes end at about the same time."""
    lengthy = ["training/test_two_workers", "training/test_loop", "model/test_system", "test_prepare", "test_remote"]
    lengthy += ["test_tune", "test_wheel"]
    lengthy += ["test_anywhere", "data/test_isolation", "test_odd_folders", "preparation/test_build", "test_embed"]
    long = ["readme", "bundle", *(f"tests/{name}.py" for name in lengthy)]
    marks = {item: item.get_closest_marker("xdist_group") for item in items}  # none: a doctest in the package
    items.sort(
        key=lambda item: long.index(marks[item].args[0]) if marks[item] and marks[item].args[0] in long else len(long)
    )
