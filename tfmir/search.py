"""Finds what sounds like a song, along the notions that matter to you.

python -m tfmir.search --run=runs/proxy --library=~/Music --like=song.mp3 --weights=mood=1,genre=0.2
python -m tfmir.search --run=runs/proxy --library=test --like=test/00003.flac --weights=mood=1 --json
python -m tfmir.search --index=index/music --like=song.mp3 --weights=mood=1 --tags=genre/rock --diverse
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from tfmir import command
from tfmir.corpora.corpus import SPLITS
from tfmir.errors import UserError
from tfmir.fields import field
from tfmir.run_directory import trained_run

if TYPE_CHECKING:
    import numpy as np

    from tfmir.searching.ranking import Hit


@dataclasses.dataclass(frozen=True)
class SearchParams:
    """Flags of the command."""

    run: str = field("", "run directory, such as runs/proxy", path=True)
    records: str = field("", "where the run's records are now, if they were moved since its training", path=True)
    library: str = field("test", "what is searched: a folder of audio, or a split of the run's records", path="or name")
    index: str = field("", "searched instead of --library: a folder made by tfmir.index, or qdrant://host", path=True)
    endpoint: str = field("", "http://host:8501 or grpc://host:8500: embeds --like instead of --run, with --index")
    model: str = field("tfmir", "what the server at --endpoint calls the model; its version: tfmir@3 or tfmir@stable")
    like: str = field("", "an audio file, or the id of a track in the library", path="or name")
    weights: str = field("", "notion=weight,…, of at most 1e6: what counts in the ranking; empty: the whole space")
    tags: str = field("", "notion/tag,…: only tracks that carry all of them, with --index")
    artist: str = field("", "only tracks by this artist, with --index")
    diverse: bool = field(False, "at most one track by the same artist, with --index")
    top: int = field(10, "how many results", lower=1)
    json: bool = field(False, "print JSON (the fields are documented in README)")


@dataclasses.dataclass(frozen=True)
class _Answer:
    """What is printed: hits, the weights, the tags of the song itself if they are known, and the notions' columns."""

    hits: Sequence[Hit]
    weights: Mapping[str, float]
    tags: Sequence[str]
    notions: tuple[str, ...]


def main(params: SearchParams) -> None:
    """Prints the ranking."""
    if not params.like:
        raise UserError("--like is empty: give an audio file or the id of a track in the library")
    answer = _of_index(params) if params.index else _of_library(params)
    if params.json:
        results = [_to_json(hit) for hit in answer.hits]
        print(json.dumps({"like": params.like, "weights": answer.weights, "results": results}, indent=2))
    else:
        _print_table(params.like, answer)


def _of_library(params: SearchParams) -> _Answer:
    for name in ("endpoint", "tags", "artist", "diverse"):
        if getattr(params, name):
            raise UserError(f"--{name} needs --index: embed the library (tfmir.embed) and index it (tfmir.index) first")
    run = trained_run(params.run)  # before TensorFlow is imported: a wrong path is told at once
    from tfmir.catalogue.library import folder_library, split_library
    from tfmir.inference.weights import load_system
    from tfmir.searching.paths import found_path
    from tfmir.searching.query import find_query
    from tfmir.searching.ranking import parse_weights, rank

    vocabulary, disentangled = run.vocabulary, run.params.system.disentangled
    weights = parse_weights(params.weights, vocabulary, disentangled=disentangled)
    system = load_system(run, tagging=False)
    if params.library in SPLITS:
        folder, library = "", split_library(run, system, params.library, records=params.records)
    else:
        folder = found_path(params.library) or params.library
        library = folder_library(run, system, pathlib.Path(folder))
    query = find_query(params.like, library, system, folder=folder)
    hits = rank(
        library, query.embedding, vocabulary=vocabulary, weights=weights, top=params.top, exclude=query.track_ids
    )
    tags = dict(zip(library.track_ids, library.tags, strict=True)).get(params.like, ())
    return _Answer(hits, weights, tags, vocabulary.notions if disentangled else ())


