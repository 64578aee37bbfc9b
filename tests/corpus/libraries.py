"""Libraries that the course depends on and that work on the fast-forward clock."""

# ruff: noqa: T201
import asyncio
import io
import time

import stamina
from aiolimiter import AsyncLimiter
from tqdm.asyncio import tqdm

from corpus.registry import program

tqdm.monitor_interval = 0  # or it leaves a thread behind, for bars that stand still


async def fetch(n, delay=0.0):
    await asyncio.sleep(delay)
    return n * n


@program
async def tqdm_gathers():
    print(await tqdm.gather(*(fetch(n) for n in range(4)), file=io.StringIO()))


@program
async def tqdm_as_completed():
    bar = tqdm.as_completed([fetch(3, 0.05), fetch(2)], total=2, file=io.StringIO())
    for next_one in bar:
        print(await next_one)


@program
async def tqdm_over_a_generator():
    async def numbers():
        for n in range(3):
            await asyncio.sleep(0.01)
            yield n

    async for n in tqdm(numbers(), file=io.StringIO()):
        print(n)


@program
async def tqdm_by_hand():
    with tqdm(total=3, file=io.StringIO(), mininterval=0) as bar:
        for n in range(3):
            await asyncio.sleep(0.01)
            bar.update()
            bar.set_postfix(n=n)
        print(bar.n, bar.total)


@program
async def stamina_retries():
    attempts = 0

    @stamina.retry(on=ConnectionError, attempts=3, wait_initial=0.01, wait_jitter=0)
    async def flaky():
        nonlocal attempts
        attempts += 1
        print("attempt", attempts)
        if attempts < 3:
            raise ConnectionError("again")
        return "fine"

    print(await flaky())


@program
async def stamina_gives_up():
    async def always():
        raise OSError("down")

    try:
        async for attempt in stamina.retry_context(OSError, attempts=2, wait_initial=0.01):
            with attempt:
                print("attempt", attempt.num)
                await always()
    except OSError as error:
        print("gave up:", error)


@program
async def stamina_gives_up_in_time():
    caller = stamina.AsyncRetryingCaller(
        attempts=100, timeout=0.1, wait_initial=0.06, wait_jitter=0, wait_max=0.06
    )
    tries = 0

    async def always():
        nonlocal tries
        tries += 1
        raise OSError("down")

    try:
        await caller(OSError, always)
    except OSError:
        print("gave up", 1 < tries < 10)


@program
async def a_limiter():
    limiter = AsyncLimiter(2, 0.04)
    passed = []

    async def limited(n):
        async with limiter:
            passed.append(n)

    await asyncio.gather(*(limited(n) for n in range(5)))
    print(passed, limiter.max_rate, limiter.time_period)


@program(took=("took 0.06 s",))
async def a_limiter_keeps_its_rate():
    limiter = AsyncLimiter(1, 0.02)
    start = time.monotonic()
    for _ in range(4):
        await limiter.acquire()
    print(f"took {time.monotonic() - start:.2f} s", limiter.has_capacity())


@program
async def helpers_of_the_course():
    from helpers import busy

    start = asyncio.get_running_loop().time()
    busy(0.02)
    print(asyncio.get_running_loop().time() - start >= 0.02)
