"""The contrasts of a comparison: differences between two systems for or against a claim, named before any run.

They stand in a CSV, one a line (`docs/comparison/contrasts.csv`):

    id, claim, section   a short name, what is claimed, and where the paper says it
    primary              yes: one of the few that decide, corrected together; no: beside them, without correction
    more, less           the two systems, whose difference is in question
    column, against      the difference is `column` of `more` minus `against` of `less`; empty: the same column
    kind, margin         more: it should be above 0; agree: it should lie within ± margin

Either name of a function that has two (`systems.ALIASES`) will do.
"""

from __future__ import annotations

import csv
import dataclasses
import os
from collections.abc import Collection, Sequence

from tfmir import resources
from tfmir.errors import UserError
from tfmir.experiments.columns import is_column
from tfmir.experiments.systems import ALIASES

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


def load_contrasts(path: str, *, launch: str = "launch") -> list[Contrast]:
    """The contrasts in a CSV, in its order.

    Args:
      path: path of the file, or of one that comes with tfmir (`docs/comparison/contrasts.csv`); empty: none.
      launch: directory of the systems' flag files, beside those that come with tfmir.

    Raises:
      UserError: no such file, another header, a line that is no contrast, or an id that stands twice; names the line.
    """
    if not path:
        return []
    found: dict[str, Contrast] = {}
    try:
        with open(resources.find(path), newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            _refuse_other_columns(reader.fieldnames or [], f"--contrasts={path}, line 1")
            for row in reader:
                where = f"--contrasts={path}, line {reader.line_num}"
                contrast = _contrast(row, where)
                _refuse_impossible(contrast, launch, where)
                if contrast.id in found:
                    raise UserError(f"{where}: id {contrast.id!r} stands twice")
                found[contrast.id] = contrast
    except FileNotFoundError as error:
        raise UserError(f"--contrasts={path}: no such file") from error
    return list(found.values())


def of_trained(contrasts: Sequence[Contrast], trained: Collection[str]) -> list[Contrast]:
    """The contrasts with the names of the systems that were trained, where a function has two."""
    names = {alias: system for alias, system in ALIASES.items() if alias not in trained and system in trained}
    names |= {system: alias for alias, system in ALIASES.items() if system not in trained and alias in trained}
    return [dataclasses.replace(c, more=names.get(c.more, c.more), less=names.get(c.less, c.less)) for c in contrasts]


def _refuse_other_columns(header: Sequence[str], where: str) -> None:
    names = [field.name for field in dataclasses.fields(Contrast)]
    missing, unknown = ([n for n in these if n not in those] for these, those in ((names, header), (header, names)))
    if missing or unknown or len(header) > len(names):
        told = [f"lacks {', '.join(missing)}"] if missing else []
        told += [f"has an unknown {', '.join(map(repr, unknown))}"] if unknown else []
        raise UserError(f"{where}: the header {' and '.join(told) or 'names a column twice'}: it is {','.join(names)}")


def _refuse_impossible(contrast: Contrast, launch: str, where: str) -> None:
    """What no comparison can judge."""
    for name in ("more", "less"):
        paths = [f"{folder}/{getattr(contrast, name)}.flags" for folder in (launch, "launch")]
        if not any(os.path.exists(resources.find(path)) for path in paths):
            raise UserError(f"{where}: {name} is {getattr(contrast, name)!r}, but there is no flag file {paths[0]}")
    for name, column in zip(("column", "against"), contrast.columns, strict=True):
        if not is_column(column):
            raise UserError(f"{where}: {name} is {column!r}, which is no column of a comparison")
    more, less = (ALIASES.get(system, system) for system in (contrast.more, contrast.less))
    if more == less and len(set(contrast.columns)) == 1:
        one = f"{contrast.more} and {contrast.less}, one function," if contrast.more != contrast.less else more
        raise UserError(f"{where}: {one} cannot be compared with itself in one column: name another in against")


def _contrast(row: dict[str, str], where: str) -> Contrast:
    if None in row or None in row.values():
        raise UserError(f"{where}: has {'more' if None in row else 'fewer'} cells than the header")
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
