"""The contrasts of a comparison: differences between two systems for or against a claim, named before any run.

They stand in a CSV, one a line (`docs/comparison/contrasts.csv`):

    id, claim, section   a short name, what is claimed, and where the paper says it
    primary              yes: one of the few that decide, corrected together; no: beside them, without correction
    more, less           the two systems, whose difference is in question
    column, against      the difference is `column` of `more` minus `against` of `less`; empty: the same column
    kind, margin         more: it should be above 0; agree: it should lie within ± margin
"""

from __future__ import annotations

import csv
import dataclasses

from tfmir import resources
from tfmir.errors import UserError

MORE, AGREE = "more", "agree"
_PRIMARY = {"yes": True, "no": False}


@dataclasses.dataclass(frozen=True)
class Contrast:
    """One line of the file; see this module's docstring."""

    id: str
    claim: str
    section: str
    more: str
    less: str
    column: str
    against: str = ""
    kind: str = MORE
    margin: float = 0.0
    primary: bool = False

    @property
    def columns(self) -> tuple[str, str]:
        """Column of `more`, column of `less`."""
        return self.column, self.against or self.column

    @property
    def name(self) -> str:
        """The difference in words."""
        if self.more == self.less:
            return f"{self.more}, {self.column} − {self.columns[1]}"
        other = f", {self.against}" if self.against else ""
        return f"{self.more} − {self.less}{other}, {self.column}"


def load_contrasts(path: str) -> list[Contrast]:
    """The contrasts in a CSV, in its order.

    Args:
      path: path of the file, or of one that comes with tfmir (`docs/comparison/contrasts.csv`); empty: none.

    Raises:
      UserError: no such file, a line that is no contrast, or an id that stands twice; names the line.
    """
    if not path:
        return []
    found: dict[str, Contrast] = {}
    try:
        with open(resources.find(path), newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            for row in reader:
                contrast = _contrast(row, f"--contrasts={path}, line {reader.line_num}")
                if contrast.id in found:
                    raise UserError(f"--contrasts={path}, line {reader.line_num}: id {contrast.id!r} stands twice")
                found[contrast.id] = contrast
    except FileNotFoundError as error:
        raise UserError(f"--contrasts={path}: no such file") from error
    return list(found.values())


def _contrast(row: dict[str, str], where: str) -> Contrast:
    names = [field.name for field in dataclasses.fields(Contrast)]
    if set(row) != set(names) or None in row.values():
        raise UserError(f"{where}: needs the columns {', '.join(names)}, below a header that names them")
    for name, allowed in (("primary", tuple(_PRIMARY)), ("kind", (MORE, AGREE))):
        if row[name] not in allowed:
            raise UserError(f"{where}: {name} is {row[name]!r}, expected {' or '.join(allowed)}")
    empty = [name for name in ("id", "claim", "more", "less", "column") if not row[name]]
    if empty:
        raise UserError(f"{where}: {empty[0]} is empty")
    margin = _margin(row["margin"], where) if row["kind"] == AGREE else 0.0
    return Contrast(**{**row, "primary": _PRIMARY[row["primary"]], "margin": margin})  # type: ignore[arg-type]


def _margin(text: str, where: str) -> float:
    try:
        margin = float(text)
    except ValueError:
        margin = 0.0
    if not margin > 0:
        raise UserError(f"{where}: margin is {text!r}: kind agree needs a number above 0, such as 0.02")
    return margin
