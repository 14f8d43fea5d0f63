"""How far a run has come, as the backup of its newest whole epoch says: read without TensorFlow."""

from __future__ import annotations

import dataclasses

from tfmir import files
from tfmir.errors import UserError
from tfmir.params import TrainParams
from tfmir.run_directory import Run
from tfmir.training.schedule import ScheduleState

_STATE = "state.json"


@dataclasses.dataclass
class Progress:
    """How far a run has come; `backup/<epoch>/state.json` beside the weights.

    Attributes:
      schedule: state of the learning rate, which counts the finished epochs.
      history: one row per finished epoch.
    """

    schedule: ScheduleState
    history: list[dict[str, float]]

    @property
    def epoch(self) -> int:
        """Finished epochs."""
        return self.schedule.epoch

    def has_ended(self, params: TrainParams) -> bool:
        """Whether there is no further epoch to train: the schedule or the asked number of epochs is over."""
        return self.schedule.finished or self.epoch >= params.epochs


def newest_backup(path: files.Path) -> files.Path | None:
    """The newest backup in a run directory; `state.json` is written last and says that one is whole."""
    return max((folder for folder in (path / "backup").glob("epoch-*") if (folder / _STATE).exists()), default=None)


def start_again(backup: files.Path) -> str:
    """What can be done about a backup that cannot be read."""
    best = backup.parent.parent / "best.weights.h5"
    return f"remove {backup} to train from the first epoch again; {best} is not touched"


def save_progress(backup: files.Path, progress: Progress) -> None:
    """Writes `state.json`: the last of a backup's files."""
    files.write_json(backup / _STATE, dataclasses.asdict(progress))


def load_progress(backup: files.Path, *, remedy: str) -> Progress:
    """What `save_progress` has written.

    Raises:
      UserError: it was written by another version; ends with the remedy.
    """
    stored = files.read_json(backup / _STATE)
    try:
        return Progress(ScheduleState(**stored["schedule"]), stored["history"])
    except (KeyError, TypeError) as error:
        raise UserError(f"{backup / _STATE}: not what this version writes ({error!r}): {remedy}") from error


def progress_of(run: Run) -> Progress | None:
    """How far a run has come; None before its first epoch is over.

    Raises:
      UserError: its backup was written by another version.
    """
    newest = newest_backup(run.path)
    return None if newest is None else load_progress(newest, remedy=start_again(newest))
