"""The screen: put controls on a coroutine function and see at each move what it does."""

from __future__ import annotations

import html
import inspect
import re
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from types import CodeType, FunctionType
from typing import Any

import ipywidgets as widgets

from ..camera.chain import is_own
from ..camera.clock import check_coroutine_function
from ..camera.run import Run
from ..camera.texts import plain
from .experiment import HEIGHT, Experiment, name_of, written
from .picture import Picture, PictureBox, button, row
from .text import in_order, value

__all__ = ["Explorer", "explore"]

# CSS pixels of a screen that are not for the picture: JupyterLab's bars, controls, line, margins.
_BESIDE = 290


def explore(
    function: Callable[..., Coroutine[Any, Any, Any]], /, *, real: Any = None, **controls: Any
) -> Explorer:
    """Put a control on each argument of a coroutine function; each move runs it again.

    All pictures are equally high, and their time axis stands still, so that what is faster looks
    shorter. The axis ends where the longest run so far did, rounded up to 1, 1.5, 2, 3, 5, 7 or 10
    seconds, or ten times that, and so on: it grows with a longer run and never shrinks. Run the
    cell again for an axis of its own.

    Parameters
    ----------
    function
        What `simulate` takes: a coroutine function, or anything else that returns a coroutine
        when it is called. It runs on the fast-forward clock, or by a button in real time. If what
        it returns is a figure, such as a `curve`, that is shown in place of the run's picture.
    real
        True for a function that reads files or uses threads: run it in real time at each move, on
        a loop of its own in a worker thread. Of a function with an argument of this name it is
        the control.
    **controls
        As for ``ipywidgets.interact``: ``(1, 20)`` is a slider, a list a dropdown, a bool a
        checkbox, a string a text field; a widget is taken as it is. A control begins at the
        function's own default, where it has one.

    Raises
    ------
    TypeError
        If ``function`` returns no coroutine, or the controls do not fit its arguments.
    ValueError
        If the first number of a range is the larger one.

    Examples
    --------
    >>> import asyncio
    >>> async def nap(hours):
    ...     await asyncio.sleep(3600 * hours)
    >>> explore(nap, hours=(1, 3))
    explore(nap, hours=2): 7200.00 s
    """
    check_coroutine_function(_unwrapped(function), "explore")
    if real is not None and "real" in _parameters(function):
        controls["real"], real = real, False
    return Explorer(function, controls, bool(real))


class Explorer(PictureBox):
    """What `explore` shows: controls, buttons, a line of text, a picture, what was printed.

    Attributes
    ----------
    controls
        The control of each argument, by name.
    experiment
        What they control.
    """

    def __init__(self, function: Callable[..., Any], controls: dict[str, Any], real: bool) -> None:
        self.controls = _controls(function, controls)
        self.experiment = Experiment(function, real, self)
        keep = "Keep this run to compare the next ones with"
        self.pin = button("Pin as A", "explore-thumb-tack", keep, width="8em")
        play = "Run it in real time on the notebook's loop"
        self.play = button("Run for real", "explore-play", play, width="9em")
        self.stop = button("Stop", "explore-stop", "Stop the run in real time", width="6em")
        self.stop.disabled = True
        self.play.disabled = self.experiment.loop is None
        self.line = widgets.HTML(layout={"height": "54px", "flex": "1", "overflow": "auto"})
        self.picture, self.printed = Picture(), widgets.HTML()
        for name, part in {"line": self.line, "picture": self.picture}.items():
            part.add_class(f"explore-{name}")
        self.picture.layout.max_height = f"min({HEIGHT}px, 100vh - {_BESIDE}px)"
        self.experiment.begin(self.values())  # before there is a widget, which may not come to be
        controls = row(*self.controls.values(), flex_flow="row wrap")
        buttons = row(self.pin, self.play, self.stop, flex="none")
        if _may_print(function) and not self.printed.value:
            self.printed.value = _printed("")
        super().__init__([controls, row(buttons, self.line), self.picture, self.printed])
        for control in self.controls.values():
            control.observe(lambda change: self.experiment.move(self.values()), "value")
        self.pin.on_click(self._pin)
        self.play.on_click(lambda button: self.experiment.play(self.values()))
        self.stop.on_click(lambda button: self.experiment.stop())

    @property
    def run(self) -> Run | None:
        """What the picture shows."""
        return self.experiment.shown and self.experiment.shown[1]

    def values(self) -> dict[str, Any]:
        """The present value of each control."""
        values = {name: control.value for name, control in self.controls.items()}
        # A float slider counts in steps, and so arrives at 0.7999999999999999.
        return {k: round(v, 9) if isinstance(v, float) else v for k, v in values.items()}

    def __repr__(self) -> str:
        it = self.experiment
        return f"explore({name_of(it.function)}{written(it.values, ', ')}): {it.said}"

    def show(self, picture: bytes, words: str, size: tuple[int, int], run: Run, line: str) -> None:
        """Show a run, its picture so wide and high."""
        self.picture.show(picture, words, *size)
        self.pin.disabled = self.experiment.draws_itself  # there is no time axis to compare on
        self.line.value = _as_html(line, run.error is not None)
        if run.output or self.printed.value:  # the room for it stays
            self.printed.value = _printed(run.output)

    def say(self, line: str) -> None:
        """Say why there is none."""
        self.line.value = _as_html(line, True)

    def age(self, line: bool, picture: bool) -> None:
        """Let what is older than the controls look so, and nothing else."""
        # Both on the line: with each change of the picture's own classes it would be loaded again.
        for name, old in {"shows-old": line, "shows-old-picture": picture}.items():
            (self.line.add_class if old else self.line.remove_class)(name)

    def let_stop(self, can: bool) -> None:
        """Let a run in real time be stopped, or not."""
        self.stop.disabled = not can

    def _pin(self, button: Any) -> None:
        self.experiment.pin(self.values())
        self.pin.description = "Pin as A" if self.experiment.pinned is None else "Unpin A"


