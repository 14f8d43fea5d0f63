import copy

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from tfmir.evaluation import plots
from tfmir.evaluation.baselines import random_embeddings
from tfmir.evaluation.report import Contender, build_report
from tfmir.inference.subspaces import subspace_embeddings, unit_rows
from tfmir.vocabulary import Vocabulary

VOCABULARY = Vocabulary.from_dict({"genre": ["a", "b"], "mood": ["x", "y"]})


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    labels = rng.random([60, 4]) < [0.5, 0.3, 0.4, 0.3]
    return labels, unit_rows(np.abs(np.repeat(labels + 0.3 * rng.normal(size=labels.shape), 2, axis=1)))


@pytest.fixture(scope="module")
def report(data):
    labels, embeddings = data
    statistics = {"statistics": Contender(random_embeddings(60, 8, seed=1), None)}
    return build_report("mine", VOCABULARY, labels, Contender(embeddings, None, disentangled=True), statistics)


def names(embeddings):
    """Ids of tracks, in another order than their rows'."""
    return [f"track {-row}" for row in range(len(embeddings))]


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are written, still open."""
    figures = []
    monkeypatch.setattr(plots, "save", lambda figure, path: figures.append(figure))
    yield figures
    for figure in figures:
        plots.plt.close(figure)


def test_figures_are_written_whole_and_show_something(data, report, tmp_path):
    labels, embeddings = data
    parts = subspace_embeddings(embeddings, VOCABULARY)
    plots.tsne(plots.map_spaces(names(embeddings), embeddings, parts), labels, VOCABULARY, tmp_path / "tsne.png")
    plots.tsne(plots.map_spaces(names(embeddings), embeddings, {}), labels, VOCABULARY, tmp_path / "whole.png")
    plots.leakage(np.array(report["system"]["leakage"]), VOCABULARY.notions, tmp_path / "leakage.png")
    plots.recall_curves(report, tmp_path / "recall.png")
    history = [{"epoch": e, "above_floor": -e, "val_above_floor": 1.0 - e, "learning_rate": 0.1} for e in range(1, 4)]
    plots.training_curves(history, tmp_path / "training.png")
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{n}.png" for n in ("tsne", "whole", "leakage", "recall", "training")
    }
    for path in tmp_path.iterdir():
        pixels = np.asarray(Image.open(path).convert("L"))
        assert min(pixels.shape) > 200
        assert len(np.unique(pixels)) > 20


@pytest.mark.parametrize("name", ["mine", "statistics"])
def test_recall_has_a_line_for_every_contender_by_its_name(report, drawn, name):
    """A run that is named like a baseline has a line of its own."""
    plots.recall_curves({**report, "run": name}, None)
    (axes,) = drawn[0].axes
    lines = {line.get_label(): line.get_ydata() for line in axes.lines}
    assert list(lines) == [name, "statistics (baseline)"]
    contenders = (report["system"], report["baselines"]["statistics"])
    for line, contender in zip(lines.values(), contenders, strict=True):
        np.testing.assert_allclose(line, [value["mean"] for value in contender["recall"].values()])


def test_curves_are_above_the_floor_where_there_is_one(drawn):
    """A triplet system has no floor: its hinge is drawn as it is."""
    with_floor = [{"epoch": e, "above_floor": -e, "val_above_floor": 2 - e, "learning_rate": 0.1} for e in (1, 2)]
    hinge = [{"epoch": e, "loss": 3.0 * e, "val_loss": 4.0 * e, "learning_rate": 0.1} for e in (1, 2)]
    plots.training_curves(with_floor, None)
    plots.training_curves(hinge, None)
    floor, without = ({line.get_label(): list(line.get_ydata()) for line in f.axes[0].lines} for f in drawn)
    assert floor == {"training": [-1, -2], "validation": [1, 0], "tag frequencies": [0.0, 0.0]}
    assert without == {"training": [3.0, 6.0], "validation": [4.0, 8.0]}


def test_a_heat_map_says_its_numbers(drawn):
    plots.leakage(np.array([[0.91, 0.52], [0.5, 0.83]]), ("genre", "mood"), None)
    axes = drawn[0].axes[0]
    assert [text.get_text() for text in axes.texts] == ["0.91", "0.52", "0.50", "0.83"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["genre", "mood"]
    assert axes.images[0].get_clim() == (0.5, 1.0)


@pytest.mark.parametrize("missing", [[], ["8"], ["4", "8"], ["2", "4", "8"]])
def test_recall_is_drawn_for_the_ks_that_there_are(report, drawn, missing):
    odd = copy.deepcopy(report)
    for contender in (odd["system"], odd["baselines"]["statistics"]):
        contender["recall"] |= dict.fromkeys(missing)
    assert "recall.png" not in plots.undrawn(odd)
    plots.recall_curves(odd, None)
    (axes,) = drawn[0].axes
    ks = [k for k in ("1", "2", "4", "8") if k not in missing]
    assert [label.get_text() for label in axes.get_xticklabels()] == ks
    assert [list(line.get_xdata()) for line in axes.lines] == [[int(k) for k in ks]] * 2


def test_a_notion_without_triplets_is_a_column_of_dashes(drawn):
    plots.leakage(np.array([[0.9, None], [0.5, None]], float), ("genre", "mood"), None)
    assert [text.get_text() for text in drawn[0].axes[0].texts] == ["0.90", "–", "0.50", "–"]
    drawn[0].canvas.draw()


LEAKAGES = [([[0.9]], True), ([[None, None], [None, None]], True), ([[0.9, None], [0.5, None]], False), (None, False)]


@pytest.mark.parametrize(("matrix", "left_out"), LEAKAGES)
def test_leakage_is_drawn_between_sub_spaces_only(report, matrix, left_out):
    odd = {**report, "system": {**report["system"], "leakage": matrix}}
    assert ("leakage.png" in plots.undrawn(odd)) == left_out


@pytest.mark.parametrize("tracks", [1, 2, 3, 4, 5])
def test_tsne_is_drawn_of_as_many_tracks_as_it_needs(data, report, drawn, tracks):
    labels, embeddings = (rows[:tracks] for rows in data)
    reasons = plots.undrawn({**report, "tracks": tracks})
    if tracks < 4:
        assert reasons == {"tsne.png": f"needs 4 tracks, the test split has {tracks}"}
        return
    assert reasons == {}
    maps = plots.map_spaces(names(embeddings), embeddings, subspace_embeddings(embeddings, VOCABULARY))
    plots.tsne(maps, labels, VOCABULARY, None)
    assert [len(axes.collections[0].get_offsets()) for axes in drawn[0].axes] == [tracks] * 4


def test_of_many_tracks_the_tsne_is_of_a_sample_with_its_own_labels(data, drawn, monkeypatch):
    """Twenty of sixty, chosen by their ids whatever their order; the caption says so, and of few tracks it does not."""
    labels, embeddings = data
    monkeypatch.setattr(plots, "MOST_POINTS", 20)
    monkeypatch.setattr(plots, "project", lambda points, seed: points[:, :2])
    ids = names(embeddings)
    maps = plots.map_spaces(ids, embeddings, subspace_embeddings(embeddings, VOCABULARY))
    turned = plots.map_spaces(ids[::-1], embeddings[::-1], {})
    assert {ids[row] for row in maps.rows} == {ids[::-1][row] for row in turned.rows}
    np.testing.assert_array_equal(maps.whole, embeddings[maps.rows, :2])
    plots.tsne(maps, labels, VOCABULARY, None)
    shown = {text.get_text(): len(sign.get_offsets()) for text, sign in _signs(drawn[0].axes[0])}
    assert shown == {"a": labels[maps.rows, 0].sum(), "b": labels[maps.rows, 1].sum()}
    assert "20 of the 60 test tracks" in plots.true_captions(plots.CAPTIONS, 60)["tsne.png"]
    assert plots.true_captions(plots.CAPTIONS, 20) == plots.CAPTIONS


def _signs(axes):
    return zip(axes.get_legend().get_texts(), axes.collections[1:], strict=True)


ODD_NAMES = Vocabulary.from_dict({"_genre_": ["$x^2$", "_live"], "_mood": ["a_b$", r"$\frac{$"]})


def test_names_that_look_like_formulas_are_shown_as_they_are(data, report, drawn):
    """And every tag has its place in the legend."""
    labels, embeddings = data
    maps = plots.map_spaces(names(embeddings), embeddings, subspace_embeddings(embeddings, ODD_NAMES))
    plots.tsne(maps, labels, ODD_NAMES, None)
    plots.leakage(np.eye(2), ODD_NAMES.notions, None)
    plots.recall_curves({**report, "run": "_my_$run$"}, None)
    history = [{"epoch": e, "loss": 1.0, "val_loss": 1.0, "learning_rate": 10.0**-e} for e in (1, 2, 3)]
    plots.training_curves(history, None)
    shown = []
    for figure in drawn:
        figure.canvas.draw()
        texts = figure.findobj(Text)
        assert not [text for text in texts if text.get_parse_math() or "mathdefault" in text.get_text()]
        shown.append([text.get_text() for text in texts])
    assert {*ODD_NAMES.notions} <= set(shown[1])
    assert {"$x^2$", "_live", "a_b$", r"$\frac{$", "whole space, by _genre_", "_mood sub-space"} <= set(shown[0])
    assert "_my_$run$" in shown[2]
