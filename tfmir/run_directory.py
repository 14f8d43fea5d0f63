"""A training run on disk: what was asked for, the best weights, and where to resume.

params.json        parameters, vocabulary and record set        flags.txt     the command line
best.weights.h5    lowest validation loss                        history.csv   one row an epoch
backup/            weights, optimiser and schedule of the last finished epoch
logs/              TensorBoard                                   report.json   written by evaluate
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
from typing import Any

from tfmir import files
from tfmir.errors import UserError
from tfmir.fields import from_dict, to_dict
from tfmir.params import RunParams
from tfmir.vocabulary import Vocabulary

# A run may be given more epochs or other devices when it is resumed; anything else would make it another run.
# (Where the learning rate depends on the number of epochs, another number is another run too.)
_MAY_CHANGE = {"plateau": {"epochs", "replicas"}, "cosine": {"replicas"}}


@dataclasses.dataclass(frozen=True)
class Run:
    """Everything a later stage needs to know of a run.

    Attributes:
      path: the run directory.
      params: how the system was built and trained.
      vocabulary: tags and notions, as in the records.
      records: the directory of the record set.
      corpus: name of the corpus.
      licence: licence of the corpus; travels into exported models.
      fingerprint: of the records, wherever they are; empty in a run of version 0.1.0.
    """

    path: files.Path
    params: RunParams
    vocabulary: Vocabulary
    records: str
    corpus: str
    licence: str
    fingerprint: str = ""

    @property
    def best_weights(self) -> files.Path:
        """Weights of the epoch with the lowest validation loss."""
        return self.path / "best.weights.h5"


def open_run(run: Run) -> None:
    """Starts a run directory, or goes on with the one that is there if it is the same run.

    Raises:
      UserError: the directory holds a run of another setting; names the first difference.
    """
    refuse_other_run(run)
    path, asked = run.path / "params.json", _to_json(run)
    if not path.exists() or files.read_json(path) != asked:
        files.write_json(path, asked)


def refuse_other_run(run: Run) -> None:
    """Leaves a directory alone that holds none, or this one.

    Raises:
      UserError: the directory holds a run of another setting; names the first difference.
    """
    if (run.path / "params.json").exists():
        _refuse_difference(load_run(str(run.path)), run)


def locked(run: Run) -> contextlib.AbstractContextManager[None]:
    """Keeps other processes from training or evaluating the same run.

    Raises:
      UserError: another process does.
    """
    busy = f"--run={run.path}: another process is training or evaluating it: wait for it, or end it"
    return files.locked(run.path / ".lock", busy=busy)


def load_run(path: str) -> Run:
    """The run in a directory.

    Raises:
      UserError: no run there, or one of another version.
    """
    source = files.to_path(path) / "params.json"
    if not path:
        raise UserError("no run given: name it with --run=runs/<name>")
    if not source.exists():
        raise UserError(f"--run={path}: there is no params.json in it: train first, or name the directory of a run")
    stored = files.read_json(source)
    try:
        return Run(
            path=files.to_path(path),
            params=from_dict(RunParams, stored["params"], source=str(source)),
            vocabulary=Vocabulary.from_dict(stored["vocabulary"]),
            records=stored["records"],
            corpus=stored["corpus"],
            licence=stored["licence"],
            fingerprint=stored.get("fingerprint", ""),
        )
    except (KeyError, TypeError) as error:
        raise UserError(f"{source}: not what this version of tfmir writes ({error!r}): train again") from error


def trained_run(path: str) -> Run:
    """As `load_run`, and refuses a run without weights."""
    run = load_run(path)
    if not run.best_weights.exists():
        raise UserError(f"--run={path}: no {run.best_weights.name} yet: train it for an epoch at least")
    return run


def load_history(run: Run) -> list[dict[str, float]]:
    """One row an epoch, as `history.csv` has them; empty before the first."""
    path = run.path / "history.csv"
    if not path.exists():
        return []
    rows = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
    return [{name: float(value) for name, value in row.items()} for row in rows]


def _to_json(run: Run) -> dict[str, Any]:
    return {
        "params": to_dict(run.params),
        "vocabulary": run.vocabulary.to_dict(),
        "records": run.records,
        "corpus": run.corpus,
        "licence": run.licence,
        "fingerprint": run.fingerprint,
    }


def _refuse_difference(found: Run, asked: Run) -> None:
    may_change = _MAY_CHANGE[asked.params.training.schedule] | ({"records"} if found.fingerprint else {"fingerprint"})
    before, now = _flatten(_to_json(found)), _flatten(_to_json(asked))
    for name in sorted({*before, *now}, key=lambda name: (name != "fingerprint", name)):
        if name.split(".")[-1] in may_change or before.get(name) == now.get(name):
            continue
        if name == "fingerprint":
            raise UserError(
                f"--run={asked.path} was trained on other records than those in {asked.records}: name its own with "
                "--records, choose another --run, or remove that directory"
            )
        raise UserError(
            f"--run={asked.path} holds another run: its {name} is {before.get(name)}, asked for {now.get(name)}: "
            "choose another --run, or remove that directory"
        )


def _flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {prefix: value}
    flat = {}
    for key, inner in value.items():
        flat.update(_flatten(inner, f"{prefix}.{key}" if prefix else key))
    return flat
