"""Callbacks of the training loop: schedule with backup, progress, TensorBoard."""

from __future__ import annotations

import csv
import io
import math
import shutil
import tempfile
import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams
from tqdm import tqdm

from tfmir import files
from tfmir.errors import UserError
from tfmir.fields import to_dict
from tfmir.model.checkpoint import load_weights
from tfmir.model.subspaces import subspace_norms
from tfmir.params import RunParams
from tfmir.training.progress import Progress, load_progress, newest_backup, save_progress, start_again
from tfmir.training.schedule import ScheduleState, advance


class ScheduleAndBackup(keras.callbacks.Callback):
    """Applies the schedule, keeps the best weights, and makes every finished epoch a point to resume from.

    Keras' own callbacks keep their counters in memory, so a resumed run would forget how long it has waited.
    The order of writing makes any moment safe: best weights, then history, then the backup, its state last; an
    epoch whose backup is missing is done again, with the same result.

    Args:
      path: the run directory.
      params: parameters of the run.
      writes: whether it writes; of several machines the chief alone does, the others take the same decisions.
    """

    def __init__(self, path: files.Path, params: RunParams, *, writes: bool = True):
        super().__init__()
        self.path = path
        self.run_params = params
        self.writes = writes
        self.progress = Progress(ScheduleState(params.training.learning_rate), [])

    def restore(self, model: keras.Model) -> int:
        """Loads the newest backup, if there is one, into a compiled model; returns how many epochs it has.

        Raises:
          UserError: the backup is damaged.
        """
        newest = newest_backup(self.path)
        if newest is None:
            return 0
        remedy = start_again(newest)
        load_weights(model, newest / "state.weights.h5", remedy=remedy)
        self.progress = load_progress(newest, remedy=remedy)
        model.optimizer.learning_rate.assign(self.progress.schedule.learning_rate)
        return self.progress.epoch

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Starts the epoch's clocks."""
        self._start = time.perf_counter(), time.process_time()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Ends a diverged run at once.

        Raises:
          UserError: the training loss is no number any more.
        """
        self._refuse_no_number("loss", logs or {})

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Advances the schedule and writes everything.

        Raises:
          UserError: the epoch has diverged, or nothing was measured on the validation split.
        """
        logs = {name: float(value) for name, value in (logs or {}).items()}
        self._refuse_no_number("val_loss", logs)
        triplets = sum(logs.get(f"val_valid_{kind}", 0.0) for kind in ("triplets", "track_triplets"))
        if not logs.get("val_loss", 0.0) and not triplets:
            raise UserError(
                "the validation split gives no triplets, so no epoch could be called the best: too few of its excerpts "
                "drew the same tag. Try --notion_sampling=natural, a larger --batch_size, or more validation tracks"
            )
        # A ReLU turns NaN into 0: the loss of a dead encoder is a number, and may even be lower than before.
        if logs.get("dead_share", 0.0) >= 1.0:
            raise self._diverged("every embedding of the epoch is zero")
        if not all(np.isfinite(weight).all() for weight in self.model.get_weights()):
            raise self._diverged("some of its weights are no numbers")
        row = {"epoch": epoch + 1, **logs, "learning_rate": self.progress.schedule.learning_rate}
        # Training and validation, not what is written below; beside it what the processors did, all cores together.
        row["seconds"] = time.perf_counter() - self._start[0]
        row["cpu_seconds"] = time.process_time() - self._start[1]
        # Where all of validation is zero the loss is a number, but nothing has been compared: no epoch to keep.
        loss = math.nan if logs.get("val_dead_share", 0.0) >= 1.0 else logs["val_loss"]
        schedule = advance(self.progress.schedule, loss, self.run_params.training)
        self.progress = Progress(schedule, [*self.progress.history, row])
        self.model.optimizer.learning_rate.assign(schedule.learning_rate)
        if self.writes:
            self._write(best=schedule.improved)
        self.model.stop_training = schedule.finished

    def _write(self, *, best: bool) -> None:
        if best:
            with files.replacing(self.path / "best.weights.h5") as name:
                self.model.save_weights(name)
        files.write_text(self.path / "history.csv", _csv(self.progress.history))
        self._write_backup()

    def _refuse_no_number(self, name: str, logs: dict[str, float]) -> None:
        value = float(logs.get(name, 0.0))
        if not math.isfinite(value):
            raise self._diverged(f"its {name} is {value}")

    def _diverged(self, why: str) -> UserError:
        """Raised before anything of the epoch is written: what was kept of earlier ones stays."""
        best = next((row for row in self.progress.history if row["val_loss"] == self.progress.schedule.best), None)
        kept = (
            f"the weights of epoch {best['epoch']:.0f}, with a validation loss of {best['val_loss']:.4g}, are kept in "
            f"{self.path / 'best.weights.h5'}"
            if best
            else "there are no weights yet"
        )
        return UserError(
            f"--run={self.path}: training diverged in epoch {self.progress.epoch + 1}: {why}; {kept}. "
            "Try a lower --learning_rate, or with --precision=float32, in another --run"
        )

    def _write_backup(self) -> None:
        final = self.path / "backup" / f"epoch-{self.progress.epoch:06d}"
        others = [path for path in (self.path / "backup").glob("epoch-*") if path != final]
        files.remove_tree(final)
        with files.replacing(final / "state.weights.h5") as name:
            self.model.save_weights(name)
        save_progress(final, self.progress)
        for path in others:
            files.remove_tree(path)


