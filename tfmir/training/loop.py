"""The one training loop of every system."""

from __future__ import annotations

import contextlib
import dataclasses
import time
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfmir.data.manifest import Manifest, Split
from tfmir.data.pipeline import fixed_excerpts, training_set, validation_set
from tfmir.errors import UserError
from tfmir.fields import in_use
from tfmir.model.build import build_system
from tfmir.model.precision import resolved
from tfmir.model.system import System
from tfmir.params import RunParams
from tfmir.run_directory import Run, locked, open_run
from tfmir.training.agreement import facts_of
from tfmir.training.asked import asked_run
from tfmir.training.callbacks import ProgressBar, ScheduleAndBackup, TensorBoardLog
from tfmir.training.cluster import Cluster, read_cluster
from tfmir.training.peers import AGAIN
from tfmir.training.prototypes import store_prototypes
from tfmir.training.strategy import check_shares, count_replicas, make_strategy
from tfmir.training.trainer import Trainer, joined
from tfmir.training.waiting import Waiting

_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
)
_NOTICED_SECS = 5.0  # a peer whose process has ended is noticed in less


def start(path: str, params: RunParams, records: str, *, command_line: Sequence[str] = ()) -> None:
    """Opens a run directory, locks it and trains; a new one that fails in its first epoch is as if never begun.

    In a cluster (TF_CONFIG) the chief alone does so; the other workers train with it, and only read the directory.

    Args:
      path: path of the run directory.
      params: parameters of the run.
      records: directory of the record set.
      command_line: kept in `flags.txt`.

    Raises:
      UserError: records of other features, no system, a batch that cannot be shared out, a directory that holds
        another run or is being trained, or machines that lost each other.
    """
    cluster = read_cluster()
    run, manifest = asked_run(path, params, records)
    check_shares(params, cluster.workers * count_replicas(params.training, cluster))
    run = _measured(run)
    opened = _opened(run, command_line) if cluster.is_chief else contextlib.nullcontext()
    with joined(cluster) as trainer:
        trainer.agree(lambda: facts_of(run, manifest, replicas=count_replicas(params.training, cluster)))
        with opened, _explained(cluster):
            train(run, manifest, trainer)


def _measured(run: Run) -> Run:
    """The run in a precision of its own, where the fastest one was asked for.

    Raises:
      UserError: the processor is to be shared out, which must come before anything is computed.
    """
    if run.params.training.precision != "auto":
        return run
    if run.params.training.replicas > 1 and not tf.config.list_physical_devices("GPU"):
        raise UserError("--precision=auto measures one device: say which precision where --replicas shares out a CPU")
    precision = resolved("auto", run.params.network, training=True)
    return dataclasses.replace(run, params=run.params.with_precision(precision))


def train(run: Run, manifest: Manifest, trainer: Trainer) -> None:
    """Trains `run` until its schedule or its epochs end, resuming from its backup."""
    params, cluster = run.params, trainer.cluster
    strategy = make_strategy(params.training, cluster)
    trainer.started()
    keras.utils.set_random_seed(params.training.seed)
    with strategy.scope():
        system = _compiled(run, manifest)
    keeper = ScheduleAndBackup(run.path, params, writes=cluster.is_chief)
    first_epoch = keeper.restore(system)
    if keeper.progress.has_ended(params.training):
        if cluster.is_chief:
            store_prototypes(run, manifest)
            print(f"{run.path}: already trained for {first_epoch} epochs; nothing to do (more --epochs would go on)")
        return
    steps = steps_per_epoch(params, manifest.splits["train"].tracks)
    if cluster.is_chief:
        _announce(run, system, strategy, first_epoch=first_epoch, steps=steps)
    else:
        print(f"{cluster.own_name} of {cluster.workers}: trains with {cluster.name(0)}, which writes and tells all")
    _fit(system, run, manifest, keeper, steps=steps, first_epoch=first_epoch)
    if cluster.is_chief:
        _conclude(run, manifest, keeper)


def _fit(
    system: System, run: Run, manifest: Manifest, keeper: ScheduleAndBackup, *, steps: int, first_epoch: int
) -> None:
    """Trains the epochs that are left; what is shown and written beside the backup is `keeper.writes`' alone."""
    records, params = run.records, run.params
    # The validation set's size is not known before it has been read once; Keras takes its end for a shortage.
    warnings.filterwarnings("ignore", message="Your input ran out of data")
    callbacks: list[keras.callbacks.Callback] = [keeper]
    batches = training_set(records, manifest, params, first_batch=first_epoch * steps)
    waiting = Waiting() if system.distribute_strategy.num_replicas_in_sync == 1 else None
    with contextlib.ExitStack() as closed:
        if keeper.writes:  # an epoch is told when it is kept
            bar = ProgressBar(epochs=params.training.epochs, steps=steps, first_epoch=first_epoch)
            callbacks = [_tensorboard(run, manifest), keeper, closed.enter_context(contextlib.closing(bar))]
        if waiting:
            batches, callbacks = waiting.watched(batches), [*callbacks, waiting]
        system.fit(
            batches,
            validation_data=validation_set(records, manifest, params),
            epochs=params.training.epochs,
            initial_epoch=first_epoch,
            steps_per_epoch=steps,
            verbose=0,
            shuffle=False,  # the data set is shuffled already
            callbacks=callbacks,
        )
    if waiting:
        print(waiting.said())


