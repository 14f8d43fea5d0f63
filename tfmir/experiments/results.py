"""What a comparison has found, kept in one file from which its report can be made again."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

from tfmir import files
from tfmir.errors import UserError
from tfmir.experiments.columns import Summary
from tfmir.experiments.findings import Finding, from_json
from tfmir.experiments.made import Made

SCHEMA_VERSION = 3
_WITHOUT_CONTRASTS = 2  # as docs/comparison had it: its tables can be written again, and nothing else


@dataclasses.dataclass(frozen=True)
class Side:
    """What came of one way to ask: against the labels, or against the truth.

    Attributes:
      columns: column -> system -> the figure of each seed.
      contrasts: the findings, in the order of the contrasts' file.
      joint: the joint system against the best of the paper's, column by column.
    """

    columns: Summary
    contrasts: list[Finding] = dataclasses.field(default_factory=list)
    joint: list[Finding] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Results:
    """What a comparison has found: its `report.json`, from which its tables can be made again.

    Attributes:
      corpus: its name.
      tracks: size of the test split.
      notions: in order.
      switches: system -> whether it is `normalized` and `disentangled`; in the order of the rows.
      seeds: system -> seeds of its runs, in the order of the figures; empty if an earlier version did not keep them.
      aliases: system that was not trained -> the system that is the same function, whose figures it shares.
      labels: asked against the labels.
      truth: asked against the truth; None: it was not.
      made: how it was made; None if an earlier version did not keep it.
    """

    corpus: str
    tracks: int
    notions: list[str]
    switches: dict[str, dict[str, bool]]
    seeds: dict[str, list[int]]
    aliases: dict[str, str]
    labels: Side
    truth: Side | None = None
    made: Made | None = None
    schema_version: int = SCHEMA_VERSION


def load_results(path: str) -> Results:
    """The results in a comparison's `report.json`; those of version 2 have no contrasts.

    Raises:
      UserError: no such file, or not what `compare` writes.
    """
    if not pathlib.Path(path).is_file():
        raise UserError(f"--stored={path}: no such file: name the report.json of a comparison")
    value = files.read_json(path)
    if isinstance(value, dict) and "run" in value:
        raise UserError(
            f"--stored={path}: the report of a run, {value['run']}, and not of a comparison: name the report.json in "
            "the --output of compare"
        )
    found = value.get("schema_version") if isinstance(value, dict) else None
    if found not in (SCHEMA_VERSION, _WITHOUT_CONTRASTS):
        raise UserError(f"--stored={path}: schema version {found}, expected {SCHEMA_VERSION}: compare again")
    try:
        if found == _WITHOUT_CONTRASTS:
            columns = value.pop("columns")
            value |= {"seeds": {}, "aliases": {}, "labels": {"columns": columns}, "schema_version": SCHEMA_VERSION}
        sides = {name: _side(value.get(name)) for name in ("labels", "truth")}
        made = Made(**value["made"]) if value.get("made") else None
        return Results(**{**value, **sides, "made": made})
    except (KeyError, TypeError) as error:
        raise UserError(f"--stored={path}: a field is unknown or missing ({error}): compare again") from error


def _side(value: dict[str, Any] | None) -> Side | None:
    if value is None:
        return None
    findings = {name: [from_json(found) for found in value.get(name, [])] for name in ("contrasts", "joint")}
    return Side(**{**value, **findings})
