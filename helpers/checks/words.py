"""What was seen, in words: short, printable, and without running anything of the learner's."""

from __future__ import annotations

import asyncio
import inspect
import re
import reprlib
from functools import partial
from typing import Any

from ..camera.texts import kind_name, message_of, plain

__all__ = ["error_text", "in_words", "is_same", "name_of", "shown"]

_PLAIN = (str, bytes, bool, int, float, type(None), list, tuple, dict, set, frozenset)


def in_words(text: str, most: int = 300) -> str:
    """Return the text as something that can be printed and that wraps, at most so long.

    Examples
    --------
    >>> in_words("a beep \\a and " + "x" * 1_000)
    'a beep \\\\x07 and xxxxxxxxxxxxxxxxxxxxxxxx…xxxxxxxxxxxxxxxxxxxxxxxx'
    """
    head = text[:most]
    if len(text) > most:
        head = re.sub(r"\S{60,}$", lambda cut: cut[0] + text[-24:], head)
    head = re.sub(r"\S{60,}", lambda long: f"{long[0][:24]}…{long[0][-24:]}", head)
    more = "…" if len(text) > most and not head.endswith(text[-24:]) else ""
    return plain(head, keep="\n") + more


def name_of(function: object) -> str:
    """Return the name of a function, also of one behind `partial`; else what it is.

    Examples
    --------
    >>> name_of(partial(print, 3)), name_of(7), name_of(type("Loader", (), {})())
    ('print', '7', '<Loader>')
    """
    while isinstance(function, partial):
        function = function.func
    try:
        name = function.__name__  # type: ignore[attr-defined]
    except Exception:
        name = None
    return in_words(name, 60) if type(name) is str else shown(function)


def shown(value: object) -> str:
    """Return a short text for any value; of unknown ones the type, for a `__repr__` may do harm.

    Examples
    --------
    >>> print(shown([None, "x" * 1_000, ValueError("gone"), object()]))
    [None, 'xxxxxxxxxxxx...xxxxxxxxxxxxx', ValueError: gone, <object>]
    """
    return in_words(_shown.repr(value), 200)


class _Shown(reprlib.Repr):
    def repr1(self, x: Any, level: int) -> str:
        try:
            if type(x) in _PLAIN:
                return super().repr1(x, level)
            return _kind(x)
        except Exception:
            return f"<{kind_name(x)}>"


_shown = _Shown()


def _kind(thing: Any) -> str:
    """What a thing is, whatever it says of itself."""
    for kind, what in (
        (asyncio.Task, "a task"),
        (asyncio.Future, "a future"),
        (BaseException, ""),
    ):
        if issubclass(type(thing), kind):
            return what or error_text(thing)
    for is_kind, what in (
        (inspect.iscoroutine, "a coroutine"),
        (inspect.isasyncgen, "an async generator"),
        (inspect.isgenerator, "a generator"),
    ):
        if is_kind(thing):
            return what
    if inspect.isclass(thing) or inspect.isroutine(thing):
        return f"the {'class' if inspect.isclass(thing) else 'function'} {thing.__name__}"
    return f"<{kind_name(thing)}>"


def error_text(error: BaseException) -> str:
    """Return an error's name and message; of a group, its own name and its first error.

    Examples
    --------
    >>> error_text(ValueError("gone")), error_text(TimeoutError())
    ('ValueError: gone', 'TimeoutError')
    >>> error_text(ExceptionGroup("in a TaskGroup", [KeyError("b"), OSError()]))
    "ExceptionGroup of KeyError: 'b'"
    """
    kind, depth = kind_name(error), 0
    inner = error
    while isinstance(inner, BaseExceptionGroup):
        inner, depth = inner.exceptions[0], depth + 1
    if depth:
        return f"{kind} of {error_text(inner)}"
    text = in_words(message_of(error))
    return f"{kind}: {text}" if text else kind


def is_same(got: object, wanted: object) -> bool:
    """Return whether both are one thing, or equal and plain: no `__eq__` of the learner's is run.

    Examples
    --------
    >>> is_same("a", "a"), is_same(True, 1), is_same((0, []), (0, [])), is_same([object()], [0])
    (True, False, True, False)
    """
    if got is wanted:
        return True
    if type(got) is not type(wanted) or type(got) not in _PLAIN:
        return False
    if isinstance(got, list | tuple) and isinstance(wanted, list | tuple):
        return len(got) == len(wanted) and all(map(is_same, got, wanted))
    return got == wanted
