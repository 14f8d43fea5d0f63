"""keras-tuner over whole runs: a trial is a run directory, trained in its own process and measured on validation."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.engine import base_tuner
from keras_tuner.engine.trial import TrialStatus
from keras_tuner.src.distribute import utils as distribution

from tfmir import files, flags
from tfmir.data.run_records import records_of
from tfmir.errors import UserError
from tfmir.evaluation.retrieval import recall_at_k
from tfmir.evaluation.tagging import roc_auc
from tfmir.inference.tracks import embed_tracks
from tfmir.inference.weights import load_system
from tfmir.markdown import table
from tfmir.params import MAX_SEED, RunParams
from tfmir.run_directory import load_history, trained_run

_LOWER_IS_BETTER = ("val_loss",)
_HYPERBAND_FACTOR = 3
_ALL_TRIALS = 1_000_000
_OF_THE_TUNER = "tuner/"  # what hyperband adds to a trial's settings


@dataclasses.dataclass(frozen=True)
class Tuning:
    """What is searched for.

    Attributes:
      params: parameters of a run; the varied settings replace theirs.
      records: the record set.
      output: directory of the trials and of the results.
      tuner: random, hyperband or bayesian.
      max_trials: at most; hyperband decides by itself, from `params.training.epochs`.
      objective: val_recall_1, val_roc_auc or val_loss.
      choices: setting -> the values it may take.
      ranges: setting -> its lowest and highest value, on a logarithmic scale.
    """

    params: RunParams
    records: str
    output: str
    tuner: str
    max_trials: int
    objective: str
    choices: dict[str, tuple[Any, ...]]
    ranges: dict[str, tuple[float, float]]

    @property
    def runs(self) -> pathlib.Path:
        """Where the trials' run directories and logs are."""
        return pathlib.Path(self.output) / "runs"


class RunTuner(base_tuner.BaseTuner):
    """Trains a run for every trial and reports the figures of its best weights on the validation split.

    Args:
      wanted: what is searched for.
      oracle: chooses the settings.
    """

    def __init__(self, wanted: Tuning, oracle: keras_tuner.Oracle):
        super().__init__(oracle, directory=wanted.output, project_name="oracle")
        self.wanted = wanted

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Trains one setting; a trial that was interrupted goes on in its own directory."""
        values = dict(trial.hyperparameters.values)
        run = self.wanted.runs / trial.trial_id
        log = self.wanted.runs / f"{trial.trial_id}.log"
        earlier = values.get(f"{_OF_THE_TUNER}trial_id")
        if earlier and not run.exists():
            _copy(run.with_name(earlier), run)  # hyperband goes on with a good trial's weights
        self.wanted.runs.mkdir(parents=True, exist_ok=True)
        print(f"trial {trial.trial_id}: {_described(_settings(values))}; log: {log}")
        with log.open("ab") as file:
            command = [sys.executable, "-m", "tfmir.train", *self._flags(values), f"--run={run}"]
            result = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False)
        if result.returncode:
            lines = log.read_text(errors="replace").strip().splitlines() or ["no output"]
            print(f"trial {trial.trial_id} failed: {lines[-1]} (all of it: {log})", file=sys.stderr)
            raise keras_tuner.errors.FailedTrialError(lines[-1])
        figures = validation_figures(str(run))
        print(f"trial {trial.trial_id}: {_described(figures)}")
        return figures

    def _flags(self, values: Mapping[str, Any]) -> list[str]:
        chosen = _settings(values)
        if values.get(f"{_OF_THE_TUNER}epochs"):
            chosen["epochs"] = int(values[f"{_OF_THE_TUNER}epochs"])
        return _argv(self.wanted, chosen)


def tune(wanted: Tuning) -> None:
    """Runs the search to its end and writes its results; as one worker of several, runs trials and writes none.

    Raises:
      UserError: no trial has succeeded, or the directory holds another search.
    """
    output = pathlib.Path(wanted.output)
    _claim(output, wanted)
    tuner = RunTuner(wanted, _oracle(wanted))
    tuner.save()  # a search that is interrupted in its first trial would otherwise draw other settings for it
    try:
        tuner.search()
    except RuntimeError as error:  # too many failures in a row
        raise UserError(f"{output}: {error} See the logs in {wanted.runs}") from error
    if distribution.has_chief_oracle() and not distribution.is_chief_oracle():
        return  # a worker may end before the others: the chief writes the results
    found = tuner.oracle.get_best_trials(_ALL_TRIALS)
    trials = [trial for trial in found if trial.status == TrialStatus.COMPLETED]
    if not trials:
        raise UserError(f"{output}: no trial has succeeded: see the logs in {wanted.runs}")
    rows = [_row(trial) for trial in trials]
    text = table(rows[0], [list(map(_cell, row.values())) for row in rows])
    best = _argv(wanted, {name: rows[0][name] for name in (*wanted.choices, *wanted.ranges)})
    comment = f"# Found by tfmir.tune: {wanted.objective} {rows[0][wanted.objective]:.4f}, {len(trials)} trials."
    files.write_json(output / "trials.json", rows)
    files.write_text(output / "trials.md", text)
    files.write_text(output / "best.flags", "\n".join([comment, *best]) + "\n")
    print(f"\n{text}\nbest setting: {output / 'best.flags'}; TensorBoard: tensorboard --logdir={wanted.runs}")


def validation_figures(run_path: str) -> dict[str, float]:
    """R@1 of the whole space, macro ROC-AUC and the lowest loss of a run's best weights on the validation split."""
    run, manifest = records_of(trained_run(run_path))
    system = load_system(run)
    tracks = embed_tracks(system, run.records, manifest, "validation")
    return {
        "val_recall_1": float(recall_at_k(tracks.embeddings, tracks.labels, ks=(1,)).mean()),
        "val_roc_auc": float(np.nanmean(roc_auc(tracks.labels, system.scores(tracks.embeddings).numpy()))),
        "val_loss": min(row["val_loss"] for row in load_history(run)),
    }


