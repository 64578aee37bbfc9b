"""The fast-forward clock, beside the same program with `sleep(0)` on a plain loop."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from helpers import Run, load_data, simulate
from helpers.camera import FastForwardLoop
from helpers.world import load_seconds

from .measure import ROUNDS, Row, by_turns, compared

PLAIN = "sleep(0) on a plain loop"

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
    assert run.max_in_flight == len(items), run
    return run


def rows(rounds: int = ROUNDS, loads: int = 10_000) -> Iterator[Row]:
    files = [f"dataset{i}.csv" for i in range(1, loads + 1)]
    seconds = [load_seconds(path) for path in files]
    took = by_turns(
        rounds,
        plain=lambda: plain(load_at_once, files),
        forward=lambda: forward(load_data, files),
        simulated=lambda: simulated(load_data, files),
        developed=lambda: len(simulated(load_data, files).lanes),
        bare_plain=lambda: plain(wait, [0.0] * loads),
        bare_forward=lambda: forward(wait, seconds),
        bare_simulated=lambda: simulated(wait, seconds),
    )
    each, bare = f"{loads:,} load_data, 100 at once: ", f"{loads:,} bare sleeps, 100 at once: "
    yield compared(took, "forward", "plain", each + "fast-forward loop", PLAIN, 1.6)
    yield compared(took, "simulated", "plain", each + "simulate", PLAIN, 2.2)
    yield compared(took, "developed", "plain", each + "simulate, run.lanes", PLAIN)
    # Without the drawing of waiting times, which takes both sides as long: the clock laid bare.
    yield compared(took, "bare_forward", "bare_plain", bare + "fast-forward loop", PLAIN)
    yield compared(took, "bare_simulated", "bare_plain", bare + "simulate", PLAIN)
