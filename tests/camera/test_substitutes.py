"""Whoever took a clock before has it replaced while a program is simulated, and back after it."""

import asyncio
import collections
import doctest
import enum
import functools
import sys
import threading
import time
import timeit
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from socket import getaddrinfo
from time import monotonic, sleep
from typing import Any, ClassVar, NamedTuple

import pytest

from helpers.camera import substitutes
from helpers.camera.clock import simulate
from helpers.camera.outside import RealIO
from helpers.camera.substitutes import substituted

alias = time.perf_counter
in_a_list = [time.monotonic]
in_a_dict = {"clock": time.monotonic}
in_a_partial = functools.partial(time.sleep, 1)


def by_default(clock: Callable[[], float] = time.monotonic) -> float:
    return clock()


def by_name(*, clock: Callable[[], float] = time.monotonic) -> float:
    return clock()


def enclosed() -> Callable[[], float]:
    clock = time.monotonic
    return lambda: clock()


class Stopwatch:
    clock = time.monotonic

    def __init__(self) -> None:
        self.own = time.monotonic

    def by_default(self, clock: Callable[[], float] = time.monotonic) -> float:
        return clock()


@dataclass(slots=True)
class Slots:
    clock: Any = time.monotonic


@dataclass
class Event:
    at: datetime = field(default_factory=datetime.now)


class Outer:
    class Inner:
        clock = time.monotonic

    @property
    def by_property(self, clock: Callable[[], float] = time.monotonic) -> float:
        return clock()

    @classmethod
    def by_class(cls, clock: Callable[[], float] = time.monotonic) -> float:
        return clock()


class Member(enum.Enum):
    CLOCK = time.monotonic


class Pair(NamedTuple):
    clock: Callable[[], float]
    unit: str = "s"


class Settings:
    table: ClassVar = {"clock": [time.monotonic]}
    pair = Pair(time.monotonic)

    def __init__(self) -> None:
        self.deep = {"clocks": [Stopwatch()]}


@functools.lru_cache(maxsize=0)
def by_cache(clock: Callable[[], float] = time.monotonic) -> Callable[[], float]:
    return clock


