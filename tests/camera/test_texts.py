"""Short texts: printable, bounded, and got without running anything of the learner's."""

import doctest

import pytest

from helpers.camera import texts
from helpers.camera.texts import kind_name, message_of, plain


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
