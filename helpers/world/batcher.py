"""A micro-batcher: many callers, one model, and each caller gets its own answer or its own error.

A model that is given 64 inputs in one call is often hardly slower than with one. So requests wait
a moment for company, share a call, and part again: one future a request.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence, Sized
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["BatchFailed", "Batcher", "Closed", "DeadlinePassed", "Overloaded"]

_X = TypeVar("_X")
_Y = TypeVar("_Y")


class Overloaded(RuntimeError):
    """A request was refused, since as many wait already as may wait."""


class Closed(RuntimeError):
    """A request was not answered, since the batcher takes no more, or has ended."""


class DeadlinePassed(TimeoutError):
    """A request was not answered by the deadline that came with it."""


class BatchFailed(RuntimeError):
    """A call of `infer_batch` failed, nobody knows by whose input."""


# A worker that ends with one of these has told its loop, which raises them itself.
_LEFT_ALREADY = (asyncio.CancelledError, KeyboardInterrupt, SystemExit)


@dataclass(slots=True, eq=False)
class _Request(Generic[_X, _Y]):
    x: _X
    answer: asyncio.Future[_Y]
    due: float  # when it has waited for company long enough
    deadline: float | None

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)

    def expire(self) -> None:
        self.fail(DeadlinePassed("the deadline of this request passed before it was answered"))

    def is_wanted(self, now: float) -> bool:
        """Whether its caller still waits for the answer."""
        if self.deadline is not None and self.deadline <= now:
            self.expire()  # its timer may be late
        return not self.answer.done()


class Batcher(Generic[_X, _Y]):
    """Gathers single requests into batches for one model, while it is entered.

    A batch is run when a worker is free, and the batch is full or its oldest request has waited
    for `max_wait`. At the end of its block the batcher answers all that it has accepted, and
    refuses what comes later. If an error ends the block, what is not yet answered is `Closed` too.

    Parameters
    ----------
    infer_batch
        A coroutine function that turns a list of n inputs into n answers, in their order. When it
        raises, the batch is halved until the input at fault is alone: its sender gets that error.
    max_batch_size
        The most inputs in one call.
    max_wait
        Seconds that the oldest request waits for company.
    max_queue
        How many requests may wait to be run; one more is refused.
    workers
        How many batches may run at a time.
    max_extra_calls
        The most further calls for a batch that fails, two for each halving: 32 tell any culprits
        among 16 inputs apart, and three among 64. Those still together then get `BatchFailed`.

    Raises
    ------
    ValueError
        If one of these numbers is too low.

    Examples
    --------
    >>> async def double(batch):
    ...     print("a batch of", len(batch))
    ...     return [2 * x for x in batch]
    >>> async def main():
    ...     async with Batcher(double, max_batch_size=3, max_wait=0.01) as batcher:
    ...         return await asyncio.gather(*(batcher.infer(x) for x in range(5)))
    >>> asyncio.run(main())
    a batch of 3
    a batch of 2
    [0, 2, 4, 6, 8]
    """

    def __init__(
        self,
        infer_batch: Callable[[list[_X]], Awaitable[Sequence[_Y]]],
        *,
        max_batch_size: int = 32,
        max_wait: float = 0.005,
        max_queue: int = 1_000,
        workers: int = 1,
        max_extra_calls: int = 32,
    ) -> None:
        if not (
            min(max_batch_size, max_queue, workers) >= 1 and min(max_wait, max_extra_calls) >= 0
        ):
            raise ValueError(
                "max_batch_size, max_queue and workers must be at least 1, max_wait and "
                f"max_extra_calls at least 0, not {max_batch_size}, {max_queue}, {workers}, "
                f"{max_wait} and {max_extra_calls}"
            )
        self.infer_batch = infer_batch
        self.max_batch_size, self.max_wait, self.max_queue = max_batch_size, max_wait, max_queue
        self.workers, self.max_extra_calls = workers, max_extra_calls
        self._queue: deque[_Request[_X, _Y]] = deque()
        self._closed = "it is not open: write `async with Batcher(...) as batcher:`"

    async def infer(self, x: _X, *, deadline: float | None = None) -> _Y:
        """Return the model's answer to one input.

        Parameters
        ----------
        x
            One of the inputs of `infer_batch`.
        deadline
            When the answer is worth nothing any more, by the loop's clock: ``loop.time() + 0.2``.

        Raises
        ------
        Overloaded, Closed
            If the request is refused; the text says why.
        DeadlinePassed
            If there is no answer by then. A request that has not begun to run is not run.
        BatchFailed
            If its batch failed, and nobody knows by whose input.
        Exception
            Whatever `infer_batch` raises for this very input.
        """
        if self._closed:
            raise Closed(self._closed)
        waiting = len(self._queue) + 1
        if waiting > self.max_queue:
            raise Overloaded(f"{self.max_queue} requests wait already, and no more may: try later")
        loop = self._loop
        due, answer = loop.time() + self.max_wait, loop.create_future()
        request: _Request[_X, _Y] = _Request(x, answer, due, deadline)
        timer = None if deadline is None else loop.call_at(deadline, request.expire)
        self._queue.append(request)
        if waiting == 1 or waiting == self.max_batch_size:  # any other changes nothing
            self._news.set()
        try:
            return await request.answer
        except (asyncio.CancelledError, DeadlinePassed):
            with suppress(ValueError):  # it may be running
                self._queue.remove(request)
            raise
        finally:
            if timer is not None:
                timer.cancel()
            del request  # it holds the error, which holds this frame

    async def __aenter__(self) -> Batcher[_X, _Y]:
        self._loop, self._news, self._closed = asyncio.get_running_loop(), asyncio.Event(), ""
        names = [f"worker {number}" for number in range(1, self.workers + 1)]
        self._tasks = [asyncio.create_task(self._work(), name=name) for name in names]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._closed = self._closed or "it is closing: it only answers what it has accepted"
        self._news.set()
        try:
            if kind is None:
                await asyncio.wait(self._tasks)
        finally:
            self._refuse("it has ended" if kind is None else f"{kind.__name__} has ended it")
            for task in self._tasks:
                task.cancel()
            ends = await asyncio.gather(*self._tasks, return_exceptions=True)
            self._tasks.clear()
        for error in ends:
            if error is not None and not isinstance(error, _LEFT_ALREADY):
                raise error

    def _refuse(self, reason: str, running: Sequence[_Request[_X, _Y]] = ()) -> None:
        """From now on answer nobody."""
        self._closed = reason
        for request in (*running, *self._queue):
            request.fail(Closed(reason))
        self._queue.clear()
        self._news.set()

    async def _work(self) -> None:
        batch: list[_Request[_X, _Y]] = []
        try:
            while batch := await self._next_batch():
                await self._answer(batch)
        except BaseException as error:
            self._refuse(self._closed or f"{type(error).__name__} has ended its worker", batch)
            raise

    async def _next_batch(self) -> list[_Request[_X, _Y]]:
        """Wait until it is full or its oldest request has waited long enough; empty is the end."""
        while len(self._queue) < self.max_batch_size and not self._closed:
            timer = None
            if self._queue:
                if (due := self._queue[0].due) <= self._loop.time():
                    break
                timer = self._loop.call_at(due, self._news.set)
            self._news.clear()
            try:
                await self._news.wait()
            finally:
                if timer is not None:
                    timer.cancel()
        return [self._queue.popleft() for _ in range(min(len(self._queue), self.max_batch_size))]

    async def _answer(self, batch: list[_Request[_X, _Y]]) -> None:
        """Run a batch, and the halves of what fails, until each has its answer or its error."""
        parts, calls_left = deque([batch]), self.max_extra_calls
        while parts:
            now = self._loop.time()
            part = [request for request in parts.popleft() if request.is_wanted(now)]
            if not part:
                continue
            answers, error = await self._call([request.x for request in part])
            if error is None:
                for request, answer in zip(part, answers, strict=True):
                    if not request.answer.done():
                        request.answer.set_result(answer)
            elif len(part) == 1:
                part[0].fail(error)
            elif calls_left >= 2 and not isinstance(error, BatchFailed):
                calls_left -= 2
                half = len(part) // 2
                parts += part[:half], part[half:]
            else:
                for request in part:  # to each one of its own
                    failed = BatchFailed(f"a batch of {len(part)} failed: {error}")
                    failed.__cause__ = error
                    request.fail(failed)

    async def _call(self, inputs: list[_X]) -> tuple[Sequence[_Y], Exception | None]:
        """Return answers, or an error: its traceback holds this frame, and with it no request."""
        try:
            answers = await self.infer_batch(inputs)
        except Exception as error:
            return (), error
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise  # it is the worker that is cancelled
            return (), BatchFailed("infer_batch was cancelled, though not by the batcher")
        seen = len(answers) if isinstance(answers, Sized) else f"a {type(answers).__name__} as"
        if seen != len(inputs):
            return (), BatchFailed(
                f"infer_batch returned {seen} answers to {len(inputs)} inputs: "
                "it must return a list of one answer for each, in their order"
            )
        return answers, None
