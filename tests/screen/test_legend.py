"""The legend: in as few lines as it fits in, all of it within the picture."""

import doctest

from matplotlib.figure import Figure

from helpers.screen import legend
from helpers.screen.legend import Key, add_legend, in_lines, keys
from helpers.screen.palette import OTHER


def test_examples() -> None:
    """The examples in the docstrings give what they say."""
    result = doctest.testmod(legend)
    assert result.attempted and not result.failed


def test_it_is_in_one_line_if_it_fits() -> None:
    """Else calls and states begin a line each, and no line is too long."""
    calls = [Key(f"call{number}()", "#000000", "running") for number in range(12)]
    states = [Key("waiting", "#555555", "world")]
    assert in_lines([calls[:2], states], 900) == [[*calls[:2], *states]]
    lines = in_lines([calls, states], 900)
    assert [key for line in lines for key in line] == [*calls, *states]
    assert lines[-1] == states and len(lines) == 3
    assert all(sum(key.width() for key in line) <= 920 for line in lines)


def test_calls_without_a_colour_of_their_own_are_other() -> None:
    """One entry for all of them."""
    found, _ = keys({"a": OTHER, "b": "#123456", "c": OTHER}, {}, [])
    assert [key.text for key in found] == ["b()", "other"]


def test_what_is_drawn_stands_in_lines_above_the_foot() -> None:
    """One below the other, and signs without a box."""
    figure = Figure(figsize=(9, 2), dpi=100)
    lines = [[Key("a()", "#123456", "running")], [Key("✖ ValueError")]]
    add_legend(figure, lines, high=20, foot=10)
    boxes = [a for a in figure.artists if not hasattr(a, "get_text")]
    texts = [a for a in figure.artists if hasattr(a, "get_text")]
    assert len(boxes) == 1 and [t.get_text() for t in texts] == ["a()", "✖ ValueError"]
    assert [round(200 * t.get_position()[1]) for t in texts] == [40, 20]
