"""How long a run has trained (paper, section 4.3.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np


def training_time(history: Sequence[Mapping[str, float]]) -> dict[str, float] | None:
    """Epochs, median seconds of one, and their product: a pause or a busy hour does not count (paper, section 4.3.1).

    `cpu_seconds` are those of all cores together: on a machine that others use too, they are the fairer measure.

    Args:
      history: one row an epoch with `seconds` and `cpu_seconds`.
    """
    if not history:
        return None
    epochs = len(history)
    wall, cpu = (float(np.median([row[name] for row in history])) for name in ("seconds", "cpu_seconds"))
    return {
        "epochs": epochs,
        "seconds_per_epoch": wall,
        "seconds": wall * epochs,
        "cpu_seconds_per_epoch": cpu,
        "cpu_seconds": cpu * epochs,
    }
