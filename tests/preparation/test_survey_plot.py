from PIL import Image

from tfmir.figures import plt
from tfmir.preparation import survey_plot
from tfmir.preparation.survey_plot import plot_tags


def counts(train, validation, test):
    return {"train": train, "validation": validation, "test": test}


def drawn(report, tmp_path, monkeypatch):
    """The figure, before it is closed."""
    kept = []
    monkeypatch.setattr(survey_plot, "save", lambda figure, path: kept.append(figure))
    plot_tags(report, tmp_path / "corpus.png")
    return kept[0]


REPORT = {
    "notions": {"genre": {}, "mood": {}},
    "tags": {"genre/rock": counts(1, 2, 3), "genre/jazz": counts(7, 0, 1), "mood/a/b": counts(4, 0, 0)},
}


def test_bars_are_as_long_as_the_counts_stacked_and_the_most_frequent_tag_is_first(tmp_path, monkeypatch):
    """Jazz has 8 tracks, rock 6. Bars come split by split, and within it tag by tag."""
    figure = drawn(REPORT, tmp_path, monkeypatch)
    genre, mood = figure.axes
    bars = [(bar.get_x(), bar.get_width()) for bar in genre.patches]
    assert bars == [(0, 7), (0, 1), (7, 0), (1, 2), (7, 1), (3, 3)]
    assert [label.get_text() for label in genre.get_yticklabels()] == ["jazz", "rock"]
    assert genre.get_ylim()[0] > genre.get_ylim()[1]  # the first is at the top
    assert [label.get_text() for label in mood.get_yticklabels()] == ["a/b"]
    assert [text.get_text() for text in genre.get_legend().get_texts()] == ["train", "validation", "test"]
    plt.close(figure)


def test_of_many_tags_the_40_most_frequent_are_shown_and_the_title_says_so(tmp_path, monkeypatch):
    tags = {f"genre/{i:02d}": counts(i, 0, 0) for i in range(50)}
    figure = drawn({"notions": {"genre": {}}, "tags": tags}, tmp_path, monkeypatch)
    (panel,) = figure.axes
    assert [label.get_text() for label in panel.get_yticklabels()] == [f"{i:02d}" for i in range(49, 9, -1)]
    assert panel.get_title() == "genre: 50 tags (the 40 most frequent)"
    plt.close(figure)


def test_a_picture_has_a_panel_a_notion(tmp_path):
    """3.6 inches a panel, 7 high, at 110 dots an inch."""
    plot_tags(REPORT, tmp_path / "corpus.png")
    with Image.open(tmp_path / "corpus.png") as picture:
        assert (picture.format, picture.size) == ("PNG", (792, 770))
