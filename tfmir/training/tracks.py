"""A system over whole splits: the embedding of every excerpt and track, and the prototypes made from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tfmir.data.pipeline import fixed_excerpts
from tfmir.data.records import Manifest, shard_paths
from tfmir.model.system import System

_BATCH = 64


@dataclasses.dataclass(frozen=True)
class ExcerptBatch:
    """Embeddings float32 [batch, dim] of consecutive excerpts, their tracks' numbers in the split, and labels."""

    embeddings: np.ndarray
    tracks: np.ndarray
    labels: np.ndarray


def excerpt_embeddings(
    system: System, records: str, manifest: Manifest, split: str, *, description: str = ""
) -> Iterator[ExcerptBatch]:
    """All non-overlapping excerpts of a split, in the order of the records, embedded in full batches.

    Args:
      system: any system.
      records: directory of the record set.
      manifest: of the record set.
      split: train, validation or test.
      description: what the progress bar says.
    """
    dataset = fixed_excerpts(
        shard_paths(records, manifest, split),
        num_tags=len(manifest.vocabulary.tags),
        batch_size=_BATCH,
        features=system.params.features,
    )
    embed = tf.function(lambda x: system.normalise(system.features(x)), reduce_retracing=True)
    total, name = manifest.splits[split].tracks, description or f"embed {split}"
    with tqdm(total=total, unit="track", desc=name, mininterval=1.0) as bar:
        for log_mel, labels, tracks in dataset:
            yield ExcerptBatch(embed(log_mel).numpy(), tracks.numpy(), labels.numpy() > 0)
            bar.update(int(tracks[-1]) + 1 - bar.n)


def track_means(system: System, embeddings: np.ndarray, tracks: np.ndarray) -> np.ndarray:
    """float32 [tracks, dim]: the mean of each track's excerpts, normalised as the system does.

    Args:
      system: any system.
      embeddings: float32 [excerpts, dim].
      tracks: int [excerpts], ascending from 0.
    """
    starts = np.flatnonzero(np.diff(tracks, prepend=-1))
    counts = np.diff(starts, append=len(tracks))
    means = np.add.reduceat(embeddings, starts, axis=0) / counts[:, np.newaxis].astype(np.float32)
    return system.normalise(tf.constant(means)).numpy()


@dataclasses.dataclass(frozen=True)
class EmbeddedTracks:
    """A split: embeddings float32 [tracks, dim], labels bool [tracks, tags], and the excerpts they are means of."""

    embeddings: np.ndarray
    labels: np.ndarray
    excerpts: np.ndarray
    excerpt_tracks: np.ndarray


def embed_tracks(
    system: System, records: str, manifest: Manifest, split: str, *, description: str = ""
) -> EmbeddedTracks:
    """Every track of a split, in the order of the records; arguments as of `excerpt_embeddings`."""
    batches = list(excerpt_embeddings(system, records, manifest, split, description=description))
    excerpts = np.concatenate([batch.embeddings for batch in batches])
    tracks = np.concatenate([batch.tracks for batch in batches])
    labels = np.concatenate([batch.labels for batch in batches])[np.flatnonzero(np.diff(tracks, prepend=-1))]
    return EmbeddedTracks(track_means(system, excerpts, tracks), labels, excerpts, tracks)


def fit_prototypes(system: System, records: str, manifest: Manifest) -> np.ndarray:
    """float32 [tags, dim]: per tag, the mean embedding of the training tracks that carry it; 0 for a tag of none.

    The tracks are streamed: what is held is one batch and one sum per tag.
    """
    dim = system.params.encoder.embedding_dim
    sums, counts = np.zeros([len(manifest.vocabulary.tags), dim]), np.zeros(len(manifest.vocabulary.tags))
    for embeddings, labels in _tracks(system, records, manifest):
        sums += labels.T @ embeddings
        counts += labels.sum(axis=0)
    return (sums / np.maximum(counts, 1)[:, np.newaxis]).astype(np.float32)


def _tracks(system: System, records: str, manifest: Manifest) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Whole training tracks, a few at a time: embeddings float32 [n, dim] and labels float64 [n, tags]."""
    held: list[ExcerptBatch] = []
    for batch in excerpt_embeddings(system, records, manifest, "train", description="prototypes"):
        whole = batch.tracks < batch.tracks[-1]  # the last track may go on in the next batch
        held.append(ExcerptBatch(batch.embeddings[whole], batch.tracks[whole], batch.labels[whole]))
        if whole.any():
            yield _joined(system, held)
            held = []
        held.append(ExcerptBatch(batch.embeddings[~whole], batch.tracks[~whole], batch.labels[~whole]))
    yield _joined(system, held)


def _joined(system: System, batches: list[ExcerptBatch]) -> tuple[np.ndarray, np.ndarray]:
    tracks = np.concatenate([batch.tracks for batch in batches])
    labels = np.concatenate([batch.labels for batch in batches])
    embeddings = np.concatenate([batch.embeddings for batch in batches])
    firsts = np.flatnonzero(np.diff(tracks, prepend=-1))
    return track_means(system, embeddings, tracks), labels[firsts].astype(np.float64)
