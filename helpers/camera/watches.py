"""What the clock says to a program that is simulated: wherever it looks, it is the run's own time.

In place of the functions of `time` that tell the time or sleep, of `datetime.now`, and of a lock
that waits for so long, there are ones that ask the running loop; outside of a simulation they do
what they always do. They are put in place by `substitutes`.
"""

from __future__ import annotations

import asyncio
import datetime
import functools
import operator
import os
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from .chain import is_own
from .cpython import trim_source_traceback
from .fastforward import FastForwardLoop
from .trace import busy_now

__all__ = ["ON_THE_CLOCK", "SimulatedLoop", "hold", "running_simulation"]

_FREE_LOOKS = 1_000  # at the clock: in one step, or in turns without any time passing
_LOOK, _TURN = 1e-6, 1e-4  # seconds: what a look costs after that, of each kind
_real_sleep, _real_times = time.sleep, os.times
_TOO_LONG = 2**63 / 1e9  # seconds that `time.sleep` refuses


class SimulatedLoop(FastForwardLoop):
    """A fast-forward loop whose clock a program may poll.

    Looking costs nothing, so that numbers are exact. But who looks again and again for some time to
    have passed must see it pass: after a thousand looks each costs what it may cost in life.
    """

    def __init__(self) -> None:
        self.day = float(int(time.time()))  # whole seconds, so that differences are exact
        self._asked = self._asked_in = self._looks = 0
        self._looked_in: Any = None
        super().__init__()

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        """Set a timer; it is not the program that looks at the clock for it."""
        timer = self.call_at(self.now + delay, callback, *args, context=context)
        trim_source_traceback(timer)
        return timer

    def time(self) -> float:
        """Return the run's time, also to a step that does nothing but ask for it."""
        self._asked += 1
        if self._asked > _FREE_LOOKS:
            self._asked_again(sys._getframe(1))
        return self.now

    def _asked_again(self, frame: FrameType) -> None:
        """Somebody asks for the thousandth time: asyncio itself, or one who polls."""
        if self._asked_in != self.turns:
            self._asked_in, self._asked = self.turns, 0
        elif is_own(frame.f_code):
            self.look(frame)

    def look(self, frame: FrameType) -> float:
        """Return what a clock shows to the call in `frame`: the run's time."""
        step = self.turns, id(asyncio.current_task(self))
        if step != self._looked_in:
            self._looked_in, self._looks = step, 0
            if self.turns - self.last_turn_with_time > _FREE_LOOKS and is_own(frame.f_code):
                self.now += _TURN
        self._looks += 1
        if self._looks > _FREE_LOOKS and is_own(frame.f_code):
            self.now += _LOOK
        return self.now


def running_simulation() -> FastForwardLoop | None:
    """Return the fast-forward loop that runs in this thread, if one does."""
    loop = asyncio._get_running_loop()
    return loop if isinstance(loop, FastForwardLoop) else None


def hold(loop: FastForwardLoop, seconds: float, frame: Any) -> None:
    """Move the clock on while the call in `frame` holds the loop."""
    start = loop.now
    loop.now = start + seconds
    busy_now(frame, start, loop.now)


# --- What tells the time -----------------------------------------------------------------------


def _clock(real: Callable[[], Any], *, date: bool = False, whole: bool = False) -> Any:
    """Return a clock that shows the run's time inside a simulation, and the real one elsewhere.

    It shows seconds of the present `date`, or since the start of the run; or `whole` nanoseconds.
    """

    @functools.wraps(real)
    def clock() -> Any:
        loop = asyncio._get_running_loop()
        if not isinstance(loop, SimulatedLoop):
            return real()
        now, day = loop.look(sys._getframe(1)), loop.day * date
        return int(day) * 10**9 + round(now * 1e9) if whole else day + now

    return clock


def _calendar(real: Callable[..., Any], at: int = 0, form: Callable[[float], Any] = float) -> Any:
    """Return `real`, whose argument number `at` is by default the present moment of the run."""

    @functools.wraps(real)
    def calendar(*args: Any) -> Any:
        loop = asyncio._get_running_loop()
        if isinstance(loop, SimulatedLoop) and (len(args) <= at or args[at] is None):
            return real(*args[:at], form(loop.day + loop.look(sys._getframe(1))))
        return real(*args)

    return calendar


def _sleep(seconds: float, /) -> None:
    loop = running_simulation()
    if not isinstance(seconds, int | float) and hasattr(type(seconds), "__index__"):
        seconds = operator.index(seconds)
    if loop is None or not isinstance(seconds, int | float) or not 0 <= seconds < _TOO_LONG:
        _real_sleep(seconds)  # which says what is wrong with it
    else:
        hold(loop, seconds, sys._getframe(1))


