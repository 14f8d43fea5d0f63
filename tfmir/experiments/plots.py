"""Figures of a comparison: recall, retrieval against training time, leakage, and one after the paper's Figure 3."""

from __future__ import annotations

import itertools
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tfmir.errors import UserError
from tfmir.evaluation.plots import MOST_POINTS, heat_map, shows_leakage, true_captions
from tfmir.experiments.columns import Reports
from tfmir.figures import COLOURS, legend, plt, save
from tfmir.inference.subspaces import subspace_embeddings
from tfmir.run_directory import Run
from tfmir.searching.maps import LEAST_POINTS, project, sample
from tfmir.vocabulary import Vocabulary

_MARKERS = "os^Dv<>Pp"
_DASHES = ("-", "--", ":")

CAPTIONS = {
    "recall.png": "Recall at k, mean over the seeds",
    "time.png": "Recall at 1 against training time",
    "trade_off.png": "Recall at 1 against triplet prediction in the sub-spaces, mean and deviation over the seeds",
    "leakage.png": "Share of a notion's triplets (column) that each sub-space (row) predicts",
    "tsne.png": "t-SNE of the test tracks of a disentangled system, two tags of one notion in colour before all "
    "others; the whole space beside the sub-space of that notion (after the paper's Figure 3)",
}


def draw(
    runs: Mapping[str, Sequence[Run]], reports: Reports, folder: pathlib.Path, *, tsne_tags: str = ""
) -> dict[str, str]:
    """All figures of a comparison for which there is something to draw, as PNG: file name -> caption.

    Args:
      runs: system -> its runs, one a seed.
      reports: the same of their reports.
      folder: where they go.
      tsne_tags: `notion/a,b`; empty: the two most frequent tags of the first notion that has two.

    Raises:
      UserError: there are no such tags.
    """
    drawn = []
    if _ks(reports):
        drawn.append("recall.png")
        recall_curves(reports, folder / "recall.png")
        if all(report["training"] for group in reports.values() for report in group):
            drawn.append("time.png")
            recall_against_time(reports, folder / "time.png")
    disentangled = {s: r for s, r in reports.items() if r[0]["system"]["leakage"]}
    if disentangled and "1" in _ks(reports) and all(map(np.isfinite, _in_subspaces(disentangled))):
        drawn.append("trade_off.png")
        trade_off(disentangled, folder / "trade_off.png")
    if disentangled and all(shows_leakage(r["system"]["leakage"]) for group in disentangled.values() for r in group):
        drawn.append("leakage.png")
        leakage_matrices(disentangled, folder / "leakage.png")
    check_tsne_tags(tsne_tags, runs)
    shown = "triplet_disentangled" if "triplet_disentangled" in disentangled else next(iter(disentangled), None)
    if shown and reports[shown][0]["tracks"] >= LEAST_POINTS:
        drawn.append("tsne.png")
        tsne_of_two_tags(runs[shown][0], folder / "tsne.png", tags=tsne_tags)
    captions = true_captions(CAPTIONS, next(iter(reports.values()))[0]["tracks"])
    return {name: captions[name] for name in drawn}


def check_tsne_tags(tags: str, runs: Mapping[str, Sequence[Run]]) -> None:
    """Refuses what `draw` would not find; the runs need not be trained yet.

    Args:
      tags: `notion/a,b`, or empty.
      runs: system -> its runs, one a seed.

    Raises:
      UserError: no system has sub-spaces, or there are no such tags.
    """
    if not tags:
        return
    of_spaces = [group[0] for group in runs.values() if group[0].params.system.disentangled]
    if not of_spaces:
        raise UserError(f"--tsne_tags={tags}: none of {', '.join(runs)} has sub-spaces: add triplet_disentangled")
    _named_tags(tags, of_spaces[0].vocabulary)


def recall_curves(reports: Reports, path: pathlib.Path) -> None:
    """Mean R@k over the seeds of every system, for each k for which all have one."""
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    ks, lines = _ks(reports), []
    for (system, group), style in zip(reports.items(), _styles(), strict=False):
        values = np.mean([[r["system"]["recall"][k]["mean"] for k in ks] for r in group], axis=0)
        lines += axes.plot([int(k) for k in ks], values, label=system, **style)
    axes.set_xscale("log", base=2)
    axes.set_xticks([int(k) for k in ks], ks)
    axes.set(xlabel="k", ylabel="recall at k, mean over seeds")
    legend(figure, lines, loc="outside right upper", fontsize=8)
    save(figure, path)


def recall_against_time(reports: Reports, path: pathlib.Path) -> None:
    """R@1 against training time, a point a seed."""
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    lines = []
    for (system, group), style in zip(reports.items(), _styles(), strict=False):
        minutes = [report["training"]["cpu_seconds"] / 60 for report in group]
        recall = [report["system"]["recall"]["1"]["mean"] for report in group]
        lines += axes.plot(minutes, recall, label=system, **{**style, "linestyle": "none"})
    axes.set(xlabel="training time (minutes of CPU time: epochs × their median)", ylabel="R@1")
    legend(figure, lines, loc="outside right upper", fontsize=8)
    save(figure, path)


