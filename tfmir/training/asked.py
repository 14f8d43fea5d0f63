"""The run that flags ask for, refused before TensorFlow is imported where it cannot be trained."""

from __future__ import annotations

from tfmir import files
from tfmir.data.manifest import Manifest, check_features, check_shards, load_manifest
from tfmir.errors import UserError
from tfmir.params import RunParams, check_system
from tfmir.run_directory import Run, load_run, refuse_other_run


def asked_run(path: str, params: RunParams, records: str) -> tuple[Run, Manifest]:
    """A run and the manifest of its records; nothing is written.

    Args:
      path: path of the run directory.
      params: parameters of the run.
      records: directory of the record set.

    Raises:
      UserError: no such records, or of other features, without a split or a shard; no system, or a batch that gives it
        no negatives; a directory that holds another run.
    """
    params = _as_before(path, params)
    manifest = load_manifest(records)
    check_features(manifest, params.features, source=records)
    check_system(params.system)
    check_splits(records, manifest, params)
    check_shards(records, manifest)
    if params.system.disentangled:
        manifest.vocabulary.subspace_dim(params.encoder.embedding_dim)
    _check_batch(params)
    run = Run(
        files.to_path(path),
        params,
        manifest.vocabulary,
        records,
        manifest.corpus,
        manifest.licence,
        manifest.fingerprint,
    )
    refuse_other_run(run)
    return run, manifest


def check_splits(records: str, manifest: Manifest, params: RunParams) -> None:
    """Refuses records that nothing can be learnt from.

    Raises:
      UserError: a split without tracks, or, for triplets, training tracks without a tag.
    """
    for split in ("train", "validation"):
        if not manifest.splits.get(split) or not manifest.splits[split].tracks:
            raise UserError(f"{records}: the {split} split has no tracks: training needs both train and validation")
    if params.system.uses_triplets and not any(manifest.splits["train"].notion_counts):
        raise UserError(
            f"{records}: no training track has a tag: --system={params.system.system} learns from shared ones"
        )


def _as_before(path: str, params: RunParams) -> RunParams:
    """`--precision=auto` of a run that is there is what was chosen when it began."""
    if params.training.precision != "auto" or not (files.to_path(path) / "params.json").exists():
        return params
    return params.with_precision(load_run(path).params.training.precision)


def _check_batch(params: RunParams) -> None:
    unit, batch = params.system.unit, params.pipeline.batch_size
    if batch % unit or (batch < 2 * unit and unit > 1):
        raise UserError(
            f"--batch_size={batch}: system {params.system.system} takes excerpts in pairs and needs two pairs to find "
            f"negatives: use {max(2, batch // unit) * unit} or another multiple of {unit}"
        )
