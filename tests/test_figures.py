import os
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.artist import Artist
from PIL import Image

from tfmir.figures import COLOURS, legend, log_ticks, plt, save

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

    class Broken(Artist):
        def draw(self, renderer):
            raise ValueError("cannot be drawn")

    figure.add_artist(Broken())
    with pytest.raises(ValueError, match="cannot be drawn"):
        save(figure, tmp_path / "a.png")
    plt.close(figure)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == b"old"


BACKENDS = ["module://matplotlib_inline.backend_inline", "module://nowhere.backend", "nonsense", "TkAgg", "svg"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_backend_of_the_environment_is_not_asked_for(tmp_path, backend):
    """A notebook names its own in the environment of the commands that it starts; there may be no such module here."""
    code = f"""
import pathlib
from tfmir.figures import plt, save
figure, axes = plt.subplots()
save(figure, pathlib.Path({str(tmp_path)!r}) / "a.png")
print(plt.get_backend())
"""
    environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
    told = subprocess.run(
        [sys.executable, "-c", code], env=environment | {"MPLBACKEND": backend}, capture_output=True, text=True
    )
    assert told.stdout.strip().lower() == "agg", told.stderr
    assert (tmp_path / "a.png").exists()


def test_the_users_own_settings_do_not_ask_for_latex_or_formulas(tmp_path):
    settings = ("text.usetex: True", "text.parse_math: True", "axes.formatter.use_mathtext: True", "backend: nonsense")
    (tmp_path / "matplotlibrc").write_text("\n".join(settings))
    code = f"""
import pathlib
from tfmir.figures import plt, save
figure, axes = plt.subplots()
axes.plot([1e-9, 2e-9])
axes.set_title("$x")
save(figure, pathlib.Path({str(tmp_path)!r}) / "a.png")
print([label.get_text() for label in axes.get_yticklabels()], axes.yaxis.get_offset_text().get_text())
"""
    environment = os.environ | {"MATPLOTLIBRC": str(tmp_path / "matplotlibrc")}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert told.stdout, told.stderr
    assert "$" not in told.stdout


NAMES = ["$x^2$", "$\\frac{$", "a_b", "_live", "100 % $", r"\alpha", "a{b}", "A$AP_Rocky $1", "rock"]


def drawn(name, kind):
    """The pixels of a figure with a name in one place; None: the same without it."""
    figure, axes = plt.subplots(figsize=(3, 2), layout="constrained")
    (line,) = axes.plot([0, 1], label=name)
    if kind == "title":
        axes.set_title(name)
    elif kind == "ticks":
        axes.set_xticks([0.5], [name])
    elif kind == "labels":
        axes.set(xlabel=name, ylabel=name)
    elif kind == "text":
        figure.text(0.1, 0.1, name)
    else:
        legend(figure if kind == "legend of figure" else axes, [line], loc="upper left")
    figure.canvas.draw()
    pixels, texts = np.asarray(figure.canvas.buffer_rgba()).copy(), figure.findobj(matplotlib.text.Text)
    found = [text for text in texts if text.get_text() == name]
    plt.close(figure)
    return pixels, found


@pytest.mark.parametrize("kind", ["title", "ticks", "labels", "text", "legend of axes", "legend of figure"])
@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_plain_text_wherever_it_stands(kind, name):
    pixels, found = drawn(name, kind)
    assert found
    assert not any(text.get_parse_math() or text.get_usetex() for text in found)
    assert (pixels != drawn(name[:-1], kind)[0]).any()  # its last letter can be seen


def test_a_legend_has_a_sign_for_every_name_in_order():
    figure, axes = plt.subplots()
    lines = [axes.plot([0, 1], label=name)[0] for name in NAMES]
    legend(axes, lines[::-1], ncols=2)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == NAMES[::-1]
    assert len(axes.get_legend().legend_handles) == len(NAMES)
    plt.close(figure)


@pytest.mark.parametrize("values", [[1e-3, 1.25e-4], [1e-5, 10.0], [3e-4, 2e-4]])
def test_a_logarithmic_axis_is_labelled_with_numbers(values):
    figure, axes = plt.subplots()
    axes.plot(values)
    axes.set_yscale("log")
    log_ticks(axes.yaxis)
    figure.canvas.draw()
    labels = [label.get_text() for label in axes.yaxis.get_ticklabels(which="both") if label.get_text()]
    assert labels
    assert all(float(label.replace("−", "-")) > 0 for label in labels)
    plt.close(figure)
