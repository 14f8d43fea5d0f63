"""The one training loop of every system."""

from __future__ import annotations

import contextlib
import itertools
import warnings
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfmir import files
from tfmir.data import pairs, pipeline
from tfmir.data.records import Manifest, Split, check_features, load_manifest, shard_paths
from tfmir.errors import UserError
from tfmir.model.system import System
from tfmir.model.systems import build_system
from tfmir.model.triplet import TripletSystem
from tfmir.params import RunParams
from tfmir.training.callbacks import ProgressBar, ScheduleAndBackup, TensorBoardLog
from tfmir.training.run_directory import Run
from tfmir.training.strategy import make_strategy
from tfmir.training.tracks import fit_prototypes


def train(run: Run, manifest: Manifest) -> None:
    """Trains `run` until its schedule or its epochs end, resuming from its backup.

    Raises:
      UserError: a split without tracks, or a batch that does not divide into pairs.
    """
    params = run.params
    _check_batch(params)
    for split in ("train", "validation"):
        if not manifest.splits.get(split) or not manifest.splits[split].tracks:
            raise UserError(f"{run.records}: the {split} split has no tracks: training needs both train and validation")
    strategy = make_strategy(params.training)
    keras.utils.set_random_seed(params.training.seed)
    with strategy.scope():
        system = _compiled(run, manifest)
    keeper = ScheduleAndBackup(run.path, params)
    first_epoch = keeper.restore(system)
    if keeper.progress.schedule.finished or first_epoch >= params.training.epochs:
        trained_system(run)
        print(f"{run.path}: already trained for {first_epoch} epochs; nothing to do (more --epochs would go on)")
        return
    steps = steps_per_epoch(params, manifest.splits["train"].tracks)
    _announce(run, system, strategy, first_epoch=first_epoch, steps=steps)
    validation = _validation(run, manifest)
    # The validation set's size is not known before it has been read once; Keras takes its end for a shortage.
    warnings.filterwarnings("ignore", message="Your input ran out of data")
    bar = ProgressBar(epochs=params.training.epochs, steps=steps, first_epoch=first_epoch)
    with contextlib.closing(bar):
        system.fit(
            _training(run, manifest, first_batch=first_epoch * steps),
            validation_data=validation,
            epochs=params.training.epochs,
            initial_epoch=first_epoch,
            steps_per_epoch=steps,
            verbose=0,
            shuffle=False,  # the data set is shuffled already
            callbacks=[
                keras.callbacks.TerminateOnNaN(),
                bar,
                TensorBoardLog(run.path / "logs", params, _some_excerpts(run, manifest)),
                keeper,
            ],
        )
    trained_system(run)
    print(f"done: best validation loss {keeper.progress.schedule.best:.4f}, weights in {run.best_weights}")


def steps_per_epoch(params: RunParams, tracks: int) -> int:
    """Batches in an epoch: as asked, or enough for `excerpts_per_track` random excerpts of every track."""
    wanted = -(-tracks * params.pipeline.excerpts_per_track // params.pipeline.batch_size)
    return params.training.steps_per_epoch or max(1, wanted)


def trained_system(run: Run) -> System:
    """The system of a run with its best weights, ready for inference.

    A triplet system's prototypes belong to its weights; they are computed where these have none yet, and stored.
    """
    system = build_system(run.params, run.vocabulary)
    with files.reading(run.best_weights) as name:
        system.load_weights(name)
    if isinstance(system, TripletSystem) and not np.any(system.prototypes.vectors.numpy()):
        manifest = load_manifest(run.records)
        check_features(manifest, run.params.features, source=run.records)
        system.prototypes.vectors.assign(fit_prototypes(system, run.records, manifest))
        with files.replacing(run.best_weights) as name:
            system.save_weights(name)
    return system


def prevalence(split: Split) -> np.ndarray:
    """float64 [tags]: share of a split's tracks that carry each tag."""
    return np.asarray(split.tag_counts, np.float64) / max(1, split.tracks)


def _compiled(run: Run, manifest: Manifest) -> System:
    system = build_system(
        run.params,
        run.vocabulary,
        prevalence=prevalence(manifest.splits["train"]),
        validation_prevalence=prevalence(manifest.splits["validation"]),
    )
    optimizer = keras.optimizers.Adam(run.params.training.learning_rate)
    # XLA is off under a strategy anyway; off everywhere, timings can be compared.
    system.compile(optimizer=optimizer, jit_compile=False)
    optimizer.build(system.trainable_variables)
    return system


def _training(run: Run, manifest: Manifest, *, first_batch: int) -> tf.data.Dataset:
    params, paths = run.params, shard_paths(run.records, manifest, "train")
    if params.system.uses_triplets:
        return pairs.training_pairs(paths, first_batch=first_batch, **_of_pairs(run, manifest.splits["train"]))
    return pipeline.training_batches(
        paths,
        tracks=manifest.splits["train"].tracks,
        num_tags=len(run.vocabulary.tags),
        params=params.pipeline,
        features=params.features,
        seed=params.training.seed,
        first_batch=first_batch,
    )


def _validation(run: Run, manifest: Manifest) -> tf.data.Dataset:
    """The same excerpts, and triplets, in every epoch, so that two epochs can be compared."""
    if run.params.system.uses_triplets:
        paths = shard_paths(run.records, manifest, "validation")
        return pairs.fixed_pairs(paths, **_of_pairs(run, manifest.splits["validation"]))
    return _fixed_excerpts(run, manifest).map(lambda log_mel, labels, track: (log_mel, labels))


def _of_pairs(run: Run, split: Split) -> dict[str, Any]:
    return {
        "vocabulary": run.vocabulary,
        "notion_counts": split.notion_counts,
        "params": run.params.pipeline,
        "features": run.params.features,
        "seed": run.params.training.seed,
        "per_track": run.params.system.excerpts_of_track,
    }


def _fixed_excerpts(run: Run, manifest: Manifest) -> tf.data.Dataset:
    return pipeline.fixed_excerpts(
        shard_paths(run.records, manifest, "validation"),
        num_tags=len(run.vocabulary.tags),
        batch_size=run.params.pipeline.batch_size,
        features=run.params.features,
    )


def _some_excerpts(run: Run, manifest: Manifest) -> tf.Tensor:
    """float32 [batch, frames, mels]: the first validation excerpts."""
    return next(iter(_fixed_excerpts(run, manifest)))[0]


def _check_batch(params: RunParams) -> None:
    unit = 2 * params.system.excerpts_of_track if params.system.uses_triplets else 1
    batch = params.pipeline.batch_size
    if batch % unit or (batch < 2 * unit and unit > 1):
        raise UserError(
            f"--batch_size={batch}: system {params.system.system} takes excerpts {unit} at a time and needs two such "
            f"groups to find negatives: use {max(2, batch // unit) * unit} or another multiple of {unit}"
        )


def _announce(run: Run, system: System, strategy: tf.distribute.Strategy, *, first_epoch: int, steps: int) -> None:
    sizes = itertools.starmap(lambda name, value: f"{name}={value}", vars(run.params.system).items())
    print(f"{'resuming' if first_epoch else 'training'} {run.path} on {run.records}: {', '.join(sizes)}")
    print(
        f"{system.count_params():,} parameters, {strategy.num_replicas_in_sync} replica(s), {steps} steps an epoch "
        f"from epoch {first_epoch + 1}; TensorBoard: tensorboard --logdir={run.path / 'logs'}"
    )
