"""Do the latest of what is asked, on one thread."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Generic, TypeVar

__all__ = ["Latest"]

_T = TypeVar("_T")


class Latest(Generic[_T]):
    """Does the latest of what is asked of it, on a thread that ends when all is done.

    Parameters
    ----------
    do
        Called with what was asked; what is asked meanwhile waits, and only the last of it is done.

    Examples
    --------
    >>> done = []
    >>> latest = Latest(done.append)
    >>> latest.ask("a picture")
    >>> latest.wait_idle(), done
    (True, ['a picture'])
    """

    def __init__(self, do: Callable[[_T], object]) -> None:
        self._do = do
        self._changed = threading.Condition()
        self._asked: list[_T] = []  # at most one
        self._works = False

    def ask(self, what: _T) -> None:
        """Ask for this, in place of what still waits; from any thread."""
        with self._changed:
            self._asked = [what]
            if not self._works:
                work = threading.Thread(target=copy_context().run, args=(self._work,), daemon=True)
                work.start()
                self._works = True

    def wait_idle(self, seconds: float | None = None) -> bool:
        """Wait until all is done, or so long; return whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._works, seconds)

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._asked:
                    self._works = False
                    self._changed.notify_all()
                    return
                what = self._asked.pop()
            try:
                self._do(what)
            except BaseException:  # heard, as of any thread, but the next is done all the same
                threading.excepthook(
                    threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread()))
                )
            del what
