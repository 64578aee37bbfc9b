"""The two clocks: run a coroutine fast-forward or in real time, and return its `Run`.

On the fast-forward clock waiting costs nothing and every number is exact.
"""

from __future__ import annotations

import asyncio
import contextvars
import ctypes
import functools
import inspect
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Literal, overload

from .chain import call_name, is_own
from .cpython import free_a_ring
from .fastforward import Deadlock, FastForwardLoop, Runaway
from .outside import RealIO
from .prints import BoundedText, collected_into, routed
from .run import Run, Unfilmed
from .substitutes import stand_in, substituted
from .texts import LONGEST, kind_name, plain
from .trace import Camera, busy_now, without_the_camera
from .watches import SimulatedLoop, hold, running_simulation

__all__ = ["busy", "check_coroutine_function", "record", "simulate"]

_real_clock = time.monotonic  # whatever `time` says meanwhile
_BEAT = 0.05  # real seconds
_STILL = 1_000  # turns of a loop after which it is worth saying that no time passed in them
_LEFT_BEHIND = 1.0  # real seconds that a program gets to end in, once its patience is over


@overload
def simulate(
    main: Callable[..., Coroutine[Any, Any, Any]],
    /,
    *args: Any,
    film: Literal[True] = ...,
    max_turns: int = ...,
    patience: float = ...,
    **kwargs: Any,
) -> Run: ...
@overload
def simulate(
    main: Callable[..., Coroutine[Any, Any, Any]],
    /,
    *args: Any,
    film: Literal[False],
    max_turns: int = ...,
    patience: float = ...,
    **kwargs: Any,
) -> Unfilmed: ...
def simulate(
    main: Callable[..., Coroutine[Any, Any, Any]],
    /,
    *args: Any,
    film: bool = True,
    max_turns: int = 200_000,
    patience: float = 30.0,
    **kwargs: Any,
) -> Run | Unfilmed:
    """Run ``main(*args, **kwargs)`` on a fast-forward loop of its own and return its `Run`.

    It is a plain function: the loop turns in a worker thread, so it can be called from a cell,
    a script or a widget. Tasks that are left when ``main`` ends are cancelled, as by
    ``asyncio.run``. An error of the program, a deadlock, a runaway or the use of what takes real
    time is kept in ``run.error``. SystemExit, KeyboardInterrupt and GeneratorExit are raised here.

    Parameters
    ----------
    main
        A coroutine function (``async def``), not a coroutine: ``simulate(main)``.
    film
        False for a sweep over many runs: each costs less than half, and tells only its ``result``
        or ``error``, its ``seconds`` and its ``output``.
    max_turns
        How often the loop may turn.
    patience
        Real seconds after which a program that has not ended is stopped.

    Raises
    ------
    TypeError
        If ``main`` is no coroutine function.

    Examples
    --------
    >>> import asyncio
    >>> async def nap(seconds):
    ...     await asyncio.sleep(seconds)
    ...     return "rested"
    >>> run = simulate(nap, 3600)
    >>> run, run.result
    (3600.00 s, 'rested')
    """
    check_coroutine_function(main, "simulate")
    _check_arguments(main, args, kwargs)
    _check_limits(max_turns, patience)
    with substituted((main, args, kwargs)), routed(restored=True):
        given = {name: stand_in(value) for name, value in kwargs.items()}
        program = _Program(stand_in(main), list(map(stand_in, args)), given, max_turns, film)
        del args, kwargs, given  # they live no longer than without us
        try:
            return program.answer(patience)
        finally:
            if text := program.text.value():
                sys.stdout.write(text.encode(errors="backslashreplace").decode())


def check_coroutine_function(main: Any, name: str) -> None:
    """Raise a `TypeError` that says how to call ``name`` if ``main`` is no coroutine function."""
    if inspect.iscoroutine(main):
        call = _name(main)
        main.close()
        raise TypeError(
            f"{name}() wants the function, not the call: "
            f"write {name}({call}, ...) instead of {name}({call}(...))"
        )
    if not callable(main):
        raise TypeError(f"{name}() wants a coroutine function (async def), not {kind_name(main)}")
    if inspect.isasyncgenfunction(main):
        raise TypeError(
            f"{_name(main)}() is an async generator, since it has a yield: it cannot be awaited; "
            "loop over it with `async for` in a coroutine function of its own"
        )


