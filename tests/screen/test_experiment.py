"""What an explorer does without its widgets; the rest is told of in test_explorer.py."""

import doctest
from typing import Any, ClassVar

from helpers.screen import experiment as module


def test_examples() -> None:
    """The examples in the docstrings give what they say."""
    result = doctest.testmod(module)
    assert result.attempted and not result.failed


class Liar(Exception):
    """An error whose class has its own opinion of everything."""

    asked: ClassVar[list[str]] = []

    def __eq__(self, other: object) -> bool:
        self.asked.append("__eq__")
        return True

    __hash__ = None  # type: ignore[assignment]

    @property
    def __cause__(self) -> Any:  # type: ignore[override]
        self.asked.append("__cause__")
        return NameError("not mine")

    @property
    def __class__(self) -> Any:  # type: ignore[override]
        self.asked.append("__class__")
        return NameError


class Lies(ExceptionGroup[Exception]):
    @property
    def exceptions(self) -> Any:  # type: ignore[override]
        return (NameError("not mine"),)


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    """The error as it is when it was raised."""
    try:
        raise error from cause
    except BaseException as it:
        return it


def test_what_an_error_says_of_others_is_asked_of_python() -> None:
    """Not of its class, whose code would run, and which may name others than Python does."""
    two = Liar("one"), Liar("two")
    group = raised(Lies("both", two), KeyError("cause"))
    assert [str(each) for each in module._within(group)] == [
        "both (2 sub-exceptions)",
        "one",
        "two",
        "'cause'",
    ]
    assert Liar.asked == []


class Sheet:
    """A view that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def show(self, picture: bytes, words: str, size: tuple[int, int], run: Any, line: str) -> None:
        self.told.append((size, line))

    def say(self, line: str) -> None:
        self.told.append(line)

    def age(self, line: bool, picture: bool) -> None:
        self.told.append((line, picture))

    def let_stop(self, can: bool) -> None: ...


def test_any_view_can_show_it() -> None:
    """What it is told, in order: all is old, the picture with its size and line, nothing is."""

    async def nothing(n: int) -> None: ...

    sheet = Sheet()
    module.Experiment(nothing, False, sheet).begin({"n": 1})
    assert [sheet.told[0], sheet.told[-1]] == [(True, True), (False, False)]
    assert [line for _, line in sheet.told[1:-1]] == ["0.00 s"]


def test_no_hint_comes_of_what_a_class_pretends_to_be() -> None:
    """A hint is for what an error is."""

    async def lies(n: int) -> None:
        raise Liar("mine")

    sheet = Sheet()
    module.Experiment(lies, False, sheet).begin({"n": 1})
    assert sheet.told[1][1] == "failed after 0.00 s with Liar: mine"
