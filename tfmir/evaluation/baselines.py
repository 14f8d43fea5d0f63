"""What any system must beat: chance, an untrained encoder, and simple statistics of the log-mel."""

from __future__ import annotations

import keras
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from tfmir.data.manifest import Manifest
from tfmir.data.records import read_tracks
from tfmir.evaluation.report import STATISTICS, Contender
from tfmir.inference.subspaces import unit_rows
from tfmir.inference.tracks import EmbeddedTracks, embed_tracks
from tfmir.model.build import build_system
from tfmir.run_directory import Run


def baselines(run: Run, manifest: Manifest, test: EmbeddedTracks) -> dict[str, Contender]:
    """Statistics, untrained encoder and chance; tags by the same logistic regression for each.

    Args:
      run: whose records and encoder are taken.
      manifest: manifest of its records.
      test: the test split as the run embeds it.
    """
    keras.utils.set_random_seed(run.params.training.seed)
    system = build_system(run.params.network, run.vocabulary)
    train, raw = (
        embed_tracks(system, run.records, manifest, split, description=f"embed {split}, untrained")
        for split in ("train", "test")
    )
    statistics, of_test = (split_statistics(run.records, manifest, split) for split in ("train", "test"))
    dim = run.params.encoder.embedding_dim
    noise, other_noise = (random_embeddings(len(s.labels), dim, seed=i) for i, s in enumerate((train, test)))

    def probe(train_features: np.ndarray, test_features: np.ndarray) -> np.ndarray:
        return logistic_probe(train_features, train.labels, test_features)

    return {
        STATISTICS: Contender(unit_rows(standardize(statistics, of_test)[1]), probe(statistics, of_test)),
        "untrained": Contender(
            unit_rows(raw.embeddings), probe(train.embeddings, raw.embeddings), excerpts=unit_rows(raw.excerpts)
        ),
        "random": Contender(other_noise, probe(noise, other_noise)),
    }


def split_statistics(records: str, manifest: Manifest, split: str) -> np.ndarray:
    """float32 [tracks, 3 * mels]: `statistics_features` of every track of a split, in the order of the records."""
    return np.stack([statistics_features(track.log_mel) for track in read_tracks(records, manifest, split)])


def statistics_features(log_mel: np.ndarray) -> np.ndarray:
    """Mean, standard deviation and mean absolute difference over time of each band.

    What `tfmir.model.statistics.over_time` takes of excerpts, in the same order.

    Args:
      log_mel: float [frames, mels].

    Returns:
      float32 [3 * mels].
    """
    frames = log_mel.astype(np.float32)
    return np.concatenate([frames.mean(axis=0), frames.std(axis=0), np.abs(np.diff(frames, axis=0)).mean(axis=0)])


def random_embeddings(tracks: int, dim: int, *, seed: int = 0) -> np.ndarray:
    """float32 [tracks, dim]: rectified noise of unit norm, as far from the tags as can be."""
    return unit_rows(np.maximum(np.random.default_rng(seed).normal(size=[tracks, dim]), 0.0))


def standardize(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both [tracks, features] scaled by the mean and deviation of `train`, float32."""
    scaler = StandardScaler().fit(train)
    return scaler.transform(train).astype(np.float32), scaler.transform(test).astype(np.float32)


def logistic_probe(train: np.ndarray, labels: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Scores of a logistic regression per tag on standardised features.

    Args:
      train: float [tracks, features].
      labels: bool [tracks, tags] of `train`.
      test: float [others, features].

    Returns:
      float32 [others, tags], probabilities; a tag with one class in training scores its prevalence everywhere.
    """
    train, test = standardize(train, test)
    scores = np.tile(labels.mean(axis=0), (len(test), 1)).astype(np.float32)
    for tag in np.flatnonzero(labels.any(axis=0) & ~labels.all(axis=0)):
        model = LogisticRegression(max_iter=1000).fit(train, labels[:, tag])
        scores[:, tag] = model.predict_proba(test)[:, 1]
    return scores