def _oracle(wanted: Tuning) -> keras_tuner.Oracle:
    space = keras_tuner.HyperParameters()
    for name, values in wanted.choices.items():
        space.Choice(name, list(values))
    for name, (lowest, highest) in wanted.ranges.items():
        space.Float(name, lowest, highest, sampling="log")
    direction = "min" if wanted.objective in _LOWER_IS_BETTER else "max"
    common = {
        "objective": keras_tuner.Objective(wanted.objective, direction),
        "hyperparameters": space,
        "tune_new_entries": False,
        "seed": wanted.params.training.seed % MAX_SEED + 1,  # 0 would be no seed; from 1 to the largest
    }
    if wanted.tuner == "hyperband":
        epochs = wanted.params.training.epochs
        return keras_tuner.oracles.HyperbandOracle(max_epochs=epochs, factor=_HYPERBAND_FACTOR, **common)
    if wanted.tuner == "random":
        return keras_tuner.oracles.RandomSearchOracle(max_trials=wanted.max_trials, **common)
    # A third of the trials are drawn at random before the model of the objective is trusted.
    first = max(2, wanted.max_trials // 3)
    return keras_tuner.oracles.BayesianOptimizationOracle(
        max_trials=wanted.max_trials, num_initial_points=first, **common
    )


def _copy(source: pathlib.Path, target: pathlib.Path) -> None:
    """Copies a run directory, which becomes visible when it is whole."""
    temporary = target.with_name(f".{target.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(source, temporary)
    temporary.rename(target)


def _claim(output: pathlib.Path, wanted: Tuning) -> None:
    """Refuses to go on with a search of other settings; more trials are the same search."""
    note = output / "search.json"
    asked = json.loads(json.dumps(dataclasses.asdict(wanted) | {"output": "", "max_trials": 0}))
    if note.exists() and files.read_json(note) != asked:
        raise UserError(f"--output={output} holds another search: choose another directory, or remove that one")
    files.write_json(note, asked)


def _row(trial: Any) -> dict[str, Any]:
    figures = {name: trial.metrics.get_best_value(name) for name in trial.metrics.metrics}
    return {"trial": trial.trial_id, **_settings(trial.hyperparameters.values), **figures}


def _settings(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if not name.startswith(_OF_THE_TUNER)}


def _argv(wanted: Tuning, chosen: Mapping[str, Any]) -> list[str]:
    """The flags of a run with some settings chosen."""
    given = [word for word in flags.to_argv(wanted.params) if word.lstrip("-").split("=")[0] not in chosen]
    return [f"--records={wanted.records}", *given, *(f"--{name}={value}" for name, value in chosen.items())]


def _described(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_cell(value)}" for name, value in values.items())


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
