"""Verdicts on the exercises of notebook 01: a coroutine driven by hand, an async generator."""

from __future__ import annotations

import asyncio
import inspect
import reprlib
from collections.abc import Callable, Coroutine, Generator
from contextlib import aclosing
from functools import partial
from typing import Any

from ..trace import Run
from ..verdict import NotYet, attempt, expect, judged

__all__ = ["check_drive", "check_labels"]


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
    catch = "except StopIteration as stop: return pauses, stop.value"
    for pauses, outcome in ((0, "data"), (1, None), (3, ["a", "b"]), (40, 7), (2, error)):
        fails = outcome is error
        how = f"raises {error!r}" if fails else f"returns {outcome!r}"
        told = f"of a coroutine that pauses {pauses} times and {how}:"
        sent: list[Any] = []
        coroutine = _pausing(pauses, outcome, sent)
        try:
            run = _driven(drive, coroutine)
        finally:
            coroutine.close()
        if run.error is None or not fails:
            stopped = isinstance(run.error, RuntimeError) and "StopIteration" in str(run.error)
            expect(
                not stopped,
                f"{told} StopIteration came out",
                "it says that the coroutine has ended",
                catch,
            )
            expect(run.error is None, f"{told} {run.error!r} came out", do=catch)
            wanted, why = (pauses, outcome), "the last send ends it, and is no pause"
            expect(not fails, f"{told} saw {reprlib.repr(run.result)}", "the error was eaten")
            why = why if run.result == (pauses + 1, outcome) else ""
            expect(run.result == wanted, f"{told} saw {run.result!r}", why, f"return {wanted!r}")
        expect(not fails or run.error is error, f"{told} {run.error!r} came out", do="let it out")
        expect(sent == [None] * pauses, f"{told} it was sent {sent}", do="coroutine.send(None)")


def _driven(drive: Callable[..., Any], coroutine: Any) -> Run:
    """Call a plain function as `attempt` does a coroutine function."""
    name = getattr(drive, "__name__", repr(drive))
    if not callable(drive) or inspect.iscoroutinefunction(drive):
        raise NotYet(f"{name} is no plain function", "nobody will await it", f"def {name}(...)")

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
    name = getattr(labels, "__name__", repr(labels))
    is_generator = inspect.isasyncgenfunction(labels)
    expect(is_generator, f"{name} is no async generator", do="async def, and a yield in it")
    lost = OSError("gone")
    for count, most, broken in ((3, 3, 0), (0, 0, 0), (1, 1, 0), (3, 1, 0), (3, 3, 2)):
        files = [f"dataset{number}.csv" for number in range(1, count + 1)]
        run, seen, loads = _asked(labels, files, most, files[broken - 1] if broken else "", lost)
        told = f"of {count} files, {most} asked for" + f", number {broken} broken" * bool(broken)
        other = run.error is not None and not (broken and run.error is lost)
        expect(not other, f"{told}: {run.error!r} came out")
        wanted = [f"{file} labels" for file in files[: broken - 1 if broken else most]]
        items = [item for item, _ in seen]
        do = "yield await infer('model', await load(file))"
        expect(items == wanted, f"{told}: saw {reprlib.repr(items)}", f"wanted {wanted}", do)
        expect(not broken or run.error is lost, f"{told}: no error came out", "it was eaten")
        do = "load and infer one file, yield, then the next file"
        saw = f"{told} (10 s after each comes the request for the next)"
        begun = [13.0 * at for at in range(broken or most)]
        why = "load a file when its label is asked for"
        expect(loads == begun, f"{saw}: loads began at {loads} s, wanted {begun}", why, do)
        times, due = [time for _, time in seen], [3.0 + 13 * at for at in range(len(wanted))]
        why = "load takes 1 s, infer 2 s, and a label is wanted as soon as it is there"
        expect(times == due, f"{saw}: labels came at {times} s, wanted {due}", why, do)


def _asked(
    labels: Callable[..., Any], files: list[str], most: int, broken: str, lost: Exception
) -> tuple[Run, list[tuple[Any, float]], list[float]]:
    """Ask for so many labels, with 10 s from one to the next; what came when, when loads began."""
    seen: list[tuple[Any, float]] = []
    loads: list[float] = []
    made: list[Coroutine[Any, Any, Any]] = []

    def kept(function: Callable[..., Any], *args: Any) -> Any:
        made.append(function(*args))
        return made[-1]

    async def load(file: str) -> str:
        loads.append(asyncio.get_running_loop().time())
        await asyncio.sleep(1)
        if file == broken:
            raise lost
        return file

    async def infer(model: object, data: Any) -> str:
        await asyncio.sleep(2)
        return f"{data} labels" if isinstance(data, str) else f"labels of a {type(data).__name__}"

    async def take() -> None:
        given = partial(kept, load), partial(kept, infer), files
        async with aclosing(labels(*given)) as items:
            async for item in items:
                seen.append((item, asyncio.get_running_loop().time()))
                if len(seen) == most < len(files) or len(seen) > most:
                    return
                await asyncio.sleep(10)

    async def ask() -> None:
        await asyncio.create_task(take())

    ask.__name__ = getattr(labels, "__name__", "labels")
    try:
        return attempt(ask, fails=True), seen, loads
    finally:
        for coroutine in made:  # those that nobody has awaited
            coroutine.close()
