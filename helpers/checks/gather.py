"""Verdicts on the exercises of notebook 03: all as they come, the first, stages without barrier."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NamedTuple

from ..camera.run import Lane
from ..world.load import load_data, load_seconds, uneven_seconds
from .answers import Answer, expect_to_let_go, run_answer
from .doubles import FALSY, Spy
from .verdict import check, expect, expect_results
from .words import is_same, shown

__all__ = ["check_first_result", "check_load_and_tell", "check_through_all"]

_EACH = "make a task of each file: asyncio.create_task"


def _files(day: str, count: int) -> list[str]:
    return [f"{day}{number}.csv" for number in range(1, count + 1)]


def _data(file: str) -> str:
    return f"{file.removesuffix('.csv')} images"


def _expect_seconds(took: float, least: float, because: str, hint: str) -> None:
    """Expect `least` to the microsecond; `because` says what takes longer than that."""
    seen = f"took {took:.2f} s where {least:.2f} s is right"
    expect(took < least + 1e-6, seen, because, hint)
    expect(took > least - 1e-6, seen, "so little cannot be enough", "await what you start")


def _loads(answer: Answer) -> list[Lane]:
    """The lanes in which `load_data` was called."""
    lanes, called = answer.run.lanes if answer.run else [], load_data.__name__
    return [lane for lane in lanes if any(s.call == called for s in lane.segments)]


def _expect_loads(answer: Answer, files: list[str]) -> None:
    """Expect no file to be loaded twice."""
    n, count = len(_loads(answer)), len(files)
    expect(n <= count, f"{n} loads of {count} file{'s' * (count > 1)}", "each is loaded once")


# --- The first is enough ---------------------------------------------------------------------


@check
def check_first_result(first_result: Callable[..., Any]) -> None:
    """Judge ``first_result(files)``: the first file to be loaded wins, the others are cancelled.

    Parameters
    ----------
    first_result
        A coroutine function that returns what `load_data` gave for the winner.

    Examples
    --------
    >>> from helpers import load_data
    >>> async def first_result(files):
    ...     return await load_data(files[0])
    >>> check_first_result(first_result)
    ✘ not yet: 1 in flight at most, of 2 files; all must be on their way before you wait; try: make a task of each file: asyncio.create_task
    """  # noqa: E501
    for day, count in ("monday", 2), ("tuesday", 9), ("friday", 30), ("sunday", 1):
        files = _files(day, count)
        least = min(map(load_seconds, files))
        answer = run_answer(first_result, files)
        _expect_at_once(answer, files)
        _expect_loads(answer, files)
        because = "it went on after the first had finished"
        hint = "the return_when of asyncio.wait; then cancel who is pending"
        _expect_seconds(answer.seconds, least, because, hint)
        best = [_data(file) for file in files if load_seconds(file) == least]
        seen = f"saw {shown(answer.result)} where {best[0]!r} is right"
        right = any(is_same(answer.result, data) for data in best)
        expect(right, seen, hint="return the result() of the task that is done")
    expect_to_let_go(first_result, _files("monday", 4))


def _expect_at_once(answer: Answer, files: list[str]) -> None:
    """Expect that all loads were on their way together."""
    first = min((lane.end for lane in _loads(answer)), default=0.0)
    most = sum(lane.start < first for lane in _loads(answer))
    seen = f"{most} in flight at most, of {len(files)} files"
    because = "all must be on their way before you wait"
    expect(most >= len(files) or len(files) == 1, seen, because, _EACH)


# --- Tell as they come -----------------------------------------------------------------------


class _Told(NamedTuple):
    what: Any
    when: float


@check
def check_load_and_tell(load_and_tell: Callable[..., Any]) -> None:
    """Judge ``load_and_tell(files, tell)``: it tells without delay and returns in order.

    Parameters
    ----------
    load_and_tell
        A coroutine function; it calls ``tell(file)`` when a file is loaded, and returns the data
        of all files in their order.

    Examples
    --------
    >>> async def load_and_tell(files, tell):
    ...     return files
    >>> check_load_and_tell(load_and_tell)
    ✘ not yet: monday1.csv was told 0 times; each file is told once; try: tell(file)
    """
    twice = [*_files("friday", 3), "friday2.csv", "friday1.csv"]
    for files in _files("monday", 3), _files("tuesday", 12), _files("sunday", 1), twice, []:
        told: list[_Told] = []
        answer = run_answer(load_and_tell, files, _teller(told))
        _expect_loads(answer, files)
        _expect_told(told, files)
        least = max(map(load_seconds, files), default=0.0)
        _expect_seconds(answer.seconds, least, "the slowest is enough", "load all files together")
        hint = "return data, in the coroutine of one file; gather keeps the order"
        expect_results(answer.result, list(map(_data, files)), hint=hint)
        n, least = len(_loads(answer)), len(set(files))
        seen = f"{n} loads of {least} file{'s' * (least > 1)}"
        expect(n >= least, seen, "load_data loads a file", "data = await load_data(file)")
    expect_to_let_go(load_and_tell, _files("monday", 3), _teller(told := []))
    seen = "".join(f"{shown(what)} was told, though" for what, _ in told[:1])
    because = "it was cancelled before it was loaded"
    hint = (
        "tell(file) after the await, not in a finally; in a done callback, if not task.cancelled()"
    )
    expect(not told, f"{seen} {because}", hint=hint)


def _teller(told: list[_Told]) -> Callable[[Any], None]:
    def tell(file: Any) -> None:
        told.append(_Told(file, asyncio.get_running_loop().time()))

    return tell


def _expect_told(told: list[_Told], files: list[str]) -> None:
    """Expect each file to be told, as soon as it is loaded."""
    for what, _ in told:
        known = any(is_same(what, file) for file in files)
        expect(known, f"told {shown(what)}", "that is no file", "tell(file)")
    for file in files:
        times = [when for what, when in told if what == file]
        seen = f"{file} was told {len(times)} times"
        last = sum(what == files[-1] for what, _ in told)
        if not times and last > 1:
            seen += f", and {files[-1]} {last} times"
            because = "a function that is made in a loop sees its last file"
            expect(False, seen, because, "lambda task, file=file: tell(file)")
        once = len(times) == files.count(file)
        because = "each file is told once"
        because += ", and one that is there twice, twice" * (files.count(file) > 1)
        expect(once, seen, because, "tell(file)")
        wait = load_seconds(file)
        hint = "a coroutine of your own that loads one file and then tells; gather those"
        for when in times:
            seen = f"{file} was told at {when:.2f} s; it takes {wait:.2f} s"
            expect(when < wait + 1e-6, seen, "it was told late, or began late", hint)
            expect(when > wait - 1e-6, seen, "it was told before it was there", hint)


# --- Stages ----------------------------------------------------------------------------------


@check
def check_through_all(through_all: Callable[..., Any]) -> None:
    """Judge ``through_all(files, stages)``: each file passes all stages on its own way.

    Parameters
    ----------
    through_all
        A coroutine function that returns what the last stage gave, in the order of files.

    Examples
    --------
    >>> async def through_all(files, stages):
    ...     return files
    >>> check_through_all(through_all)
    ✘ not yet: 0 calls of 'load' for 4 files; each file passes each stage once; try: await stage(value) for each stage
    """  # noqa: E501
    for line in _lines():
        spy = Spy()
        answer = run_answer(through_all, line.files, [_stage(name, spy) for name in line.stages])
        for name in line.stages:
            n = sum(call.item == name for call in spy.calls)
            wanted = len(line.files) * line.stages.count(name)
            seen = f"{n} calls of {name!r} for {len(line.files)} file{'s' * (len(line.files) != 1)}"
            because = "each file passes each stage once"
            because += f", and {name!r} is there twice" * (line.stages.count(name) > 1)
            expect(n == wanted, seen, because, "await stage(value) for each stage")
        hint = "value = await stage(value), whatever it is, and return value; gather over files"
        told = "" if line.stages else "without any stage "
        expect_results(answer.result, [line.way(file)[0] for file in line.files], told, hint)
        because = "a file waited for another one"
        hint = "one coroutine that takes one file through all stages; gather those"
        least = max((line.way(file)[1] for file in line.files), default=0.0)
        _expect_seconds(answer.seconds, least, because, hint)
    stages = [_stage(name, Spy()) for name in ("load", "save")]
    expect_to_let_go(through_all, _files("tuesday", 4), stages)


class _Line(NamedTuple):
    """Files, and the stages through which they go."""

    files: list[Any]
    stages: list[str]

    def way(self, value: Any) -> tuple[Any, float]:
        """What becomes of a file, and how long that takes."""
        seconds = 0.0
        for name in self.stages:
            seconds += _stage_seconds(name, value)
            value = _stage_result(name, value)
        return value, seconds


def _lines() -> Iterator[_Line]:
    yield _Line(_files("monday", 4), ["load", "infer", "save"])
    yield _Line(_files("monday", 9), ["load", "clean", "infer", "save"])
    yield _Line(_files("monday", 6), ["load"])
    yield _Line(_files("monday", 1), ["load", "save"])
    yield _Line(["a.csv", "b.csv", "a.csv"], ["load", "clean", "load"])
    yield _Line(["a.csv", "", "b.csv", "c.csv", "d.csv", "e.csv"], ["load", "empty", "save"])
    yield _Line(["a.csv", "b.csv", "c.csv", "d.csv", "e.csv", "f.csv"], ["load", "empty"])
    yield _Line([], ["load"])
    yield _Line(["a.csv", "b.csv"], [])


def _stage_seconds(name: str, value: Any) -> float:
    return uneven_seconds(f"{name} {value}", 0.3, 1.2)


def _stage_result(name: str, value: Any) -> Any:
    """What a stage makes of a value; one of them makes something that `if` takes for nothing."""
    return FALSY[ord(value[0]) % len(FALSY)] if name == "empty" else f"{value} {name}"


def _stage(name: str, spy: Spy) -> Callable[[Any], Awaitable[Any]]:
    async def stage(value: Any) -> Any:
        return await spy.act(name, _stage_seconds(name, value), _stage_result(name, value))

    stage.__name__ = stage.__qualname__ = name
    return stage
