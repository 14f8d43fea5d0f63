"""The song that a search is about: a track of the library, by its id or as a file, or a file elsewhere."""

from __future__ import annotations

import dataclasses
import os

import numpy as np

from tfmir.catalogue.library import Library
from tfmir.corpora.spelling import composed, one_line
from tfmir.data.audio import AudioError
from tfmir.errors import UserError
from tfmir.inference.audio import embed_file
from tfmir.model.system import System
from tfmir.searching.paths import found_path, is_same


@dataclasses.dataclass(frozen=True)
class Query:
    """What is searched for.

    Attributes:
      embedding: float32 [dim]: that of the library, if the song is in it.
      track_ids: the tracks of the library that are the song itself.
    """

    embedding: np.ndarray
    track_ids: tuple[str, ...]


def find_query(like: str, library: Library, system: System, *, folder: str = "") -> Query:
    """The song of a track id or of a file, which may be one of the library's.

    A file is known however it is spelled: by a relative path or a link, from the home, in either Unicode form.

    Args:
      like: id of a track in the library, or path of a file.
      library: what is searched.
      system: embeds a file that is not in the library.
      folder: where the library's files are, if its ids are paths below a folder.

    Raises:
      UserError: neither a file nor a track of the library, or a file that cannot be decoded.
    """
    ids = library.track_ids
    track = like if like in ids else ""
    path = "" if track else found_path(like)
    if not track and not path:
        track = next((name for name in ids if composed(name) == composed(like)), "")
    file = os.path.join(folder, track) if track else path
    own = tuple(name for name in ids if name == track or (folder and is_same(os.path.join(folder, name), file)))
    if own:
        return Query(library.embeddings[ids.index(own[0])], own)
    if not path:
        raise UserError(f"--like={one_line(like)} is neither a file nor a track of the library ({one_line(ids[0])}, …)")
    try:
        return Query(embed_file(system, path), ())
    except AudioError as error:
        raise UserError(f"--like={one_line(like)}: {one_line(str(error))}") from error
