"""What preparation does with a file, stage by stage, against `librosa.load` and `melspectrogram`, in one run.

    python benchmarks/features.py                 # a made-up mp3 of 60 s, stereo at 44.1 kHz
    python benchmarks/features.py song.mp3 …      # your own files

Milliseconds of processor time, medians of 15 interleaved repetitions; one thread each, in the environment of a worker.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable

from tfmir.preparation.engine import _WORKER_ENVIRONMENT

if not _WORKER_ENVIRONMENT.items() <= os.environ.items():  # glibc reads its own when a process begins
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **_WORKER_ENVIRONMENT})

from tfmir import command

command.set_environment()

import librosa
import numpy as np
import soundfile
import tensorflow as tf

from tfmir import files
from tfmir.corpora.corpus import Track
from tfmir.data import libsndfile
from tfmir.data.audio import _resample, decode
from tfmir.data.features import log_mel
from tfmir.data.records import serialize
from tfmir.params import FeatureParams
from tfmir.preparation import writer

REPETITIONS, SECS, RATE = 15, 60, 44_100
PARAMS = FeatureParams()
TONES = ((0.2, 220), (0.1, 523), (0.05, 1710))  # amplitude, Hz
Jobs = dict[str, Callable[[], object]]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = sys.argv[1:] or [make_up(f"{folder}/a.mp3")]
        for path in paths:
            measure(path, folder)


def make_up(path: str) -> str:
    """A minute of tones with trills, and noise in bursts, another in each channel."""
    rng, t = np.random.default_rng(0), np.arange(SECS * RATE) / RATE
    channels = []
    for detuned in (1, 1.01):
        tones = sum(a * np.sin(2 * np.pi * f * detuned * t * (1 + 0.01 * np.sin(t))) for a, f in TONES)
        channels.append(tones + 0.05 * rng.normal(size=t.size) * (np.sin(6 * t) > 0.5))
    soundfile.write(path, 0.7 * np.stack(channels, axis=1), RATE)
    return path


def measure(path: str, folder: str) -> None:
    """Prints the stages of one file, and the ratio."""
    jobs = stages(path, folder)
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(REPETITIONS + 1):
        for name, job in jobs.items():
            start = time.process_time()
            job()
            times[name].append(time.process_time() - start)
    secs = len(decode(path, sample_rate=PARAMS.sample_rate)) / PARAMS.sample_rate
    print(f"{os.path.basename(path)}, {secs:.1f} s:")
    for name, values in times.items():
        found = statistics.median(values[1:])
        print(f"  {name:46} {1000 * found:7.1f} ms {secs / found:8.0f} times real time")
    ours, theirs = times["preparation of a track"][1:], times["librosa.load and melspectrogram"][1:]
    ratio = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
    print(f"  preparation: librosa takes {ratio:.2f} times as long")
    ratio = statistics.median(b / a for a, b in zip(times["  log-mel"][1:], times["  librosa's mel"][1:], strict=True))
    print(f"  log-mel: librosa takes {ratio:.2f} times as long", flush=True)


def stages(path: str, folder: str) -> Jobs:
    """What is measured: preparation as a whole, its stages, and librosa's."""
    block, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = libsndfile._mixed(block)
    wave = decode(path, sample_rate=PARAMS.sample_rate)
    ours, found = writer._log_mel_function(PARAMS), writer.compute(path, PARAMS)
    eager = tf.constant(wave[np.newaxis])
    track = Track("a", path, "train", (0,))

    def write(log_mels: np.ndarray) -> None:
        with tf.io.TFRecordWriter(f"{folder}/records") as records:
            records.write(serialize(track, log_mels))
        files.sha256(f"{folder}/records")

    return {
        "preparation of a track": lambda: write(writer.compute(path, PARAMS)),
        "librosa.load and melspectrogram": lambda: librosa_mel(librosa.load(path, sr=PARAMS.sample_rate)[0]),
        "  decoding alone (libsndfile)": lambda: soundfile.read(path, dtype="float32", always_2d=True),
        "  mixing": lambda: libsndfile._mixed(block),
        "  resampling (soxr)": lambda: _resample(mono, rate, PARAMS.sample_rate),
        "  log-mel": lambda: ours(wave[np.newaxis]).numpy(),
        "  serialising, writing, checksum": lambda: write(found),
        "  librosa's load": lambda: librosa.load(path, sr=PARAMS.sample_rate),
        "  librosa's mel": lambda: librosa_mel(wave),
        "  (not taken) the mean over the channels": lambda: block.mean(axis=1),
        "  (not taken) log-mel, eager, NumPy's float16": lambda: log_mel(eager, PARAMS).numpy().astype(np.float16),
    }


def librosa_mel(wave: np.ndarray) -> np.ndarray:
    """As the records have it, but for the logarithm."""
    return librosa.feature.melspectrogram(y=wave, sr=22050, n_fft=1024, hop_length=512, n_mels=128, power=1)


if __name__ == "__main__":
    main()
