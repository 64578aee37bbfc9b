"""Helpers of the course: the world, the camera and the screen.

Here are the names that the first notebooks import. Nothing heavy is loaded before it is used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .clock import busy, record, simulate
from .infer import infer
from .load import load_data
from .run import Run

if TYPE_CHECKING:
    from .explore import explore
    from .replay import replay

__all__ = ["Run", "busy", "explore", "infer", "load_data", "record", "replay", "simulate"]


_WIDGETS = ("explore", "replay")  # functions, each in a module of its name


def __getattr__(name: str) -> Any:
    if name in _WIDGETS:
        return getattr(import_module(f"{__name__}.{name}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Face(ModuleType):
    """Keeps the modules of that name, once imported, from taking the functions' place."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _WIDGETS or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Face


def _show_runs_as_pictures() -> None:
    """Have notebooks show a `Run` as its timeline, beside its text, and figures as they are."""
    from IPython import get_ipython

    shell = get_ipython()
    if shell is not None:
        formatter = shell.display_formatter.formatters["image/png"]
        formatter.for_type_by_name("helpers.run", "Run", _picture)
        formatter.for_type_by_name("matplotlib.figure", "Figure", _picture)


def _picture(shown: Any) -> tuple[bytes, dict[str, str]]:
    """A picture, and its alternative in words."""
    from .plot import png, timeline

    if isinstance(shown, Run):
        return png(timeline(shown)), {"alt": f"Timeline: {shown!r}"}
    titles = [axes.get_title(loc="left") or axes.get_ylabel() for axes in shown.axes]
    return png(shown), {"alt": "; ".join(filter(None, titles))}


if "IPython" in sys.modules:
    _show_runs_as_pictures()
