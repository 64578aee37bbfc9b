"""One style of drawing, whatever the user's settings are, which stay theirs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.figure import Figure

__all__ = ["StyledFigure", "in_our_style", "lock"]

lock = threading.RLock()  # matplotlib shares its fonts between figures
_thread: int | None = None  # the one that draws in our style
_OURS: dict[Any, Any] = dict(matplotlib.rcParamsDefault.items())


class _Settings(matplotlib.RcParams):
    """The user's settings, which the thread that draws in our style reads as matplotlib's own.

    With `matplotlib.rc_context` other threads would see them change, and lose what they set.
    """

    def __getitem__(self, name: Any) -> Any:
        return _OURS[name] if threading.get_ident() == _thread else super().__getitem__(name)


@contextmanager
def in_our_style() -> Iterator[None]:
    """Let this thread draw, it alone, and by matplotlib's own settings.

    Examples
    --------
    >>> with matplotlib.rc_context({"font.size": 30}):
    ...     with in_our_style():
    ...         ours = matplotlib.rcParams["font.size"]
    ...     ours, matplotlib.rcParams["font.size"]
    (10.0, 30.0)
    """
    global _thread
    settings = matplotlib.rcParams
    with lock:
        before = settings.__class__, _thread
        settings.__class__, _thread = _Settings, threading.get_ident()
        try:
            yield
        finally:
            settings.__class__, _thread = before


class StyledFigure(Figure):
    """A figure in our style, however it is saved."""

    def savefig(self, *args: Any, **kwargs: Any) -> None:
        """Save it as `matplotlib.figure.Figure` does."""
        with in_our_style():
            super().savefig(*args, **kwargs)

    def __repr__(self) -> str:
        return super().__repr__().replace("StyledFigure", "Figure")  # one as any other


def _is_the_users(record: logging.LogRecord) -> bool:
    return threading.get_ident() != _thread


# A letter in the weight that its font has is better than a warning.
logging.getLogger("matplotlib.font_manager").addFilter(_is_the_users)
