"""What is known of the songs of a library: columns of values, from whichever file or metadata holds them.

A column is a notion (its values are tags) or anything else that a label file says of a song: artist, album, label, …
Nothing is decoded here.
"""

from __future__ import annotations

import dataclasses
import importlib
import re
from collections.abc import Iterable, Mapping, Sequence

from tfmir import files
from tfmir.corpora import jamendo
from tfmir.corpora.audio_files import as_on_disk
from tfmir.corpora.labels import Row, inside, read_rows, read_text
from tfmir.corpora.spelling import key, tidy, unified
from tfmir.corpora.tags_in_files import read_metadata, read_sidecars, split_tags
from tfmir.errors import UserError

METADATA, SIDECARS = "metadata", "json"
ARTIST, ALBUM = "artist", "album"
_DEFAULT = "annotations.csv"
_WHAT = "a CSV with the header path,artist,genre,…, or a published label file"
_WHOLE = (ARTIST, ALBUM)  # a `;` in a name does not make two of it
NOT_COLUMNS = {
    "path": "says which song it is, not what songs share",
    "split": "says what a corpus uses a song for, not what songs share",
}
_UNNAMED = re.compile(r"(Unnamed: [\d.]+)?")  # pandas' index
_FIRST_CELL = {"TRACK_ID": "jamendo", "clip_id": "magnatagatune"}  # of published label files
_IN_FOLDER = {"annotations_final.csv": "magnatagatune", "50tagList.txt": "msd", "autotagging*-*.tsv": "jamendo"}


@dataclasses.dataclass(frozen=True)
class Described:
    """Songs and what is said of them.

    Attributes:
      source: where it is from, for messages and the report.
      paths: of the songs, below the library.
      columns: name -> the values of each song, sorted, each once; none where nothing is said.
      ids: of the songs in their corpus; empty where these are the paths.
    """

    source: str
    paths: tuple[str, ...]
    columns: Mapping[str, tuple[tuple[str, ...], ...]]
    ids: tuple[str, ...] = ()

    def rows(self, numbers: Sequence[int]) -> Described:
        """Some of the songs."""
        columns = {name: tuple(of[number] for number in numbers) for name, of in self.columns.items()}
        ids = tuple(self.ids[number] for number in numbers) if self.ids else ()
        return Described(self.source, tuple(self.paths[number] for number in numbers), columns, ids)

    @property
    def track_ids(self) -> tuple[str, ...]:
        """The id of each song, as a record set of it has it."""
        return self.ids or self.paths

    @property
    def artists(self) -> tuple[str, ...]:
        """The artist of each song, empty where it is not known."""
        return tuple(" & ".join(of) for of in self.columns.get(ARTIST, ((),) * len(self.paths)))


def describe(library: str, annotations: str) -> Described:
    """Reads what is known of the songs of a folder.

    Args:
      library: the folder, or its URL.
      annotations: a CSV with a column `path`, of which every other column is one; a label file or folder of
        MTG-Jamendo, MagnaTagATune or the Million Song Dataset as it is published; `json`: a JSON file beside each song;
        `metadata`: the genre, mood, date, artist and album in the files themselves; empty: `annotations.csv` in the
        library if it is there, else the metadata.

    Raises:
      UserError: names the file, the row, what was found and what was expected.
    """
    own = files.to_path(library) / _DEFAULT
    source = annotations or (str(own) if own.exists() else METADATA)
    if source in (METADATA, SIDECARS):
        return _of_files(library, source)
    try:
        with files.reading(source) as name:
            corpus = _published(name)
            return _of_corpus(library, name, corpus) if corpus else _of_table(library, name)
    except FileNotFoundError as error:  # in a store
        raise UserError(f"--annotations={source}: no such file") from error


