"""Searches for a system's best settings with keras-tuner; every trial is a run, trained by the train command.

    python -m tfmir.tune --flagfile=launch/tune.flags

Writes <output>/trials.md, trials.json and best.flags, which train accepts; TensorBoard: --logdir=<output>/runs. The
test split is not looked at. Interrupted, the same command goes on where it stopped. Several machines that share
<output> search together through keras-tuner's own environment variables (README, "Compare and tune").
"""

from __future__ import annotations

import dataclasses

from tfmir import command, files, folders
from tfmir.data.manifest import load_manifest
from tfmir.errors import UserError
from tfmir.fields import field, in_use
from tfmir.params import RunParams, SystemParams, check_system
from tfmir.train import DEMO_RECORDS, make_missing_demo

# The settings that can be searched over: those with a few values, and those with a range on a logarithmic scale.
CHOICES: dict[str, tuple[object, ...]] = {
    "batch_size": (16, 32, 64, 128),
    "negatives": ("random", "all", "semihard", "hard"),
}
_WEIGHTS = {"list_weight": (0.05, 1.0), "whole_weight": (0.02, 0.5)}
_TEMPERATURES = {"list_temperature": (0.05, 0.5), "whole_temperature": (0.05, 0.5)}
RANGES = {"margin": (0.05, 0.5), "learning_rate": (0.0005, 0.01), **_WEIGHTS, **_TEMPERATURES}
_NAMES = (*CHOICES, *RANGES)


@dataclasses.dataclass(frozen=True)
class TuneParams:
    """Flags of the command, beside those of the system."""

    records: str = field(DEMO_RECORDS, "directory of the record set", path=True)
    output: str = field("runs/tune", "directory of the trials and of the results", path=True)
    tuner: str = field("random", "how settings are chosen", choices=("random", "hyperband", "bayesian"))
    max_trials: int = field(20, "trials; hyperband decides by itself, from --epochs", lower=1)
    vary: str = field("margin,learning_rate,batch_size,negatives", f"what is searched over, of {', '.join(_NAMES)}")
    objective: str = field(
        "val_recall_1",
        "what is best: R@1 of the whole space or macro ROC-AUC on the validation split, or its loss, which cannot be "
        "compared across margins, weights and temperatures",
        choices=("val_recall_1", "val_roc_auc", "val_loss"),
    )
    settings: RunParams = RunParams()


def main(params: TuneParams) -> None:
    """Searches, and writes what was found."""
    check_system(params.settings.system)
    if files.is_remote(params.output):
        raise UserError(f"--output={params.output}: tune needs a local folder, or one that its workers share")
    names = [name.strip() for name in params.vary.split(",") if name.strip()]
    _check(names, params)
    if params.settings.training.precision == "auto":
        raise UserError("--precision=auto: trials that each measure for themselves cannot be compared: say which")
    from tfmir.training.cluster import refuse_cluster

    refuse_cluster("tune", "its trials are shared out by keras-tuner's own variables (README)")
    folders.require_writable("output", params.output)
    make_missing_demo(params.records)
    load_manifest(params.records)  # before TensorFlow is imported: wrong ones are told at once
    from tfmir.experiments.tuning import Tuning, tune

    tune(
        Tuning(
            params=params.settings,
            records=params.records,
            output=params.output,
            tuner=params.tuner,
            max_trials=params.max_trials,
            objective=params.objective,
            choices={name: CHOICES[name] for name in names if name in CHOICES},
            ranges={name: RANGES[name] for name in names if name in RANGES},
        )
    )


def _check(names: list[str], params: TuneParams) -> None:
    unknown = [name for name in names if name not in _NAMES]
    if unknown or not names:
        raise UserError(f"--vary={params.vary}: name at least one of {', '.join(_NAMES)}")
    system = params.settings.system.system
    of_system = {f.name for f in dataclasses.fields(SystemParams)} - set(in_use(params.settings.system, system))
    useless = [name for name in names if name in of_system]
    if useless:
        raise UserError(f"--vary: {useless[0]} means nothing to --system={system}: leave it out")
    if params.objective == "val_loss" and {"margin", *_WEIGHTS, *_TEMPERATURES} & set(names):
        raise UserError(
            "--objective=val_loss is not comparable across margins, weights and temperatures: take val_recall_1"
        )
    if params.tuner == "hyperband" and params.settings.training.schedule != "plateau":
        raise UserError("--tuner=hyperband gives good trials more epochs, which only --schedule=plateau allows")


if __name__ == "__main__":
    command.run(main, TuneParams, resumes=True)
