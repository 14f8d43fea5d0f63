"""Million Song Dataset with 50 Last.fm tags: 201 680 / 11 774 / 28 435 tracks (the paper's corpus, section 4.1).

The annotations are the public split of jongpillee/music_dataset_split, folder MSD_split, as published:
`filtered_list_train.cP` (its last 11 774 ids are the validation split), `filtered_list_test.cP`,
`msd_id_to_tag_vector.cP`, `50tagList.txt`, and for 7digital's clips `MSD_id_to_7D_id.pkl` and `7D_id_to_path.pkl`. In
place of each pickle a text will do: one id a line in `.txt`, for the tags `id<tab>[0, 1, …]`.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from tqdm import tqdm

from tfmir.corpora.audio_files import list_audio
from tfmir.corpora.corpus import Corpus
from tfmir.corpora.grouping import choose_tags, to_vocabulary
from tfmir.corpora.labels import Labelled, inside, read_text, to_corpus
from tfmir.corpora.pickles import load_pickle
from tfmir.errors import UserError

LICENCE = "Last.fm tags: research only, strictly non-commercial; audio: as its owner allows"
TRAIN, VALIDATION = 201_680, 11_774
_ID = re.compile(r"TR[A-Z]{5}[0-9A-F]{11}")
_WHAT = "a folder with filtered_list_train.cP, filtered_list_test.cP, msd_id_to_tag_vector.cP and 50tagList.txt"


def load(audio_dir: str, annotations: str, *, grouping: str = "") -> Corpus:
    """Reads the split, the tags and where the audio is.

    The audio is found through the two 7digital tables where they lie with the annotations, else by MSD id: any file
    `TR….mp3` (or another suffix) below the audio folder. A track without audio is rejected when records are made.

    Args:
      audio_dir: folder of the audio; empty if only the labels are wanted.
      annotations: the folder of label files.
      grouping: vocabulary file of tags as in 50tagList.txt; empty: the one that comes with tfmir (28 genres, 12 moods,
        5 instruments, 5 eras; the counts are published, the grouping is inferred).

    Raises:
      UserError: names the file, what was found and what was expected.
    """
    folder = pathlib.Path(annotations)
    if not folder.is_dir():
        raise UserError(f"--annotations={annotations}: no such folder: expected {_WHAT}")
    splits = _read_splits(folder)
    tags = read_text(str(folder / "50tagList.txt"), what="the tags in the order of the vectors").split("\n")
    tags = [tag.strip() for tag in tags if tag.strip()]
    names = choose_tags(grouping, set(tags), default="msd")
    vectors = _read_vectors(folder, len(tags))
    paths = _audio_paths(folder, audio_dir)
    tracks = []
    for split, (source, ids) in splits.items():
        for number, track_id in enumerate(ids, start=1):
            where = f"{source}, id {number}"
            if track_id not in vectors:
                raise UserError(f"{where}: {track_id} has no tags in msd_id_to_tag_vector")
            carried = [names[tags[position]] for position in vectors[track_id] if tags[position] in names]
            path = inside(paths.get(track_id, f"{track_id}.mp3"), where)
            tracks.append(Labelled(track_id, path, split, tuple(carried), where))
    return to_corpus("msd", LICENCE, tracks, to_vocabulary(names), audio_dir)


def read_ids(path: str) -> list[str]:
    """MSD ids, from a pickled list or a text with one a line.

    Raises:
      UserError: one of them is no MSD id.
    """
    pickled = path.endswith(".cP")
    listed: list[Any] = load_pickle(path, list) if pickled else read_text(path, what="one MSD id a line").split()
    ids = [item.decode("latin-1") if isinstance(item, bytes) else item for item in listed]
    for number, item in enumerate(ids, start=1):
        if not isinstance(item, str) or not _ID.fullmatch(item):
            raise UserError(f"{path}, id {number}: {item!r} is no MSD id such as TRAADIN128F931D672")
    return ids


def _read_splits(folder: pathlib.Path) -> dict[str, tuple[str, list[str]]]:
    """split -> (file, ids)."""
    splits = {}
    for split, stem in (
        ("train", "filtered_list_train"),
        ("validation", "filtered_list_valid"),
        ("test", "filtered_list_test"),
    ):
        path = _either(folder, stem, ".cP", ".txt")
        if path:
            splits[split] = (path, read_ids(path))
    if not splits:
        raise UserError(f"--annotations={folder}: no list of ids in it: expected {_WHAT}")
    if "train" in splits and "validation" not in splits:
        path, ids = splits["train"]
        if len(ids) != TRAIN + VALIDATION:
            raise UserError(
                f"{path}: {len(ids)} ids, expected {TRAIN + VALIDATION}, of which the last {VALIDATION} are the "
                "validation split: for another selection put its validation ids into filtered_list_valid.txt"
            )
        splits["train"], splits["validation"] = (path, ids[:TRAIN]), (path, ids[TRAIN:])
    return splits


def _read_vectors(folder: pathlib.Path, count: int) -> dict[str, list[int]]:
    """MSD id -> positions of its tags in 50tagList.txt."""
    path = _either(folder, "msd_id_to_tag_vector", ".cP", ".txt")
    if not path:
        raise UserError(f"--annotations={folder}: no msd_id_to_tag_vector.cP or .txt in it: expected {_WHAT}")
    vectors: Mapping[Any, Any] = load_pickle(path, dict) if path.endswith(".cP") else _vectors_of_text(path)
    found = {}
    for key, value in tqdm(vectors.items(), desc="tags", unit="track", mininterval=1.0, leave=False):
        track_id = key.decode("latin-1") if isinstance(key, bytes) else str(key)
        vector = np.asarray(value).ravel()
        if vector.size != count or not np.isin(vector, (0, 1)).all():
            raise UserError(f"{path}: {track_id} has {vector.size} values, expected {count} of 0 and 1")
        found[track_id] = np.flatnonzero(vector).tolist()
    return found


def _vectors_of_text(path: str) -> dict[str, list[int]]:
    vectors = {}
    for number, line in enumerate(read_text(path, what="id<tab>[0, 1, …]").splitlines(), start=1):
        track_id, _, cells = line.partition("\t")
        try:
            vectors[track_id.strip()] = [int(cell) for cell in cells.strip().strip("[]").split(",")]
        except ValueError as error:
            raise UserError(f"{path}, line {number}: {line[:60]!r}: expected id<tab>[0, 1, …]") from error
    return vectors


def _audio_paths(folder: pathlib.Path, audio_dir: str) -> dict[str, str]:
    """MSD id -> path below the audio folder, of those that can be found."""
    ids, paths = folder / "MSD_id_to_7D_id.pkl", folder / "7D_id_to_path.pkl"
    if ids.exists() and paths.exists():
        to_path = {str(key): str(value) for key, value in load_pickle(str(paths), dict).items()}
        pairs = ((str(key), to_path.get(str(value))) for key, value in load_pickle(str(ids), dict).items())
        return {track_id: path for track_id, path in pairs if path}
    if not audio_dir:
        return {}
    return {pathlib.PurePosixPath(path).name.split(".")[0]: path for path in list_audio(audio_dir)}


def _either(folder: pathlib.Path, stem: str, *suffixes: str) -> str:
    return next((str(folder / f"{stem}{suffix}") for suffix in suffixes if (folder / f"{stem}{suffix}").exists()), "")
