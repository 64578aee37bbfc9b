"""Verdicts on the exercises of notebook 04: errors, time limits, another try."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from .answers import Answer, expect_nothing_left, expect_to_let_go, run_answer
from .doubles import FALSY, ServerBusy, Spy, some_errors
from .verdict import check, expect, expect_time, raised
from .words import error_text, is_same, shown

__all__ = ["check_load_good", "check_load_or_default", "check_try_again"]

_EDGE = ("it appears at the edge of the timeout", "put the try around the timeout, not inside it")
_SORT = "isinstance(item, BaseException)"


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


def _expect_data(answer: Answer, told: str, because: str = "", hint: str = "") -> None:
    """Expect that no error came out."""
    if answer.error is None:
        return
    reason = raised(told, answer.error)
    seen = f"{reason.seen} came out"
    expect(False, seen, reason.because or because, reason.hint if reason.because else hint)


def _failed(outcome: object) -> bool:
    return isinstance(outcome, BaseException)


# --- Apart, and in order ---------------------------------------------------------------------


@check
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
    every: list[Any] = some_errors()
    every[1::2] = FALSY[: len(every[1::2])]
    more: list[Any] = [*FALSY[3:], *some_errors()[1::2], "data"]
    for outcomes in [lost, "b", "c"], [wrong, lost], ["a", lost, "c", wrong], [], every, more:
        plan = {f"dataset{number}.csv": item for number, item in enumerate(outcomes, 1)}
        load = _Load({f: [_Act(1 - at / 20, plan[f])] for at, f in enumerate(plan)})
        told = f"of {len(plan)} files, {sum(map(_failed, outcomes))} broken:"
        answer = _answer(load_good, load, list(plan))
        because = "the caller lost the others' data"
        _expect_data(answer, told, because, "return_exceptions=True")
        _expect_good_and_bad(answer.result, plan, told)
        load.expect_each_once(list(plan), f"{told} load")
        expect_time(answer.seconds, 1.0 if plan else 0.0, f"{told} took", "load all at once")
    load = _Load({"dataset1.csv": [_Act(20.0, "data")], "dataset2.csv": [_Act(20.0, "data")]})
    expect_to_let_go(load_good, load.load, list(load.script))
    _expect_cancelled_not_good(load_good)


def _expect_good_and_bad(pair: Any, plan: dict[str, Any], told: str) -> None:
    two = isinstance(pair, tuple | list) and len(pair) == 2
    two = two and all(isinstance(part, dict) for part in pair)
    expect(two, f"{told} saw {shown(pair)}", "two dicts are wanted", "return good, bad")
    for name, part, failed in zip(("good", "bad"), pair, (False, True), strict=True):
        wanted = {file: item for file, item in plan.items() if _failed(item) is failed}
        seen = f"{told} {name} holds {shown(list(part))}"
        expect(part.keys() == wanted.keys(), seen, f"wanted {shown(list(wanted))}", _SORT)
        expect(list(part) == list(wanted), seen, "not in the order of files", "zip(files, ...)")
        what = "errors themselves" if failed else "data"
        for file, item in wanted.items():
            seen = f"{told} {name} holds {shown(part[file])} for {file}"
            expect(is_same(part[file], item), seen, f"wanted the {what}: {shown(item)}")


def _expect_cancelled_not_good(load_good: Callable[..., Any]) -> None:
    load = _Load({"dataset1.csv": [_Act(0.2, asyncio.CancelledError())]})
    answer = run_answer(load_good, load.load, ["dataset1.csv"], fails=True)
    # To let it out, or to leave it: both are right.
    good = () if answer.error else answer.result[0].values()
    seen = "of 1 file, its load cancelled: good holds the CancelledError"
    because = "it is no Exception, but a BaseException"
    expect(not any(map(_failed, good)), seen, because, _SORT)


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
        return self.default if self.is_late or _failed(self.act.outcome) else self.act.outcome


def _offers() -> Iterator[_Offer]:
    late, lost = "async with asyncio.timeout(seconds)", "except Exception"
    yield _Offer(_Act(0.3, "data"), f"return await load(file), inside {late}")
    for value in FALSY:
        yield _Offer(_Act(0.3, value), "return empty data as it is, it was loaded")
    yield _Offer(_Act(5.0, "data"), late)
    yield _Offer(_Act(5.0, OSError("gone")), late)
    for error in some_errors():
        yield _Offer(_Act(0.4, error), lost)
    given = "use the file, the seconds and the default that you are given"
    for default, outcome in zip(FALSY, ["too late", *some_errors()], strict=False):
        act = _Act(0.4 if _failed(outcome) else 9.0, outcome)
        yield _Offer(act, given, default, 2.0, "dataset7.csv")


@check
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
    for offer in _offers():
        load = _Load({offer.file: [offer.act]})
        answer = _answer(load_or_default, load, offer.file, offer.seconds, offer.default)
        edge = offer.is_late and isinstance(answer.error, TimeoutError)
        _expect_data(answer, str(offer), *_EDGE if edge else ("", offer.hint))
        seen = f"{offer} saw {shown(answer.result)}"
        right = is_same(answer.result, offer.wanted)
        expect(right, seen, f"wanted {shown(offer.wanted)}", offer.hint)
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
    first, second = _Act(0.1, OSError("first")), _Act(0.1, OSError("second"))
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
    yield _Try("OSErrors of other kinds, then data", [busy, late, data], begins[:3], 1.9)
    yield _Try("lost connections only", [lost, lost], begins[:2], 0.7, lost.outcome, attempts=2)
    wrong = ValueError("not a number")
    yield _Try("a ValueError", [_Act(0.1, wrong)], begins[:1], 0.1, wrong)
    for other in some_errors():
        if not isinstance(other, OSError):
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
    if late and not _hangs(case):
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
        return "return what was loaded, whatever it is"
    return "catch OSError and nothing else; raise the last one"