def steps_per_epoch(params: RunParams, tracks: int) -> int:
    """Batches in an epoch: as asked, or enough for `excerpts_per_track` random excerpts of every track.

    It does not depend on the system: one setting gives all systems equally many optimiser steps an epoch, and equally
    many in all under the cosine schedule, which ends with --epochs. Under plateaus each ends by its own.
    """
    return params.training.steps_per_epoch or params.pipeline.batches(tracks)


def prevalence(split: Split) -> np.ndarray:
    """float64 [tags]: share of a split's tracks that carry each tag."""
    return np.asarray(split.tag_counts, np.float64) / max(1, split.tracks)


@contextlib.contextmanager
def _opened(run: Run, command_line: Sequence[str]) -> Iterator[None]:
    """Opens and locks a run directory; what fails before an epoch is over leaves none that was not there."""
    is_new = not (run.path / "params.json").exists()
    open_run(run)
    with locked(run):
        try:
            (run.path / "flags.txt").write_text(" ".join(command_line) + "\n", encoding="utf-8")
            yield
        except Exception:
            if is_new and not (run.path / "backup").exists():  # nothing is learnt: it may be asked for otherwise
                for name in ("params.json", "flags.txt", ".lock"):
                    (run.path / name).unlink(missing_ok=True)
                with contextlib.suppress(OSError, AttributeError):  # other files in it, or a store without folders
                    run.path.rmdir()  # type: ignore[union-attr]
            raise


@contextlib.contextmanager
def _explained(cluster: Cluster) -> Iterator[None]:
    """Makes one line of what TensorFlow raises when the machines lose each other.

    Raises:
      UserError: a connection broke although every process is there; one that is gone ends this one (`supervisor`).
    """
    try:
        yield
    except tf.errors.OpError as error:
        if not cluster.several:
            raise
        time.sleep(_NOTICED_SECS)
        if not isinstance(error, _LOST):
            raise
        reason = (str(error.message).strip().splitlines() or [type(error).__name__])[0][:200]
        raise UserError(f"the workers have lost each other ({reason}): {AGAIN}") from error


def _tensorboard(run: Run, manifest: Manifest) -> TensorBoardLog:
    size, features = run.params.pipeline.batch_size, run.params.features
    some = next(iter(fixed_excerpts(run.records, manifest, "validation", batch_size=size, features=features)))
    return TensorBoardLog(run.path / "logs", run.params, some["log_mel"])


def _conclude(run: Run, manifest: Manifest, keeper: ScheduleAndBackup) -> None:
    """Gives the best weights their prototypes.

    Raises:
      UserError: there are no weights.
    """
    if not run.best_weights.exists():
        raise UserError(
            f"{run.path}: after every epoch every embedding of the validation split was zero: there are no weights to "
            "keep. Try a lower --learning_rate"
        )
    store_prototypes(run, manifest)
    print(f"done: best validation loss {keeper.progress.schedule.best:.4f}, weights in {run.best_weights}")


def _compiled(run: Run, manifest: Manifest) -> System:
    system = build_system(
        run.params.network,
        run.vocabulary,
        prevalence=prevalence(manifest.splits["train"]),
        validation_prevalence=prevalence(manifest.splits["validation"]),
        precision=run.params.training.precision,
    )
    # XLA is off under a strategy anyway; off everywhere, timings can be compared.
    system.compile(optimizer=keras.optimizers.Adam(run.params.training.learning_rate), jit_compile=False)
    system.optimizer.build(system.trainable_variables)  # Adam, within the loss scaling of float16
    return system


def _announce(run: Run, system: System, strategy: tf.distribute.Strategy, *, first_epoch: int, steps: int) -> None:
    system_of, encoder_of = run.params.system, run.params.encoder
    print(f"{'resuming' if first_epoch else 'training'} {run.path} on {run.records}")
    print(", ".join(map(_named, in_use(system_of, system_of.system).items())))
    print(", ".join(map(_named, in_use(encoder_of, encoder_of.encoder).items())))
    print(
        f"{system.count_params():,} parameters, {strategy.num_replicas_in_sync} replica(s), {steps} steps an epoch "
        f"from epoch {first_epoch + 1}; TensorBoard: tensorboard --logdir={run.path / 'logs'}"
    )


def _named(setting: tuple[str, Any]) -> str:
    return "{}={}".format(*setting)
