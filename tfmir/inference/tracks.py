"""A system over a split of the records: the embedding of every excerpt and of every track."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tfmir.data.manifest import Manifest
from tfmir.data.pipeline import fixed_excerpts
from tfmir.data.records import read_tracks
from tfmir.model.system import System

_BATCH = 64


@dataclasses.dataclass(frozen=True)
class EmbeddedTracks:
    """Tracks in the order of the records, and the excerpts whose means they are.

    Attributes:
      track_ids: id of each track.
      labels: bool [tracks, tags].
      embeddings: float32 [tracks, dim], unit norm for a normalised system.
      excerpts: float32 [excerpts, dim], the same of every consecutive excerpt.
      excerpt_tracks: int64 [excerpts], the track of each excerpt: its number, ascending from 0.
      truth: bool [tracks, tags], all that each track would be tagged with, where the records know; else None.
    """

    track_ids: tuple[str, ...]
    labels: np.ndarray
    embeddings: np.ndarray
    excerpts: np.ndarray
    excerpt_tracks: np.ndarray
    truth: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class _Excerpts:
    """Consecutive excerpts: embeddings float32 [n, dim], tracks int64 [n], labels bool [n, tags], ids object [n]."""

    embeddings: np.ndarray
    tracks: np.ndarray
    labels: np.ndarray
    track_ids: np.ndarray

    def rows(self, chosen: np.ndarray) -> _Excerpts:
        return _Excerpts(*(getattr(self, field.name)[chosen] for field in dataclasses.fields(self)))


def embed_tracks(
    system: System, records: str, manifest: Manifest, split: str, *, description: str = ""
) -> EmbeddedTracks:
    """Every track of a split, with its truth where the records have one.

    Args:
      system: any system.
      records: directory of the record set.
      manifest: manifest of the record set.
      split: train, validation or test.
      description: what the progress bar says.
    """
    embedded = _of_tracks(system, list(_excerpts(system, records, manifest, split, description=description)))
    if not manifest.has_truth:
        return embedded
    truth = {track.track_id: track.truth or () for track in read_tracks(records, manifest, split)}
    rows = [truth[track_id] for track_id in embedded.track_ids]
    return dataclasses.replace(embedded, truth=manifest.vocabulary.multi_hot(rows))


def stream_tracks(
    system: System, records: str, manifest: Manifest, split: str, *, description: str = ""
) -> Iterator[EmbeddedTracks]:
    """As `embed_tracks`, without truth, a few whole tracks at a time: what is held does not grow with the split."""
    held: list[_Excerpts] = []
    for batch in _excerpts(system, records, manifest, split, description=description):
        whole = batch.tracks < batch.tracks[-1]  # the last track may go on in the next batch
        held.append(batch.rows(whole))
        if whole.any():
            yield _of_tracks(system, held)
            held = []
        held.append(batch.rows(~whole))
    yield _of_tracks(system, held)


def _excerpts(system: System, records: str, manifest: Manifest, split: str, *, description: str) -> Iterator[_Excerpts]:
    """All non-overlapping excerpts of a split, in the order of the records, embedded in full batches."""
    dataset = fixed_excerpts(records, manifest, split, batch_size=_BATCH, features=system.params.features)
    embed = tf.function(system.excerpt_embeddings, reduce_retracing=True)
    total, name = manifest.splits[split].tracks, description or f"embed {split}"
    with tqdm(total=total, unit="track", desc=name, mininterval=1.0) as bar:
        for batch in dataset:
            tracks = batch["position"].numpy()
            embeddings, labels = embed(batch["log_mel"]).numpy(), batch["labels"].numpy() > 0
            yield _Excerpts(embeddings, tracks, labels, batch["track_id"].numpy())
            bar.update(int(tracks[-1]) + 1 - bar.n)


def _of_tracks(system: System, batches: list[_Excerpts]) -> EmbeddedTracks:
    names = [field.name for field in dataclasses.fields(_Excerpts)]
    joined = _Excerpts(*(np.concatenate([getattr(batch, name) for batch in batches]) for name in names))
    _, firsts, tracks = np.unique(joined.tracks, return_index=True, return_inverse=True)
    embeddings = system.track_embeddings(tf.constant(joined.embeddings), tf.constant(tracks)).numpy()
    return EmbeddedTracks(
        track_ids=tuple(track_id.decode() for track_id in joined.track_ids[firsts]),
        labels=joined.labels[firsts],
        embeddings=embeddings,
        excerpts=joined.embeddings,
        excerpt_tracks=tracks,
    )
