"""Verdicts on the exercises of notebook 01: a coroutine driven by hand, an async generator."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import math
import reprlib
from collections.abc import Callable, Coroutine, Generator
from contextlib import aclosing, suppress
from functools import partial
from typing import Any

from ..camera.run import Run
from .verdict import NotYet, attempt, expect, judged, named

__all__ = ["check_drive", "check_labels"]

_UNAWAITED = "labels of a coroutine"


@judged
def check_drive(drive: Callable[..., Any]) -> None:
    """Judge ``drive(coroutine)``: how often the coroutine paused, and what it returned.

    Examples
    --------
    >>> def drive(coroutine):
    ...     pauses = 0
    ...     while True:
    ...         try:
    ...             coroutine.send(None)
    ...         except StopIteration as stop:
    ...             return pauses, stop.value
    ...         pauses += 1
    >>> check_drive(drive)
    ok
    """
    error = ValueError("not a number")
    for pauses, outcome in ((0, "data"), (1, None), (3, ["a", "b"]), (40, 7), (2, error)):
        fails = outcome is error
        how = f"raises {error!r}" if fails else f"returns {outcome!r}"
        told = f"of a coroutine that pauses {pauses} time{'s' * (pauses != 1)} and {how}:"
        sent: list[Any] = []
        coroutine = _pausing(pauses, outcome, sent)
        try:
            run = _driven(drive, coroutine)
        finally:
            coroutine.close()
        if fails:
            do = "catch StopIteration only"
            saw = f"{run.error!r} came out" if run.error else f"saw {reprlib.repr(run.result)}"
            expect(run.error is not None, f"{told} {saw}", "the error was eaten", do)
            expect(run.error is error, f"{told} {saw}", do=f"{do}, and let its error out")
        else:
            stopped = isinstance(run.error, RuntimeError) and "StopIteration" in str(run.error)
            why = "it says that the coroutine has ended"
            do = "send until StopIteration comes, and catch it: it carries the result"
            expect(not stopped, f"{told} StopIteration came out", why, do)
            again = isinstance(run.error, RuntimeError) and "already awaited" in str(run.error)
            why = "it was sent something after its end"
            expect(not again, f"{told} {run.error!r} came out", why, "return at StopIteration")
            expect(run.error is None, f"{told} {run.error!r} came out")
            wanted = pauses, outcome
            saw = f"{told} saw {reprlib.repr(run.result)}, wanted {wanted}"
            expect(run.result == wanted, saw, *_missed(run.result, pauses, outcome))
        expect(sent == [None] * pauses, f"{told} it was sent {sent}", do="coroutine.send(None)")


def _missed(result: Any, pauses: int, outcome: Any) -> tuple[str, str]:
    """Why a pair is not the one that was wanted, and what to try."""
    if result is None:
        return "nothing was returned", "return the pair; to print it is not enough"
    if result == (pauses + 1, outcome):
        return "the last send ends it, and is not a pause", ""
    if result == (outcome, pauses):
        return "it is the wrong way round", "pauses first, then the value"
    if result == (pauses, None):
        return "the value is missing", "read it from StopIteration, which a for loop hides"
    return "", ""


def _driven(drive: Callable[..., Any], coroutine: Any) -> Run:
    """Call a plain function as `attempt` does a coroutine function."""
    name = named(drive)
    expect(callable(drive), f"{name} is not a function", do="check_drive(drive)")
    if inspect.iscoroutinefunction(drive):
        raise NotYet(
            f"{name} is not a plain function", "nobody will await it", "def, not async def"
        )

    async def call() -> Any:
        answer = drive(coroutine)
        if inspect.iscoroutine(answer):
            answer.close()
        return answer

    call.__name__ = name
    return attempt(call, fails=True)


class _Pause:
    """Pauses once, and notes what it is sent."""

    def __init__(self, sent: list[Any]) -> None:
        self.sent = sent

    def __await__(self) -> Generator[None, Any, None]:
        self.sent.append((yield))


async def _pausing(pauses: int, outcome: Any, sent: list[Any]) -> Any:
    for _ in range(pauses):
        await _Pause(sent)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


@judged
def check_labels(labels: Callable[..., Any]) -> None:
    """Judge ``labels(load, infer, files)``: an async generator, each label as soon as it is there.

    Examples
    --------
    >>> async def labels(load, infer, files):
    ...     for file in files:
    ...         yield await infer("model", await load(file))
    >>> check_labels(labels)
    ok
    """
    name = named(labels)
    expect(callable(labels), f"{name} is not a function", do="check_labels(labels)")
    is_generator = inspect.isasyncgenfunction(labels)
    expect(is_generator, f"{name} is not an async generator", do="async def, and a yield in it")
    lost = OSError("gone")
    for count, most, broken in ((3, 3, 0), (0, 0, 0), (1, 1, 0), (3, 1, 0), (3, 3, 2)):
        files = [f"dataset{number}.csv" for number in range(1, count + 1)]
        at_fault = files[broken - 1] if broken else ""
        run, seen, loads, infers = _asked(labels, files, most, at_fault, lost)
        told = f"of {count} files, {most} asked for" + f", number {broken} broken" * bool(broken)
        if run.error is not None and not (broken and run.error is lost):
            raise NotYet(f"{told}: {run.error!r} came out", *_unclosed(run.error))
        items = [item for item, _ in seen]
        saw = f"{told}: saw {reprlib.repr(items)}"
        eaten = broken and run.error is None
        expect(not eaten, saw, "the error was eaten", "let it out")
        wanted = [f"{_stem(file)} labels" for file in files[: broken - 1 if broken else most]]
        expect(items == wanted, f"{saw}, wanted {wanted}", *_mistaken(items, files))
        for given, other, calls in ("load", "load_data", loads), ("infer", "another", infers):
            saw = f"{told}: the {given} that you were given was never called"
            expect(calls or not wanted, saw, do=f"use it, not {other}")
        saw = f"{told} (10 s after each comes the request for the next)"
        begun = [13.0 * at for at in range(broken or most)]
        due = itertools.chain(begun, itertools.repeat(math.inf))
        early = any(time < at for time, at in zip(loads, due, strict=False))
        why = "load a file when its label is asked for"
        do = "load and infer one file, yield, then the next file"
        expect(not early, f"{saw}: loads began at {loads} s, wanted {begun}", why, do)
        times, ends = [time for _, time in seen], [3.0 + 13 * at for at in range(len(wanted))]
        why = "load takes 1 s, infer 2 s, and a label is wanted as soon as it is there"
        expect(times == ends, f"{saw}: labels came at {times} s, wanted {ends}", why, do)


def _unclosed(error: BaseException) -> tuple[str, str]:
    """Why a generator could not be closed, and what to try."""
    if "GeneratorExit" not in str(error):
        return "", ""
    why = "after the request to close it came to another yield: a bare except catches that request"
    return why, "except Exception, or no try at all"


def _mistaken(items: list[Any], files: list[str]) -> tuple[str, str]:
    """Why items are not labels, and what to try."""
    if not items:
        return "", ""
    if items[0] == files[0]:
        return "you yielded the file's name", "load it, then infer"
    if items[0] == f"{_stem(files[0])} images":
        return "you yielded what was loaded", "infer, then yield"
    if inspect.iscoroutine(items[0]):
        return "a coroutine is not a label", "await it"
    if items[0] == _UNAWAITED:
        return "infer was given a coroutine", "await what load(file) makes"
    return "", ""


def _stem(file: str) -> str:
    return file.removesuffix(".csv")


def _asked(
    labels: Callable[..., Any], files: list[str], most: int, broken: str, lost: Exception
) -> tuple[Run, list[tuple[Any, float]], list[float], list[float]]:
    """Ask for so many labels, 10 s from one to the next: what came, and when each call began."""
    seen: list[tuple[Any, float]] = []
    loads: list[float] = []
    infers: list[float] = []
    made: list[Coroutine[Any, Any, Any]] = []

    def kept(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        made.append(function(*args, **kwargs))
        return made[-1]

    async def load(file: str) -> str:
        loads.append(asyncio.get_running_loop().time())
        await asyncio.sleep(1)
        if file == broken:
            raise lost
        return f"{_stem(file)} images"

    async def infer(model: object, data: Any) -> str:
        infers.append(asyncio.get_running_loop().time())
        await asyncio.sleep(2)
        return (
            _UNAWAITED
            if inspect.iscoroutine(data)
            else f"{str(data).removesuffix(' images')} labels"
        )

    async def take() -> None:
        given = partial(kept, load), partial(kept, infer), list(files)
        items = labels(*given)
        try:
            async with aclosing(items):
                async for item in items:
                    seen.append((item, asyncio.get_running_loop().time()))
                    if len(seen) == most < len(files) or len(seen) > most:
                        return
                    await asyncio.sleep(10)
        except RuntimeError:  # it may have refused to close: let it run out
            with suppress(Exception):
                for _ in files:
                    await anext(items)
            raise

    async def ask() -> None:
        await asyncio.create_task(take())

    ask.__name__ = getattr(labels, "__name__", "labels")
    try:
        return attempt(ask, fails=True), seen, loads, infers
    finally:
        for coroutine in made:  # those that nobody has awaited
            coroutine.close()
