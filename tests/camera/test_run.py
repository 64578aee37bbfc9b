"""What a run tells: its line, its lanes in order, how many there were at once."""

import asyncio
import doctest
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from programs import fast
from test_trace import boom, cancels_itself, crowd, hold, leaves, one, told

from helpers.camera.clock import busy, simulate
from helpers.camera.run import LaneLog, Run
from helpers.camera.trace import Camera


def test_examples() -> None:
    """The examples in the docstrings give what they say."""
    result = doctest.testmod(sys.modules["helpers.camera.run"])
    assert result.attempted and not result.failed


async def raises(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(
    ("main", "args", "text"),
    [
        (asyncio.sleep, (0,), "0.00 s"),
        (one, ("a", 1.236), "1.24 s"),
        (crowd, (1,), "1.00 s · 1 lane · at most 1 in flight"),
        (crowd, (1200,), "1.00 s · 1,200 lanes · at most 1,200 in flight"),
        (hold, ("a",), "2.00 s · loop held 2.00 s"),
        (leaves, (), "1.00 s · 2 lanes · at most 2 in flight · 2 left running"),
        (boom, ("why",), "failed after 1.00 s with ValueError: why"),
        (raises, (ValueError(),), "failed after 0.00 s with ValueError"),
        (raises, (OSError("first\nsecond"),), "failed after 0.00 s with OSError: first"),
        (
            cancels_itself,
            (),
            "cancelled after 0.00 s · 1 lane · at most 1 in flight",
        ),
    ],
)
def test_text(main: Any, args: tuple[Any, ...], text: str) -> None:
    """A run is one line: how long, how it failed, how many at once, what is left, who held."""
    assert repr(simulate(main, *args)) == text


def test_text_of_real_time_and_of_a_run_under_way() -> None:
    """In real time the line says so; a run that is still filmed says that, and can be drawn."""

    async def watch(real: bool) -> list[Run]:
        camera = Camera(real=real)
        task = asyncio.create_task(camera.film(crowd(2)))
        await asyncio.sleep(0.5)
        early = camera.run()
        await task
        return [early, camera.run(), await task]

    early, late, last = fast(watch, False)
    assert [repr(run) for run in (early, late, last)] == [
        "0.50 s so far · 2 lanes · at most 2 in flight",
        "1.00 s · 2 lanes · at most 2 in flight",
        "1.00 s · 2 lanes · at most 2 in flight",
    ]
    assert [early.finished, late.finished] == [False, True]
    assert told(early.lanes[0]) == "one(0, 1.0) 0-0.5 pending: one waiting for sleep 0-0.5"
    assert told(late.lanes[0]) == "one(0, 1.0) 0-1 done: one waiting for sleep 0-1"
    assert repr(fast(watch, True)[2]).startswith("1.00 s (real) · 2")


def test_starts_finishes_pending() -> None:
    """Lanes are told in order of start and of end; ties in the order in which they happened."""

    async def main() -> None:
        tasks = [
            asyncio.create_task(one(name, seconds))
            for name, seconds in [("a", 3.0), ("b", 1.0), ("c", 9.0), ("d", 2.0), ("e", 1.0)]
        ]
        await asyncio.wait(tasks[:2])

    run = simulate(main)
    names = [f"one('{name}')" for name in "abcde"]
    short = {lane.name: lane.name.partition(",")[0] + ")" for lane in run.lanes}
    assert [short[name] for name in run.starts] == names
    assert [short[name] for name in run.finishes] == [names[i] for i in (1, 4, 3, 0)]
    assert [short[name] for name in run.pending] == [names[2]]
    assert run.lane_count == 5


def test_max_in_flight() -> None:
    """The most lanes alive at once are counted, the root not among them."""

    async def main() -> None:
        await one("before")
        await asyncio.gather(one("a"), one("b"), one("c", 2.0))
        await asyncio.gather(one("d"), one("e"))

    assert simulate(main).max_in_flight == 3
    assert simulate(one, "a").max_in_flight == 0


def test_sample() -> None:
    """A sample holds the first lanes and the last, and never more than asked for."""
    run = simulate(crowd, 101)
    names = [lane.name for lane in run.sample(5)]
    assert names == [f"one({i}, 1.0)" for i in (0, 1, 2, 99, 100)]
    assert run.sample(101) == run.sample(1000) == run.lanes
    for most in range(2, 101):
        sample = run.sample(most)
        assert len(set(sample)) == len(sample) == most
        assert (sample[0], sample[-1]) == (run.lanes[0], run.lanes[-1])


def test_held_share_of_nothing() -> None:
    """A run that took no time was held for no share of it."""
    assert simulate(asyncio.sleep, 0).held_share == 0.0


def test_result_can_be_none_or_an_error() -> None:
    """A program may return None, or an exception as a value."""
    error = ValueError("a value, not a failure")
    assert simulate(one, None).result is None
    assert simulate(one, error).result is error
    assert simulate(one, error).error is None


def test_totals_add_up_to_the_life_of_a_lane() -> None:
    """And a table tells them; in it a turn is told from the world."""

    async def turn(limit: asyncio.Semaphore) -> None:
        async with limit:
            await asyncio.sleep(1)
            busy(2)

    async def main() -> None:
        limit = asyncio.Semaphore(1)
        await asyncio.gather(turn(limit), turn(limit), one("a", 1.5))

    run = simulate(main)
    assert [tuple(lane.totals) for lane in run.lanes] == [
        (2.0, 0.0, 1.0, 0.0),
        (2.0, 0.0, 1.0, 3.0),
        (0.0, 1.5, 1.5, 0.0),
    ]
    assert all(sum(lane.totals) == lane.end - lane.start for lane in run.lanes)
    assert [line.split()[-8:] for line in run.table().splitlines()[1:]] == [
        "2.00 s 0.00 s 1.00 s 0.00 s".split(),
        "2.00 s 0.00 s 1.00 s 3.00 s".split(),
        "0.00 s 1.50 s 1.50 s 0.00 s".split(),
    ]


def test_how_many_are_in_flight_over_time() -> None:
    """From the first to none, and never more than at most."""

    async def main() -> None:
        first = asyncio.gather(one("a", 1.0), one("b", 2.0))
        await asyncio.sleep(1.5)
        await asyncio.gather(first, one("c", 3.0))

    run = simulate(main)
    assert run.in_flight == [(0, 2), (1, 1), (1.5, 2), (2, 1), (4.5, 0)]
    assert run.max_in_flight == 2
    assert simulate(one, "a").in_flight == []


def test_a_sample_that_is_spread_holds_those_that_failed() -> None:
    """One of so many, from the first on, and of those that failed as many as asked for."""

    async def part(number: int) -> None:
        await asyncio.sleep(1)
        if number in (3, 5, 10):
            raise ValueError

    async def main() -> None:
        await asyncio.gather(*map(part, range(20)), return_exceptions=True)

    run = simulate(main)
    assert [lane.number for lane in run.spread(5, 0)] == [0, 5, 10, 15]
    assert [lane.number for lane in run.spread(5, 1)] == [0, 3, 5, 10, 15]
    assert run.spread(1, 0) == run.lanes


def test_a_lane_that_an_interrupt_left_half_made() -> None:
    """It was made, and nothing noted of it yet: it is ready at the end."""
    log: list[Any] = []
    camera = SimpleNamespace(log=log)
    code = (lambda: None).__code__
    root, half = LaneLog(camera, code, ()), LaneLog(camera, code, ())
    log.extend((root, "running", 0.0, None))
    run = Run([root, half], log, [], now=2.0)
    assert run.in_flight == [(2.0, 1)]
    (lane,) = run.lanes
    (segment,) = lane.segments
    assert (segment.state, segment.start, segment.end, lane.ending) == (
        "ready",
        2.0,
        2.0,
        "pending",
    )
