"""The micro-batcher, beside two packages that do the same: what it costs, and who pays for whom.

A batcher may also waste time by waiting while its model has nothing to do. So where a forest is
served the times for which the loop asks to sleep are added to the processor time: together they
are what the clock on the wall shows on a machine that does nothing else. BLAS has one thread.
"""

import asyncio
import gc
import logging
import selectors
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

from helpers import simulate
from helpers.world import Batcher, arrivals, open_loop, train_model

from .measure import ROUNDS, Row, by_turns, compared

SIZE = 64  # of a batch, at most
CLIENTS = 4 * SIZE  # each sends again when it has its answer: the model is never short of work
MAX_WAIT = 0.005

InferBatch = Callable[[list[Any]], Awaitable[list[Any]]]
Infer = Callable[[Any], Awaitable[Any]]
Serving = Callable[[InferBatch], AbstractAsyncContextManager[Infer]]


@asynccontextmanager
async def ours(infer_batch: InferBatch) -> AsyncIterator[Infer]:
    async with Batcher(infer_batch, max_batch_size=SIZE, max_wait=MAX_WAIT) as batcher:
        yield batcher.infer


@asynccontextmanager
async def batched(infer_batch: InferBatch) -> AsyncIterator[Infer]:
    from batched.aio import dynamically

    yield dynamically(infer_batch, batch_size=SIZE, timeout_ms=1000 * MAX_WAIT)


@asynccontextmanager
async def async_batcher(infer_batch: InferBatch) -> AsyncIterator[Infer]:
    from async_batcher.batcher import AsyncBatcher

    class Served(AsyncBatcher[Any, Any]):
        async def process_batch(self, batch: list[Any]) -> list[Any]:
            return await infer_batch(batch)

    served = Served(max_batch_size=SIZE, max_queue_time=MAX_WAIT)
    try:
        yield served.process
    finally:
        await served.stop(force=True)


def packages() -> dict[str, Serving | None]:
    """Those beside ours, by name; None for one that is not installed."""
    found: dict[str, Serving | None] = {}
    for name, serving in (("batched", batched), ("async_batcher", async_batcher)):
        try:
            __import__(name)
            found[name] = serving
        except ImportError:
            found[name] = None
    return found


async def serve(serving: Serving, infer_batch: InferBatch, inputs: Sequence[Any]) -> None:
    numbers = iter(range(len(inputs)))

    async def client(infer: Infer) -> None:
        for number in numbers:
            answers[number] = await infer(inputs[number])

    answers: list[Any] = [None] * len(inputs)
    async with serving(infer_batch) as infer:
        await asyncio.gather(*(client(infer) for _ in range(CLIENTS)))
    assert None not in answers


class CountedSleep(selectors.DefaultSelector):
    """Where a loop sleeps; it adds up for how long, in seconds."""

    seconds = 0.0

    def select(self, timeout: float | None = None) -> Any:
        CountedSleep.seconds += timeout or 0.0
        return super().select(timeout)


def worked_or_slept() -> float:
    return time.process_time() + CountedSleep.seconds


def served(serving: Serving, infer_batch: InferBatch, inputs: Sequence[Any]) -> None:
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(CountedSleep())) as runner:
        runner.run(serve(serving, infer_batch, inputs))


def rows(rounds: int = ROUNDS, images: int = 8_192, requests: int = 20_000) -> Iterator[Row]:
    from threadpoolctl import threadpool_limits

    beside = packages()
    logging.disable(logging.CRITICAL)  # one of them reports each failed batch on stderr
    try:
        with threadpool_limits(1):
            yield from _of_a_forest(rounds, images, beside)
        yield from _of_nothing(rounds, requests, beside)
        yield from _of_simulations(rounds)
        yield from _of_eight(beside)
        gc.collect()  # a task of one of them that failed unseen says so when it goes
    finally:
        logging.disable(logging.NOTSET)


