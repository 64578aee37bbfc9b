"""The logic of an explorer: runs a function again and again, each time with other values."""

from __future__ import annotations

import asyncio
import concurrent.futures
import math
import re
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextvars import copy_context
from functools import partial
from typing import Any, Protocol

from matplotlib.figure import Figure

from ..camera.clock import simulate
from ..camera.fastforward import Runaway
from ..camera.interrupt import interruptible
from ..camera.outside import RealIO
from ..camera.prints import BoundedText, collected
from ..camera.run import Run
from ..camera.texts import plain
from ..camera.trace import Camera
from .latest import Latest
from .plot import compare, in_words, png, size, timeline
from .text import message, value

__all__ = ["HEIGHT", "DoesNotStop", "Experiment", "NoCoroutine", "name_of", "written"]

HEIGHT = 440
"""CSS pixels of each picture, however much it shows: nothing may move under the hand."""

_TURNS, _PATIENCE = 50_000, 5.0  # of the loop, and real seconds, for a program behind a slider
_FRAME = 0.15  # real seconds between two pictures of a run for real
_LONGEST = 600.0  # real seconds of a run for real: nobody may be there any more to stop it
_GRACE = 1.0  # real seconds for a run for real to end when it is asked to
_LINE = 600  # letters of a line of text
_ENDS = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0)  # where an axis may end, times a power of ten


class _View(Protocol):
    """What shows an experiment; called on any thread."""

    def show(self, picture: bytes, words: str, size: tuple[int, int], run: Run, line: str) -> None:
        """Show a run, its picture so wide and high."""

    def say(self, line: str) -> None:
        """Say why there is none."""

    def age(self, line: bool, picture: bool) -> None:
        """Let what is older than the controls look so, and nothing else."""

    def let_stop(self, can: bool) -> None:
        """Let a run in real time be stopped, or not."""


class NoCoroutine(TypeError):
    """What was called returned something else."""


class DoesNotStop(RuntimeError):
    """It runs in real time, and goes on when it is asked to stop."""


class _Request:
    """A run that was asked for, by a move or a button."""

    def __init__(self, values: dict[str, Any], real: bool, barrier: int) -> None:
        self.values, self.real, self.barrier = values, real, barrier
        self.camera = Camera()
        self.stopped = False
        self.lanes = 0  # that it will come to, as far as is known
        self.redraws: asyncio.TimerHandle

    def stop(self) -> None:
        """End it, if it is real; fast-forward, it ends by itself."""
        self.stopped = True
        if self.camera.on:
            self.camera.stop()


