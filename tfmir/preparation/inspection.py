"""Looks at audio files without decoding them: are they there, what is in them, how long are they."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from tfmir import files
from tfmir.corpora.corpus import Corpus
from tfmir.data.audio import AudioError, check_file, local_copy, seconds
from tfmir.data.decoding import Answer, Task
from tfmir.data.isolation import decode_ahead
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
    return [_inspect(track_id, path, seconds) for track_id, path in tracks]


def _inspect_isolated(tracks: Sequence[tuple[str, str]]) -> list[FileFacts]:
    """As `inspect_files`, with the files opened in a process of their own: one of them has killed workers."""
    answers = decode_ahead(Task(path) for _, path in tracks)
    return [_inspect(*track, functools.partial(_said, answer)) for track, answer in zip(tracks, answers, strict=True)]


def _inspect(track_id: str, path: str, length: Callable[[str], float]) -> FileFacts:
    digest = ""
    try:
        with local_copy(path) as name:
            check_file(name)
            digest = files.sha256(name)
            return FileFacts(track_id, digest, length(name))
    except (AudioError, OSError) as error:
        return FileFacts(track_id, digest, problem=str(error))


def _said(answer: Answer, path: str) -> float:
    """The length of a file as a child has said it, as `seconds` says it here."""
    if answer.problem:
        raise AudioError(answer.problem)
    return answer.secs
