import dataclasses

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from tfmir.errors import UserError
from tfmir.experiments import plots
from tfmir.params import RunParams, SystemParams
from tfmir.run_directory import Run
from tfmir.vocabulary import Vocabulary

VOCABULARY = Vocabulary.from_dict({"era": ["90s"], "genre": ["a", "b", "c"], "mood": ["x", "y"]})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Of a system with a sub-space of 2 numbers for each of three notions; c is the most frequent genre, then a."""
    path = tmp_path_factory.mktemp("runs") / "mine-0"
    path.mkdir()
    rng = np.random.default_rng(0)
    labels = np.zeros([40, 6], bool)
    for tag, count in enumerate((5, 9, 2, 12, 6, 8)):
        labels[:count, tag] = True
    embeddings = np.abs(rng.normal(size=[40, 6])).astype(np.float32)
    np.savez(path / "test.npz", track_ids=np.arange(40).astype(str), embeddings=embeddings, labels=labels)
    return Run(path, RunParams(), VOCABULARY, "records", "demo", "CC0-1.0")


@pytest.fixture
def seen(monkeypatch):
    """The figures that are drawn, as they are before they are written."""
    drawn = []
    monkeypatch.setattr(plots, "project", lambda points, seed: points[:, :2])
    monkeypatch.setattr(plots, "save", lambda figure, path: drawn.append(figure))
    return drawn


def texts(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_figures_are_written(reports, tmp_path):
    plots.recall_curves(reports, tmp_path / "recall.png")
    plots.recall_against_time(reports, tmp_path / "time.png")
    plots.leakage_matrices({"triplet": reports["triplet"]}, tmp_path / "leakage.png")
    for name in ("recall", "time", "leakage"):
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert min(picture.size) > 150


def test_recall_is_the_mean_over_the_seeds(reports, seen, tmp_path):
    plots.recall_curves(reports, tmp_path / "recall.png")
    lines = {line.get_label(): line for line in seen[0].axes[0].get_lines()}
    np.testing.assert_allclose(lines["triplet"].get_ydata(), [0.3, 0.35, 0.4, 0.45])
    np.testing.assert_allclose(lines["plain"].get_xdata(), [1, 2, 4, 8])


def test_every_system_has_a_line_however_many_there_are(reports, seen, tmp_path):
    many = {f"system {number}": reports["triplet"] for number in range(18)}
    plots.recall_curves(many, tmp_path / "recall.png")
    lines = seen[0].axes[0].get_lines()
    assert len({(line.get_color(), line.get_marker(), line.get_linestyle()) for line in lines}) == 18


def test_time_has_a_point_a_seed_in_minutes(reports, seen, tmp_path):
    plots.recall_against_time(reports, tmp_path / "time.png")
    lines = {line.get_label(): line for line in seen[0].axes[0].get_lines()}
    np.testing.assert_allclose(lines["triplet"].get_xydata(), [[10, 0.2], [1000 / 60, 0.4]])


def test_the_trade_off_has_a_point_a_system_with_its_deviation(reports, seen, tmp_path):
    """R@1 0.2 and 0.4: 0.3 ± 0.14; triplets of the two sub-spaces: each seed's mean over them."""
    group = reports["triplet"]
    shares = [np.mean([share["mean"] for share in r["system"]["triplets_subspace"].values()]) for r in group]
    plots.trade_off({"triplet": group}, tmp_path / "trade_off.png")
    (point,) = (line for line in seen[0].axes[0].get_lines() if len(line.get_xdata()))
    np.testing.assert_allclose(point.get_xydata(), [[np.mean(shares), 0.3]])
    _, upright = (bars.get_segments()[0] for bars in seen[0].axes[0].collections)
    np.testing.assert_allclose(upright[:, 1], 0.3 + np.array([-1, 1]) * np.std([0.2, 0.4], ddof=1))


def test_two_tags_stand_before_all_other_tracks_in_both_spaces(run, seen, tmp_path):
    plots.tsne_of_two_tags(run, tmp_path / "tsne.png", tags="mood/x, y")
    assert texts(seen[0]) == ["all other tracks", "mood/x", "mood/y"]
    assert [axes.get_title() for axes in seen[0].axes] == ["mine-0: whole space", "mine-0: mood sub-space"]
    for axes in seen[0].axes:
        assert [len(points.get_offsets()) for points in axes.collections] == [40, 6, 8]


