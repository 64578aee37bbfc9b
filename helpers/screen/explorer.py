"""The screen: put controls on a coroutine function and see at each move what it does."""

from __future__ import annotations

import asyncio
import concurrent.futures
import html
import inspect
import re
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextvars import copy_context
from functools import partial
from typing import Any, Protocol

import ipywidgets as widgets

from ..camera.clock import check_coroutine_function, simulate
from ..camera.interrupt import interruptible
from ..camera.outside import RealIO
from ..camera.prints import BoundedText, collected
from ..camera.run import Run
from ..camera.texts import plain
from ..camera.trace import Camera
from .latest import Latest
from .picture import Picture, PictureBox, button
from .plot import compare, png, timeline
from .text import in_order, message, value

__all__ = ["DoesNotStop", "Experiment", "Explorer", "NoCoroutine", "explore"]

_TURNS, _PATIENCE = 50_000, 5.0  # of the loop, and real seconds, for a program behind a slider
_FRAME = 0.15  # real seconds between two pictures of a run for real
_LONGEST = 600.0  # real seconds of a run for real: nobody may be there any more to stop it
_GRACE = 1.0  # real seconds for a run for real to end when it is asked to
_LINE = 600  # letters of a line of text


def explore(
    function: Callable[..., Coroutine[Any, Any, Any]], /, *, real: Any = None, **controls: Any
) -> Explorer:
    """Put a control on each argument of a coroutine function; each move runs it again.

    Parameters
    ----------
    function
        What `simulate` takes: a coroutine function, or anything else that returns a coroutine
        when it is called. It runs on the fast-forward clock, or by a button in real time.
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


# --- The logic -----------------------------------------------------------------------------


class _View(Protocol):
    """What shows an experiment; called on any thread."""

    def show(self, picture: bytes, run: Run, line: str) -> None:
        """Show a run."""

    def say(self, line: str) -> None:
        """Say why there is none."""

    def let_stop(self, can: bool) -> None:
        """Let a run in real time be stopped, or not."""


class NoCoroutine(TypeError):
    """What was called returned something else."""


class DoesNotStop(RuntimeError):
    """It runs in real time, and goes on when it is asked to stop."""


class _Request:
    """A run that was asked for, by a move or a button."""

    def __init__(self, values: dict[str, Any], real: bool, barrier: int) -> None:
        self.values, self.real, self.barrier = values, real, barrier
        self.camera = Camera()
        self.stopped = False
        self.redraws: asyncio.TimerHandle

    def stop(self) -> None:
        """End it, if it is real; fast-forward, it ends by itself."""
        self.stopped = True
        if self.camera.on:
            self.camera.stop()


class Experiment:
    """The logic of an explorer: runs a function again and again, each time with other values.

    Whatever comes of the latest is shown. What is at hand meanwhile is shown too, so that a
    picture follows the mouse; but nothing older is once a run in real time was asked for, and a
    run in real time is over with the next request.

    Attributes
    ----------
    values, said
        What was run last, and the text that came of it.
    shown
        The values and the run that the picture shows.
    pinned
        Values and run that the next ones are compared with.
    """

    def __init__(self, function: Callable[..., Any], real: bool, view: _View) -> None:
        self.function, self.real, self.view = function, real, view
        self.shown: tuple[dict[str, Any], Run] | None = None
        self.pinned: tuple[dict[str, Any], Run] | None = None
        self.values: dict[str, Any] = {}
        self.said = ""
        self.error: BaseException | None = None  # of ours, or of a program that left no run
        self._lock = threading.RLock()
        self._barrier = 0  # what was asked for before it may not show anything any more
        self._latest = _Request({}, False, 0)
        self._runs, self._frames = Latest(self._perform), Latest(self._draw)
        try:
            self.loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self.loop = None

    def begin(self, values: dict[str, Any]) -> None:
        """Make the first run, and wait for it."""
        try:
            self.move(values)
            while not self._runs.wait_idle(0.5):
                pass
        except KeyboardInterrupt:
            if not self.real:
                raise
            self.stop()
            self._runs.wait_idle(_GRACE + 10)  # which is enough for a picture
        if isinstance(self.error, NoCoroutine):
            raise self.error

    def move(self, values: dict[str, Any]) -> None:
        """Run it with these values; from any thread, as all that asks for something."""
        self._runs.ask(self._request(values, self.real))

    def play(self, values: dict[str, Any]) -> None:
        """Run it in real time on the loop of the cell that made it, where all else lives."""
        if self.loop is None:
            return
        request = self._request(values, True)
        try:
            self.loop.call_soon_threadsafe(self._start, request)
        except RuntimeError:
            self._say(request, RuntimeError("the loop of its cell is closed: run the cell again"))

    def stop(self) -> None:
        """Stop the run in real time."""
        self._latest.stop()

    def pin(self, values: dict[str, Any]) -> None:
        """Keep the run that is shown, to compare the next ones with it, or let it go."""
        with self._lock:
            self.pinned = self.shown if self.pinned is None else None
        self.move(values)

    def wait_idle(self, seconds: float | None = None) -> bool:
        """Wait until all moves are done, or so long; return whether they are."""
        return self._runs.wait_idle(seconds)

    def _request(self, values: dict[str, Any], real: bool) -> _Request:
        with self._lock:
            before = self._latest
            self._barrier += real or before.real
            self._latest = request = _Request(values, real, self._barrier)
        before.stop()
        self._tell_whether_it_runs()
        return request

    def _perform(self, request: _Request) -> None:
        """Do what a move asked for."""
        if request.barrier < self._barrier:
            return
        try:
            with collected() as text:
                if request.real:
                    run = self._in_thread(request, text)
                else:
                    call = _Call(self.function, **request.values)
                    run = simulate(call, max_turns=_TURNS, patience=_PATIENCE)
            self._show(request, run)
        except BaseException as error:  # whatever it raises, the next move works
            self._say(request, error)
        self._tell_whether_it_runs()

    def _in_thread(self, request: _Request, text: BoundedText) -> Run:
        """Run it on a loop and in a thread of its own, where it stays if it does not stop."""
        ended: concurrent.futures.Future[Run] = concurrent.futures.Future()

        def work() -> None:
            try:
                ended.set_result(asyncio.run(self._film(request, text)))
            except BaseException as error:
                ended.set_exception(error)

        threading.Thread(target=copy_context().run, args=(work,), daemon=True).start()
        while not concurrent.futures.wait([ended], 0.1).done:
            if request.stopped and not concurrent.futures.wait([ended], _GRACE).done:
                raise DoesNotStop("it was asked to stop, does not, and is left in its thread")
        return ended.result()

    def _start(self, request: _Request) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run_for_real(request))

    async def _run_for_real(self, request: _Request) -> None:
        """Do what the button asked for, with bars that grow meanwhile."""
        if request.barrier < self._barrier:
            return
        least = self.shown[1].seconds if self.shown else 0.0
        try:
            with collected() as text:
                self._redraw(request, text, least)
                run = await self._film(request, text)
            self._frames.ask((request, run, None))
        except BaseException as error:  # an exit, too: it would end the kernel
            self._frames.ask((request, error, None))
        finally:
            request.redraws.cancel()

    def _redraw(self, request: _Request, text: BoundedText, least: float) -> None:
        """Show the run so far, now and then, on an axis that was at least so long before."""
        if request.camera.on:
            run = request.camera.run(output=text.value())
            self._frames.ask((request, run, max(run.seconds, least)))
        loop = asyncio.get_running_loop()
        request.redraws = loop.call_later(_FRAME, self._redraw, request, text, least)

    async def _film(self, request: _Request, text: BoundedText) -> Run:
        loop, camera = asyncio.get_running_loop(), request.camera
        limit = loop.call_later(_LONGEST, camera.stop)
        loop.call_soon(self._began, request)
        try:
            with interruptible(camera):
                return await camera.film(_Call(self.function, **request.values)(), text)
        finally:
            limit.cancel()

    def _began(self, request: _Request) -> None:
        if request.stopped:  # before there was anything to stop
            request.camera.stop()
        self._tell_whether_it_runs()

    def _tell_whether_it_runs(self) -> None:
        with self._lock:
            self.view.let_stop(self._latest.camera.on)

    def _draw(self, frame: tuple[_Request, Run | BaseException, float | None]) -> None:
        request, seen, until = frame
        if isinstance(seen, BaseException):
            self._say(request, seen)
        else:
            self._show(request, seen, until)
        self._tell_whether_it_runs()

    def _show(self, request: _Request, run: Run, until: float | None = None) -> None:
        if request.barrier < self._barrier:
            return
        if self.pinned is None:
            figure = timeline(run, until=until)
        else:
            values, other = self.pinned
            names = f"A{_written(values, ' ')}", f"B{_written(request.values, ' ')}"
            figure = compare(other, run, names=names)
        picture = png(figure)
        with self._lock:
            if request.barrier >= self._barrier:
                self.shown, self.error = (request.values, run), None
                self.values, self.said = request.values, plain(repr(run), _LINE)
                self.view.show(picture, run, self.said + self._hint(run.error))

    def _say(self, request: _Request, error: BaseException) -> None:
        with self._lock:
            if request.barrier >= self._barrier:
                self.values, self.said, self.error = request.values, message(error, _LINE), error
                self.view.say(self.said + self._hint(error))

    def _hint(self, error: BaseException | None) -> str:
        """What to do about an error, where it is known."""
        for each in _within(error):
            if isinstance(each, NameError):
                return (
                    " · has the cell that defines it been run? (Run ▸ Run All Above Selected Cell)"
                )
            if isinstance(each, RealIO) and not self.real:
                return f" · write explore({_name(self.function)}, ..., real=True)"
            if isinstance(each, RuntimeError) and _OF_ANOTHER_LOOP.search(message(each, 10_000)):
                return (
                    " · each run has a loop of its own, and what was made for another one cannot be"
                    " used on it: make the Semaphore, Queue, session … inside the coroutine"
                )
        return ""


_OF_ANOTHER_LOOP = re.compile(
    "different (event )?loop|Event loop is closed|should be used inside a task"
)


def _within(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, those that it groups, and those that caused it: the first 1,000."""
    seen: list[BaseException] = [] if error is None else [error]
    for each in seen:
        yield each
        grouped = each.exceptions if isinstance(each, BaseExceptionGroup) else ()
        for other in (*grouped, each.__cause__, each.__context__):
            if other is not None and other not in seen and len(seen) < 1_000:
                seen.append(other)