def _controls(function: Callable[..., Any], given: dict[str, Any]) -> dict[str, Any]:
    """A control for each argument, checked against the function's signature."""
    parameters = _parameters(function)
    controls = {}
    for name, abbreviation in given.items():
        default = getattr(parameters.get(name), "default", inspect.Parameter.empty)
        try:
            control = widgets.interactive.widget_from_abbrev(_sendable(abbreviation), default)
        except ValueError:
            if isinstance(abbreviation, tuple) and abbreviation[:1] > abbreviation[1:2]:
                low, high = value(abbreviation[1]), value(abbreviation[0])
                raise ValueError(
                    f"explore() cannot make a slider for {name} of {value(abbreviation)}: the first"
                    f" number must be the smaller one, as in {name}=({low}, {high})"
                ) from None
            raise
        if not isinstance(control, widgets.Widget):
            raise TypeError(
                f"explore() cannot make a control for {name} of {value(abbreviation)}: give a range"
                " such as (1, 20), a list of choices, True or False, a number, a text, or a widget"
            )
        control.description = plain(name)
        control.style.description_width = "initial"
        control.layout.flex, control.layout.max_width = "1 1 19em", "28em"
        control.add_class("explore-" + re.sub(r"\W", "-", name))
        controls[name] = control
    if parameters:
        _check(function, given)
    return controls


def _check(function: Callable[..., Any], given: dict[str, Any]) -> None:
    signature, name = inspect.signature(function), name_of(function)
    try:
        signature.bind(**given)
    except TypeError as error:
        arguments = signature.parameters.values()
        missing = ", ".join(f"{argument.name}=..." for argument in arguments)
        advice = f"write explore({name}, {missing})"
        if any(argument.kind is argument.POSITIONAL_ONLY for argument in arguments):
            names = ", ".join(argument.name for argument in arguments)
            advice = (
                "a control gives its argument by name: write a function that takes it so, such as "
                f"`async def it({names}): return await {name}({names})`, and explore(it, {missing})"
            )
        raise TypeError(
            f"the controls do not fit {name}{plain(str(signature), 300)}: {error}; {advice}"
        ) from None


def _sendable(abbreviation: Any) -> Any:
    """What can be sent to a browser, which takes no half of a character."""
    if isinstance(abbreviation, list) and any(isinstance(x, str) for x in abbreviation):
        return [(plain(x), x) if isinstance(x, str) else x for x in abbreviation]
    return abbreviation


def _may_print(function: Any) -> bool:
    """Whether it names print, or a function of the learner's that does: it needs the room."""
    found = [_unwrapped(function)]
    for each in found:
        others: list[Any] = []
        if type(each) is dict:
            others = list(each.values())
        elif type(each) is FunctionType and is_own(each.__code__):
            names = _names(each.__code__)
            if "print" in names:
                return True
            others = [each.__globals__.get(name) for name in names]
            for cell in each.__closure__ or ():
                with suppress(ValueError):  # it is empty
                    others.append(cell.cell_contents)
        known = {id(one) for one in found}
        found += [one for one in others if id(one) not in known][: max(1_000 - len(found), 0)]
    return False


def _names(code: CodeType) -> set[str]:
    """What it names, and what the code within it does."""
    within = [_names(each) for each in code.co_consts if type(each) is CodeType]
    return set(code.co_names).union(*within)


def _unwrapped(function: Any) -> Any:
    """What stands behind a `functools.partial`."""
    while isinstance(function, partial):
        function = function.func
    return function


def _parameters(function: Any) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # it has none that could be read
        return {}


def _as_html(text: str, failed: bool) -> str:
    colours = "color: #a00000; background: white; " if failed else ""  # any theme
    kind = ' class="shows-failed"' * failed
    return f'<b{kind} style="{colours}white-space: pre-wrap">{html.escape(in_order(text))}</b>'


def _printed(text: str) -> str:
    text = html.escape(plain(text, keep="\n\t"))
    return f'<pre style="height: 8em; overflow-y: auto; line-height: 1.3">{text}</pre>'
