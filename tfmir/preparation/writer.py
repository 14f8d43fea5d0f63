"""One shard of a record set: the unit of work. The same tracks give the same bytes, whoever writes them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tfmir import files
from tfmir.corpora.corpus import Track
from tfmir.data.audio import AudioError, decode, remarks
from tfmir.data.features import log_mel
from tfmir.data.isolation import decode_isolated
from tfmir.data.records import serialize
from tfmir.data.sound import too_loud
from tfmir.params import FeatureParams
from tfmir.vocabulary import Vocabulary


@dataclasses.dataclass(frozen=True)
class ShardResult:
    """What became of one shard.

    Attributes:
      file: its name.
      sha256: checksum of its bytes.
      tracks: written.
      frames: frames of all its tracks together.
      tag_counts: how many of its tracks carry each tag.
      notion_counts: how many of its tracks carry a tag of each notion.
      rejected: (track id, path, reason) of every track left out, each on one line.
      remarks: (track id, path, remark) of every track that is in it although something is wrong with its file.
      truth_counts: as `tag_counts`, of the tracks' truth; zeros where they have none.
    """

    file: str
    sha256: str
    tracks: int
    frames: int
    tag_counts: tuple[int, ...]
    notion_counts: tuple[int, ...]
    rejected: tuple[tuple[str, str, str], ...]
    remarks: tuple[tuple[str, str, str], ...] = ()
    truth_counts: tuple[int, ...] = ()


def write_shard(
    tracks: Sequence[Track], path: str, *, vocabulary: Vocabulary, features: FeatureParams, isolated: bool = False
) -> ShardResult:
    """Decodes `tracks`, and writes their log-mels sorted by track id, under a temporary name that is then renamed.

    A track that cannot be decoded, or is shorter than one excerpt, is rejected with its reason; one longer than
    `features.max_frames` is cut there. `isolated` decodes each file in a process of its own.
    """
    rejected, remarked, kept, frames = [], [], [], 0
    with files.replacing(path) as temporary:
        with tf.io.TFRecordWriter(temporary) as writer:
            for track in sorted(tracks, key=lambda track: track.track_id):
                try:
                    with remarks() as said:
                        track_log_mel = compute(track.path, features, isolated=isolated)
                except AudioError as error:
                    rejected.append((track.track_id, track.path, str(error)))
                    continue
                remarked += [(track.track_id, track.path, remark) for remark in said]
                writer.write(serialize(track, track_log_mel))
                kept.append(track)
                frames += len(track_log_mel)
        digest = files.sha256(temporary)
    labels = vocabulary.multi_hot([track.tags for track in kept])
    truth = vocabulary.multi_hot([track.truth or () for track in kept])
    return ShardResult(
        file=files.to_path(path).name,
        sha256=digest,
        tracks=len(kept),
        frames=frames,
        tag_counts=tuple(labels.sum(axis=0).tolist()),
        notion_counts=tuple(vocabulary.carried(labels).sum(axis=0).tolist()),
        rejected=tuple(rejected),
        remarks=tuple(remarked),
        truth_counts=tuple(truth.sum(axis=0).tolist()),
    )


def compute(path: str, features: FeatureParams, *, isolated: bool = False) -> np.ndarray:
    """float16 [frames, mels]: the log-mel of one audio file, as the records hold it.

    Raises:
      AudioError: cannot be decoded, is shorter than one excerpt, or so loud that the log-mel overflows.
    """
    max_secs = features.max_frames * features.hop_length / features.sample_rate
    waveform = (decode_isolated if isolated else decode)(path, sample_rate=features.sample_rate, max_secs=max_secs)
    if len(waveform) < features.excerpt_samples:
        secs = len(waveform) / features.sample_rate
        raise AudioError(f"too short: {secs:.2f} s, an excerpt needs {features.excerpt_secs:g} s")
    found: np.ndarray = _log_mel_function(features)(waveform[np.newaxis]).numpy()[0]
    if not np.isfinite(found).all():
        raise too_loud(waveform)
    return found


@functools.lru_cache(maxsize=4)
def _log_mel_function(features: FeatureParams) -> Callable[[np.ndarray], tf.Tensor]:
    """float32 [1, samples] -> float16 [1, frames, mels], in one graph.

    It rounds to float16 as well: to the bits of NumPy's `astype`, which takes half as long as all of the log-mel.
    """
    signature = [tf.TensorSpec([1, None], tf.float32)]
    return tf.function(lambda waveform: tf.cast(log_mel(waveform, features), tf.float16), input_signature=signature)