class ProgressBar(keras.callbacks.Callback):
    """One bar over all steps that are left, with the time they will take at most; `close` it, whatever happens.

    Args:
      epochs: the last epoch's number.
      steps: per epoch.
      first_epoch: epochs that are done already.
    """

    def __init__(self, *, epochs: int, steps: int, first_epoch: int):
        super().__init__()
        self.epochs = epochs
        done = first_epoch * steps
        self.bar = tqdm(total=epochs * steps, initial=done, unit="step", desc="train", mininterval=1.0)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Moves the bar by a step."""
        self.bar.update(1)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Prints the epoch's figures above the bar."""
        figures = "  ".join(f"{name} {value:.4g}" for name, value in (logs or {}).items())
        self.bar.write(f"epoch {epoch + 1}/{self.epochs}  {figures}")

    def close(self) -> None:
        """Ends the bar's line."""
        self.bar.close()


class TensorBoardLog(keras.callbacks.Callback):
    """Losses, learning rate, dead share, a histogram of the sub-space norms, and the run's parameters.

    Args:
      folder: folder of the event files; those of a remote one are written locally, and uploaded after every epoch.
      params: parameters of the run, shown under "HParams".
      excerpts: float32 [batch, frames, mels], a fixed batch whose sub-space norms are drawn.
    """

    def __init__(self, folder: files.Path, params: RunParams, excerpts: tf.Tensor):
        super().__init__()
        self.folder = folder
        self.local = tempfile.mkdtemp(prefix="tfmir-") if files.is_remote(folder) else str(folder)
        self.writer = tf.summary.create_file_writer(self.local)
        self.run_params = params
        self.excerpts = excerpts

    def on_train_begin(self, logs: Any = None) -> None:
        """Writes the parameters."""
        sections = to_dict(self.run_params).items()
        flat = {f"{section}/{name}": value for section, values in sections for name, value in values.items()}
        with self.writer.as_default():
            hparams.hparams(flat)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Writes an epoch's scalars and histograms."""
        norms = subspace_norms(self.model.encode(self.excerpts), self.model.notions)
        with self.writer.as_default(step=epoch + 1):
            tf.summary.scalar("learning_rate", float(self.model.optimizer.learning_rate.numpy()))
            for name, value in (logs or {}).items():
                tf.summary.scalar(name, value)
            for index, space in enumerate(self.model.spaces):
                tf.summary.histogram(f"subspace_norm/{space}", norms[:, index])
        self.writer.flush()
        files.upload_folder(self.local, self.folder)

    def on_train_end(self, logs: Any = None) -> None:
        """Closes the file, and removes the local one of a remote folder."""
        self.writer.close()
        if files.is_remote(self.folder):
            shutil.rmtree(self.local, ignore_errors=True)


def _csv(rows: list[dict[str, float]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
