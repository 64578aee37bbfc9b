"""What the clock says to a program that is simulated: wherever it looks, it is the run's own time.

While a program is simulated, the functions of `time` that tell the time or sleep, and `now` and
`today` of `datetime`, are replaced by ones that ask the running loop; elsewhere they do what they
always do. Whoever has taken one of them before (``from time import sleep``) has it replaced as
well: modules, and default arguments, closures and classes of the learner's own.
"""

from __future__ import annotations

import asyncio
import datetime
import functools
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, FunctionType, ModuleType
from typing import Any

from .chain import is_own, is_own_file
from .cpython import replace_method
from .fastforward import FastForwardLoop
from .outside import REFUSING
from .trace import busy_now

__all__ = ["SimulatedLoop", "hold", "real_sleep", "running_simulation", "substituted"]

_FREE_LOOKS = 1_000  # at the clock: in one step, or in turns without any time passing
_LOOK, _TURN = 1e-6, 1e-4  # seconds: what a look costs after that, of each kind
real_sleep = time.sleep


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

    def time(self) -> float:
        """Return the run's time, also to a step that does nothing but ask for it."""
        if self._asked_in != self.turns:
            self._asked_in, self._asked = self.turns, 0
        self._asked += 1
        if self._asked > _FREE_LOOKS and is_own(sys._getframe(1).f_code):
            self.look(sys._getframe(1))
        return self.now

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
        if isinstance(loop, SimulatedLoop) and len(args) <= at:
            return real(*args, form(loop.day + loop.look(sys._getframe(1))))
        return real(*args)

    return calendar


def _sleep(seconds: float, /) -> None:
    loop = running_simulation()
    if loop is None:
        real_sleep(seconds)
    elif seconds < 0:
        raise ValueError("sleep length must be non-negative")  # as the real one says
    else:
        hold(loop, seconds, sys._getframe(1))


