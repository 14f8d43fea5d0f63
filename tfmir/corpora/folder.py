"""Any folder of audio, with tags from a CSV, from a JSON file beside each track, or from the files' own metadata.

CSV: `path,split,artist,genre,mood,…`, one row a track, tags separated by `;`. Columns `split` and `artist` are
optional; every other column is a notion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tfmir.corpora import tags_in_files
from tfmir.corpora.audio_files import require_folder
from tfmir.corpora.corpus import Corpus, stable_fraction
from tfmir.corpora.grouping import choose_tags, to_vocabulary
from tfmir.corpora.labels import Labelled, inside, read_rows, to_corpus
from tfmir.errors import UserError

_NOT_NOTIONS = ("path", "split", "artist")
_TRAIN_SHARE, _VALIDATION_SHARE = 0.8, 0.1
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

    Without a split, tracks are drawn 80/10/10 by a stable hash: of the artist if it is known, so that nobody is in
    two splits, else of the path. A track's id is its path below the audio folder.

    Args:
      audio_dir: folder of the audio.
      annotations: the CSV; unused by the other sources.
      tags: `csv`, `json` or `metadata`.
      grouping: vocabulary file that chooses among the tags, spelt `notion/tag`; empty: all of them.
      name: name of the corpus.
      licence: licence of audio and tags.

    Raises:
      UserError: names the file, the row, what was found and what was expected.
    """
    require_folder(audio_dir)
    tagged = _read_csv(annotations) if tags == "csv" else _READERS[tags](audio_dir)
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
        names = choose_tags(grouping, set(names))
    return to_corpus(
        name,
        licence,
        [_labelled(track, names) for track in tagged],
        to_vocabulary(names),
        audio_dir,
        empty_notions=tuple(notion for notion in notions if not found[notion] and not grouping),
    )


def _read_csv(annotations: str) -> list[tags_in_files.Tagged]:
    rows = read_rows(annotations, needed=("path",), what="a CSV with the header path,split,genre,…")
    notions = [column for column in rows[0].cells if column not in _NOT_NOTIONS]
    for notion in notions:
        if notion.lower() in _NOT_NOTIONS or "/" in notion:
            words = ", ".join(_NOT_NOTIONS)
            raise UserError(f"{annotations}: column {notion!r}: no slash in a notion; {words} in lower case")
    return [
        tags_in_files.Tagged(
            path=inside(row["path"], row.where),
            tags={notion: tags_in_files.split_tags(row[notion]) for notion in notions},
            where=row.where,
            artist=row.cells.get("artist", "").strip(),
            split=row["split"].strip() if "split" in row.cells else None,
        )
        for row in rows
    ]


def _labelled(track: tags_in_files.Tagged, names: Mapping[str, str]) -> Labelled:
    full = (f"{notion}/{tag}" for notion, tags in track.tags.items() for tag in tags)
    return Labelled(
        track_id=track.path,
        path=track.path,
        split=_drawn_split(track.artist or track.path) if track.split is None else track.split,
        tags=tuple(names[tag] for tag in full if tag in names),
        where=track.where,
        artist_id=track.artist,
    )


def _drawn_split(key: str) -> str:
    share = stable_fraction(key)
    if share < _TRAIN_SHARE:
        return "train"
    return "validation" if share < _TRAIN_SHARE + _VALIDATION_SHARE else "test"