def _of_a_forest(rounds: int, count: int, beside: dict[str, Serving | None]) -> Iterator[Row]:
    import numpy as np
    from sklearn.datasets import load_digits

    digits = load_digits().data
    images = digits[np.arange(count) % len(digits)]
    model = train_model()

    async def infer_batch(batch: list[Any]) -> list[Any]:
        return list(model.predict(np.array(batch)))

    def raw() -> None:
        for at in range(0, count, SIZE):
            model.predict(images[at : at + SIZE])

    works = {"raw": raw, "ours": partial(served, ours, infer_batch, images)}
    for name, serving in beside.items():
        if serving:
            works[name] = partial(served, serving, infer_batch, images)
    took = by_turns(rounds, clock=worked_or_slept, **works)
    what = f"{count:,} images, a forest, batches of {SIZE}"
    yield compared(took, "ours", "raw", what, "the forest alone, as such", 1 / 0.85)
    for name, goal in (("batched", 1 / 1.2), ("async_batcher", 1.0)):
        if name in took:
            yield compared(took, "ours", name, what, name, goal)
            yield compared(took, name, "raw", f"{name} instead", "the forest alone, as such")
        else:
            yield Row(what, "", name, "is not installed")


def _of_nothing(rounds: int, count: int, beside: dict[str, Serving | None]) -> Iterator[Row]:
    async def infer_batch(batch: list[Any]) -> list[Any]:
        return batch

    inputs = range(count)
    works = {"ours": partial(served, ours, infer_batch, inputs)}
    for name, serving in beside.items():
        if serving:
            works[name] = partial(served, serving, infer_batch, inputs)
    took = by_turns(rounds, **works)
    what = f"{count:,} requests, an empty model"
    for name, goal in (("batched", 0.5), ("async_batcher", None)):
        if name in took:
            yield compared(took, "ours", name, what, name, goal)
        else:
            yield Row(what, "", name, "is not installed")


def _of_simulations(rounds: int, count: int = 2_000) -> Iterator[Row]:
    async def infer_batch(batch: list[Any]) -> list[Any]:
        await asyncio.sleep(0.003 + 0.0001 * len(batch))
        return batch

    async def main() -> None:
        async with ours(infer_batch) as infer:
            sent = await open_loop(infer, times)
        assert all(each.outcome == "ok" for each in sent)

    times = arrivals(3_000, count=count)
    took = by_turns(
        rounds,
        filmed=lambda: simulate(main).result,
        unfilmed=lambda: simulate(main, film=False).result,
    )
    what = f"{count:,} requests on the fast clock, film=False"
    yield compared(took, "unfilmed", "filmed", what, "filmed", 0.6)


def _of_eight(beside: dict[str, Serving | None]) -> Iterator[Row]:
    for trouble in ("cancelled", "bad"):
        what = f"8 callers in a batch, one {trouble}: the others right"
        right = asyncio.run(_others_right(ours, trouble))
        assert right == 7, f"{what}: {right}"
        for name, serving in beside.items():
            other = f"{asyncio.run(_others_right(serving, trouble))} of 7" if serving else ""
            yield Row(what, f"{right} of 7", name, other or "is not installed")


async def _others_right(serving: Serving, trouble: str) -> int:
    """How many of seven get the right answer, where an eighth leaves or sends what is bad."""

    async def infer_batch(batch: list[Any]) -> list[Any]:
        await asyncio.sleep(0.05)
        if "bad" in batch:
            raise ValueError("bad")
        return [-x for x in batch]

    async with serving(infer_batch) as infer:
        inputs = [0, 1, "bad" if trouble == "bad" else 2, 3, 4, 5, 6, 7]
        callers = [asyncio.ensure_future(infer(x)) for x in inputs]
        await asyncio.sleep(MAX_WAIT + 0.02)
        if trouble == "cancelled":
            callers[2].cancel()  # while its batch runs
        _, left = await asyncio.wait(callers, timeout=1.0)
        for caller in left:
            caller.cancel()
        ends = await asyncio.gather(*callers, return_exceptions=True)
    return sum(end == -x for x, end in enumerate(ends) if x != 2)
