"""What all figures share: drawing without a screen, names as plain text, the palette, and how a figure is written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from tfmir import files

# Read when matplotlib is imported, which fails if a notebook has named a module that this environment does not have.
os.environ["MPLBACKEND"] = "Agg"
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

__all__ = ["COLOURS", "legend", "log_ticks", "plt", "save"]

# Tags, notions and runs may be called `$a_1$`: that is their name and no formula.
matplotlib.rcParams.update({"text.parse_math": False, "text.usetex": False, "axes.formatter.use_mathtext": False})

# Okabe and Ito's palette, which colour-blind readers can tell apart.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
_DPI = 110


def legend(
    owner: Axes | Figure,
    artists: Sequence[Any],
    *,
    loc: Any = None,
    fontsize: float | None = None,
    ncols: int = 1,
    anchor: tuple[float, float] | None = None,
    handletextpad: float | None = None,
) -> None:
    """A legend of artists by their labels, whatever those are: matplotlib's own leaves out names such as `_live`.

    Args:
      owner: where the legend stands.
      artists: what it names, in order.
      loc: matplotlib's place of it; None: the best, or the upper right of a figure.
      fontsize: in points.
      ncols: columns.
      anchor: the point in the owner at which `loc` of the legend stands.
      handletextpad: room between a sign and its name, in font sizes.
    """
    numbers = [str(number) for number in range(len(artists))]
    made = owner.legend(
        artists,
        numbers,
        loc=loc,
        fontsize=fontsize,
        ncols=ncols,
        bbox_to_anchor=anchor,
        handletextpad=handletextpad,
        frameon=False,
    )
    for text, artist in zip(made.get_texts(), artists, strict=True):
        text.set_text(str(artist.get_label()))


def log_ticks(axis: Axis) -> None:
    """Numbers as plain text on a logarithmic axis: matplotlib's own are formulas."""
    axis.set_major_formatter(LogFormatter())
    axis.set_minor_formatter(LogFormatter(minor_thresholds=(1, 0.4)))


def save(figure: Figure, path: files.Path) -> None:
    """Writes a figure as PNG, atomically, and closes it."""
    with files.replacing(path) as temporary:
        figure.savefig(temporary, dpi=_DPI, format="png")
    plt.close(figure)
