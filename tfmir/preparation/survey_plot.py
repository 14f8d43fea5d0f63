"""The picture of a corpus: how many tracks of each split carry each tag."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfmir import files
from tfmir.corpora.corpus import SPLITS
from tfmir.figures import COLOURS, plt, save

_LEAST_BARS, _MOST_TAGS = 15, 40


def plot_tags(report: Mapping[str, Any], path: files.Path) -> None:
    """One panel a notion, its most frequent tags as bars, stacked by split."""
    notions = list(report["notions"])
    figure, axes = plt.subplots(1, len(notions), figsize=(3.6 * len(notions), 7.0), squeeze=False, layout="constrained")
    for notion, panel in zip(notions, axes[0], strict=True):
        counts = {tag.split("/", 1)[1]: value for tag, value in report["tags"].items() if tag.startswith(f"{notion}/")}
        shown = sorted(counts, key=lambda tag: -sum(counts[tag].values()))[:_MOST_TAGS]
        left = [0] * len(shown)
        for split, colour in zip(SPLITS, COLOURS, strict=False):
            widths = [counts[tag][split] for tag in shown]
            panel.barh(range(len(shown)), widths, left=left, color=colour, label=split)
            left = [a + b for a, b in zip(left, widths, strict=True)]
        panel.set_yticks(range(len(shown)), shown, fontsize=7)
        panel.set_ylim(max(len(shown), _LEAST_BARS) - 0.5, -0.5)
        more = "" if len(shown) == len(counts) else f" (the {len(shown)} most frequent)"
        panel.set(title=f"{notion}: {len(counts)} tags{more}", xlabel="tracks")
    axes[0][0].legend(frameon=False)
    save(figure, path)
