"""Helpers of the course: the world, the camera, the screen and the checks.

Here are the names that the first notebooks import; the rooms hand out the others. Nothing heavy
is loaded before it is used.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from .camera import Run, busy, record, simulate
from .world import infer, load_data

if TYPE_CHECKING:
    from .screen import explore, replay

__all__ = ["Run", "busy", "explore", "infer", "load_data", "record", "replay", "simulate"]


def __getattr__(name: str) -> Any:
    if name not in ("explore", "replay"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import screen

    return getattr(screen, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _show_runs_as_pictures() -> None:
    """Have notebooks show a `Run` as its timeline, beside its text, and figures as they are."""
    from IPython import get_ipython

    shell = get_ipython()
    if shell is not None:
        formatter = shell.display_formatter.formatters["image/png"]
        formatter.for_type_by_name("helpers.camera.run", "Run", _picture)
        formatter.for_type_by_name("matplotlib.figure", "Figure", _picture)


def _picture(shown: Any) -> tuple[bytes, dict[str, Any]]:
    """A picture, how wide to show it, and its alternative in words."""
    from .screen.plot import in_words, png, size, timeline

    figure = timeline(shown) if isinstance(shown, Run) else shown
    width, _ = size(figure)  # and as high as that makes it, also where there is less room
    return png(figure), {"alt": in_words(shown), "width": width}


if "IPython" in sys.modules:
    _show_runs_as_pictures()