def decorated(clock: Callable[[], float] = time.monotonic) -> Any:
    def decorate(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper() -> float:
            assert function() is None
            return clock()

        return wrapper

    return decorate


@decorated()
def by_decorator() -> None: ...


settings, in_a_deque = Settings(), collections.deque([time.monotonic])
in_a_method = Stopwatch().by_default
in_a_closure, stopwatch, slots = enclosed(), Stopwatch(), Slots()
in_a_tuple = (time.monotonic,)
day = datetime.now
PLACES: dict[str, Callable[[], float]] = {
    "imported": lambda: monotonic(),
    "aliased": lambda: alias(),
    "in a list": lambda: in_a_list[0](),
    "in a dict": lambda: in_a_dict["clock"](),
    "as a default": lambda: by_default(),
    "as a default by name": lambda: by_name(),
    "in a closure": lambda: in_a_closure(),
    "in a class": lambda: Stopwatch.clock(),
    "in an object": lambda: stopwatch.own(),
    "as a default of a method": lambda: stopwatch.by_default(),
    "in timeit": lambda: timeit.default_timer(),
    "in slots": lambda: slots.clock(),
    "in a tuple": lambda: in_a_tuple[0](),
    "in a nested class": lambda: Outer.Inner.clock(),
    "as a default of a property": lambda: Outer().by_property,
    "as a default of a class method": lambda: Outer.by_class(),
    "in an enumeration": lambda: Member.CLOCK.value(),
    "in a named tuple of a class": lambda: Settings.pair.clock(),
    "in a container of a class": lambda: Settings.table["clock"][0](),
    "deep in an object": lambda: settings.deep["clocks"][0].own(),
    "behind a cache": lambda: by_cache()(),
    "in a decorator": lambda: by_decorator(),
    "in a deque": lambda: in_a_deque[0](),
    "behind a bound method": lambda: in_a_method(),
}


def test_examples() -> None:
    """The examples in the docstrings give what they say."""
    result = doctest.testmod(substitutes)
    assert result.attempted and not result.failed


@pytest.mark.parametrize("place", PLACES)
def test_a_clock_that_was_taken_before(place: str) -> None:
    """It shows the run's time, and outside the real one, by the very same function as before."""

    async def main() -> float:
        await asyncio.sleep(1234.5)
        return PLACES[place]()

    before = PLACES[place]()
    assert simulate(main).result == 1234.5
    assert 0 <= PLACES[place]() - before < 1_000
    reals = [monotonic, alias, in_a_list[0], in_a_dict["clock"], stopwatch.own]
    assert reals == [time.monotonic, time.perf_counter, *[time.monotonic] * 3]
    assert vars(Stopwatch)["clock"] is time.monotonic
    assert by_default.__defaults__ == (time.monotonic,)


@pytest.mark.parametrize("now", [lambda: day(), lambda: Event().at], ids=["named", "dataclass"])
def test_a_date_that_was_taken_before(now: Callable[[], datetime]) -> None:
    """As `datetime.now` is in dataclasses."""

    async def main() -> float:
        before = now()
        await asyncio.sleep(3600)
        return (now() - before).total_seconds()

    assert simulate(main).result == pytest.approx(3600, abs=1e-3)
    assert day == datetime.now


def test_a_clock_that_is_handed_over() -> None:
    """To `simulate` itself, as an argument, by name, or in a partial."""

    async def main(clock: Callable[[], Any]) -> Any:
        before = clock()
        await asyncio.sleep(7)
        return clock() - before

    assert simulate(main, time.monotonic).result == 7.0
    assert simulate(main, clock=time.perf_counter).result == 7.0
    assert simulate(functools.partial(main, time.monotonic)).result == 7.0
    assert simulate(main, datetime.now).result.total_seconds() == pytest.approx(7)


def test_a_clock_within_what_is_handed_over_or_enclosed() -> None:
    """Objects and classes that only the call knows."""

    class Enclosed:
        clock = time.monotonic

    async def main(watch: Any, *more: Any, clocks: Any) -> list[float]:
        await asyncio.sleep(7)
        return [watch.own(), more[0].own(), clocks["own"](), Enclosed.clock()]

    watches = Stopwatch(), Stopwatch()
    assert simulate(main, *watches, clocks={"own": time.monotonic}).result == [7.0] * 4
    bound = functools.partial(main, watches[0])
    assert simulate(bound, watches[1], clocks={"own": monotonic}).result == [7.0] * 4
    assert [watch.own for watch in watches] == [time.monotonic] * 2


def test_nothing_of_the_learner_s_is_called_in_the_search() -> None:
    """No property, no `__getattr__`, no `__len__`, no `__iter__`, no `__eq__`."""

    class Devious(dict[str, Any]):
        def _fail(self, *args: Any) -> Any:
            raise AssertionError("called")

        __getattribute__ = __len__ = __iter__ = __eq__ = __hash__ = __getitem__ = _fail  # type: ignore[assignment]

    class Meta(type):
        def __getattribute__(cls, name: str) -> Any:
            raise AssertionError("called")

    class Strange(metaclass=Meta):
        pass

    async def main(*things: Any) -> float:
        await asyncio.sleep(7)
        return time.monotonic()

    assert simulate(main, Devious(), [Devious()], Strange, [Strange]).result == 7.0


def test_what_is_refused_is_so_by_each_name() -> None:
    """Also where it was imported before."""

    async def main() -> None:
        getaddrinfo("localhost", 80)

    error = simulate(main).error
    assert isinstance(error, RealIO) and "socket" in str(error)


def test_a_sleep_that_was_taken_before() -> None:
    """It holds the fast-forward loop, and takes no real time."""

    async def main() -> None:
        sleep(3600)  # noqa: ASYNC251
        in_a_partial()

    began = time.monotonic()
    run = simulate(main)
    assert run.seconds == run.held == 3601.0
    assert time.monotonic() - began < 100
    assert in_a_partial.func is time.sleep is sleep


def test_a_module_that_was_imported_meanwhile() -> None:
    """The next run knows it, and what a library took."""
    own, library = types.ModuleType("own"), types.ModuleType("library")
    own.__file__, library.__file__ = "/home/me/own.py", "/usr/lib/site-packages/library.py"
    own.now = library.now = time.monotonic  # type: ignore[attr-defined]
    sys.modules |= {"own": own, "library": library}

    async def main() -> tuple[float, float]:
        await asyncio.sleep(7)
        return own.now(), library.now()

    try:
        assert simulate(main).result == (7.0, 7.0)
    finally:
        del sys.modules["own"], sys.modules["library"]
    assert own.now is library.now is time.monotonic


def test_several_at_once_leave_all_as_it_was() -> None:
    """Whichever ends last."""
    reals = {name: getattr(time, name) for name in dir(time)}
    first, second = threading.Event(), threading.Event()

    def other() -> None:
        with substituted([None]):
            first.set()
            second.wait()

    thread = threading.Thread(target=other)
    with substituted([None]):
        thread.start()
        first.wait()
    assert time.sleep is not reals["sleep"]
    second.set()
    thread.join()
    assert {name: getattr(time, name) for name in dir(time)} == reals
    assert sleep is reals["sleep"]


def test_a_program_that_leaves_a_clock_of_its_own() -> None:
    """`time` is as before all the same; what else somebody has replaced meanwhile stays."""
    real = time.sleep

    async def main() -> None:
        global alias
        time.sleep = lambda seconds: None
        alias = time.monotonic

    simulate(main)
    assert time.sleep is real
    globals()["alias"] = time.perf_counter