def _check_arguments(main: Any, args: Any, kwargs: Any) -> None:
    """Raise a `TypeError` here, not in the depths, if `main` cannot be called like this."""
    try:
        signature = inspect.signature(main)
    except ValueError:  # it has none
        return
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        name = _name(main)
        raise TypeError(f"simulate({name}, ...) does not fit {name}{signature}: {error}") from None


def _check_limits(max_turns: object, patience: object) -> None:
    if type(max_turns) is not int or max_turns < 1:
        raise ValueError(
            f"max_turns must be a whole number from 1 on, such as 200_000: {max_turns!r}"
        )
    if type(patience) not in (int, float) or not patience > 0:  # type: ignore[operator]
        raise ValueError(f"patience must be seconds of real time, such as 30: {patience!r}")


def _name(main: Any) -> str:
    name = getattr(main, "__name__", None)
    return plain(name, LONGEST) if type(name) is str else kind_name(main)


_EXITS = (KeyboardInterrupt, SystemExit, GeneratorExit)
_undying: list[asyncio.Task[Any]] = []  # kept, for they must not be collected


_Seen = Run | Unfilmed


class _Stopped(BaseException):
    """Raised inside a program to end it."""


class _Thread(threading.Thread):
    """One that a program may start: it simulates another."""


class _Program:
    """One program on its way through a fast-forward loop, in a thread of its own."""

    def __init__(self, main: Any, args: Any, kwargs: Any, max_turns: int, film: bool) -> None:
        # A partial would look into one of a subclass, and leave that out.
        self.call: Callable[[], Any] = lambda: main(*args, **kwargs)
        self.name = _name(main)
        self.max_turns = max_turns
        self.camera = Camera(real=False) if film else None
        self.loop = SimulatedLoop()
        self.ended_at = 0.0  # when the root did, by the loop's clock
        self.text = BoundedText()
        self.stopped = ""  # why, if it was
        self.outcome: SimpleQueue[tuple[_Seen | None, BaseException | None]] = SimpleQueue()
        self.ended: tuple[_Seen | None, BaseException | None] | None = None

    # In the thread of who asks for it.

    def answer(self, patience: float) -> _Seen:
        """Return its `Run`, or raise what leaves it; after `patience` and a second at the most."""
        context = contextvars.copy_context()
        self.thread = _Thread(target=context.run, args=(self._work,), daemon=True)
        try:
            self.thread.start()
            if not self._ends_within(patience):
                self._stop(patience)
                if not self._ends_within(_LEFT_BEHIND):
                    return self._left_behind()
        except BaseException:  # ■ in a notebook, Ctrl-C in a terminal
            for _ in range(10):  # the program may catch that, and needs a moment to put all back
                self._interrupt()
                if self._ends_within(0.1):
                    break
            raise
        assert self.ended is not None
        run, error = self.ended
        if error is not None:
            raise error
        assert run is not None
        return run

    def _ends_within(self, seconds: float) -> bool:
        """Wait in small portions: an interrupt is heard between two of them."""
        end = _real_clock() + seconds
        while self.ended is None and (left := end - _real_clock()) > 0:
            with suppress(Empty):
                self.ended = self.outcome.get(timeout=min(left, 0.5))
        return self.ended is not None

    def _stop(self, patience: float) -> None:
        """End the program where its loop turns next; if it does not turn, where the program is."""
        self.stopped = (
            f"it had not ended after {patience:g} real seconds, in which its loop turned "
            f"{self.loop.turns:,} times; look for a loop without a way out, or, if it is meant to "
            f"take so long, allow more: simulate(..., patience={2 * patience:g})"
        )
        self.loop.max_turns = -1
        if not self._ends_within(0.2):
            self.stopped = (
                f"after {patience:g} real seconds {self._where()} still held the loop; look for a "
                "loop without an await, or a slow call; if it is meant to take so long, allow "
                f"more: simulate(..., patience={2 * patience:g})"
            )
            self._interrupt()

    def _interrupt(self) -> None:
        """Raise an error where the program is: in the midst of asyncio's own it would do harm."""
        self.loop.max_turns = -1
        if not self._ends_within(0.2) and self.thread.ident is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self.thread.ident), ctypes.py_object(_Stopped)
            )

    def _left_behind(self) -> _Seen:
        if self.camera is not None:
            self.camera.close()
        self.ended_at = self.loop.now
        error = Runaway(
            f"{self.stopped}. It cannot be stopped, and is left behind in its thread: look also "
            "for a call that waits in real time, as for a lock, a queue.Queue or a process, and "
            "for an except that catches everything"
        )
        return self._seen(None, error)

    def _seen(self, value: Any, error: BaseException | None) -> _Seen:
        if self.camera is None:
            return Unfilmed(value, error, self.ended_at, self.text.value())
        return self.camera.run(value, error, self.text.value())

    def _where(self) -> str:
        """Say where the program is."""
        frame = sys._current_frames().get(self.thread.ident or 0)
        while frame is not None and not is_own(frame.f_code):
            frame = frame.f_back
        if frame is None:
            return "a call of a library"
        return f"line {frame.f_lineno} of {plain(call_name(frame.f_code), LONGEST)}()"

    # In its own thread.

    def _work(self) -> None:
        try:
            with collected_into(self.text):
                run = self._run()
            self.outcome.put((run, None))
        except BaseException as error:
            self.outcome.put((None, error))

    def _run(self) -> _Seen:
        value, error, leaves = None, None, None
        loop, camera = self.loop, self.camera
        alive: set[asyncio.Task[Any]] = set()
        loop.max_turns = self.max_turns
        try:
            coroutine = self._coroutine()
        except BaseException:
            loop.close()
            raise
        asyncio.set_event_loop(loop)  # of this thread, as asyncio.run does
        try:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                if camera is not None:
                    camera.film_all(runner.get_loop(), functools.partial(getattr, loop, "now"))
                try:
                    value = runner.run(coroutine)
                except _EXITS as raised:
                    leaves = raised
                except BaseException as raised:
                    # Those of a deadlock hold only each other: they must live to be cancelled.
                    alive = asyncio.all_tasks(loop)
                    error = without_the_camera(raised)
                del coroutine
                self.ended_at = loop.now
                if camera is not None:
                    camera.leave()
                error = self._explained(error)
                loop.max_turns = loop.turns + 1_000  # enough for what is left to be cancelled
                if isinstance(error, Deadlock):
                    _free_rings(loop)
        except (Deadlock, Runaway, RealIO, RecursionError, _Stopped):  # some of it refuses to end
            loop.set_exception_handler(lambda loop, context: None)
        except _EXITS as raised:
            leaves = raised
        except BaseException as raised:  # it has broken its loop
            error = error or raised
            with suppress(BaseException):
                loop.close()
        asyncio.set_event_loop(None)
        alive.clear()
        # What has caught even its cancellation might catch its end as well, and go on for ever.
        _undying.extend(asyncio.all_tasks(loop))
        if leaves is not None:
            raise leaves
        if loop.first_refusal is not None:
            error = without_the_camera(loop.first_refusal)
        return self._seen(value, error)

    def _coroutine(self) -> Coroutine[Any, Any, Any]:
        call = self.call
        del self.call  # what it was called with lives no longer than without us
        coroutine = call()
        if not inspect.iscoroutine(coroutine):
            raise TypeError(
                f"{self.name}() returned {_kind(coroutine)}, not a coroutine: "
                f"write `async def {self.name}`"
            )
        return coroutine

    def _explained(self, error: BaseException | None) -> BaseException | None:
        """Say in words what ended the loop, where it was not the program."""
        loop = self.loop
        if loop.refusal is not None:
            loop.refuse_no_more()
            explained: BaseException | None = loop.first_refusal
        elif isinstance(error, Deadlock) and not error.args:
            explained = Deadlock(_who_waits(self.camera))
        elif isinstance(error, _Stopped) or (isinstance(error, Runaway) and not error.args):
            explained = Runaway(self.stopped or self._too_many_turns())
        else:
            return error
        loop.set_exception_handler(lambda loop, context: None)
        return explained

    def _too_many_turns(self) -> str:
        still = self.loop.turns - self.loop.last_turn_with_time
        more = f"allow more: simulate(..., max_turns={2 * self.max_turns:_})"
        if still > _STILL:
            return (
                f"no time passed in the last {still:,} turns of its loop, at "
                f"{self.loop.now:.2f} s: somebody is always ready, as with sleep(0) in a loop; "
                "wait for something that takes time, or that wakes you, or, if it is meant to turn "
                f"so often, {more}"
            )
        return (
            f"it had not ended after {self.max_turns:,} turns of its loop, at "
            f"{self.loop.now:.2f} s; look for a loop without a way out, or, if it is meant to be "
            f"so long, {more}"
        )


