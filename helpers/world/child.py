"""A server in a process of its own, which never outlives the program that it serves.

The parent holds the other end of the child's stdin, and the child ends with it. A process that was
forked off the parent may hold that end as well: so the child also looks whose child it is. Jupyter
interrupts a whole group of processes: so the child is in a session of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import IO, Any

__all__ = ["ServerFailed", "announce", "child", "when_no_longer_wanted"]

_READY_WITHIN = 60.0  # seconds: the first start of a database on a slow machine takes some
_GONE_WITHIN = 10.0  # seconds until it is told so more firmly
_LOOK = 0.25  # seconds between two looks at whose child it is


class ServerFailed(RuntimeError):
    """A server did not start."""


@asynccontextmanager
async def child(module: str, *arguments: str) -> AsyncIterator[dict[str, Any]]:
    """Run ``python -m module arguments`` while entered; give what it announces when it is ready.

    However this program ends, the child is gone within three seconds.

    Raises
    ------
    ServerFailed
        If it ends or says nothing within a minute, with the end of what it wrote on stderr.

    Examples
    --------
    >>> async def main():
    ...     async with child("helpers.world.child") as announced:
    ...         return announced
    >>> asyncio.run(main())
    {'ready': True}
    """
    with tempfile.TemporaryFile() as stderr:
        process = await asyncio.to_thread(_start, module, arguments, stderr)
        assert process.stdin is not None and process.stdout is not None
        try:
            yield await asyncio.to_thread(_announced, process, module, stderr)
        finally:
            _let_end(process)  # from now on it ends, whoever waits for it
            with process.stdout:
                await asyncio.shield(asyncio.to_thread(_wait, process))


def _start(module: str, arguments: tuple[str, ...], stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        env={**os.environ, "PARENT": str(os.getpid())},
        start_new_session=True,
    )


def _announced(process: subprocess.Popen[bytes], module: str, stderr: IO[bytes]) -> dict[str, Any]:
    killer = threading.Timer(_READY_WITHIN, process.kill)
    killer.start()
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
    finally:
        killer.cancel()
    if not line:
        stderr.seek(0)
        why = stderr.read().decode(errors="replace").strip().splitlines()[-3:]
        raise ServerFailed(
            f"{module} did not start: {' | '.join(why)[-600:] or 'it said nothing'}; run "
            f"`python -m {module}` in a terminal to see all of it"
        )
    announced: dict[str, Any] = json.loads(line)
    return announced


def _let_end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    with suppress(OSError):  # it has ended
        process.stdin.write(b"end")  # somebody else may hold the pipe open
        process.stdin.close()


def _wait(process: subprocess.Popen[bytes]) -> None:
    for more in (process.terminate, process.kill, process.kill):
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GONE_WITHIN)
            return
        more()


# --- In the child --------------------------------------------------------------------------


def announce(**what: Any) -> None:
    """Say to the parent that all is ready, and where."""
    print(json.dumps(what), flush=True)  # noqa: T201 - the parent reads it


def when_no_longer_wanted(end: Callable[[], None]) -> None:
    """Call ``end``, in a thread, when the parent is gone, says so, or sends a SIGTERM.

    In a terminal there is no such parent: then it is Ctrl-C that ends the program.
    """
    signal.signal(signal.SIGTERM, lambda number, frame: end())
    parent = os.environ.pop("PARENT", "")
    if not parent:
        return

    def listen() -> None:
        os.read(0, 1)  # not by sys.stdin, whose lock would be held at the end
        end()

    def look() -> None:
        while os.getppid() == int(parent):
            time.sleep(_LOOK)
        end()

    threading.Thread(target=listen, daemon=True).start()
    if os.name == "posix":  # elsewhere a launcher stands between the two, and nobody forks
        threading.Thread(target=look, daemon=True).start()


if __name__ == "__main__":
    ended = threading.Event()
    when_no_longer_wanted(ended.set)
    announce(ready=True)
    ended.wait()
