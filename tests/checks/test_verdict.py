"""Verdicts: whatever is seen, the answer is a sentence that says what, why and what to do."""

import asyncio
import doctest
import sys
from typing import Any

import pytest

import helpers.checks.verdict
from helpers.checks.verdict import (
    NotYet,
    Verdict,
    check,
    expect,
    expect_results,
    expect_time,
    raised,
)


class Odd:
    """Answers that break whoever looks at them."""

    def __eq__(self, other: object) -> bool:
        raise ZeroDivisionError

    def __repr__(self) -> str:
        raise ZeroDivisionError

    __hash__ = None  # type: ignore[assignment]


@check
def check_three(answer: Any) -> None:
    expect(answer == 3, f"got {answer}", "3 files were given", "count them")


def test_examples() -> None:
    """The examples of the module run as written."""
    assert doctest.testmod(helpers.checks.verdict).failed == 0


def test_right_is_ok_and_true() -> None:
    """The two kinds of verdict."""
    assert check_three(3) and repr(check_three(3)) == "✔ ok"
    assert not check_three(2) and not Verdict("no")


def test_wrong_says_what_why_and_what_to_try() -> None:
    """All three parts of a hint are told, in this order."""
    assert repr(check_three(2)) == "✘ not yet: got 2; 3 files were given; try: count them"


def test_an_answer_that_breaks_the_check_is_told() -> None:
    """What the check cannot even look at is not right either."""
    assert "looking at the answer raised ZeroDivisionError" in repr(check_three(Odd()))

    class Exits(Odd):
        def __eq__(self, other: object) -> bool:
            raise SystemExit(3)

        __hash__ = None  # type: ignore[assignment]

    assert "looking at the answer raised SystemExit: 3" in repr(check_three(Exits()))


def test_prints_do_not_disturb_the_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    """What is printed meanwhile is not shown with every case that is tried."""

    @check
    def chatty() -> None:
        sys.stdout.write("loading\n")

    assert chatty()
    assert capsys.readouterr().out == ""


def test_a_stop_is_no_verdict() -> None:
    """■ during a check leaves the cell."""

    @check
    def stopped() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()


async def nobody_awaits_it() -> None: ...


def test_a_forgotten_await_is_told_once(recwarn: pytest.WarningsRecorder) -> None:
    """In the verdict, and not beside it as a warning."""

    @check
    def forgetful() -> None:
        expect_results([nobody_awaits_it()], ["data"])

    assert "result 1 is a coroutine; wanted 'data'; try: await it" in repr(forgetful())
    assert not recwarn


@pytest.mark.parametrize("part", range(3))
def test_hints_are_bounded_and_wrap(part: int) -> None:
    """However long what was seen, why, or what to try."""
    parts = ["seen", "because", "hint"]
    parts[part] = "x" * 1_000_000
    long = str(NotYet(*parts))
    parts[part] = "many words " * 100_000
    many = str(NotYet(*parts))
    assert len(long) < 200 and len(many) < 400
    assert max(map(len, (long + many).split())) < 60


@pytest.mark.parametrize(
    ("got", "wanted", "hint"),
    [
        (None, ["a"], "saw None, not a list of 1 results; try: return the list of results"),
        ({"a": 1}, ["a"], "saw {'a': 1}, not a list"),
        (iter("a"), ["a"], "saw <str_ascii_iterator>, not a list"),
        (["a"], ["a", "b"], "saw 1 results for 2 items; wanted ['a', 'b']"),
        (["b", "a"], ["a", "b"], "result 1 is 'b'; wanted 'a': results stand in the order"),
        ([None], ["a"], "a coroutine without a return gives None"),
        (["gone"], [OSError("gone")], "wanted OSError: gone; try: keep the error itself"),
        ([False], [0], "result 1 is False; wanted 0"),
        ([Odd()], ["a"], "result 1 is <Odd>; wanted 'a'"),
        ([NotYet("load was given 7")], ["a"], "load was given 7"),
        ([RuntimeError("bound to a different event loop")], ["a"], "each run has a loop of its"),
    ],
)
def test_results_that_differ_are_told(got: Any, wanted: list[Any], hint: str) -> None:
    """Which one, and the likeliest reason."""
    with pytest.raises(NotYet) as reason:
        expect_results(got, wanted)
    assert hint in str(reason.value)


def test_results_may_come_as_a_tuple_and_be_falsy() -> None:
    """Any value is as good as another."""
    expect_results((0, "", None, False, []), [0, "", None, False, []])


def test_a_task_among_results_is_told() -> None:
    """A task is not yet its result."""

    async def main() -> None:
        with pytest.raises(NotYet, match=r"a task; wanted 'data'; try: task.result\(\)"):
            expect_results([asyncio.current_task()], ["data"])

    asyncio.run(main())


def test_times_are_exact() -> None:
    """To the microsecond."""
    expect_time(0.3, 0.1 + 0.2, "it took")
    with pytest.raises(NotYet, match=r"it took 0\.31 s; wanted 0\.3 s; try: less"):
        expect_time(0.31, 0.3, "it took", "less")


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (KeyError("label"), "raised KeyError: 'label'"),
        (asyncio.CancelledError(), "awaiting a cancelled task raises it"),
        (TypeError("object int can't be used in 'await' expression"), "is no coroutine; try: a pl"),
        (TypeError("'Lock' object does not support the context manager protocol"), "async with, a"),
        (TypeError("'_' does not support the asynchronous context manager"), "with, and not async"),
        (RuntimeError("Future attached to a different loop"), "each run has a loop of its own"),
        (TypeError("'int' object can't be awaited"), "is no coroutine; try: a plain function"),
        (
            ExceptionGroup("several", [OSError("gone")]),
            "ExceptionGroup of OSError: gone; in",
        ),
        (RuntimeError("cannot reuse already awaited coroutine"), "already awaited coroutine"),
    ],
)
def test_errors_get_the_hint_that_fits(error: BaseException, hint: str) -> None:
    """By what they say; an error without a hint of its own is told as it is."""
    told = str(raised("it raised", error))
    assert hint in told
    without = "raised KeyError: 'label'", "already awaited coroutine"
    assert ("; try: " in told) == (hint not in without)
