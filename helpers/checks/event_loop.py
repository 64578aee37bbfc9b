"""Verdicts on the exercises of notebook 02: a loop of one's own, timers, holding the loop."""

from __future__ import annotations

import asyncio
import functools
import inspect
import itertools
import reprlib
from collections.abc import Callable, Coroutine, Generator
from typing import Any

from ..camera.clock import RealIO, busy
from ..camera.run import Run
from .verdict import NotYet, attempt, expect, judged

__all__ = ["check_every", "check_loop", "check_polite"]

_WORK = 0.5  # seconds that a chunk of work takes


@judged
def check_loop(run_all: Callable[..., Any]) -> None:
    """Judge ``run_all(*coroutines, clock, wait)``: a loop that keeps an error as a result.

    Examples
    --------
    >>> def run_all(*coroutines, clock, wait):
    ...     return []
    >>> check_loop(run_all)
    not yet: coroutines that end with ['a', 'b', 'c']: run_all gave []; wanted a list of 3
    """
    lost, wrong, stop = ConnectionError("lost"), ValueError("wrong"), KeyboardInterrupt()
    plans: list[dict[Any, float]] = [
        {"a": 0.3, "b": 0.1, "c": 0.2},
        {"a": 3600.0, lost: 0.1, "c": 0.2},
        {wrong: 0.0, "b": 0.2, "c": 0.2, lost: 0.2},
        {},
        {"a": 0.2, stop: 0.1},
    ]
    for plan, pauses in itertools.product(plans, (3, 4)):  # what is reversed twice is in order
        time, ends = _Clock(), list[Any]()
        jobs = [_job(takes, pauses, item, time, ends) for item, takes in plan.items()]
        answer = _loop(run_all, jobs, time)
        told = f"coroutines that end with {list(plan)}: "
        if stop in plan:
            out = answer is KeyboardInterrupt
            expect(out, told + "run_all went on", "that is ■", "except Exception as error")
            return
        saw = f"{told}run_all gave {reprlib.repr(answer)}"
        fits = isinstance(answer, list) and len(answer) == len(plan)
        expect(fits, saw, f"wanted a list of {len(plan)}")
        due = sorted(((when, item) for item, when in plan.items()), key=lambda pair: pair[0])
        do = "a timer heap"
        if [when for when, _ in ends] == [when for when, _ in due]:  # only ties are wrong
            do = "first come, first served: popleft, and a running number in the heap"
        expect(ends == due, f"{told}they ended at {ends}", f"wanted {due}", do)
        stops = any(isinstance(item, StopIteration) for item in answer)
        expect(not stops, saw, "StopIteration is an Exception too", "catch it first")
        same = all(a is b for a, b in zip(answer, plan, strict=True))
        mixed = {id(item) for item in answer} == {id(item) for item in plan}
        do = "the order of the arguments" if mixed else "results[coroutine] = error"
        expect(same, saw, f"wanted {list(plan)}", do)


@judged
def check_every(every: Callable[..., Any]) -> None:
    """Judge ``every(seconds, times, call)``: it calls by the clock, however long a call takes.

    Examples
    --------
    >>> async def every(seconds, times, call):
    ...     loop = asyncio.get_running_loop()
    ...     begin = loop.time()
    ...     for number in range(times):
    ...         await asyncio.sleep(begin + number * seconds - loop.time())
    ...         call()
    >>> check_every(every)
    ok
    """
    error = ValueError("call failed")
    plans: list[tuple[float, float, list[Any]]] = [
        (0.0, 1.0, [0.3, 0.3, 0.3]),
        (0.7, 1.0, [0.0, 0.0, 0.0, 0.0]),
        (0.0, 0.5, [0.0, 0.4, 0.1]),
        (0.0, 2.0, []),
        (0.0, 1.0, [0.0, error, 0.0]),
    ]
    for begin, seconds, holds in plans:
        calls: list[float] = []
        call = _holder(holds, calls)
        told = f"every({seconds:g}, {len(holds)}, call), where "
        if error in holds:
            told += "the 2nd call raises ValueError:"
            try:
                run = attempt(every, seconds, len(holds), call, fails=True)
            except NotYet as reason:
                raise NotYet(f"{told} {reason}") from None
            raised = f"raised {run.error!r}" if run.error else "raised nothing"
            do = "call in every itself, with no except"
            expect(run.error is error, f"{told} every {raised}", "wanted that ValueError", do)
            expect(len(calls) == 2, f"{told} it was called {len(calls)} times", "wanted 2")
            break
        told += f"calls take {holds} s{f', begun at {begin:g} s' if begin else ''}:"
        run = _begun_at(begin, every, seconds, len(holds), call)
        due = [begin + number * seconds for number in range(len(holds))]
        saw = [round(when, 6) for when in calls]
        do = "asyncio.get_running_loop().time() says what time it is"
        if len(saw) != len(due):
            do = f"call() {len(due)} times"
        elif begin:
            do = "note the loop's time at the start"
        expect(saw == due, f"{told} called at {saw}", f"wanted {due}", do)
        held = run.held < sum(holds) + 1e-6
        expect(held, f"{told} it held the loop {run.held:g} s", do="await asyncio.sleep(...)")
        end = due[-1] + holds[-1] if due else begin
        took = abs(run.seconds - end) < 1e-6
        wanted, do = f"wanted {end - begin:g} s", "end with the last call"
        expect(took, f"{told} it took {run.seconds - begin:g} s", wanted, do)

    @functools.wraps(every)
    async def beside(*args: Any) -> Any:
        asyncio.get_running_loop().call_later(0.9, busy, 0.4)
        return await every(*args)

    calls = []
    attempt(beside, 1.0, 4, _holder([0.0] * 4, calls))
    saw, due = [round(when, 6) for when in calls], [0.0, 1.3, 2.0, 3.0]
    told = "every(1, 4, call), where somebody else holds the loop from 0.9 to 1.3 s:"
    do = "note the time once, at the start, and count from there"
    expect(saw == due, f"{told} called at {saw}", f"wanted {due}", do)


