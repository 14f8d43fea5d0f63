"""Shards as data sets of serialized tracks, wherever they are."""

from __future__ import annotations

import os
from collections.abc import Sequence

import tensorflow as tf

from tfmir import files


def open_shard(path: str | tf.Tensor, *, natively: bool) -> tf.data.Dataset:
    """The serialized tracks of one shard.

    Args:
      path: its path, in a graph too.
      natively: whether TensorFlow reads it where it is; else it is copied to a local file when its turn comes, and
        removed when it has been read.

    Returns:
      Data set of string [].
    """
    if natively:
        return tf.data.TFRecordDataset(path)
    return tf.data.Dataset.from_tensors(path).map(_fetch).flat_map(_read_and_remove)


def read_natively(paths: Sequence[str]) -> bool:
    """Whether TensorFlow reads all of these where they are."""
    return all(files.tensorflow_reads(path) for path in paths)


def _fetch(path: tf.Tensor) -> tf.Tensor:
    name = tf.numpy_function(lambda url: files.fetch(url.decode()).encode(), [path], tf.string)
    return tf.ensure_shape(name, [])


def _read_and_remove(name: tf.Tensor) -> tf.data.Dataset:
    removed = tf.data.Dataset.from_tensors(name).map(_remove).filter(lambda _: False)
    return tf.data.TFRecordDataset(name).concatenate(removed)


def _remove(name: tf.Tensor) -> tf.Tensor:
    def remove(local: bytes) -> bytes:
        os.unlink(local)
        return local

    return tf.ensure_shape(tf.numpy_function(remove, [name], tf.string), [])
