"""Tables and pictures in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table with a left column of names and right-aligned figures; a `|` in a name is no edge of a cell."""
    head = list(head)
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def pictures(captions: Mapping[str, str]) -> str:
    """A section of the pictures in `figures/`, by file name and caption; empty without any."""
    rows = [f"![{caption}](figures/{name})\n\n*{caption}.*\n" for name, caption in captions.items()]
    return "\n".join(["## Figures\n", *rows]) if rows else ""
