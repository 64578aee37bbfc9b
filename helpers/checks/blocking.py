"""The verdict on the exercise of notebook 07: does a function wait, or does it compute?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from .answers import run_plain
from .verdict import check, expect, raised
from .words import name_of, shown

__all__ = ["check_io_bound"]


class _Unknown(NamedTuple):
    """A function of which nobody tells what it does: parts of waiting and of computing."""

    waits: float
    computes: float
    times: int = 1
    """How often it does both."""
    threads: int = 1
    """How many compute together: the processor clock counts each of them."""

    @property
    def wall(self) -> float:
        return self.times * (self.waits + self.computes)

    @property
    def processor(self) -> float:
        return self.times * self.computes * self.threads

    @property
    def io_bound(self) -> bool:
        return self.times * self.waits > self.wall / 2


def _unknown() -> Iterator[_Unknown]:
    four = (
        _Unknown(waits=0.8, computes=0.001),
        _Unknown(waits=0.0, computes=0.8),
        _Unknown(waits=0.01, computes=0.002, times=100),
        _Unknown(waits=0.3, computes=0.9),
    )
    yield from four
    for scale in 0.02, 30.0:  # a limit in seconds fails for one of them
        for one in four:
            yield one._replace(waits=one.waits * scale, computes=one.computes * scale)
    yield _Unknown(waits=0.0, computes=0.5, threads=8)
    yield _Unknown(waits=0.6, computes=0.4)
    yield _Unknown(waits=0.5, computes=0.5)  # half is not more than half
    yield _Unknown(waits=0.4, computes=0.6)


class _Clocks:
    """Two clocks that an unknown function drives; neither begins at zero."""

    def __init__(self) -> None:
        self.now = {"wall": 5810.25, "processor": 41.5}
        self.asked = {"wall": 0, "processor": 0}
        self.calls = 0

    def wall(self) -> float:
        return self._read("wall")

    def processor(self) -> float:
        return self._read("processor")

    def _read(self, name: str) -> float:
        self.asked[name] += 1
        return self.now[name]

    def function(self, unknown: _Unknown) -> Callable[[], None]:
        """Make the function: called, it moves both clocks, in no time."""

        def unknown_function() -> None:
            self.calls += 1
            self.now["wall"] += unknown.wall
            self.now["processor"] += unknown.processor

        return unknown_function


@check
def check_io_bound(io_bound: Callable[..., Any]) -> None:
    """Judge ``io_bound(function, wall, processor)``: whether the function mostly waits.

    Parameters
    ----------
    io_bound
        A plain function that returns True or False.

    Examples
    --------
    >>> def io_bound(function, wall, processor):
    ...     start = wall()
    ...     function()
    ...     return wall() - start > 0.1
    >>> check_io_bound(io_bound)
    ✘ not yet: unknown function 2 took 0.8 s of wall and 0.8 s of processor, io_bound said True; it waited for 0 s; try: read both clocks before and after the call
    """  # noqa: E501
    name = name_of(io_bound)
    for number, unknown in enumerate(_unknown(), 1):
        clocks = _Clocks()
        function = clocks.function(unknown)
        answer = run_plain(io_bound, function, clocks.wall, clocks.processor)
        if answer.error is not None:
            raise raised(f"{name} raised", answer.error)
        seen = f"{name} called the function {clocks.calls} times"
        hint = "function(), once, between two readings"
        expect(clocks.calls == 1, seen, "what it does may cost, or must not be done twice", hint)
        _expect_verdict(name, number, unknown, answer.result, clocks)


def _expect_verdict(name: str, number: int, unknown: _Unknown, said: Any, clocks: _Clocks) -> None:
    took = f"{unknown.wall:g} s of wall and {unknown.processor:g} s of processor"
    seen = f"unknown function {number} took {took}, {name} said {shown(said)}"
    expect(isinstance(said, bool), seen, hint="return True or False")
    few = min(clocks.asked.values()) < 2
    compare = "compare the two differences: more than half of the wall seconds is waiting"
    hint = "read both clocks before and after the call" if few else compare
    because = f"it waited for {unknown.times * unknown.waits:g} s"
    expect(said == unknown.io_bound, seen, because, hint)