_OF_TIME = {
    "sleep": functools.wraps(time.sleep)(_sleep),
    "monotonic": _clock(time.monotonic),
    "perf_counter": _clock(time.perf_counter),
    "time": _clock(time.time, date=True),
    "monotonic_ns": _clock(time.monotonic_ns, whole=True),
    "perf_counter_ns": _clock(time.perf_counter_ns, whole=True),
    "time_ns": _clock(time.time_ns, date=True, whole=True),
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


def _utcnow(cls: Any, seconds: float) -> Any:
    return cls.fromtimestamp(seconds, datetime.UTC).replace(tzinfo=None)


_DATETIME = datetime.datetime  # its `today` asks time.time
_OF_DATETIME = {
    "now": _present(_DATETIME, "now", _now),
    "utcnow": _present(_DATETIME, "utcnow", _utcnow),
}
_substitutes: dict[int, tuple[Any, Any]] = {  # by the id of what they stand in for
    id(getattr(time, name)): (getattr(time, name), fake) for name, fake in _OF_TIME.items()
}


# --- Putting it in place -----------------------------------------------------------------------

_MISSING: Any = object()
_lock = threading.Lock()
_users = 0
_undo: list[Callable[[], object]] = []
_looked_at: set[str] = set()  # modules of libraries
_holders: list[tuple[ModuleType, str]] = []  # what in them is replaced


@contextmanager
def substituted(main: Any) -> Iterator[None]:
    """Have `main` see no clock but the run's, and nothing of the world outside, while entered."""
    global _users
    with _lock:
        _users += 1
        if _users == 1:
            for place, name, fake in REFUSING:
                _replace(place, name, fake)
            for name, fake in _OF_TIME.items():
                _replace(time, name, fake)
            for name, fake in _OF_DATETIME.items():
                real = replace_method(_DATETIME, name, fake)
                _undo.append(functools.partial(replace_method, _DATETIME, name, real))
            _replace_in_libraries()
        _replace_in_own_code(main)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                while _undo:
                    _undo.pop()()


def _replace(place: Any, name: str, fake: Any) -> None:
    """Replace a name of a module or class, and see that it will be as before, come what may."""
    real = vars(place).get(name, _MISSING)
    type.__setattr__(place, name, fake) if isinstance(place, type) else setattr(place, name, fake)
    if real is _MISSING:
        _undo.append(lambda: delattr(place, name))
    else:
        put = functools.partial(setattr, place, name, real)
        # A program may have left its own clock there; of the rest others may have made use.
        _undo.append(
            put if place is time else lambda: put() if vars(place).get(name) is fake else 0
        )


def _replace_in(names: dict[Any, Any], name: Any, real: Any, fake: Any) -> None:
    """Replace a name, and put it back later unless somebody has replaced it meanwhile."""
    names[name] = fake

    def undo() -> None:
        if names.get(name) is fake:
            names[name] = real

    _undo.append(undo)


def _found(names: dict[str, Any]) -> list[str]:
    return [name for name, value in list(names.items()) if id(value) in _substitutes]


def _replace_in_libraries() -> None:
    """In modules of installed packages that took a function of `time` when they were loaded."""
    for name in sys.modules.keys() - _looked_at:
        _looked_at.add(name)
        module = sys.modules.get(name)
        if type(module) is not ModuleType or module is time:
            continue
        file = vars(module).get("__file__")
        if name == "timeit" or (isinstance(file, str) and _PACKAGES in file):
            _holders.extend((module, found) for found in _found(vars(module)))
    for module, name in _holders:
        pair = _substitutes.get(id(vars(module).get(name)))
        if pair is not None:
            _replace_in(vars(module), name, *pair)


_PACKAGES = "-packages"  # site-packages, dist-packages


def _replace_in_own_code(main: Any) -> None:
    """In the learner's modules, and in functions and classes that are defined in them."""
    spaces = {id(names): names for names in _own_modules()}
    function = main
    while isinstance(function, functools.partial):
        function = function.func
    function = getattr(function, "__func__", function)
    if isinstance(function, FunctionType):
        spaces[id(function.__globals__)] = function.__globals__
        _replace_in_function(function)
    for names in spaces.values():
        for name in _found(names):
            _replace_in(names, name, *_substitutes[id(names[name])])
        for value in list(names.values()):
            if type(value) is FunctionType and value.__globals__ is names:
                _replace_in_function(value)
            elif issubclass(type(value), type) and _module_of(value) == names.get("__name__"):
                _replace_in_class(value)


def _module_of(kind: type) -> Any:
    return type.__getattribute__(kind, "__dict__").get("__module__")


def _own_modules() -> Iterator[dict[str, Any]]:
    for module in list(sys.modules.values()):
        if type(module) is ModuleType:
            file = vars(module).get("__file__")
            if vars(module).get("__name__") == "__main__" or (
                isinstance(file, str) and is_own_file(file)
            ):
                yield vars(module)


def _replace_in_function(function: FunctionType) -> None:
    defaults = function.__defaults__
    if defaults and any(id(value) in _substitutes for value in defaults):
        function.__defaults__ = tuple(_fake_of(value) for value in defaults)
        _undo.append(lambda: setattr(function, "__defaults__", defaults))
    named = function.__kwdefaults__
    for name in _found(named or {}):
        _replace_in(named, name, *_substitutes[id(named[name])])  # type: ignore[arg-type,index]
    for cell in function.__closure__ or ():
        _replace_in_cell(cell)


def _replace_in_cell(cell: Any) -> None:
    try:
        real = cell.cell_contents
    except ValueError:  # it is empty yet
        return
    if id(real) in _substitutes:
        fake = cell.cell_contents = _fake_of(real)
        _undo.append(lambda: _put_back(cell, fake, real))


def _put_back(cell: Any, fake: Any, real: Any) -> None:
    if cell.cell_contents is fake:
        cell.cell_contents = real


def _replace_in_class(kind: type) -> None:
    for name, value in list(vars(kind).items()):
        if id(value) in _substitutes:
            type.__setattr__(kind, name, staticmethod(_fake_of(value)))
            _undo.append(functools.partial(type.__setattr__, kind, name, value))
        elif isinstance(value, staticmethod) and id(value.__func__) in _substitutes:
            type.__setattr__(kind, name, staticmethod(_fake_of(value.__func__)))
            _undo.append(functools.partial(type.__setattr__, kind, name, value))
        elif type(value) is FunctionType:
            _replace_in_function(value)


def _fake_of(value: Any) -> Any:
    return _substitutes.get(id(value), (value, value))[1]
