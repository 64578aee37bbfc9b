"""Verdicts on the exercises of notebook 04: errors, time limits, another try."""

from __future__ import annotations

import asyncio
import reprlib
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeAlias

from ..camera.run import Run
from .verdict import attempt, expect, expect_to_let_go, judged

__all__ = ["check_load_good", "check_load_or_default", "check_try_again"]

_Loader: TypeAlias = Callable[[str], Coroutine[Any, Any, Any]]
_EDGE = ("it appears at the edge of the timeout", "put the try around the timeout, not inside it")
_SORT = "isinstance(item, BaseException)"


@judged
def check_load_good(load_good: Callable[..., Any]) -> None:
    """Judge ``load_good(load, files)``: what was loaded and what failed, apart and in order.

    Examples
    --------
    >>> async def load_good(load, files):
    ...     found = zip(files, await asyncio.gather(*map(load, files), return_exceptions=True))
    ...     answer = {}, {}
    ...     for file, item in found:
    ...         answer[isinstance(item, BaseException)][file] = item
    ...     return answer
    >>> check_load_good(load_good)
    ok
    """
    lost, wrong = ConnectionError("gone"), ValueError("not a number")
    for outcomes in ([lost, "b", "c"], [wrong, lost], ["a", lost, "c", wrong], []):
        plan = {f"dataset{number}.csv": item for number, item in enumerate(outcomes, 1)}
        files = list(plan)
        load, starts = _acted({f: [(1 - at / 10, plan[f])] for at, f in enumerate(files)})
        told = f"of {len(files)} files, {sum(map(_failed, outcomes))} broken:"
        run = _attempt(load_good, load, files)
        out = f"{told} {_named(run.error)} came out"
        expect(run.error is None, out, "the caller lost the others' data", "return_exceptions=True")
        answer = run.result
        two = isinstance(answer, tuple) and [*map(type, answer)] == [dict, dict]
        expect(two, f"saw {reprlib.repr(answer)}", "two dicts are wanted", "return good, bad")
        for name, part, failed in zip(("good", "bad"), answer, (False, True), strict=True):
            wanted = {file: item for file, item in plan.items() if _failed(item) is failed}
            saw = f"{told} {name} holds {list(part)}"
            expect(part.keys() == wanted.keys(), saw, f"wanted {list(wanted)}", _SORT)
            expect(list(part) == list(wanted), saw, "not in the order of files", "zip(files, ...)")
            same = all(part[file] is wanted[file] for file in wanted)
            what = "errors themselves" if failed else "data"
            expect(same, f"{name} holds {reprlib.repr(part)}", f"wanted the {what}")
        expect(len(starts) == len(files), f"{told} load was called {len(starts)} times")
        _expect_time(run.seconds, 1.0 if files else 0.0, f"{told} took", "load all at once")
    _expect_to_let_go(load_good, ["dataset1.csv", "dataset2.csv"])
    load, _ = _acted({"dataset1.csv": [(0.2, asyncio.CancelledError())]})
    run = attempt(load_good, load, ["dataset1.csv"], fails=True)
    good = () if run.error else run.result[0].values()  # let it out, or leave it: both are right
    saw = "of 1 file, its load cancelled: good holds the CancelledError"
    why = "it is no Exception, but a BaseException"
    expect(not any(map(_failed, good)), saw, why, _SORT)


@judged
def check_load_or_default(load_or_default: Callable[..., Any]) -> None:
    """Judge ``load_or_default(load, file, seconds, default)``: the data, if all goes well in time.

    Examples
    --------
    >>> async def load_or_default(load, file, seconds, default):
    ...     try:
    ...         async with asyncio.timeout(seconds):
    ...             return await load(file)
    ...     except Exception:
    ...         return default
    >>> check_load_or_default(load_or_default)
    ok
    """
    late, lost = "async with asyncio.timeout(seconds)", "except Exception"
    for takes, item, do in (
        (0.3, "data", "return await load(file), inside async with asyncio.timeout(seconds)"),
        (0.3, "", "hand back empty data as it is, it was loaded"),
        (5.0, "data", late),
        (5.0, OSError("gone"), late),
        (0.4, ConnectionError("gone"), lost),
        (0.4, ValueError("not a number"), lost),
        (0.4, TimeoutError("the server gave up"), lost),
    ):
        load, starts = _acted({"dataset1.csv": [(takes, item)]})
        told = f"load needs {takes} s, 1.0 s are allowed, and it "
        told += f"raises {type(item).__name__}:" if _failed(item) else f"gives {item!r}:"
        run = _attempt(load_or_default, load, "dataset1.csv", 1.0, "default")
        out = f"{told} {_named(run.error)} came out"
        expect(not (takes > 1 and isinstance(run.error, TimeoutError)), out, *_EDGE)
        expect(run.error is None, out, do=do)
        wanted = "default" if takes > 1 or _failed(item) else item
        expect(run.result == wanted, f"{told} saw {run.result!r}", f"wanted {wanted!r}", do)
        expect(len(starts) == 1, f"{told} load was called {len(starts)} times")
        _expect_time(run.seconds, min(takes, 1.0), f"{told} it took", do)
    load, _ = _acted({"dataset7.csv": [(9.0, "data")]})
    run = _attempt(load_or_default, load, "dataset7.csv", 2.0, [])
    told = "load needs 9 s, 2.0 s are allowed, and the default is []:"
    saw = f"{told} saw {run.result!r}"
    expect(run.result == [], saw, do="use the file, the seconds and the default that you are given")
    _expect_time(run.seconds, 2.0, f"{told} it took", late)
    _expect_to_let_go(load_or_default, "dataset1.csv", 50.0, "default")


