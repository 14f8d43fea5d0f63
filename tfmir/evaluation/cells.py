"""What stands in the cells of a report's tables, and below them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ON_SCREEN = 3  # names of what is not defined for one reason: on few tracks there are dozens


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
