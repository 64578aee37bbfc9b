"""Collect what one program prints, and leave alone what is printed elsewhere meanwhile."""

from __future__ import annotations

import contextvars
import io
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

__all__ = ["BoundedText", "collected", "collected_into", "routed"]


class BoundedText:
    """What was printed: the first 20,000 characters, and how many lines were left out."""

    MOST = 20_000

    def __init__(self) -> None:
        self._kept = io.StringIO()
        self._left_out = 0

    def write(self, text: str) -> int:
        room = self.MOST - self._kept.tell()
        if room > 0:
            self._kept.write(text[:room])
        self._left_out += text[max(room, 0) :].count("\n")
        return len(text)

    def value(self) -> str:
        more = f"\n… {self._left_out:,} more lines\n" if self._left_out else ""
        return self._kept.getvalue() + more


_lock = threading.Lock()
_text: contextvars.ContextVar[BoundedText | None] = contextvars.ContextVar("text", default=None)


class _Router:
    """Stands in for `sys.stdout` while a program's output is collected."""

    stream: Any = None
    users = 0
    before: Callable[[], Any] = staticmethod(lambda: None)  # the last stream, if it is still there

    def there(self) -> Any:
        """Return where to print what nobody collects, also if somebody has kept this."""
        return self.stream or self.before() or sys.__stdout__

    def write(self, text: str) -> int:
        written: int = (_text.get() or self.there()).write(text)
        return written

    def close(self) -> None:
        """Leave the stream open: it is not the program's."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.there(), name)


# The only one, and kept for good: a `print` that is under way in another thread holds no reference
# to the stream that it prints to, and Python crashes if that goes.
_router = _Router()


@contextmanager
def routed(*, restored: bool = False) -> Iterator[None]:
    """Have `sys.stdout` ask who prints; at the end it is what it was before, if so `restored`.

    Else whoever has put another in its place meanwhile finds it still there.
    """
    with _lock:
        if sys.stdout is not _router:
            _router.stream = sys.stdout
            sys.stdout = _router
        _router.users += 1
    try:
        yield
    finally:
        with _lock:
            _router.users -= 1
            if restored or sys.stdout is _router:
                sys.stdout = _router if _router.users else _router.stream
            if not _router.users:
                with suppress(TypeError):  # it cannot be referred to weakly
                    _router.before = weakref.ref(_router.stream)
                _router.stream = None


@contextmanager
def collected_into(text: BoundedText) -> Iterator[None]:
    """Collect what is printed in this context and in those that inherit it, while routed."""
    token = _text.set(text)
    try:
        yield
    finally:
        _text.reset(token)


@contextmanager
def collected() -> Iterator[BoundedText]:
    """Collect what is printed in this context and in the tasks and threads that inherit it.

    Examples
    --------
    >>> with collected() as text:
    ...     print("loading")
    >>> text.value()
    'loading\\n'
    """
    text = BoundedText()
    with routed(), collected_into(text):
        yield text
