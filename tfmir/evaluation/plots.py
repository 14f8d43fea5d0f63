"""Figures: t-SNE of the spaces (after the paper's Figure 3), training curves, leakage, recall."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from tfmir import files
from tfmir.evaluation.tables import contenders
from tfmir.figures import COLOURS, legend, log_ticks, plt, save
from tfmir.searching.maps import LEAST_POINTS, project, sample
from tfmir.vocabulary import Vocabulary

CAPTIONS = {
    "tsne.png": "t-SNE of the test tracks, coloured by the most frequent tags of each notion",
    "recall.png": "Recall at k with 95 % intervals",
    "leakage.png": "Share of a notion's triplets (column) that each sub-space (row) predicts",
    "training.png": "Loss and learning rate by epoch",
}
_COLOURED_TAGS = 3
MOST_POINTS = 1000  # of a t-SNE, which takes a second of a thousand points, and minutes of all of a large split


def undrawn(report: Mapping[str, Any]) -> dict[str, str]:
    """File name -> why there is nothing to draw, of the pictures of a report that other test tracks would have."""
    tracks, system = report["tracks"], report["system"]
    reasons = {}
    if tracks < LEAST_POINTS:
        reasons["tsne.png"] = f"needs {LEAST_POINTS} tracks, the test split has {tracks}"
    if not any(system["recall"].values()):
        reasons["recall.png"] = "no recall is defined"
    if system["leakage"] and not shows_leakage(system["leakage"]):
        reasons["leakage.png"] = "no leakage from one sub-space to another is defined"
    return reasons


def shows_leakage(matrix: Sequence[Sequence[float | None]]) -> bool:
    """Whether a leakage matrix [notions, notions] has several sub-spaces, and a notion with triplets."""
    return len(matrix) > 1 and any(share is not None for share in matrix[0])


def true_captions(captions: Mapping[str, str], tracks: int) -> dict[str, str]:
    """File name -> caption, which says where a picture of so many test tracks is one of a sample of them.

    >>> true_captions({"a.png": "t-SNE of the test tracks, in colour", "b.png": "Recall"}, 2500)
    {'a.png': 't-SNE of 1000 of the 2500 test tracks, in colour', 'b.png': 'Recall'}
    """
    if tracks <= MOST_POINTS:
        return dict(captions)
    sampled = f"t-SNE of {MOST_POINTS} of the {tracks} test tracks"
    return {name: caption.replace("t-SNE of the test tracks", sampled) for name, caption in captions.items()}


@dataclasses.dataclass(frozen=True)
class Maps:
    """Spaces in two dimensions: float64 [points, 2].

    Attributes:
      rows: int64 [points], the tracks that are shown.
      whole: the whole space.
      subspaces: notion -> its sub-space; empty for a system without.
    """

    rows: np.ndarray
    whole: np.ndarray
    subspaces: dict[str, np.ndarray]


def map_spaces(
    track_ids: Sequence[str], whole: np.ndarray, subspaces: Mapping[str, np.ndarray], *, seed: int = 0
) -> Maps:
    """t-SNE of the whole space and of each sub-space; of `MOST_POINTS` tracks, chosen by their ids, if there are more.

    Args:
      track_ids: id of each track, `LEAST_POINTS` or more.
      whole: float32 [tracks, dim], unit norm.
      subspaces: notion -> float32 [tracks, dim / notions], unit norm; empty for a system without.
      seed: seed of the t-SNE.
    """
    rows = sample(track_ids, MOST_POINTS)
    parts = {notion: project(part[rows], seed) for notion, part in subspaces.items()}
    return Maps(rows, project(whole[rows], seed), parts)


def tsne(maps: Maps, labels: np.ndarray, vocabulary: Vocabulary, path: files.Path) -> None:
    """Whole space and each sub-space in two dimensions, coloured by the notion's most frequent tags.

    Args:
      maps: what `map_spaces` gives.
      labels: bool [tracks, tags].
      vocabulary: tags and notions.
      path: path of the PNG.
    """
    labels, rows = labels[maps.rows], 1 + bool(maps.subspaces)
    figure, axes = plt.subplots(
        rows,
        len(vocabulary.notions),
        figsize=(3.1 * len(vocabulary.notions), 3.4 * rows),
        squeeze=False,
        layout="constrained",
    )
    for column, notion in enumerate(vocabulary.notions):
        _scatter(axes[0, column], maps.whole, labels, vocabulary, notion, f"whole space, by {notion}")
        if maps.subspaces:
            part = maps.subspaces[notion]
            _scatter(axes[1, column], part, labels, vocabulary, notion, f"{notion} sub-space")
    save(figure, path)


def training_curves(history: Sequence[Mapping[str, float]], path: files.Path) -> None:
    """Losses, above the tag-frequency floor where there is one, and the learning rate, by epoch.

    Args:
      history: one row an epoch with `epoch`, `learning_rate`, and `above_floor` and `val_above_floor`, or else
        `loss` and `val_loss`.
      path: path of the PNG.
    """
    epochs = [row["epoch"] for row in history]
    figure, (losses, rates) = plt.subplots(
        2, 1, figsize=(6, 4.2), sharex=True, height_ratios=(3, 1), layout="constrained"
    )
    has_floor = "above_floor" in history[0]
    name = "above_floor" if has_floor else "loss"
    lines = [
        losses.plot(epochs, [row[key] for row in history], label=label, color=colour)[0]
        for key, label, colour in zip((name, f"val_{name}"), ("training", "validation"), COLOURS, strict=False)
    ]
    if has_floor:
        lines.append(losses.axhline(0.0, color="grey", linewidth=0.8, linestyle=":", label="tag frequencies"))
    losses.set_ylabel("loss above the floor (nats)" if has_floor else "hinge")
    legend(losses, lines)
    rates.step(epochs, [row["learning_rate"] for row in history], where="mid", color=COLOURS[2])
    rates.set(yscale="log", xlabel="epoch", ylabel="learning rate")
    log_ticks(rates.yaxis)
    save(figure, path)


def leakage(matrix: np.ndarray, notions: Sequence[str], path: files.Path) -> None:
    """Heat map of [notions, notions]: share of a notion's triplets (column) that a sub-space (row) predicts, or NaN."""
    figure, axes = plt.subplots(figsize=(1.6 + 0.9 * len(notions), 1.2 + 0.8 * len(notions)), layout="constrained")
    figure.colorbar(heat_map(axes, matrix, notions), ax=axes, label="share predicted")
    save(figure, path)


