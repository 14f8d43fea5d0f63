import matplotlib
import pytest
from PIL import Image

from tfmir.figures import COLOURS, plt, save

# As published by M. Okabe and K. Ito, "Color Universal Design", 2002.
PUBLISHED = {"#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"}


def test_the_colours_are_okabe_and_itos_and_differ():
    assert set(COLOURS) <= PUBLISHED
    assert len(set(COLOURS)) == len(COLOURS)


def test_a_figure_is_saved_as_png_without_a_screen_and_closed(tmp_path):
    """At 110 dots an inch, 2 by 1 inches are 220 by 110; the name does not decide what is written."""
    figure, axes = plt.subplots(figsize=(2, 1))
    axes.plot([0, 1])
    save(figure, tmp_path / "sub/figure.plot")
    with Image.open(tmp_path / "sub/figure.plot") as picture:
        assert (picture.format, picture.size) == ("PNG", (220, 110))
    assert matplotlib.get_backend().lower() == "agg"
    assert not plt.fignum_exists(figure.number)


def test_a_figure_that_cannot_be_drawn_leaves_the_old_one(tmp_path):
    (tmp_path / "a.png").write_bytes(b"old")
    figure = plt.figure()
    figure.text(0, 0, r"$\frac{$")  # no formula
    with pytest.raises(ValueError, match="frac"):
        save(figure, tmp_path / "a.png")
    plt.close(figure)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == b"old"
