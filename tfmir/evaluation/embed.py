"""Tracks to embeddings: a split of the records, or audio files."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfmir.data.audio import decode
from tfmir.data.features import excerpts, log_mel
from tfmir.data.records import Manifest, read_tracks
from tfmir.evaluation.baselines import statistics_features
from tfmir.evaluation.report import EmbeddedSplit
from tfmir.model.system import System
from tfmir.training.tracks import embed_tracks


def embed_split(
    system: System, records: str, manifest: Manifest, split: str, *, description: str = ""
) -> EmbeddedSplit:
    """Every track of a split: embedding, tag scores, its excerpts, and the statistics of its log-mel.

    Args:
      system: any system.
      records: directory of the record set.
      manifest: of the record set.
      split: train, validation or test.
      description: what the progress bar says.
    """
    ids, statistics = [], []
    for track in read_tracks(records, manifest, split):
        ids.append(track.track_id)
        statistics.append(statistics_features(track.log_mel))
    tracks = embed_tracks(system, records, manifest, split, description=description)
    return EmbeddedSplit(
        track_ids=tuple(ids),
        labels=tracks.labels,
        embeddings=tracks.embeddings,
        scores=system.scores(tf.constant(tracks.embeddings)).numpy(),
        statistics=np.stack(statistics),
        excerpts=tracks.excerpts,
        excerpt_tracks=tracks.excerpt_tracks,
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
