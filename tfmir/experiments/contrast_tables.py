"""The findings of a comparison as Markdown: the primary contrasts, the others, and the joint system's place."""

from __future__ import annotations

from collections.abc import Sequence

from tfmir.experiments.columns import with_best_triplets
from tfmir.experiments.contrasts import Contrast
from tfmir.experiments.findings import Finding, distance
from tfmir.experiments.published import Published
from tfmir.experiments.results import Side
from tfmir.experiments.spread import Effect, seeds_needed
from tfmir.markdown import table

_PRIMARY = """Named before any run; the systems of {count} of them are here. Intervals are of 95 %, over seeds and test
tracks; p is corrected for their number (Holm), and the verdict goes by it. Effects are in deviations between the seeds
of a system; of a system that is compared with itself, between the differences of its runs. "Seeds" are those of the two
systems, "needed" how many each would have to have for the difference found, and for the one published, to be told from
0, or from the margin, without correction: "no number" where the test tracks alone are too few for it. One whose figure
a run lacks is undefined, and counts for Holm with p = 1.
"""
_OTHERS = """Without correction: of twenty that are nothing, one is seen or not seen by chance. Where the tracks are
"fixed", the interval is over the seeds alone.
"""
_JOINT = """Against the best of the paper's systems in each column by its mean, without correction.
"""


def findings_sections(side: Side, *, published: Published, ending: str = "") -> list[str]:
    """Sections of Markdown, without those that have no rows.

    Args:
      side: what was found.
      published: column -> system -> figure, to stand beside ours.
      ending: what the titles end with.
    """
    primary = [f for f in side.contrasts if f.contrast.primary]
    others = [f for f in side.contrasts if not f.contrast.primary]
    head = ["claim", "contrast", "difference", "95 % interval", "p", "effect"]
    more = ["seeds", "needed", "published", "needed for it", "verdict"]
    sections = [
        ("Primary contrasts", _PRIMARY.format(count=len(primary)), [*head, *more], _rows(primary, published)),
        ("Secondary contrasts", _OTHERS, [*head, "tracks", *more], _rows(others, published, with_tracks=True)),
        ("The joint system against the best of the paper's", _JOINT, [*head[1:], "place"], _places(side.joint)),
    ]
    return [f"## {title}{ending}\n\n{text}\n{table(names, rows)}" for title, text, names, rows in sections if rows]


def _rows(findings: Sequence[Finding], published: Published, *, with_tracks: bool = False) -> list[list[str]]:
    rows, claim = [], ""
    for found in findings:
        theirs = _published(found.contrast, published)
        spread = found.spread
        needed = "–" if theirs is None else _number(seeds_needed(spread, distance(found.contrast, theirs)), found)
        rows.append(
            [
                _claim(found.contrast) if found.contrast.claim != claim else "",
                *_difference(found),
                *((["fixed" if spread.over_tracks is None else "resampled"]) if with_tracks else []),
                ", ".join(map(str, spread.seeds)),
                _number(found.seeds_needed, found),
                "–" if theirs is None else f"{theirs:+.3f}",
                needed,
                found.verdict,
            ]
        )
        claim = found.contrast.claim
    return rows


def _places(findings: Sequence[Finding]) -> list[list[str]]:
    return [[*_difference(found), found.verdict] for found in findings]


def _difference(found: Finding) -> list[str]:
    """Contrast, difference, interval, p and effect."""
    bounds = "–" if found.low is None or found.high is None else f"[{found.low:+.3f}, {found.high:+.3f}]"
    p = found.p if found.adjusted_p is None else found.adjusted_p
    shown = "–" if found.low is None else "< 0.001" if p < 0.001 else f"{p:.3f}"
    name = found.contrast.name + (f" (within ± {found.contrast.margin:g})" if found.contrast.margin else "")
    return [name, "–" if found.difference is None else f"{found.difference:+.3f}", bounds, shown, _effect(found.effect)]


def _effect(effect: Effect | None) -> str:
    return "–" if effect is None else f"{effect.size:+.1f} [{effect.low:+.1f}, {effect.high:+.1f}]"


def _number(seeds: int | None, found: Finding) -> str:
    if seeds is None:
        return "–" if found.low is None else "no number"
    return str(seeds)


def _claim(contrast: Contrast) -> str:
    return f"{contrast.claim} ({contrast.section})" if contrast.section else contrast.claim


def _published(contrast: Contrast, published: Published) -> float | None:
    """The same difference of published figures; None where one is missing."""
    columns = with_best_triplets({name: {s: [v] for s, v in of.items()} for name, of in published.items()})
    systems = (contrast.more, contrast.less)
    more, less = (columns.get(c, {}).get(s, [None])[0] for c, s in zip(contrast.columns, systems, strict=True))
    return None if more is None or less is None else more - less
