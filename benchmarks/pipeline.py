"""Training excerpts a second from the pipeline under load, against plain tf.data, in one run.

    python benchmarks/pipeline.py --tracks=200000                         # made-up tracks of 30 s, 100 in a shard
    python benchmarks/pipeline.py --tracks=200000 --store=s3://bucket/x   # the same from a store, beside it
    python benchmarks/pipeline.py --records=tfrecords/demo

Plain: parse a track, decode its whole log-mel, crop one excerpt, shuffle, batch. A set of 200 000 tracks of 30 s has 66
GB: `--distinct` of them are written, and every shard has as many names as it takes. So everything but the disk is as it
would be; what a disk must give is printed. On a machine that does other things too, the excerpts per second of
processor time (all cores together) are the fairer measure. The last line is what a consumer waits for: the longest of
five epochs that take 15 ms a batch, over what it would be without waiting.
"""

import dataclasses
import itertools
import pathlib
import statistics
import tempfile
import time

from tfmir import command

command.set_environment()

import numpy as np
import tensorflow as tf

import frame
from tfmir import files
from tfmir.corpora.corpus import Track
from tfmir.data.manifest import load_manifest, shard_paths
from tfmir.data.pipeline import training_batches
from tfmir.data.records import FEATURE_SPEC, serialize
from tfmir.errors import UserError
from tfmir.params import FeatureParams, PipelineParams

REPETITIONS, BATCHES = 5, 200  # several times what is read ahead
PER_READ = (1, 2, 4)
EPOCHS, STEPS, BATCH_SECS = 5, 100, 0.015
SHARD, TAGS, TRACK_SECS = 100, 50, 30.0
FEATURES, PARAMS = FeatureParams(), PipelineParams(batch_size=64)


@dataclasses.dataclass(frozen=True)
class Set:
    """Shards, and how many tracks and tags they have together."""

    paths: list[str]
    tracks: int
    tags: int


