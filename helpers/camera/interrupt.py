"""■ in a notebook, Ctrl-C in a terminal: have it stop what runs for real beside the cells."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .trace import Camera

__all__ = ["interruptible"]

_live: list[Camera] = []  # what ■ stops
_before: Any = signal.SIG_IGN  # what else it does


@contextmanager
def interruptible(camera: Camera) -> Iterator[None]:
    """Have ■ stop what `camera` films, also if it holds the loop: by itself it stops only cells.

    Only the main thread hears interrupts: elsewhere this does nothing.
    """
    global _before
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    if (now := signal.getsignal(signal.SIGINT)) is not _interrupted:
        _before = now or signal.SIG_IGN
        signal.signal(signal.SIGINT, _interrupted)
    _live.append(camera)
    try:
        yield
    finally:
        _live.remove(camera)
        if not _live and signal.getsignal(signal.SIGINT) is _interrupted:
            signal.signal(signal.SIGINT, _before)


def _interrupted(number: int, frame: Any) -> None:
    holding = [camera for camera in _live if camera.holds_the_loop]
    for camera in _live:
        camera.stop(at_once=camera in holding)
    if holding:
        raise asyncio.CancelledError
    if callable(_before):
        _before(number, frame)
