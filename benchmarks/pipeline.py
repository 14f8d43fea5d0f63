"""Training excerpts a second from the pipeline by excerpts per read, against the plain version, in one run.

    python benchmarks/pipeline.py        # records of --corpus=demo; 5 interleaved repetitions, medians

Plain: parse a track, decode its whole log-mel, crop one excerpt, batch. On a machine that does other things too, the
excerpts per second of processor time (all cores together) are the fairer measure. The last line is what a consumer
waits for: the longest of five epochs that take 15 ms a batch, over what it would be without waiting.
"""

import dataclasses
import itertools
import statistics
import sys
import time

from tfmir import command

command.set_environment()

import tensorflow as tf

from tfmir.data.manifest import load_manifest, shard_paths
from tfmir.data.pipeline import training_batches
from tfmir.data.records import FEATURE_SPEC
from tfmir.params import FeatureParams, PipelineParams

RECORDS = sys.argv[1] if len(sys.argv) > 1 else "tfrecords/demo"
REPETITIONS, BATCHES = 5, 200  # several times what is read ahead
PER_READ = (1, 2, 4)
EPOCHS, BATCH_SECS = 5, 0.015
FEATURES, PARAMS = FeatureParams(), PipelineParams(batch_size=64)


def plain(paths: list[str], num_tags: int) -> tf.data.Dataset:
    def crop(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        parsed = tf.io.parse_single_example(serialized, FEATURE_SPEC)
        log_mel = tf.reshape(tf.io.decode_raw(parsed["log_mel"], tf.float16), [-1, FEATURES.num_mels])
        log_mel = tf.cast(log_mel, tf.float32)
        start = tf.random.uniform([], 0, tf.shape(log_mel)[0] - FEATURES.excerpt_frames + 1, tf.int32)
        labels = tf.reduce_max(tf.one_hot(tf.concat([parsed["tags"], [-1]], 0), num_tags), axis=0)
        return log_mel[start : start + FEATURES.excerpt_frames], labels

    dataset = tf.data.TFRecordDataset(paths).repeat().map(crop, num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.shuffle(PARAMS.shuffle_buffer).batch(PARAMS.batch_size).prefetch(tf.data.AUTOTUNE)


def rate(dataset: tf.data.Dataset) -> tuple[float, float]:
    """Excerpts per second, and per second of processor time, once the first batch is there."""
    iterator = iter(dataset)
    next(iterator)
    start, busy = time.perf_counter(), time.process_time()
    for _ in itertools.islice(iterator, BATCHES):
        pass
    excerpts = BATCHES * PARAMS.batch_size
    return excerpts / (time.perf_counter() - start), excerpts / (time.process_time() - busy)


def longest_epoch(dataset: tf.data.Dataset, steps: int) -> float:
    """Seconds of the slowest epoch of a consumer that takes its time for every batch, over its time without waiting."""
    iterator = iter(dataset)
    next(iterator)
    seconds = []
    for _ in range(EPOCHS):
        start = time.perf_counter()
        for _ in itertools.islice(iterator, steps):
            time.sleep(BATCH_SECS)
        seconds.append(time.perf_counter() - start)
    return max(seconds) / (steps * BATCH_SECS)


def main() -> None:
    manifest = load_manifest(RECORDS)
    paths, tags = shard_paths(RECORDS, manifest, "train"), len(manifest.vocabulary.tags)
    tracks = manifest.splits["train"].tracks

    def ours(k: int) -> tf.data.Dataset:
        params = dataclasses.replace(PARAMS, excerpts_per_track=k)
        return training_batches(paths, tracks=tracks, num_tags=tags, params=params, features=FEATURES, seed=0)

    found: dict[str, list[tuple[float, float]]] = {}
    waits = []
    for _ in range(REPETITIONS):
        for k in PER_READ:
            found.setdefault(f"{k} a read", []).append(rate(ours(k)))
        found.setdefault("plain", []).append(rate(plain(paths, tags)))
        waits.append(longest_epoch(ours(1), PARAMS.batches(tracks)))
    for name, rates in found.items():
        wall, busy = (statistics.median(values) for values in zip(*rates, strict=True))
        ratios = (a / b for (a, _), (b, _) in zip(rates, found["plain"], strict=True))
        ratio = statistics.median(ratios)
        print(f"{name:8s} {wall:6.0f} excerpts/s, {busy:6.0f} per processor second, {ratio:.2f} of plain")
    print(f"an epoch of 1 a read at {PARAMS.batch_size / BATCH_SECS:.0f} excerpts/s: {statistics.median(waits):.2f}")


if __name__ == "__main__":
    main()
