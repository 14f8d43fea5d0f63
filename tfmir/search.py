"""Finds what sounds like a song, along the notions that matter to you.

python -m tfmir.search --run=runs/proxy --library=~/Music --like=song.mp3 --weights=mood=1,genre=0.2
python -m tfmir.search --run=runs/proxy --library=test --like=test/00003.flac --weights=mood=1 --json
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import TYPE_CHECKING

from tfmir import command
from tfmir.corpora.corpus import SPLITS
from tfmir.errors import UserError
from tfmir.params import field

if TYPE_CHECKING:
    from tfmir.inference.library import Library
    from tfmir.inference.ranking import Hit


@dataclasses.dataclass(frozen=True)
class SearchParams:
    """Flags of the command."""

    run: str = field("", "run directory, such as runs/proxy", path=True)
    records: str = field("", "where the run's records are now, if they were moved since its training", path=True)
    library: str = field("test", "what is searched: a folder of audio, or a split of the run's records", path="or name")
    like: str = field("", "an audio file, or the id of a track in the library", path="or name")
    weights: str = field("", "notion=weight,…, of at most 1e6: what counts in the ranking; empty: the whole space")
    top: int = field(10, "how many results", lower=1)
    json: bool = field(False, "print JSON (the fields are documented in README)")


def main(params: SearchParams) -> None:
    """Prints the ranking."""
    if not params.like:
        raise UserError("--like is empty: give an audio file or the id of a track in the library")
    from tfmir.inference.library import folder_library, split_library
    from tfmir.inference.query import find_query, found_path
    from tfmir.inference.ranking import parse_weights, rank
    from tfmir.inference.weights import load_system
    from tfmir.run_directory import trained_run

    run = trained_run(params.run)
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
    if params.json:
        results = [dataclasses.asdict(hit) for hit in hits]
        print(json.dumps({"like": params.like, "weights": weights, "results": results}, indent=2))
    else:
        _print_table(params.like, library, hits, vocabulary.notions if disentangled else ())


def _print_table(like: str, library: Library, hits: list[Hit], notions: tuple[str, ...]) -> None:
    from tfmir.corpora.spelling import one_line

    tags = dict(zip(library.track_ids, library.tags, strict=True)).get(like, ())
    names = [one_line(hit.track_id) for hit in hits]
    width = max(map(len, ["track", *names]))
    print(f"like {one_line(like)}" + (f"  ({', '.join(tags)})" if tags else ""))
    print(f"{'':>4}  {'track':<{width}}{'score':>8}{''.join(f'{notion:>12}' for notion in notions)}  tags")
    for hit, name in zip(hits, names, strict=True):
        cosines = "".join(f"{hit.similarities[notion]:12.3f}" for notion in notions)
        print(f"{hit.rank:>3}.  {name:<{width}}{hit.score:8.3f}{cosines}  {', '.join(hit.tags)}")


if __name__ == "__main__":
    command.run(main, SearchParams)
