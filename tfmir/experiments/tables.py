"""A comparison as Markdown: the paper's tables in its own arrangement, what goes beyond them, and its findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tfmir.errors import UserError
from tfmir.experiments.columns import LOWER_IS_BETTER, Summary, mean_or_none, tables, triplet_columns
from tfmir.experiments.findings import Verdict, findings, joint_against_the_best
from tfmir.experiments.published import Published
from tfmir.experiments.results import Results
from tfmir.markdown import table

_PREFACE = """Mean ± standard deviation over {seeds} seed(s); the best mean of a column is bold. Corpus: {corpus},
{tracks} test tracks. Times are those of training and validation over the fastest system's; on a machine that does other
things too, only the CPU time can be compared. R@k is by inner product, triplets are by cosine; for all systems but
`classification_plain` the two are one.
"""
_OTHER_DATA = """Columns marked "published" hold figures of other data: compare their order with ours, not their size.
Rows without figures of ours are of systems that are not in this comparison.
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
    sections = [_PREFACE.format(seeds=results.seeds, corpus=results.corpus, tracks=results.tracks)]
    sections += [_OTHER_DATA] if published else []
    parts = {title: _table(results, columns, published) for title, columns in layout.items()}
    first, *rest = parts
    parts = {first: parts[first], "Table 3: triplets of tags": _table_3(results, spaces, published)} | {
        title: parts[title] for title in rest
    }
    sections += [f"## {title}\n\n{text}" for title, text in parts.items() if text]
    return "\n".join([*sections, *_findings(results.columns)])


def _table(results: Results, columns: Sequence[str], published: Published) -> str:
    """One row a system; columns that nobody has a figure for are left out."""
    shown = {name: _cells(results.columns.get(name, {}), lowest=name in LOWER_IS_BETTER) for name in columns}
    shown = {name: cells for name, cells in shown.items() if cells or name in published}
    if not shown:
        return ""
    head, rows = _beside(results, list(shown.values()), list(shown), [published.get(name, {}) for name in shown])
    return table(["system", "normalised", "disentangled", *head], rows)


def _table_3(results: Results, spaces: Mapping[str, Sequence[str]], published: Published) -> str:
    """Two blocks of rows under the same columns: the whole space, and the notion's own sub-space."""
    head: list[str] = []
    rows = []
    names = [*results.notions, "mean"]
    for space, columns in spaces.items():
        cells = [_cells(results.columns.get(name, {}), lowest=False) for name in columns]
        theirs = [published.get(name, {}) for name in columns]
        head, found = _beside(results, cells, names, theirs)
        rows += [[space, *row] for row in found if space != _SUBSPACE or any(cell != "–" for cell in row[3:])]
    return table(["space", "system", "normalised", "disentangled", *head], rows)


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


def _findings(values: Summary) -> list[str]:
    """What the paper found, and how the joint system does against the best of the others."""
    rows = [
        [claim if verdict is verdicts[0] else "", *_verdict_cells(verdict)]
        for claim, verdicts in findings(values).items()
        for verdict in verdicts
    ]
    head = ["difference", "mean", "95 % interval over the seeds", "verdict"]
    sections = ["## What the paper found\n\n" + table(["claim", *head], rows)] if rows else []
    joint = [_verdict_cells(verdict) for verdict in joint_against_the_best(values)]
    if joint:
        sections.append("## The joint system against the best of the others\n\n" + table([*head[:-1], "place"], joint))
    return sections


def _verdict_cells(verdict: Verdict) -> list[str]:
    compared, found = verdict.comparison, verdict.difference
    names = f"{compared.more} − {compared.less}, {compared.column}"
    if compared.more_column:
        names = f"{compared.more}, {compared.more_column} − {compared.column}"
    bounds = "–" if np.isinf(found.low) else f"[{found.low:+.3f}, {found.high:+.3f}]"
    return [names, f"{found.mean:+.3f}", bounds, verdict.verdict]


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
