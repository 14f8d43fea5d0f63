"""Looks at audio files without decoding them: are they there, what is in them, how long are they."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Sequence

import mutagen
import soundfile

from tfmir import command, files
from tfmir.corpora.corpus import Corpus
from tfmir.data.audio import UNKNOWN_LENGTH
from tfmir.errors import UserError
from tfmir.preparation.engine import run_tasks
from tfmir.preparation.survey import FileFacts

_FILES_PER_TASK = 100


def inspect_corpus(corpus: Corpus, *, workers: int = 0, scheduler: str = "") -> list[FileFacts]:
    """Facts on every track's file, in any order; reads each file once, for its checksum."""
    tracks = [(track.track_id, track.path) for track in corpus.tracks]
    parts = [tracks[i : i + _FILES_PER_TASK] for i in range(0, len(tracks), _FILES_PER_TASK)]
    results = run_tasks(
        inspect_files,
        [(part,) for part in parts],
        sizes=[len(part) for part in parts],
        description="look at files",
        unit="file",
        workers=workers,
        scheduler=scheduler,
        instead=_inspect_isolated,
    )
    return [fact for facts in results for fact in facts]


def inspect_files(tracks: Sequence[tuple[str, str]]) -> list[FileFacts]:
    """Facts on (track id, path) pairs."""
    return [_inspect(track_id, path) for track_id, path in tracks]


def _inspect_isolated(tracks: Sequence[tuple[str, str]]) -> list[FileFacts]:
    """As `inspect_files`, each file in a process of its own: one of them has killed workers."""
    facts = []
    for track_id, path in tracks:
        child = subprocess.run([sys.executable, "-m", __name__, track_id, path], capture_output=True, check=False)
        problem = "kills the process that opens it"
        facts.append(
            FileFacts(track_id, problem=problem) if child.returncode else FileFacts(**json.loads(child.stdout))
        )
    return facts


def _length_by_metadata(path: str) -> float:
    """Seconds of a file by its metadata; 0 if it has none that can be read."""
    try:
        file = mutagen.File(path)
    except (mutagen.MutagenError, OSError, ValueError):
        return 0.0
    return 0.0 if file is None else float(file.info.length)  # a file without tags is false


def _inspect(track_id: str, path: str) -> FileFacts:
    try:
        with files.reading(path) as name:
            if not os.path.getsize(name):
                return FileFacts(track_id, problem="empty: 0 bytes")
            digest, secs = files.sha256(name), _seconds(name)
    except FileNotFoundError:
        return FileFacts(track_id, problem="missing")
    except (OSError, UserError) as error:
        return FileFacts(track_id, problem=f"unreadable: {error}")
    return FileFacts(track_id, digest, secs, "" if secs else "unreadable: no header of an audio file")


def _seconds(path: str) -> float:
    """Length by the header; libsndfile does not open all that tensorflow-io decodes, such as m4a."""
    try:
        info = soundfile.info(path)
        return float(info.duration) if info.frames < UNKNOWN_LENGTH else _length_by_metadata(path)
    except (soundfile.LibsndfileError, TypeError):  # TypeError: headerless data, such as .raw
        return _length_by_metadata(path)


if __name__ == "__main__":
    print(json.dumps(dataclasses.asdict(_inspect(*sys.argv[1:]))))
    command.leave(0)