class _Call(partial[Any]):
    """A call of a function, whose arguments may have any name, that must return a coroutine."""

    def __call__(self) -> Coroutine[Any, Any, Any]:
        coroutine = super().__call__()
        if isinstance(coroutine, Coroutine):
            return coroutine
        name = _name(self)
        raise NoCoroutine(
            f"{name}() returned {value(coroutine)}, not a coroutine, so nothing in it can wait: "
            f"write `async def {name}`"
        )


# --- The view ------------------------------------------------------------------------------


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
        self.pin = button(
            "Pin as A", "explore-thumb-tack", "Keep this run to compare the next ones with"
        )
        self.play = button(
            "Run for real", "explore-play", "Run it in real time on the notebook's loop"
        )
        self.stop = button("Stop", "explore-stop", "Stop the run in real time")
        self.stop.disabled = True
        self.play.disabled = self.experiment.loop is None
        self.line = widgets.HTML()
        self.picture = Picture()
        self.printed = widgets.HTML()
        self.experiment.begin(self.values())  # before there is a widget, which may not come to be
        super().__init__(
            [
                *self.controls.values(),
                widgets.HBox([self.pin, self.play, self.stop]),
                self.line,
                self.picture,
                self.printed,
            ]
        )
        for name, part in {"line": self.line, "picture": self.picture}.items():
            part.add_class(f"explore-{name}")
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
        return f"explore({_name(it.function)}{_written(it.values, ', ')}): {it.said}"

    def show(self, picture: bytes, run: Run, line: str) -> None:
        """Show a run."""
        self.picture.show(picture, run)
        self.line.value = _as_html(line, run.error is not None)
        self.printed.value = _printed(run.output)

    def say(self, line: str) -> None:
        """Say why there is none."""
        self.line.value = _as_html(line, True)

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
        control = widgets.interactive.widget_from_abbrev(_sendable(abbreviation), default)
        if not isinstance(control, widgets.Widget):
            raise TypeError(
                f"explore() cannot make a control for {name} of {value(abbreviation)}: give a range"
                " such as (1, 20), a list of choices, True or False, a number, a text, or a widget"
            )
        control.description = plain(name)
        control.style.description_width = "initial"
        control.layout.width = "28em"
        control.add_class("explore-" + re.sub(r"\W", "-", name))
        controls[name] = control
    if parameters:
        _check(function, given)
    return controls


