"""Songs a second from audio files to embeddings, the compiled batches against the old way, and memory, in one run.

    python benchmarks/embed.py                            # songs of 30 s at widths 0.25 and 1, and of 10 minutes
    python benchmarks/embed.py --songs=8 --widths=0.25

One thread of arithmetic, interleaved repetitions, medians. Old: file by file, each song's log-mel and excerpts eagerly,
a child decodes one song ahead, two channels are mixed by NumPy's mean. New: `embed_files` as a worker of `tfmir.embed`
calls it, and as `search` does (with the child). CPU time is that of the process and its children. Memory: the peak of a
process that embeds 10-minute stereo songs.
"""

import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from unittest import mock

os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from tfmir import command

command.set_environment()

import numpy as np
import soundfile
import tensorflow as tf

import frame
from tfmir.data.decoding import Task
from tfmir.data.isolation import decode_ahead
from tfmir.inference.audio import Stretch, embed_files, embed_waveforms
from tfmir.model.build import build_system
from tfmir.model.system import System
from tfmir.params import EncoderParams, NetworkParams
from tfmir.vocabulary import Vocabulary

VOCABULARY = Vocabulary.from_dict({"genre": ["a"], "mood": ["b"], "instrument": ["c"], "era": ["d"]})
RATE = 44100
REPOSITORY = pathlib.Path(__file__).parent.parent
OLD_MIX = """
from tfmir.data import libsndfile
libsndfile._mixed = lambda block: block.mean(axis=1)
"""


def old_way(system: System, paths: Sequence[str]) -> list[np.ndarray]:
    """The embedding of each file, one after the other and nothing compiled."""
    features = system.params.features
    longest = features.max_frames * features.hop_length / features.sample_rate
    with tempfile.TemporaryDirectory() as site, mock.patch.dict(os.environ):
        pathlib.Path(site, "sitecustomize.py").write_text(OLD_MIX)
        os.environ["PYTHONPATH"] = os.pathsep.join([site, str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
        answers = decode_ahead(Task(path, features.sample_rate, longest) for path in paths)
        return [embed_waveforms(system, tf.constant(answer.waveform[np.newaxis]))[0].numpy() for answer in answers]


def as_worker(system: System, paths: Sequence[str]) -> list[np.ndarray]:
    return [found.embedding for found in embed_files(system, [Stretch(path) for path in paths], isolated=False)]


def as_search(system: System, paths: Sequence[str]) -> list[np.ndarray]:
    return [found.embedding for found in embed_files(system, [Stretch(path) for path in paths])]


WAYS: dict[str, Callable[[System, Sequence[str]], list[np.ndarray]]] = {
    "old": old_way,
    "new, worker": as_worker,
    "new, search": as_search,
}


def main() -> None:
    parser = frame.parser(__doc__)
    parser.add_argument("--songs", type=frame.positive, default=16)
    parser.add_argument("--widths", default="0.25,1")
    parser.add_argument("--repetitions", type=frame.positive, default=5)
    parser.add_argument("--peak", default="", help="only embed these files, with --way and the first width")
    parser.add_argument("--way", default="new, worker", choices=WAYS)
    given = parser.parse_args()
    widths = [float(width) for width in given.widths.split(",")]
    if given.peak:
        WAYS[given.way](system_of(widths[0]), given.peak.split(","))
        status = pathlib.Path(
            "/proc/self/status"
        ).read_text()  # getrusage would count what this process was forked from
        peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
        print(f"width {widths[0]:g}, songs of 10 minutes, {given.way}: peak {peak / 1024:.0f} MB")
        return
    with tempfile.TemporaryDirectory() as folder:
        paths = [song(f"{folder}/{index}.flac", 30, index) for index in range(given.songs)]
        for width in widths:
            compare(system_of(width), width, paths, given.repetitions)
        memory([song(f"{folder}/long{index}.flac", 600, index) for index in range(2)], widths)


def system_of(width: float) -> System:
    return build_system(NetworkParams(encoder=EncoderParams(width_multiplier=width)), VOCABULARY)


def song(path: str, secs: int, seed: int) -> str:
    """Stereo noise under a chord at 44.1 kHz, written a minute at a time."""
    rng = np.random.default_rng(seed)
    with soundfile.SoundFile(path, "w", RATE, 2) as file:
        for start in range(0, secs, 60):
            at = np.arange(start * RATE, min(start + 60, secs) * RATE) / RATE
            chord = sum(np.sin(2 * np.pi * hertz * at) for hertz in rng.uniform(100, 2000, 4))
            file.write((0.1 * chord[:, np.newaxis] + 0.1 * rng.normal(size=(len(at), 2))).astype(np.float32))
    return path


def compare(system: System, width: float, paths: Sequence[str], repetitions: int) -> None:
    """Interleaved; the first repetition, which compiles, does not count."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
    found = {}
    for repetition in range(repetitions + 1):
        for name, way in WAYS.items():
            cpu, wall = cpu_seconds(), time.perf_counter()
            found[name] = np.stack(way(system, paths))
            if repetition:
                times[name].append((cpu_seconds() - cpu, time.perf_counter() - wall))
    error = max(np.abs(found[name] - found["old"]).max() for name in WAYS)
    print(f"width {width:g}, {len(paths)} songs of 30 s, largest difference of an embedding {error:.1e}")
    for name, values in times.items():
        rates = [statistics.median(len(paths) / value[i] for value in values) for i in (0, 1)]
        ratios = [statistics.median(b[i] / a[i] for a, b in zip(values, times["old"], strict=True)) for i in (0, 1)]
        print(
            f"  {name:12} {rates[0]:6.2f} songs/s of CPU ({ratios[0]:.2f} × old), {rates[1]:6.2f} songs/s by the clock "
            f"({ratios[1]:.2f} × old)"
        )


def cpu_seconds() -> float:
    """Of this process and the children that have ended."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)


def memory(paths: Sequence[str], widths: Sequence[float]) -> None:
    """Peak resident memory, measured in a process of its own for each way; of the old way the parent's alone."""
    for width in widths:
        for name in ("old", "new, worker"):
            call = [sys.executable, __file__, f"--widths={width:g}", f"--way={name}", f"--peak={','.join(paths)}"]
            sys.stdout.flush()
            subprocess.run(call, check=True)


if __name__ == "__main__":
    frame.run(main)
