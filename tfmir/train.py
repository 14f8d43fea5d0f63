"""Trains a system: shards in, a run directory out.

    python -m tfmir.train --flagfile=launch/proxy.flags

Interrupted at any moment, the same command goes on where it stopped and ends with the same weights.
"""

from __future__ import annotations

import dataclasses
import os
import sys

from tfmir import flags
from tfmir.errors import UserError
from tfmir.params import RunParams, check_system, field

DEMO_RECORDS = "tfrecords/demo"


@dataclasses.dataclass(frozen=True)
class TrainCommand:
    """Flags of the command."""

    records: str = field(DEMO_RECORDS, "directory of the record set; the demo's is built if it is not there")
    run: str = field("", "run directory (default: runs/<name of the flag file>)")
    params: RunParams = RunParams()


def main(command: TrainCommand) -> None:
    """Trains, or goes on training, one run."""
    if not command.run:
        raise UserError(
            "no run given: name it with --run=runs/<name>, or take a flag file: --flagfile=launch/proxy.flags"
        )
    if command.records == DEMO_RECORDS and not os.path.exists(f"{command.records}/manifest.json"):
        from tfmir import prepare

        prepare.build(prepare.PrepareParams(corpus="demo", output=command.records))
    from tfmir.data.records import check_features, load_manifest
    from tfmir.training.loop import train
    from tfmir.training.run_directory import locked, open_run

    manifest = load_manifest(command.records)
    check_features(manifest, command.params.features, source=command.records)
    check_system(command.params.system)
    if command.params.system.disentangled:
        manifest.vocabulary.subspace_dim(command.params.encoder.embedding_dim)
    run = open_run(command.run, command.params, manifest, records=command.records)
    with locked(run):
        (run.path / "flags.txt").write_text(" ".join(sys.argv[1:]) + "\n", encoding="utf-8")
        train(run, manifest)


if __name__ == "__main__":
    flags.run(main, TrainCommand)
