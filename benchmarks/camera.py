"""The camera on a storm of tasks that only let each other go, beside viztracer; and its memory."""

import asyncio
import gc
import tracemalloc
from collections.abc import Iterator
from functools import partial

from helpers.camera import Run, record, simulate

from .measure import ROUNDS, Row, by_turns, compared

STEPS = 10


async def storm(tasks: int) -> None:
    async def one() -> None:
        for _ in range(STEPS):
            await asyncio.sleep(0)

    await asyncio.gather(*(one() for _ in range(tasks)))


def plain(tasks: int) -> None:
    asyncio.run(storm(tasks))


def recorded(tasks: int) -> Run:
    async def main() -> Run:
        return await record(storm(tasks))

    run = asyncio.run(main())
    assert run.max_in_flight == tasks, run
    return run


def rows(rounds: int = ROUNDS, tasks: int = 5_000, lanes: int = 10_000) -> Iterator[Row]:
    what = f"{tasks:,} tasks × {STEPS} sleep(0): "
    try:
        from viztracer import VizTracer
    except ImportError:  # as on a Python that is too new for it
        traced = None
    else:

        def traced() -> VizTracer:
            tracer = VizTracer(log_async=True, verbose=0)
            tracer.start()
            plain(tasks)
            tracer.stop()
            return tracer  # to read or save what it noted would take many times longer

    works = {"plain": partial(plain, tasks), "recorded": partial(recorded, tasks)}
    took = by_turns(rounds, **works, **({"traced": traced} if traced else {}))
    yield compared(took, "recorded", "plain", what + "record", "unrecorded", 2.2)
    if not traced:
        yield Row(what + "record", "", "viztracer", "is not installed")
    else:
        yield compared(took, "recorded", "traced", what + "record", "viztracer, log_async", 1.0)
        yield compared(took, "traced", "plain", what + "viztracer instead", "unrecorded")
    yield from _memory(lanes)


def _memory(lanes: int) -> Iterator[Row]:
    async def one(number: int) -> None:
        await asyncio.sleep(1)

    async def main() -> None:
        await asyncio.gather(*(one(number) for number in range(lanes)))

    simulate(main)
    gc.collect()
    tracemalloc.start()
    try:
        run = simulate(main)
        gc.collect()
        kept = tracemalloc.get_traced_memory()[0]
        assert len(run.lanes) == lanes
        gc.collect()
        developed = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    what = f"{lanes:,} lanes: memory of a Run, for each"
    yield Row(what, _bytes(kept / lanes), "with run.lanes", _bytes(developed / lanes))


def _bytes(count: float) -> str:
    return f"{count:,.0f} B"
