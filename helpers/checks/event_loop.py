"""Verdicts on the exercises of notebook 02: a loop of one's own, holding the loop."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..camera.clock import busy
from .answers import (
    Answer,
    expect_nothing_left,
    expect_to_let_go,
    run_answer,
    run_plain,
)
from .doubles import FALSY, some_errors
from .verdict import NotYet, check, expect, expect_results, raised
from .words import error_text, shown

__all__ = ["check_loop", "check_polite"]


# --- A loop of one's own ---------------------------------------------------------------------


class _Job(NamedTuple):
    """A coroutine: how long it sleeps in all, in how many sleeps, and how it ends."""

    seconds: float
    outcome: Any
    sleeps: int = 3
    fails: bool = False
    holds: float = 0.0
    """Seconds for which it computes after its last sleep."""

    def __str__(self) -> str:
        return f"raises {error_text(self.outcome)}" if self.fails else shown(self.outcome)


def _plans() -> Iterator[list[_Job]]:
    yield [_Job(0.3, "a"), _Job(0.1, "b"), _Job(0.2, "c")]
    yield [_Job(3600.0, "a"), _Job(0.1, ConnectionError("lost"), fails=True), _Job(0.2, "c")]
    yield [
        _Job(0.0, ValueError("wrong"), fails=True),
        _Job(0.2, "b"),
        _Job(0.2, "c"),
        _Job(0.2, OSError("lost"), fails=True),
    ]
    yield []
    yield [_Job(0.1, value, sleeps=2) for value in FALSY]
    yield [_Job(0.2, "twin"), _Job(0.1, "twin"), _Job(0.3, "twin")]
    yield [_Job(0.0, "at once", sleeps=0), _Job(0.1, "b"), _Job(0.0, KeyError(1), 0, fails=True)]
    yield [_Job(0.3 - at / 100, error, fails=True) for at, error in enumerate(some_errors())]
    yield [_Job(0.1, "computes", 1, holds=0.5), _Job(0.2, "waits", 1), _Job(0.9, "waits on", 1)]


class _Exit(BaseException):
    """As `SystemExit`, no `Exception`."""


@check
def check_loop(run_all: Callable[..., Any]) -> None:
    """Judge ``run_all(*coroutines, clock, wait)``: a loop that keeps an error as a result.

    Examples
    --------
    >>> def run_all(*coroutines, clock, wait):
    ...     return []
    >>> print(check_loop(run_all).hint.partition(";")[0])
    coroutines that end with ['a', 'b', 'c']: saw 0 results for 3 items
    """
    for plan, more in itertools.product(_plans(), (0, 1)):  # what is reversed twice is in order
        plan = [job._replace(sleeps=job.sleeps + more * (job.sleeps > 1)) for job in plan]
        told = f"coroutines that end with [{', '.join(map(str, plan))}]: "
        time = _Clock()
        answer = _looped(run_all, plan, time)
        if answer.error is not None:
            own = any(answer.error is job.outcome for job in plan)
            seen = f"run_all raised {error_text(answer.error)}"
            expect(not own, seen, "that is the error to keep as a result")
            raise raised(f"{told}run_all raised", answer.error)
        if isinstance(answer.result, list | tuple) and len(answer.result) == len(plan):
            _expect_in_turn(plan, time, told)
            stops = any(isinstance(item, StopIteration) for item in answer.result)
            seen = f"{told}saw {shown(answer.result)}"
            expect(not stops, seen, "StopIteration is an Exception too", "catch it first")
        hint = "results[coroutine] = …, and in the end the order of the arguments"
        expect_results(answer.result, [job.outcome for job in plan], told, hint)
    for stop in KeyboardInterrupt("■"), _Exit("end"):
        plan = [_Job(0.2, "a"), _Job(0.1, stop, fails=True)]
        told = f"coroutines of which one raises {type(stop).__name__}"
        error = _looped(run_all, plan, _Clock()).error
        because = "it is no Exception: so does ■ end a cell"
        expect(error is stop, f"{told}: run_all went on", because, "except Exception as error")


def _expect_in_turn(plan: list[_Job], time: _Clock, told: str) -> None:
    """Expect that each coroutine ended when it was due, and of two the first first."""
    due: list[tuple[float, _Job]] = []
    now = 0.0
    for job in sorted(plan, key=lambda job: job.seconds if job.sleeps else -1.0):
        now = max(now, job.seconds) + job.holds
        due.append((round(now, 6), job))
    if time.ends == due:
        return
    hint = "a timer heap"
    if [when for when, _ in time.ends] == [when for when, _ in due]:  # only ties are wrong
        hint = "first come, first served: popleft, and a running number in the heap"
    elif [job for _, job in time.ends] == [job for _, job in due]:  # only the times are wrong
        hint = "wait until the first timer is due, and no longer"
    seen, wanted = (", ".join(f"{job} at {when:g} s" for when, job in e) for e in (time.ends, due))
    expect(False, f"{told}they ended so: {seen or 'never'}", f"wanted {wanted}", hint)


def _looped(run_all: Any, plan: list[_Job], time: _Clock) -> Answer:
    """Let the learner's loop run these jobs by this clock."""
    jobs = [_work(job, time) for job in plan]
    try:
        answer = run_plain(run_all, *jobs, clock=time.time, wait=time.wait)
    except NotYet as reason:
        if "never ended" in reason.seen and not time.waits:
            because = "nobody called wait, so the clock stood still"
            raise NotYet(reason.seen, because, "wait(...) if nobody is ready") from None
        raise
    finally:
        for coroutine in jobs:
            coroutine.close()
    because, hint = "only wait(...) may pass the time", "wait, not time.sleep"
    expect(not answer.seconds, f"run_all slept for {answer.seconds:g} s", because, hint)
    return answer


