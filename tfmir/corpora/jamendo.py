"""MTG-Jamendo (Bogdanov et al., Machine Learning for Music Discovery Workshop, ICML 2019): 55 701 tracks of 195 tags.

The annotations are the published split files, `data/splits/split-<n>` of MTG/mtg-jamendo-dataset: the combined
`autotagging-<split>.tsv`, or those of genre, instrument and mood/theme, joined by track. The audio is the folder that
holds `00/` to `99/`; the low-bitrate copies (`14/214.low.mp3`) will do.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
from collections.abc import Iterable

from tfmir import files
from tfmir.corpora.corpus import SPLITS, Corpus
from tfmir.corpora.grouping import choose_tags, to_vocabulary
from tfmir.corpora.labels import Labelled, Row, inside, read_rows, to_corpus
from tfmir.errors import UserError

LICENCE = "MTG-Jamendo: metadata CC BY-NC-SA 4.0; audio under the Creative Commons licence of each track"
_COLUMNS = ("TRACK_ID", "ARTIST_ID", "PATH", "DURATION", "TAGS")
_WHAT = "a split file or folder of MTG-Jamendo (data/splits/split-0)"
_NOTIONS = {"genre": "genre", "instrument": "instrument", "mood/theme": "mood"}
_ORDER = ("genre", "mood", "instrument", "era")
_DECADE = re.compile(r"\d0s")
_PARTS = ("genre", "instrument", "moodtheme")


def load(audio_dir: str, annotations: str, *, grouping: str = "") -> Corpus:
    """Reads the split files; the audio is only looked at to tell the low-bitrate copies from the originals.

    Args:
      audio_dir: folder of the audio; empty if only the labels are wanted.
      annotations: a split folder, or one file whose name holds the split's.
      grouping: vocabulary file of tags as published (`genre---rock`); empty: the published categories, with
        `genre---60s` to `genre---90s` as the notion era.

    Raises:
      UserError: names the file, the row, what was found and what was expected.
    """
    tracks: dict[str, Labelled] = {}
    published: dict[str, str] = {}
    for split, path in _split_files(annotations):
        for row in read_rows(path, needed=_COLUMNS, what=_WHAT, delimiter="\t", open_end="TAGS"):
            track = _labelled(row, split)
            published.update((tag, _full_name(tag, row.where)) for tag in track.tags)
            _join(tracks, track, path)
    names = dict(sorted(published.items(), key=lambda item: _position(item[1])))
    if grouping:
        names = choose_tags(grouping, set(published))
    low = audio_dir and _has_low_bitrate(audio_dir, tracks.values())
    return to_corpus(
        "jamendo",
        LICENCE,
        (_named(track, names, low=bool(low)) for track in tracks.values()),
        to_vocabulary(names),
        audio_dir,
    )


def albums(annotations: str) -> dict[str, str]:
    """The album of each track, which records have no place for; empty where the files do not name it."""
    return {
        row["TRACK_ID"].strip(): row.cells.get("ALBUM_ID", "")
        for _, path in _split_files(annotations)
        for row in read_rows(path, needed=_COLUMNS, what=_WHAT, delimiter="\t", open_end="TAGS")
    }


def _split_files(annotations: str) -> list[tuple[str, str]]:
    """(split, path) of the files to read, in order."""
    path = pathlib.Path(annotations)
    if path.is_file():
        splits = [split for split in SPLITS if split in path.name]
        if len(splits) != 1:
            raise UserError(f"--annotations={annotations}: its name holds none of {', '.join(SPLITS)}: name its folder")
        return [(splits[0], annotations)]
    found = []
    for split in SPLITS:
        combined = path / f"autotagging-{split}.tsv"
        parts = [path / f"autotagging_{part}-{split}.tsv" for part in _PARTS]
        found += [(split, str(file)) for file in ([combined] if combined.exists() else parts) if file.exists()]
    if not found:
        raise UserError(f"--annotations={annotations}: no autotagging-train.tsv or its like in it: expected {_WHAT}")
    return found


def _labelled(row: Row, split: str) -> Labelled:
    tags = tuple(tag.strip() for tag in row["TAGS"].split("\t") if tag.strip())
    try:
        secs = float(row["DURATION"])
        if not 0 <= secs < float("inf"):
            raise ValueError("out of bounds")
    except ValueError as error:
        raise UserError(f"{row.where}: DURATION {row['DURATION']!r} is no number of seconds") from error
    if not row["TRACK_ID"].strip():
        raise UserError(f"{row.where}: the TRACK_ID is empty")
    return Labelled(
        row["TRACK_ID"].strip(), inside(row["PATH"], row.where), split, tags, row.where, row["ARTIST_ID"].strip(), secs
    )


def _full_name(tag: str, where: str) -> str:
    category, _, word = tag.partition("---")
    if category not in _NOTIONS or not word:
        raise UserError(f"{where}: tag {tag!r} has no notion: expected {', '.join(f'{c}---…' for c in _NOTIONS)}")
    return f"{'era' if _DECADE.fullmatch(word) else _NOTIONS[category]}/{word}"


def _position(full_name: str) -> tuple[int, str]:
    notion, tag = full_name.split("/", 1)
    return _ORDER.index(notion), tag


def _join(tracks: dict[str, Labelled], track: Labelled, path: str) -> None:
    """Adds a row; the same track may stand in another category's file of the same split, not twice in one."""
    before = tracks.get(track.track_id)
    if before is None:
        tracks[track.track_id] = track
        return
    if before.where.startswith(f"{path}, ") or (before.split, before.path) != (track.split, track.path):
        raise UserError(
            f"{track.where}: {track.track_id} stands twice, before in {before.where}: {before.split}, {before.path}"
        )
    tracks[track.track_id] = dataclasses.replace(track, tags=before.tags + track.tags)


def _named(track: Labelled, names: dict[str, str], *, low: bool) -> Labelled:
    tags = tuple(names[tag] for tag in track.tags if tag in names)
    return dataclasses.replace(track, tags=tags, path=_low(track.path) if low else track.path)


def _low(path: str) -> str:
    return str(pathlib.PurePosixPath(path).with_suffix(".low.mp3"))


def _has_low_bitrate(audio_dir: str, tracks: Iterable[Labelled]) -> bool:
    """Whether the first track that is there at all is there as a low-bitrate copy."""
    for track in tracks:
        if (files.to_path(audio_dir) / track.path).exists():
            return False
        if (files.to_path(audio_dir) / _low(track.path)).exists():
            return True
    return False
