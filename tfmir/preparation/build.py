"""A record set from a corpus: plan the shards, write what is missing, publish the manifest.

What is finished is known from `.build/`: the plan's fingerprint, and what `resumable.py` notes there. The folder is
removed when `manifest.json`, the mark of a finished set, has been written.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Sequence

from tfmir import files
from tfmir.corpora.annotated import as_asked, as_found
from tfmir.corpora.corpus import SPLITS, Corpus, Track
from tfmir.data.manifest import MANIFEST, Manifest, Shard, Split, load_manifest, save_manifest
from tfmir.errors import UserError
from tfmir.params import FeatureParams
from tfmir.preparation.engine import run_tasks
from tfmir.preparation.plan import Plan, make_plan
from tfmir.preparation.repair import damaged_shards, repaired
from tfmir.preparation.resumable import (
    REJECTED,
    STATE,
    begun,
    clear_leftovers,
    list_tracks,
    note,
    noted,
    refuse_too_many,
)
from tfmir.preparation.writer import ShardResult, write_shard
from tfmir.vocabulary import Vocabulary

_SHARDS = ".tfrecord-*"


def build_records(
    corpus: Corpus,
    output: str,
    *,
    num_shards: int,
    max_rejected_fraction: float,
    workers: int = 0,
    scheduler: str = "",
    features: FeatureParams | None = None,
) -> Manifest:
    """Writes the record set of `corpus`, or finishes one that was interrupted.

    Args:
      corpus: tracks and vocabulary.
      output: directory of the set; its last part is the set's name.
      num_shards: shards of the training split, 0 for one per 100 tracks; other splits get shards of that size.
      max_rejected_fraction: more rejected tracks than this, and no manifest is written.
      workers: see `engine.run_tasks`.
      scheduler: see `engine.run_tasks`.
      features: parameters of the log-mel.

    Raises:
      UserError: `output` holds other records, or too many tracks are rejected.
    """
    features = features or FeatureParams()
    folder, name = files.to_path(output), files.to_path(output).name
    plan = make_plan(corpus, name, num_shards=num_shards, features=features)
    if (folder / MANIFEST).exists() and not _to_do(folder, plan)[0]:
        print(f"{folder}: finished already; nothing to do")
        return load_manifest(output)
    busy = f"--output={output}: another prepare is writing it: wait for it, or end it"
    with files.locked(folder / STATE / "lock", busy=busy):
        todo, done = _to_do(folder, plan)
        print(
            f"{output}: {len(plan.shards)} shards of {len(corpus.tracks)} tracks, {len(done)} shards are there already"
        )
        results = run_tasks(
            _write_and_note,
            [(tracks, str(folder / key[1]), corpus.vocabulary, features) for key, tracks in todo.items()],
            sizes=[len(tracks) for tracks in todo.values()],
            description="prepare",
            unit="track",
            workers=workers,
            scheduler=scheduler,
        )
        done |= {result.file: result for result in results}
        clear_leftovers(folder, _SHARDS)
        if (folder / MANIFEST).exists():
            return repaired(folder, done)
        _write_rejected(folder, done, len(corpus.tracks), max_rejected_fraction)
        manifest = _manifest(corpus, name, plan, done, features)
        save_manifest(output, manifest)
        files.remove_tree(folder / STATE)
        _summarise(folder, manifest, corpus, features)
        return manifest


def _write_and_note(tracks: Sequence[Track], path: str, vocabulary: Vocabulary, features: FeatureParams) -> ShardResult:
    """The task of a worker: the shard, then the note that it is finished; see `resumable.begun`."""
    state, file = files.to_path(path).parent / STATE, files.to_path(path).name
    with begun(state, file) as died:
        result = write_shard(tracks, path, vocabulary=vocabulary, features=features, isolated=died)
        note(state, file, dataclasses.asdict(result))
    return result


def _to_do(folder: files.Path, plan: Plan) -> tuple[dict[tuple[str, str], tuple[Track, ...]], dict[str, ShardResult]]:
    """The shards that are to be written, and those that an unfinished build has left; of a finished set, what is
    missing or was found to be damaged.

    Raises:
      UserError: the folder holds records of another plan.
    """
    if (folder / MANIFEST).exists():
        manifest = load_manifest(str(folder))
        if not plan.made(manifest.plan):
            raise UserError(
                f"--output={folder} holds records of other tracks, tags or settings: choose another --output, or "
                "remove it"
            )
        damaged = damaged_shards(folder, manifest)
        return {key: tracks for key, tracks in plan.shards.items() if key[1] in damaged}, {}
    state = folder / STATE
    _claim(state, plan)
    done = _finished_shards(folder, state, plan)
    return {key: tracks for key, tracks in plan.shards.items() if key[1] not in done}, done


def _claim(state: files.Path, plan: Plan) -> None:
    """Marks the directory as being built by this plan."""
    claim = state / "plan.sha256"
    if claim.exists() and not plan.made(claim.read_text().strip()):
        raise UserError(
            f"{state.parent} holds an unfinished build of other tracks, tags or settings: "
            "give the same flags to finish it, choose another --output, or remove it"
        )
    files.write_text(claim, plan.fingerprint + "\n")
    clear_leftovers(state.parent, _SHARDS)


def _finished_shards(folder: files.Path, state: files.Path, plan: Plan) -> dict[str, ShardResult]:
    """Shards to keep. Those with rejected tracks are tried again: the files may have been mended."""
    done = {}
    for _, file in plan.shards:
        said = noted(state, file)
        if said and (folder / file).exists():
            result = ShardResult(**said)
            if not result.rejected:
                done[file] = result
    return done


def _write_rejected(folder: files.Path, done: dict[str, ShardResult], tracks: int, limit: float) -> None:
    rejected = [row for result in done.values() for row in result.rejected]
    remarks = [row for result in done.values() for row in result.remarks]
    list_tracks(folder, rejected=rejected, remarks=remarks, tracks=tracks)
    refuse_too_many(len(rejected), tracks, limit, kept="shards")


def _manifest(corpus: Corpus, name: str, plan: Plan, done: dict[str, ShardResult], features: FeatureParams) -> Manifest:
    splits = {}
    for split in SPLITS:
        results = [done[file] for of, file in plan.shards if of == split]
        splits[split] = Split(
            tracks=sum(result.tracks for result in results),
            frames=sum(result.frames for result in results),
            tag_counts=_totals(result.tag_counts for result in results),
            notion_counts=_totals(result.notion_counts for result in results),
            shards=tuple(Shard(result.file, result.tracks, result.sha256) for result in results),
            truth_counts=None if corpus.annotated is None else _totals(result.truth_counts for result in results),
        )
    return Manifest(
        name,
        corpus.name,
        corpus.licence,
        features.track_params,
        corpus.vocabulary,
        splits,
        plan.fingerprint,
        annotated=None if corpus.annotated is None else dict(corpus.annotated),
    )


def _totals(counts: Iterable[Sequence[int]]) -> tuple[int, ...]:
    return tuple(map(sum, zip(*counts, strict=True)))


def _summarise(folder: files.Path, manifest: Manifest, corpus: Corpus, features: FeatureParams) -> None:
    kept = sum(split.tracks for split in manifest.splits.values())
    hours = sum(split.frames for split in manifest.splits.values()) * features.hop_length / features.sample_rate / 3600
    size = sum(files.size(folder / shard.file) for split in manifest.splits.values() for shard in split.shards)
    print(f"{folder}: {kept} tracks, {hours:.2f} hours, {size / 1e6:.1f} MB, {len(corpus.tracks) - kept} rejected")
    for split, of in manifest.splits.items():
        if manifest.annotated and of.tracks:
            shares = zip(manifest.annotated.items(), of.notion_counts, strict=True)
            said = ", ".join(
                f"{n} {as_found(count / of.tracks)} (asked {as_asked(asked)})" for (n, asked), count in shares
            )
            print(f"{split}: annotated with {said}")
    for split in SPLITS:
        if not manifest.splits[split].tracks and any(track.split == split for track in corpus.tracks):
            print(f"warning: every track of the {split} split is rejected: see {folder / REJECTED}", file=sys.stderr)
