"""Looks at audio files without decoding them: are they there, what is in them, how long are they."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Sequence

from tfmir import command, files
from tfmir.corpora.corpus import Corpus
from tfmir.data.audio import AudioError, seconds
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


def _inspect(track_id: str, path: str) -> FileFacts:
    try:
        with files.reading(path) as name:
            if os.path.isfile(name) and not os.path.getsize(name):
                return FileFacts(track_id, problem="empty: 0 bytes")
            digest = files.sha256(name)
            try:
                return FileFacts(track_id, digest, seconds(name))
            except AudioError as error:
                return FileFacts(track_id, digest, problem=f"unreadable: {error}")
    except FileNotFoundError:
        return FileFacts(track_id, problem="missing")
    except (OSError, UserError) as error:
        return FileFacts(track_id, problem=f"unreadable: {error}")


if __name__ == "__main__":
    print(json.dumps(dataclasses.asdict(_inspect(*sys.argv[1:]))))
    command.leave(0)
