"""Artists and tags for a set of embeddings: from the file that is named, that the set was made with, or the library's.

A set remembers its file in `embeddings.json`: given again without it, the command does not wipe what it has read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tfmir import files
from tfmir.catalogue.embeddings import read_table
from tfmir.catalogue.output import SHARDS, announced, shards_of
from tfmir.catalogue.publishing import Labels
from tfmir.corpora import folder as folder_of_audio
from tfmir.errors import UserError
from tfmir.preparation.resumable import STATE

NONE = "none"
_DEFAULT = "annotations.csv"


class Annotations(NamedTuple):
    """A file, and what it says: artist and tags of songs by their ids. No file is an empty name."""

    path: str
    labels: Mapping[str, Labels]


def read_annotations(given: str, *, library: str, output: str) -> Annotations:
    """Reads artists and tags as `prepare` reads them.

    Args:
      given: CSV file; `none`: no artists and no tags; empty: the file that was named for this set before, else the
        library's own, else that of the library in which the set was made.
      library: folder or URL of the songs.
      output: folder of the set; there may be none.

    Raises:
      UserError: no such file, it cannot be read, or the set has artists and tags and no file is there.
    """
    path = "" if given == NONE else given or _found(library, files.to_path(output))
    if not path:
        return Annotations("", {})
    try:
        with files.reading(path) as name:
            corpus = folder_of_audio.load(library, name)
    except FileNotFoundError as error:
        raise UserError(f"--annotations={path}: no such file") from error
    names = corpus.vocabulary.tags
    labels = {track.track_id: Labels(track.artist_id, tuple(names[t] for t in track.tags)) for track in corpus.tracks}
    return Annotations(path, labels)


def _found(library: str, folder: files.Path) -> str:
    """The file for a set where none is named; empty if there is none and the set has no labels."""
    said = announced(folder)
    before, default = said.get("annotations"), str(files.to_path(library) / _DEFAULT)
    was_named = before and before != str(files.to_path(said.get("library", "")) / _DEFAULT)
    for path in (before, default) if was_named else (default, before):
        if path and files.to_path(path).exists():
            if path != default:
                print(f"{folder}: artists and tags are those of {path}, as before")
            return str(path)
    if before != "" and _has_labels(folder, said):
        source = f" of {before}, which is not there any more" if before else ", and no annotations are there"
        raise UserError(
            f"--output={folder} has artists and tags{source}: name their file with --annotations=…, or drop them with "
            f"--annotations={NONE}"
        )
    return ""


def _has_labels(folder: files.Path, said: Mapping[str, Any]) -> bool:
    """Whether any song of a set has an artist or a tag; its shards may be on the way to their place."""
    for path in (place / file for file in shards_of(said) for place in (folder, folder / STATE / SHARDS)):
        table = read_table(path, columns=("artist", "tags"))
        if table is not None and any(any(table.column(name).to_pylist()) for name in ("artist", "tags")):
            return True
    return False
