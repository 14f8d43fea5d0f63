"""Trains a run and evaluates it in one process, each as its own command does: TensorFlow is loaded once, not twice.

    python -m tfmir.train_and_evaluate --run=runs/a --train=--flagfile=launch/proxy.flags --evaluate=--nofigures

What compare starts for every run. Interrupted at any moment, the same command goes on where it stopped.
"""

from __future__ import annotations

import dataclasses
import shlex

from tfmir import command, evaluate, train
from tfmir.errors import UserError
from tfmir.fields import field
from tfmir.flags import parse


@dataclasses.dataclass(frozen=True)
class TrainAndEvaluateParams:
    """Flags of the command."""

    run: str = field("", "run directory, such as runs/proxy", path=True)
    train: str = field("", "flags of tfmir.train but --run, with blanks between them, in quotes as in a shell")
    evaluate: str = field("", "flags of tfmir.evaluate but --run, likewise")


def main(params: TrainAndEvaluateParams) -> None:
    """Trains or goes on training, then evaluates; the flags of both are looked at before anything is done."""
    from tfmir.training.cluster import refuse_cluster

    refuse_cluster("train_and_evaluate", "give tfmir.train on each, and tfmir.evaluate on one of them afterwards")
    if not params.run:
        raise UserError("no run given: name it with --run=runs/<name>")
    run = f"--run={params.run}"
    words = [*shlex.split(params.train), run]
    training = parse(["tfmir.train", *words], train.TrainCommand)
    evaluation = parse(["tfmir.evaluate", *shlex.split(params.evaluate), run], evaluate.EvaluateParams)
    train.train(training, words)
    evaluate.main(evaluation)


if __name__ == "__main__":
    command.run(main, TrainAndEvaluateParams, resumes=True)
