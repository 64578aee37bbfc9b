"""Verdicts on the exercises of notebook 04: errors, time limits, another try."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from .answers import Answer, expect_nothing_left, expect_to_let_go, run_answer
from .doubles import FALSY, ServerBusy, Spy, some_errors
from .verdict import check, expect, expect_time, raised
from .words import error_text, is_same, shown

__all__ = ["check_load_or_default", "check_try_again"]

_EDGE = (
    "it appears at the edge of the timeout",
    "except TimeoutError, of a try around the timeout, not inside it",
)
_CATCH = "except (ConnectionError, TimeoutError)"


class _Act(NamedTuple):
    """What a load does once: how long it takes, and what it gives or raises."""

    seconds: float
    outcome: Any


class _Load(Spy):
    """A ``load`` that acts by a script, the last act for ever."""

    def __init__(self, script: dict[str, list[_Act]]) -> None:
        super().__init__()
        self.script = script

    async def load(self, file: str) -> Any:
        known = is_same(file, next((known for known in self.script if is_same(known, file)), None))
        expect(known, f"load was given {shown(file)}", "that is none of the files", "load(file)")
        earlier = sum(call.item == file for call in self.calls)
        act = self.script[file][min(earlier, len(self.script[file]) - 1)]
        return await self.act(file, *act)


def _answer(function: Callable[..., Any], load: _Load, *args: Any) -> Answer:
    """Run the learner's function, which may not hold the loop."""
    answer = run_answer(function, load.load, *args, fails=True)
    held = f"it held the event loop for {answer.held:g} s"
    expect(not answer.held, held, "nobody else could go on", "await asyncio.sleep, not time.sleep")
    return answer


def _expect_no_other(
    answer: Answer, wanted: Any, told: str, because: str = "", hint: str = ""
) -> None:
    """Expect that no error came out but the wanted."""
    if answer.error is None or is_same(answer.error, wanted):
        return
    reason = raised(told, answer.error)
    seen = f"{reason.seen} came out"
    expect(False, seen, reason.because or because, reason.hint if reason.because else hint)


def _failed(outcome: object) -> bool:
    return isinstance(outcome, BaseException)


def _may_pass(outcome: object) -> bool:
    """Whether it is a failure that may be gone a moment later."""
    return isinstance(outcome, ConnectionError | TimeoutError)


def _all_errors() -> list[Exception]:
    """Make errors that may pass, and others; a missing file among them, an `OSError` too."""
    return [*some_errors(), FileNotFoundError("no such file")]


# --- Something rather than nothing -----------------------------------------------------------


class _Offer(NamedTuple):
    """A call of ``load_or_default``: what the load does, and what stands in for it."""

    act: _Act
    hint: str
    default: Any = "default"
    seconds: float = 1.0
    file: str = "dataset1.csv"

    def __str__(self) -> str:
        outcome = f"{'raises' if _failed(self.act.outcome) else 'gives'} {shown(self.act.outcome)}"
        told = f"load needs {self.act.seconds} s, {self.seconds} s are allowed, and it {outcome}"
        told += f"; the default is {shown(self.default)}" * (self.default != "default")
        return f"{told}:"

    @property
    def is_late(self) -> bool:
        return self.act.seconds > self.seconds

    @property
    def wanted(self) -> Any:
        """Data, or the error that is to come out."""
        return self.default if self.is_late or _may_pass(self.act.outcome) else self.act.outcome


def _offers() -> Iterator[_Offer]:
    late = "async with asyncio.timeout(seconds)"
    yield _Offer(_Act(0.3, "data"), f"return await load(file), inside {late}")
    for value in FALSY:
        yield _Offer(_Act(0.3, value), "return empty data as it is, it was loaded")
    yield _Offer(_Act(5.0, "data"), late)
    yield _Offer(_Act(5.0, ConnectionError("gone")), late)
    nothing_more = f"{_CATCH}, nothing more, and no return in a finally"
    for error in _all_errors():
        yield _Offer(_Act(0.4, error), _CATCH if _may_pass(error) else nothing_more)
    given = "use the file, the seconds and the default that you are given"
    outcomes = ["too late", *filter(_may_pass, some_errors())]
    for default, outcome in zip(FALSY, outcomes, strict=False):
        act = _Act(0.4 if _failed(outcome) else 9.0, outcome)
        yield _Offer(act, given, default, 2.0, "dataset7.csv")


