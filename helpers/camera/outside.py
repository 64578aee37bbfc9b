"""What cannot be fast-forwarded: whatever waits for the world outside is refused by name.

Sockets, processes, threads, signals, and whoever wakes the loop from outside take real time. A loop
whose clock jumps would go on without them, to a wrong result.
"""

from __future__ import annotations

import _thread
import asyncio
import builtins
import concurrent.futures
import functools
import os
import queue
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

from .chain import is_own

__all__ = ["REFUSING", "NoOutside", "RealIO"]


class RealIO(RuntimeError):
    """The program uses sockets, threads, processes or signals, whose time cannot be skipped."""


class NoOutside(asyncio.SelectorEventLoop):
    """An event loop that refuses what takes real time, and keeps the first refusal."""

    refusal: RealIO | None = None
    """What was refused last, which ends the run at the loop's next turn."""
    first_refusal: RealIO | None = None

    def refuse(self, what: str) -> RealIO:
        """Return the error to raise, which the program may catch, but which ends the run."""
        error = RealIO(
            f"the program {what}, which takes real time that cannot be fast-forwarded; "
            "run it on the real clock: await record(main())"
        )
        self.refusal = error
        self.first_refusal = self.first_refusal or error
        return error

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Report what nobody has caught; a refusal is the run's own error."""
        if not isinstance(context.get("exception"), RealIO):
            super().call_exception_handler(context)

    def refuse_no_more(self) -> None:
        """Let the loop turn again, for what is left to be cancelled."""
        self.refusal = None

    def run_in_executor(self, *args: Any) -> Any:  # type: ignore[override]
        raise self.refuse("uses a thread or a process")

    async def subprocess_exec(self, *args: Any, **kwargs: Any) -> Any:
        raise self.refuse("uses a process")

    async def subprocess_shell(self, *args: Any, **kwargs: Any) -> Any:
        raise self.refuse("uses a process")

    def add_signal_handler(self, *args: Any) -> None:  # type: ignore[override]
        raise self.refuse("uses a signal handler")

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.Handle:
        elsewhere = threading.get_ident() != self._thread_id  # type: ignore[attr-defined]
        closes = getattr(callback, "__name__", "") == "create_task"  # a collected async generator
        if elsewhere and self.is_running() and not closes:
            raise self.refuse("uses a thread that wakes its loop")
        return super().call_soon_threadsafe(callback, *args, context=context)


# Audit hooks would hear of all this, but also of each look at a coroutine's frame or code: with one
# set, filming takes half as long again.
_OUTSIDE: list[tuple[Any, str, str]] = [
    (_thread, "start_new_thread", "uses a thread"),
    (builtins, "input", "uses the keyboard"),
    (subprocess.Popen, "__init__", "uses a process"),
    *(
        (socket, name, "uses a socket")
        for name in ("getaddrinfo", "gethostbyname", "gethostbyaddr")
    ),
    *(
        (socket.socket, name, "uses a socket")
        for name in ("bind", "connect", "connect_ex", "sendto")
    ),
    *((os, name, "uses a process") for name in ("system", "posix_spawn", "posix_spawnp", "fork")),
    *((threading, n, "uses a thread") for n in ("_start_new_thread", "_start_joinable_thread")),
    *((signal, n, "uses a signal") for n in ("signal", "setitimer", "alarm", "raise_signal")),
    *((signal, n, "waits for a signal") for n in ("pause", "sigwait", "sigwaitinfo")),
    *((os, n, "uses a signal") for n in ("kill", "killpg")),
    (concurrent.futures.ThreadPoolExecutor, "submit", "uses a thread"),
    (concurrent.futures.ProcessPoolExecutor, "submit", "uses a process"),
    (select, "select", "waits for a socket"),
    (queue.SimpleQueue, "get", "waits for a thread"),
    (threading.Condition, "wait", "waits for a thread"),
    (threading.Thread, "join", "waits for a thread"),
    *(
        (place, "wrap_future", "awaits a future of a thread")
        for place in (asyncio, asyncio.futures)
    ),
]


def _refusing(real: Any, what: str) -> Any:
    """Return a function that does as `real` does, except in a program that is simulated."""
    harmless = _is_harmless_wait if what.startswith("waits") else _is_harmless_thread

    @functools.wraps(real)
    def refuse(*args: Any, **kwargs: Any) -> Any:
        loop = asyncio._get_running_loop()
        if isinstance(loop, NoOutside) and not harmless(*args):
            raise loop.refuse(what)
        return real(*args, **kwargs)

    return refuse


# tqdm's monitor never touches a loop, nor does the thread in which another program is simulated.
_HARMLESS = ("tqdm.", "helpers.camera.clock")
_WAITING = (threading.__file__, queue.__file__, concurrent.futures._base.__file__)


def _is_harmless_thread(target: Any = None, *args: Any) -> bool:
    """Whether a thread that would be started, which runs a method of its own, touches no loop."""
    return type(getattr(target, "__self__", None)).__module__.startswith(_HARMLESS)


def _is_harmless_wait(*args: Any) -> bool:
    """Whether it is a library that waits, as a notebook's stdout does when it is flushed."""
    frame: Any = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename in _WAITING:
        frame = frame.f_back
    return frame is None or not is_own(frame.f_code)


REFUSING: list[tuple[Any, str, Any]] = [
    (place, name, _refusing(getattr(place, name), what))
    for place, name, what in _OUTSIDE
    if hasattr(place, name)
]
"""Where there is what takes real time, its name, and what to put in its place."""
