"""One shard of a record set: the unit of work. The same tracks give the same bytes, whoever writes them."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import pathlib
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tfmir import files
from tfmir.corpora.corpus import Track
from tfmir.data.audio import AudioError, decode
from tfmir.data.features import log_mel
from tfmir.data.records import LOG_MEL_DTYPE, serialize
from tfmir.params import FeatureParams


@dataclasses.dataclass(frozen=True)
class ShardResult:
    """What became of one shard.

    Attributes:
      file: its name.
      sha256: of its bytes.
      tracks: written.
      frames: of all its tracks together.
      tag_counts: how many of its tracks carry each tag.
      rejected: (track id, path, reason) of every track left out.
    """

    file: str
    sha256: str
    tracks: int
    frames: int
    tag_counts: tuple[int, ...]
    rejected: tuple[tuple[str, str, str], ...]


def write_shard(tracks: Sequence[Track], path: str, *, num_tags: int, features: FeatureParams) -> ShardResult:
    """Decodes `tracks`, and writes their log-mels sorted by track id, under a temporary name that is then renamed.

    A track that cannot be decoded, or is shorter than one excerpt, is rejected with its reason; one longer than
    `features.max_frames` is cut there.
    """
    counts = np.zeros(num_tags, np.int64)
    rejected, frames, written = [], 0, 0
    with files.replacing(path) as temporary:
        with tf.io.TFRecordWriter(temporary) as writer:
            for track in sorted(tracks, key=lambda track: track.track_id):
                try:
                    track_log_mel = compute(track.path, features)
                except AudioError as error:
                    rejected.append((track.track_id, track.path, str(error)))
                    continue
                writer.write(serialize(track, track_log_mel))
                counts[list(track.tags)] += 1
                frames += len(track_log_mel)
                written += 1
        digest = file_sha256(temporary)
    return ShardResult(pathlib.Path(path).name, digest, written, frames, tuple(counts.tolist()), tuple(rejected))


def compute(path: str, features: FeatureParams) -> np.ndarray:
    """float16 [frames, mels]: the log-mel of one audio file, as the records hold it.

    Raises:
      AudioError: cannot be decoded, or is shorter than one excerpt.
    """
    max_secs = features.max_frames * features.hop_length / features.sample_rate
    waveform = decode(path, sample_rate=features.sample_rate, max_secs=max_secs)
    if len(waveform) < features.excerpt_samples:
        found = len(waveform) / features.sample_rate
        raise AudioError(f"too short: {found:.2f} s, an excerpt needs {features.excerpt_secs:g} s")
    return _log_mel_function(features)(waveform[np.newaxis]).numpy()[0].astype(LOG_MEL_DTYPE)


def file_sha256(path: str) -> str:
    """Hexadecimal checksum of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@functools.lru_cache(maxsize=4)
def _log_mel_function(features: FeatureParams) -> Callable[[np.ndarray], tf.Tensor]:
    signature = [tf.TensorSpec([1, None], tf.float32)]
    return tf.function(lambda waveform: log_mel(waveform, features), input_signature=signature)
