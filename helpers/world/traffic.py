"""Traffic: requests that come by themselves, clients that wait their turn, and what they saw."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, NamedTuple

__all__ = ["Sent", "arrivals", "closed_loop", "open_loop", "percentile"]


class Sent(NamedTuple):
    """What became of one request."""

    at: float
    """When it was meant to be sent, in seconds since the start."""
    seconds: float
    """From that moment to its end."""
    outcome: str
    """`ok`, or the class of the error that it ended with, such as `Overloaded`."""


def arrivals(
    rate: float, *, count: int | None = None, seconds: float = float("inf"), seed: int = 5810
) -> list[float]:
    """Draw when requests arrive that know nothing of each other: a Poisson process.

    Parameters
    ----------
    rate
        How many come in a second, on average.
    count, seconds
        Where to stop: after so many, or at that time; one of them must be given.
    seed
        Another seed is another day.

    Returns
    -------
    list of float
        Seconds since the start, ascending.

    Raises
    ------
    ValueError
        If `rate` is not above 0, or nothing says where to stop.

    Examples
    --------
    >>> [round(time, 2) for time in arrivals(10, count=4)]
    [0.03, 0.08, 0.09, 0.12]
    """
    if not 0 < rate < float("inf") or (count is None and not 0 <= seconds < float("inf")):
        raise ValueError(
            f"arrivals() wants a rate above 0, and a count or seconds to stop at: {rate=}, "
            f"{count=}, {seconds=}"
        )
    draw, now, times = random.Random(seed), 0.0, list[float]()
    while (now := now + draw.expovariate(rate)) < seconds and len(times) != count:
        times.append(now)
    return times


async def open_loop(
    send: Callable[[int], Coroutine[Any, Any, object]], times: Iterable[float]
) -> list[Sent]:
    """Send requests at given times, whether or not those before have been answered.

    So do the callers of a service: they do not know that it is slow. Each wait is counted from the
    time at which the request was *meant* to be sent; a generator that was held up hides nothing.

    Parameters
    ----------
    send
        A coroutine function, called with the number of the request, from 0 on.
    times
        Seconds since the start, ascending, as from `arrivals`.

    Returns
    -------
    list of Sent
        One for each request, in the order in which they ended.

    Examples
    --------
    A service that answers one after the other, and stalls at the first:

    >>> from helpers import simulate
    >>> async def main():
    ...     service = asyncio.Lock()
    ...     async def send(number):
    ...         async with service:
    ...             await asyncio.sleep(2.0 if number == 0 else 0.1)
    ...     return await open_loop(send, [0.0, 0.5, 1.0])
    >>> [round(sent.seconds, 2) for sent in simulate(main).result]
    [2.0, 1.6, 1.2]
    """
    loop = asyncio.get_running_loop()
    start, done = loop.time(), list[Sent]()
    async with asyncio.TaskGroup() as group:
        for number, at in enumerate(times):
            await asyncio.sleep(start + at - loop.time())
            group.create_task(_send(send, number, start, at, done))
    return done


async def closed_loop(
    send: Callable[[int], Coroutine[Any, Any, object]], *, clients: int, count: int
) -> list[Sent]:
    """Send requests by so many clients, each of which waits for its answer before it sends again.

    When the service stalls these wait with it, and send nothing: what others would have seen
    meanwhile is not measured.

    Parameters
    ----------
    send
        A coroutine function, called with the number of the request, from 0 on.
    clients
        How many requests are under way at a time.
    count
        How many there are in all.

    Returns
    -------
    list of Sent
        One for each request, in the order in which they ended.

    Examples
    --------
    The same service, which one client alone sees stall once:

    >>> from helpers import simulate
    >>> async def send(number):
    ...     await asyncio.sleep(2.0 if number == 0 else 0.1)
    >>> run = simulate(closed_loop, send, clients=1, count=3)
    >>> [round(sent.seconds, 2) for sent in run.result]
    [2.0, 0.1, 0.1]
    """
    loop = asyncio.get_running_loop()
    start, done, numbers = loop.time(), list[Sent](), iter(range(count))

    async def client() -> None:
        for number in numbers:
            await _send(send, number, start, loop.time() - start, done)

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(client())
    return done


async def _send(
    send: Callable[[int], Coroutine[Any, Any, object]],
    number: int,
    start: float,
    at: float,
    done: list[Sent],
) -> None:
    outcome = "ok"
    try:
        await send(number)
    except (Exception, asyncio.CancelledError) as error:
        if (task := asyncio.current_task()) is not None and task.cancelling():
            raise  # it is the loop that is cancelled, not what it sent
        outcome = type(error).__name__
    done.append(Sent(at, asyncio.get_running_loop().time() - start - at, outcome))


def percentile(values: Sequence[float], q: float) -> float:
    """Return the smallest of the values that at least q percent of them do not exceed.

    It is always one of the values: of 100 waits the 99th percentile is the second longest.

    Parameters
    ----------
    values
        At least one number, in any order.
    q
        From 0 to 100.

    Raises
    ------
    ValueError
        If there is no value, or no such percentage.

    Examples
    --------
    >>> waits = [0.010] * 98 + [2.0, 3.0]
    >>> percentile(waits, 50), percentile(waits, 99), percentile(waits, 100)
    (0.01, 2.0, 3.0)
    """
    import numpy as np

    if not len(values):
        raise ValueError("percentile() wants at least one value, and saw none")
    return float(np.percentile(values, q, method="inverted_cdf"))
