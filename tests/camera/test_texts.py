"""Short texts: printable, bounded, and got without running anything of the learner's."""

import doctest

import pytest

from helpers.camera import texts
from helpers.camera.texts import duration, kind_name, message_of, plain


def test_examples() -> None:
    """The examples in the docstrings give what they say."""
    result = doctest.testmod(texts)
    assert result.attempted and not result.failed


@pytest.mark.parametrize("text", ["\ud800", "\0\x1b[31m", "\u202e", "a\nb\tc", "$x$", "x" * 10**6])
def test_any_text_can_be_sent_and_is_short(text: str) -> None:
    """It is valid UTF-8, one line, and has an end."""
    shown = plain(text, 200)
    assert len(shown.encode()) <= 600
    assert "\n" not in shown and shown.isprintable()


def test_letters_of_all_scripts_stay() -> None:
    """Also those that join others."""
    text = "数据 данные डेटा 👩\u200d🔬"
    assert plain(text) == text


class Shy(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise AssertionError


class Nameless(Exception, metaclass=Shy):
    def __str__(self) -> str:
        raise SystemExit


def test_a_class_that_does_not_tell_its_name() -> None:
    """Its name is known all the same, and so is that its message cannot be."""
    assert kind_name(Nameless()) == "Nameless"
    assert message_of(Nameless()) == ""


@pytest.mark.parametrize("digits", range(-5, 6))
@pytest.mark.parametrize("number", [1, 4.44, 9.95, 9.96])
def test_no_time_is_nothing(digits: int, number: float) -> None:
    """The text is as long as a number of three digits, and right within one in eight."""
    seconds = number * 10**digits
    value, unit = duration(seconds).split()
    assert float(value) * {"s": 1, "ms": 1e-3, "µs": 1e-6}[unit] == pytest.approx(seconds, rel=0.13)
    assert unit == "s" or len(value) <= 4
