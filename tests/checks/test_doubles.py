"""The doubles: what checks are told by them is what happened."""

import asyncio
import doctest

import pytest

import helpers.checks.doubles
from helpers.checks.answers import run_answer
from helpers.checks.doubles import FALSY, ServerBusy, Spy, some_errors
from helpers.checks.verdict import NotYet


def test_examples() -> None:
    """The examples of the module run as written."""
    assert doctest.testmod(helpers.checks.doubles).failed == 0


def test_values_and_errors_are_of_many_kinds() -> None:
    """Nobody catches them all but by `Exception`, nor tells the values apart by `if`."""
    assert not any(FALSY)
    errors = some_errors()
    assert len({type(error) for error in errors}) == len(errors) >= 5
    kinds = [type(e) for e in errors if type(e).__module__ != "builtins"]
    assert any(not issubclass(kind, OSError) for kind in kinds)
    assert ServerBusy in kinds


def test_a_spy_counts() -> None:
    """Who was inside together, by group; who was cancelled; how many tasks there were."""
    spy = Spy()

    async def main() -> None:
        jobs = [
            spy.act(n, 1.0 + n, OSError("gone") if n == 1 else n, "ab"[n % 2]) for n in range(4)
        ]
        tasks = [asyncio.create_task(job) for job in jobs]
        await asyncio.sleep(3.5)
        tasks[3].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    run_answer(main)
    assert spy.most == {"a": 2, "b": 2}
    assert spy.ended == 4
    assert [call.ended for call in spy.calls] == [1.0, 2.0, 3.0, 3.5]
    assert [task.cancelled() for task in spy.cut if task] == [True]


def test_a_spy_expects_each_once() -> None:
    """For what is there twice, two calls."""
    spy = Spy()

    async def main() -> None:
        for item in ("a", "b", "a"):
            await spy.act(item, 1.0, None)

    run_answer(main)
    spy.expect_each_once(["a", "b", "a"], "load")
    with pytest.raises(NotYet, match="load was called 2 times for 'a'; wanted 1"):
        spy.expect_each_once(["a", "b"], "load")
    with pytest.raises(NotYet, match="load was called 0 times for 'c'; wanted 1"):
        spy.expect_each_once(["a", "b", "a", "c"], "load")
