"""What a comparison has found, kept in one file from which its report can be made again."""

from __future__ import annotations

import dataclasses
import pathlib

from tfmir import files
from tfmir.errors import UserError
from tfmir.experiments.columns import Summary

SCHEMA_VERSION = 2


@dataclasses.dataclass(frozen=True)
class Results:
    """What a comparison has found: its `report.json`, from which its tables can be made again.

    Attributes:
      corpus: its name.
      tracks: size of the test split.
      seeds: runs of each system.
      notions: in order.
      switches: system -> whether it is `normalized` and `disentangled`.
      columns: column -> system -> the figure of each seed.
    """

    corpus: str
    tracks: int
    seeds: int
    notions: list[str]
    switches: dict[str, dict[str, bool]]
    columns: Summary
    schema_version: int = SCHEMA_VERSION


def load_results(path: str) -> Results:
    """The results in a comparison's `report.json`.

    Raises:
      UserError: no such file, or not what `compare` writes.
    """
    if not pathlib.Path(path).is_file():
        raise UserError(f"--stored={path}: no such file: name the report.json of a comparison")
    value = files.read_json(path)
    found = value.get("schema_version") if isinstance(value, dict) else None
    if found != SCHEMA_VERSION:
        raise UserError(f"--stored={path}: schema version {found}, expected {SCHEMA_VERSION}: compare again")
    try:
        return Results(**value)
    except TypeError as error:
        raise UserError(f"--stored={path}: a field is unknown or missing ({error}): compare again") from error
