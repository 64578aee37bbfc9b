"""The fast-forward clock, beside the same program with `sleep(0)` on a plain loop."""

import asyncio
from collections.abc import Iterator, Sequence

from helpers.clock import FastForwardLoop, simulate
from helpers.load import load_seconds
from helpers.trace import Run

from .measure import Row, by_turns, compared

LOADS = 10_000
PLAIN = "sleep(0) on a plain loop"


async def pretend_load(seconds: float) -> None:
    """What `load_data` does, its waiting time being known: drawing it would hide the clock."""
    await asyncio.sleep(seconds)


async def load_all(delays: Sequence[float]) -> None:
    limit = asyncio.Semaphore(100)

    async def load_one(seconds: float) -> None:
        async with limit:
            await pretend_load(seconds)

    await asyncio.gather(*(load_one(seconds) for seconds in delays))


def rows() -> Iterator[Row]:
    delays = [load_seconds(f"dataset{i}.csv") for i in range(1, LOADS + 1)]
    none = [0.0] * LOADS

    def plain() -> None:
        asyncio.run(load_all(none))

    def forward() -> None:
        with asyncio.Runner(loop_factory=FastForwardLoop) as runner:
            runner.run(load_all(delays))

    def simulated() -> Run:
        run = simulate(load_all, delays)
        assert f"{LOADS:,} coroutines · at most {LOADS:,} in flight" in repr(run), run
        return run

    def developed() -> Run:
        run = simulated()
        assert len(run.lanes) == LOADS
        return run

    took = by_turns(9, plain=plain, forward=forward, simulated=simulated, developed=developed)
    loads = f"{LOADS:,} loads, 100 at once: "
    yield compared(took, "forward", "plain", loads + "fast-forward loop alone", PLAIN, 1.6)
    yield compared(took, "simulated", "plain", loads + "simulate", PLAIN, 2.5)
    yield compared(took, "developed", "plain", loads + "simulate, then run.lanes", PLAIN)