@dataclass
class _Clock:
    """A clock that is moved by waiting, and what ended when."""

    now: float = 0.0
    waits: int = 0
    ends: list[tuple[float, _Job]] = field(default_factory=list)

    def time(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")  # as time.sleep says
        self.now += seconds
        self.waits += 1


@dataclass
class _Sleep:
    seconds: float

    def __await__(self) -> Generator[float, None, None]:
        yield self.seconds


async def _work(job: _Job, clock: _Clock) -> Any:
    for _ in range(job.sleeps):
        await _Sleep(job.seconds / job.sleeps)
    clock.now += job.holds
    clock.ends.append((round(clock.now, 6), job))
    if job.fails:
        raise job.outcome
    return job.outcome


# --- Holding the loop ------------------------------------------------------------------------

_CHUNK = 0.2  # seconds that a chunk of work takes


@check
def check_polite(polite: Callable[..., Any]) -> None:
    """Judge ``polite(work, chunks)``: others get a turn between one chunk of work and the next.

    Examples
    --------
    >>> async def polite(work, chunks):
    ...     return [work(chunk) for chunk in chunks]
    >>> check_polite(polite)
    ✘ not yet: others waited for 2 chunks in a row; wanted 1; try: what puts you last in the queue
    """
    plans: list[list[Any]] = [list("ab"), list("abcde"), ["a"], [], list("abaa"), ["a", *FALSY]]
    for chunks in plans:
        work = _Work()
        answer = run_answer(polite, work, chunks)
        told = f"polite(work, {shown(chunks)}): "
        results = [work.result(number, chunk) for number, chunk in enumerate(chunks)]
        seen = f"worked on {shown(work.begun)}"
        expect(work.begun == chunks, seen, f"wanted {shown(chunks)}, each once and in order")
        expect_results(answer.result, results, told, "[work(chunk) for chunk in chunks]")
        most, give = max(work.waited, default=0), "await asyncio.sleep(0)"
        hint = "what puts you last in the queue" if most == len(chunks) else give
        expect(most <= 1, f"others waited for {most} chunks in a row", "wanted 1", hint)
        seconds = _CHUNK * len(chunks)
        took = f"it took {answer.seconds:g} s"
        because = f"the work alone takes {seconds:g} s"
        expect(abs(answer.seconds - seconds) < 1e-6, took, because, give)
    for error in some_errors():
        answer = run_answer(polite, _Work(), ["a", error, "c"], fails=True)
        seen = f"the error of a chunk, {error_text(error)}, did not come out"
        if answer.error is not None:
            seen += f", but {error_text(answer.error)}"
        expect(answer.error is error, seen, hint="no except, and no TaskGroup around work")
        expect_nothing_left(answer)
    expect_to_let_go(polite, _Work(), list("abcdefgh"), grace=3 * _CHUNK)


class _Work:
    """A plain function that notes for how many chunks in a row a call in the queue had to wait."""

    def __init__(self) -> None:
        self.begun: list[Any] = []
        self.waited: list[int] = []
        self._others: list[Any] = []

    def __call__(self, chunk: Any) -> Any:
        self.begun.append(chunk)
        asyncio.get_running_loop().call_soon(self._others.append, chunk)
        busy(_CHUNK)
        self.waited.append(len(self.begun) - len(self._others))
        if isinstance(chunk, Exception):
            raise chunk
        return self.result(len(self.begun) - 1, chunk)

    @staticmethod
    def result(number: int, chunk: Any) -> Any:
        """What comes of a chunk: now and then something that `if` takes for nothing."""
        return FALSY[number % 5] if number % 3 == 2 else f"{chunk!r} done"
