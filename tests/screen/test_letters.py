"""What is written: as wide as it is said to be, cut and broken to fit."""

import doctest

import pytest
from matplotlib.figure import Figure

from helpers.screen import letters
from helpers.screen.letters import NAME, PX, TITLE, cut_to, px, wrapped, write


def test_examples() -> None:
    """The examples in the docstrings give what they say."""
    result = doctest.testmod(letters)
    assert result.attempted and not result.failed


@pytest.mark.parametrize("text", ["load_data('a.csv')", "W" * 20, "i" * 20])
def test_a_text_is_as_wide_as_it_is_when_drawn(text: str) -> None:
    """Within the two pixels that its first and last letters may lack."""
    figure = Figure(dpi=PX)
    made = figure.text(0, 0, "")
    write(made, text, NAME)
    assert px(text, NAME) == pytest.approx(made.get_window_extent().width, abs=4)


@pytest.mark.parametrize("room", [100, 300, 900])
def test_a_title_fits_in_four_lines(room: int) -> None:
    """However long it is."""
    lines = wrapped("failed with ValueError: " + "much to say " * 50 + " · 3 lanes", room).split(
        "\n"
    )
    assert len(lines) <= 4
    assert max(px(line, TITLE) for line in lines) <= room
    assert px(cut_to("a" * 500, NAME, room), NAME) <= room + 0.01
