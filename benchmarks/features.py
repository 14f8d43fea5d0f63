"""Our log-mel against librosa's on the same waveform, and decoding beside them, in one run.

python benchmarks/features.py        # 9 interleaved repetitions, medians; one thread each
"""

import os
import statistics
import tempfile
import time

os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from tfmir import command

command.set_environment()

import librosa
import numpy as np
import soundfile
import tensorflow as tf

from tfmir.data.audio import decode
from tfmir.data.features import log_mel
from tfmir.params import FeatureParams

REPETITIONS, SECS = 9, 30
PARAMS = FeatureParams()


def main() -> None:
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, SECS * PARAMS.sample_rate).astype(np.float32)
    ours = tf.function(lambda x: log_mel(x, PARAMS), input_signature=[tf.TensorSpec([1, None])])

    def librosa_log_mel() -> None:
        librosa.feature.melspectrogram(y=wave, sr=22050, n_fft=1024, hop_length=512, n_mels=128, power=1)

    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/a.mp3"
        soundfile.write(path, np.stack([wave, wave], axis=1), 44100)
        jobs = {
            "log-mel, ours": lambda: ours(wave[np.newaxis]).numpy(),
            "log-mel, librosa": librosa_log_mel,
            "decode mp3, ours": lambda: decode(path, sample_rate=22050),
            "decode mp3, librosa.load": lambda: librosa.load(path, sr=22050),
        }
        times: dict[str, list[float]] = {name: [] for name in jobs}
        for _ in range(REPETITIONS + 1):
            for name, job in jobs.items():
                start = time.perf_counter()
                job()
                times[name].append(time.perf_counter() - start)
    for name, values in times.items():
        print(f"{name:26} {1000 * statistics.median(values[1:]):7.1f} ms")
    ratio = [b / a for a, b in zip(times["log-mel, ours"][1:], times["log-mel, librosa"][1:], strict=True)]
    print(f"log-mel: librosa takes {statistics.median(ratio):.2f} times as long")


if __name__ == "__main__":
    main()
