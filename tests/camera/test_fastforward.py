"""The fast-forward loop by itself: its clock jumps, and its timers keep their order."""

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from helpers.camera.fastforward import (
    Deadlock,
    FastForwardLoop,
    JumpingSelector,
    OrderedDeadline,
    Runaway,
)
from helpers.camera.outside import RealIO


def run(main: Callable[[], Coroutine[Any, Any, Any]], max_turns: int = 1_000) -> Any:
    """Run it on a loop, which then has as many turns again to cancel what is left."""
    with asyncio.Runner(loop_factory=FastForwardLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, FastForwardLoop)
        loop.max_turns = max_turns
        try:
            return runner.run(main())
        finally:
            loop.max_turns += max_turns
            loop.refuse_no_more()


def test_a_day_passes() -> None:
    """And a nap within it, at the exact moment."""

    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        times = [loop.time()]
        for seconds in (0.1, 86_400 - 0.1):
            await asyncio.sleep(seconds)
            times.append(loop.time())
        return times

    assert run(main) == [0.0, 0.1, 86_400.0]


def test_of_one_moment_the_first_to_be_set_comes_first() -> None:
    """Also of many, whatever else the heap holds."""
    order: list[int] = []

    async def nap(number: int) -> None:
        await asyncio.sleep(1 + number % 3)
        order.append(number)

    async def main() -> None:
        await asyncio.gather(*map(nap, range(99)))

    run(main)
    assert order == sorted(range(99), key=lambda number: number % 3)
    early, late = OrderedDeadline(1.0), OrderedDeadline(1.0)
    early.number, late.number = 1, 2
    assert early < late and not late < early and OrderedDeadline(0.5) < early


def test_it_stands_still_where_nobody_can_go_on() -> None:
    """And after so many turns; in both cases it says so at once."""

    async def stuck() -> None:
        await asyncio.Event().wait()

    async def spins() -> None:
        while True:  # noqa: ASYNC110
            await asyncio.sleep(0)

    with pytest.raises(Deadlock):
        run(stuck)
    with pytest.raises(Runaway):
        run(spins, 10)


def test_a_refusal_ends_it_at_the_next_turn() -> None:
    """Also where the program has caught it."""

    async def main() -> None:
        loop: Any = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(None, print)
        except RealIO:
            pass
        while True:  # noqa: ASYNC110
            await asyncio.sleep(1)

    with pytest.raises(RealIO):
        run(main)


def test_it_can_be_read_aloud() -> None:
    """Notebook 02 shows each part of it: on one screen."""
    for part in (FastForwardLoop, OrderedDeadline, JumpingSelector):
        assert len(inspect.getsource(part).splitlines()) < 35


def test_timers_that_are_overdue_come_in_the_order_of_their_times() -> None:
    """And each says when it was due, as it was asked to be."""
    order: list[int] = []

    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(10)
        handles = [loop.call_at(10 - n, order.append, n) for n in (1, 5, 3)]
        await asyncio.sleep(0.1)
        return [handle.when() for handle in handles]

    assert run(main) == [9, 5, 7]
    assert order == [5, 3, 1]


@pytest.mark.parametrize("seconds", [1e6, 1e12, 1e300])
def test_a_long_sleep_is_one_jump(seconds: float) -> None:
    """However long."""

    async def main() -> float:
        await asyncio.sleep(seconds)
        return asyncio.get_running_loop().time()

    assert run(main, 20) == pytest.approx(seconds)


def test_a_timer_that_is_never_due_is_none() -> None:
    """Who waits for nothing else waits for ever."""

    async def main() -> None:
        async with asyncio.timeout(float("inf")):
            await asyncio.Event().wait()

    with pytest.raises(Deadlock):
        run(main)
