"""The camera on a storm of tasks that only let each other go, beside viztracer; and its memory."""

import asyncio
import gc
import tracemalloc
from collections.abc import Iterator

from helpers.camera.clock import record, simulate
from helpers.camera.run import Run

from .measure import ROUNDS, Row, by_turns, compared

TASKS, STEPS = 5_000, 10


async def storm() -> None:
    async def one() -> None:
        for _ in range(STEPS):
            await asyncio.sleep(0)

    await asyncio.gather(*(one() for _ in range(TASKS)))


def plain() -> None:
    asyncio.run(storm())


def recorded() -> Run:
    async def main() -> Run:
        return await record(storm())

    run = asyncio.run(main())
    assert f"{TASKS:,} coroutines" in repr(run), run
    return run


def rows() -> Iterator[Row]:
    what = f"{TASKS:,} tasks × {STEPS} sleep(0): "
    try:
        from viztracer import VizTracer
    except ImportError:
        took = by_turns(ROUNDS, plain=plain, recorded=recorded)
        yield compared(took, "recorded", "plain", what + "record", "unrecorded", 2.7)
        yield Row(what + "record", "", "viztracer", "is not installed")
    else:

        def traced() -> VizTracer:
            tracer = VizTracer(log_async=True, verbose=0)
            tracer.start()
            plain()
            tracer.stop()
            return tracer  # to read or save what it noted would take many times longer

        took = by_turns(ROUNDS, plain=plain, recorded=recorded, traced=traced)
        yield compared(took, "recorded", "plain", what + "record", "unrecorded", 2.7)
        yield compared(took, "recorded", "traced", what + "record", "viztracer, log_async", 1.0)
        yield compared(took, "traced", "plain", what + "viztracer instead", "unrecorded")
    yield from _memory()


def _memory(lanes: int = 10_000) -> Iterator[Row]:
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
