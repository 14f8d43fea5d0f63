"""Tracks to embeddings: a split of the records, or audio files."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tfmir.data import pipeline
from tfmir.data.audio import decode
from tfmir.data.features import excerpts, log_mel
from tfmir.data.records import Manifest, read_tracks, shard_paths
from tfmir.evaluation.baselines import statistics_features
from tfmir.evaluation.report import EmbeddedSplit
from tfmir.model.systems import System

_BATCH = 64


def embed_split(
    system: System, records: str, manifest: Manifest, split: str, *, description: str = ""
) -> EmbeddedSplit:
    """Every track of a split: embedding, tag scores, and the statistics of its log-mel.

    Args:
      system: any system.
      records: directory of the record set.
      manifest: of the record set.
      split: train, validation or test.
      description: what the progress bar says.
    """
    ids, tags, statistics = [], [], []
    for track in read_tracks(records, manifest, split):
        ids.append(track.track_id)
        tags.append(track.tags)
        statistics.append(statistics_features(track.log_mel))
    labels = manifest.vocabulary.multi_hot(tags)
    embeddings = _track_means(system, shard_paths(records, manifest, split), labels, description or f"embed {split}")
    return EmbeddedSplit(
        track_ids=tuple(ids),
        labels=labels,
        embeddings=embeddings,
        scores=system.scores(tf.constant(embeddings)).numpy(),
        statistics=np.stack(statistics),
    )


def embed_file(system: System, path: str) -> np.ndarray:
    """float32 [dim]: the embedding of an audio file; a file shorter than 3 s is padded with silence.

    Raises:
      AudioError: the file cannot be decoded.
    """
    features = system.params.features
    max_secs = features.max_frames * features.hop_length / features.sample_rate
    waveform = decode(path, sample_rate=features.sample_rate, max_secs=max_secs)
    batch = excerpts(log_mel(tf.constant(waveform[np.newaxis]), features), features)
    return system.track_embedding(batch)[0].numpy()


def _track_means(system: System, paths: list[str], labels: np.ndarray, description: str) -> np.ndarray:
    """float32 [tracks, dim]: excerpts run through the encoder in full batches, then are averaged per track."""
    features = system.params.features
    sums = np.zeros([len(labels), system.params.encoder.embedding_dim], np.float32)
    embed = tf.function(lambda x: system.normalise(system.features(x)), reduce_retracing=True)
    dataset = pipeline.fixed_excerpts(paths, num_tags=labels.shape[1], batch_size=_BATCH, features=features)
    with tqdm(total=len(labels), unit="track", desc=description, mininterval=1.0) as bar:
        for batch, _, tracks in dataset:
            np.add.at(sums, tracks.numpy(), embed(batch).numpy())
            bar.update(int(tracks[-1]) + 1 - bar.n)
    # The mean's length does not matter to a unit vector: a sum does as well.
    return system.normalise(tf.constant(sums)).numpy()
