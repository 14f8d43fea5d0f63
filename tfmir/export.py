"""Exports a run as a versioned SavedModel with one signature per notion, for TensorFlow Serving.

python -m tfmir.export --run=runs/proxy
"""

from __future__ import annotations

import dataclasses
import pathlib

from tfmir import command, folders
from tfmir.fields import field
from tfmir.params import PRECISIONS
from tfmir.run_directory import trained_run


@dataclasses.dataclass(frozen=True)
class ExportParams:
    """Flags of the command."""

    run: str = field("", "run directory, such as runs/proxy", path=True)
    output: str = field("export/models", "folder of all exported models", path=True)
    name: str = field("tfmir", "name of the model, as TensorFlow Serving will call it")
    version: int = field(0, "version of the model; 0: the next one", lower=0)
    precision: str = field(
        "float32",
        "numbers of the encoder's arithmetic; inputs and outputs are float32. auto: the fastest on this machine",
        choices=PRECISIONS,
    )


def main(params: ExportParams) -> pathlib.Path:
    """Writes and checks one bundle."""
    run = trained_run(params.run)
    folders.require_writable("output", params.output)
    from tfmir.inference.weights import load_system
    from tfmir.model.precision import resolved
    from tfmir.serving.bundle import write_bundle

    precision = resolved(params.precision, run.params.network, training=False)
    path = write_bundle(
        load_system(run), run, output=params.output, name=params.name, version=params.version, precision=precision
    )
    print(f"bundle written to {path}; signatures: saved_model_cli show --dir {path} --all")
    return path


if __name__ == "__main__":
    command.run(main, ExportParams)
