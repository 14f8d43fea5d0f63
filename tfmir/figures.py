"""What all figures share: drawing without a screen, the palette, and how a figure is written."""

from __future__ import annotations

import matplotlib

from tfmir import files

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

__all__ = ["COLOURS", "plt", "save"]

# Okabe and Ito's palette, which colour-blind readers can tell apart.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
_DPI = 110


def save(figure: Figure, path: files.Path) -> None:
    """Writes a figure as PNG, atomically, and closes it."""
    with files.replacing(path) as temporary:
        figure.savefig(temporary, dpi=_DPI, format="png")
    plt.close(figure)
