"""Traffic: arrivals are what they should be, and no wait is left out of what is measured."""

import asyncio
import doctest
import math
import random
import statistics
from collections import Counter

import pytest

from helpers.camera import simulate
from helpers.world import traffic
from helpers.world.traffic import Sent, arrivals, closed_loop, open_loop, percentile


def test_examples() -> None:
    """The examples in the docstrings give what they say."""
    result = doctest.testmod(traffic)
    assert result.attempted and not result.failed


def test_arrivals_know_nothing_of_each_other() -> None:
    """Gaps have the mean and the spread of a Poisson process, and ascend."""
    times = arrivals(200, count=20_000)
    gaps = [b - a for a, b in zip([0.0, *times], times, strict=False)]
    assert times == sorted(times) and len(times) == 20_000
    assert statistics.mean(gaps) == pytest.approx(1 / 200, rel=0.03)
    assert statistics.stdev(gaps) == pytest.approx(1 / 200, rel=0.03)
    assert sum(gap < 0.001 for gap in gaps) / len(gaps) == pytest.approx(
        1 - math.exp(-0.2), rel=0.05
    )


def test_the_seed_decides() -> None:
    """The same seed gives the same day, another one another; a longer day begins alike."""
    assert arrivals(10, count=50) == arrivals(10, count=50) == arrivals(10, count=99)[:50]
    assert arrivals(10, count=50) != arrivals(10, count=50, seed=1)


def test_where_arrivals_stop() -> None:
    """After so many, at that time, or whichever comes first."""
    assert len(arrivals(10, count=7)) == 7
    day = arrivals(10, seconds=30)
    assert day[-1] < 30 and len(day) == pytest.approx(300, rel=0.2)
    assert arrivals(10, seconds=30, count=7) == day[:7]
    assert arrivals(10, count=0) == arrivals(10, seconds=0) == []


@pytest.mark.parametrize(
    ("rate", "limits"),
    [
        *((rate, {"count": 1}) for rate in (0, -1, math.inf, math.nan)),
        *((1, limits) for limits in ({}, {"seconds": -1}, {"seconds": math.nan})),
    ],
)
def test_arrivals_that_cannot_be(rate: float, limits: dict[str, float]) -> None:
    """A rate that is none, and a day without an end, are refused."""
    with pytest.raises(ValueError, match="a rate above 0, and a count or seconds to stop at"):
        arrivals(rate, **limits)  # type: ignore[arg-type]


def test_an_open_loop_sends_whatever_is_unanswered() -> None:
    """Each request is sent in its time, though none is answered; numbers count from 0."""
    sent_at: dict[int, float] = {}

    async def send(number: int) -> None:
        sent_at[number] = asyncio.get_running_loop().time()
        await asyncio.sleep(100)

    run = simulate(open_loop, send, [0.5, 1.0, 4.0])
    assert sent_at == {0: 0.5, 1: 1.0, 2: 4.0}
    assert run.result == [Sent(0.5, 100.0, "ok"), Sent(1.0, 100.0, "ok"), Sent(4.0, 100.0, "ok")]


def test_an_open_loop_hides_nothing_when_the_loop_is_held() -> None:
    """Waits count from the time at which a request was meant to be sent, not from when it was."""

    async def send(number: int) -> None:
        if number == 0:
            asyncio.get_running_loop().now += 2.0  # type: ignore[attr-defined]

    run = simulate(open_loop, send, [0.0, 0.5, 1.0, 5.0])
    assert [(s.at, round(s.seconds, 6)) for s in run.result] == [
        (0.0, 2.0), (0.5, 1.5), (1.0, 1.0), (5.0, 0.0),
    ]  # fmt: skip


