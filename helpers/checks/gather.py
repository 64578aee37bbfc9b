"""Checks of the exercises of notebook 03."""

from __future__ import annotations

import asyncio
import reprlib
from collections.abc import Awaitable, Callable
from typing import Any

from ..camera.run import Run
from ..world.load import load_data, load_seconds, uneven_seconds
from .verdict import NotYet, attempt, expect, judged

__all__ = ["check_first_result", "check_load_and_tell", "check_through_all"]

_Stage = Callable[[str], Awaitable[str]]


def _gather_files(day: str, count: int) -> list[str]:
    return [f"{day}{number}.csv" for number in range(1, count + 1)]


def _gather_data(files: list[str]) -> list[str]:
    return [f"{file.removesuffix('.csv')} images" for file in files]


_EACH = "make a task of each file: asyncio.create_task"
_RAISED = {
    "raised CancelledError": (
        "awaiting a cancelled task raises it, and so does its result()",
        "await asyncio.gather(*pending, return_exceptions=True)",
    ),
    "Set of Tasks/Futures is empty": (
        "of one file nobody is pending, and asyncio.wait refuses an empty set",
        "await asyncio.gather(*pending, return_exceptions=True)",
    ),
    "Passing coroutines is forbidden": ("asyncio.wait takes only tasks", _EACH),
}
"""What errors of `cancel` and `wait` say: why, and what to try."""


def _attempt_first(first_result: Callable[..., Any], files: list[str]) -> Run:
    try:
        return attempt(first_result, files)
    except NotYet as reason:
        for said, hint in _RAISED.items():
            if said in str(reason):
                raise NotYet(str(reason).rstrip(": ."), *hint) from None
        raise


def _expect_seconds(took: float, least: float, slow: str, do: str) -> None:
    """Expect `least` to the microsecond; `slow` says what takes longer than that."""
    saw = f"took {took:.2f} s where {least:.2f} s is right"
    expect(took < least + 1e-6, saw, slow, do)
    expect(took > least - 1e-6, saw, "so little cannot be enough", "await what you start")


def _expect_results(got: Any, wanted: list[str], name: str, do: str) -> None:
    """Expect a list or tuple of the wanted; say where it first differs."""
    hint = "return the list of results" if got is None else do
    expect(isinstance(got, list | tuple), f"handed back {reprlib.repr(got)}, not a list", do=hint)
    expect(
        len(got) == len(wanted), f"handed back {len(got)} results for {len(wanted)} files", do=do
    )
    for n, (one, right) in enumerate(zip(got, wanted, strict=True), start=1):
        saw = f"result {n} is {reprlib.repr(one)} where {right!r} is right"
        forgot = "a coroutine without a return gives None"
        expect(one is not None, saw, forgot, f"return {name}, in the coroutine of one file")
        expect(not isinstance(one, asyncio.Task), saw, "that is a task", "task.result()")
        expect(one == right, saw, "results stand in the order of files" * (one in wanted), do)


def _expect_once(run: Run, count: int) -> None:
    """Expect no file to be loaded twice."""
    every = (run.root, *run.lanes)
    n = sum(any(s.call == load_data.__name__ for s in lane.segments) for lane in every)
    expect(n <= count, f"{n} loads of {count} file{'s' * (count > 1)}", "each is loaded once")


@judged
def check_first_result(first_result: Callable[..., Any]) -> None:
    """Judge ``first_result(files)``: the first file to be loaded wins, the others are cancelled.

    Parameters
    ----------
    first_result
        A coroutine function that hands back what `load_data` gave for the winner.

    Examples
    --------
    >>> from helpers import load_data
    >>> async def first_result(files):
    ...     return await load_data(files[0])
    >>> check_first_result(first_result)
    not yet: 1 in flight at most, of 2 files; all must be on their way before you wait; try: make a task of each file: asyncio.create_task
    """  # noqa: E501
    for day, count in ("monday", 2), ("tuesday", 9), ("friday", 30), ("sunday", 1):
        files = _gather_files(day, count)
        waits = [load_seconds(file) for file in files]
        best = [f for f, w in zip(_gather_data(files), waits, strict=True) if w == min(waits)]
        run = _attempt_first(first_result, list(files))
        expect(
            run.max_in_flight >= count or count == 1,
            f"{run.max_in_flight} in flight at most, of {count} files",
            "all must be on their way before you wait",
            _EACH,
        )
        _expect_once(run, count)
        _expect_seconds(
            run.seconds,
            min(waits),
            "it went on after the first had finished",
            "the return_when of asyncio.wait; then cancel who is pending",
        )
        saw = f"handed back {reprlib.repr(run.result)} where {best[0]!r} is right"
        expect(run.result in best, saw, do="return the result() of the task that is done")