def _kind(thing: Any) -> str:
    return "None" if thing is None else f"a value of type {kind_name(thing)}"


def _free_rings(loop: SimulatedLoop) -> None:
    """Let tasks that wait for each other all around be cancelled, as those do that do not."""
    for _ in range(100):  # they may catch that, and wait for each other again
        if not sum(free_a_ring(task) for task in asyncio.all_tasks(loop)):
            return
        loop.run_until_complete(asyncio.sleep(0))


def _who_waits(camera: Camera | None, most: int = 10) -> str:
    """Who waits for what, in a run that can never go on."""
    if camera is None:
        return (
            "nothing can ever go on: every coroutine waits; leave film=False out to see who waits "
            "for what"
        )
    run = camera.run()
    waiting = [
        f"  {lane.name} waits for {lane.segments[-1].what} in line {lane.segments[-1].line}"
        for lane in (run.root, *run.sample(most))
        if lane.ending == "pending"
    ]
    more = run.lane_count - most
    tail = [f"  … and {more:,} more coroutines"] if more > 0 else []
    endless = any(lane.segments[-1].until for lane in (run.root, *run.sample(most)))
    timer = "no timer will ever be due" if endless else "no timer is set"
    head = f"nothing can ever go on: every coroutine waits, and {timer}"
    return "\n".join([head, *waiting, *tail])


