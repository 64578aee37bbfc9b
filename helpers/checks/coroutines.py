"""Verdicts on the exercises of notebook 01: a coroutine driven by hand, an async generator."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import math
from collections.abc import Callable, Generator, Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from .answers import (
    Answer,
    expect_callable,
    expect_nothing_left,
    expect_to_stop,
    film,
    run_plain,
)
from .doubles import FALSY, Spy, some_errors
from .verdict import NotYet, check, expect, raised
from .words import error_text, is_same, shown

__all__ = ["check_drive", "check_labels"]


# --- A coroutine driven by hand --------------------------------------------------------------


@check
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
    returned = ["data", None, ["a", "b"], 7, *FALSY, ("a", "pair"), ValueError("as a value")]
    for pauses, outcome in zip(itertools.cycle((0, 1, 3, 300, 2)), returned, strict=False):
        times = f"{pauses} time{'s' * (pauses != 1)}"
        told = f"of a coroutine that pauses {times} and returns {shown(outcome)}:"
        answer, ended = _driven(drive, pauses, outcome, told, fails=False)
        _expect_no_error(answer.error, told)
        pair = answer.result
        wanted = pauses, outcome
        seen = f"{told} saw {shown(pair)}, wanted {shown(wanted)}"
        because, hint = "the coroutine had not ended yet", "send until it ends, however long it is"
        expect(ended, seen, because, hint)
        expect(_is_pair(pair, *wanted), seen, *_mistaken_pair(pair, pauses, outcome))
    for error in (*some_errors(), _Stop("no error that one may catch")):
        told = f"of a coroutine that pauses 2 times and raises {error_text(error)}:"
        answer, _ = _driven(drive, 2, error, told, fails=True)
        hint = "catch StopIteration only"
        seen = f"{told} saw {shown(answer.result)}"
        expect(answer.error is not None, seen, "the error was eaten", hint)
        seen = f"{told} {shown(answer.error)} came out"
        expect(answer.error is error, seen, hint=f"{hint}, and let its error out")


class _Stop(BaseException):
    """As `KeyboardInterrupt`, no `Exception`."""


def _driven(drive: Any, pauses: int, outcome: Any, told: str, fails: bool) -> tuple[Answer, bool]:
    """Let the learner drive one coroutine, look at what it was sent, and say whether it ended."""
    sent: list[Any] = []
    coroutine = _pausing(pauses, outcome, sent, fails)
    try:
        answer = run_plain(drive, coroutine)
        ended = inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED
    finally:
        coroutine.close()
    _expect_no_later_send(answer.error, told)
    others = [thing for thing in sent if thing is not None]
    expect(not others, f"{told} it was sent {shown(others)}", hint="coroutine.send(None)")
    return answer, ended


def _expect_no_later_send(error: BaseException | None, told: str) -> None:
    again = isinstance(error, RuntimeError) and "already awaited" in str(error)
    because = "it was sent something after its end"
    expect(not again, f"{told} {shown(error)} came out", because, "return at StopIteration")


def _expect_no_error(error: BaseException | None, told: str) -> None:
    stopped = isinstance(error, RuntimeError) and "StopIteration" in str(error)
    because = "it says that the coroutine has ended"
    hint = "send until StopIteration comes, and catch it: it carries the result"
    expect(not stopped, f"{told} StopIteration came out", because, hint)
    iterated = isinstance(error, TypeError) and "'coroutine' object is not" in str(error)
    expect(not iterated, f"{told} saw {shown(error)}", hint="push it by coroutine.send(None)")
    empty = isinstance(error, IndexError)
    hint = "read the value of StopIteration; its args are empty where None was returned"
    expect(not empty, f"{told} saw {shown(error)}", hint=hint)
    if error is not None:
        raise raised(f"{told} saw", error)


def _is_pair(pair: Any, first: Any, second: Any) -> bool:
    fits = isinstance(pair, tuple) and len(pair) == 2
    return fits and is_same(pair[0], first) and is_same(pair[1], second)


def _mistaken_pair(pair: Any, pauses: int, outcome: Any) -> tuple[str, str]:
    """Why a pair is not the one that was wanted, and what to try."""
    if pair is None:
        return "nothing was returned", "return the pair; to print it is not enough"
    if _is_pair(pair, pauses + 1, outcome):
        return "the last send ends it, and is not a pause", ""
    if _is_pair(pair, outcome, pauses):
        return "it is the wrong way round", "pauses first, then the value"
    if _is_pair(pair, pauses, None):
        return "the value is missing", "read it from StopIteration, which a for loop hides"
    if isinstance(pair, tuple) and len(pair) == 2 and is_same(pair[1], outcome):
        return "it is another number of pauses", "each send that raises nothing ends at a pause"
    if isinstance(pair, list):
        return "that is a list; a pair is a tuple", "round brackets, or none"
    return "", ""


async def _pausing(pauses: int, outcome: Any, sent: list[Any], fails: bool) -> Any:
    for thing in itertools.islice(itertools.cycle((None, *FALSY, "a pause")), pauses):
        await _Pause(thing, sent)
    if fails:
        raise outcome
    return outcome


@dataclass
class _Pause:
    """Pauses once, and notes what it is sent."""

    thing: Any
    sent: list[Any]

    def __await__(self) -> Generator[Any, Any, None]:
        self.sent.append((yield self.thing))


# --- An async generator ----------------------------------------------------------------------

_PAUSE = 10.0  # seconds from one label to the request for the next
_LOAD, _INFER = 1.0, 2.0


@dataclass
class _Labels:
    """What is loaded and inferred in one case, and what became of it."""

    files: list[str]
    ask: int
    broken: int = 0
    """Which file fails, from 1; or none."""
    error: Exception | None = None
    in_infer: bool = False
    """Whether it is not the load that fails."""
    falsy: bool = False
    """Whether data and labels are such as `if` takes for nothing."""
    loads: Spy = field(default_factory=Spy)
    infers: Spy = field(default_factory=Spy)
    seen: list[tuple[Any, float]] = field(default_factory=list)

    def __str__(self) -> str:
        broken = f", number {self.broken} broken" * bool(self.broken)
        return f"of {len(self.files)} files, {self.ask} asked for{broken}:"

    def data(self, file: str) -> Any:
        return FALSY[self.files.index(file) % 5] if self.falsy else f"{_stem(file)} images"

    def label(self, file: str) -> Any:
        return FALSY[-1 - self.files.index(file) % 5] if self.falsy else f"{_stem(file)} labels"

    @property
    def wanted(self) -> list[Any]:
        return [self.label(f) for f in self.files[: self.broken - 1 if self.broken else self.ask]]

    def _fails(self, file: str, in_infer: bool) -> bool:
        at_fault = self.broken and file == self.files[self.broken - 1]
        return bool(at_fault and self.in_infer == in_infer)

    async def load(self, file: str) -> Any:
        known = [other for other in self.files if is_same(other, file)]
        expect(known, f"load was given {shown(file)}", "that is none of the files")
        return await self.loads.act(
            file, _LOAD, self.error if self._fails(file, False) else self.data(file)
        )

    async def infer(self, model: object, data: Any) -> Any:
        hint = "await what load(file) makes"
        expect(not inspect.iscoroutine(data), "infer was given a coroutine", hint=hint)
        whose = [file for file in self.files if is_same(self.data(file), data)]
        expect(whose, f"infer was given {shown(data)}", "that is no data", 'infer("model", data)')
        fails = self._fails(whose[0], True)
        return await self.infers.act(data, _INFER, self.error if fails else self.label(whose[0]))


def _stem(file: str) -> str:
    return file.removesuffix(".csv")


def _cases() -> Iterator[_Labels]:
    three = ["dataset1.csv", "dataset2.csv", "dataset3.csv"]
    yield _Labels(three, ask=3)
    yield _Labels([], ask=0)
    yield _Labels(three[:1], ask=1)
    yield _Labels(three, ask=1)
    yield _Labels(["a.csv", "b.csv", "a.csv", "a.csv"], ask=4)
    yield _Labels(["a.csv", "", "b.csv", "c.csv", "d.csv"], ask=5, falsy=True)
    for number, error in enumerate(some_errors()):
        yield _Labels(three, ask=3, broken=1 + number % 3, error=error, in_infer=number % 2 > 0)


@check
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
    name = expect_callable(labels, (None, None, []))
    for case in _cases():
        answer = film(name, partial(_take, labels, name, case))
        _expect_its_error(case, answer.error)
        expect_nothing_left(answer)
        _expect_labels(case)
        _expect_in_time(case)
    case = next(_cases())
    expect_to_stop(name, partial(_take, labels, name, case))


def _expect_its_error(case: _Labels, error: BaseException | None) -> None:
    if error is not None and error is not case.error:
        if "GeneratorExit" in str(error):
            because = "after the request to close it came to another yield"
            hint = "except Exception, or no try at all: a bare except catches that request"
            raise NotYet(f"{case} {error_text(error)} came out", because, hint)
        reason = raised(f"{case} saw", error)
        hint = reason.hint or "let the error itself out" * bool(case.error)
        raise NotYet(reason.seen, reason.because, hint)
    seen = f"{case} saw {shown([item for item, _ in case.seen])}"
    expect(error is case.error, seen, "the error was eaten", "let it out")


def _expect_labels(case: _Labels) -> None:
    items = [item for item, _ in case.seen]
    seen = f"{case} saw {shown(items)}, wanted {shown(case.wanted)}"
    expect(is_same(items, case.wanted), seen, *_mistaken_item(case, items))
    for given, other, spy in ("load", "load_data", case.loads), ("infer", "another", case.infers):
        seen = f"{case} the {given} that you were given was never called"
        expect(spy.calls or not case.wanted, seen, hint=f"use it, not {other}")


def _mistaken_item(case: _Labels, items: list[Any]) -> tuple[str, str]:
    """Why items are not labels, and what to try."""
    if case.falsy:
        return "a label may be anything, also an empty one", "yield it whatever it is"
    if not items:
        return "", ""
    if is_same(items[0], case.files[0] if case.files else None):
        return "you yielded the file's name", "load it, then infer"
    if case.files and is_same(items[0], case.data(case.files[0])):
        return "you yielded what was loaded", "infer, then yield"
    if len(case.wanted) > 1 and is_same(items, case.wanted[-1:]):
        return "only the last label came", "yield each label, inside the loop"
    if inspect.iscoroutine(items[0]):
        return "a coroutine is not a label", "await it"
    return "", ""


def _expect_in_time(case: _Labels) -> None:
    each = _LOAD + _INFER
    told = f"{case} ({_PAUSE:g} s after each comes the request for the next)"
    begun = [(each + _PAUSE) * at for at in range(case.broken or case.ask)]
    due = itertools.chain(begun, itertools.repeat(math.inf))
    early = any(time < at for time, at in zip(case.loads.began, due, strict=False))
    because = "load a file when its label is asked for"
    hint = "load and infer one file, yield, then the next file"
    seen = f"{told}: loads began at {shown(case.loads.began)} s, wanted {shown(begun)}"
    expect(not early, seen, because, hint)
    times = [time for _, time in case.seen]
    ends = [each + (each + _PAUSE) * at for at in range(len(case.wanted))]
    because = "load takes 1 s, infer 2 s, and a label is wanted as soon as it is there"
    seen = f"{told}: labels came at {shown(times)} s, wanted {shown(ends)}"
    expect(times == ends, seen, because, hint)


async def _take(labels: Callable[..., Any], name: str, case: _Labels) -> None:
    """Ask for so many labels, one after the other."""
    items = labels(case.load, case.infer, list(case.files))
    seen = f"{name} is not an async generator: called, it gave {shown(items)}"
    expect(inspect.isasyncgen(items), seen, hint="async def, and a yield in it")
    now = asyncio.get_running_loop().time
    try:
        async with aclosing(items):
            async for item in items:
                case.seen.append((item, now()))
                if len(case.seen) == case.ask < len(case.files) or len(case.seen) > case.ask:
                    return
                await asyncio.sleep(_PAUSE)
    except RuntimeError:  # it may have refused to close: let it run out
        with suppress(Exception):
            for _ in case.files:
                await anext(items)
        raise
