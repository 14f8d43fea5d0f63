"""The one schema of the records: writer and reader; their manifest is in `manifest.py` (see tfrecords/README.md).

<records>/manifest.json                             what is in the set
<records>/<name>-train.tfrecord-00000-of-00012      one tf.train.Example per track, sorted by track id
<records>/rejected.tsv                              track, path, reason
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tfmir import files
from tfmir.corpora.corpus import Track
from tfmir.data.manifest import Manifest, shard_paths
from tfmir.data.shards import open_shard

LOG_MEL_DTYPE = np.dtype("<f2")
FEATURE_SPEC = {
    "track_id": tf.io.FixedLenFeature([], tf.string),
    "artist_id": tf.io.FixedLenFeature([], tf.string),
    "log_mel": tf.io.FixedLenFeature([], tf.string),
    "num_frames": tf.io.FixedLenFeature([], tf.int64),
    "tags": tf.io.RaggedFeature(tf.int64),
}


@dataclasses.dataclass(frozen=True)
class StoredTrack:
    """One track read back; `log_mel` is float16 [frames, mels] before the z-score, `truth` as in `corpus.Track`."""

    track_id: str
    artist_id: str
    tags: tuple[int, ...]
    log_mel: np.ndarray
    truth: tuple[int, ...] | None = None


def serialize(track: Track, log_mel: np.ndarray) -> bytes:
    """A `tf.train.Example` with the fields of FEATURE_SPEC, and `truth` if known; `log_mel` is float [frames, mels]."""
    frames = np.ascontiguousarray(log_mel, LOG_MEL_DTYPE)
    feature = {
        "track_id": _bytes(track.track_id.encode()),
        "artist_id": _bytes(track.artist_id.encode()),
        "log_mel": _bytes(frames.tobytes()),
        "num_frames": _ints([len(frames)]),
        "tags": _ints(track.tags),
    }
    if track.truth is not None:
        feature["truth"] = _ints(track.truth)
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString(deterministic=True)


def parse(serialized: bytes, num_mels: int) -> StoredTrack:
    """The inverse of `serialize`, in NumPy."""
    feature = tf.train.Example.FromString(serialized).features.feature
    log_mel = np.frombuffer(feature["log_mel"].bytes_list.value[0], LOG_MEL_DTYPE)
    return StoredTrack(
        track_id=feature["track_id"].bytes_list.value[0].decode(),
        artist_id=feature["artist_id"].bytes_list.value[0].decode(),
        tags=tuple(feature["tags"].int64_list.value),
        log_mel=log_mel.reshape(-1, num_mels),
        truth=tuple(feature["truth"].int64_list.value) if "truth" in feature else None,
    )


def read_tracks(records: str, manifest: Manifest, split: str) -> Iterator[StoredTrack]:
    """All tracks of a split in the order of the records."""
    for path in shard_paths(records, manifest, split):
        for serialized in open_shard(path, natively=files.tensorflow_reads(path)).as_numpy_iterator():
            yield parse(serialized, manifest.features["num_mels"])


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _ints(values: Any) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
