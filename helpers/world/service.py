"""How a service behaves: how long it takes, when it fails, and whom it refuses.

The course's server runs this behind HTTP. The same object runs on the fast clock, where it is the
server's twin: what is predicted there can be measured here.
"""

from __future__ import annotations

import asyncio
import functools
import math
import random
from collections import Counter
from dataclasses import dataclass, field

__all__ = ["Bucket", "Refused", "Service"]

_SLOWER = 0.15  # of the usual time, for each one above the capacity: as in notebook 05
_ROUNDING = 1e-9  # whoever waits as long as he was told to is not refused for a rounding error


class Refused(Exception):
    """The service says no: ``status`` as in HTTP, and ``retry_after`` in seconds if it tells."""

    def __init__(self, status: int, why: str, retry_after: int | None = None) -> None:
        super().__init__(f"{status}: {why}")
        self.status, self.why, self.retry_after = status, why, retry_after


class Bucket:
    """A token bucket: it holds `size`, and `rate` come back each second of the loop's time.

    Examples
    --------
    >>> async def main():
    ...     bucket = Bucket(rate=2, size=1)
    ...     bucket.take()
    ...     return round(bucket.wait(), 1)
    >>> asyncio.run(main())
    0.5
    """

    def __init__(self, rate: float, size: float) -> None:
        self.rate, self.size = rate, size
        self._level, self._seen = size, -math.inf

    def level(self) -> float:
        """How much is in it."""
        now = asyncio.get_running_loop().time()
        self._level = min(self.size, self._level + (now - self._seen) * self.rate)
        self._seen = now
        return self._level

    def wait(self, cost: float = 1) -> float:
        """Tell how many seconds are missing until `cost` can be taken; 0 if none are.

        What costs more than the bucket holds can be taken from a full one, which then owes the
        rest: so nothing waits for ever.
        """
        missing = min(cost, self.size) - self.level()
        return missing / self.rate if missing > _ROUNDING else 0.0

    def take(self, cost: float = 1) -> None:
        """Take `cost`, whether or not there is as much."""
        self._level = self.level() - cost


@dataclass
class Service:
    """A service whose answers take time, by the name and by how many are inside.

    Parameters
    ----------
    latency
        From the shortest to the longest time of a name alone, in seconds: mostly near the
        shortest, for a few stragglers near the longest.
    capacity
        So many together are served without a loss. Each one above makes a newcomer's answer
        take 15 % longer.
    error_rate
        The share of answers that are an error 503. Name and attempt decide which.
    rate
        So many requests a second are let in, after as many at the start; others get an error 429
        at once, with the whole seconds after which to try again.
    seed
        Another seed is another service: the same names, other times and errors.

    Attributes
    ----------
    inside, most
        How many are inside now, and how many were at most.
    counts
        The answers by status; ``'left'`` are clients that did not wait.

    Examples
    --------
    >>> service = Service(latency=(0.08, 0.24), capacity=10)
    >>> service.seconds("dataset1.csv", inside=1), service.seconds("dataset1.csv", inside=20)
    (0.186, 0.466)

    On the fast clock it is the twin of a server with the same settings:

    >>> from helpers import simulate
    >>> async def main():
    ...     await asyncio.gather(*(service.answer("dataset1.csv") for _ in range(20)))
    >>> simulate(main).seconds
    0.466
    """

    latency: tuple[float, float] = (0.08, 0.24)
    capacity: int = 10
    error_rate: float = 0.0
    rate: float | None = None
    seed: int = 5810
    inside: int = field(default=0, init=False)
    most: int = field(default=0, init=False)
    counts: Counter[str] = field(default_factory=Counter, init=False, repr=False)
    _attempts: Counter[str] = field(default_factory=Counter, init=False, repr=False)

    def __post_init__(self) -> None:
        times = self.latency
        pair = isinstance(times, tuple | list) and len(times) == 2
        if not (pair and 0 <= times[0] <= times[1] < math.inf):
            raise ValueError(f"latency={times}: give two times in seconds, as in (0.08, 0.24)")
        if self.capacity < 1:
            raise ValueError(f"capacity={self.capacity}: give a whole number from 1 on")
        if not 0 <= self.error_rate <= 1:
            raise ValueError(f"error_rate={self.error_rate}: give a share, from 0 to 1")
        if self.rate is not None and not 0 < self.rate < math.inf:
            raise ValueError(f"rate={self.rate}: give requests a second, or None for no limit")
        self._bucket = Bucket(self.rate, max(1.0, self.rate)) if self.rate else None

    def seconds(self, name: str, inside: int = 1) -> float:
        """Tell how long the answer for `name` takes, if it then is one of `inside`."""
        low, high = self.latency
        alone = low + (high - low) * _draw(f"{self.seed} service {name}") ** 2
        return round(alone * (1 + _SLOWER * max(0, inside - self.capacity)), 3)

    def fails(self, name: str, attempt: int) -> bool:
        """Tell whether the answer for `name` is an error, at the first attempt, second, and so on.

        >>> [Service(error_rate=0.5).fails("dataset1.csv", attempt) for attempt in (1, 2, 3, 4)]
        [True, True, True, False]
        """
        return _draw(f"{self.seed} error {name} {attempt}") < self.error_rate

    async def answer(self, name: str) -> float:
        """Take the time of an answer, and return it.

        Raises
        ------
        Refused
            With the status 429 at once, or 503 when the time is over.
        """
        if self._bucket is not None:
            if wait := self._bucket.wait():
                self.counts["429"] += 1
                why = f"more than {self.rate:g} requests a second: wait, then try again"
                raise Refused(429, why, math.ceil(wait))
            self._bucket.take()
        self._attempts[name] += 1
        attempt = self._attempts[name]
        self.inside += 1
        self.most = max(self.most, self.inside)
        seconds = self.seconds(name, self.inside)
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.counts["left"] += 1
            raise
        finally:
            self.inside -= 1
        if self.fails(name, attempt):
            self.counts["503"] += 1
            raise Refused(503, f"attempt {attempt} for {name} failed here: try again")
        self.counts["200"] += 1
        return seconds


@functools.lru_cache(4096)
def _draw(key: str) -> float:
    """Draw a number from 0 to 1 that is always the same for this key."""
    return random.Random(key).random()
