"""Tags that lie with the audio: a JSON file beside each track, or the file's own metadata (ID3, Vorbis, MP4, …)."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import mutagen
from mutagen.easymp4 import EasyMP4Tags
from tqdm import tqdm

from tfmir.corpora import metadata
from tfmir.corpora.audio_files import as_on_disk, list_audio
from tfmir.corpora.spelling import tidy
from tfmir.errors import UserError
from tfmir.vocabulary import check_notion

# The same in the ID3 frames of a WAV or AIFF file, which have no other names.
_FRAMES = {"genre": "TCON", "mood": "TMOO", "date": "TDRC", "artist": "TPE1", "album": "TALB"}
EasyMP4Tags.RegisterFreeformKey("mood", "MOOD")


@dataclasses.dataclass(frozen=True)
class Tagged:
    """What is known of one track of a folder.

    Attributes:
      path: below the audio folder.
      tags: notion -> tags.
      where: file and row, for messages.
      artist: may be empty.
      split: None where nobody says, so that it is drawn.
      album: empty where the file's own metadata do not name it; no other source does.
    """

    path: str
    tags: Mapping[str, list[str]]
    where: str
    artist: str = ""
    split: str | None = None
    album: str = ""


def split_tags(cell: str) -> list[str]:
    """The tags in a cell, separated by `;`, sorted, each once.

    >>> split_tags("rock; jazz ;rock;")
    ['jazz', 'rock']
    """
    return sorted({tidy(tag) for tag in cell.split(";")} - {""})


def read_sidecars(audio_dir: str) -> list[Tagged]:
    """All audio below a folder, with the tags of `song.json` or `song.mp3.json` beside `song.mp3`.

    A sidecar is an object: `{"genre": ["rock", "pop"], "mood": "calm", "artist": "…", "split": "train"}`; artist and
    split may be missing, every other key is a notion. A track without a sidecar has no tags.

    Raises:
      UserError: a sidecar that is not such an object, a key that cannot be a notion's name, or no sidecar at all.
    """
    beside = {path: _sidecars(path) for path in list_audio(audio_dir)}
    spelt = as_on_disk(audio_dir, [sidecar for sidecars in beside.values() for sidecar in sidecars])
    tracks = [_sidecar(audio_dir, path, [spelt[sidecar] for sidecar in sidecars]) for path, sidecars in beside.items()]
    if not any(track.where.endswith(".json") for track in tracks):
        raise UserError(f"--audio_dir={audio_dir}: no JSON file beside any of its {len(tracks)} audio files")
    return tracks


def read_metadata(audio_dir: str) -> list[Tagged]:
    """All audio below a folder, with the genres, moods and date that the files carry; the date's decade is the era.

    Genres and moods are written in lower case, several of them with `;`, `,`, `/` or as several fields; placeholders
    such as `Unknown Genre` are no tags (see `metadata.py`). What cannot be read has no tags: whether it is audio is for
    the writer to say.
    """
    return [
        _metadata(audio_dir, path)
        for path in tqdm(list_audio(audio_dir), desc="read metadata", unit="file", mininterval=1.0)
    ]


def _sidecars(path: str) -> tuple[str, str]:
    """Where the sidecar of an audio file may be."""
    return str(pathlib.PurePosixPath(path).with_suffix(".json")), f"{path}.json"


def _sidecar(audio_dir: str, path: str, sidecars: list[str]) -> Tagged:
    for sidecar in (pathlib.Path(audio_dir, name) for name in sidecars):
        if sidecar.is_file():  # not a folder, nor a pipe that never ends
            return _parse_sidecar(sidecar, path)
    return Tagged(path, {}, str(pathlib.Path(audio_dir, path)))


def _parse_sidecar(sidecar: pathlib.Path, path: str) -> Tagged:
    try:
        value = json.loads(sidecar.read_bytes(), object_pairs_hook=_object)
        json.dumps(value, ensure_ascii=False).encode()  # half of a pair of surrogates is no text
    except ValueError as error:
        raise UserError(f"{sidecar}: not JSON ({error})") from error
    if not isinstance(value, dict):
        raise UserError(f"{sidecar}: {type(value).__name__} found, expected an object of notions and their tags")
    artist, split = value.pop("artist", ""), value.pop("split", None)
    if not isinstance(artist, str) or not isinstance(split, str | None):
        raise UserError(f"{sidecar}: artist {artist!r}, split {split!r}: both are texts, or not there")
    for key in value:
        check_notion(tidy(key), f"{sidecar}, key {key!r}")
    tags = {key: _texts(tags, f"{sidecar}, {key!r}") for key, tags in value.items()}
    return Tagged(path, tags, str(sidecar), artist, split)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, whose keys stand once: Python alone would keep the last of two."""
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise ValueError(f"key {key!r} stands twice")
    return dict(pairs)


def _texts(value: Any, where: str) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise UserError(f"{where}: {value!r} found, expected a text or a list of texts")
    return sorted({tidy(text) for text in texts} - {""})


def _metadata(audio_dir: str, path: str) -> Tagged:
    audio = str(pathlib.Path(audio_dir, path))
    fields = _fields(audio)
    tags = {
        "genre": metadata.genres(fields["genre"]),
        "mood": metadata.moods(fields["mood"]),
        "era": metadata.decade(fields["date"]),
    }
    return Tagged(path, tags, audio, " & ".join(fields["artist"]), album=" & ".join(fields["album"]))


def _fields(audio: str) -> dict[str, list[str]]:
    """Every field of `_FRAMES` as texts; empty where the file has none, or no metadata that can be read."""
    try:
        found = getattr(mutagen.File(audio, easy=True), "tags", None) or {}
        return {
            name: [str(text) for text in found.get(name) or found.get(frame) or ()] for name, frame in _FRAMES.items()
        }
    except Exception:  # of damaged files it raises anything, an IndexError of an ogg
        return {name: [] for name in _FRAMES}
