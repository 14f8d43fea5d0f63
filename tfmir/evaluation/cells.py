"""What stands in the cells of a report's tables, and below them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ON_SCREEN = 3  # names of what is not defined for one reason: on few tracks there are dozens
FEW_TRACKS = 200


def figure(value: float | None) -> str:
    """A number, or a dash.

    >>> figure(0.25), figure(None)
    ('0.250', '–')
    """
    return "–" if value is None else f"{value:.3f}"


def with_interval(value: Mapping[str, float | None] | None) -> str:
    """An interval of a report, or a dash.

    >>> with_interval({"mean": 0.5, "low": 0.25, "high": None})
    '0.500 [0.250, –]'
    """
    return "–" if value is None else f"{figure(value['mean'])} [{figure(value['low'])}, {figure(value['high'])}]"


def number_of(count: int, thing: str) -> str:
    """A count and what it counts.

    >>> number_of(1, "seed"), number_of(2, "seed")
    ('1 seed', '2 seeds')
    """
    return f"{count} {thing}{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    """A time in the unit that suits it.

    >>> duration(90), duration(5400), duration(30)
    ('1.5 minutes', '1.5 hours', '30 seconds')
    """
    if seconds < 60:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.1f} minutes" if seconds < 3600 else f"{seconds / 3600:.1f} hours"


def few_tracks(count: int, things: str) -> str:
    """A word of warning where there are so few tracks that 95 % intervals hold less; empty where there are enough.

    >>> few_tracks(FEW_TRACKS, "test tracks")
    ''
    """
    if count >= FEW_TRACKS:
        return ""
    told = f"**Few {things}:** with {count}, fewer than {FEW_TRACKS}, the intervals are doubtful: "
    return told + "a single track moves them, and they tend to be too narrow."


def undefined(report: Mapping[str, Any], *, most: int | None = None) -> list[str]:
    """A line a reason: what is not defined for it, as `report.json` calls it; of more than `most` names the first ones
    and how many more there are."""
    named: dict[str, list[str]] = {}
    for name, reason in report.get("undefined", {}).items():
        named.setdefault(reason, []).append(name)
    return [f"{_first(names, most)}: {reason}" for reason, names in named.items()]


def _first(names: list[str], most: int | None) -> str:
    if most is None or len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more (see the report)"
