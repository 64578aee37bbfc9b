"""Collect what one program prints, and leave alone what is printed elsewhere meanwhile."""

from __future__ import annotations

import contextvars
import io
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["BoundedText", "collected"]


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

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.users = 0

    def write(self, text: str) -> int:
        to = _text.get() or self.stream
        written: int = to.write(text)
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


# They are kept for good: a `print` that is under way in another thread holds no reference to the
# stream that it prints to, and Python crashes if that goes.
_routers: dict[int, _Router] = {}


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
    with _lock:
        if not isinstance(sys.stdout, _Router):
            sys.stdout = _routers.setdefault(id(sys.stdout), _Router(sys.stdout))
        router = sys.stdout
        router.users += 1
    token = _text.set(text)
    try:
        yield text
    finally:
        _text.reset(token)
        with _lock:
            router.users -= 1
            if not router.users and sys.stdout is router:
                sys.stdout = router.stream