def test_the_subspace_is_that_of_the_notion(run, monkeypatch, tmp_path):
    spaces = []
    monkeypatch.setattr(plots, "project", lambda points, seed: spaces.append(points) or points[:, :2])
    plots.tsne_of_two_tags(run, tmp_path / "tsne.png", tags="genre/b,a")
    with np.load(run.path / "test.npz") as stored:
        whole = stored["embeddings"]
    np.testing.assert_array_equal(spaces[0], whole)
    part = whole[:, 2:4]
    np.testing.assert_allclose(spaces[1], part / np.linalg.norm(part, axis=1, keepdims=True), rtol=1e-5)


def test_without_a_choice_they_are_the_most_frequent_of_the_first_notion_with_two(run, seen, tmp_path):
    plots.tsne_of_two_tags(run, tmp_path / "tsne.png")
    assert texts(seen[0]) == ["all other tracks", "genre/c", "genre/a"]


@pytest.mark.parametrize("asked", ["genre", "genre/a", "genre/a,b,c", "genre/a,x", "tempo/a,b", "a,b", "/,"])
def test_tags_that_are_none_are_refused_with_those_that_are(run, asked, tmp_path):
    with pytest.raises(
        UserError, match=rf"--tsne_tags={asked}: expected a notion and two of its tags.*genre/a, genre/b"
    ):
        plots.tsne_of_two_tags(run, tmp_path / "tsne.png", tags=asked)
    assert not list(tmp_path.iterdir())


def test_what_is_drawn_is_what_the_runs_have(run, reports, tmp_path):
    found = plots.draw({"triplet": [run, run], "plain": [run, run]}, reports, tmp_path, tsne_tags="genre/a,b")
    assert set(found) == set(plots.CAPTIONS) == {path.name for path in tmp_path.iterdir()}
    reports["triplet"][0]["training"] = None
    assert "time.png" not in plots.draw({"triplet": [run, run], "plain": [run, run]}, reports, tmp_path)
    assert list(plots.draw({"plain": [run]}, {"plain": reports["plain"]}, tmp_path)) == ["recall.png", "time.png"]


def test_what_the_runs_do_not_have_is_left_out(run, reports, tmp_path):
    """R@8 and a notion's triplets are drawn around; without any recall, triplets or four tracks there is no picture."""
    runs = {"triplet": [run, run], "plain": [run, run]}
    every = [report for group in reports.values() for report in group]
    for report in every:
        report["system"]["recall"]["8"] = None
    for report in reports["triplet"]:
        report["system"]["leakage"] = [[0.7, None], [0.5, None]]
    assert set(plots.draw(runs, reports, tmp_path)) == set(plots.CAPTIONS)
    for report in reports["triplet"]:
        report["system"]["leakage"] = [[None, None], [None, None]]
    assert "leakage.png" not in plots.draw(runs, reports, tmp_path)
    for report in every:
        report["tracks"] = 3
        report["system"]["recall"] = dict.fromkeys("1248")
    assert plots.draw(runs, reports, tmp_path, tsne_tags="genre/a,b") == {}


def test_recall_is_drawn_for_the_ks_that_all_have(reports, seen, tmp_path):
    reports["plain"][1]["system"]["recall"] |= {"4": None, "8": None}
    plots.recall_curves(reports, tmp_path / "recall.png")
    assert [list(line.get_xdata()) for line in seen[0].axes[0].get_lines()] == [[1, 2], [1, 2]]


def test_names_that_look_like_formulas_are_shown_as_they_are(run, reports, seen, tmp_path):
    odd = {"_$mine$": reports["triplet"], "b_$c": reports["plain"]}
    plots.recall_curves(odd, tmp_path / "recall.png")
    plots.recall_against_time(odd, tmp_path / "time.png")
    words = Vocabulary.from_dict({"_era": ["90s"], "_genre": ["_a", "$b$", "c"], "mood": ["x", "y"]})
    plots.tsne_of_two_tags(dataclasses.replace(run, vocabulary=words), tmp_path / "tsne.png", tags="_genre/_a,$b$")
    assert [texts(figure) for figure in seen] == [
        list(odd),
        list(odd),
        ["all other tracks", "_genre/_a", "_genre/$b$"],
    ]
    plots.leakage_matrices({"_$mine$": reports["triplet"]}, tmp_path / "leakage.png")
    assert seen[3].axes[0].get_title() == "_$mine$"
    for figure in seen:
        figure.canvas.draw()
        assert not [text for text in figure.findobj(Text) if text.get_parse_math() or "mathdefault" in text.get_text()]


def test_without_a_system_with_subspaces_two_tags_cannot_be_shown(run, reports, tmp_path):
    system = SystemParams("classification", disentangled=False)
    plain = dataclasses.replace(run, params=RunParams(system=system))
    with pytest.raises(UserError, match="none of plain has sub-spaces: add triplet_disentangled"):
        plots.draw({"plain": [plain]}, {"plain": reports["plain"]}, tmp_path, tsne_tags="genre/a,b")
