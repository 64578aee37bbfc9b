"""Helpers of the course: the world, the camera and the screen.

Here are the names that the first notebooks import. Nothing heavy is loaded before it is used.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from .clock import busy, record, simulate
from .infer import infer
from .load import load_data
from .trace import Run

if TYPE_CHECKING:
    from .explore import explore

__all__ = ["Run", "busy", "explore", "infer", "load_data", "record", "simulate"]


def __getattr__(name: str) -> Any:
    if name == "explore":
        from .explore import explore

        globals()["explore"] = explore  # also where the module of that name was set meanwhile
        return explore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _show_runs_as_pictures() -> None:
    """Have notebooks show a `Run` as its timeline, beside its text, and figures as they are."""
    from IPython import get_ipython

    shell = get_ipython()
    if shell is not None:
        formatter = shell.display_formatter.formatters["image/png"]
        formatter.for_type_by_name("helpers.trace", "Run", _picture)
        formatter.for_type_by_name("matplotlib.figure", "Figure", _picture)


def _picture(shown: Any) -> bytes:
    from .plot import png, timeline

    return png(timeline(shown) if isinstance(shown, Run) else shown)


if "IPython" in sys.modules:
    _show_runs_as_pictures()