# --- In real time ------------------------------------------------------------------------------


async def record(coroutine: Coroutine[Any, Any, Any]) -> Run:
    """Run ``coroutine`` in real time on the running loop and return its `Run`.

    It runs in the task that awaits this, as by a plain ``await``: exits, and a cancellation of
    that task, leave by the caller. An error of the program is kept in ``run.error``.

    Parameters
    ----------
    coroutine
        A coroutine, as for ``await``: ``await record(main())``.

    Raises
    ------
    TypeError
        If ``coroutine`` is none, or the running loop is not asyncio's own.

    Examples
    --------
    >>> import asyncio
    >>> async def nap():
    ...     await asyncio.sleep(0.01)
    ...     return "rested"
    >>> run = asyncio.run(record(nap()))
    >>> run.result, run.real, run.seconds >= 0.01
    ('rested', True, True)
    """
    if not isinstance(coroutine, Coroutine):
        name = _name(coroutine)
        how = f"record({name}(...))" if callable(coroutine) else "record(main())"
        raise TypeError(f"record() wants a coroutine, not {name}: write `await {how}`")
    heart = _Heart(asyncio.get_running_loop())
    try:
        return await Camera().film(coroutine)
    finally:
        heart.stop()


class _Heart:
    """Lets a loop wake often, so that an interrupt need not wait for the next timer."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._beat()

    def _beat(self) -> None:
        if not isinstance(self.loop, FastForwardLoop):  # which never sleeps
            self.timer = self.loop.call_later(_BEAT, self._beat)

    def stop(self) -> None:
        if not isinstance(self.loop, FastForwardLoop):
            self.timer.cancel()


def busy(seconds: float) -> None:
    """Hold the event loop for that long, as a computation does.

    On the fast-forward clock this only moves the clock; on the real one it burns the time.

    Parameters
    ----------
    seconds
        How long; not negative.

    Raises
    ------
    ValueError
        If ``seconds`` is negative or not a finite number.

    Examples
    --------
    >>> async def compute():
    ...     busy(2.5)
    >>> simulate(compute)
    2.50 s · loop held 2.50 s
    """
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"busy() wants seconds >= 0, not {seconds!r}")
    fast = running_simulation()
    if fast is not None:
        hold(fast, seconds, sys._getframe(1))
        return
    running = asyncio._get_running_loop()
    clock = _real_clock if running is None else running.time
    start = clock()
    while (end := clock()) < start + seconds:
        pass
    busy_now(sys._getframe(1), start, end)
