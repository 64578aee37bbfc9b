"""The fast-forward clock, beside the same program with `sleep(0)` on a plain loop."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from helpers import load_data, simulate
from helpers.camera.clock import FastForwardLoop
from helpers.camera.run import Run
from helpers.world.load import load_seconds

from .measure import ROUNDS, Row, by_turns, compared

LOADS = 10_000
PLAIN = "sleep(0) on a plain loop"
FILES = [f"dataset{i}.csv" for i in range(1, LOADS + 1)]
SECONDS = [load_seconds(path) for path in FILES]
NONE = [0.0] * LOADS

T = TypeVar("T")
Load = Callable[[T], Coroutine[Any, Any, object]]


async def load_at_once(path: str) -> str:
    """What `load_data` does, but for waiting."""
    load_seconds(path)
    await asyncio.sleep(0)
    return f"{Path(path).stem} images"


async def wait(seconds: float) -> None:
    await asyncio.sleep(seconds)


async def load_all(load: Load[T], items: Sequence[T]) -> None:
    limit = asyncio.Semaphore(100)

    async def load_one(item: T) -> None:
        async with limit:
            await load(item)

    await asyncio.gather(*(load_one(item) for item in items))


def plain(load: Load[T], items: Sequence[T]) -> None:
    asyncio.run(load_all(load, items))


def forward(load: Load[T], items: Sequence[T]) -> None:
    with asyncio.Runner(loop_factory=FastForwardLoop) as runner:
        runner.run(load_all(load, items))


def simulated(load: Load[T], items: Sequence[T]) -> Run:
    run = simulate(load_all, load, items)
    assert f"{LOADS:,} lanes · at most {LOADS:,} in flight" in repr(run), run
    return run


def developed() -> int:
    return len(simulated(load_data, FILES).lanes)


def rows() -> Iterator[Row]:
    took = by_turns(
        ROUNDS,
        plain=lambda: plain(load_at_once, FILES),
        forward=lambda: forward(load_data, FILES),
        simulated=lambda: simulated(load_data, FILES),
        developed=developed,
        bare_plain=lambda: plain(wait, NONE),
        bare_forward=lambda: forward(wait, SECONDS),
        bare_simulated=lambda: simulated(wait, SECONDS),
    )
    loads, bare = f"{LOADS:,} load_data, 100 at once: ", f"{LOADS:,} bare sleeps, 100 at once: "
    yield compared(took, "forward", "plain", loads + "fast-forward loop", PLAIN, 1.6)
    yield compared(took, "simulated", "plain", loads + "simulate", PLAIN, 2.5)
    yield compared(took, "developed", "plain", loads + "simulate, run.lanes", PLAIN)
    # Without the drawing of waiting times, which takes both sides as long: the clock laid bare.
    yield compared(took, "bare_forward", "bare_plain", bare + "fast-forward loop", PLAIN)
    yield compared(took, "bare_simulated", "bare_plain", bare + "simulate", PLAIN)
