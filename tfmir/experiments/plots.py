"""Figures of a comparison: recall, retrieval against training time, leakage, and the paper's Figure 3."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfmir.evaluation.plots import heat_map, project
from tfmir.evaluation.subspaces import subspace_embeddings
from tfmir.experiments.columns import Reports
from tfmir.figures import COLOURS, plt, save
from tfmir.training.run_directory import Run

_MARKERS = "os^Dv<>Pp"
_MAX_POINTS = 1000


def draw(runs: Mapping[str, Sequence[Run]], reports: Reports, folder: pathlib.Path) -> dict[str, str]:
    """All figures of a comparison, as PNG: file name -> caption."""
    captions = {"recall.png": "Recall at k, mean over the seeds"}
    recall_curves(reports, folder / "recall.png")
    if all(report["training"] for group in reports.values() for report in group):
        captions["time.png"] = "Recall at 1 against training time"
        recall_against_time(reports, folder / "time.png")
    disentangled = {s: r for s, r in reports.items() if r[0]["own"]["leakage"]}
    if disentangled:
        captions["leakage.png"] = "Share of a notion's triplets (column) that each sub-space (row) predicts"
        leakage_matrices(disentangled, folder / "leakage.png")
    captions["tsne.png"] = "t-SNE of the test tracks of two tags: the whole space, and the sub-space of their notion"
    tsne_pairs({system: group[0] for system, group in runs.items()}, folder / "tsne.png")
    return captions


def recall_curves(reports: Reports, path: pathlib.Path) -> None:
    """Mean R@k over the seeds of every system."""
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for (system, group), style in zip(reports.items(), _styles(), strict=False):
        ks = [int(k) for k in group[0]["own"]["recall"]]
        values = np.mean([[v["mean"] for v in r["own"]["recall"].values()] for r in group], axis=0)
        axes.plot(ks, values, label=system, **style)
    axes.set_xscale("log", base=2)
    axes.set_xticks(ks, [str(k) for k in ks])
    axes.set(xlabel="k", ylabel="recall at k, mean over seeds")
    figure.legend(frameon=False, loc="outside right upper", fontsize=8)
    save(figure, path)


def recall_against_time(reports: Reports, path: pathlib.Path) -> None:
    """R@1 against training time, a point a seed."""
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for (system, group), style in zip(reports.items(), _styles(), strict=False):
        minutes = [report["training"]["cpu_seconds"] / 60 for report in group]
        recall = [report["own"]["recall"]["1"]["mean"] for report in group]
        axes.plot(minutes, recall, label=system, **{**style, "linestyle": "none"})
    axes.set(xlabel="training time (minutes of CPU time: epochs × their median)", ylabel="R@1")
    figure.legend(frameon=False, loc="outside right upper", fontsize=8)
    save(figure, path)


def leakage_matrices(reports: Reports, path: pathlib.Path) -> None:
    """A heat map for every disentangled system: mean over the seeds of its leakage matrix."""
    notions = list(next(iter(reports.values()))[0]["notions"])
    size = 1.0 + 0.62 * len(notions)
    figure, axes = plt.subplots(
        1, len(reports), figsize=(size * len(reports), size + 0.6), squeeze=False, layout="constrained"
    )
    for panel, (system, group) in zip(axes[0], reports.items(), strict=True):
        heat_map(panel, np.mean([report["own"]["leakage"] for report in group], axis=0), notions)
        panel.set_title(system, fontsize=9)
    save(figure, path)


def tsne_pairs(runs: Mapping[str, Run], path: pathlib.Path) -> None:
    """The paper's Figure 3: of each system the whole space above and one sub-space below, two tags in colour.

    The notion is the first with two tags, the tags its two most frequent ones of the test split.
    """
    stored = {system: _test_split(run) for system, run in runs.items()}
    vocabulary = next(iter(runs.values())).vocabulary
    notion = next((n for n in vocabulary.notions if len(vocabulary.tags_of(n)) > 1), vocabulary.notions[0])
    tags = vocabulary.tags_of(notion)
    labels = next(iter(stored.values()))[1]
    two = tags[np.argsort(-labels[:, tags].sum(axis=0), kind="stable")][:2]
    figure, axes = plt.subplots(2, len(runs), figsize=(2.3 * len(runs), 5), squeeze=False, layout="constrained")
    for column, (system, (embeddings, labels)) in enumerate(stored.items()):
        spaces = {"whole space": embeddings}
        if runs[system].params.system.disentangled:
            spaces[f"{notion} sub-space"] = subspace_embeddings(embeddings, vocabulary)[notion]
        for row, panel in enumerate(axes[:, column]):
            if row >= len(spaces):
                panel.axis("off")
                continue
            name, space = list(spaces.items())[row]
            points = project(space[:_MAX_POINTS], seed=0)
            for tag, colour in zip(two, COLOURS, strict=False):
                tagged = points[labels[:_MAX_POINTS, tag]]
                panel.scatter(*tagged.T, s=8, color=colour, linewidths=0, label=vocabulary.tags[tag])
            panel.set_title(f"{system}\n{name}" if row == 0 else name, fontsize=7)
            panel.set_xticks([])
            panel.set_yticks([])
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2, frameon=False)
    save(figure, path)


def _test_split(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings float32 [tracks, dim] and labels bool [tracks, tags], as evaluate left them."""
    with np.load(run.path / "test.npz") as stored:
        return stored["embeddings"], stored["labels"]


def _styles() -> list[dict[str, Any]]:
    return [
        {"color": COLOURS[i % len(COLOURS)], "marker": marker, "linestyle": "--" if i >= len(COLOURS) else "-"}
        for i, marker in enumerate(_MARKERS)
    ]