def trade_off(reports: Reports, path: pathlib.Path) -> None:
    """What a disentangled system gains of one costs it of the other: R@1 against the triplets of the sub-spaces."""
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    lines = []
    for (system, group), style in zip(reports.items(), _styles(), strict=False):
        seeds = np.array([_in_subspaces({system: group}), [r["system"]["recall"]["1"]["mean"] for r in group]])
        (x, y), (dx, dy) = seeds.mean(axis=1), seeds.std(axis=1, ddof=1 if seeds.shape[1] > 1 else 0)
        lines.append(axes.errorbar(x, y, dy, dx, label=system, **{**style, "linestyle": "none"}, elinewidth=0.8))
    axes.set(xlabel="triplets predicted in the sub-spaces, mean over the notions", ylabel="R@1")
    legend(figure, lines, loc="outside right upper", fontsize=8)
    save(figure, path)


def leakage_matrices(reports: Reports, path: pathlib.Path) -> None:
    """A heat map for every disentangled system: mean over the seeds of its leakage matrix."""
    notions = list(next(iter(reports.values()))[0]["notions"])
    size = 1.0 + 0.62 * len(notions)
    figure, axes = plt.subplots(
        1, len(reports), figsize=(size * len(reports), size + 0.6), squeeze=False, layout="constrained"
    )
    for panel, (system, group) in zip(axes[0], reports.items(), strict=True):
        matrices = np.array([report["system"]["leakage"] for report in group], np.float64)
        heat_map(panel, matrices.mean(axis=0), notions)
        panel.set_title(system, fontsize=9)
    save(figure, path)


def tsne_of_two_tags(run: Run, path: pathlib.Path, *, tags: str = "") -> None:
    """The paper's Figure 3: two tags in colour before all other tracks, the whole space beside the notion's sub-space.

    Args:
      run: a run of a disentangled system, evaluated.
      path: path of the PNG.
      tags: see `draw`.

    Raises:
      UserError: there are no such tags.
    """
    track_ids, embeddings, labels = _test_split(run)
    shown = sample(track_ids, MOST_POINTS)
    notion, two = _two_tags(tags, run.vocabulary, labels)
    spaces = {"whole space": embeddings, f"{notion} sub-space": subspace_embeddings(embeddings, run.vocabulary)[notion]}
    figure, axes = plt.subplots(1, 2, figsize=(8, 4.4), layout="constrained")
    for panel, (space, embedded) in zip(axes, spaces.items(), strict=True):
        points = project(embedded[shown], seed=0)
        signs = [panel.scatter(*points.T, s=6, color="lightgrey", linewidths=0, label="all other tracks")]
        for tag, colour in zip(two, COLOURS, strict=False):
            tagged = points[labels[shown, tag]]
            name = run.vocabulary.tags[tag]
            signs.append(panel.scatter(*tagged.T, s=10, color=colour, linewidths=0, label=name))
        panel.set(title=f"{run.path.name}: {space}", xticks=[], yticks=[])
    legend(figure, signs, loc="outside lower center", ncols=3)
    save(figure, path)


def _two_tags(asked: str, vocabulary: Vocabulary, labels: np.ndarray) -> tuple[str, list[int]]:
    """A notion and two of its tags, by name or else by frequency."""
    if not asked:
        notion = next((n for n in vocabulary.notions if len(vocabulary.tags_of(n)) > 1), vocabulary.notions[0])
        tags = vocabulary.tags_of(notion)
        return notion, [int(tag) for tag in tags[np.argsort(-labels[:, tags].sum(axis=0), kind="stable")][:2]]
    return _named_tags(asked, vocabulary)


def _named_tags(asked: str, vocabulary: Vocabulary) -> tuple[str, list[int]]:
    notion, _, names = asked.partition("/")
    wanted = [f"{notion}/{name.strip()}" for name in names.split(",")]
    unknown = [name for name in wanted if name not in vocabulary.tags]
    if len({*wanted}) != 2 or len(wanted) != 2 or unknown:
        raise UserError(
            f"--tsne_tags={asked}: expected a notion and two of its tags, such as instrument/piano,guitar, of: "
            + ", ".join(vocabulary.tags)
        )
    return notion, [vocabulary.tags.index(name) for name in wanted]


def _test_split(run: Run) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Ids, embeddings float32 [tracks, dim] and labels bool [tracks, tags], as evaluate left them."""
    with np.load(run.path / "test.npz") as stored:
        return stored["track_ids"].tolist(), stored["embeddings"], stored["labels"]


def _in_subspaces(reports: Reports) -> list[float]:
    """Triplets predicted in the sub-spaces, mean over the notions, of every report; NaN where one has none."""
    found = [report["system"]["triplets_subspace"].values() for group in reports.values() for report in group]
    return [float(np.mean([np.nan if share is None else share["mean"] for share in shares])) for shares in found]


def _ks(reports: Reports) -> list[str]:
    """The numbers of neighbours for which every report has a recall."""
    recalls = [report["system"]["recall"] for group in reports.values() for report in group]
    return [k for k in recalls[0] if all(recall[k] for recall in recalls)]


def _styles() -> Iterator[dict[str, Any]]:
    """One for each line, without an end; the first 18 differ."""
    return (
        {"color": COLOURS[i % len(COLOURS)], "marker": _MARKERS[i % len(_MARKERS)], "linestyle": _DASHES[i // 6 % 3]}
        for i in itertools.count()
    )
