"""MagnaTagATune (Law et al., ISMIR 2009): 25 863 clips of 29 s with 188 tags (its odd-one-out votes: `votes.py`).

The annotations are `annotations_final.csv` as published, or the folder that holds it; `clip_info_final.csv` beside it
gives the artists. The split is by folder (0 to b, c, d to f), unless the cleaned lists of
jongpillee/music_dataset_split, `train_list_pub.cP` and its like, lie there too.
"""

from __future__ import annotations

import pathlib

from tfmir.corpora.corpus import Corpus
from tfmir.corpora.grouping import choose_tags, to_vocabulary
from tfmir.corpora.labels import Labelled, Row, inside, read_rows, to_corpus
from tfmir.corpora.pickles import load_pickle
from tfmir.corpora.votes import CLIP_SECS
from tfmir.errors import UserError

LICENCE = "MagnaTagATune: CC BY-NC-SA 3.0"
_WHAT = "annotations_final.csv of MagnaTagATune, or its folder"
_LISTS = {"train": "train_list_pub.cP", "validation": "valid_list_pub.cP", "test": "test_list_pub.cP"}
_FOLDERS = {"train": "0123456789ab", "validation": "c", "test": "def"}


def load(audio_dir: str, annotations: str, *, grouping: str = "") -> Corpus:
    """Reads the tags, the split and the artists.

    Args:
      audio_dir: folder of the audio, which holds `0/` to `f/`; empty if only the labels are wanted.
      annotations: `annotations_final.csv`, or the folder that holds it.
      grouping: vocabulary file of tags as in the header; empty: the 50 most frequent, grouped into genre, mood,
        instrument and vocals by tfmir.

    Raises:
      UserError: names the file, the row, what was found and what was expected.
    """
    path = pathlib.Path(annotations)
    table = path / "annotations_final.csv" if path.is_dir() else path
    rows = read_rows(str(table), needed=("clip_id", "mp3_path"), what=_WHAT, delimiter="\t")
    tags = [column for column in rows[0].cells if column not in ("clip_id", "mp3_path")]
    names = choose_tags(grouping, set(tags), default="magnatagatune")
    artists = _artists(table.with_name("clip_info_final.csv"))
    listed = _listed(table.parent)
    tracks = []
    for row in rows:
        clip = inside(row["mp3_path"], row.where)
        split = listed.get(_stem(clip)) if listed else _split_of_folder(clip, row)
        if split:
            carried = tuple(names[tag] for tag in tags if _is_set(row, tag) and tag in names)
            artist = artists.get(row["clip_id"], "")
            tracks.append(Labelled(clip, clip, split, carried, row.where, artist, CLIP_SECS))
    if listed and len(tracks) < len(listed):
        raise UserError(f"{table}: has {len(tracks)} of the {len(listed)} clips in {', '.join(_LISTS.values())}")
    return to_corpus("magnatagatune", LICENCE, tracks, to_vocabulary(names), audio_dir)


def _is_set(row: Row, tag: str) -> bool:
    if row[tag] not in ("0", "1"):
        raise UserError(f"{row.where}: tag {tag!r} is {row[tag]!r}, expected 0 or 1")
    return row[tag] == "1"


def _split_of_folder(clip: str, row: Row) -> str:
    for split, folders in _FOLDERS.items():
        if clip[1:2] == "/" and clip[0] in folders:
            return split
    raise UserError(f"{row.where}: {clip!r} lies in none of the folders 0 to f, which decide its split")


def _listed(folder: pathlib.Path) -> dict[str, str]:
    """Path without suffix -> split, from the cleaned lists; empty where they are not."""
    there = [split for split, name in _LISTS.items() if (folder / name).exists()]
    if not there:
        return {}
    if len(there) < len(_LISTS):
        raise UserError(
            f"{folder}: has the list of {', '.join(there)} only: all of {', '.join(_LISTS.values())} are needed"
        )
    listed: dict[str, str] = {}
    for split, name in _LISTS.items():
        for item in load_pickle(str(folder / name), list):
            stem = _stem(inside(str(item), str(folder / name)))
            if stem in listed:
                raise UserError(f"{folder / name}: {stem} stands twice, before in the {listed[stem]} split")
            listed[stem] = split
    return listed


def _stem(path: str) -> str:
    return str(pathlib.PurePosixPath(path).with_suffix(""))


def _artists(path: pathlib.Path) -> dict[str, str]:
    if not path.exists():
        return {}
    rows = read_rows(str(path), needed=("clip_id", "artist"), what="clip_info_final.csv", delimiter="\t")
    return {row["clip_id"]: row["artist"].strip() for row in rows}
