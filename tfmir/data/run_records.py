"""A run and the records that it was trained on, which belong together wherever they are."""

from __future__ import annotations

import dataclasses

from tfmir.data.manifest import Manifest, check_features, check_shards, load_manifest
from tfmir.errors import UserError
from tfmir.run_directory import Run


def records_of(run: Run, records: str = "") -> tuple[Run, Manifest]:
    """The run, with the place where its records are now, and their manifest.

    Args:
      run: a run.
      records: directory of its record set, if that was moved since the training; empty: where it was then.

    Raises:
      UserError: no records there, other ones than the run was trained on, or a shard is missing.
    """
    place = records or run.records
    try:
        manifest = load_manifest(place)
    except UserError as error:
        raise UserError(f"{error}; or, if they were moved, say with --records where they are now") from error
    check_features(manifest, run.params.features, source=place)
    _check_same(run, manifest, place)
    check_shards(place, manifest)
    return dataclasses.replace(run, records=place), manifest


def _check_same(run: Run, manifest: Manifest, place: str) -> None:
    """Refuses records that were made anew since the training, with other tags or other tracks.

    Raises:
      UserError: they differ; says what from what.
    """
    remedy = "name the run's own records with --records, or train again"
    ours, theirs = run.vocabulary.to_dict(), manifest.vocabulary.to_dict()
    for notion in sorted({*ours, *theirs}):
        if ours.get(notion) != theirs.get(notion):
            raise UserError(
                f"{place}: not the records that {run.path} was trained on: the tags of {notion!r} are "
                f"{theirs.get(notion)}, the run knows {ours.get(notion)}: {remedy}"
            )
    if list(ours) != list(theirs):
        raise UserError(f"{place}: not the records that {run.path} was trained on: other order of notions: {remedy}")
    if run.fingerprint and run.fingerprint != manifest.fingerprint:
        raise UserError(
            f"{place}: not the records that {run.path} was trained on: their shards hold other tracks, tags or "
            f"splits: {remedy}"
        )
