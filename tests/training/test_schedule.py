import math

import pytest

from tfmir.params import TrainParams
from tfmir.training.schedule import ScheduleState, advance

PARAMS = TrainParams(learning_rate=1.0, patience=2, cut_factor=5.0, max_cuts=2)


def run(losses, state=None):
    state = state or ScheduleState(1.0)
    states = []
    for loss in losses:
        state = advance(state, loss, PARAMS)
        states.append(state)
    return states


def test_the_rate_falls_when_the_loss_has_not_fallen_for_patience_epochs():
    """5 4 is progress; 4 4 are two epochs without: cut to 1/5. Then 3 is progress again."""
    states = run([5, 4, 4, 4, 3])
    assert [state.learning_rate for state in states] == [1.0, 1.0, 1.0, 0.2, 0.2]
    assert [state.improved for state in states] == [True, True, False, False, True]
    assert [state.wait for state in states] == [0, 0, 1, 0, 0]


def test_training_ends_at_the_plateau_after_the_last_cut():
    states = run([1, 1, 1, 1, 1, 1, 1])
    assert [state.cuts for state in states] == [0, 0, 1, 1, 2, 2, 2]
    assert [state.finished for state in states] == [False] * 6 + [True]
    assert states[-1].learning_rate == pytest.approx(1 / 25)


def test_nan_is_no_improvement():
    assert not run([math.nan])[0].improved


def test_the_papers_schedule_has_five_cuts_of_five_after_ten_epochs():
    state = ScheduleState(0.005)
    epochs = 0
    while not state.finished:
        state = advance(state, 1.0, TrainParams())
        epochs += 1
    assert epochs == 1 + 6 * 10
    assert state.learning_rate == pytest.approx(0.005 / 5**5)


def test_cosine_ends_at_nothing_whatever_the_loss_does():
    """Four epochs: (1 + cos(k·45°)) / 2 for k = 0, 1, 2, 3."""
    params = TrainParams(learning_rate=2.0, schedule="cosine", epochs=4, patience=1, max_cuts=0)
    state, rates = ScheduleState(2.0), [2.0]
    for loss in [3, math.nan, 5, 2]:
        state = advance(state, loss, params)
        rates.append(state.learning_rate)
    half = math.sqrt(0.5)
    assert rates == pytest.approx([2.0, 1 + half, 1.0, 1 - half, 0.0])
    assert (state.best, state.improved, state.finished) == (2, True, False)