def described(source: str, songs: Iterable[tuple[str, Mapping[str, Iterable[str]]]]) -> Described:
    """Songs as (path, column -> values), with one spelling for each column and for each of its values.

    A column in which no song has a value is none.

    >>> described("x", [("a.mp3", {"Artist": ["The  Band"]}), ("b.mp3", {"artist": ["the band"]})]).columns
    {'Artist': (('The Band',), ('The Band',))}
    """
    listed = [(path, {column: [*values] for column, values in of.items()}) for path, of in songs]
    names = unified(column for _, of in listed for column in of)
    columns: dict[str, tuple[tuple[str, ...], ...]] = {}
    for name in dict.fromkeys(names.values()):
        found = [[value for column, of in song.items() if names[column] == name for value in of] for _, song in listed]
        spelt = unified(value for values in found for value in values if tidy(value))
        if spelt:
            columns[name] = tuple(tuple(sorted({spelt[v] for v in values if v in spelt})) for values in found)
    return Described(source, tuple(path for path, _ in listed), columns)


def _of_files(library: str, source: str) -> Described:
    if files.is_remote(library):
        raise UserError(f"--library={library}: --annotations={source} needs a local folder: name a label file")
    if source == SIDECARS:
        return described(source, [(of.path, {**of.tags, ARTIST: [of.artist]}) for of in read_sidecars(library)])
    return described(
        source, [(of.path, {**of.tags, ARTIST: [of.artist], ALBUM: [of.album]}) for of in read_metadata(library)]
    )


def _of_table(library: str, path: str) -> Described:
    """A CSV; columns without a name, such as the index of a data frame, say nothing."""
    rows = read_rows(path, needed=("path",), what=_WHAT)
    names = [inside(row["path"], row.where) for row in rows]
    seen: dict[str, str] = {}
    for name, row in zip(names, rows, strict=True):
        if name in seen:
            raise UserError(f"{row.where}: {name} stands twice (before: {seen[name]}): keep one row per song")
        seen[name] = row.where
    spelt = as_on_disk(library, names)
    columns = _named(path, rows)
    return described(
        path,
        [(spelt[name], {c: _values(c, row[c]) for c in columns}) for name, row in zip(names, rows, strict=True)],
    )


def _named(path: str, rows: Sequence[Row]) -> list[str]:
    """The columns of a CSV that say something.

    Raises:
      UserError: two of one name in other letters, or values under no name, but in the first column: pandas' index.
    """
    header = [*rows[0].cells]
    if "" in header[1:] and any(row[""] for row in rows):
        raise UserError(f"{path}: a column has values and no name: the header is {header}: name it, or take it out")
    columns = [name for name in header if key(name) not in NOT_COLUMNS and not _UNNAMED.fullmatch(tidy(name))]
    seen: dict[str, str] = {}
    for name in columns:
        if (before := seen.setdefault(key(name), name)) != name:
            raise UserError(f"{path}: {before!r} and {name!r} are one column: give each a name of its own")
    return columns


def _values(column: str, cell: str) -> list[str]:
    return [cell] if tidy(column).lower() in _WHOLE else split_tags(cell)


def _published(path: str) -> str:
    """Which corpus a label file or folder is of, by its first cell or by what is in it; empty for a table of one's own.

    Raises:
      UserError: no such file, or a folder of none.
    """
    place = files.to_path(path)
    if place.is_dir():
        found = [corpus for pattern, corpus in _IN_FOLDER.items() if any(place.glob(pattern))]
        if not found:
            expected = ", ".join(_IN_FOLDER)
            raise UserError(f"--annotations={path}: a folder without the label files of a known corpus ({expected})")
        return found[0]
    head = read_text(path, what=_WHAT)
    return _FIRST_CELL.get(head.split("\t", 1)[0].strip('"'), "")


def _of_corpus(library: str, annotations: str, corpus: str) -> Described:
    loaded = importlib.import_module(f"tfmir.corpora.{corpus}").load(library, annotations)
    names = [full.split("/", 1) for full in loaded.vocabulary.tags]
    albums = jamendo.albums(annotations) if corpus == "jamendo" else {}
    songs = []
    for track in loaded.tracks:
        columns: dict[str, list[str]] = {notion: [] for notion in loaded.vocabulary.notions}
        for notion, tag in (names[index] for index in track.tags):
            columns[notion].append(tag)
        album = {ALBUM: [albums[track.track_id]]} if albums else {}
        path = track.path.removeprefix(f"{library.rstrip('/')}/")
        songs.append((path, {**columns, ARTIST: [track.artist_id], **album}))
    ids = tuple(track.track_id for track in loaded.tracks)
    return dataclasses.replace(described(annotations, songs), ids=ids)
