"""A comparison as Markdown: the paper's tables in its own arrangement, what goes beyond them, and its contrasts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from tfmir.errors import UserError
from tfmir.experiments.columns import LOWER_IS_BETTER, mean_or_none, tables, triplet_columns
from tfmir.experiments.contrast_tables import findings_sections
from tfmir.experiments.published import Published
from tfmir.experiments.results import Results, Side
from tfmir.markdown import table

_PREFACE = """Mean ± standard deviation over {seeds}; the best mean of a column is bold. Corpus: {corpus},
{tracks} test tracks. Times are those of training and validation over the fastest system's; on a machine that does other
things too, only the CPU time can be compared. R@k is by inner product, triplets are by cosine; for all systems but
`classification_plain` the two are one.
"""
_OTHER_DATA = """Columns marked "published" hold figures of other data: compare their order with ours, not their size.
Rows without figures of ours are of systems that are not in this comparison.
"""
_ALIAS = """`{alias}` and `{system}` are one function, which was trained once: both rows show its figures.
"""
_SPARSE = """# Against the truth

The same runs, asked by all tags that are true of the test tracks, of which the labels are a part: retrieval, tagging,
and triplets that were drawn anew.
"""
_SUBSPACE = "sub-space"


def comparison_text(results: Results, *, published: Published | None = None) -> str:
    """All tables of a comparison.

    Args:
      results: figures of the comparison.
      published: figures to stand beside ours.

    Raises:
      UserError: `published` has a column that the comparison does not know.
    """
    published = published or {}
    layout, spaces = tables(results.notions), triplet_columns(results.notions)
    known = {name for columns in (*layout.values(), *spaces.values()) for name in columns}
    unknown = sorted(set(published) - known)
    if unknown:
        raise UserError(
            f"--published: no column {unknown[0]!r} in the report: its columns are {', '.join(sorted(known))}"
        )
    sections = [_PREFACE.format(seeds=_seeds(results), corpus=results.corpus, tracks=results.tracks)]
    sections += [_OTHER_DATA] if published else []
    sections += [_ALIAS.format(alias=alias, system=system) for alias, system in results.aliases.items()]
    for side, ending in ((results.labels, ""), (results.truth, ", against the truth")):
        if side:
            sections += [_SPARSE] if ending else []
            sections += _tables(_Rows(results, side), published, ending)
            sections += findings_sections(side, published=published, ending=ending)
    return "\n".join(sections)


@dataclasses.dataclass(frozen=True)
class _Rows:
    """What the tables of one side are made of: a row a system, those that share another's figures among them."""

    results: Results
    side: Side

    def column(self, name: str) -> Mapping[str, Sequence[float | None]]:
        """system -> the figure of each seed, in the order of the rows."""
        figures, aliases = self.side.columns.get(name, {}), self.results.aliases
        known = {system: figures.get(aliases.get(system, system)) for system in self.results.switches}
        return {system: of_seeds for system, of_seeds in known.items() if of_seeds is not None}


def _seeds(results: Results) -> str:
    """How many seeds; of systems with another number than the first, too."""
    figures = next(iter(results.labels.columns.values()), {})
    counts = {system: len(of_seeds) for system, of_seeds in figures.items()}
    usual = next(iter(counts.values()), 0)
    others = ", ".join(f"{system}: {count}" for system, count in counts.items() if count != usual)
    return f"{usual} seed(s){f' ({others})' if others else ''}"


def _tables(rows: _Rows, published: Published, ending: str) -> list[str]:
    layout, spaces = tables(rows.results.notions), triplet_columns(rows.results.notions)
    parts = {title: _table(rows, columns, published) for title, columns in layout.items()}
    first, *rest = parts
    parts = {first: parts[first], "Table 3: triplets of tags": _table_3(rows, spaces, published)} | {
        title: parts[title] for title in rest
    }
    return [f"## {title}{ending}\n\n{text}" for title, text in parts.items() if text]


def _table(rows: _Rows, columns: Sequence[str], published: Published) -> str:
    """One row a system; columns that nobody has a figure for are left out."""
    shown = {name: _cells(rows.column(name), lowest=name in LOWER_IS_BETTER) for name in columns}
    shown = {name: cells for name, cells in shown.items() if cells or name in published}
    if not shown:
        return ""
    theirs = [published.get(name, {}) for name in shown]
    head, lines = _beside(rows.results, list(shown.values()), list(shown), theirs)
    return table(["system", "normalised", "disentangled", *head], lines)


def _table_3(rows: _Rows, spaces: Mapping[str, Sequence[str]], published: Published) -> str:
    """Two blocks of rows under the same columns: the whole space, and the notion's own sub-space."""
    head: list[str] = []
    lines = []
    names = [*rows.results.notions, "mean"]
    for space, columns in spaces.items():
        cells = [_cells(rows.column(name), lowest=False) for name in columns]
        theirs = [published.get(name, {}) for name in columns]
        head, found = _beside(rows.results, cells, names, theirs)
        lines += [[space, *line] for line in found if space != _SUBSPACE or any(cell != "–" for cell in line[3:])]
    return table(["space", "system", "normalised", "disentangled", *head], lines)


def _beside(
    results: Results, ours: list[dict[str, str]], names: list[str], theirs: list[Mapping[str, float]]
) -> tuple[list[str], list[list[str]]]:
    """Head and rows of columns of ours, each followed by what was published for it, if anything was."""
    others = dict.fromkeys(system for column in theirs for system in column if system not in results.switches)
    head, columns = [], []
    for name, mine, published in zip(names, ours, theirs, strict=True):
        head.append(name)
        columns.append(mine)
        if published:
            head.append(f"{name}, published")
            columns.append({system: f"{value:.3f}" for system, value in published.items()})
    rows = [
        [system, *_marks(results.switches.get(system)), *(column.get(system, "–") for column in columns)]
        for system in (*results.switches, *others)
    ]
    return head, rows


def _marks(switches: Mapping[str, bool] | None) -> list[str]:
    if switches is None:
        return ["–", "–"]
    return ["yes" if switches[name] else "no" for name in ("normalized", "disentangled")]


def _cells(values: Mapping[str, Sequence[float | None]], *, lowest: bool) -> dict[str, str]:
    """system -> "mean ± deviation", the best in bold; systems without the figure are not in it."""
    means = {system: mean_or_none(of_seeds) for system, of_seeds in values.items()}
    known = {system: mean for system, mean in means.items() if mean is not None}
    best = (min if lowest else max)(known.values(), default=None)
    cells = {}
    for system, mean in known.items():
        of_seeds = [value for value in values[system] if value is not None]
        deviation = f" ± {np.std(of_seeds, ddof=1):.3f}" if len(of_seeds) > 1 else ""
        cells[system] = f"**{mean:.3f}**{deviation}" if mean == best else f"{mean:.3f}{deviation}"
    return cells