def test_open_and_closed_loop_see_one_stall() -> None:
    """One stall of 2 s among 1,000 answers: its share of the waits is small only if closed."""

    def service() -> asyncio.Lock:
        return asyncio.Lock()

    async def answer(turn: asyncio.Lock, number: int) -> None:
        async with turn:
            await asyncio.sleep(2.0 if number == 500 else 0.001)

    async def opened() -> list[Sent]:
        turn = service()
        return await open_loop(lambda number: answer(turn, number), arrivals(100, count=1_000))

    async def closed() -> list[Sent]:
        turn = service()
        return await closed_loop(lambda n: answer(turn, n), clients=1, count=1_000)

    waits = {run: [s.seconds for s in simulate(run).result] for run in (opened, closed)}
    assert percentile(waits[closed], 99) == pytest.approx(0.001)
    assert percentile(waits[opened], 99) > 1.8
    assert max(waits[closed]) == pytest.approx(2.0)


def test_a_closed_loop_has_so_many_under_way() -> None:
    """Each client sends when it has its answer; together they send so many, each number once."""
    numbers: list[int] = []
    under_way: list[int] = [0, 0]

    async def send(number: int) -> None:
        numbers.append(number)
        under_way[0] += 1
        under_way[1] = max(under_way)
        await asyncio.sleep(random.Random(number).random())
        under_way[0] -= 1

    done = simulate(closed_loop, send, clients=3, count=50).result
    assert numbers == list(range(50)) and under_way == [0, 3]
    assert len(done) == 50
    assert all(0 <= s.seconds <= 1 and s.outcome == "ok" for s in done)
    assert sorted(s.at for s in done)[:3] == [0.0, 0.0, 0.0]
    assert max(s.at for s in done) > 5


@pytest.mark.parametrize("closed", [False, True])
def test_outcomes_have_names(closed: bool) -> None:
    """An error is an outcome, and costs the other requests nothing."""

    async def send(number: int) -> None:
        await asyncio.sleep(0.1)
        if number % 4 == 1:
            raise ConnectionError
        if number % 4 == 2:
            async with asyncio.timeout(0.2):
                await asyncio.sleep(1)
        if number % 4 == 3:
            (task := asyncio.create_task(asyncio.sleep(1))).cancel()
            await task

    async def main() -> list[Sent]:
        if closed:
            return await closed_loop(send, clients=2, count=16)
        return await open_loop(send, [0.01 * n for n in range(16)])

    ends = Counter(s.outcome for s in simulate(main).result)
    assert ends == Counter(ok=4, ConnectionError=4, TimeoutError=4, CancelledError=4)


@pytest.mark.parametrize("closed", [False, True])
def test_traffic_can_be_cancelled(closed: bool) -> None:
    """Whoever cancels it cancels all requests; no task is left."""
    ended: list[int] = []

    async def send(number: int) -> None:
        try:
            await asyncio.sleep(10)
        finally:
            ended.append(number)

    async def main() -> int:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                if closed:
                    await closed_loop(send, clients=2, count=8)
                else:
                    await open_loop(send, [0.0, 1.0, 9.0])
        return len(asyncio.all_tasks())

    assert simulate(main).result == 1
    assert sorted(ended) == [0, 1]


def test_a_percentile_is_one_of_the_values() -> None:
    """By nearest rank: the smallest value that at least q percent do not exceed."""
    values = [float(n) for n in range(1, 101)]
    random.Random(1).shuffle(values)
    assert [percentile(values, q) for q in (0, 1, 50, 50.5, 99, 100)] == [1, 1, 50, 51, 99, 100]
    assert percentile([3.0], 99) == 3.0
    for q in range(101):
        draw = [random.Random(q).gauss(0, 1) for _ in range(37)]
        value = percentile(draw, q)
        assert value in draw
        assert sum(v <= value for v in draw) * 100 >= q * 37
        assert sum(v < value for v in draw) * 100 < q * 37 or value == min(draw)


def test_percentiles_that_cannot_be() -> None:
    """Of nothing there is none, nor the 101st."""
    with pytest.raises(ValueError, match="at least one value"):
        percentile([], 50)
    with pytest.raises(ValueError, match="range"):
        percentile([1.0], 101)
