"""Any folder of audio, with tags from a CSV, from a JSON file beside each track, or from the files' own metadata.

CSV: `path,split,artist,genre,mood,…`, one row a track, tags separated by `;`. Columns `split` and `artist` are
optional; every other column is a notion.

Wherever they come from, tags that differ only in case, in spaces or in Unicode form are one tag, shown in its most
frequent spelling (see `spelling.py`); so are artists, and notions of JSON files.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence

from tfmir import folders
from tfmir.corpora import tags_in_files
from tfmir.corpora.audio_files import as_on_disk
from tfmir.corpora.corpus import Corpus
from tfmir.corpora.grouping import choose_tags, to_vocabulary
from tfmir.corpora.labels import Labelled, inside, read_rows, to_corpus
from tfmir.corpora.spelling import key, tidy, unified
from tfmir.corpora.splits import deal
from tfmir.errors import UserError
from tfmir.vocabulary import check_notion

_NOT_NOTIONS = ("path", "split", "artist")
_UNNAMED = re.compile(r"(Unnamed: [\d.]+)?")  # pandas reads a name into a column without one
_READERS: Mapping[str, Callable[[str], list[tags_in_files.Tagged]]] = {
    "json": tags_in_files.read_sidecars,
    "metadata": tags_in_files.read_metadata,
}


def load(
    audio_dir: str,
    annotations: str,
    *,
    tags: str = "csv",
    grouping: str = "",
    name: str = "folder",
    licence: str = "unknown",
) -> Corpus:
    """Reads tags; of the audio itself nothing but its metadata, and that only if asked for.

    Tracks without a split are dealt, see `splits.deal`. A track's id is its path below the audio folder, as the disk
    spells it.

    Args:
      audio_dir: folder of the audio.
      annotations: the CSV; unused by the other sources.
      tags: `csv`, `json` or `metadata`.
      grouping: vocabulary file that chooses among the tags, spelt `notion/tag` in any case; empty: all of them.
      name: name of the corpus.
      licence: licence of audio and tags.

    Raises:
      UserError: names the file, the row, what was found and what was expected.
    """
    folders.require_folder("audio_dir", audio_dir)
    tagged = _one_spelling(_read_csv(annotations, audio_dir) if tags == "csv" else _READERS[tags](audio_dir))
    notions = list(dict.fromkeys(notion for track in tagged for notion in track.tags))
    if not notions:
        raise UserError(
            f"{annotations if tags == 'csv' else audio_dir}: no column of tags: add one per notion, such as genre,mood"
        )
    found = {notion: sorted({tag for track in tagged for tag in track.tags.get(notion, ())}) for notion in notions}
    names = {f"{notion}/{tag}": f"{notion}/{tag}" for notion in notions for tag in found[notion]}
    if not names:
        raise UserError(
            f"{annotations or audio_dir}: notion {notions[0]!r} has no tag, nor has any other: tag some tracks"
        )
    if grouping:
        names = _one_spelling_of_names(choose_tags(grouping, set(names), key=key))
    drawn = deal(
        {track.path: track.artist for track in tagged if track.split is None},
        said=[track.split for track in tagged if track.split is not None],
    )
    return to_corpus(
        name,
        licence,
        [_labelled(track, names, drawn) for track in tagged],
        to_vocabulary(names),
        audio_dir,
        empty_notions=tuple(notion for notion in notions if not found[notion] and not grouping),
    )


def _read_csv(annotations: str, audio_dir: str) -> list[tags_in_files.Tagged]:
    rows = read_rows(annotations, needed=("path",), what="a CSV with the header path,split,genre,…")
    notions = _notions_of_header(list(rows[0].cells), annotations)
    paths = [inside(row["path"], row.where) for row in rows]
    spelt = as_on_disk(audio_dir, paths)
    return [
        tags_in_files.Tagged(
            path=spelt[path],
            tags={notion: tags_in_files.split_tags(row[notion]) for notion in notions},
            where=row.where,
            artist=row.cells.get("artist", "").strip(),
            split=row["split"].strip() if "split" in row.cells else None,
        )
        for row, path in zip(rows, paths, strict=True)
    ]


def _notions_of_header(columns: Sequence[str], annotations: str) -> list[str]:
    """The columns that are notions, each with the name of one.

    Raises:
      UserError: a column has no name or one that no notion can have, or two columns are one notion.
    """
    notions: dict[str, str] = {}
    for number, column in enumerate(columns, start=1):
        if _UNNAMED.fullmatch(tidy(column)):
            raise UserError(
                f"{annotations}: column {number} of the header has no name: a data frame's index is no notion, save it "
                "with index=False; else name the column, or remove it"
            )
        if column in _NOT_NOTIONS:
            continue
        check_notion(tidy(column), f"{annotations}: column {column!r}")
        before = notions.setdefault(key(column), column)
        if before != column:
            raise UserError(f"{annotations}: columns {before!r} and {column!r} are one notion: name them apart")
    return list(notions.values())


def _one_spelling(tracks: Sequence[tags_in_files.Tagged]) -> list[tags_in_files.Tagged]:
    """The tracks with one spelling for each artist, notion and tag; tags sorted, each once."""
    artists = unified(track.artist for track in tracks)
    notions = unified(notion for track in tracks for notion in track.tags)
    names = [[f"{notions[n]}/{tag}" for n, tags in track.tags.items() for tag in tags] for track in tracks]
    spelt = unified(name for of_track in names for name in of_track)
    respelt = []
    for track, of_track in zip(tracks, names, strict=True):
        tags: dict[str, list[str]] = {notions[notion]: [] for notion in track.tags}
        for name in sorted({spelt[name] for name in of_track}):
            notion, tag = name.split("/", 1)
            tags[notion].append(tag)
        respelt.append(dataclasses.replace(track, artist=artists[track.artist], tags=tags))
    return respelt


def _one_spelling_of_names(names: Mapping[str, str]) -> dict[str, str]:
    """The full names that a vocabulary file gives to tags, with one spelling for each notion and name."""
    parts = {tag: name.split("/", 1) for tag, name in names.items()}
    notions = unified(notion for notion, _ in parts.values())
    full = {tag: f"{notions[notion]}/{name}" for tag, (notion, name) in parts.items()}
    spelt = unified(full.values())
    return {tag: spelt[name] for tag, name in full.items()}


def _labelled(track: tags_in_files.Tagged, names: Mapping[str, str], drawn: Mapping[str, str]) -> Labelled:
    full = (f"{notion}/{tag}" for notion, tags in track.tags.items() for tag in tags)
    return Labelled(
        track_id=track.path,
        path=track.path,
        split=drawn[track.path] if track.split is None else track.split,
        tags=tuple(names[tag] for tag in full if tag in names),
        where=track.where,
        artist_id=track.artist,
    )