@check
def check_load_or_default(load_or_default: Callable[..., Any]) -> None:
    """Judge ``load_or_default(load, file, seconds, default)``: the data, if it comes in time.

    A connection that is lost and a time that is up give the default; other errors come out.

    Examples
    --------
    >>> import asyncio
    >>> async def load_or_default(load, file, seconds, default):
    ...     try:
    ...         async with asyncio.timeout(seconds):
    ...             return await load(file)
    ...     except (ConnectionError, TimeoutError):
    ...         return default
    >>> check_load_or_default(load_or_default)
    ok
    """
    for offer in _offers():
        load = _Load({offer.file: [offer.act]})
        answer = _answer(load_or_default, load, offer.file, offer.seconds, offer.default)
        if len(load.calls) > 1:  # before what a second call may bring
            load.expect_each_once([offer.file], f"{offer} load", "one attempt, no more")
        edge = offer.is_late and isinstance(answer.error, TimeoutError)
        why = _EDGE if edge else ("", offer.hint)
        _expect_no_other(answer, offer.wanted, str(offer), *why)
        end = answer.result if answer.error is None else answer.error
        is_out = _failed(offer.wanted)
        is_right = is_same(end, offer.wanted) and is_out is (answer.error is not None)
        wanted = f"wanted {'it to come out' if is_out else shown(offer.wanted)}"
        expect(is_right, f"{offer} saw {shown(end)}", wanted, offer.hint)
        load.expect_each_once([offer.file], f"{offer} load")
        seconds = min(offer.act.seconds, offer.seconds)
        expect_time(answer.seconds, seconds, f"{offer} it took", offer.hint)
        expect_nothing_left(answer)
    load = _Load({"dataset1.csv": [_Act(20.0, "data")]})
    expect_to_let_go(load_or_default, load.load, "dataset1.csv", 50.0, "default")


# --- Another try -----------------------------------------------------------------------------


class _Try(NamedTuple):
    """A call of ``try_again``: what the load does each time, and what is to come of it."""

    told: str
    acts: Sequence[_Act]
    begins: Sequence[float]
    """When the attempts begin."""
    ends: float
    wanted: Any = "data"
    """Data; or the error, or its kind."""
    attempts: int = 3
    file: str = "dataset1.csv"
    seconds: float = 1.0
    wait: float = 0.5

    def __str__(self) -> str:
        knobs = f"attempts={self.attempts}, seconds={self.seconds:g}, wait={self.wait:g}"
        return f"{self.told} ({knobs}):"


def _tries() -> Iterator[_Try]:
    first, second = _Act(0.1, ConnectionError("first")), _Act(0.1, ConnectionError("second"))
    busy, lost = _Act(0.1, ServerBusy("503")), _Act(0.1, ConnectionResetError("lost"))
    late, hangs = _Act(0.1, TimeoutError("the server gave up")), _Act(60.0, "too late")
    data = _Act(0.2, "data")
    begins = 0.0, 0.6, 1.7, 3.8
    yield _Try("a load that works", [data], begins[:1], 0.2)
    yield _Try("two failures, then data", [first, second, data], begins[:3], 1.9)
    yield _Try("one that hangs, then data", [hangs, data], [0.0, 1.5], 1.7, attempts=2)
    yield _Try("failures only", [first, second], begins[:2], 0.7, second.outcome, attempts=2)
    yield _Try("one attempt, that hangs", [hangs], begins[:1], 1.0, TimeoutError, attempts=1)
    yield _Try("three failures, then data", [first, second, busy, data], begins, 4.0, attempts=4)
    yield _Try("a full server, one that gave up, then data", [busy, late, data], begins[:3], 1.9)
    yield _Try("lost connections only", [lost, lost], begins[:2], 0.7, lost.outcome, attempts=2)
    wrong = ValueError("not a number")
    yield _Try("a ValueError", [_Act(0.1, wrong)], begins[:1], 0.1, wrong)
    for other in _all_errors():
        if not _may_pass(other):
            told = f"a failure, then {error_text(other)}"
            yield _Try(told, [busy, _Act(0.1, other)], begins[:2], 0.7, other)
    for value in FALSY:
        yield _Try(f"{value!r} for data", [_Act(0.2, value)], begins[:1], 0.2, value)
    other_file = _Try("another file", [hangs, data], [0.0, 2.2], 2.4, attempts=2)
    yield other_file._replace(file="dataset7.csv", seconds=2.0, wait=0.2)


