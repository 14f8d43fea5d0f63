"""Preparing a corpus as it will happen: killed twice, resumed, and once more on a scheduler of its own.

    python rehearsals/rehearsal.py                                             # 2000 mp3 of 12 s, about ten minutes
    python rehearsals/rehearsal.py --labels=split0_validation_joined.tsv       # with real labels

Makes audio in MTG-Jamendo's form (`NN/ID.mp3`, split files with CRLF), prepares it with two workers, kills everything
with SIGKILL twice on the way, resumes, prepares it again on a Dask scheduler and two workers that are processes of
their own, and compares the bytes. Then: the throughput of one core against librosa on the same files, interleaved, and
the peak memory of a worker, on this corpus and on a two-hour file.
"""

import argparse
import hashlib
import os
import pathlib
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from tfmir import command

command.set_environment()

import librosa
import numpy as np
import soundfile
from distributed.deploy.subprocess import SubprocessCluster
from memory import watch_memory

from tfmir.corpora.corpus import SPLITS, stable_fraction
from tfmir.data.audio import decode
from tfmir.data.manifest import load_manifest
from tfmir.data.records import read_tracks
from tfmir.params import FeatureParams
from tfmir.preparation.writer import compute

HEADER = "TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS"
RATE, SECS, DISTINCT, TIMED, REPETITIONS = 44100, 12, 100, 40, 5
TAGS = ("genre---rock", "genre---jazz", "instrument---piano", "mood/theme---calm", "genre---80s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", default="", help="an empty folder (default: a temporary one)")
    parser.add_argument("--tracks", type=int, default=2000)
    parser.add_argument("--labels", default="", help="a split file of MTG-Jamendo; its rows are dealt to three splits")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rehearse(pathlib.Path(given.work or folder), given.tracks, given.labels)


def rehearse(work: pathlib.Path, count: int, labels: str) -> None:
    paths = make_corpus(work, count, labels)
    local, external = work / "records/jamendo", work / "external/jamendo"
    for kill_after in (0.25, 0.6):
        prepare(work, local, kill_at=kill_after)
    peak = prepare(work, local)
    print(f"peak memory of a worker on this corpus: {peak / 2**20:.0f} MB")
    with SubprocessCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        prepare(work, external, f"--scheduler={cluster.scheduler_address}")
    compare(local, external, count)
    throughput([str(path) for path in paths[:TIMED]])
    two_hours(work)


def make_corpus(work: pathlib.Path, count: int, labels: str) -> list[pathlib.Path]:
    """`count` mp3 files, stereo at 44.1 kHz, of which DISTINCT differ, with labels in three splits by artist."""
    audio, annotations = work / "audio", work / "split-0"
    annotations.mkdir(parents=True, exist_ok=True)
    rows = real_rows(labels, count) if labels else [
        f"track_{i:07d}\tartist_{i // 5:06d}\talbum_{i:06d}\t{i % 100:02d}/{i}.mp3\t{SECS}\t"
        f"{TAGS[i % 5]}\t{TAGS[(i + 1) % 5]}"
        for i in range(count)
    ]  # fmt: skip
    of_split: dict[str, list[str]] = {split: [] for split in SPLITS}
    for row in rows:
        share = stable_fraction(row.split("\t")[1])
        of_split["train" if share < 0.8 else "validation" if share < 0.9 else "test"].append(row)
    for split, members in of_split.items():
        text = "\r\n".join([HEADER, *members]) + "\r\n"
        (annotations / f"autotagging-{split}.tsv").write_bytes(text.encode())
    encoded = [encode(seed) for seed in range(min(DISTINCT, count))]
    paths = []
    for number, row in enumerate(rows):
        path = audio / row.split("\t")[3]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded[number % len(encoded)])
        paths.append(path)
    print(f"{count} mp3 of {SECS} s in {audio}, {sum(map(len, of_split.values()))} rows in {annotations}")
    return paths


