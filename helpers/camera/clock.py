"""The two clocks: run a coroutine fast-forward or in real time, and hand back its `Run`.

On the fast-forward clock waiting costs nothing and every number is exact.
"""

from __future__ import annotations

import asyncio
import contextvars
import ctypes
import inspect
import itertools
import math
import selectors
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from .prints import collected
from .run import Run
from .trace import Camera, busy_now

__all__ = [
    "Deadlock",
    "FastForwardLoop",
    "RealIO",
    "Runaway",
    "busy",
    "check_coroutine_function",
    "record",
    "simulate",
]


class Deadlock(RuntimeError):
    """Every coroutine waits for another, and no timer is set: nothing can ever go on."""


class Runaway(RuntimeError):
    """The program does not end."""


class RealIO(RuntimeError):
    """Files, sockets, threads and processes take real time: not on the fast-forward clock."""


# --- The fast-forward loop -----------------------------------------------------------------


class FastForwardLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.turns = 0
        self.moved = 0  # the last turn in which time passed
        self.max_turns = sys.maxsize
        self.numbers = itertools.count()
        super().__init__(JumpingSelector(self))

    def time(self) -> float:
        """Seconds since the loop was made, as far as it was fast-forwarded."""
        return self.now

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        """Set a timer; one for this very moment must still find time to pass, or it never would."""
        due = OrderedDeadline(max(when, math.nextafter(self.now, math.inf)))
        due.number = next(self.numbers)
        return super().call_at(due, callback, *args, context=context)

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        raise _real_io("a thread or a process")

    async def subprocess_exec(self, *args: Any, **kwargs: Any) -> Any:
        raise _real_io("a process")

    async def subprocess_shell(self, *args: Any, **kwargs: Any) -> Any:
        raise _real_io("a process")


class OrderedDeadline(float):
    """When a timer is due: of two for the same moment, the one that was set first comes first."""

    number: int

    def __lt__(self, other: Any) -> bool:
        return float(self) < float(other) or (self == other and self.number < other.number)


class JumpingSelector(selectors.DefaultSelector):
    """Where a loop sleeps until something happens: here it adds the time instead."""

    def __init__(self, loop: FastForwardLoop) -> None:
        super().__init__()
        self.loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Deadlock
        self.loop.now += timeout
        if timeout:
            self.loop.moved = self.loop.turns
        if timeout and self.loop.now > 1e6:  # the loop's tolerance of 1e-9 s is lost in rounding
            self.loop.now = math.nextafter(self.loop.now, math.inf)
        self.loop.turns += 1
        if self.loop.turns > self.loop.max_turns:
            raise Runaway
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        if self.get_map():  # the first is the loop's own
            raise _real_io("a socket or a pipe")
        return super().register(fileobj, events, data)


def _real_io(what: str) -> RealIO:
    return RealIO(
        f"the program uses {what}, which takes real time that cannot be fast-forwarded; "
        "run it on the real clock: await record(main())"
    )


# --- Running on it -------------------------------------------------------------------------