@judged
def check_load_and_tell(load_and_tell: Callable[..., Any]) -> None:
    """Judge ``load_and_tell(files, tell)``: it tells at once and hands back in order.

    Parameters
    ----------
    load_and_tell
        A coroutine function; it calls ``tell(file)`` when a file is loaded, and hands back the
        data of all files in their order.

    Examples
    --------
    >>> async def load_and_tell(files, tell):
    ...     return files
    >>> check_load_and_tell(load_and_tell)
    not yet: monday1.csv was told 0 times; each file is told once; try: tell(file)
    """
    for day, count in ("monday", 3), ("tuesday", 12), ("sunday", 1):
        files = _gather_files(day, count)
        waits = [load_seconds(file) for file in files]
        told: list[tuple[Any, float]] = []

        def tell(file: Any, told: list[tuple[Any, float]] = told) -> None:
            told.append((file, asyncio.get_running_loop().time()))

        run = attempt(load_and_tell, list(files), tell)
        _expect_once(run, count)
        for what, _ in told:
            expect(what in files, f"told {reprlib.repr(what)}", "that is no file", "tell(file)")
        for file, wait in zip(files, waits, strict=True):
            times = [time for what, time in told if what == file]
            saw = f"{file} was told {len(times)} times"
            last = sum(what == files[-1] for what, _ in told)
            if not times and last > 1:
                saw += f", and {files[-1]} {last} times"
                why = "a function that is made in a loop sees its last file"
                expect(False, saw, why, "lambda task, file=file: tell(file)")
            expect(len(times) == 1, saw, "each file is told once", "tell(file)")
            saw = f"{file} was told at {times[0]:.2f} s; it takes {wait:.2f} s"
            do = "a coroutine of your own that loads one file and then tells; gather those"
            expect(times[0] < wait + 1e-6, saw, "it was told late, or began late", do)
            expect(times[0] > wait - 1e-6, saw, "it was told before it was there", do)
        _expect_seconds(run.seconds, max(waits), "the slowest is enough", "load all at once")
        _expect_results(run.result, _gather_data(files), "data", "gather keeps the order")


@judged
def check_through_all(through_all: Callable[..., Any]) -> None:
    """Judge ``through_all(files, stages)``: each file passes all stages on its own way.

    Parameters
    ----------
    through_all
        A coroutine function that hands back what the last stage gave, in the order of files.

    Examples
    --------
    >>> async def through_all(files, stages):
    ...     return files
    >>> check_through_all(through_all)
    not yet: 0 calls of 'load' for 4 files; each file passes each stage once; try: await stage(value) for each stage
    """  # noqa: E501
    plans = (4, "load infer save"), (9, "load clean infer save"), (6, "load"), (1, "load save")
    for count, plan in plans:
        files, calls = _gather_files("monday", count), list[tuple[str, str]]()
        names = plan.split()
        wanted, longest = list(files), [0.0] * count
        for name in names:
            for i, value in enumerate(wanted):
                longest[i] += uneven_seconds(f"{name} {value}", 0.1, 1.0)
            wanted = [f"{value} {name}" for value in wanted]
        run = attempt(through_all, list(files), [_gather_stage(name, calls) for name in names])
        for name in names:
            n = sum(call == name for call, _ in calls)
            saw = f"{n} calls of {name!r} for {count} file{'s' * (count > 1)}"
            why = "each file passes each stage once"
            expect(n == count, saw, why, "await stage(value) for each stage")
        do = "value = await stage(value), and gather over files"
        _expect_results(run.result, wanted, "value", do)
        _expect_seconds(
            run.seconds,
            max(longest),
            "a file waited for another one",
            "one coroutine that takes one file through all stages; gather those",
        )


def _gather_stage(name: str, calls: list[tuple[str, str]]) -> _Stage:
    async def stage(value: str) -> str:
        calls.append((name, value))
        await asyncio.sleep(uneven_seconds(f"{name} {value}", 0.1, 1.0))
        return f"{value} {name}"

    stage.__name__ = stage.__qualname__ = name
    return stage