def real_rows(labels: str, count: int) -> list[str]:
    """From all of the file, so that many artists are among them."""
    rows = pathlib.Path(labels).read_bytes().decode().split("\r\n")[1:-1]
    return rows[:: max(1, len(rows) // count)][:count]


def encode(seed: int, secs: float = SECS) -> bytes:
    """An mp3 of noise under a chord, both channels different."""
    import io

    rng = np.random.default_rng(seed)
    time_axis = np.arange(int(RATE * secs)) / RATE
    chord = sum(np.sin(2 * np.pi * f * time_axis) for f in rng.uniform(100, 2000, 4))
    wave = 0.1 * chord[:, None] + 0.1 * rng.normal(size=(len(time_axis), 2))
    out = io.BytesIO()
    soundfile.write(out, wave.astype(np.float32), RATE, format="MP3")
    return out.getvalue()


def prepare(work: pathlib.Path, output: pathlib.Path, *more: str, kill_at: float = 0.0) -> int:
    """The command; shows its progress; kills its whole group once that share of the tracks is done.

    Returns the largest resident memory that any of its processes had, in bytes.
    """
    command = [sys.executable, "-m", "tfmir.prepare", "--corpus=jamendo", f"--audio_dir={work / 'audio'}"]
    command += [f"--annotations={work / 'split-0'}", f"--output={output}", "--workers=2", *more]
    start, peaks, last = time.monotonic(), [0], ""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    threading.Thread(target=watch_memory, args=(process.pid, peaks), daemon=True).start()
    assert process.stdout
    buffer = b""
    while block := os.read(process.stdout.fileno(), 4096):
        buffer += block
        lines = re.split(rb"[\r\n]", buffer)
        buffer = lines.pop()
        shown = [line.decode(errors="replace").strip() for line in lines if b"prepare:" in line]
        last = shown[-1] if shown else last
        done = re.search(r"(\d+)/(\d+) \[.*<(?!\?)", last)
        if kill_at and done and int(done[1]) >= kill_at * int(done[2]):
            os.killpg(process.pid, signal.SIGKILL)
            break
    code = process.wait()
    shards = len(list(output.glob("*.tfrecord-*")))
    how = "killed" if kill_at else "ended"
    print(f"{how} with {code} after {time.monotonic() - start:.0f} s, {shards} shards; {last}")
    assert code == (-signal.SIGKILL if kill_at else 0)
    return max(peaks)


def compare(local: pathlib.Path, external: pathlib.Path, count: int) -> None:
    """The same bytes, and every track once."""
    sums = [
        {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.tfrecord-*")}
        for folder in (local, external)
    ]
    assert sums[0] == sums[1]
    manifest = load_manifest(str(local))
    ids = [track.track_id for split in SPLITS for track in read_tracks(str(local), manifest, split)]
    assert len(ids) == len(set(ids)) == count, (len(ids), len(set(ids)))
    print(f"{len(sums[0])} shards with the same bytes from both, {len(ids)} tracks, each once")


def throughput(paths: list[str]) -> None:
    """Seconds of audio a second on one core, ours and librosa's, interleaved; decoding alone beside them."""
    features = FeatureParams()

    def with_librosa(path: str) -> None:
        wave, _ = librosa.load(path, sr=features.sample_rate)
        librosa.feature.melspectrogram(y=wave, sr=features.sample_rate, n_fft=1024, hop_length=512, power=1)

    jobs = {
        "ours": lambda path: compute(path, features),
        "librosa": with_librosa,
        "our decoding alone": lambda path: decode(path, sample_rate=features.sample_rate),
        "mp3 decoding alone": lambda path: soundfile.read(path, dtype="float32"),
    }
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for repetition in range(REPETITIONS + 1):
        for name, job in jobs.items():
            start = time.process_time()
            for path in paths:
                job(path)
            if repetition:
                times[name].append(time.process_time() - start)
    for name, values in times.items():
        print(f"{name:20} {SECS * len(paths) / statistics.median(values):6.0f} times real time on a core")
    ratio = statistics.median(b / a for a, b in zip(times["ours"], times["librosa"], strict=True))
    print(f"librosa takes {ratio:.2f} times as long as ours")


def two_hours(work: pathlib.Path) -> None:
    """Peak resident memory of a process that prepares a two-hour mp3."""
    path = work / "mix.mp3"
    minute = encode(0, 60)
    frames = minute[minute.index(minute[:2], 4) :]  # without the first frame, which says how many there are
    with path.open("wb") as file:
        for _ in range(120):
            file.write(frames)
    code = (
        "from tfmir import command; command.set_environment()\n"
        "from tfmir.preparation.writer import compute; from tfmir.params import FeatureParams\n"
        f"print(compute({str(path)!r}, FeatureParams()).shape)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(f"peak memory on a two-hour mp3 of {path.stat().st_size / 1e6:.0f} MB: at most {peak / 1024:.0f} MB")


if __name__ == "__main__":
    main()
