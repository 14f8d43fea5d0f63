"""Any folder of audio with a CSV of tags: `path,split,artist,genre,mood,…`, tags separated by `;`."""

from __future__ import annotations

import csv
import io
import pathlib
import posixpath

from tfmir.corpora.corpus import SPLITS, Corpus, Track, stable_fraction
from tfmir.errors import UserError
from tfmir.vocabulary import Vocabulary

_NOT_NOTIONS = ("path", "split", "artist")
_TRAIN_SHARE, _VALIDATION_SHARE = 0.8, 0.1


def load(audio_dir: str, annotations: str, *, name: str = "folder", licence: str = "unknown") -> Corpus:
    """Reads the CSV; the audio itself is not touched.

    Columns `split` (train, validation, test) and `artist` are optional; every other column is a notion. Without
    `split`, tracks are drawn 80/10/10 by a stable hash: of the artist if there is that column, so that nobody is
    in two splits, else of the path. A track's id is its path below the audio folder.

    Raises:
      UserError: names the file, the row, what was found and what was expected.
    """
    if not pathlib.Path(audio_dir).is_dir():
        raise UserError(f"--audio_dir={audio_dir}: no such folder")
    rows = _read_rows(annotations)
    notions = [column for column in rows[0] if column not in _NOT_NOTIONS]
    if not notions:
        raise UserError(f"{annotations}: no column of tags: add one per notion, such as genre,mood")
    tags = [{notion: _tags(row[notion]) for notion in notions} for row in rows]
    vocabulary = Vocabulary(
        tuple((notion, tuple(sorted({tag for row in tags for tag in row[notion]}))) for notion in notions)
    )
    tracks = [
        _track(row, line, tags[line - 2], vocabulary, audio_dir, annotations) for line, row in enumerate(rows, start=2)
    ]
    _refuse_repeats(tracks, annotations)
    return Corpus(name, licence, vocabulary, tuple(tracks))


def _read_rows(annotations: str) -> list[dict[str, str]]:
    try:
        text = pathlib.Path(annotations).read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise UserError(
            f"--annotations={annotations}: no such file: a CSV with the header path,split,genre,…"
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(f"{annotations}: not UTF-8 at byte {error.start}: save it as UTF-8") from error
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="", restval="")
    if "path" not in (reader.fieldnames or []):
        raise UserError(f"{annotations}: the header is {reader.fieldnames}, expected a column 'path'")
    if len(set(reader.fieldnames or [])) < len(reader.fieldnames or []):
        raise UserError(f"{annotations}: a column stands twice in the header {reader.fieldnames}")
    rows = list(reader)
    for line, row in enumerate(rows, start=2):
        if "" in row:
            raise UserError(f"{annotations}, row {line}: more fields than the header has; quote those with commas")
    if not rows:
        raise UserError(f"{annotations}: no rows under the header: one per track is needed")
    return rows


def _tags(cell: str) -> list[str]:
    return sorted({tag.strip() for tag in cell.split(";")} - {""})


def _track(
    row: dict[str, str], line: int, tags: dict[str, list[str]], vocabulary: Vocabulary, audio_dir: str, source: str
) -> Track:
    path = posixpath.normpath(row["path"].strip())
    if not row["path"].strip():
        raise UserError(f"{source}, row {line}: the path is empty")
    if path.startswith(("../", "/")) or path == "..":
        raise UserError(f"{source}, row {line}: path {row['path']!r} leads out of the audio folder {audio_dir}")
    names = [f"{notion}/{tag}" for notion, found in tags.items() for tag in found]
    return Track(
        track_id=path,
        path=str(pathlib.Path(audio_dir) / path),
        split=_split(row, line, path, source),
        tags=tuple(vocabulary.indices(names)),
        artist_id=row.get("artist", "").strip(),
    )


def _split(row: dict[str, str], line: int, path: str, source: str) -> str:
    if "split" in row:
        if row["split"].strip() not in SPLITS:
            raise UserError(f"{source}, row {line}: split {row['split']!r} is none of {', '.join(SPLITS)}")
        return row["split"].strip()
    share = stable_fraction(row.get("artist", "").strip() or path)
    if share < _TRAIN_SHARE:
        return "train"
    return "validation" if share < _TRAIN_SHARE + _VALIDATION_SHARE else "test"


def _refuse_repeats(tracks: list[Track], source: str) -> None:
    seen: set[str] = set()
    for line, track in enumerate(tracks, start=2):
        if track.track_id in seen:
            raise UserError(f"{source}, row {line}: {track.track_id} stands twice: keep one row per track")
        seen.add(track.track_id)
