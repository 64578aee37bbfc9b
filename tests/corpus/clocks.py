"""Programs that read a clock, wait by one, or hold the loop."""

# ruff: noqa: T201, ASYNC110, ASYNC251, RUF006
import asyncio
import copy
import datetime as datetime_module
import io
import itertools
import logging
import pickle
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from time import monotonic, perf_counter, sleep
from timeit import default_timer

from corpus.registry import program


@program(took=("took 0.02 s",))
async def stopwatch_by_perf_counter():
    start = time.perf_counter()
    await asyncio.sleep(0.02)
    print(f"took {time.perf_counter() - start:.2f} s")


@program(took=("took 0.02 s",))
async def stopwatch_by_monotonic():
    start = time.monotonic()
    await asyncio.gather(*(asyncio.sleep(0.02) for _ in range(3)))
    print(f"took {time.monotonic() - start:.2f} s")


@program(took=("took 0.02 s",))
async def stopwatch_by_time():
    start = time.time()
    await asyncio.sleep(0.02)
    print(f"took {time.time() - start:.2f} s")


@program(took=("took 0.02 s", "took 0.020 s", "took 0.0200 s"))
async def stopwatch_by_nanoseconds():
    starts = time.perf_counter_ns(), time.monotonic_ns(), time.time_ns()
    await asyncio.sleep(0.02)
    print(f"took {(time.perf_counter_ns() - starts[0]) / 1e9:.2f} s")
    print(f"took {(time.monotonic_ns() - starts[1]) / 1e9:.3f} s")
    print(f"took {(time.time_ns() - starts[2]) / 1e9:.4f} s")
    print({type(start).__name__ for start in starts})


@program(took=("took 0.02 s",))
async def stopwatch_by_the_loop():
    loop = asyncio.get_running_loop()
    start = loop.time()
    await asyncio.sleep(0.02)
    print(f"took {loop.time() - start:.2f} s")


@program(took=("took 0.02 s",))
async def stopwatch_by_datetime():
    start = datetime.now()
    await asyncio.sleep(0.02)
    elapsed = datetime.now() - start
    print(f"took {elapsed.total_seconds():.2f} s", timedelta() < elapsed)


@program(told=True, took=("took 0.02 s", "took 0.020 s"))
async def stopwatch_by_an_imported_name():
    started, counted = monotonic(), perf_counter()
    await asyncio.sleep(0.02)
    print(f"took {monotonic() - started:.2f} s, took {perf_counter() - counted:.3f} s")


@program(told=True, took=("took 0.02 s",))
async def stopwatch_by_timeit():
    start = default_timer()
    await asyncio.sleep(0.02)
    print(f"took {default_timer() - start:.2f} s")


@program(told=True, took=("took 0.03 s",))
async def an_imported_sleep_holds_the_loop():
    start = asyncio.get_running_loop().time()
    sleep(0.03)
    print(f"took {asyncio.get_running_loop().time() - start:.2f} s")


@program
async def clocks_go_forward():
    looks = [(time.monotonic(), time.perf_counter(), time.time())]
    for _ in range(3):
        await asyncio.sleep(0.01)
        looks.append((time.monotonic(), time.perf_counter(), time.time()))
    print(all(a < b for clock in zip(*looks, strict=True) for a, b in itertools.pairwise(clock)))


@program
async def the_date_is_plausible():
    print(datetime.now().year >= 2024, time.localtime().tm_year == datetime.now().year)
    print(time.strftime("%Y") == str(datetime.now().year), len(time.strftime("%X")) > 0)
    print(abs(time.time() - datetime.now().timestamp()) < 1)


@program(took=("took 0.04 s",))
async def sleep_holds_the_loop():
    async def ticker():
        print("tick")

    start = time.perf_counter()
    asyncio.create_task(ticker())
    time.sleep(0.02)
    print("held")
    time.sleep(0.02)
    print(f"took {time.perf_counter() - start:.2f} s")
    await asyncio.sleep(0)


@program
async def poll_by_sleeping():
    end = time.monotonic() + 0.05
    looks = 0
    while time.monotonic() < end:
        looks += 1
        await asyncio.sleep(0.02)
    print("over", 1 <= looks <= 3)


