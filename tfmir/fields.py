"""A dataclass field is a command-line flag: its help and bounds, the check of them, and the dataclass as JSON."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from tfmir.errors import UserError

_MAX_INT = 2**31 - 1  # what sizes and counts of TensorFlow can hold; for numbers without another upper bound


def field(default: Any, help_text: str, **bounds: Any) -> Any:
    """A dataclass field that becomes a flag.

    Args:
      default: its type is the flag's type.
      help_text: what `--help` says; numbers of the paper name their section.
      **bounds: `lower`, `upper` (inclusive), `above` (exclusive lower bound), `choices`; `path` for what is a path:
        `True`, `"list"` for several with commas between them, `"or name"` for what may be a name instead; `only`: the
        kinds of system or encoder that make use of it; `switch`: a switch, and the value that it stands for.
    """
    return dataclasses.field(default=default, metadata={"help": help_text, **bounds})


def in_use(params: Any, kind: str) -> dict[str, Any]:
    """Name -> value of the fields that mean something to one kind of what a dataclass describes (`only`)."""
    fields = dataclasses.fields(params)
    return {f.name: getattr(params, f.name) for f in fields if kind in f.metadata.get("only", (kind,))}


def refuse_given(params: Any, names: Iterable[str], reason: str) -> None:
    """Refuses flags that were given another value than their default.

    Raises:
      UserError: names the first of them, and the reason.
    """
    for name in names:
        if getattr(params, name) != getattr(type(params), name):
            raise UserError(f"--{'no' if getattr(params, name) is False else ''}{name} {reason}")


def to_dict(params: Any) -> dict[str, Any]:
    """JSON form of any parameter dataclass."""
    return dataclasses.asdict(params)


def from_dict(cls: type, values: dict[str, Any], *, source: str) -> Any:
    """A parameter dataclass from its JSON form.

    Raises:
      UserError: `values` has other fields than `cls`; names `source`, the file they came from.
    """
    fields = {f.name: f for f in dataclasses.fields(cls)}
    if set(values) != set(fields):
        odd = sorted(set(values) ^ set(fields))
        raise UserError(f"{source}: field {odd[0]!r} is unknown or missing: it was written by another version of tfmir")
    built = {}
    for name, value in values.items():
        default = fields[name].default
        nested = dataclasses.is_dataclass(default) and isinstance(value, dict)
        built[name] = from_dict(type(default), value, source=source) if nested else value
    return cls(**built)


def check(params: Any) -> None:
    """Checks every field against the bounds in its metadata.

    Raises:
      UserError: names the flag, the value found and what is allowed.
    """
    for f in dataclasses.fields(params):
        value, bounds = getattr(params, f.name), f.metadata
        if dataclasses.is_dataclass(value):
            check(value)
        elif "choices" in bounds and value not in bounds["choices"]:
            raise UserError(f"--{f.name}={value} is none of {', '.join(bounds['choices'])}")
        elif "help" in bounds and isinstance(value, int | float):
            _check_number(f.name, value, bounds)


def _check_number(name: str, value: float, bounds: Mapping[str, Any]) -> None:
    upper = bounds.get("upper", sys.float_info.max if isinstance(value, float) else _MAX_INT)
    if "lower" in bounds and not value >= bounds["lower"]:
        raise UserError(f"--{name}={value} is too small: it must be at least {bounds['lower']}")
    if "above" in bounds and not value > bounds["above"]:
        raise UserError(f"--{name}={value} is too small: it must be above {bounds['above']:g}")
    if not value <= upper:
        raise UserError(f"--{name}={value} is too large: it must be at most {upper}")