def simulate(
    main: Callable[..., Coroutine[Any, Any, Any]],
    /,
    *args: Any,
    max_turns: int = 200_000,
    patience: float = 30.0,
    **kwargs: Any,
) -> Run:
    """Run ``main(*args, **kwargs)`` on a fast-forward loop of its own and hand back its `Run`.

    It is a plain function: the loop turns in a worker thread, so it can be called from a cell,
    a script or a widget. Tasks that are left when ``main`` ends are cancelled, as by
    ``asyncio.run``. An error of the program, a deadlock or a runaway is kept in ``run.error``.

    Parameters
    ----------
    main
        A coroutine function (``async def``), not a coroutine: ``simulate(main)``.
    max_turns
        How often the loop may turn before the program counts as one that never ends.
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
    program = _Program(main, args, kwargs, max_turns)
    thread = threading.Thread(
        target=contextvars.copy_context().run, args=(program.run,), daemon=True
    )
    try:
        thread.start()
        give_up = time.monotonic() + patience
        while not program.over.wait(min(0.5, patience)):
            if time.monotonic() > give_up:
                program.why = _endless(f"it was still running after {patience:g} real seconds")
                _stop(thread, program)
    except BaseException:  # ■ in a notebook, Ctrl-C in a terminal
        for _ in range(10):  # the program may catch that, and needs a moment to put all back
            _stop(thread, program)
            if program.over.wait(0.1):
                break
        raise
    return program.result()


def check_coroutine_function(main: Any, name: str) -> None:
    """Raise a `TypeError` that says how to call ``name`` if ``main`` is no coroutine function."""
    if inspect.iscoroutine(main):
        call = main.__name__
        main.close()
        raise TypeError(
            f"{name}() wants the function, not the call: "
            f"write {name}({call}, ...) instead of {name}({call}(...))"
        )
    if not callable(main):
        raise TypeError(
            f"{name}() wants a coroutine function (async def), not {type(main).__name__}: {main!r}"
        )
    if inspect.isasyncgenfunction(main):
        raise TypeError(
            f"{main.__name__}() is an async generator, since it has a yield: it cannot be awaited; "
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
        name = getattr(main, "__name__", repr(main))
        raise TypeError(f"simulate({name}, ...) does not fit {name}{signature}: {error}") from None


class _Stopped(BaseException):
    """Raised inside a program to end it."""


class _Program:
    """One program on its way through a fast-forward loop."""

    def __init__(self, main: Any, args: Any, kwargs: Any, max_turns: int) -> None:
        self.main, self.args, self.kwargs, self.max_turns = main, args, kwargs, max_turns
        self.camera = Camera(real=False)
        self.loop: FastForwardLoop | None = None
        self.over = threading.Event()
        self.why: BaseException | None = None
        self.ran: Run | None = None
        self.broken: BaseException | None = None
        self.printed = ""

    def run(self) -> None:
        try:
            with collected() as text, _sleeping_by_the_clock():
                try:
                    self._run()
                finally:
                    self.printed = text.value()
        except BaseException as error:
            self.broken = error
        finally:
            self.over.set()

    def _run(self) -> None:
        self.loop = loop = FastForwardLoop()
        loop.max_turns = self.max_turns
        try:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                try:
                    self.ran = runner.run(self._film())
                    if isinstance(self.ran.error, _Stopped):
                        self._explain(self.ran, self.ran.error)
                except (Deadlock, Runaway, _Stopped) as error:
                    self.camera.on = False
                    loop.set_exception_handler(lambda loop, context: None)
                    self.ran = self.camera.run()
                    self._explain(self.ran, error)
                loop.max_turns = loop.turns + 1_000  # enough for what is left to be cancelled
        except (Deadlock, Runaway, _Stopped):  # some of it refuses
            loop.set_exception_handler(lambda loop, context: None)

    async def _film(self) -> Run:
        coroutine = self.main(*self.args, **self.kwargs)
        if not inspect.iscoroutine(coroutine):
            name = getattr(self.main, "__name__", repr(self.main))
            raise TypeError(
                f"{name}() gave back {coroutine!r}, not a coroutine: write `async def {name}`"
            )
        return await self.camera.film(coroutine)

    def _explain(self, run: Run, error: BaseException) -> None:
        if isinstance(error, Deadlock):
            run.error = Deadlock(_who_waits(run))
        elif self.why is None and self.loop and self.loop.turns - self.loop.moved > 1_000:
            run.error = Runaway(
                f"no time can pass after {self.loop.now:.2f} s: somebody is always ready, as with "
                "sleep(0) in a loop; wait for something that takes time, or that wakes you"
            )
        else:
            run.error = self.why or _endless(f"its loop turned {self.max_turns:,} times")

    def result(self) -> Run:
        if self.printed:
            sys.stdout.write(self.printed)
        if self.broken is not None:
            raise self.broken
        assert self.ran is not None
        self.ran.output = self.printed
        return self.ran


def _stop(thread: threading.Thread, program: _Program) -> None:
    """End the program where its loop turns next; if it does not turn, where the program is.

    The latter is the last resort: in the midst of asyncio's own work it would do harm.
    """
    if program.loop is not None:
        program.loop.max_turns = -1
    if not program.over.wait(0.2) and thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident), ctypes.py_object(_Stopped)
        )


def _endless(what: str) -> Runaway:
    return Runaway(
        f"the program does not end: {what}; look for a loop without a way out, "
        "or allow more with simulate(..., max_turns=..., patience=...)"
    )


def _who_waits(run: Run, most: int = 10) -> str:
    """Who waits for what, in a run that can never go on."""
    waiting = [
        f"  {lane.name} waits for {lane.segments[-1].what} in line {lane.segments[-1].line}"
        for lane in (run.root, *run.sample(most))
        if lane.ending == "pending"
    ]
    more = len(run) - most
    tail = [f"  … and {more:,} more coroutines"] if more > 0 else []
    head = "nothing can ever go on: every coroutine waits, and no timer is set"
    return "\n".join([head, *waiting, *tail])


async def record(coroutine: Coroutine[Any, Any, Any]) -> Run:
    """Run ``coroutine`` in real time on the running loop and hand back its `Run`.

    Parameters
    ----------
    coroutine
        A coroutine, as for ``await``: ``await record(main())``.

    Raises
    ------
    TypeError
        If ``coroutine`` is none.

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
        name = getattr(coroutine, "__name__", type(coroutine).__name__)
        how = f"record({name}(...))" if callable(coroutine) else "record(main())"
        raise TypeError(f"record() wants a coroutine, not {name}: write `await {how}`")
    heart = asyncio.create_task(_beat())
    try:
        return await Camera().film(coroutine)
    finally:
        heart.cancel()


async def _beat() -> None:
    """Let the loop wake often, so that an interrupt need not wait for the next timer."""
    while True:  # noqa: ASYNC110 - there is nothing to wait for
        await asyncio.sleep(0.05)


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
    loop = _fast_forward_loop()
    if loop is not None:
        start = loop.now
        loop.now = end = start + seconds
    else:
        running = asyncio._get_running_loop()
        clock = time.monotonic if running is None else running.time
        start = clock()
        while (end := clock()) < start + seconds:
            pass
    busy_now(sys._getframe(1), start, end)


def _fast_forward_loop() -> FastForwardLoop | None:
    loop = asyncio._get_running_loop()
    return loop if isinstance(loop, FastForwardLoop) else None


# --- What a program does to the rest of the world ------------------------------------------

_lock = threading.Lock()
_sleepers = 0
_real_sleep = time.sleep


def _sleep(seconds: float, /) -> None:
    if _fast_forward_loop() is None:
        _real_sleep(seconds)
    elif seconds < 0:
        raise ValueError("sleep length must be non-negative")  # as the real one says
    else:
        busy(seconds)


@contextmanager
def _sleeping_by_the_clock() -> Iterator[None]:
    """Make `time.sleep` hold a fast-forward loop as it would hold a real one."""
    global _sleepers
    with _lock:
        _sleepers += 1
        time.sleep = _sleep  # type: ignore[assignment]
    try:
        yield
    finally:
        with _lock:
            _sleepers -= 1
            if not _sleepers and time.sleep is _sleep:
                time.sleep = _real_sleep
