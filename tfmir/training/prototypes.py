"""The last step of training a triplet system: its prototypes, stored with its weights."""

from __future__ import annotations

import numpy as np

from tfmir import files
from tfmir.data.manifest import Manifest
from tfmir.inference.tracks import stream_tracks
from tfmir.inference.weights import lacks_prototypes, load_system
from tfmir.model.system import System
from tfmir.run_directory import Run


def store_prototypes(run: Run, manifest: Manifest) -> None:
    """Gives the best weights of a triplet run their prototypes, once; of any other run does nothing."""
    if run.params.system.system != "triplet":
        return
    system = load_system(run, tagging=False)
    if lacks_prototypes(system):
        system.prototypes.vectors.assign(fit_prototypes(system, run.records, manifest))
        with files.replacing(run.best_weights) as name:
            system.save_weights(name)


def fit_prototypes(system: System, records: str, manifest: Manifest) -> np.ndarray:
    """Per tag, the mean embedding of the training tracks that carry it (paper, section 4.3.3).

    The tracks are streamed: what is held is a few tracks and one sum per tag.

    Args:
      system: any system.
      records: directory of the record set.
      manifest: manifest of the record set.

    Returns:
      float32 [tags, dim]; 0 for a tag that no track carries.
    """
    tags, dim = len(manifest.vocabulary.tags), system.params.encoder.embedding_dim
    sums, counts = np.zeros([tags, dim]), np.zeros(tags)
    for tracks in stream_tracks(system, records, manifest, "train", description="prototypes"):
        labels = tracks.labels.astype(np.float64)
        sums += labels.T @ tracks.embeddings
        counts += labels.sum(axis=0)
    return (sums / np.maximum(counts, 1)[:, np.newaxis]).astype(np.float32)
