"""What checks hand to an answer: jobs that count how they are called, and values of all kinds."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Any

from .verdict import expect
from .words import is_same, shown

__all__ = ["FALSY", "BrokenFile", "Call", "ServerBusy", "Spy", "some_errors"]

FALSY: tuple[Any, ...] = ("", 0, None, False, [])
"""Results as good as any other."""


class BrokenFile(Exception):
    """A kind of error that nobody but the checks knows."""


class ServerBusy(ConnectionError):
    """A kind of `OSError` that nobody but the checks knows."""


def some_errors() -> list[Exception]:
    """Make errors of several kinds, with little in common."""
    return [
        ConnectionError("gone"),
        ValueError("not a number"),
        BrokenFile("half of it"),
        KeyError("label"),
        RuntimeError("no memory"),
        ServerBusy("503"),
        TimeoutError("the server gave up"),
    ]


@dataclass
class Call:
    """A call of a job."""

    item: Any
    began: float
    task: asyncio.Task[Any] | None
    ended: float | None = None


class Spy:
    """Counts the calls of a job, which takes its time and ends as it is told.

    Examples
    --------
    >>> from .answers import run_answer
    >>> spy = Spy()
    >>> async def both():
    ...     await asyncio.gather(spy.act("a", 1.0, "data"), spy.act("b", 2.0, None))
    >>> _ = run_answer(both)
    >>> [(call.item, call.began, call.ended) for call in spy.calls], spy.most[""]
    ([('a', 0.0, 1.0), ('b', 0.0, 2.0)], 2)
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.most: Counter[str] = Counter()
        """The most that were inside at one time, by group."""
        self.cut: list[asyncio.Task[Any] | None] = []
        """Whose call was cancelled."""
        self._inside: Counter[str] = Counter()

    async def act(self, item: Any, seconds: float, outcome: Any, group: str = "") -> Any:
        """Wait, then return the outcome, or raise it if it is an error."""
        now = asyncio.get_running_loop().time
        call = Call(item, now(), asyncio.current_task())
        self.calls.append(call)
        self._inside[group] += 1
        self.most[group] = max(self.most[group], self._inside[group])
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.cut.append(call.task)
            raise
        finally:
            self._inside[group] -= 1
            call.ended = now()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    @property
    def began(self) -> list[float]:
        """When each call began."""
        return [call.began for call in self.calls]

    @property
    def ended(self) -> int:
        """How many calls have ended."""
        return sum(call.ended is not None for call in self.calls)

    def expect_each_once(self, items: list[Any], what: str, hint: str = "") -> None:
        """Expect a call for each item; for an item that is there twice, two."""
        for item in items:
            times = sum(is_same(call.item, item) for call in self.calls)
            wanted = sum(is_same(other, item) for other in items)
            seen = f"{what} was called {times} time{'s' * (times != 1)} for {shown(item)}"
            expect(times == wanted, seen, f"wanted {wanted}", hint)
