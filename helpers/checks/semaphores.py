"""Verdicts on the exercises of notebook 05: *ok*, or *not yet* with a hint."""

from __future__ import annotations

import asyncio
import re
import reprlib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from ..camera.clock import simulate
from ..camera.run import Run
from ..world.load import uneven_seconds
from .verdict import NotYet, attempt, expect, expect_to_let_go, judged

__all__ = ["check_label_all", "check_load_per_server", "check_run_all"]

_TURNS, _PATIENCE = 20_000, 5.0  # of the loop; real seconds


_ELSEWHERE = "bound to a different event loop"
_INSIDE = "make the semaphore or lock inside the function: each run has a loop of its own"


def _shown(got: object) -> str:
    return "a coroutine" if asyncio.iscoroutine(got) else repr(got)


class _LimitSpy:
    """A pretend job that counts how many are inside; what is named in ``bad`` fails."""

    def __init__(self, seed: int, bad: tuple[str, ...] = ()) -> None:
        self.seed, self.bad = seed, bad
        self.inside: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self.ended = self.ahead = 0
        self.asleep = 0
        self.failed: list[Exception] = []
        self.cut: list[asyncio.Task[Any] | None] = []

    async def job(self, item: str) -> str:
        server = item.partition("/")[0] if "/" in item else ""
        self.asked[item] += 1
        self.inside[server] += 1
        self.most[server] = max(self.most[server], self.inside[server])
        try:
            await self.sleep(self.seconds(item))
        except asyncio.CancelledError:
            self.cut.append(asyncio.current_task())
            raise
        finally:
            self.inside[server] -= 1
            self.ended += 1
        if item in self.bad:
            self.failed.append(OSError(f"{item} failed, and its error should stand in its place"))
            raise self.failed[-1]
        return f"result of {item}"

    async def sleep(self, seconds: float) -> None:
        self.asleep += 1
        await asyncio.sleep(seconds)
        self.asleep -= 1

    def seconds(self, item: str) -> float:
        return uneven_seconds(f"{self.seed} {item}", 0.5, 1.5)

    def enough(self, items: list[str], limit: int) -> float:
        """Seconds within which all are done if one starts whenever one of ``limit`` ended."""
        times = [self.seconds(item) for item in items]
        return sum(times) / limit + max(times) + 1e-6

    def once_through(self, items: list[str]) -> Iterator[str]:
        """The items, noting how many were taken before an earlier one had ended."""
        for taken, item in enumerate(items, 1):
            self.ahead = max(self.ahead, taken - self.ended)
            yield item

    def once(self, workers: int, items: list[str]) -> tuple[Any, ...]:
        """What ``run_all`` is called with: the items can be gone through once."""
        return workers, self.job, self.once_through(items)

    def expect_each(self, given: Any, items: list[str]) -> None:
        """Expect for each item its result or its error, in order."""
        seen = reprlib.repr(given)
        expect(isinstance(given, list | tuple), f"saw {seen}, not a list of results")
        for got in filter(asyncio.iscoroutine, given):
            got.close()  # or Python would complain of it later, elsewhere
        twice = len(given) == len(set(items)) < len(items)
        expect(
            len(given) == len(items),
            f"saw {len(given)} results for {len(items)} items",
            "the same item may come twice" if twice else "each item has one, be it an error",
            "number them, with enumerate" if twice else "",
        )
        for item, got in zip(items, given, strict=True):
            fits, do = got == f"result of {item}", "put each result in the place of its item"
            if item in self.bad:
                fits = isinstance(got, OSError) and str(got).startswith(f"{item} ")
                do = "keep the error itself, in the place of its item"
            if asyncio.iscoroutine(got):
                do = "await the call"
            saw = f"in the place of {item} saw {_shown(got)}"
            expect(fits, saw, do=_INSIDE if _ELSEWHERE in saw else do)
            times = self.asked[item]
            saw = f"{item} was asked for {times} times"
            expect(times == items.count(item), saw, do="ask once for each")


