"""The learning-rate schedules as a pure state machine."""

from __future__ import annotations

import dataclasses
import math
import sys

from tfmir.params import TrainParams


@dataclasses.dataclass(frozen=True)
class ScheduleState:
    """Where the schedule stands after an epoch; all of it must survive a restart.

    Attributes:
      learning_rate: learning rate of the next epoch.
      epoch: finished epochs.
      best: lowest validation loss so far; at first the largest number there is (JSON has no word for infinity).
      wait: epochs since `best`, or since the last cut.
      cuts: how often the learning rate has been divided.
      improved: the last epoch set `best`.
      finished: the plateau after the last cut has been reached.
    """

    learning_rate: float
    epoch: int = 0
    best: float = sys.float_info.max
    wait: int = 0
    cuts: int = 0
    improved: bool = False
    finished: bool = False


def advance(state: ScheduleState, validation_loss: float, params: TrainParams) -> ScheduleState:
    """The state after one more epoch.

    Args:
      state: before the epoch.
      validation_loss: validation loss of the epoch; NaN counts as no improvement.
      params: the schedule and its numbers.
    """
    improved = validation_loss < state.best
    state = dataclasses.replace(
        state,
        epoch=state.epoch + 1,
        best=validation_loss if improved else state.best,
        wait=0 if improved else state.wait + 1,
        improved=improved,
    )
    return _cosine(state, params) if params.schedule == "cosine" else _plateau(state, params)


def _plateau(state: ScheduleState, params: TrainParams) -> ScheduleState:
    """The learning rate is divided by `cut_factor` when the loss has not fallen for `patience` epochs, `max_cuts`
    times at most; training ends at the next plateau (paper, section 4.2)."""
    if state.wait < params.patience:
        return state
    if state.cuts == params.max_cuts:
        return dataclasses.replace(state, finished=True)
    return dataclasses.replace(
        state, learning_rate=state.learning_rate / params.cut_factor, wait=0, cuts=state.cuts + 1
    )


def _cosine(state: ScheduleState, params: TrainParams) -> ScheduleState:
    """Half a cosine from the first learning rate to nothing: for a budget too short to wait for plateaus
    (Loshchilov and Hutter, SGDR, ICLR 2017, equation 5, without restarts)."""
    rate = params.learning_rate * (1 + math.cos(math.pi * min(state.epoch / params.epochs, 1))) / 2
    return dataclasses.replace(state, learning_rate=rate)
