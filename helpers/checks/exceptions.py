"""Verdicts on the exercises of notebook 04: errors, time limits, another try."""

from __future__ import annotations

import asyncio
import reprlib
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeAlias

from ..verdict import attempt, expect, judged

__all__ = ["check_load_good", "check_load_or_default", "check_try_again"]

_Loader: TypeAlias = Callable[[str], Coroutine[Any, Any, Any]]
_CANCEL = 0.2  # seconds after which a function is cancelled, to see whether it lets go


@judged
def check_load_good(load_good: Callable[..., Any]) -> None:
    """Judge ``load_good(load, files)``: what was loaded and what failed, apart and in order.

    Examples
    --------
    >>> async def load_good(load, files):
    ...     found = zip(files, await asyncio.gather(*map(load, files), return_exceptions=True))
    ...     answer = {}, {}
    ...     for file, item in found:
    ...         answer[isinstance(item, Exception)][file] = item
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
        run = attempt(load_good, load, files, fails=True)
        out = f"{told} {type(run.error).__name__} came out"
        expect(run.error is None, out, "one bad file ended the rest", "return_exceptions=True")
        answer = run.result
        two = isinstance(answer, tuple) and [*map(type, answer)] == [dict, dict]
        expect(two, f"saw {reprlib.repr(answer)}", "two dicts are wanted", "return good, bad")
        for name, part, failed in zip(("good", "bad"), answer, (False, True), strict=True):
            wanted = {file: item for file, item in plan.items() if _failed(item) is failed}
            saw = f"{told} {name} holds {list(part)}"
            expect(part.keys() == wanted.keys(), saw, f"wanted {list(wanted)}", "isinstance")
            expect(list(part) == list(wanted), saw, "not in the order of files", "zip(files, ...)")
            same = all(part[file] is wanted[file] for file in wanted)
            what = "errors themselves" if failed else "data"
            expect(same, f"{name} holds {reprlib.repr(part)}", f"wanted the {what}")
        expect(len(starts) == len(files), f"{told} load was called {len(starts)} times")
        _expect_time(run.seconds, 1.0 if files else 0.0, f"{told} took", "load all at once")
    _expect_to_let_go(load_good, ["dataset1.csv", "dataset2.csv"])


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
        (0.3, "data", "return await load(file)"),
        (0.3, "", "hand back empty data as it is, it was loaded"),
        (5.0, "data", late),
        (5.0, OSError("gone"), late),
        (0.4, ConnectionError("gone"), lost),
        (0.4, ValueError("not a number"), lost),
        (0.4, TimeoutError("the server gave up"), lost),
    ):
        load, starts = _acted({"dataset1.csv": [(takes, item)]})
        told = f"load took {takes} s of 1.0 s and "
        told += f"raised {type(item).__name__}:" if _failed(item) else f"gave {item!r}:"
        run = attempt(load_or_default, load, "dataset1.csv", 1.0, "default", fails=True)
        expect(run.error is None, f"{told} {type(run.error).__name__} came out", do=do)
        wanted = "default" if takes > 1 or _failed(item) else item
        expect(run.result == wanted, f"{told} saw {run.result!r}", f"wanted {wanted!r}", do)
        expect(len(starts) == 1, f"{told} load was called {len(starts)} times")
        _expect_time(run.seconds, min(takes, 1.0), f"{told} it took", do)
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
    for told, attempts, acts, wanted, begins, ends in (
        ("a load that works", 3, [data], "data", [0.0], 0.2),
        ("two failures, then data", 3, [gone, again, data], "data", [0.0, 0.6, 1.7], 1.9),
        ("one that hangs, then data", 2, [hangs, data], "data", [0.0, 1.5], 1.7),
        ("failures only", 2, [gone, again], again[1], [0.0, 0.6], 0.7),
        ("one attempt, that hangs", 1, [hangs], TimeoutError, [0.0], 1.0),
        ("a ValueError", 3, [wrong], wrong[1], [0.0], 0.1),
    ):
        load, starts = _acted({"dataset1.csv": acts})
        run = attempt(try_again, load, "dataset1.csv", attempts, 1.0, 0.5, fails=True)
        told += f" (attempts={attempts}, seconds=1, wait=0.5):"
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
            limit if hangs in acts else "catch OSError and nothing else; raise the last one",
        )
        _expect_time(run.seconds, ends, f"{told} it took", "no wait after the last attempt")
    _expect_to_let_go(try_again, "dataset1.csv", 3, 50.0, 0.5)


def _failed(outcome: object) -> bool:
    return isinstance(outcome, Exception)


def _acted(acts: dict[str, list[tuple[float, Any]]]) -> tuple[_Loader, list[float]]:
    """Make a ``load`` that acts by a script, the last act for ever, and notes when it began."""
    starts: list[float] = []
    calls = dict.fromkeys(acts, 0)

    async def load(file: str) -> Any:
        starts.append(asyncio.get_running_loop().time())
        seconds, outcome = acts[file][min(calls[file], len(acts[file]) - 1)]
        calls[file] += 1
        await asyncio.sleep(seconds)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return load, starts


def _expect_time(seconds: float, wanted: float, told: str, do: str) -> None:
    expect(abs(seconds - wanted) < 1e-6, f"{told} {seconds:g} s", f"wanted {wanted:g} s", do)


def _expect_to_let_go(function: Callable[..., Any], *args: Any) -> None:
    """Cancel the function while it loads: it must end at once, and all that it started."""

    async def cancelled(*given: Any) -> None:
        async with asyncio.timeout(_CANCEL):
            await function(*given)

    files: Sequence[str] = [args[0]] if isinstance(args[0], str) else args[0]
    load, _ = _acted({file: [(20.0, "data")] for file in files})
    cancelled.__name__ = f"{function.__name__}, cancelled after {_CANCEL} s,"
    run = attempt(cancelled, load, *args, fails=True)
    expect(
        isinstance(run.error, TimeoutError) and abs(run.seconds - _CANCEL) < 1e-6,
        f"{cancelled.__name__} went on until {run.seconds:g} s",
        "it swallows the CancelledError",
        "except Exception, not BaseException",
    )