@program
async def poll_by_yielding():
    end = time.monotonic() + 0.02
    while time.monotonic() < end:
        await asyncio.sleep(0)
    print("over", 0 <= time.monotonic() - end < 1)


@program
async def poll_by_holding():
    end = time.perf_counter() + 0.02
    while time.perf_counter() < end:
        pass
    print("over", 0 <= time.perf_counter() - end < 1)


@program
async def poll_the_loop_by_holding():
    loop = asyncio.get_running_loop()
    end = loop.time() + 0.02
    while loop.time() < end:
        pass
    print("over", 0 <= loop.time() - end < 1)


@program
async def poll_the_date():
    end = datetime.now() + timedelta(seconds=0.02)
    while datetime.now() < end:
        await asyncio.sleep(0)
    print("over", end <= datetime.now())


@program
async def poll_a_flag():
    ready = False

    async def setter():
        nonlocal ready
        await asyncio.sleep(0.03)
        ready = True

    task = asyncio.create_task(setter())
    while not ready:
        await asyncio.sleep(0.01)
    print("ready", task.done())


@program
async def a_deadline_is_kept():
    deadline = time.monotonic() + 0.05
    done = 0
    while (left := deadline - time.monotonic()) > 0 and done < 10:
        try:
            await asyncio.wait_for(asyncio.sleep(0.5), left)
        except TimeoutError:
            print("out of time")
        done += 1
    print(done < 10)


@program(took=("took 0.03 s",))
async def a_timer_as_context_manager():
    @contextmanager
    def timer(what):
        start = time.perf_counter()
        yield
        print(f"{what} took {time.perf_counter() - start:.2f} s")

    with timer("loading"):
        await asyncio.sleep(0.03)


@program(took=("took 0.02 s", "took 0.04 s"))
async def a_decorator_that_times():
    def timed(function):
        async def wrapper(*args):
            start = time.perf_counter()
            result = await function(*args)
            print(f"{function.__name__}{args} took {time.perf_counter() - start:.2f} s")
            return result

        return wrapper

    @timed
    async def load(delay):
        await asyncio.sleep(delay)
        return delay

    print(await asyncio.gather(load(0.02), load(0.04)))


@program(took=("took 0.05 s",))
async def branches_by_the_clock():
    start = time.monotonic()
    await asyncio.sleep(0.05)
    took = time.monotonic() - start
    print(f"took {took:.2f} s")
    print("slow" if took > 0.04 else "fast")


@program
async def a_cache_that_expires():
    cache = {}

    async def get(key):
        value, until = cache.get(key, (None, 0))
        if time.monotonic() < until:
            return "cached", value
        await asyncio.sleep(0.01)
        cache[key] = key.upper(), time.monotonic() + 0.1
        return "loaded", key.upper()

    print(await get("a"), await get("a"))
    await asyncio.sleep(0.15)
    print(await get("a"))


@program
async def a_rate_limit_by_the_clock():
    last = 0.0
    passed = []

    async def limited(n):
        nonlocal last
        wait = last + 0.02 - time.monotonic()
        last = max(last + 0.02, time.monotonic())
        if wait > 0:
            await asyncio.sleep(wait)
        passed.append(n)

    await asyncio.gather(*(limited(n) for n in range(4)))
    print(passed)


@program
async def call_later_and_friends():
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    loop.call_later(0.06, ended.set_result, "over")
    loop.call_at(loop.time() + 0.03, print, "at")
    loop.call_later(0.01, print, "later")
    loop.call_soon(print, "soon")
    print(await ended)


@program
async def timers_can_be_cancelled():
    loop = asyncio.get_running_loop()
    handle = loop.call_later(0.01, print, "never")
    print(handle.cancelled(), handle.when() > loop.time())
    handle.cancel()
    print(handle.cancelled(), handle)
    soon = loop.call_soon(print, "never either")
    soon.cancel()
    await asyncio.sleep(0.03)


@program
async def a_ticker_by_callbacks():
    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    def tick(n):
        print("tick", n)
        if n:
            loop.call_later(0.01, tick, n - 1)
        else:
            done.set()

    loop.call_soon(tick, 3)
    await done.wait()


