"""Colours: a call keeps its own, and no two calls of a picture share one."""

import doctest
import itertools

import pytest

from helpers.screen import palette
from helpers.screen.palette import OTHER, colours_of


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that has drawn nothing."""
    own = ("load_data", "infer", "load_shard", "infer_shard")
    monkeypatch.setattr(palette, "_given", {call: palette._given[call] for call in own})


def test_examples() -> None:
    """The examples in the docstrings give what they say."""
    result = doctest.testmod(palette)
    assert result.attempted and not result.failed


def test_a_call_keeps_its_colour_whoever_comes_first() -> None:
    """In whatever order, and beside whomever."""
    first = colours_of(["one", "load_data", "two"])
    assert colours_of(["three", "two", "infer", "one"])["two"] == first["two"]
    assert colours_of(["one"])["one"] == first["one"]
    assert colours_of(["load_data"])["load_data"] == first["load_data"]


def test_no_two_calls_of_a_picture_look_alike() -> None:
    """Of many calls each pair can be told apart, or one of them is grey."""
    calls = [f"call{number}" for number in range(40)]
    for call in calls:
        colours_of([call])
    for pair in itertools.combinations(calls, 2):
        one, other = colours_of(pair).values()
        assert one != other and one != OTHER


def test_those_beyond_the_eighth_are_grey() -> None:
    """So that there is a colour for each that stands out."""
    shown = [*colours_of([f"call{number}" for number in range(12)]).values()]
    assert OTHER not in shown[:7]
    assert set(shown[8:]) == {OTHER}
