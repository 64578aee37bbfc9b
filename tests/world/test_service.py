"""A service takes the time that it says, on any clock, and refuses by rule."""

import asyncio
import doctest
import math

import pytest

from helpers import simulate
from helpers.world import service
from helpers.world.service import Bucket, Refused, Service

NAMES = [f"dataset{number}.csv" for number in range(1, 1001)]


def test_examples() -> None:
    """The examples in the docstrings give what they say."""
    result = doctest.testmod(service)
    assert result.attempted and not result.failed


def test_its_time_is_a_function_of_name_and_company() -> None:
    """In the range that was given, to the capacity; then 15 % more for each one above."""
    one, other = Service((0.1, 0.5), capacity=4), Service((0.1, 0.5), capacity=4)
    alone = [one.seconds(name) for name in NAMES]
    assert alone == [other.seconds(name, inside=4) for name in NAMES]
    assert 0.1 <= min(alone) < 0.11 and 0.49 < max(alone) <= 0.5
    assert sorted(alone)[500] == pytest.approx(0.2, abs=0.02)  # most are near the shortest
    for name, seconds in zip(NAMES, alone, strict=True):
        assert one.seconds(name, inside=7) == pytest.approx(seconds * 1.45, abs=0.0015)
    assert alone != [Service((0.1, 0.5), seed=1).seconds(name) for name in NAMES]


def test_who_comes_is_counted_with_those_inside() -> None:
    """Each newcomer's time counts himself, and who leaves early is counted out."""
    twin = Service((1, 1), capacity=2)

    async def main() -> list[float]:
        early = asyncio.create_task(twin.answer("a"))
        await asyncio.sleep(0.1)
        early.cancel()
        await asyncio.wait([early])
        return await asyncio.gather(*map(twin.answer, "abcd"))

    run = simulate(main)
    assert run.result == [1.0, 1.0, 1.15, 1.3]
    assert run.seconds == pytest.approx(1.4)
    assert (twin.inside, twin.most) == (0, 4)
    assert twin.counts == {"left": 1, "200": 4}


def test_errors_are_a_share_and_always_the_same_ones() -> None:
    """By name and attempt; 5 % of 1,000 within four standard deviations."""
    twin = Service(error_rate=0.05)
    for attempt in (1, 2):
        failed = {name for name in NAMES if twin.fails(name, attempt)}
        assert abs(len(failed) - 50) < 4 * math.sqrt(47.5)
    assert not any(Service().fails(name, 1) for name in NAMES)
    assert all(Service(error_rate=1).fails(name, 1) for name in NAMES)

    async def main() -> list[int]:
        seen = []
        for _ in range(4):
            try:
                await twin.answer(name)
            except Refused as refused:
                seen.append(refused.status)
            else:
                seen.append(200)
        return seen

    name = next(name for name in NAMES if twin.fails(name, 1))
    expected = [503 if twin.fails(name, attempt) else 200 for attempt in (1, 2, 3, 4)]
    assert simulate(main).result == expected


def test_who_waits_as_told_gets_in() -> None:
    """A refusal costs no time and no attempt, and after its seconds there is room."""
    twin = Service((0.01, 0.02), rate=5, error_rate=0.1)

    async def main() -> float:
        loop, start = asyncio.get_running_loop(), asyncio.get_running_loop().time()
        for name in NAMES[:50]:
            try:
                await twin.answer(name)
            except Refused as refused:
                if refused.status == 429:
                    assert refused.retry_after == 1
                    await asyncio.sleep(refused.retry_after)
                    await asyncio.gather(twin.answer(name), return_exceptions=True)
        return loop.time() - start

    seconds = simulate(main).result
    done = twin.counts["200"] + twin.counts["503"]
    assert done == 50 and twin.counts["429"] > 5
    assert done <= 5 + 5 * seconds  # the rate, after as many at the start
    assert twin.counts["503"] == sum(twin.fails(name, 1) for name in NAMES[:50])


@pytest.mark.parametrize(("rate", "size"), [(3, 1), (10, 10), (1 / 3, 2)])
def test_a_bucket_keeps_its_rate_to_the_digit(rate: float, size: float) -> None:
    """Whoever waits as long as it says needs no second try."""
    waits = []

    async def main() -> None:
        bucket = Bucket(rate, size)
        for _ in range(100):
            if wait := bucket.wait():
                waits.append(wait)
                await asyncio.sleep(wait)
            assert not bucket.wait()
            bucket.take()

    assert simulate(main).seconds == pytest.approx((100 - size) / rate)
    assert len(waits) == 100 - size


def test_a_bucket_lends_to_who_needs_more_than_it_holds() -> None:
    """He gets in when it is full, and all others wait until that is paid back."""

    async def main() -> float:
        bucket = Bucket(rate=1, size=2)
        assert bucket.wait(10) == 0
        bucket.take(10)
        return bucket.wait(1)

    assert simulate(main).result == pytest.approx(9)


@pytest.mark.parametrize(
    "wrong",
    [
        {"latency": 0.1},
        {"latency": (0.2, 0.1)},
        {"latency": (-1, 1)},
        {"latency": (0, math.inf)},
        {"latency": (math.nan, 1)},
        {"capacity": 0},
        {"error_rate": 1.1},
        {"error_rate": math.nan},
        {"rate": 0},
        {"rate": math.nan},
    ],
)
def test_settings_without_sense_are_refused(wrong: dict[str, object]) -> None:
    """By name, with what to give."""
    (name,) = wrong
    with pytest.raises(ValueError, match=f"{name}=.*give"):
        Service(**wrong)  # type: ignore[arg-type]
