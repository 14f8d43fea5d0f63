"""Which tracks a search may find: by their tags and by artist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfmir.corpora.spelling import key, one_line
from tfmir.errors import UserError

_NEAR = 3
_MOST_COMPARED = 20_000  # names: more take seconds to compare


def known_tags(asked: Iterable[str], known: Sequence[str]) -> tuple[str, ...]:
    """The full names of tags, each given as such (`genre/rock`).

    Raises:
      UserError: a tag that is not known; names near ones.

    >>> known_tags(["genre/rock"], ["genre/rock", "mood/calm"])
    ('genre/rock',)
    """
    for tag in asked:
        if tag not in known:
            near = [name for name in known if key(name.split("/", 1)[-1]) == key(tag)] or nearest(tag, known)
            said = f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(known[:_NEAR])}, …"
            raise UserError(f"--tags: no tag {one_line(tag)!r}: {said if known else 'none of the tracks has tags'}")
    return tuple(asked)


def nearest(name: str, known: Sequence[str]) -> list[str]:
    """Up to three names like another one, whatever their case."""
    keys = {key(each): each for each in known[:_MOST_COMPARED]}
    return [keys[near] for near in difflib.get_close_matches(key(name), keys, n=_NEAR, cutoff=0.6)]


def tagged(column: pa.ChunkedArray, tag: str) -> np.ndarray:
    """bool [tracks]: which carry a tag; `column` is list<string> [tracks]."""
    carried = np.zeros(len(column), bool)
    first = 0
    for chunk in column.chunks:
        of_tag = pc.equal(pc.list_flatten(chunk), tag).to_numpy(zero_copy_only=False)
        parents = pc.list_parent_indices(chunk).to_numpy(zero_copy_only=False)
        carried[first + parents[of_tag]] = True
        first += len(chunk)
    return carried


def by_artist(column: pa.ChunkedArray, artist: str) -> np.ndarray:
    """bool [tracks]: which are by an artist; `column` is string [tracks].

    Raises:
      UserError: as `same_artists`, where no track has the very name.
    """
    found = pc.equal(column, artist).to_numpy()
    if found.any():
        return found
    return pc.is_in(column, pa.array(same_artists(artist, pc.unique(column).to_pylist()))).to_numpy()


def same_artists(artist: str, known: Iterable[str]) -> list[str]:
    """Names that differ from an artist's in case, spaces and Unicode form only.

    Raises:
      UserError: there is none; names near ones.

    >>> same_artists("bjork ", ["Bjork", "Air"])
    ['Bjork']
    """
    names = [name for name in known if name]
    same = [name for name in names if key(name) == key(artist)]
    if not same:
        near = nearest(artist, names)
        said = f"did you mean {', '.join(map(one_line, near))}?" if near else "of no track in the index"
        unknown = "none of the tracks has an artist"
        raise UserError(f"--artist={one_line(artist)}: no such artist: {said if names else unknown}")
    return same
