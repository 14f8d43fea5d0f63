"""Figures: t-SNE of the spaces (after the paper's Figure 3), training curves, leakage, recall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from tfmir import files
from tfmir.evaluation.tables import contenders
from tfmir.figures import COLOURS, plt, save
from tfmir.vocabulary import Vocabulary

_COLOURED_TAGS = 3
_MAX_POINTS = 1000


def tsne(
    whole: np.ndarray,
    subspaces: Mapping[str, np.ndarray],
    labels: np.ndarray,
    vocabulary: Vocabulary,
    path: files.Path,
    *,
    seed: int = 0,
) -> None:
    """Whole space and each sub-space in two dimensions, coloured by the notion's most frequent tags.

    Args:
      whole: float32 [tracks, dim], unit norm.
      subspaces: notion -> float32 [tracks, dim / notions], unit norm; empty for a system without.
      labels: bool [tracks, tags].
      vocabulary: tags and notions.
      path: path of the PNG.
      seed: seed of the t-SNE.
    """
    rows = np.arange(len(whole))[:_MAX_POINTS]
    labels = labels[rows]
    figure, axes = plt.subplots(
        1 + bool(subspaces),
        len(vocabulary.notions),
        figsize=(3.1 * len(vocabulary.notions), 3.4 * (1 + bool(subspaces))),
        squeeze=False,
        layout="constrained",
    )
    points = project(whole[rows], seed)
    for column, notion in enumerate(vocabulary.notions):
        _scatter(axes[0, column], points, labels, vocabulary, notion, f"whole space, by {notion}")
        if subspaces:
            part = project(subspaces[notion][rows], seed)
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
    for key, label, colour in zip((name, f"val_{name}"), ("training", "validation"), COLOURS, strict=False):
        losses.plot(epochs, [row[key] for row in history], label=label, color=colour)
    if has_floor:
        losses.axhline(0.0, color="grey", linewidth=0.8, linestyle=":", label="tag frequencies")
    losses.set_ylabel("loss above the floor (nats)" if has_floor else "hinge")
    losses.legend(frameon=False)
    rates.step(epochs, [row["learning_rate"] for row in history], where="mid", color=COLOURS[2])
    rates.set(yscale="log", xlabel="epoch", ylabel="learning rate")
    save(figure, path)


def leakage(matrix: np.ndarray, notions: Sequence[str], path: files.Path) -> None:
    """Heat map of [notions, notions]: share of a notion's triplets (column) that a sub-space (row) predicts."""
    figure, axes = plt.subplots(figsize=(1.6 + 0.9 * len(notions), 1.2 + 0.8 * len(notions)), layout="constrained")
    figure.colorbar(heat_map(axes, matrix, notions), ax=axes, label="share predicted")
    save(figure, path)


def heat_map(axes: Axes, matrix: np.ndarray, notions: Sequence[str]) -> AxesImage:
    """A leakage matrix [notions, notions] with its numbers, on a scale that all such matrices share."""
    image = axes.imshow(matrix, cmap="cividis", vmin=0.5, vmax=1.0)
    for (row, column), value in np.ndenumerate(matrix):
        colour = "white" if value < 0.75 else "black"
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=8)
    axes.set_xticks(range(len(notions)), notions, rotation=45, ha="right")
    axes.set_yticks(range(len(notions)), notions)
    axes.set(xlabel="triplets of", ylabel="sub-space of")
    return image


def recall_curves(report: Mapping[str, Any], path: files.Path) -> None:
    """R@k of every contender of a report, with its interval."""
    figure, axes = plt.subplots(figsize=(5.4, 3.6), layout="constrained")
    for (name, contender), colour in zip(contenders(report), COLOURS * 3, strict=False):
        ks = [int(k) for k in contender["recall"]]
        values = list(contender["recall"].values())
        axes.plot(ks, [value["mean"] for value in values], marker="o", label=name, color=colour)
        axes.fill_between(ks, [v["low"] for v in values], [v["high"] for v in values], color=colour, alpha=0.15)
    axes.set_xscale("log", base=2)
    axes.set_xticks(ks, [str(k) for k in ks])
    axes.set(xlabel="k", ylabel="recall at k", ylim=(0, 1))
    axes.legend(frameon=False)
    save(figure, path)


def project(points: np.ndarray, seed: int) -> np.ndarray:
    """float32 [tracks, 2]: t-SNE of [tracks, dim] by cosine (van der Maaten and Hinton, 2008).

    On one thread: an iteration over a thousand points takes less time than threads that wait for a busy core.
    """
    perplexity = min(30.0, (len(points) - 1) / 3)
    model = TSNE(2, metric="cosine", init="random", perplexity=perplexity, random_state=seed)
    with threadpool_limits(1, user_api="openmp"):
        return model.fit_transform(points)


def _scatter(
    axes: Axes, points: np.ndarray, labels: np.ndarray, vocabulary: Vocabulary, notion: str, title: str
) -> None:
    tags = vocabulary.tags_of(notion)
    frequent = tags[np.argsort(-labels[:, tags].sum(axis=0), kind="stable")][:_COLOURED_TAGS]
    axes.scatter(points[:, 0], points[:, 1], s=5, color="lightgrey", linewidths=0)
    for tag, colour in zip(frequent, COLOURS, strict=False):
        name = vocabulary.tags[tag].split("/", 1)[1]
        tagged = points[labels[:, tag]]
        axes.scatter(tagged[:, 0], tagged[:, 1], s=9, color=colour, alpha=0.8, linewidths=0, label=name)
    axes.set_title(title, fontsize=10)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=3, frameon=False, handletextpad=0.1)