def heat_map(axes: Axes, matrix: np.ndarray, notions: Sequence[str]) -> AxesImage:
    """A leakage matrix [notions, notions] with its numbers, on a scale that all such matrices share."""
    image = axes.imshow(matrix, cmap="cividis", vmin=0.5, vmax=1.0)
    for (row, column), value in np.ndenumerate(matrix):
        shown = "–" if np.isnan(value) else f"{value:.2f}"
        axes.text(column, row, shown, ha="center", va="center", color="white" if value < 0.75 else "black", fontsize=8)
    axes.set_xticks(range(len(notions)), notions, rotation=45, ha="right")
    axes.set_yticks(range(len(notions)), notions)
    axes.set(xlabel="triplets of", ylabel="sub-space of")
    return image


def recall_curves(report: Mapping[str, Any], path: files.Path) -> None:
    """R@k of every contender of a report, with its interval, for each k for which there is one."""
    figure, axes = plt.subplots(figsize=(5.4, 3.6), layout="constrained")
    ks = [k for k, value in report["system"]["recall"].items() if value]
    lines = []
    for (name, contender), colour in zip(contenders(report), COLOURS * 3, strict=False):
        low, mean, high = ([contender["recall"][k][bound] for k in ks] for bound in ("low", "mean", "high"))
        lines += axes.plot([int(k) for k in ks], mean, marker="o", label=name, color=colour)
        axes.fill_between([int(k) for k in ks], low, high, color=colour, alpha=0.15)
    axes.set_xscale("log", base=2)
    axes.set_xticks([int(k) for k in ks], ks)
    axes.set(xlabel="k", ylabel="recall at k", ylim=(0, 1))
    legend(axes, lines)
    save(figure, path)


def _scatter(
    axes: Axes, points: np.ndarray, labels: np.ndarray, vocabulary: Vocabulary, notion: str, title: str
) -> None:
    tags = vocabulary.tags_of(notion)
    frequent = tags[np.argsort(-labels[:, tags].sum(axis=0), kind="stable")][:_COLOURED_TAGS]
    axes.scatter(points[:, 0], points[:, 1], s=5, color="lightgrey", linewidths=0)
    signs = []
    for tag, colour in zip(frequent, COLOURS, strict=False):
        name = vocabulary.tags[tag].split("/", 1)[1]
        tagged = points[labels[:, tag]]
        signs.append(axes.scatter(tagged[:, 0], tagged[:, 1], s=9, color=colour, alpha=0.8, linewidths=0, label=name))
    axes.set_title(title, fontsize=10)
    axes.set_xticks([])
    axes.set_yticks([])
    legend(axes, signs, fontsize=7, loc="upper center", anchor=(0.5, 0.0), ncols=3, handletextpad=0.1)
