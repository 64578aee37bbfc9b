"""Wherever a simulated program looks at a clock, it sees the run's own time, to the digit."""

import asyncio
import datetime
import os
import threading
import time
from collections.abc import Callable
from types import MethodDescriptorType
from typing import Any

import pytest

from helpers.camera.clock import busy, simulate
from helpers.camera.watches import running_simulation

CLOCKS: list[Callable[[], float]] = [
    lambda: time.monotonic(),
    lambda: time.perf_counter(),
    lambda: time.time(),
    lambda: time.monotonic_ns() / 1e9,
    lambda: time.perf_counter_ns() / 1e9,
    lambda: time.time_ns() / 1e9,
    lambda: datetime.datetime.now().timestamp(),
    lambda: datetime.datetime.now(datetime.UTC).timestamp(),
    lambda: os.times().elapsed,
    lambda: asyncio.get_running_loop().time(),
]


@pytest.mark.parametrize("clock", CLOCKS)
def test_each_clock_agrees_with_the_run(clock: Callable[[], float]) -> None:
    """After a sleep, while the loop is held, and by `time.sleep`."""

    async def main() -> list[float]:
        times = [clock()]
        for wait in (asyncio.sleep, busy, time.sleep):
            if (waited := wait(0.25)) is not None:
                await waited
            times.append(clock())
        return [later - times[0] for later in times]

    run = simulate(main)
    assert run.result == pytest.approx([0, 0.25, 0.5, 0.75], abs=1e-6)
    assert run.seconds == 0.75


def test_a_lock_s_timeout_passes_on_the_run_s_clock() -> None:
    """It holds the loop, as in life; a free lock is taken in no time."""

    async def main() -> list[Any]:
        lock = threading.Lock()
        taken = [lock.acquire(timeout=2), lock.acquire(timeout=2.5), lock.acquire(False)]
        lock.release()
        return [*taken, lock.acquire(True, 3), lock.locked()]

    run = simulate(main)
    assert run.result == [True, False, False, True, True]
    assert run.seconds == run.held == 2.5
    assert type(vars(type(threading.Lock()))["acquire"]) is MethodDescriptorType  # as before


def test_those_that_count_from_the_start_are_one_clock() -> None:
    """As `loop.time` and `time.monotonic` are in life."""

    async def main() -> tuple[float, ...]:
        await asyncio.sleep(1.5)
        return time.monotonic(), time.perf_counter(), asyncio.get_running_loop().time()

    assert simulate(main).result == (1.5, 1.5, 1.5)


def test_the_date_is_today_s_and_goes_on() -> None:
    """What is written of the present moment without naming it is the run's, too."""

    async def main() -> list[Any]:
        seen = []
        for _ in range(2):
            written = time.strftime("%Y-%m-%d %H:%M:%S")
            local = time.localtime()
            asked = [time.mktime(local), time.mktime(time.strptime(time.ctime()))]
            asked += [time.mktime(time.strptime(written, "%Y-%m-%d %H:%M:%S")), int(time.time())]
            assert len({*asked, int(datetime.datetime.today().timestamp())}) == 1
            assert time.asctime() == time.asctime(local)
            assert abs(time.mktime(time.gmtime()) - asked[0]) <= 26 * 3600
            assert datetime.datetime.fromtimestamp(asked[0]).date() == datetime.date.today()
            seen.append(asked[0])
            await asyncio.sleep(3600)
        return seen

    before = time.time()
    first, second = simulate(main).result
    assert second - first == 3600
    assert before - 2 < first <= time.time()


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("how", ["holds", "lets others go", "sleeps"])
def test_a_poll_ends(clock: Callable[[], float], how: str) -> None:
    """A program may ask for the time until some has passed: within a hundredth it is right."""

    async def main() -> None:
        end = clock() + 0.5
        while clock() < end:
            if how == "lets others go":
                await asyncio.sleep(0)
            elif how == "sleeps":
                await asyncio.sleep(0.1)

    if how == "lets others go" and clock is CLOCKS[-1]:
        pytest.skip("what asks the loop once a turn cannot be told from asyncio itself")
    run = simulate(main)
    assert run.error is None
    assert run.seconds == pytest.approx(0.5, abs=0.01)
    assert (run.held > 0.4) is (how != "sleeps")  # a loop that never waits is held


def test_looks_cost_nothing_where_nobody_polls() -> None:
    """Not even 20,000 of them in one moment, of which no task makes many."""

    async def job() -> float:
        began = time.perf_counter()
        await asyncio.sleep(1)
        return time.perf_counter() - began

    async def main() -> Any:
        return await asyncio.gather(*(job() for _ in range(10_000)))

    run = simulate(main)
    assert set(run.result) == {1.0}
    assert run.seconds == 1.0


def test_other_threads_see_their_own_time() -> None:
    """So does this one, before and after."""
    assert running_simulation() is None
    began = time.monotonic()
    simulate(asyncio.sleep, 10**6)
    assert time.monotonic() - began < 100


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), "1", None])
def test_a_sleep_that_python_refuses(seconds: Any) -> None:
    """Is refused in the same words."""

    async def main() -> None:
        time.sleep(seconds)  # noqa: ASYNC251

    with pytest.raises((ValueError, OverflowError, TypeError)) as plain:
        time.sleep(seconds)
    assert repr(simulate(main).error) == repr(plain.value)


@pytest.mark.skipif(not hasattr(time, "clock_gettime"), reason="Windows has no such clocks")
def test_clocks_that_have_a_number() -> None:
    """Those that show the time; and a calendar that is asked for None."""

    async def main() -> list[Any]:
        numbers = time.CLOCK_MONOTONIC, time.CLOCK_REALTIME
        seen = []
        for _ in range(2):
            seen.append(
                [time.clock_gettime(n) for n in numbers] + [time.mktime(time.localtime(None))]
            )
            await asyncio.sleep(60)
        return [later - earlier for earlier, later in zip(*seen, strict=True)]

    assert simulate(main).result == pytest.approx([60, 60, 60], abs=1e-3)
