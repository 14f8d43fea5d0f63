import pytest

from tfmir.serving import transport
from tfmir.serving.transport import ServerError, retrying


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only in pauses, each of them as long as it may be."""
    now, pauses = [0.0], []

    def sleep(seconds):
        pauses.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(transport.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(transport.time, "sleep", sleep)
    monkeypatch.setattr(transport.random, "uniform", lambda low, high: high)
    return pauses


def failing(*codes):
    """Fails with these codes, then answers; keeps the seconds that were left to each try."""
    left, waiting = [], list(codes)

    def call(seconds):
        left.append(seconds)
        if waiting:
            raise ServerError(waiting.pop(0), "no")
        return "answer"

    return call, left


def test_a_server_that_is_away_or_full_is_asked_again_after_growing_pauses(clock):
    """0.1 + 0.2 + 0.4 s of pauses; the fourth try has what is left of ten seconds."""
    call, left = failing("UNAVAILABLE", "RESOURCE_EXHAUSTED", "UNAVAILABLE")
    assert retrying(call, timeout_s=10) == "answer"
    assert clock == [0.1, 0.2, 0.4]
    assert left == pytest.approx([10, 9.9, 9.7, 9.3])


@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "NOT_FOUND", "DEADLINE_EXCEEDED", "UNKNOWN", "TOO_LARGE"])
def test_what_another_try_would_not_mend_is_told_at_once(clock, code):
    call, left = failing(code)
    with pytest.raises(ServerError) as caught:
        retrying(call, timeout_s=10)
    assert (caught.value.code, clock, len(left)) == (code, [], 1)


def test_tries_end_with_the_time(clock):
    """0.1 + 0.2 + 0.4 + 0.8 + 1.6 = 3.1 s; the next pause, 3.2 s, would end after six seconds."""
    call, left = failing(*["UNAVAILABLE"] * 99)
    with pytest.raises(ServerError):
        retrying(call, timeout_s=6)
    assert clock == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6])
    assert min(left) > 0


def test_pauses_do_not_grow_beyond_five_seconds(clock):
    with pytest.raises(ServerError):
        retrying(failing(*["UNAVAILABLE"] * 99)[0], timeout_s=60)
    assert max(clock) == 5.0


def test_patience_is_for_a_server_that_is_away_not_for_one_that_is_full(clock):
    with pytest.raises(ServerError):
        retrying(failing(*["UNAVAILABLE"] * 99)[0], timeout_s=60, patience_s=1)
    assert sum(clock) < 1
    assert retrying(failing(*["RESOURCE_EXHAUSTED"] * 6)[0], timeout_s=60, patience_s=1) == "answer"
