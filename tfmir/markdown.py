"""Tables and pictures in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_FIGURE = re.compile(r"[*<\[ ]*[+-]?\d")
_NOTHING = ("", "–")


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table with a left column of names; a `|` in a name is no edge of a cell.

    Further columns are right-aligned if most of their cells are figures, or nothing is in them.
    """
    head, cells = list(head), [list(row) for row in rows]
    further = [[row[column] for row in cells] for column in range(1, len(head))]
    lines = [head, ["---", *("---:" if _holds_figures(column) else "---" for column in further)], *cells]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def _holds_figures(column: list[str]) -> bool:
    told = [cell for cell in column if cell not in _NOTHING]
    return 2 * sum(bool(_FIGURE.match(cell)) for cell in told) >= len(told)


def pictures(captions: Mapping[str, str]) -> str:
    """A section of the pictures in `figures/`, by file name and caption; empty without any."""
    rows = [f"![{caption}](figures/{name})\n\n*{caption}.*\n" for name, caption in captions.items()]
    return "\n".join(["## Figures\n", *rows]) if rows else ""
