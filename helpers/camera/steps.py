"""A run, step by step: who runs, who is ready, who waits, and on what.

Derived from the lanes of a `Run`, for whoever shows a program in slow motion.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from types import CodeType
from typing import NamedTuple, overload

from .run import Lane, Run, Segment

__all__ = ["Step", "Steps"]


class Step(NamedTuple):
    """The state of every lane while one of them takes a step."""

    time: float
    """Seconds since the start of the run."""
    lane: Lane
    """The one that runs."""
    segment: Segment
    """Its step."""
    next: Segment | None
    """What it does after the step; None if it ends."""
    stops_at: int | None
    """The line where the call that ran stands still after the step, if it does."""
    ready: list[Lane]
    """Those that could run, in the order in which the loop will take them."""
    waiting: list[tuple[Lane, Segment]]
    """Those that wait, in order of their start, and what for."""
    finished: list[Lane]
    """Those that have ended, in order of their end."""
    calls_into: Lane | None
    """The awaited coroutine that its step goes into, at once, as into a plain call."""


class Steps(Sequence[Step]):
    """Every step of a run, in order; each is looked up when it is asked for.

    Examples
    --------
    >>> from helpers import load_data, simulate
    >>> run = simulate(load_data, "dataset1.csv")
    >>> [(m.time, m.lane.name, m.next and m.next.what) for m in Steps(run)]
    [(0.0, "load_data('dataset1.csv')", 'sleep'), (0.65, "load_data('dataset1.csv')", None)]
    """

    def __init__(self, run: Run) -> None:
        self._lanes = [run.root, *run.lanes]
        self._orders = [[segment.order for segment in lane.segments] for lane in self._lanes]
        self._steps = sorted(
            (segment.order, row, at)
            for row, lane in enumerate(self._lanes)
            for at, segment in enumerate(lane.segments)
            if segment.state == "running"
        )

    def __len__(self) -> int:
        return len(self._steps)

    @overload
    def __getitem__(self, index: int) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> list[Step]: ...
    def __getitem__(self, index: int | slice) -> Step | list[Step]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        order, row, number = self._steps[index]
        runs = self._lanes[row]
        step, *later = runs.segments[number:]
        now = step.start
        ready: list[tuple[int, Lane]] = []
        finished: list[tuple[int, Lane]] = []
        waiting: list[tuple[Lane, Segment]] = []
        for other, (lane, begun) in enumerate(zip(self._lanes, self._orders, strict=True)):
            at = bisect.bisect_right(begun, order) - 1
            if at < 0 or other == row:
                continue
            segment = lane.segments[at]
            if segment.state == "running" and at + 1 < len(begun):
                segment = lane.segments[at + 1]  # it has just called the one that runs
            if lane.ending == "lost" and at + 1 == len(begun) and lane.end < now:
                finished.append((segment.order, lane))
            elif segment.state == "ready":
                ready.append((segment.order, lane))
            elif segment.state == "waiting" or lane.ending == "pending":
                waiting.append((lane, segment))
            else:
                finished.append((segment.order, lane))
        return Step(
            now,
            runs,
            step,
            later[0] if later else None,
            _line_after(step, later),
            [lane for _, lane in sorted(ready, key=_first)],
            waiting,
            [lane for _, lane in sorted(finished, key=_first)],
            self._into(index, later),
        )

    def _into(self, index: int, later: Sequence[Segment]) -> Lane | None:
        following = self._steps[index % len(self) + 1 :][:1]
        for order, row, _ in following:
            if later and later[0].state == "waiting" and later[0].order == order + 1:
                return self._lanes[row]
        return None

    def codes(self) -> set[CodeType]:
        """The code of every call that takes a step."""
        return {self._lanes[row].segments[at].code for _, row, at in self._steps}

    @property
    def lane_count(self) -> int:
        """How many lanes there are, the root counted."""
        return len(self._lanes)


def _line_after(step: Segment, later: list[Segment]) -> int | None:
    """Where a call stands still after its step: where it is seen to go on."""
    if not later or later[0].state == "running":
        return None
    found = (s.line for s in later if s.code is step.code and s.state in ("running", "waiting"))
    return next(found, None)


def _first(pair: tuple[int, Lane]) -> int:
    return pair[0]
