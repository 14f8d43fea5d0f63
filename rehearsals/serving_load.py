"""A served bundle under load: 10 000 mixed calls from 8 threads, the first call after loading, a song of ten minutes.

    python rehearsals/serving_load.py                                  # about ten minutes on two cores
    python rehearsals/serving_load.py --calls=1000 --width=0.25
    TFMIR_TEST_SERVER=host:8500:8501 python rehearsals/serving_load.py --model=tfmir      # a real TensorFlow Serving

The weights are not trained: neither time nor memory nor agreement depends on them. The server is the project's
stand-in for TensorFlow Serving (`tests/serving/standin`), with batching, in a process of its own; its memory is that of
TensorFlow and of the stand-in's Python, which holds a request three times.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from tfmir.serving.endpoint import connect
from tfmir.serving.transport import Model, ServerError, Transport
from tfmir.serving.wav_file import wav_bytes

REPOSITORY = pathlib.Path(__file__).parent.parent
RATE, TOLERANCE, REPETITIONS = 22050, 1e-6, 5
DEFAULT, EXPORT = "serving_default", str(pathlib.Path(__file__).with_name("untrained.py"))


@dataclasses.dataclass(frozen=True)
class Place:
    """A server: where it is, what it calls the model, and its process, if it is ours."""

    transports: dict[str, Transport]
    model: Model
    process: int = 0

    def ask(self, signature: str, inputs: dict[str, Any], api: str = "grpc") -> Any:
        """The answer, or the code of the refusal."""
        try:
            return self.transports[api].predict(self.model, signature, inputs, 600)
        except ServerError as error:
            return error.code


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--width", type=float, default=0.0625, help="of the encoder that is called so often")
    parser.add_argument("--model", default="tfmir")
    given = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    if named := os.environ.get("TFMIR_TEST_SERVER"):
        host, rpc, rest = named.rsplit(":", 2)
        place = Place(
            {"grpc": connect(f"grpc://{host}:{rpc}"), "rest": connect(f"http://{host}:{rest}")}, Model(given.model)
        )
        first_calls(place)
        mixed_calls(place, given.calls, given.threads)
        return
    with serving(1.0) as place:
        first_calls(place)
        ten_minutes(place)
    with serving(given.width) as place:
        mixed_calls(place, given.calls, given.threads)


@contextlib.contextmanager
def serving(width: float) -> Iterator[Place]:
    """The stand-in with a bundle of that width, warmed up."""
    with tempfile.TemporaryDirectory() as folder:
        base = f"{folder}/tfmir"
        quiet = {"cwd": REPOSITORY, "stderr": subprocess.DEVNULL}
        subprocess.run([sys.executable, EXPORT, f"{base}/1", f"--width={width}"], check=True, **quiet)  # type: ignore[call-overload]
        flags = ["--model_name=tfmir", f"--model_base_path={base}", "--end_with_stdin", "--batching"]
        command = [sys.executable, "-m", "tests.serving.standin.server", *flags, "--batch_timeout_micros=2000"]
        start = time.monotonic()
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, **quiet}
        with subprocess.Popen(command, text=True, **pipes) as process:  # type: ignore[call-overload]
            ready = json.loads(process.stdout.readline())
            print(
                f"width {width:g}: TensorFlow {ready['tensorflow']}, loaded and warm in {since(start)}",
            )
            schemes = {"grpc": "grpc", "rest": "http"}
            transports = {api: connect(f"{scheme}://127.0.0.1:{ready[api]}") for api, scheme in schemes.items()}
            yield Place(transports, Model("tfmir"), process.pid)
            process.terminate()


def since(start: float) -> str:
    return f"{time.monotonic() - start:.1f} s"


def song(secs: float, seed: int = 0) -> np.ndarray:
    """float32 [samples] that 16 bits hold exactly."""
    noise = np.random.default_rng(seed).integers(-12000, 12000, round(secs * RATE))
    return (noise / 32768).astype(np.float32)


def inputs_of(names: frozenset[str], wave: np.ndarray) -> dict[str, Any]:
    """One song, as a signature takes it."""
    known = {
        "waveform": wave[np.newaxis],
        "num_samples": np.array([len(wave)], np.int32),
        "wav_bytes": [wav_bytes(wave, sample_rate=RATE)],
        "log_mel": np.zeros([1, 129, 128], np.float32),
        "request": [b""],
    }
    return {name: known[name] for name in names}


def first_calls(place: Place) -> None:
    """The first call of every signature after loading against the median of warm ones, with songs of 10 s."""
    wave, ratios = song(10), {}
    for name, names in sorted(place.transports["grpc"].metadata(place.model, 60).inputs.items()):
        if not names:  # the loader's own
            continue
        inputs, times = inputs_of(names, wave), []
        for _ in range(1 + REPETITIONS):
            start = time.monotonic()
            found = place.ask(name, inputs)
            times.append(time.monotonic() - start)
            assert isinstance(found, dict), (name, found)
        ratios[name] = times[0] / statistics.median(times[1:])
        print(
            f"{name:32} first {1e3 * times[0]:6.0f} ms, warm {1e3 * statistics.median(times[1:]):6.0f} ms", flush=True
        )
    worst = max(ratios, key=ratios.__getitem__)
    print(f"first call over a warm one: median {statistics.median(ratios.values()):.2f}, {worst} {ratios[worst]:.2f}")


def ten_minutes(place: Place) -> None:
    """How far a song of ten minutes raises the server's largest memory above what a short one leaves."""
    wave = song(600)
    for name in (f"{DEFAULT}_wav_bytes", f"{DEFAULT}_num_samples", DEFAULT):
        names = place.transports["grpc"].metadata(place.model, 60).inputs[name]
        place.ask(name, inputs_of(names, song(10)))
        pathlib.Path(f"/proc/{place.process}/clear_refs").write_text("5")  # the high-water mark begins anew
        before, start = memory(place.process, "VmRSS"), time.monotonic()
        found = place.ask(name, inputs_of(names, wave))
        assert found["excerpts"].tolist() == [200], found
        growth, size = (
            memory(place.process, "VmHWM") - before,
            1e-6 * sum(map(size_of, inputs_of(names, wave).values())),
        )
        print(
            f"ten minutes to {name}: +{growth:.0f} MB over {before:.0f} MB ({size:.0f} MB sent), {since(start)}",
        )


