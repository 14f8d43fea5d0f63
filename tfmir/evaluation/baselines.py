"""What any system must beat: chance, an untrained encoder, and simple statistics of the log-mel."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from tfmir.evaluation.subspaces import unit


def statistics_features(log_mel: np.ndarray) -> np.ndarray:
    """Mean, standard deviation and mean absolute difference over time of each band.

    Args:
      log_mel: float [frames, mels].

    Returns:
      float32 [3 * mels].
    """
    frames = log_mel.astype(np.float32)
    return np.concatenate([frames.mean(axis=0), frames.std(axis=0), np.abs(np.diff(frames, axis=0)).mean(axis=0)])


def random_embeddings(tracks: int, dim: int, *, seed: int = 0) -> np.ndarray:
    """float32 [tracks, dim]: rectified noise of unit norm, as far from the tags as can be."""
    return unit(np.maximum(np.random.default_rng(seed).normal(size=[tracks, dim]), 0.0))


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
