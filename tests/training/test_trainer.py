import socket
import threading

import pytest

from tfmir.errors import UserError
from tfmir.training import trainer as trainer_module
from tfmir.training.cluster import ALONE, Cluster
from tfmir.training.lines import Lines
from tfmir.training.trainer import is_trainer, joined

TWO = Cluster(("a:1", "b:1"), 1)


def test_alone_nothing_is_asked():
    with joined(ALONE) as trainer:
        trainer.agree(lambda: pytest.fail("nobody wants to know"))
        trainer.started()
    assert not is_trainer()


def test_a_cluster_without_a_supervisor_is_refused():
    with (
        pytest.raises(UserError, match="^TF_CONFIG names several machines, on which only python -m tfmir.train trains"),
        joined(TWO),
    ):
        pass


@pytest.fixture
def supervisor(monkeypatch):
    """The other end of the line of this process."""
    ours, theirs = socket.socketpair()
    monkeypatch.setenv(trainer_module.DESCRIPTOR, str(theirs.detach()))
    with ours:
        yield Lines(ours)


def test_it_waits_for_the_others_before_and_after(supervisor):
    said = []

    def answer():
        for word in ("go", None, "bye"):
            said.append(supervisor.receive(5.0))
            supervisor.send(beat=True)
            if word:
                supervisor.send(**{word: True})

    thread = threading.Thread(target=answer)
    thread.start()
    with joined(TWO) as trainer:
        trainer.agree(lambda: {"--seed": 0})
        assert said == [{"facts": {"--seed": 0}}]
        trainer.started()
    thread.join(timeout=5)
    assert said[1:] == [{"started": True}, {"done": True}]


@pytest.mark.parametrize(
    ("error", "why"),
    [(UserError("no such shard"), "no such shard"), (ValueError("two\nlines"), "ValueError: two")],
)
def test_why_it_ends_is_told_in_one_line(supervisor, error, why):
    with pytest.raises(type(error)), joined(TWO):
        raise error
    assert supervisor.receive(1.0) == {"end": why}
