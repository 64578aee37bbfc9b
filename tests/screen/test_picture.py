"""What all widgets share: a picture that can be read aloud, and stands where no widget lives."""

import base64
import doctest
import sys

from helpers import load_data, simulate
from helpers.screen.picture import Picture, PictureBox
from helpers.screen.plot import in_words, size, timeline


def test_examples() -> None:
    """The examples in the docstrings give what they say."""
    result = doctest.testmod(sys.modules["helpers.screen.picture"])
    assert result.attempted and not result.failed


def test_a_picture_says_in_words_what_it_shows() -> None:
    """Its title is the run's line, and changes with it."""
    picture = Picture()
    for file in ("dataset1.csv", "dataset2.csv"):
        run = simulate(load_data, file)
        picture.show(file.encode(), in_words(run), 960, 400)
        assert picture.tooltip == in_words(run)
        assert run.root.name in picture.tooltip or repr(run) in picture.tooltip
        assert bytes(picture.value) == file.encode()
    assert picture.get_state()["description"] == ""  # the view of a tooltip asks for it


def test_a_picture_is_as_large_as_it_was_drawn() -> None:
    """In pixels of the page, of which each has several dots; and never wider than its place."""
    picture, run = Picture(), simulate(load_data, "dataset1.csv")
    figure = timeline(run, height=300)
    picture.draw(figure, run)
    width, height = size(figure)
    assert (picture.width, picture.height) == (f"{width}", f"{height}")
    assert picture.layout.max_width == f"min({width}px, 100%)"


class Shown(PictureBox):
    def __init__(self) -> None:
        self.picture = Picture()
        self.picture.show(b"png", in_words(simulate(load_data, "dataset1.csv")), 960, 400)
        super().__init__([self.picture], "ours")

    def __repr__(self) -> str:
        return "shown"


def test_a_screen_is_also_a_picture_and_a_text() -> None:
    """A page that can show no widget finds the others beside it."""
    bundle = Shown()._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert "application/vnd.jupyter.widget-view+json" in data
    assert data["text/plain"] == "shown"
    assert base64.b64decode(data["image/png"]) == b"png"
