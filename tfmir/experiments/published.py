"""Published figures, to stand beside ours."""

from __future__ import annotations

import csv
from collections.abc import Mapping

from tfmir import resources
from tfmir.errors import UserError

# Column -> system -> what was published.
Published = Mapping[str, Mapping[str, float]]


def load_published(path: str) -> Published:
    """Published figures from a CSV with a header `system,column,value`: a system, a column of the report, a number.

    A system that is not in the comparison, such as a tagger of the paper's Table 2, gets a row of its own.

    Args:
      path: path of the file, or of one that comes with tfmir (`docs/comparison/published.csv`); empty: none.

    Raises:
      UserError: no such file, another header, or a value that is no number; names the line.
    """
    published: dict[str, dict[str, float]] = {}
    if not path:
        return published
    try:
        with open(resources.find(path), newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            for row in reader:
                try:
                    published.setdefault(row["column"], {})[row["system"]] = float(row["value"])
                except (KeyError, TypeError, ValueError) as error:
                    found = ", ".join(map(str, row.values()))
                    raise UserError(
                        f"--published={path}, line {reader.line_num}: found {found}: needs a system, a column and a "
                        "number below the header system,column,value"
                    ) from error
    except FileNotFoundError as error:
        raise UserError(f"--published={path}: no such file") from error
    return published