class Experiment:
    """The logic of an explorer: runs a function again and again, each time with other values.

    Whatever comes of the latest is shown. What is at hand meanwhile is shown too, so that a
    picture follows the mouse; but nothing older is once a run in real time was asked for, and a
    run in real time is over with the next request.

    All pictures are equally high, and their time axis stands still, so that what is faster looks
    shorter: it ends where the longest run so far did, rounded up to one of 1, 1.5, 2, 3, 5, 7 and
    10 seconds, or ten times that, and so on. It grows with a longer run, and shrinks only when a
    run is pinned or let go, to what is compared from then on; a program that had to be stopped, as
    it has no end, does not count.

    Attributes
    ----------
    values, said
        What was run last, and the text that came of it.
    shown
        The values and the run that the picture shows.
    pinned
        Values and run that the next ones are compared with.
    axis
        The seconds at which the time axis ends.
    draws_itself
        Whether the function returned a figure, which is shown in place of the run's.
    """

    def __init__(self, function: Callable[..., Any], real: bool, view: _View) -> None:
        self.function, self.real, self.view = function, real, view
        self.shown: tuple[dict[str, Any], Run] | None = None
        self.pinned: tuple[dict[str, Any], Run] | None = None
        self.values: dict[str, Any] = {}
        self.axis = 0.0
        self.draws_itself = False
        self.said = ""
        self.error: BaseException | None = None  # of ours, or of a program that left no run
        self._lock = threading.RLock()
        self._barrier = 0  # what was asked for before it may not show anything any more
        self._latest = _Request({}, False, 0)
        self._runs, self._frames = Latest(self._perform), Latest(self._draw)
        try:
            self.loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self.loop = None

    def begin(self, values: dict[str, Any]) -> None:
        """Make the first run, and wait for it."""
        try:
            self.move(values)
            while not self._runs.wait_idle(0.5):
                pass
        except KeyboardInterrupt:
            if not self.real:
                raise
            self.stop()
            self._runs.wait_idle(_GRACE + 10)  # which is enough for a picture
        if isinstance(self.error, NoCoroutine):
            raise self.error

    def move(self, values: dict[str, Any]) -> None:
        """Run it with these values; from any thread, as all that asks for something."""
        self._runs.ask(self._request(values, self.real))

    def play(self, values: dict[str, Any]) -> None:
        """Run it in real time on the loop of the cell that made it, where all else lives."""
        if self.loop is None:
            return
        request = self._request(values, True)
        if self.shown and self.shown[0] == values:
            request.lanes = self.shown[1].lane_count
        try:
            self.loop.call_soon_threadsafe(self._start, request)
        except RuntimeError:
            self._say(request, RuntimeError("the loop of its cell is closed: run the cell again"))

    def stop(self) -> None:
        """Stop the run in real time."""
        self._latest.stop()

    def pin(self, values: dict[str, Any]) -> None:
        """Keep the run that is shown, to compare the next ones with it, or let it go."""
        with self._lock:
            self.pinned = self.shown if self.pinned is None else None
            self.axis = 0.0
            if self.pinned is not None:
                self._until(self.pinned[1])
        self.move(values)

    def wait_idle(self, seconds: float | None = None) -> bool:
        """Wait until all moves are done, or so long; return whether they are."""
        return self._runs.wait_idle(seconds)

    def _request(self, values: dict[str, Any], real: bool) -> _Request:
        with self._lock:
            before = self._latest
            self._barrier += real or before.real
            self._latest = request = _Request(values, real, self._barrier)
            self.view.age(True, True)
        before.stop()
        self._tell_whether_it_runs()
        return request

    def _tell_what_is_old(self, request: _Request, picture: bool = False) -> None:
        """What comes of the latest request is not, save the picture if that left none."""
        if request is self._latest:
            self.view.age(False, picture)

    def _perform(self, request: _Request) -> None:
        """Do what a move asked for."""
        if request.barrier < self._barrier:
            return
        try:
            with collected() as text:
                if request.real:
                    run = self._in_thread(request, text)
                else:
                    call = _Call(self.function, **request.values)
                    run = simulate(call, max_turns=_TURNS, patience=_PATIENCE)
            self._show(request, run)
        except BaseException as error:  # whatever it raises, the next move works
            self._say(request, error)
        self._tell_whether_it_runs()

    def _in_thread(self, request: _Request, text: BoundedText) -> Run:
        """Run it on a loop and in a thread of its own, where it stays if it does not stop."""
        ended: concurrent.futures.Future[Run] = concurrent.futures.Future()

        def work() -> None:
            try:
                ended.set_result(asyncio.run(self._film(request, text)))
            except BaseException as error:
                ended.set_exception(error)

        threading.Thread(target=copy_context().run, args=(work,), daemon=True).start()
        while not concurrent.futures.wait([ended], 0.1).done:
            if request.stopped and not concurrent.futures.wait([ended], _GRACE).done:
                raise DoesNotStop("it was asked to stop, does not, and is left in its thread")
        return ended.result()

    def _start(self, request: _Request) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run_for_real(request))

    async def _run_for_real(self, request: _Request) -> None:
        """Do what the button asked for, with bars that grow meanwhile."""
        if request.barrier < self._barrier:
            return
        try:
            with collected() as text:
                self._redraw(request, text)
                run = await self._film(request, text)
            self._frames.ask((request, run))
        except BaseException as error:  # an exit, too: it would end the kernel
            self._frames.ask((request, error))
        finally:
            request.redraws.cancel()

    def _redraw(self, request: _Request, text: BoundedText) -> None:
        """Show the run so far, now and then."""
        if request.camera.on:
            self._frames.ask((request, request.camera.run(output=text.value())))
        loop = asyncio.get_running_loop()
        request.redraws = loop.call_later(_FRAME, self._redraw, request, text)

    async def _film(self, request: _Request, text: BoundedText) -> Run:
        loop, camera = asyncio.get_running_loop(), request.camera
        limit = loop.call_later(_LONGEST, camera.stop)
        loop.call_soon(self._began, request)
        try:
            with interruptible(camera):
                return await camera.film(_Call(self.function, **request.values)(), text)
        finally:
            limit.cancel()

    def _began(self, request: _Request) -> None:
        if request.stopped:  # before there was anything to stop
            request.camera.stop()
        self._tell_whether_it_runs()

    def _tell_whether_it_runs(self) -> None:
        with self._lock:
            self.view.let_stop(self._latest.camera.on)

    def _draw(self, frame: tuple[_Request, Run | BaseException]) -> None:
        request, seen = frame
        if isinstance(seen, Run):
            self._show(request, seen)
        else:
            self._say(request, seen)
        self._tell_whether_it_runs()

    def _show(self, request: _Request, run: Run) -> None:
        if request.barrier < self._barrier:
            return
        until, words = self._until(run), in_words(run)
        ended_well = run.finished and run.error is None
        if draws_itself := ended_well and issubclass(type(run.result), Figure):
            figure, words = run.result, in_words(run.result)
        elif self.pinned is None:
            figure = timeline(run, until=until, height=HEIGHT)
        else:
            values, other = self.pinned
            names = f"A{written(values, ' ')}", f"B{written(request.values, ' ')}"
            figure = compare(other, run, names=names, until=until, height=HEIGHT)
        picture = png(figure)
        with self._lock:
            if request.barrier >= self._barrier:
                self.said = plain(repr(run) + self._done(request, run), _LINE)
                self.values, self.error = request.values, None
                self.draws_itself = draws_itself
                self.view.show(picture, words, size(figure), run, self.said + self._hint(run.error))
                self.shown = request.values, run
                self._tell_what_is_old(request)

    def _until(self, run: Run) -> float | None:
        """Where the time axis ends; nowhere, where no time has passed yet."""
        with self._lock:
            end = max(self.axis, _rounded_up(run.seconds))
            if run.error is None or not issubclass(type(run.error), Runaway):
                self.axis = end
            return (end if run.seconds or self.pinned else None) or None

    def _done(self, request: _Request, run: Run) -> str:
        """How much of a run in real time is done, out of what it comes to fast-forward."""
        if run.finished:
            return ""
        request.lanes = max(request.lanes, run.lane_count)
        return f" · {len(run.finishes):,} of {request.lanes:,} done" if request.lanes else ""

    def _say(self, request: _Request, error: BaseException) -> None:
        with self._lock:
            if request.barrier >= self._barrier:
                self.values, self.said, self.error = request.values, message(error, _LINE), error
                self.view.say(self.said + self._hint(error))
                self._tell_what_is_old(request, picture=True)

    def _hint(self, error: BaseException | None) -> str:
        """What to do about an error, where it is known."""
        for each in _within(error):
            kind = type(each)
            if issubclass(kind, NameError):
                return (
                    " · has the cell that defines it been run? (Run ▸ Run All Above Selected Cell)"
                )
            if issubclass(kind, RealIO) and not self.real:
                return f" · write explore({name_of(self.function)}, ..., real=True)"
            if issubclass(kind, RuntimeError) and _OF_ANOTHER_LOOP.search(message(each, 10_000)):
                return (
                    " · each run has a loop of its own, and what was made for another one cannot be"
                    " used on it: make the Semaphore, Queue, session … inside the coroutine"
                )
        return ""


