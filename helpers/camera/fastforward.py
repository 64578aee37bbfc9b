"""The fast-forward loop: its clock jumps to the next timer instead of waiting for it."""

from __future__ import annotations

import asyncio
import itertools
import math
import selectors
import sys
from typing import Any

from .outside import NoOutside

__all__ = ["Deadlock", "FastForwardLoop", "JumpingSelector", "OrderedDeadline", "Runaway"]


class Deadlock(RuntimeError):
    """Every coroutine waits for another, and no timer is set: nothing can ever go on."""


class Runaway(RuntimeError):
    """The program has not ended within the turns or the real seconds that it was given."""


class FastForwardLoop(NoOutside):
    """An event loop whose clock jumps to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.turns = 0
        self.last_turn_with_time = 0
        self.max_turns = sys.maxsize
        self.timer_numbers = itertools.count()
        super().__init__(JumpingSelector(self))

    def time(self) -> float:
        """Seconds since the loop was made, as far as it was fast-forwarded."""
        return self.now

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        """Set a timer, and number it."""
        due = OrderedDeadline(when)
        due.number = next(self.timer_numbers)
        return super().call_at(due, callback, *args, context=context)


class OrderedDeadline(float):
    """When a timer is due: of two for the same moment, the one that was set first comes first."""

    number: int

    def __lt__(self, other: Any) -> bool:
        return float(self) < float(other) or (self == other and self.number < other.number)


class JumpingSelector(selectors.DefaultSelector):
    """Where a loop sleeps until something happens: here it adds the time instead."""

    def __init__(self, loop: FastForwardLoop) -> None:
        super().__init__()
        self.loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        loop: Any = self.loop
        if loop.refusal is not None:
            raise loop.refusal
        if timeout is None:
            raise Deadlock
        if timeout or not (loop._ready or loop._stopping):  # none passes while anybody is ready
            due = float(loop._scheduled[0].when()) if loop._scheduled else loop.now
            if due == math.inf:
                raise Deadlock
            # Some must pass for each timer, or a program that sets one after the other never ends.
            loop.now = max(due, math.nextafter(loop.now, math.inf))
            loop.last_turn_with_time = loop.turns
        loop.turns += 1
        if loop.turns > loop.max_turns:
            raise Runaway
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        if self.get_map():  # the first is the loop's own
            raise self.loop.refuse("uses a socket or a pipe") from None
        return super().register(fileobj, events, data)
