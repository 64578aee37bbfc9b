"""Measure pieces of work by turns, and compare two of them.

Only ratios within one run are told: seconds differ from machine to machine. The work takes turns,
round by round, so that whatever else the machine is doing meets each of them alike.
"""

import gc
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

ROUNDS = 7
Timings = dict[str, list[float]]


def by_turns(
    rounds: int, *, clock: Callable[[], float] = time.process_time, **works: Callable[[], Any]
) -> Timings:
    """Seconds of processor time that each work took in each round; an extra first one is dropped.

    All works compute, in this process alone (all its threads count), so its processor time is
    what they take; it leaves out what other processes take meanwhile. Another `clock` is for works
    that also wait.
    """
    timings: Timings = {name: [] for name in works}
    for _ in range(rounds + 1):
        for name, work in works.items():
            gc.collect()
            start = clock()
            kept = work()
            timings[name].append(clock() - start)
            del kept
    return {name: seconds[1:] for name, seconds in timings.items()}


class Row(NamedTuple):
    """One line of the table; what has no number is None."""

    what: str
    ours: str
    beside: str
    other: str
    ratio: float | None = None
    best: float | None = None
    goal: float | None = None

    @property
    def met(self) -> bool:
        return self.goal is None or (self.ratio is not None and self.ratio <= self.goal)


def compared(
    timings: Timings, ours: str, other: str, what: str, beside: str, goal: float | None = None
) -> Row:
    """Compare two works: the median of their ratios in each round, and best beside best."""
    a, b = timings[ours], timings[other]
    ratio = statistics.median(x / y for x, y in zip(a, b, strict=True))
    return Row(what, _ms(a), beside, _ms(b), ratio, min(a) / min(b), goal)


def _ms(seconds: list[float]) -> str:
    return f"{statistics.median(seconds) * 1000:,.0f} ms"