def _of_index(params: SearchParams) -> _Answer:
    from tfmir.searching.index import open_index
    from tfmir.searching.qdrant import is_server, open_server
    from tfmir.searching.ranking import parse_weights

    for name in ("library", "records"):
        if getattr(params, name) != getattr(SearchParams, name):
            raise UserError(f"--{name} and --index: the index is searched instead of a library: leave one of them out")
    index = (open_server if is_server(params.index) else open_index)(params.index)
    weights = parse_weights(params.weights, index.vocabulary, disentangled=bool(index.notions))
    embed = _embedder(params, index.weights_sha256, index.precision)
    rows = index.rows_of(params.like)
    changed = index.changed_file(params.like, rows[0]) if rows else ""
    if changed and (params.run or params.endpoint):
        query, tags = embed(changed), ()
    elif rows:
        if changed:
            _tell_changed(params.like)
        query, tags = index.embedding(rows[0]), index.facts(rows[:1])[0]["tags"]
    else:
        query, tags = embed(_existing(params, index.library)), ()
    hits = index.search(
        query,
        weights=weights,
        top=params.top,
        exclude=rows,
        tags=tuple(filter(None, (tag.strip() for tag in params.tags.split(",")))),
        artist=params.artist,
        diverse=params.diverse,
    )
    return _Answer(hits, weights, tags, index.notions)


def _embedder(params: SearchParams, weights_sha256: str, precision: str) -> Callable[[str], np.ndarray]:
    """What gives the embedding of a file; refuses a run or a server of other weights than the index's at once."""
    if params.endpoint and params.run:
        raise UserError("--run and --endpoint: one of them embeds what is not in the index: leave the other out")
    if params.endpoint:
        from tfmir.serving.client import Client

        client = Client.of(params.endpoint, params.model)
        client.refuse_other_weights(weights_sha256)
        return lambda path: client.embed_file(path).embedding
    if params.run:
        from tfmir.searching.embedder import run_embedder

        return run_embedder(params.run, weights_sha256, precision)
    return _nobody


def _nobody(path: str) -> np.ndarray:
    from tfmir.corpora.spelling import one_line

    said = "name what embeds it, with --run=<the index's run> or --endpoint=<a server that has it>"
    raise UserError(f"--like={one_line(path)} is not in the index: {said}")


def _tell_changed(like: str) -> None:
    from tfmir.corpora.spelling import one_line

    remedy = "--run=<the index's run> or --endpoint hears the one that is there now"
    said = f"--like={one_line(like)} has changed since it was indexed: the older file of that name answers: {remedy}"
    print(said, file=sys.stderr)


def _existing(params: SearchParams, library: str) -> str:
    """The file that is meant by --like.

    Raises:
      UserError: there is none.
    """
    from tfmir.corpora.spelling import one_line
    from tfmir.searching.paths import found_path

    path = found_path(params.like)
    if not path:
        raise UserError(f"--like={one_line(params.like)} is neither a file nor a track of the index (of {library})")
    return path


def _to_json(hit: Hit) -> dict[str, object]:
    return {name: value for name, value in dataclasses.asdict(hit).items() if name != "row"}


def _print_table(like: str, answer: _Answer) -> None:
    from tfmir.corpora.spelling import one_line

    names = [one_line(hit.track_id) for hit in answer.hits]
    artists = [one_line(hit.artist) for hit in answer.hits]
    width, of_artists = max(map(len, ["track", *names])), max(map(len, artists), default=0)
    by = f"  {'artist':<{of_artists}}" if of_artists else ""
    print(f"like {one_line(like)}" + (f"  ({', '.join(answer.tags)})" if answer.tags else ""))
    print(f"{'':>4}  {'track':<{width}}{'score':>8}{''.join(f'{notion:>12}' for notion in answer.notions)}{by}  tags")
    for hit, name, artist in zip(answer.hits, names, artists, strict=True):
        cosines = "".join(f"{hit.similarities[notion]:12.3f}" for notion in answer.notions)
        by = f"  {artist:<{max(of_artists, 6)}}" if of_artists else ""
        print(f"{hit.rank:>3}.  {name:<{width}}{hit.score:8.3f}{cosines}{by}  {', '.join(hit.tags)}")


if __name__ == "__main__":
    command.run(main, SearchParams)
