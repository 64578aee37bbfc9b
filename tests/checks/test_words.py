"""Words: short, printable, and nothing of the learner's is run in order to find them."""

import asyncio
import doctest
import functools
from typing import Any

import pytest

import helpers.checks.words
from helpers.checks.words import error_text, in_words, is_same, name_of, shown


class Odd:
    """Whatever one asks it, it fails or never answers."""

    def __repr__(self) -> str:
        raise SystemExit

    def __eq__(self, other: object) -> bool:
        raise KeyError

    __hash__ = None  # type: ignore[assignment]


class Odder(Odd):
    def __getattr__(self, name: str) -> Any:
        raise LookupError(name)


class OddError(Exception):
    def __str__(self) -> str:
        raise GeneratorExit


class NoTextError(Exception):
    def __str__(self) -> str:
        return 7  # type: ignore[return-value]


def test_examples() -> None:
    """The examples of the module run as written."""
    assert doctest.testmod(helpers.checks.words).failed == 0


@pytest.mark.parametrize(
    "value",
    [
        "x" * 1_000_000,
        b"x" * 1_000_000,
        ["x" * 1_000] * 1_000,
        {"x" * n: "y" * n for n in range(1_000)},
        10**10_000,
        ValueError("x" * 1_000_000),
        OSError("x " * 1_000_000),
        [Odd()] * 1_000,
        type("X" * 10_000, (), {})(),
        type("list", (), {})(),
    ],
    ids=lambda value: type(value).__name__[:9],
)
def test_anything_is_shown_in_short_words(value: object) -> None:
    """Never more than a line or two, no token that cannot wrap."""
    text = shown(value)
    assert 0 < len(text) <= 260
    assert max(map(len, text.split())) <= 60


@pytest.mark.parametrize("text", ["\x1b[31m", "\r\b", "\ud800", "\x00", "\u202e"])
def test_what_cannot_be_printed_is_spelled(text: str) -> None:
    """Control signs and lone surrogates would garble the cell, or break it."""
    assert in_words(text).isprintable()
    in_words(text).encode()


def test_other_scripts_stay_as_they_are() -> None:
    """Only what cannot be printed is changed."""
    assert in_words("größer · 数据 · ■ $x$") == "größer · 数据 · ■ $x$"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OddError(), "OddError"),
        (NoTextError(), "NoTextError"),
        (ExceptionGroup("a", [ExceptionGroup("b", [OddError()])]), "ExceptionGroup of OddError"),
        (KeyError("label"), "KeyError: 'label'"),
    ],
)
def test_errors_are_named(error: BaseException, text: str) -> None:
    """Also those whose text is broken, and groups in groups."""
    assert error_text(error) == text


def test_a_deep_group_is_named() -> None:
    """However deep."""
    error: Exception = OSError("gone")
    for _ in range(3_000):
        error = ExceptionGroup("in", [error])
    assert error_text(error) == "ExceptionGroup of OSError: gone"


async def a_coroutine_function() -> None: ...


async def an_async_generator() -> Any:
    yield


def a_generator() -> Any:
    yield


def test_things_are_called_what_they_are() -> None:
    """A hint is never untrue."""
    coroutine = a_coroutine_function()
    assert shown(coroutine) == "a coroutine"
    coroutine.close()
    assert shown(an_async_generator()) == "an async generator"
    assert shown(a_generator()) == "a generator"
    assert shown(a_generator) == "the function a_generator"
    assert shown(Odd) == "the class Odd"
    assert shown(Odd()) == "<Odd>"

    async def main() -> None:
        assert shown(asyncio.current_task()) == "a task"
        assert shown(asyncio.get_running_loop().create_future()) == "a future"

    asyncio.run(main())


def test_names_are_found() -> None:
    """Of functions, behind partial; of anything else what it is."""
    assert name_of(functools.partial(functools.partial(a_generator))) == "a_generator"
    assert name_of(Odder()) == "<Odder>"
    a_generator.__name__, old = "x" * 10_000, a_generator.__name__
    assert len(name_of(a_generator)) < 60
    a_generator.__name__ = old


@pytest.mark.parametrize(
    ("got", "wanted"),
    [(0, False), (1, True), (1.0, 1), ((1,), [1]), (Odd(), "a"), ([Odd()], ["a"]), (None, 0)],
)
def test_different_things_are_not_the_same(got: object, wanted: object) -> None:
    """Also where `==` would say so, or raise."""
    assert not is_same(got, wanted)


@pytest.mark.parametrize("value", [0, "", None, False, [], ("a", [0]), Odd(), OSError("gone")])
def test_the_same_is_the_same(value: object) -> None:
    """Whatever it is."""
    assert is_same(value, value)
