"""Short texts of whatever a program makes: bounded, on one line, and never failing."""

from __future__ import annotations

__all__ = ["message_of", "one_line"]

_LONGEST = 200


def message_of(error: BaseException) -> str:
    """Return what an error says, also of one that cannot say it.

    Examples
    --------
    >>> message_of(ValueError("no such file"))
    'no such file'
    >>> class Odd(Exception):
    ...     def __str__(self):
    ...         return None
    >>> message_of(Odd())
    '(its text cannot be shown)'
    """
    try:
        return str(error)
    except KeyboardInterrupt:
        raise
    except BaseException:
        return "(its text cannot be shown)"


def one_line(text: str, most: int = _LONGEST) -> str:
    """Return the text, shortened to so many characters.

    Examples
    --------
    >>> one_line("a" * 300, 10)
    'aaaaaaaaa…'
    """
    return text if len(text) <= most else text[: most - 1] + "…"
