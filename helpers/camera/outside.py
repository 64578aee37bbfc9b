"""What cannot be fast-forwarded: whatever waits for the world outside is refused by name.

Sockets, processes, threads, and whoever wakes the loop from outside take real time. A loop whose
clock jumps would go on without them, to a wrong result.
"""

from __future__ import annotations

import _thread
import asyncio
import functools
import sys
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["SUBSTITUTES", "NoOutside", "RealIO", "refusing", "watch_for_the_outside"]


class RealIO(RuntimeError):
    """Files, sockets, threads and processes take real time: not on the fast-forward clock."""


class NoOutside(asyncio.SelectorEventLoop):
    """An event loop that refuses what takes real time, and keeps the first refusal."""

    refusal: RealIO | None = None
    """What was refused last, which ends the run at the loop's next turn."""
    first_refusal: RealIO | None = None

    def refuse(self, what: str) -> RealIO:
        """Return the error to raise, which the program may catch, but which ends the run."""
        error = RealIO(
            f"the program uses {what}, which takes real time that cannot be fast-forwarded; "
            "run it on the real clock: await record(main())"
        )
        self.refusal = error
        self.first_refusal = self.first_refusal or error
        return error

    def refuse_no_more(self) -> None:
        """Let the loop turn again, for what is left to be cancelled."""
        self.refusal = None

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        raise self.refuse("a thread or a process")

    async def subprocess_exec(self, *args: Any, **kwargs: Any) -> Any:
        raise self.refuse("a process")

    async def subprocess_shell(self, *args: Any, **kwargs: Any) -> Any:
        raise self.refuse("a process")

    def add_signal_handler(self, sig: Any, callback: Any, *args: Any) -> None:
        raise self.refuse("a signal handler")

    def call_soon_threadsafe(
        self, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.Handle:
        elsewhere = threading.get_ident() != self._thread_id  # type: ignore[attr-defined]
        closes = getattr(callback, "__name__", "") == "create_task"  # a collected async generator
        if elsewhere and self.is_running() and not closes:
            raise self.refuse("a thread that wakes the loop")
        return super().call_soon_threadsafe(callback, *args, context=context)


# The interpreter tells its audit hooks of all that a program does outside of itself. A hook can
# never be taken back, so there is one, which looks at nothing but programs that are simulated.
_OUTSIDE = {
    "_thread.start_joinable_thread": "a thread",
    "_thread.start_new_thread": "a thread",
    "builtins.input": "the keyboard",
    "builtins.input/result": "the keyboard",
    "os.exec": "a process",
    "os.fork": "a process",
    "os.forkpty": "a process",
    "os.posix_spawn": "a process",
    "os.spawn": "a process",
    "os.startfile": "a process",
    "os.system": "a process",
    "pty.spawn": "a process",
    "socket.bind": "a socket",
    "socket.connect": "a socket",
    "socket.getaddrinfo": "a socket",
    "socket.gethostbyaddr": "a socket",
    "socket.gethostbyname": "a socket",
    "socket.sendmsg": "a socket",
    "socket.sendto": "a socket",
    "subprocess.Popen": "a process",
    "time.sleep": "a time.sleep of a name that was not found, as in a list or a default argument",
}


def refusing(real: Any, what: str) -> Any:
    """Return a function that does as `real` does, except in a program that is simulated."""

    @functools.wraps(real)
    def refuse(*args: Any, **kwargs: Any) -> Any:
        _refuse_in_a_simulation(what, args)
        return real(*args, **kwargs)

    return refuse


# What the hooks are not told of: the first on Python 3.11, the other on all.
if sys.version_info < (3, 12):
    SUBSTITUTES: list[tuple[Any, str, Any]] = [
        (module, name, refusing(getattr(module, name), "a thread"))
        for module, name in ((_thread, "start_new_thread"), (threading, "_start_new_thread"))
    ]
else:
    SUBSTITUTES = []
_wrap_future = refusing(asyncio.wrap_future, "a future of a thread or a process")
SUBSTITUTES += [(module, "wrap_future", _wrap_future) for module in (asyncio, asyncio.futures)]
"""Module, name and what to put in its place while a program is simulated."""

# Threads that never touch the loop: tqdm's monitor, and where another program is simulated.
_HARMLESS = ("tqdm.", "helpers.camera.clock")
_watching = False


def watch_for_the_outside() -> None:
    """From now on refuse what a simulated program does outside of itself."""
    global _watching
    if not _watching:
        _watching = True
        sys.addaudithook(_audit)


def _audit(event: str, args: tuple[Any, ...]) -> None:
    what = _OUTSIDE.get(event)
    if what is not None:
        _refuse_in_a_simulation(what, args)


def _refuse_in_a_simulation(what: str, args: tuple[Any, ...]) -> None:
    loop = asyncio._get_running_loop()
    if isinstance(loop, NoOutside):
        target = getattr(args[0], "__self__", None) if args else None
        if not type(target).__module__.startswith(_HARMLESS):
            raise loop.refuse(what)
