"""Agreement with listeners: triplets on which people have voted (paper, sections 4.1 and 4.3.4)."""

from __future__ import annotations

import dataclasses
import pathlib
import sys
from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from tfmir import files, folders
from tfmir.corpora.audio_files import list_audio
from tfmir.corpora.spelling import one_line
from tfmir.corpora.votes import Clip, HumanTriplet
from tfmir.errors import UserError
from tfmir.evaluation.bootstrap import Interval, resampled
from tfmir.inference.audio import Stretch, embed_files
from tfmir.inference.subspaces import subspace_embeddings, unit_rows
from tfmir.model.system import System


def embed_clips(system: System, triplets: Sequence[HumanTriplet], audio_dir: str) -> dict[Clip, np.ndarray]:
    """float32 [dim] for every clip whose song is found below a folder by its id (`<id>.mp3` and the like).

    What cannot be decoded is named on standard error and left out, also if it ends the process that decodes it.

    Raises:
      UserError: no such folder, or none of the songs in it.
    """
    folders.require_folder("audio_dir", audio_dir)
    songs = {pathlib.PurePath(path).stem: files.to_path(audio_dir) / path for path in list_audio(audio_dir)}
    clips = sorted({clip for triplet in triplets for clip in (triplet.anchor, *triplet.songs)})
    found = [clip for clip in clips if clip.song_id in songs]
    if not found:
        raise UserError(f"--audio_dir={audio_dir}: none of the {len(clips)} clips' songs, such as {clips[0].song_id}")
    stretches = [Stretch(str(songs[clip.song_id]), clip.start_secs, clip.length_secs) for clip in found]
    bar = tqdm(embed_files(system, stretches), total=len(found), desc="embed clips", unit="clip", mininterval=1.0)
    embeddings = {}
    for clip, embedded in zip(found, bar, strict=True):
        if embedded.problem:
            tqdm.write(f"left out: {one_line(str(songs[clip.song_id]))}: {one_line(embedded.problem)}", file=sys.stderr)
        else:
            embeddings[clip] = embedded.embedding
    return embeddings


@dataclasses.dataclass(frozen=True)
class Agreement:
    """Share of the votes that a system agrees with.

    Attributes:
      triplets: that have all their clips.
      votes: on them.
      whole: in the whole space, by cosine.
      subspaces: notion -> in its sub-space; empty for a system with one space.
      inner_product: in the whole space by inner product, where the embedding is not of unit norm; else None.
    """

    triplets: int
    votes: int
    whole: Interval
    subspaces: dict[str, Interval]
    inner_product: Interval | None = None


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
    clips_of = [[t.anchor for t in usable], *([t.songs[i] for t in usable] for i in range(2))]
    columns = [np.stack([clips[clip] for clip in column]) for column in clips_of]
    votes = np.array([t.votes for t in usable], np.float64)
    whole = _share([unit_rows(column) for column in columns], votes)
    by_product = None if system.params.system.normalized else _share(columns, votes)
    subspaces = {}
    if system.params.system.disentangled:
        parts = [subspace_embeddings(column, system.vocabulary) for column in columns]
        subspaces = {n: _share([part[n] for part in parts], votes) for n in system.vocabulary.notions}
    return Agreement(len(usable), int(votes.sum()), whole, subspaces, by_product)


def _share(columns: Sequence[np.ndarray], votes: np.ndarray) -> Interval:
    anchor, song1, song2 = columns
    first, second = (np.einsum("nd,nd->n", anchor, song) for song in (song1, song2))
    agreed = np.where(first > second, votes[:, 0], np.where(second > first, votes[:, 1], 0.0))
    total = votes.sum(axis=1)
    return resampled(len(votes), lambda rows: agreed[rows].sum() / total[rows].sum())
