"""Training excerpts a second from the pipeline, against the plain version on the same records, in one run.

    python benchmarks/pipeline.py        # records of --corpus=demo; 7 interleaved repetitions, medians

Plain: parse a track, decode its whole log-mel, crop one excerpt, batch.
"""

import itertools
import statistics
import sys
import time

from tfmir import command

command.set_environment()

import tensorflow as tf

from tfmir.data.pipeline import training_batches
from tfmir.data.records import FEATURE_SPEC, load_manifest, shard_paths
from tfmir.params import FeatureParams, PipelineParams

RECORDS = sys.argv[1] if len(sys.argv) > 1 else "tfrecords/demo"
REPETITIONS, BATCHES = 7, 60
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


def rate(dataset: tf.data.Dataset) -> float:
    """Excerpts a second after the shuffle buffer has been filled once."""
    iterator = iter(dataset)
    for _ in itertools.islice(iterator, 5):
        pass
    start = time.perf_counter()
    for _ in itertools.islice(iterator, BATCHES):
        pass
    return BATCHES * PARAMS.batch_size / (time.perf_counter() - start)


def main() -> None:
    manifest = load_manifest(RECORDS)
    paths, tags = shard_paths(RECORDS, manifest, "train"), len(manifest.vocabulary.tags)
    tracks = manifest.splits["train"].tracks
    ours = training_batches(paths, tracks=tracks, num_tags=tags, params=PARAMS, features=FEATURES, seed=0)
    reference = plain(paths, tags)
    pairs = [(rate(ours), rate(reference)) for _ in range(REPETITIONS)]
    print(f"pipeline {statistics.median(a for a, _ in pairs):.0f} excerpts/s")
    print(f"plain    {statistics.median(b for _, b in pairs):.0f} excerpts/s (parse, decode the whole track, crop)")
    print(f"ratio    {statistics.median(a / b for a, b in pairs):.2f}")


if __name__ == "__main__":
    main()