@judged
def check_try_again(try_again: Callable[..., Any]) -> None:
    """Judge ``try_again(load, file, attempts, seconds, wait)``: each attempt with a time limit.

    Examples
    --------
    >>> async def try_again(load, file, attempts, seconds, wait):
    ...     for attempt in range(attempts):
    ...         try:
    ...             async with asyncio.timeout(seconds):
    ...                 return await load(file)
    ...         except OSError:
    ...             if attempt == attempts - 1:
    ...                 raise
    ...         await asyncio.sleep(wait * 2**attempt)
    >>> check_try_again(try_again)
    ok
    """
    gone, again, data = (0.1, OSError("first")), (0.1, OSError("second")), (0.2, "data")
    hangs, wrong = (60.0, "too late"), (0.1, ValueError("not a number"))
    file, seconds, wait = "dataset1.csv", 1.0, 0.5
    for told, attempts, acts, wanted, begins, ends in (
        ("a load that works", 3, [data], "data", [0.0], 0.2),
        ("two failures, then data", 3, [gone, again, data], "data", [0.0, 0.6, 1.7], 1.9),
        ("one that hangs, then data", 2, [hangs, data], "data", [0.0, 1.5], 1.7),
        ("failures only", 2, [gone, again], again[1], [0.0, 0.6], 0.7),
        ("one attempt, that hangs", 1, [hangs], TimeoutError, [0.0], 1.0),
        ("three failures, then data", 4, [gone, again, again, data], "data", [0, 0.6, 1.7, 3.8], 4),
        ("a ValueError", 3, [wrong], wrong[1], [0.0], 0.1),
        ("another file", 2, [hangs, data], "data", [0.0, 2.2], 2.4),
    ):
        if told == "another file":
            file, seconds, wait = "dataset7.csv", 2.0, 0.2
        load, starts = _acted({file: acts})
        run = _attempt(try_again, load, file, attempts, seconds, wait)
        told += f" (attempts={attempts}, seconds={seconds:g}, wait={wait:g}):"
        saw = run.result if run.error is None else run.error
        right = saw is wanted or type(saw) is wanted or saw == wanted
        limit, pause = "asyncio.timeout(seconds)", "asyncio.sleep(wait * 2**attempt)"
        for number, (began, begin) in enumerate(zip(starts, begins, strict=False), 1):
            do = limit if hangs in acts else pause
            _expect_time(began, begin, f"{told} attempt {number} began at", do)
        expect(
            right and len(starts) == len(begins),
            f"{told} saw {saw!r} after {len(starts)} attempt(s)",
            f"wanted {getattr(wanted, '__name__', repr(wanted))} after {len(begins)}",
            _again(run, len(starts) - attempts, hangs in acts, wanted == "data"),
        )
        _expect_time(run.seconds, ends, f"{told} it took", "no wait after the last attempt")
    _expect_to_let_go(try_again, "dataset1.csv", 3, 50.0, 0.5)


def _again(run: Run, too_many: int, hung: bool, fine: bool) -> str:
    """What to try, after what `try_again` did wrong."""
    late = isinstance(run.error, TimeoutError)
    if late and not hung:
        return "a timeout for each attempt, inside the loop, around nothing but load"
    if late and too_many < 0:
        return f"{_EDGE[1]}: {_EDGE[0]}"
    if too_many > 0:
        return "for attempt in range(attempts)"
    if run.error is None and not fine:
        return "raise, after the last attempt"
    if hung:
        return "asyncio.timeout(seconds)"
    return "catch OSError and nothing else; raise the last one"


def _attempt(function: Callable[..., Any], *args: Any) -> Run:
    """Run the learner's function, and explain what is wrong whatever was asked for."""
    run = attempt(function, *args, fails=True)
    held = f"it held the event loop for {run.held:g} s"
    expect(not run.held, held, "nobody else could go on", "await asyncio.sleep, not time.sleep")
    plain = isinstance(run.error, TypeError) and "context manager" in str(run.error)
    why = "a timeout is for `async with`"
    expect(not plain, f"{_named(run.error)} came out", why, "async with asyncio.timeout(seconds)")
    return run


def _named(error: BaseException | None) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def _failed(outcome: object) -> bool:
    return isinstance(outcome, BaseException)


def _acted(acts: dict[str, list[tuple[float, Any]]]) -> tuple[_Loader, list[float]]:
    """Make a ``load`` that acts by a script, the last act for ever, and notes when it began."""
    starts: list[float] = []
    calls = dict.fromkeys(acts, 0)

    async def load(file: str) -> Any:
        starts.append(asyncio.get_running_loop().time())
        seconds, outcome = acts[file][min(calls[file], len(acts[file]) - 1)]
        calls[file] += 1
        await asyncio.sleep(seconds)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    return load, starts


def _expect_time(seconds: float, wanted: float, told: str, do: str) -> None:
    expect(abs(seconds - wanted) < 1e-6, f"{told} {seconds:g} s", f"wanted {wanted:g} s", do)


def _expect_to_let_go(function: Callable[..., Any], *args: Any) -> None:
    """Cancel the function while it loads."""
    files: Sequence[str] = [args[0]] if isinstance(args[0], str) else args[0]
    load, _ = _acted({file: [(20.0, "data")] for file in files})
    expect_to_let_go(function, load, *args)
