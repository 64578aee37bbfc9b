"""Verdicts on the exercises of notebook 05: *ok*, or *not yet* with a hint."""

from __future__ import annotations

import asyncio
import reprlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from ..load import uneven_seconds
from ..verdict import attempt, expect, judged

__all__ = ["check_label_all", "check_load_per_server", "check_run_all"]


class _LimitSpy:
    """A pretend job that counts how many are inside; what is named in ``bad`` fails."""

    def __init__(self, seed: int, bad: tuple[str, ...] = ()) -> None:
        self.seed, self.bad = seed, bad
        self.inside: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self.ended = self.ahead = 0

    async def job(self, item: str) -> str:
        server = item.partition("/")[0] if "/" in item else ""
        self.asked[item] += 1
        self.inside[server] += 1
        self.most[server] = max(self.most[server], self.inside[server])
        try:
            await asyncio.sleep(self.seconds(item))
        finally:
            self.inside[server] -= 1
            self.ended += 1
        if item in self.bad:
            raise OSError(f"{item} failed, and its error should stand in its place")
        return f"result of {item}"

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

    def expect_each(self, given: Any, items: list[str]) -> None:
        """Expect for each item its result or its error, in order."""
        seen = reprlib.repr(given)
        expect(isinstance(given, list | tuple), f"saw {seen}, not a list of results")
        expect(
            len(given) == len(items),
            f"saw {len(given)} results for {len(items)} items",
            "each item has one, be it an error",
        )
        for item, got in zip(items, given, strict=True):
            fits, do = got == f"result of {item}", "put each result in the place of its item"
            if item in self.bad:
                fits = isinstance(got, OSError) and str(got).startswith(f"{item} ")
                do = "keep the error itself, in the place of its item"
            expect(fits, f"in the place of {item} saw {got!r}", do=do)
            times = self.asked[item]
            expect(times == 1, f"{item} was asked for {times} times", do="ask once for each")


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
    servers = ("red", "blue", "green")
    for limit, n, bad in (2, 6, ()), (3, 10, ("blue/2.csv", "red/3.csv")), (1, 4, ("red/0.csv",)):
        files = [f"{server}/{i}.csv" for i in range(n) for server in servers]
        spy = _LimitSpy(limit, bad)
        run = attempt(load_per_server, limit, files, spy.job)
        for server, most in spy.most.items():
            expect(
                most <= limit,
                f"saw {most} at once from {server}, the limit is {limit}",
                do="one semaphore for each server, which all its files share",
            )
        enough = max(spy.enough([f for f in files if f.startswith(s)], limit) for s in servers)
        expect(
            run.seconds <= enough,
            f"took {run.seconds:.2f} s where {enough:.2f} s are enough",
            f"{limit} at once from each server, and no server waits for another",
        )
        spy.expect_each(run.result, files)
    _LimitSpy(0).expect_each(attempt(load_per_server, 2, [], _LimitSpy(0).job).result, [])


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
    for workers, n, bad in (4, 20, ()), (1, 5, ("item0",)), (3, 30, ("item4", "item9")), (5, 2, ()):
        items, spy = [f"item{i}" for i in range(n)], _LimitSpy(n, bad)
        run = attempt(run_all, workers, spy.job, spy.once_through(items))
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
    for n in 5, 1, 12:
        spy, loads = _LimitSpy(n), Counter[str]()

        async def load_model(name: str = f"model{n}", loads: Counter[str] = loads) -> str:
            loads[name] += 1
            await asyncio.sleep(2)
            return name

        async def infer(model: object, file: str, name: str = f"model{n}", s: Any = spy) -> str:
            if model != name:
                raise ValueError(f"infer was given {model!r}, not the model that was loaded")
            answer: str = await s.job(file)
            return answer

        files = [f"file{i}" for i in range(n)]
        run = attempt(label_all, files, load_model, infer)
        times = loads[f"model{n}"]
        expect(
            times == 1,
            f"the model was loaded {times} times",
            "between `if model is None` and the end of the load, others run too" if times else "",
            "one lock for all, around the question and the load",
        )
        enough = 2 + max(map(spy.seconds, files)) + 1e-6
        expect(
            run.seconds <= enough,
            f"took {run.seconds:.2f} s where {enough:.2f} s are enough",
            "the inferences need not wait for each other",
            "release the lock before you infer",
        )
        spy.expect_each(run.result, files)
