"""Tags, their notions, and the sub-space of the embedding that each notion owns.

Axes used everywhere in tfmir: `batch, samples, frames, mels, dim, notions, tags, k`.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tfmir.errors import UserError

# Columns of a label file that are no notion, names of the same in records, and that of a space without notions.
_FIELDS = frozenset({"path", "split", "artist", "track_id", "artist_id", "whole"})
# Ends of signatures' names: the input that a bundle's signature takes, if it is not whole waveforms.
LOG_MEL_SUFFIX, NUM_SAMPLES_SUFFIX, WAV_BYTES_SUFFIX = "_log_mel", "_num_samples", "_wav_bytes"


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """The tags of a corpus, grouped by similarity notion.

    Tags are numbered notion by notion in the order given; a tag's full name is `notion/tag`, so that the same
    word may stand under two notions. A notion's name is one word, see `check_notion`.

    Args:
      groups: per notion its name and its tags.

    Raises:
      UserError: no notion, a notion without tags, a name used twice, or one that cannot be a notion's.

    >>> v = Vocabulary.from_dict({"genre": ["rock", "jazz"], "mood": ["dark"]})
    >>> v.tags
    ('genre/rock', 'genre/jazz', 'mood/dark')
    >>> v.notion_of_tag.tolist()
    [0, 0, 1]
    """

    groups: tuple[tuple[str, tuple[str, ...]], ...]

    def __post_init__(self) -> None:
        if not self.groups:
            raise UserError("the vocabulary has no notion: give at least one column of tags")
        _refuse_repeats("notion", self.notions)
        for notion, tags in self.groups:
            check_notion(notion, f"notion {notion!r}")
            if not tags:
                raise UserError(f"notion {notion!r} has no tag: remove it from the vocabulary or tag some tracks")
            _refuse_repeats(f"tag of notion {notion!r}", tags)

    @property
    def notions(self) -> tuple[str, ...]:
        """Names of the notions, in order."""
        return tuple(notion for notion, _ in self.groups)

    @property
    def tags(self) -> tuple[str, ...]:
        """Full names `notion/tag`, in order."""
        return tuple(f"{notion}/{tag}" for notion, tags in self.groups for tag in tags)

    @property
    def notion_of_tag(self) -> np.ndarray:
        """int32 [tags]: the index of each tag's notion."""
        return np.repeat(np.arange(len(self.groups), dtype=np.int32), [len(tags) for _, tags in self.groups])

    def tags_of(self, notion: str) -> np.ndarray:
        """int64 [k]: the indices of one notion's tags."""
        return np.flatnonzero(self.notion_of_tag == self.notions.index(notion))

    def indices(self, names: Iterable[str]) -> list[int]:
        """Sorted indices of full tag names; a name that is not in the vocabulary raises KeyError."""
        return sorted(self._index[name] for name in names)

    @functools.cached_property
    def _index(self) -> dict[str, int]:
        return {name: position for position, name in enumerate(self.tags)}

    def multi_hot(self, indices: Sequence[Sequence[int]]) -> np.ndarray:
        """bool [batch, tags] from one list of tag indices per track."""
        labels = np.zeros((len(indices), len(self.tags)), bool)
        for row, tags in enumerate(indices):
            labels[row, list(tags)] = True
        return labels

    def carried(self, labels: np.ndarray) -> np.ndarray:
        """bool [batch, notions]: whether each track has a tag of each notion, from `labels` [batch, tags]."""
        return np.stack([labels[:, self.tags_of(notion)].any(axis=1) for notion in self.notions], axis=1)

    def subspace_dim(self, embedding_dim: int) -> int:
        """Width of each notion's equal part of the embedding.

        Raises:
          UserError: `embedding_dim` does not divide by the number of notions; names the nearest that do.
        """
        notions = len(self.groups)
        if embedding_dim % notions or embedding_dim < notions:
            below = embedding_dim // notions * notions
            nearest = [str(dim) for dim in (below, below + notions) if dim > 0]
            raise UserError(
                f"--embedding_dim={embedding_dim} does not divide into {notions} equal sub-spaces "
                f"({', '.join(self.notions)}): use {' or '.join(nearest)}"
            )
        return embedding_dim // notions

    def subspace(self, notion: str, embedding_dim: int) -> slice:
        """The part of the embedding that belongs to one notion."""
        dim = self.subspace_dim(embedding_dim)
        start = self.notions.index(notion) * dim
        return slice(start, start + dim)

    def masks(self, embedding_dim: int) -> np.ndarray:
        """float32 [notions, dim]: the disjoint 0/1 masks m_s (paper, section 3.1)."""
        return np.repeat(np.eye(len(self.groups), dtype=np.float32), self.subspace_dim(embedding_dim), axis=1)

    def to_dict(self) -> dict[str, list[str]]:
        """JSON form: notion -> tags, in order."""
        return {notion: list(tags) for notion, tags in self.groups}

    @classmethod
    def from_dict(cls, groups: Mapping[str, Any]) -> Vocabulary:
        """The inverse of `to_dict`."""
        return cls(tuple((notion, tuple(tags)) for notion, tags in groups.items()))


def check_notion(notion: str, where: str) -> None:
    """Refuses what cannot be the name of a notion wherever it is used: `embed_<notion>`, `--weights=<notion>=1`, …

    A name is one word of letters of any script, digits, `_`, `-` and `.`, which does not begin with the last two. It is
    not that of a field (path, split, artist, track_id, artist_id, whole, in any case), and neither `log_mel`,
    `num_samples` or `wav_bytes`, nor does it end in one of them after a `_`, as the signatures do that take them.

    Args:
      notion: the name.
      where: it stands, for the message.

    Raises:
      UserError: says what is expected instead.

    >>> check_notion("mood_theme", "tags.csv")
    """
    if not notion.strip():
        raise UserError(f"{where}: a notion has no name: name it, such as genre, or remove it")
    if not all(map(_fits_in_word, notion)) or notion[0] in "-.":
        word = re.sub(r"[\W_]+", "_", notion).strip("_") or "notion"
        raise UserError(
            f"{where}: no slash, no space or sign but '_', '-' and '.' in a notion's name: rename it, such as {word!r}"
        )
    if notion.lower() in _FIELDS:
        raise UserError(
            f"{where}: this is the name of a field, not of a notion: path, split and artist are written in lower case; "
            "rename or remove any other"
        )
    for suffix in (LOG_MEL_SUFFIX, NUM_SAMPLES_SUFFIX, WAV_BYTES_SUFFIX):
        if f"_{notion.lower()}".endswith(suffix):
            raise UserError(f"{where}: {suffix!r} is the end of a signature's name: rename the notion")


def _fits_in_word(character: str) -> bool:
    """Marks are parts of the letters of many scripts."""
    return character in "_-." or unicodedata.category(character)[0] in "LMN"


def _refuse_repeats(what: str, names: Sequence[str]) -> None:
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise UserError(f"{what} {sorted(repeated)[0]!r} stands twice in the vocabulary: names must be unique")
