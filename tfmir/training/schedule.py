"""The paper's learning-rate schedule as a pure state machine."""

from __future__ import annotations

import dataclasses
import math

from tfmir.params import TrainParams


@dataclasses.dataclass(frozen=True)
class ScheduleState:
    """Where the schedule stands after an epoch; all of it must survive a restart.

    Attributes:
      learning_rate: of the next epoch.
      best: lowest validation loss so far.
      wait: epochs since `best`, or since the last cut.
      cuts: how often the learning rate has been divided.
      improved: the last epoch set `best`.
      finished: the plateau after the last cut has been reached.
    """

    learning_rate: float
    best: float = math.inf
    wait: int = 0
    cuts: int = 0
    improved: bool = False
    finished: bool = False


def advance(state: ScheduleState, validation_loss: float, params: TrainParams) -> ScheduleState:
    """The state after one more epoch.

    The learning rate is divided by `cut_factor` when the loss has not fallen for `patience` epochs, `max_cuts`
    times at most; training ends at the next plateau (paper, section 4.4).

    Args:
      state: before the epoch.
      validation_loss: of the epoch; NaN counts as no improvement.
      params: `patience`, `cut_factor`, `max_cuts`.
    """
    if validation_loss < state.best:
        return dataclasses.replace(state, best=validation_loss, wait=0, improved=True)
    state = dataclasses.replace(state, wait=state.wait + 1, improved=False)
    if state.wait < params.patience:
        return state
    if state.cuts == params.max_cuts:
        return dataclasses.replace(state, finished=True)
    return dataclasses.replace(
        state, learning_rate=state.learning_rate / params.cut_factor, wait=0, cuts=state.cuts + 1
    )