def _attempt(function: Callable[..., Any], spy: _LimitSpy, given: Callable[[], Any]) -> Run:
    """Run the learner's function as `attempt` does, with hints that know what the jobs did."""
    try:
        return attempt(function, *given())
    except NotYet as reason:
        saw = str(reason).partition("; try: ")[0]
        if " never ended" in saw and spy.asleep:
            raise NotYet(
                saw.partition("; ")[0],
                "something goes round without pause, so the fast-forward clock cannot go on",
                "await something that wakes you, as a lock does",
            ) from None
        if " deadlocked" in saw and re.search(r"(Semaphore|Lock)\.acquire", saw) and spy.asked:
            raise NotYet(saw, do="`async with`, which gives back on every way out") from None
        if _ELSEWHERE in saw:
            raise NotYet(saw, do=_INSIDE) from None
        if "Group: " not in saw:
            raise
        error = simulate(function, *given(), max_turns=_TURNS, patience=_PATIENCE).error
        inner = error
        while isinstance(inner, BaseExceptionGroup):
            inner = inner.exceptions[0]
        raise NotYet(
            f"{function.__name__} raised {type(error).__name__}: {type(inner).__name__}: {inner}",
            "in a TaskGroup one failure ends all" if "in a TaskGroup (" in str(error) else "",
            "catch the error right where you await it" if inner in spy.failed else "",
        ) from None


def _expect_to_let_go(function: Callable[..., Any], spy: _LimitSpy, *args: Any) -> None:
    """Cancel the function before any job has ended: no job may take it for its result."""
    expect_to_let_go(function, *args)
    expect(
        all(task and task.cancelled() for task in spy.cut),
        f"{function.__name__} was cancelled, but a task of it ended as if it were not",
        "it swallows the CancelledError",
        "except Exception, not BaseException",
    )


@judged
def check_load_per_server(load_per_server: Callable[..., Any]) -> None:
    """Judge a load of all files with a limit on how many at once from each server.

    Parameters
    ----------
    load_per_server
        Called as ``load_per_server(limit, files, load)``, with files such as ``"red/3.csv"``.

    Examples
    --------
    >>> async def all_at_once(limit, files, load):
    ...     return await asyncio.gather(*(load(file) for file in files))
    >>> print(check_load_per_server(all_at_once).hint.partition(";")[0])
    saw 6 at once from red, the limit is 2
    """
    for limit, n, servers, bad in (
        (2, 6, ["red", "rose", "blue"], ()),
        (3, 10, ["blue", "green", "red"], ("blue/2.csv", "red/3.csv")),
        (1, 4, ["red", "a", "b", "c"], ("red/0.csv",)),
    ):
        files = [f"{server}/{i}.csv" for i in range(n) for server in servers]
        spy = _LimitSpy(limit, bad)
        run = _attempt(load_per_server, spy, partial(tuple, (limit, files, spy.job)))
        for server, most in spy.most.items():
            expect(
                most <= limit,
                f"saw {most} at once from {server}, the limit is {limit}",
                do="one semaphore for each server, which all its files share",
            )
        enough = max(
            spy.enough([f for f in files if f.startswith(f"{server}/")], limit)
            for server in servers
        )
        expect(
            run.seconds <= enough,
            f"took {run.seconds:.2f} s where {enough:.2f} s are enough",
            f"{limit} at once from each server, and no server waits for another",
        )
        spy.expect_each(run.result, files)
    _LimitSpy(0).expect_each(attempt(load_per_server, 2, [], _LimitSpy(0).job).result, [])
    spy = _LimitSpy(9)
    _expect_to_let_go(load_per_server, spy, 2, [f"red/{i}.csv" for i in range(6)], spy.job)