@check
def check_try_again(try_again: Callable[..., Any]) -> None:
    """Judge ``try_again(load, file, attempts, seconds, wait)``: each attempt with a time limit.

    Examples
    --------
    >>> import asyncio
    >>> async def try_again(load, file, attempts, seconds, wait):
    ...     for attempt in range(attempts):
    ...         try:
    ...             async with asyncio.timeout(seconds):
    ...                 return await load(file)
    ...         except (ConnectionError, TimeoutError):
    ...             if attempt == attempts - 1:
    ...                 raise
    ...         await asyncio.sleep(wait * 2**attempt)
    >>> check_try_again(try_again)
    ok
    """
    for case in _tries():
        load = _Load({case.file: list(case.acts)})
        args = case.file, case.attempts, case.seconds, case.wait
        answer = _answer(try_again, load, *args)
        _expect_attempts(case, load)
        _expect_end(case, load, answer)
        expect_time(answer.seconds, case.ends, f"{case} it took", "no wait after the last attempt")
        expect_nothing_left(answer)
    for act in _Act(20.0, "data"), _Act(0.1, ServerBusy("503")):  # in the load, and in the wait
        load = _Load({"dataset1.csv": [act]})
        expect_to_let_go(try_again, load.load, "dataset1.csv", 3, 50.0, 5.0)


def _hangs(case: _Try) -> bool:
    return any(act.seconds > case.seconds for act in case.acts)


def _expect_attempts(case: _Try, load: _Load) -> None:
    hint = "asyncio.timeout(seconds)" if _hangs(case) else "asyncio.sleep(wait * 2**attempt)"
    for number, (began, begin) in enumerate(zip(load.began, case.begins, strict=False), 1):
        expect_time(began, begin, f"{case} attempt {number} began at", hint)


def _expect_end(case: _Try, load: _Load, answer: Answer) -> None:
    """Expect the data, or the last error, after so many attempts."""
    end = answer.result if answer.error is None else answer.error
    is_kind = isinstance(case.wanted, type) and isinstance(end, case.wanted)
    right = (is_kind or is_same(end, case.wanted)) and _failed(end) is (answer.error is not None)
    if right and len(load.calls) == len(case.begins):
        return
    if answer.error is not None:
        reason = raised(f"{case} saw", answer.error)
        expect(not reason.because, reason.seen, reason.because, reason.hint)
    wanted = case.wanted.__name__ if isinstance(case.wanted, type) else shown(case.wanted)
    seen = f"{case} saw {shown(end)} after {len(load.calls)} attempt(s)"
    because = f"wanted {wanted} after {len(case.begins)}"
    expect(False, seen, because, _again(case, answer.error, len(load.calls)))


def _again(case: _Try, error: BaseException | None, attempts: int) -> str:
    """What to try, after what `try_again` did wrong."""
    late = isinstance(error, TimeoutError)
    if late and not _hangs(case) and attempts < len(case.begins):
        return "a timeout for each attempt, inside the loop, around nothing but load"
    if late and attempts < case.attempts:
        return f"{_EDGE[1]}: {_EDGE[0]}"
    if attempts > case.attempts:
        return "for attempt in range(attempts)"
    fine = not isinstance(case.wanted, type) and not _failed(case.wanted)
    if error is None and not fine:
        return "raise, after the last attempt"
    if _hangs(case):
        return "asyncio.timeout(seconds)"
    if fine and attempts > len(case.begins):
        return "one attempt at a time; return what was loaded, whatever it is"
    return f"{_CATCH}, nothing more; raise the last one"
