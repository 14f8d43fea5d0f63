"""Trains a system: shards in, a run directory out.

    python -m tfmir.train --flagfile=launch/proxy.flags

Interrupted at any moment, the same command goes on where it stopped and ends with the same weights. On several
machines the same command is given on each, with TF_CONFIG set (docs/clusters.md).
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Sequence

from tfmir import command, folders
from tfmir.data.manifest import MANIFEST
from tfmir.errors import UserError
from tfmir.fields import field
from tfmir.params import RunParams

DEMO_RECORDS = "tfrecords/demo"


@dataclasses.dataclass(frozen=True)
class TrainCommand:
    """Flags of the command."""

    records: str = field(DEMO_RECORDS, "directory of the record set; the demo's is built if it is not there", path=True)
    run: str = field("", "run directory (default: runs/<name of the flag file>, and that of the corpus)", path=True)
    peer_timeout: float = field(
        300.0,
        "seconds that another machine of a cluster (TF_CONFIG) may be missing at the start, or silent later",
        above=0.0,
    )
    settings: RunParams = RunParams()


def main(params: TrainCommand) -> None:
    """Trains, or goes on training, one run."""
    train(params, sys.argv[1:])


def train(params: TrainCommand, command_line: Sequence[str]) -> None:
    """Trains, or goes on training, one run; the command line is kept in it.

    Raises:
      UserError: no run is named, or what is asked for cannot be trained.
    """
    if not params.run:
        raise UserError(
            "no run given: name it with --run=runs/<name>, or take a flag file: --flagfile=launch/proxy.flags"
        )
    # Wrong paths and settings are told here, before TensorFlow is imported, which takes seconds.
    folders.require_writable("run", params.run)
    from tfmir.training.asked import asked_run
    from tfmir.training.cluster import read_cluster

    cluster = read_cluster()
    precision = params.settings.training.precision
    if cluster.several and precision in ("float16", "auto"):
        # Of float16, Keras asks each machine by itself whether a step has overflowed, before the gradients are summed:
        # machines that decide differently would wait for each other for ever. What is measured may differ, too.
        raise UserError(
            f"--precision={precision} is for one machine only: say float32 or bfloat16 on several (TF_CONFIG)"
        )
    if not cluster.several:  # machines that share a folder would all make it there
        make_missing_demo(params.records)
    asked_run(params.run, params.settings, params.records)
    if cluster.several:
        from tfmir.training.supervisor import supervise
        from tfmir.training.trainer import is_trainer, leave_signals_to_supervisor

        if not is_trainer():
            words = [sys.executable, "-m", "tfmir.train", *command_line]
            return supervise(cluster, words, timeout_secs=params.peer_timeout)
        leave_signals_to_supervisor()
    from tfmir.training.loop import start

    start(params.run, params.settings, params.records, command_line=command_line)
    return None


def make_missing_demo(records: str) -> None:
    """Makes the demo's records where they are asked for and not there; any others are the user's own."""
    if records == DEMO_RECORDS and not os.path.exists(f"{records}/{MANIFEST}"):
        from tfmir import prepare

        prepare.build(prepare.PrepareParams(corpus="demo", output=records))


if __name__ == "__main__":
    command.run(main, TrainCommand, resumes=True)
