"""A comparison as Markdown: the paper's tables in its own arrangement, what goes beyond them, and its contrasts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from tfmir.errors import UserError
from tfmir.evaluation.cells import few_tracks, number_of
from tfmir.experiments.columns import (
    LOWER_IS_BETTER,
    OTHER_WAY,
    WHOLE_NUMBERS,
    mean_or_none,
    tables,
    the_other_way,
    triplet_columns,
)
from tfmir.experiments.contrast_tables import findings_sections
from tfmir.experiments.made import made_section
from tfmir.experiments.published import Published
from tfmir.experiments.results import Results, Side
from tfmir.markdown import table

_PREFACE = """Mean ± standard deviation over {seeds}; the best mean of a column is bold, but where all are the same.
Corpus: {corpus}, {tracks} test tracks. Times are those of training and validation over the fastest system's; on a
machine that does other things too, only the CPU time can be compared. R@k is by inner product, triplets are by cosine;
for embeddings of unit norm, those of the normalised systems, the two are one.
"""
_FEW_SEEDS = """**Few seeds:** with fewer than {least} of a system, deviations and intervals over seeds are doubtful.
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
_LEAST_SEEDS = 3


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
    sections += _doubts(results)
    sections += [_OTHER_DATA] if published else []
    sections += [_ALIAS.format(alias=alias, system=system) for alias, system in results.aliases.items()]
    for side, ending in ((results.labels, ""), (results.truth, ", against the truth")):
        if side:
            sections += [_SPARSE] if ending else []
            sections += _tables(_Rows(results, side), published, ending)
            sections += findings_sections(side, published=published, ending=ending)
    sections.append(made_section(results.made, results.labels.columns, results.seeds, results.corpus))
    return "\n".join(sections)


@dataclasses.dataclass(frozen=True)
class _Rows:
    """What the tables of one side are made of: a row a system, those that share another's figures among them."""

    results: Results
    side: Side

    def column(self, name: str) -> Mapping[str, Sequence[float | None]]:
        """system -> the figure of each seed, in the order of the rows; by the other similarity, where it is another."""
        figures, aliases = self.side.columns.get(name, {}), self.results.aliases
        usual = self.side.columns.get(the_other_way(self.results.notions).get(name, ""), {})
        trained = {system: aliases.get(system, system) for system in self.results.switches}
        known = {system: figures.get(of) for system, of in trained.items() if figures.get(of) != usual.get(of)}
        return {system: of_seeds for system, of_seeds in known.items() if of_seeds is not None}


def _seeds(results: Results) -> str:
    """How many seeds; of systems with another number than the first, too."""
    counts = _counts(results)
    usual = next(iter(counts.values()), 0)
    others = ", ".join(f"{system}: {count}" for system, count in counts.items() if count != usual)
    return number_of(usual, "seed") + (f" ({others})" if others else "")


def _counts(results: Results) -> dict[str, int]:
    """system -> how many seeds."""
    figures = next(iter(results.labels.columns.values()), {})
    return {system: len(of_seeds) for system, of_seeds in figures.items()}


def _doubts(results: Results) -> list[str]:
    """What makes the intervals doubtful."""
    few_seeds = min(_counts(results).values(), default=0) < _LEAST_SEEDS
    tracks = few_tracks(results.tracks, "test tracks")
    return [*([_FEW_SEEDS.format(least=_LEAST_SEEDS)] if few_seeds else []), *([f"{tracks}\n"] if tracks else [])]


def _tables(rows: _Rows, published: Published, ending: str) -> list[str]:
    layout, spaces = tables(rows.results.notions), triplet_columns(rows.results.notions)
    parts = {title: _table(rows, columns, published, all_rows=title != OTHER_WAY) for title, columns in layout.items()}
    first, *rest = parts
    parts = {first: parts[first], "Table 3: triplets of tags": _table_3(rows, spaces, published)} | {
        title: parts[title] for title in rest
    }
    return [f"## {title}{ending}\n\n{text}" for title, text in parts.items() if text]


def _table(rows: _Rows, columns: Sequence[str], published: Published, *, all_rows: bool = True) -> str:
    """One row a system; columns that nobody has a figure for are left out, and without `all_rows` such systems, too."""
    shown = {name: _cells(name, rows.column(name)) for name in columns}
    shown = {name: cells for name, cells in shown.items() if cells or name in published}
    if not shown:
        return ""
    theirs = [published.get(name, {}) for name in shown]
    head, lines = _beside(rows.results, list(shown.values()), list(shown), theirs)
    lines = [line for line in lines if all_rows or any(cell != "–" for cell in line[3:])]
    return table(["system", "normalised", "disentangled", *head], lines)


def _table_3(rows: _Rows, spaces: Mapping[str, Sequence[str]], published: Published) -> str:
    """Two blocks of rows under the same columns: the whole space, and the notion's own sub-space."""
    head: list[str] = []
    lines = []
    names = [*rows.results.notions, "mean"]
    for space, columns in spaces.items():
        cells = [_cells(name, rows.column(name)) for name in columns]
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


def _cells(name: str, values: Mapping[str, Sequence[float | None]]) -> dict[str, str]:
    """system -> "mean ± deviation" of a column, in bold where nothing that is shown is better, but something is worse.

    Systems without the figure are not in it.
    """
    digits = 0 if name in WHOLE_NUMBERS else 3
    means = {system: mean_or_none(of_seeds) for system, of_seeds in values.items()}
    shown = {system: f"{mean:.{digits}f}" for system, mean in means.items() if mean is not None}
    best = (min if name in LOWER_IS_BETTER else max)(shown.values(), key=float, default="")
    is_told = len(set(shown.values())) > 1
    cells = {}
    for system, mean in shown.items():
        of_seeds = [value for value in values[system] if value is not None]
        deviation = f" ± {np.std(of_seeds, ddof=1):.{digits}f}" if len(of_seeds) > 1 else ""
        cells[system] = f"**{mean}**{deviation}" if is_told and mean == best else f"{mean}{deviation}"
    return cells