@program
async def display_the_date():
    loop = asyncio.get_running_loop()
    end, shown = loop.time() + 0.05, 0
    while True:
        shown += isinstance(datetime.now(), datetime)
        if loop.time() + 0.02 >= end:
            break
        await asyncio.sleep(0.02)
    print(shown > 0)


@program
async def sleeps_of_no_time():
    for delay in (0, -1, 0.0):
        print(await asyncio.sleep(delay, result=f"slept {delay}"))


@program
async def sleeps_that_are_refused():
    for delay in (float("nan"), "a second"):
        try:
            await asyncio.sleep(delay)
        except (TypeError, ValueError) as error:
            print(type(error).__name__, error)
    try:
        time.sleep(-1)
    except ValueError as error:
        print(error)


@program
async def measure_a_computation():
    start = time.process_time()
    total = sum(range(100_000))
    print(total, time.process_time() >= start, time.thread_time() >= 0)


@dataclass
class Event:
    name: str
    at: float = field(default_factory=time.monotonic)


@program(told=True, took=("took 0.02 s",))
async def a_clock_as_default_factory():
    start = Event("start")
    await asyncio.sleep(0.02)
    print(f"took {Event('end').at - start.at:.2f} s")


def passed(since, clock=time.perf_counter):
    return clock() - since


@program(told=True, took=("took 0.02 s",))
async def a_clock_as_default_argument():
    start = time.perf_counter()
    await asyncio.sleep(0.02)
    print(f"took {passed(start):.2f} s")


@program(took=("took 0.02 s",))
async def a_clock_that_is_handed_over():
    async def timed(clock):
        start = clock()
        await asyncio.sleep(0.02)
        return clock() - start

    print(f"took {await timed(time.monotonic):.2f} s")
    print(max(await asyncio.gather(timed(time.time), timed(datetime.now().timestamp))) > 0)


@program(took=("took 0.02 s",))
async def dates_by_the_module():
    start = datetime_module.datetime.now(datetime_module.UTC)
    await asyncio.sleep(0.02)
    end = datetime_module.datetime.now(datetime_module.UTC)
    print(f"took {(end - start).total_seconds():.2f} s", end.tzinfo, isinstance(end, datetime))


@program
async def dates_are_dates():
    now = datetime.now()
    again = datetime.fromisoformat(now.isoformat())
    print(again == now, isinstance(now, datetime), isinstance(date.today(), date))
    print(copy.copy(now) == now, now.replace(year=1999).year)
    print(datetime(2024, 1, 2), date(2024, 1, 2), datetime.min.year, repr(datetime(2024, 1, 2)))
    print(issubclass(datetime, date), datetime.__name__, datetime.strptime("2024", "%Y").year)


@program
async def a_date_is_pickled():
    now = datetime.now()
    await asyncio.sleep(0.01)
    print(pickle.loads(pickle.dumps(now)) == now, copy.deepcopy([now]) == [now])
    print(pickle.loads(pickle.dumps(datetime)) is datetime)


@program
async def the_type_of_a_date():
    print(type(datetime.now()) is datetime, type(datetime(2024, 1, 2)) is datetime)
    print(type(date.today()) is date, type(datetime.now()).__name__)


@program
async def timestamps_of_a_log():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(created)f %(message)s"))
    logger = logging.Logger("corpus")
    logger.addHandler(handler)
    logger.info("one")
    await asyncio.sleep(0.03)
    logger.info("two")
    (one, *said), (two, *_) = (line.split() for line in stream.getvalue().splitlines())
    print(said, 0.02 < float(two) - float(one) < 5)


@program(told=True, took=("took 0.02 s",))
async def a_blocking_wait_with_a_timeout():
    start = time.monotonic()
    print(threading.Event().wait(0.02))
    print(f"took {time.monotonic() - start:.2f} s")


@program
async def time_between_two_ticks():
    ticks = []

    async def tick():
        while len(ticks) < 4:
            ticks.append(time.perf_counter_ns())
            await asyncio.sleep(0.02)

    await tick()
    print(all(10_000_000 < b - a for a, b in itertools.pairwise(ticks)))


@program
async def a_poll_with_a_limit():
    """A limit of attempts is no limit of time."""
    looks = 0
    end = time.time() + 0.02
    while time.time() < end:
        looks += 1
    print(looks > 10)