@judged
def check_run_all(run_all: Callable[..., Any]) -> None:
    """Judge workers that share one iterator and keep results and errors in order.

    Parameters
    ----------
    run_all
        Called as ``run_all(workers, function, items)``; the items can be gone through once.

    Examples
    --------
    >>> async def a_task_for_each(workers, function, items):
    ...     return await asyncio.gather(*map(function, items))
    >>> print(check_run_all(a_task_for_each).hint.partition(";")[0])
    saw 20 tasks at once, for 4 workers
    """
    for workers, n, bad in (
        (4, 20, ()),
        (1, 5, ("item0",)),
        (3, 30, ("item4", "item9")),
        (5, 2, ()),
        (2, 4, ()),  # of which the last is the first again
    ):
        items, spy = [f"item{i % 3 if n == 4 else i}" for i in range(n)], _LimitSpy(n, bad)
        run = _attempt(run_all, spy, partial(spy.once, workers, items))
        expect(
            max(run.max_in_flight - 1, *spy.most.values(), 0) <= workers,  # one may hand out
            f"saw {run.max_in_flight} tasks at once, for {workers} workers",
            do="start the workers only, and let each take item after item",
        )
        expect(
            spy.ahead <= 2 * workers + 1,
            f"saw {spy.ahead} items taken of which none had ended, for {workers} workers",
            "the items may be endless",
            "for item in todo, with one iterator for all workers",
        )
        enough = spy.enough(items, workers)
        expect(
            run.seconds <= enough,
            f"took {run.seconds:.2f} s where {enough:.2f} s are enough for {workers} workers",
            do="see that all of them work",
        )
        spy.expect_each(run.result, items)
    _LimitSpy(0).expect_each(attempt(run_all, 2, _LimitSpy(0).job, iter([])).result, [])
    spy = _LimitSpy(9)
    _expect_to_let_go(run_all, spy, 2, spy.job, iter([f"item{i}" for i in range(6)]))


@judged
def check_label_all(label_all: Callable[..., Any]) -> None:
    """Judge coroutines that share one model, loaded when the first of them needs it.

    Parameters
    ----------
    label_all
        Called as ``label_all(files, load_model, infer)``.

    Examples
    --------
    >>> async def a_model_for_each(files, load_model, infer):
    ...     return [await infer(await load_model(), file) for file in files]
    >>> print(check_label_all(a_model_for_each).hint.partition(";")[0])
    the model was loaded 5 times
    """
    for n in 5, 1, 12, 0:
        spy, loads = _LimitSpy(n), Counter[str]()

        async def load_model(
            name: str = f"model{n}", loads: Counter[str] = loads, s: Any = spy
        ) -> str:
            loads[name] += 1
            await s.sleep(2)
            return name

        async def infer(model: object, file: str, name: str = f"model{n}", s: Any = spy) -> str:
            if asyncio.iscoroutine(model):
                model.close()
                raise ValueError("infer was given a coroutine, not a model; await load_model()")
            if model != name:
                raise ValueError(f"infer was given {model!r}, not the model that was loaded")
            answer: str = await s.job(file)
            return answer

        files = [f"file{i}" for i in range(n)]
        try:
            run = _attempt(label_all, spy, partial(tuple, (files, load_model, infer)))
        finally:  # of all that may be wrong, this comes first
            first = "load it when the first file needs it"
            expect(n or not loads, "the model was loaded, though there is no file", do=first)
        times = loads[f"model{n}"]
        expect(
            times or not n, "the model was never loaded", do="await load_model() before you infer"
        )
        expect(
            times <= 1,
            f"the model was loaded {times} times",
            "between `if model is None` and the end of the load, others run too",
            "one lock for all, around the question and the load",
        )
        enough = 2 + max(map(spy.seconds, files), default=0) + 1e-6
        apart = spy.most[""] < n
        expect(
            run.seconds <= enough,
            f"took {run.seconds:.2f} s where {enough:.2f} s are enough",
            "the inferences wait for each other" if apart else "",
            "do not hold anything while you infer, and `gather` the files"
            if apart
            else "infer as soon as the model is there",
        )
        spy.expect_each(run.result, files)
