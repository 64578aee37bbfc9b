"""Short texts of whatever a program makes: printable, bounded, and without running its code."""

from __future__ import annotations

import unicodedata
from typing import Any

__all__ = ["LONGEST", "duration", "escape", "kind_name", "message_of", "plain"]

LONGEST = 300
"""Characters of a name or a message that are shown."""

_SHAPING = set("\u200c\u200d\u200e\u200f")  # Persian, scripts of India, emoji; the order of words
_name: Any = type.__dict__["__name__"]


def plain(text: str, most: int | None = None, *, keep: str = "") -> str:
    r"""Return the text with control characters escaped, save those to `keep`, and not too long.

    Examples
    --------
    >>> print(plain("a\0b\u202ec\ud800"), plain("ein langer Name", 9))
    a\x00b\u202ec\ud800 ein lang…
    """
    if most is not None and len(text) > most:
        text = text[: most - 1] + "…"
    if text.isprintable():
        return text
    text = "".join(c if c in keep or _is_letter(c) else escape(c) for c in text)
    return text if most is None or len(text) <= most else text[: most - 1] + "…"


def _is_letter(c: str) -> bool:
    return c.isprintable() or c in _SHAPING or unicodedata.category(c) == "Zs"


def escape(c: str) -> str:
    """Return a character as Python writes it that cannot show it."""
    return c.encode("unicode_escape").decode()


def duration(seconds: float) -> str:
    """Return how long something took, in the unit that fits.

    Examples
    --------
    >>> duration(1.5), duration(0.1), duration(0.042), duration(0.0004), duration(3e-6), duration(0)
    ('1.50 s', '0.10 s', '42 ms', '0.4 ms', '3 µs', '0.00 s')
    """
    if seconds >= 0.0995 or seconds <= 0:
        return f"{seconds:.2f} s"
    if seconds >= 0.00995:
        return f"{seconds * 1e3:.0f} ms"
    if seconds >= 0.000095:
        return f"{seconds * 1e3:.1f} ms"
    return f"{seconds * 1e6:.{int(seconds < 1e-6)}f} µs"


def kind_name(thing: object) -> str:
    """Return the name of a thing's class, whatever that class says of itself.

    Examples
    --------
    >>> kind_name(ValueError("gone"))
    'ValueError'
    """
    return plain(_name.__get__(type(thing)), LONGEST)


def message_of(error: BaseException) -> str:
    """Return the first line of what an error says, or nothing if it cannot be asked.

    Examples
    --------
    >>> message_of(ValueError("no such file"))
    'no such file'
    >>> class Odd(Exception):
    ...     def __str__(self):
    ...         return None
    >>> message_of(Odd())
    ''
    """
    try:
        text = str.__getitem__(str(error), slice(2 * LONGEST))  # also of a class of its own
    except BaseException:  # its own code: anything can come
        return ""
    return plain(text.strip().partition("\n")[0], LONGEST)