def made(folder: pathlib.Path, *, tracks: int, distinct: int) -> Set:
    """A set of so many tracks, of which `distinct` are written."""
    draw = np.random.default_rng(0)
    frames = round(TRACK_SECS * FEATURES.sample_rate) // FEATURES.hop_length
    written = []
    for shard in range(distinct // SHARD):
        written.append(folder / f"shard-{shard:05d}")
        with tf.io.TFRecordWriter(str(written[-1])) as writer:
            for number in range(SHARD):
                log_mel = draw.random([frames, FEATURES.num_mels], np.float32)
                tags = tuple(np.flatnonzero(draw.random(TAGS) < 0.05).tolist())
                writer.write(serialize(Track(f"{shard}/{number}", "", "train", tags), log_mel))
    names = []
    for number in range(tracks // SHARD):
        names.append(folder / f"name-{number:05d}")
        names[-1].symlink_to(written[number % len(written)])
    return Set(list(map(str, names)), tracks, TAGS)


def stored(records: str) -> Set:
    manifest = load_manifest(records)
    paths = shard_paths(records, manifest, "train")
    return Set(paths, manifest.splits["train"].tracks, len(manifest.vocabulary.tags))


def copied(local: Set, url: str, folder: pathlib.Path) -> Set:
    """The written shards in a store, each under its one name: as many tracks as there are names."""
    files.upload_folder(str(folder), files.to_path(url))
    names = [pathlib.Path(path).resolve().name for path in local.paths]
    return dataclasses.replace(local, paths=[f"{url}/{name}" for name in names])


def plain(records: Set) -> tf.data.Dataset:
    def crop(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        parsed = tf.io.parse_single_example(serialized, FEATURE_SPEC)
        log_mel = tf.reshape(tf.io.decode_raw(parsed["log_mel"], tf.float16), [-1, FEATURES.num_mels])
        log_mel = tf.cast(log_mel, tf.float32)
        start = tf.random.uniform([], 0, tf.shape(log_mel)[0] - FEATURES.excerpt_frames + 1, tf.int32)
        labels = tf.reduce_max(tf.one_hot(tf.concat([parsed["tags"], [-1]], 0), records.tags), axis=0)
        return log_mel[start : start + FEATURES.excerpt_frames], labels

    dataset = tf.data.TFRecordDataset(records.paths).repeat().map(crop, num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.shuffle(PARAMS.shuffle_buffer).batch(PARAMS.batch_size).prefetch(tf.data.AUTOTUNE)


def ours(records: Set, per_read: int) -> tf.data.Dataset:
    params = dataclasses.replace(PARAMS, excerpts_per_track=per_read)
    return training_batches(
        records.paths, tracks=records.tracks, num_tags=records.tags, params=params, features=FEATURES, seed=0
    )


@dataclasses.dataclass(frozen=True)
class Found:
    """Excerpts a second, and per second of processor time, once the first batch is there; when that was; memory."""

    rate: float
    busy_rate: float
    first_secs: float
    megabytes: float


def measured(dataset: tf.data.Dataset) -> Found:
    before, start = resident(), time.perf_counter()
    iterator = iter(dataset)
    next(iterator)
    first = time.perf_counter() - start
    start, busy = time.perf_counter(), time.process_time()
    for _ in itertools.islice(iterator, BATCHES):
        pass
    secs, busy_secs = time.perf_counter() - start, time.process_time() - busy
    excerpts = BATCHES * PARAMS.batch_size
    return Found(excerpts / secs, excerpts / busy_secs, first, resident() - before)


def resident() -> float:
    """Megabytes of this process."""
    words = pathlib.Path("/proc/self/status").read_text().split()
    return int(words[words.index("VmRSS:") + 1]) / 1000


def longest_epoch(dataset: tf.data.Dataset) -> float:
    """Seconds of the slowest epoch of a consumer that takes its time for every batch, over its time without waiting."""
    iterator = iter(dataset)
    next(iterator)
    seconds = []
    for _ in range(EPOCHS):
        start = time.perf_counter()
        for _ in itertools.islice(iterator, STEPS):
            time.sleep(BATCH_SECS)
        seconds.append(time.perf_counter() - start)
    return max(seconds) / (STEPS * BATCH_SECS)


def report(records: Set, store: Set | None) -> None:
    sets = {f"{k} a read": (records, k) for k in PER_READ} | {"plain": (records, 0)}
    if store is not None:
        sets |= {f"{k} a read, store": (store, k) for k in PER_READ[:1]}
    found: dict[str, list[Found]] = {name: [] for name in sets}
    waits = []
    for _ in range(REPETITIONS):
        for name, (of, k) in sets.items():
            found[name].append(measured(ours(of, k) if k else plain(of)))
        waits.append(longest_epoch(ours(records, 1)))
    for name, of_name in found.items():
        rate, busy, first, memory = (
            statistics.median(getattr(of, field.name) for of in of_name) for field in dataclasses.fields(Found)
        )
        ratio = statistics.median(a.rate / b.rate for a, b in zip(of_name, found["plain"], strict=True))
        print(
            f"{name:16s} {rate:6.0f} excerpts/s, {busy:6.0f} per processor second, {ratio:.2f} of plain; first batch "
            f"after {first:.1f} s; {memory:+.0f} MB"
        )
    print(f"an epoch of 1 a read at {PARAMS.batch_size / BATCH_SECS:.0f} excerpts/s: {statistics.median(waits):.2f}")


def main() -> None:
    parser = frame.parser(__doc__)
    parser.add_argument("--records", default="", help="a record set instead of a made-up one")
    parser.add_argument("--tracks", type=frame.positive, default=200_000)
    parser.add_argument("--distinct", type=frame.positive, default=2_000)
    parser.add_argument("--store", default="", help="a folder of a store that the made-up set is copied to")
    given = parser.parse_args()
    if given.records:
        report(stored(given.records), None)
        return
    if given.tracks % SHARD or given.distinct % SHARD:
        raise UserError(f"--tracks={given.tracks} --distinct={given.distinct}: shards have {SHARD} tracks each")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        records = made(folder, tracks=given.tracks, distinct=given.distinct)
        size = sum(path.stat().st_size for path in folder.glob("shard-*")) / given.distinct
        print(
            f"{records.tracks} tracks of {TRACK_SECS:g} s in {len(records.paths)} shards: "
            f"{size * records.tracks / 1e9:.1f} GB. An excerpt of 33 kB reads {size / 1e3:.0f} kB, divided by the "
            "excerpts a read"
        )
        store = None
        if given.store:
            only = pathlib.Path(tempfile.mkdtemp(dir=name))
            for path in folder.glob("shard-*"):
                (only / path.name).symlink_to(path)
            store = copied(records, given.store, only)
        report(records, store)


if __name__ == "__main__":
    frame.run(main)
