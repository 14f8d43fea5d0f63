"""What all label files have in common: text, a header, rows that can be named, paths that stay inside the folder."""

from __future__ import annotations

import csv
import dataclasses
import io
import pathlib
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence

from tfmir.corpora.corpus import SPLITS, Corpus, Track
from tfmir.errors import UserError
from tfmir.vocabulary import Vocabulary

_OUTSIDE = re.compile(r"/|\.\.(/|$)|[A-Za-z]:/")  # the last is a drive of Windows


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of a label file: what each column holds, without spaces around it, and where it stands."""

    cells: Mapping[str, str]
    where: str

    def __getitem__(self, column: str) -> str:
        return self.cells[column]


@dataclasses.dataclass(frozen=True)
class Labelled:
    """What a label file says of one track, before its tags are numbers.

    Attributes:
      track_id: unique within the corpus.
      path: path of the audio, below the audio folder.
      split: one of SPLITS.
      tags: full names `notion/tag`.
      where: file and row, for messages.
      artist_id: may be empty.
      secs: length as the label file gives it, 0 if it does not.
    """

    track_id: str
    path: str
    split: str
    tags: tuple[str, ...]
    where: str
    artist_id: str = ""
    secs: float = 0.0


def read_text(path: str, *, what: str) -> str:
    """A label file as text; a byte order mark is dropped.

    Raises:
      UserError: no such file, or not UTF-8; names the line.
    """
    try:
        data = pathlib.Path(path).read_bytes()
        return data.decode("utf-8-sig")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise UserError(f"--annotations={path}: no such file: expected {what}") from error
    except UnicodeDecodeError as error:
        line = len(data[: error.start + 1].splitlines())
        raise UserError(f"{path}, line {line}: not UTF-8 at byte {error.start}: save it as UTF-8") from error


def read_rows(path: str, *, needed: Sequence[str], what: str, delimiter: str = ",", open_end: str = "") -> list[Row]:
    """The rows under a header.

    Args:
      path: path of the file.
      needed: columns that must be there.
      what: the file is, for the message when it is missing.
      delimiter: between cells; quotes are understood.
      open_end: the last column, which may be followed by any number of further cells; they stay joined by the
        delimiter.

    Raises:
      UserError: names the file, the row, what was found and what was expected.
    """
    reader = csv.reader(io.StringIO(read_text(path, what=what), newline=""), delimiter=delimiter, strict=True)
    try:
        lines = [(reader.line_num, cells) for cells in reader]
    except csv.Error as error:
        raise UserError(f"{path}, row {reader.line_num}: {error}: is a quote not closed?") from error
    header = [name.strip() for name in lines[0][1]] if lines else []
    for name in needed:
        if name not in header:
            raise UserError(f"{path}: the header is {header}, expected a column {name!r}{_other(header, delimiter)}")
    for name in filter(None, header):
        if header.count(name) > 1:
            raise UserError(
                f"{path}: a column stands twice in the header {header}: {name!r}: give each a name of its own"
            )
    rows = []
    for number, found in lines[1:]:
        where, cells = f"{path}, row {number}", [cell.strip() for cell in found]
        if open_end and len(cells) >= len(header):
            cells[len(header) - 1 :] = [delimiter.join(cells[len(header) - 1 :])]
        if len(cells) > len(header):
            raise UserError(f"{where}: more fields than the header has; quote those with a {delimiter!r} in them")
        if cells:
            rows.append(Row(dict(zip(header, cells + [""] * (len(header) - len(cells)), strict=True)), where))
    if not rows:
        raise UserError(f"{path}: no rows under the header: one per track is needed")
    return rows


def _other(header: Sequence[str], delimiter: str) -> str:
    """What to say of a header that is one cell because its cells are separated by something else."""
    others = [sign for sign in ";\t," if sign != delimiter and len(header) == 1 and sign in header[0]]
    return f": its cells are separated by {others[0]!r}, not by {delimiter!r}" if others else ""


def inside(path: str, where: str) -> str:
    """A path below the audio folder in its one normal form; the back-slashes of Windows are slashes.

    Raises:
      UserError: it is empty, or leads out of the folder.

    >>> inside("a/./b.mp3", "x")
    'a/b.mp3'
    """
    normal = posixpath.normpath(path.strip().replace("\\", "/"))
    if not path.strip():
        raise UserError(f"{where}: the path is empty")
    if _OUTSIDE.match(normal) or normal == "." or "\0" in normal:
        raise UserError(f"{where}: path {path!r} leads out of the audio folder: write it as it lies below it")
    return normal


def to_corpus(
    name: str,
    licence: str,
    tracks: Iterable[Labelled],
    vocabulary: Vocabulary,
    audio_dir: str,
    *,
    empty_notions: tuple[str, ...] = (),
) -> Corpus:
    """Numbers the tags and puts the paths below the audio folder.

    Raises:
      UserError: a track stands twice, a split that is none, or a tag outside the vocabulary.
    """
    seen: dict[str, str] = {}
    numbered = []
    for track in tracks:
        if track.track_id in seen:
            raise UserError(
                f"{track.where}: {track.track_id} stands twice (before: {seen[track.track_id]}): keep one row per track"
            )
        seen[track.track_id] = track.where
        if track.split not in SPLITS:
            raise UserError(f"{track.where}: split {track.split!r} is none of {', '.join(SPLITS)}")
        try:
            tags = tuple(vocabulary.indices(dict.fromkeys(track.tags)))
        except KeyError as error:
            notions = ", ".join(vocabulary.notions)
            raise UserError(f"{track.where}: tag {error.args[0]!r} is not in the vocabulary ({notions})") from error
        path = f"{audio_dir.rstrip('/')}/{track.path}" if audio_dir else track.path
        numbered.append(Track(track.track_id, path, track.split, tags, track.artist_id, track.secs))
    return Corpus(name, licence, vocabulary, tuple(numbered), empty_notions)
