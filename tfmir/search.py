"""Finds what sounds like a song, along the notions that matter to you.

    python -m tfmir.search --run=runs/proxy --library=~/Music --like=song.mp3 --weights=mood=1,genre=0.2
    python -m tfmir.search --run=runs/proxy --library=test --like=test/00003.flac --weights=mood=1 --json
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
import sys
from typing import Any

from tfmir import flags
from tfmir.corpora.corpus import SPLITS
from tfmir.errors import UserError
from tfmir.params import field

AUDIO_SUFFIXES = frozenset({".aif", ".aiff", ".flac", ".m4a", ".mp3", ".ogg", ".opus", ".wav"})


@dataclasses.dataclass(frozen=True)
class SearchParams:
    """Flags of the command."""

    run: str = field("", "run directory (default: runs/<name of the flag file>)")
    library: str = field("test", "what is searched: a folder of audio, or a split of the run's records")
    like: str = field("", "an audio file, or the id of a track in the library")
    weights: str = field("", "notion=weight,…: what counts in the ranking; empty: the whole space")
    top: int = field(10, "how many results", lower=1)
    json: bool = field(False, "print JSON (the fields are documented in README)")


def main(params: SearchParams) -> None:
    """Prints the ranking."""
    from tfmir.serving.library import parse_weights, search
    from tfmir.training.loop import trained_system
    from tfmir.training.run_directory import trained_run

    run = trained_run(params.run)
    vocabulary = run.vocabulary
    weights = parse_weights(params.weights, vocabulary, disentangled=run.params.system.disentangled)
    if not params.like:
        raise UserError("--like is empty: give an audio file or the id of a track in the library")
    system = trained_system(run)
    library = _split_library(run, system, params.library) if params.library in SPLITS else None
    library = library or _folder_library(run, system, pathlib.Path(params.library).expanduser())
    query, exclude = _query(params.like, library, system)
    hits = search(library, query, vocabulary=vocabulary, weights=weights, top=params.top, exclude=exclude)
    if params.json:
        results = [dataclasses.asdict(hit) for hit in hits]
        print(json.dumps({"like": params.like, "weights": weights, "results": results}, indent=2))
    else:
        _print_table(params.like, library, hits, vocabulary.notions if system.notions > 1 else ())


def _query(like: str, library: Any, system: Any) -> tuple[Any, str]:
    """The query's embedding, and the track id that must not be found."""
    from tfmir.data.audio import AudioError
    from tfmir.evaluation.embed import embed_file

    if like in library.track_ids:
        return library.embeddings[library.track_ids.index(like)], like
    path = pathlib.Path(like).expanduser()
    if not path.exists():
        raise UserError(f"--like={like} is neither a file nor a track of the library ({library.track_ids[0]}, …)")
    try:
        return embed_file(system, str(path)), ""
    except AudioError as error:
        raise UserError(f"--like={like}: {error}") from error


def _split_library(run: Any, system: Any, split: str) -> Any:
    import numpy as np

    from tfmir.data.records import check_features, load_manifest
    from tfmir.evaluation.embed import embed_split
    from tfmir.serving.library import Library

    manifest = load_manifest(run.records)
    check_features(manifest, run.params.features, source=run.records)
    names = manifest.vocabulary.tags
    cache = _cache(run, f"{split} {[shard.sha256 for shard in manifest.splits[split].shards]}")
    if cache.exists():
        stored = np.load(cache)
        ids, embeddings, labels = stored["ids"], stored["embeddings"], stored["labels"]
    else:
        embedded = embed_split(system, run.records, manifest, split)
        ids, embeddings, labels = np.array(embedded.track_ids), embedded.embeddings, embedded.labels
        _save(cache, ids=ids, embeddings=embeddings, labels=labels)
    tags = tuple(tuple(names[tag] for tag in np.flatnonzero(row)) for row in labels)
    return Library(tuple(ids.tolist()), embeddings, tags)


def _folder_library(run: Any, system: Any, folder: pathlib.Path) -> Any:
    """Embeds the files that are new or changed since the last search; what cannot be decoded is named and left out."""
    import numpy as np
    from tqdm import tqdm

    from tfmir.data.audio import AudioError
    from tfmir.evaluation.embed import embed_file
    from tfmir.serving.library import Library

    if not folder.is_dir():
        raise UserError(f"--library={folder} is neither a folder nor a split ({', '.join(SPLITS)})")
    paths = {str(p.relative_to(folder)): p for p in sorted(folder.rglob("*")) if p.suffix.lower() in AUDIO_SUFFIXES}
    stamps = {name: f"{path.stat().st_mtime_ns}:{path.stat().st_size}" for name, path in paths.items()}
    cache = _cache(run, str(folder.resolve()))
    known = _load_known(cache)
    current = {name: known[name][1] for name in paths if name in known and known[name][0] == stamps[name]}
    missing = [name for name in paths if name not in current]
    for name in tqdm(missing, desc="embed", unit="file", disable=not missing):
        try:
            current[name] = embed_file(system, str(paths[name]))
        except AudioError as error:
            print(f"left out: {paths[name]}: {error}", file=sys.stderr)
    if not current:
        raise UserError(f"--library={folder} holds no audio that can be decoded ({' '.join(sorted(AUDIO_SUFFIXES))})")
    ids = sorted(current)
    embeddings = np.stack([current[name] for name in ids])
    _save(cache, ids=np.array(ids), embeddings=embeddings, stamps=np.array([stamps[name] for name in ids]))
    return Library(tuple(ids), embeddings, ((),) * len(ids))


def _load_known(cache: pathlib.Path) -> dict[str, tuple[str, Any]]:
    import numpy as np

    if not cache.exists():
        return {}
    stored = np.load(cache)
    rows = zip(stored["ids"].tolist(), stored["stamps"].tolist(), stored["embeddings"], strict=True)
    return {name: (stamp, row) for name, stamp, row in rows}


def _cache(run: Any, what: str) -> pathlib.Path:
    """Where a library's embeddings are kept; other weights or another library have another name."""
    key = hashlib.sha256(run.best_weights.read_bytes() + what.encode()).hexdigest()[:16]
    return run.path / "library" / f"{key}.npz"


def _save(cache: pathlib.Path, **arrays: Any) -> None:
    import numpy as np

    from tfmir import files

    with files.replacing(cache) as temporary:
        np.savez(temporary, **arrays)


def _print_table(like: str, library: Any, hits: list[Any], notions: tuple[str, ...]) -> None:
    tags = dict(zip(library.track_ids, library.tags, strict=True)).get(like, ())
    width = max([len("track"), *(len(hit.track_id) for hit in hits)])
    print(f"like {like}" + (f"  ({', '.join(tags)})" if tags else ""))
    heads = "".join(f"{notion:>12}" for notion in notions)
    print(f"{'':>4}  {'track':<{width}}{'score':>8}{heads}  tags")
    for hit in hits:
        cosines = "".join(f"{hit.similarities[notion]:12.3f}" for notion in notions)
        print(f"{hit.rank:>3}.  {hit.track_id:<{width}}{hit.score:8.3f}{cosines}  {', '.join(hit.tags)}")


if __name__ == "__main__":
    flags.run(main, SearchParams)
