"""A catalogue as it will be made: killed ten times, resumed, and made once more on a scheduler; the bytes compared.

    python rehearsals/catalogue.py                     # 600 songs of 9 s, an untrained run at width 0.25; a few minutes
    python rehearsals/catalogue.py --songs=200 --long=4     # … and the memory of a worker with songs of 10 minutes

Every process of the command is killed with SIGKILL, each time when another share of the songs is done, or when shards
are published; then the same command goes on. Nothing that was finished is done again: no part is written twice. The
first set is made without a break.
"""

import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

from tfmir import command

command.set_environment()

import numpy as np
import soundfile
from distributed.deploy.subprocess import SubprocessCluster
from memory import watch_memory

from tfmir import files
from tfmir.model.build import build_system
from tfmir.params import EncoderParams, RunParams
from tfmir.run_directory import Run, open_run
from tfmir.vocabulary import Vocabulary

RATE, SECS, DISTINCT, KILLS = 22050, 9, 40, 10
VOCABULARY = Vocabulary.from_dict(
    {"genre": ["rock", "jazz"], "mood": ["calm"], "instrument": ["piano"], "era": ["90s"]}
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--songs", type=int, default=600)
    parser.add_argument("--long", type=int, default=0, help="songs of 10 minutes, whose memory is looked at")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rehearse(pathlib.Path(folder), given.songs, given.long)


def rehearse(work: pathlib.Path, songs: int, long: int) -> None:
    make_run(work / "run")
    make_library(work / "music", songs)
    embed(work, "whole")
    for number in range(KILLS):
        embed(work, "killed", kill_at=(number + 1) / (KILLS - 1))
    embed(work, "killed")
    with SubprocessCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        embed(work, "external", f"--scheduler={cluster.scheduler_address}")
    sets = [
        {path.name: path.read_bytes() for path in (work / name).iterdir()} for name in ("whole", "killed", "external")
    ]
    assert sets[0] == sets[1] == sets[2]
    print(f"the same bytes three times: {', '.join(sorted(sets[0]))}")
    if long:
        make_library(work / "long", long, secs=600, channels=2)
        peak = embed(work, "of-long", library="long")
        print(f"peak memory of a worker with {long} stereo songs of 10 minutes: {peak / 2**20:.0f} MB")


def make_run(path: pathlib.Path) -> None:
    """An untrained run: bytes and speed are those of a trained one."""
    params = RunParams(encoder=EncoderParams(width_multiplier=0.25))
    run = Run(path, params, VOCABULARY, "nowhere", "rehearsal", "CC0-1.0")
    open_run(run)
    with files.replacing(run.best_weights) as name:
        build_system(params.network, VOCABULARY).save_weights(name)


def make_library(folder: pathlib.Path, count: int, *, secs: int = SECS, channels: int = 1) -> None:
    """Noise under a chord; after so many different songs, links to them."""
    folder.mkdir()
    for number in range(count):
        path, first = folder / f"{number:05d}.flac", folder / f"{number % DISTINCT:05d}.flac"
        if number >= DISTINCT:
            path.symlink_to(first.name)
            continue
        rng = np.random.default_rng(number)
        with soundfile.SoundFile(path, "w", RATE * channels, channels) as file:
            for second in range(secs):
                at = np.arange(second * file.samplerate, (second + 1) * file.samplerate) / file.samplerate
                wave = 0.1 * np.sin(2 * np.pi * rng.uniform(100, 2000) * at) + 0.1 * rng.normal(size=len(at))
                file.write(np.repeat(wave[:, np.newaxis], channels, axis=1).astype(np.float32))


def embed(work: pathlib.Path, output: str, *more: str, library: str = "music", kill_at: float = 0.0) -> int:
    """The command; kills its whole group once that share of this call's songs is done, or when shards are published.

    Returns the largest resident memory that any of its processes had, in bytes.
    """
    call = [sys.executable, "-m", "tfmir.embed", f"--run={work / 'run'}", f"--library={work / library}", "--workers=2"]
    call += [f"--output={work / output}", *more]
    start, peaks, said, parts = time.monotonic(), [0], b"", finished(work / output)
    process = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    threading.Thread(target=watch_memory, args=(process.pid, peaks), daemon=True).start()
    assert process.stdout
    while block := os.read(process.stdout.fileno(), 4096):
        said += block
        done = re.findall(rb"embed:[^\r\n]*?(\d+)/(\d+) \[", said)
        is_far = done and int(done[-1][0]) >= kill_at * int(done[-1][1]) > 0
        if kill_at and (is_far or b"publish:" in said):
            os.killpg(process.pid, signal.SIGKILL)
            break
    code = process.wait()
    kept = {name: stamp for name, stamp in finished(work / output).items() if name in parts}
    assert all(parts[name] == stamp for name, stamp in kept.items()), "a finished part was written again"
    how = "killed" if code == -signal.SIGKILL else "ended"
    took, there = time.monotonic() - start, len(finished(work / output))
    print(f"{output}: {how} with {code} after {took:.0f} s, {there} finished parts lie there", flush=True)
    assert code in (0, -signal.SIGKILL if kill_at else 0), said.decode(errors="replace")[-2000:]
    return max(peaks)


def finished(folder: pathlib.Path) -> dict[str, int]:
    """Parts that are finished, and when they were written."""
    return {path.name: path.stat().st_mtime_ns for path in (folder / ".build").glob("part-*.parquet.json")}


if __name__ == "__main__":
    main()