_OF_ANOTHER_LOOP = re.compile(
    "different (event )?loop|Event loop is closed|should be used inside a task"
)


def _rounded_up(seconds: float) -> float:
    """The next of the times at which an axis may end."""
    if not 0 < seconds < math.inf:
        return 0.0
    ten = 10.0 ** math.floor(math.log10(seconds))
    return next((end * ten for end in _ENDS if end * ten >= seconds), seconds)


# What an error says of others, whatever its class makes of these names.
_GROUPED: Any = BaseExceptionGroup.exceptions
_OTHERS: Any = BaseException.__cause__, BaseException.__context__


def _within(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, those that it groups, and those that caused it: the first 1,000."""
    found: list[BaseException] = [] if error is None else [error]
    known = {id(error)}
    for each in found:
        yield each
        others = [other.__get__(each) for other in _OTHERS]
        if issubclass(type(each), BaseExceptionGroup):
            others = [*_GROUPED.__get__(each), *others]
        for other in others:
            if other is not None and id(other) not in known and len(found) < 1_000:
                known.add(id(other))
                found.append(other)


class _Call(partial[Any]):
    """A call of a function, whose arguments may have any name, that must return a coroutine."""

    def __call__(self) -> Coroutine[Any, Any, Any]:
        coroutine = super().__call__()
        if isinstance(coroutine, Coroutine):
            return coroutine
        name = name_of(self)
        raise NoCoroutine(
            f"{name}() returned {value(coroutine)}, not a coroutine, so nothing in it can wait: "
            f"write `async def {name}`"
        )


def name_of(function: Any) -> str:
    """What a function, or an object that is called like one, is called.

    Examples
    --------
    >>> name_of(partial(print, end=""))
    'print'
    """
    while isinstance(function, partial):
        function = function.func
    try:
        name = function.__name__
    except Exception:  # it has none, or one that fails
        name = None
    return plain(name if isinstance(name, str) else type(function).__name__, 60)


def written(values: dict[str, Any], before: str) -> str:
    """Values as the arguments of a call, after a separator where there are any.

    Examples
    --------
    >>> written({"files": 3, "way": "all"}, ", ")
    ", files=3, way='all'"
    """
    joined = ", ".join(f"{plain(name)}={value(each)}" for name, each in values.items())
    return before + plain(joined, 300) if joined else ""