@judged
def check_polite(polite: Callable[..., Any]) -> None:
    """Judge ``polite(work, chunks)``: others get a turn between one chunk of work and the next.

    Examples
    --------
    >>> async def polite(work, chunks):
    ...     return [work(chunk) for chunk in chunks]
    >>> check_polite(polite)
    not yet: others waited for 2 chunks on end; wanted 1; try: what puts you at the end of the line
    """
    bad = ValueError("bad chunk")
    plans: list[list[Any]] = [["a", "b"], ["a", "b", "c", "d", "e"], ["a"], [], ["a", bad, "c"]]
    for chunks in plans:
        begun: list[Any] = []
        longest: list[int] = [0]
        run = attempt(polite, _worker(begun, longest), chunks, fails=True)
        if isinstance(run.error, RealIO):
            do = "slices, here, on this thread"
            raise NotYet("it used a thread or a process", "that would do in life", do)
        if bad in chunks:
            expect(run.error is bad, "the error of a chunk did not come out", do="no except")
            return
        error = run.error
        expect(error is None, f"polite raised {type(error).__name__}: {error}")
        wanted = [chunk.upper() for chunk in chunks]
        saw = f"polite(work, {chunks}) gave {reprlib.repr(run.result)}"
        expect(run.result == wanted, saw, f"wanted {wanted}", "[work(chunk) for chunk in chunks]")
        expect(begun == chunks, f"worked on {begun}", f"wanted {chunks}, each once and in order")
        most, give = max(longest), "await asyncio.sleep(0)"
        do = "what puts you at the end of the line" if most == len(chunks) else give
        expect(most <= 1, f"others waited for {most} chunks on end", "wanted 1", do)
        work = _WORK * len(chunks)
        took, work_only = f"it took {run.seconds:g} s", f"the work alone takes {work:g} s"
        expect(abs(run.seconds - work) < 1e-6, took, work_only, give)


class _Clock:
    """A clock that is moved by waiting."""

    now = 0.0
    waits = 0

    def time(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.waits += 1


class _Sleep:
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __await__(self) -> Generator[float, None, None]:
        yield self.seconds


async def _job(seconds: float, pauses: int, outcome: Any, clock: _Clock, ends: list[Any]) -> Any:
    for _ in range(pauses):
        await _Sleep(seconds / pauses)
    ends.append((round(clock.now, 6), outcome))
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


def _loop(run_all: Any, jobs: list[Coroutine[Any, Any, Any]], clock: _Clock) -> Any:
    """What the learner's loop gives back, or KeyboardInterrupt if one came out of it."""

    async def program() -> Any:
        try:
            return run_all(*jobs, clock=clock.time, wait=clock.wait)
        except KeyboardInterrupt:
            return KeyboardInterrupt

    name = program.__name__ = getattr(run_all, "__name__", "run_all")
    try:
        run = attempt(program, fails=True)
    except NotYet as reason:
        if "never ended" not in str(reason) or clock.waits:
            raise
        why = "nobody called wait, so the clock stood still"
        raise NotYet(f"{name} never ended", why, "wait(...) if nobody is ready") from None
    finally:
        for job in jobs:
            job.close()
    if run.error is not None:
        own = str(run.error) in ("lost", "wrong")
        why = "that is the error to keep as a result" if own else ""
        raise NotYet(f"{name} raised {type(run.error).__name__}: {run.error}", why)
    if inspect.iscoroutine(run.result):
        run.result.close()
        raise NotYet(f"{name} is a coroutine function", "a loop runs them, who runs it?", "def")
    why = "only wait(...) may pass the time"
    expect(not run.seconds, f"{name} slept for {run.seconds:g} s", why, "wait, not time.sleep")
    return run.result


def _begun_at(begin: float, every: Any, seconds: float, times: int, call: Any) -> Run:
    """Run the learner's function, with `begin` on the loop's clock when it begins."""
    if not begin:
        return attempt(every, seconds, times, call)

    @functools.wraps(every)
    async def later(*args: Any) -> Any:
        await asyncio.sleep(begin)
        return await every(*args)

    return attempt(later, seconds, times, call)


def _holder(holds: list[Any], calls: list[float]) -> Callable[[], None]:
    """Make a call that notes when it was made, and then holds the loop or fails."""

    def call() -> None:
        loop = asyncio.get_running_loop()
        calls.append(loop.time())
        hold = holds[len(calls) - 1] if len(calls) <= len(holds) else 0.0
        if isinstance(hold, Exception):
            loop.set_exception_handler(lambda loop, context: None)  # the verdict says it
            raise hold
        busy(hold)

    return call


def _worker(begun: list[Any], longest: list[int]) -> Callable[[Any], Any]:
    """Make a work that notes for how many chunks on end a call that is in line had to wait."""
    others: list[Any] = []

    def work(chunk: Any) -> Any:
        begun.append(chunk)
        asyncio.get_running_loop().call_soon(others.append, chunk)
        busy(_WORK)
        longest.append(len(begun) - len(others))
        if isinstance(chunk, Exception):
            raise chunk
        return chunk.upper()

    return work
