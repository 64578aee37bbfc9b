"""Verdicts: whatever a learner's function does, the answer is a sentence."""

import asyncio
import doctest
import sys
from collections.abc import Callable
from typing import Any

import pytest

import helpers.checks.verdict
from helpers.checks.verdict import NotYet, Verdict, attempt, expect, expect_to_let_go, judged


async def good(files: int) -> int:
    await asyncio.sleep(1)
    return files


async def without_end(files: int) -> None:
    while True:  # noqa: ASYNC110 - that it has no end is the point
        await asyncio.sleep(1)


async def deadlocked(files: int) -> None:
    await asyncio.Event().wait()


async def raising(files: int) -> None:
    raise ValueError("bad file")


async def leaving(files: int) -> None:
    leaving.task = asyncio.create_task(asyncio.sleep(9))  # type: ignore[attr-defined]


async def exiting(files: int) -> None:
    raise SystemExit(3)


async def without_argument() -> None: ...


def plain(files: int) -> int:
    return files


@judged
def check(function: Callable[..., Any]) -> None:
    run = attempt(function, 3)
    expect(run.result == 3, f"got {run.result!r}", "3 files were given", "return files")


def test_examples() -> None:
    """The examples of the module run as written."""
    assert doctest.testmod(helpers.checks.verdict).failed == 0


@pytest.mark.parametrize(
    ("function", "hint"),
    [
        (without_end, "never ended"),
        (deadlocked, "deadlocked"),
        (raising, "raised ValueError: bad file"),
        (leaving, "still ran when leaving had ended"),
        (exiting, "raised SystemExit"),
        (without_argument, "could not be called"),
        (plain, "async def plain"),
        (None, "no coroutine function"),
        ("text", "no coroutine function"),
    ],
    ids=lambda it: getattr(it, "__name__", str(it)),
)
def test_whatever_it_does_the_answer_is_a_hint(function: Any, hint: str) -> None:
    """No traceback, no hang: a sentence that says what was seen."""
    verdict = check(function)
    assert not verdict
    assert repr(verdict).startswith("not yet: ")
    assert hint in repr(verdict)


def test_right_is_ok() -> None:
    """The solution passes, and the verdict counts as true."""
    assert check(good)
    assert repr(check(good)) == "ok"


def test_wrong_says_what_why_and_what_to_try() -> None:
    """All three parts of a hint are told, in this order."""

    async def wrong(files: int) -> int:
        return 2

    assert repr(check(wrong)) == "not yet: got 2; 3 files were given; try: return files"


def test_an_answer_that_breaks_the_check_is_told() -> None:
    """What the check cannot even look at is not right either."""

    @judged
    def looks(function: Callable[..., Any]) -> None:
        expect(len(attempt(function, 3).result) == 3, "the wrong length")

    assert "raised TypeError" in repr(looks(good))


def test_a_failure_may_be_what_was_asked_for() -> None:
    """With `fails` a failed run comes back, and nothing is said."""
    assert isinstance(attempt(raising, 3, fails=True).error, ValueError)
    with pytest.raises(NotYet):
        attempt(raising, 3)


def test_prints_do_not_disturb_the_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    """What the learner's function prints is not shown with every case that is tried."""

    async def chatty(files: int) -> int:
        sys.stdout.write("loading\n")
        return files

    assert check(chatty)
    assert capsys.readouterr().out == ""


def test_a_verdict_without_hint_is_true() -> None:
    """The two kinds of verdict."""
    assert Verdict()
    assert not Verdict("no")


async def swallows(files: int) -> int:
    try:
        await asyncio.sleep(9)
    except asyncio.CancelledError:
        return files
    return 0


async def dawdles(files: int) -> None:
    try:
        await asyncio.sleep(9)
    finally:
        await asyncio.sleep(1)


async def cleans_up(files: int) -> None:
    task = asyncio.create_task(asyncio.sleep(9))
    try:
        await asyncio.sleep(9)
    finally:
        task.cancel()


async def forgets_its_tasks(files: int) -> None:
    forgets_its_tasks.tasks = [  # type: ignore[attr-defined]
        asyncio.create_task(asyncio.sleep(9)) for _ in range(files)
    ]
    await asyncio.sleep(9)


def test_a_call_in_place_of_the_function_is_told() -> None:
    """The likeliest slip of all; and the coroutine that came of it is closed."""
    with pytest.raises(NotYet, match=r"good\(\.\.\.\) is a call; .*try: good, without brackets"):
        attempt(good(3))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("function", "hint"),
    [
        (swallows, "handed back 3 instead of stopping; it swallows the CancelledError"),
        (dawdles, "dawdles, cancelled after 0.2 s, went on until 1.2 s"),
        (forgets_its_tasks, "left 3 of its tasks running; they work for nobody"),
        (raising, "raised ValueError instead of stopping"),
    ],
)
def test_what_does_not_let_go_is_told(function: Any, hint: str) -> None:
    """Cancelled, a function may neither go on nor leave anybody at work."""
    with pytest.raises(NotYet, match=hint):
        expect_to_let_go(function, 3)


def test_what_lets_go_is_right() -> None:
    """Also where it had something to clean up."""
    expect_to_let_go(cleans_up, 3)
