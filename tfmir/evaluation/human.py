"""Agreement with listeners: triplets on which people have voted (paper, section 4.5)."""

from __future__ import annotations

import dataclasses
import pathlib
import sys
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tfmir.corpora import dimsim, magnatagatune
from tfmir.corpora.labels import read_text
from tfmir.corpora.votes import Clip, HumanTriplet
from tfmir.data.audio import AudioError, decode, list_audio, require_folder
from tfmir.data.features import excerpts, log_mel
from tfmir.errors import UserError
from tfmir.evaluation.bootstrap import Interval, resampled
from tfmir.evaluation.subspaces import subspace_embeddings
from tfmir.model.system import System
from tfmir.remote import to_path


def load_triplets(path: str) -> list[HumanTriplet]:
    """The votes of a file in one of the two published forms, which its header tells apart.

    Raises:
      UserError: no such file, or not what its header promises; names the row.
    """
    header = read_text(path, what="the CSV of dim-sim, or comparisons_final.csv of MagnaTagATune").partition("\n")[0]
    return magnatagatune.load_comparisons(path) if "clip1_numvotes" in header else dimsim.load(path)


def embed_clips(system: System, triplets: Sequence[HumanTriplet], audio_dir: str) -> dict[Clip, np.ndarray]:
    """float32 [dim] for every clip whose song is found below a folder by its id (`<id>.mp3` and the like).

    What cannot be decoded is named on standard error and left out.

    Raises:
      UserError: no such folder, or none of the songs in it.
    """
    require_folder(audio_dir)
    files = {pathlib.PurePath(path).stem: to_path(audio_dir) / path for path in list_audio(audio_dir)}
    clips = sorted({clip for triplet in triplets for clip in (triplet.anchor, *triplet.songs)})
    found = [clip for clip in clips if clip.song_id in files]
    if not found:
        raise UserError(f"--audio_dir={audio_dir}: none of the {len(clips)} clips' songs, such as {clips[0].song_id}")
    embeddings = {}
    for clip in tqdm(found, desc="embed clips", unit="clip", mininterval=1.0):
        try:
            embeddings[clip] = _embed(system, str(files[clip.song_id]), clip)
        except AudioError as error:
            tqdm.write(f"left out: {files[clip.song_id]}: {error}", file=sys.stderr)
    return embeddings


@dataclasses.dataclass(frozen=True)
class Agreement:
    """Share of the votes that a system agrees with.

    Attributes:
      triplets: that have all their clips.
      votes: on them.
      whole: in the whole space.
      subspaces: notion -> in its sub-space; empty for a system with one space.
    """

    triplets: int
    votes: int
    whole: Interval
    subspaces: dict[str, Interval]


def agreement(system: System, triplets: Sequence[HumanTriplet], clips: dict[Clip, np.ndarray]) -> Agreement:
    """The share of the votes that the system agrees with, in the whole space and in each sub-space.

    A triplet counts as often as it has votes; one with a clip that is missing does not count. A tie of the system
    agrees with nobody. The interval is a bootstrap over triplets.

    Raises:
      UserError: no triplet has all its clips.
    """
    usable = [t for t in triplets if t.anchor in clips and all(song in clips for song in t.songs) and any(t.votes)]
    if not usable:
        raise UserError("no human triplet has all three clips: check --audio_dir")
    columns = [[clips[t.anchor] for t in usable], *([clips[t.songs[i]] for t in usable] for i in range(2))]
    votes = np.array([t.votes for t in usable], np.float64)
    spaces = {"whole": [np.stack(column) for column in columns]}
    if system.params.system.disentangled:
        parts = [subspace_embeddings(np.stack(column), system.vocabulary) for column in columns]
        spaces |= {notion: [part[notion] for part in parts] for notion in system.vocabulary.notions}
    shares = {name: _share(space, votes) for name, space in spaces.items()}
    whole = shares.pop("whole")
    return Agreement(len(usable), int(votes.sum()), whole, shares)


def _share(columns: Sequence[np.ndarray], votes: np.ndarray) -> Interval:
    anchor, song1, song2 = columns
    first, second = (np.einsum("nd,nd->n", anchor, song) for song in (song1, song2))
    agreed = np.where(first > second, votes[:, 0], np.where(second > first, votes[:, 1], 0.0))
    total = votes.sum(axis=1)
    return resampled(len(votes), lambda rows: agreed[rows].sum() / total[rows].sum())


def _embed(system: System, path: str, clip: Clip) -> np.ndarray:
    features = system.params.features
    rate = features.sample_rate
    waveform = decode(path, sample_rate=rate, max_secs=clip.start_secs + clip.length_secs)
    waveform = waveform[round(clip.start_secs * rate) :]
    if not len(waveform):
        raise AudioError(f"ends before the clip's start at {clip.start_secs:g} s")
    return system.track_embedding(excerpts(log_mel(tf.constant(waveform[np.newaxis]), features), features))[0].numpy()