def _check(function: Callable[..., Any], given: dict[str, Any]) -> None:
    signature, name = inspect.signature(function), _name(function)
    try:
        signature.bind(**given)
    except TypeError as error:
        missing = ", ".join(f"{argument}=..." for argument in signature.parameters)
        raise TypeError(
            f"the controls do not fit {name}{plain(str(signature), 300)}: {error}; "
            f"write explore({name}, {missing})"
        ) from None


def _sendable(abbreviation: Any) -> Any:
    """What can be sent to a browser, which takes no half of a character."""
    if isinstance(abbreviation, list) and any(isinstance(x, str) for x in abbreviation):
        return [(plain(x), x) if isinstance(x, str) else x for x in abbreviation]
    return abbreviation


def _unwrapped(function: Any) -> Any:
    """What stands behind a `functools.partial`."""
    while isinstance(function, partial):
        function = function.func
    return function


def _name(function: Any) -> str:
    """What a function, or an object that is called like one, is called."""
    function = _unwrapped(function)
    try:
        name = function.__name__
    except Exception:  # it has none, or one that fails
        name = None
    return plain(name if isinstance(name, str) else type(function).__name__, 60)


def _parameters(function: Any) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # it has none that could be read
        return {}


def _written(values: dict[str, Any], before: str) -> str:
    joined = ", ".join(f"{plain(name)}={value(each)}" for name, each in values.items())
    return before + plain(joined, 300) if joined else ""


def _as_html(text: str, failed: bool) -> str:
    colours = "color: #a00000; background: white; " if failed else ""  # any theme
    return f'<b style="{colours}white-space: pre-wrap">{html.escape(in_order(text))}</b>'


def _printed(text: str) -> str:
    if not text:
        return ""
    text = plain(text, keep="\n\t")
    return (
        '<pre style="max-height: 12em; overflow-y: auto; line-height: 1.3">'
        f"{html.escape(text)}</pre>"
    )