_LOCK = type(threading.Lock())


def _acquiring(real: Any) -> Any:
    """Return the method of a lock; inside a simulation its timeout passes on the run's clock."""

    @functools.wraps(real)
    def acquire(lock: Any, blocking: bool = True, timeout: float = -1) -> Any:
        loop = running_simulation()
        frame = sys._getframe(1)
        if loop is None or not 0 < timeout < threading.TIMEOUT_MAX or not is_own(frame.f_code):
            return real(lock, blocking, timeout)
        if taken := real(lock, False):
            return taken
        if blocking is not True:
            return real(lock, blocking, timeout)  # which says what is wrong with it
        hold(loop, timeout, frame)
        return False

    return acquire


_DATES = ("REALTIME", "TAI")
_SINCE_THE_START = ("MONOTONIC", "MONOTONIC_RAW", "BOOTTIME", "UPTIME_RAW")
_NUMBERED = {  # whether it shows a date; those that tell of computing stay as they are
    getattr(time, f"CLOCK_{name}", None): name in _DATES for name in (*_DATES, *_SINCE_THE_START)
}


def _clock_gettime(real: Any, *, whole: bool) -> Any:
    """Return a clock that is named by a number; it shows seconds or `whole` nanoseconds."""

    @functools.wraps(real)
    def gettime(number: int) -> Any:
        loop = asyncio._get_running_loop()
        if not isinstance(loop, SimulatedLoop) or number not in _NUMBERED:
            return real(number)
        now, day = loop.look(sys._getframe(1)), loop.day * _NUMBERED[number]
        return int(day) * 10**9 + round(now * 1e9) if whole else day + now

    return gettime


def _times() -> Any:
    loop = asyncio._get_running_loop()
    if not isinstance(loop, SimulatedLoop):
        return _real_times()
    return os.times_result((*_real_times()[:4], loop.look(sys._getframe(1))))


_OF_TIME = {
    "sleep": functools.wraps(time.sleep)(_sleep),
    "monotonic": _clock(time.monotonic),
    "perf_counter": _clock(time.perf_counter),
    "time": _clock(time.time, date=True),
    "monotonic_ns": _clock(time.monotonic_ns, whole=True),
    "perf_counter_ns": _clock(time.perf_counter_ns, whole=True),
    "time_ns": _clock(time.time_ns, date=True, whole=True),
    **{
        name: _clock_gettime(getattr(time, name), whole=name.endswith("ns"))
        for name in ("clock_gettime", "clock_gettime_ns")
        if hasattr(time, name)  # not on Windows
    },
    "ctime": _calendar(time.ctime),
    "gmtime": _calendar(time.gmtime),
    "localtime": _calendar(time.localtime),
    "asctime": _calendar(time.asctime, form=time.localtime),
    "strftime": _calendar(time.strftime, at=1, form=time.localtime),
}


def _present(kind: Any, name: str, read: Callable[..., Any]) -> Any:
    """Return a class method of `datetime` that shows the run's time inside a simulation."""
    real = kind.__dict__[name]

    def present(cls: Any, *args: Any, **kwargs: Any) -> Any:
        loop = asyncio._get_running_loop()
        if not isinstance(loop, SimulatedLoop):
            return real.__get__(None, cls)(*args, **kwargs)
        return read(cls, loop.day + loop.look(sys._getframe(1)), *args, **kwargs)

    return classmethod(functools.wraps(getattr(kind, name))(present))


def _now(cls: Any, seconds: float, tz: datetime.tzinfo | None = None) -> Any:
    return cls.fromtimestamp(seconds, tz)


def _today(cls: Any, seconds: float) -> Any:
    return cls.fromtimestamp(seconds)


def _utcnow(cls: Any, seconds: float) -> Any:
    return cls.fromtimestamp(seconds, datetime.UTC).replace(tzinfo=None)


_OF_DATETIME = [
    (kind, name, _present(kind, name, read))
    for kind, name, read in (
        (datetime.datetime, "now", _now),
        (datetime.datetime, "utcnow", _utcnow),
        (datetime.date, "today", _today),  # also that of datetime
    )
]

ON_THE_CLOCK: list[tuple[Any, str, Any]] = [
    *((time, name, fake) for name, fake in _OF_TIME.items()),
    *_OF_DATETIME,
    (os, "times", functools.wraps(os.times)(_times)),
    (_LOCK, "acquire", _acquiring(_LOCK.acquire)),
]
"""Module or class, name, and what to put in its place while a program is simulated."""
