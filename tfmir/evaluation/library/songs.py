"""The songs of a library as a run hears them, and the statistics of their log-mel, in one pass over the audio.

What is heard is kept beside the run: the next question about the same songs decodes only what is new or changed.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import sys
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tfmir import files
from tfmir.catalogue.library import cached, keep
from tfmir.catalogue.songs import Song, stamped
from tfmir.corpora.spelling import one_line
from tfmir.data.features import log_mel
from tfmir.evaluation.baselines import statistics_features
from tfmir.inference.audio import Stretch, embed_files
from tfmir.model.system import System
from tfmir.params import FeatureParams
from tfmir.run_directory import Run


@dataclasses.dataclass(frozen=True)
class Heard:
    """Songs in the order in which they were asked for.

    Attributes:
      numbers: int64 [songs], which of those that were asked for they are.
      embeddings: float32 [songs, dim].
      statistics: float32 [songs, 3 * mels]; None where no audio was heard.
      rejected: (path, reason) of those that cannot be decoded.
    """

    numbers: np.ndarray
    embeddings: np.ndarray
    statistics: np.ndarray | None
    rejected: tuple[tuple[str, str], ...] = ()


def hear(run: Run, system: System, library: str, paths: Sequence[str]) -> Heard:
    """Embeds songs of a folder, in this process. An interrupted call keeps what it has done.

    What cannot be decoded is named on standard error and left out, also if it ends the process that decodes it.

    Args:
      run: a trained run, in whose directory what is heard is kept.
      system: its system.
      library: the folder, or its URL.
      paths: of the songs below it.
    """
    songs = stamped(library, paths)
    place = library if files.is_remote(library) else os.path.realpath(library)
    cache = cached(run, f"heard {place}", ".npz")
    before = _known(cache)  # songs of other annotations, too
    known = {path: row for path, row in before.items() if songs.get(path) == row.song}
    new: dict[str, _Row] = {}
    rejected = []
    missing = [song for path, song in songs.items() if path not in known]
    try:
        stretches = [Stretch(str(files.to_path(library) / song.track_id)) for song in missing]
        found = embed_files(system, stretches, also=statistics_of(system.params.features))
        bar = tqdm(found, total=len(missing), desc="embed", unit="file", disable=not missing, mininterval=1.0)
        for song, outcome in zip(missing, bar, strict=True):
            for remark in (f"left out: {outcome.problem}",) if outcome.problem else outcome.remarks:
                tqdm.write(f"{one_line(song.track_id)}: {one_line(remark)}", file=sys.stderr)
            if outcome.problem:
                rejected.append((song.track_id, outcome.problem))
            else:
                new[song.track_id] = _Row(song, outcome.embedding, outcome.also)
    finally:
        if new:
            keep(cache, lambda: _write(cache, list({**before, **new}.values())))
    known |= new
    numbers = [number for number, path in enumerate(paths) if path in known]
    rows = [known[paths[number]] for number in numbers]
    return Heard(
        np.array(numbers, np.int64),
        np.array([row.embedding for row in rows], np.float32).reshape(len(rows), system.params.encoder.embedding_dim),
        np.array([row.statistics for row in rows], np.float32).reshape(len(rows), 3 * run.params.features.num_mels),
        tuple(rejected),
    )


@functools.lru_cache(maxsize=2)
def statistics_of(features: FeatureParams) -> Callable[[np.ndarray], np.ndarray]:
    """Waveform float32 [samples] -> float32 [3 * mels]: the statistics of the log-mel as the records hold it.

    A song that is shorter than an excerpt is followed by silence, as its embedding is.
    """
    signature = [tf.TensorSpec([1, None], tf.float32)]
    compute = tf.function(lambda waveform: log_mel(waveform, features), input_signature=signature)

    def of_waveform(waveform: np.ndarray) -> np.ndarray:
        frames = compute(waveform[np.newaxis]).numpy()[0].astype(np.float16)
        lacking = max(0, features.excerpt_frames - len(frames))
        with np.errstate(over="ignore", invalid="ignore"):  # of a song that is too loud, and has no embedding either
            return statistics_features(np.pad(frames, [[0, lacking], [0, 0]]))

    return of_waveform


@dataclasses.dataclass(frozen=True)
class _Row:
    song: Song
    embedding: np.ndarray
    statistics: np.ndarray


def _known(cache: files.Path) -> dict[str, _Row]:
    """Path -> what an earlier call has heard."""
    stored = files.read_arrays(cache)
    if stored is None:
        return {}
    columns = (stored[name].tolist() for name in ("paths", "mtimes_ns", "sizes"))
    songs = [Song(*values) for values in zip(*columns, strict=True)]
    rows = map(_Row, songs, stored["embeddings"], stored["statistics"])
    return {row.song.track_id: row for row in rows}


def _write(cache: files.Path, rows: Sequence[_Row]) -> None:
    paths, mtimes, sizes = zip(*(row.song for row in rows), strict=True)
    files.write_arrays(
        cache,
        paths=np.array(paths),
        mtimes_ns=np.array(mtimes, np.int64),
        sizes=np.array(sizes, np.int64),
        embeddings=np.stack([row.embedding for row in rows]),
        statistics=np.stack([row.statistics for row in rows]),
    )