def size_of(value: Any) -> int:
    return value.nbytes if isinstance(value, np.ndarray) else sum(map(len, value))


def memory(process: int, line: str) -> float:
    """MB that the kernel counts."""
    status = pathlib.Path(f"/proc/{process}/status").read_text()
    return int(status.split(f"{line}:")[1].split()[0]) / 1024


def calls() -> list[tuple[str, dict[str, Any], str]]:
    """(signature, inputs, API) of every kind of call.

    A refusal is that of all requests which the server has merged, so refused calls have a signature of their own.
    """
    waves = [song(secs, seed) for seed, secs in enumerate((0.5, 3, 4, 7, 13, 31, 61))]
    broken = waves[2].copy()
    broken[77] = np.nan
    found: list[tuple[str, dict[str, Any], str]] = []
    for wave in (*waves, broken):
        ragged = {"waveform": wave[np.newaxis], "num_samples": np.array([len(wave)], np.int32)}
        found += [(f"{name}_num_samples", ragged, "grpc") for name in (DEFAULT, "embed_mood", "tag")]
    for wave in waves:
        data = {"wav_bytes": [wav_bytes(wave, sample_rate=RATE)]}
        found += [(f"{name}_wav_bytes", data, api) for name in (DEFAULT, "embed") for api in ("grpc", "rest")]
    two = [wav_bytes(wave, sample_rate=RATE) for wave in waves[3:5]]
    found += [(f"{DEFAULT}_wav_bytes", {"wav_bytes": data}, "grpc") for data in (two, [b"nonsense"], [b"", two[0]])]
    found += [
        ("embed_log_mel", {"log_mel": np.full([3, 129, 128], value, np.float32)}, "grpc") for value in (0, 1, np.nan)
    ]
    found += [("model_info", {"request": [b"", b"x"]}, api) for api in ("grpc", "rest")]
    found += [("embed_era_wav_bytes", {"wav_bytes": [wav_bytes(waves[1], sample_rate=8000)]}, "grpc")]
    return found


def agrees(found: Any, expected: Any) -> bool:
    if isinstance(expected, str) or isinstance(found, str):  # a refusal
        return isinstance(found, str) and found == expected
    return set(found) == set(expected) and all(same(found[name], value) for name, value in expected.items())


def same(found: np.ndarray, expected: np.ndarray) -> bool:
    if expected.dtype == object:
        return found.tolist() == expected.tolist()
    return found.shape == expected.shape and np.allclose(found, expected, rtol=0, atol=TOLERANCE)


def mixed_calls(place: Place, count: int, threads: int) -> None:
    """Each kind of call alone; then `count` at random from threads, against those answers."""
    kinds = calls()
    expected = [place.ask(*kind) for kind in kinds]
    refused = sum(isinstance(answer, str) for answer in expected)
    mismatches: list[str] = []
    latencies: list[float] = []
    lock, queue = threading.Lock(), iter(random.Random(0).choices(range(len(kinds)), k=count))

    def work() -> None:
        while True:
            with lock:
                kind = next(queue, None)
            if kind is None:
                return
            start = time.monotonic()
            found = place.ask(*kinds[kind])
            latencies.append(time.monotonic() - start)
            if not agrees(found, expected[kind]):
                mismatches.append(kinds[kind][0])

    workers = [threading.Thread(target=work) for _ in range(threads)]
    start = time.monotonic()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    secs = time.monotonic() - start
    latencies.sort()
    late = 1e3 * latencies[int(0.99 * (len(latencies) - 1))]
    print(
        f"{count} calls of {len(kinds)} kinds ({refused} refused) from {threads} threads: {len(mismatches)} mismatches"
    )
    print(f"{count / secs:.0f} a second, median {1e3 * statistics.median(latencies):.0f} ms, 99 % within {late:.0f} ms")
    if mismatches:
        sys.exit(f"mismatches: {sorted(set(mismatches))}")


if __name__ == "__main__":
    main()
