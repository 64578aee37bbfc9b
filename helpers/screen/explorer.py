"""The screen: put controls on a coroutine function and see at each move what it does."""

from __future__ import annotations

import asyncio
import html
import inspect
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import copy_context
from typing import Any

import ipywidgets as widgets

from ..camera.clock import check_coroutine_function, simulate
from ..camera.prints import BoundedText, collected
from ..camera.run import Run
from ..camera.trace import Camera
from .picture import Picture, PictureBox
from .plot import compare, png, timeline

__all__ = ["Explorer", "explore"]

_TURNS, _PATIENCE = 50_000, 5.0  # of the loop, and real seconds, for a program behind a slider
_FRAME = 0.15  # real seconds between two pictures of a run for real
_LONGEST = 600.0  # real seconds of a run for real: nobody may be there any more to stop it


def explore(
    function: Callable[..., Coroutine[Any, Any, Any]], /, *, real: bool = False, **controls: Any
) -> Explorer:
    """Put a control on each argument of a coroutine function; each move runs it again.

    Parameters
    ----------
    function
        A coroutine function. It runs on the fast-forward clock, or by a button in real time.
    real
        For a function that reads files or uses threads: run it in real time at each move, on a
        loop of its own in a worker thread.
    **controls
        As for ``ipywidgets.interact``: ``(1, 20)`` is a slider, a list a dropdown, a bool a
        checkbox, a string a text field; a widget is taken as it is. A control begins at the
        function's own default, where it has one.

    Raises
    ------
    TypeError
        If ``function`` is no coroutine function, or the controls do not fit its arguments.

    Examples
    --------
    >>> import asyncio
    >>> async def nap(hours):
    ...     await asyncio.sleep(3600 * hours)
    >>> explore(nap, hours=(1, 3))
    explore(nap, hours=2): 7200.00 s
    """
    return Explorer(function, controls, real)


class Explorer(PictureBox):
    """What `explore` shows: controls, buttons, a line of text, a picture, what was printed.

    Attributes
    ----------
    controls
        The control of each argument, by name.
    run
        What the picture shows.
    """

    def __init__(self, function: Callable[..., Any], controls: dict[str, Any], real: bool) -> None:
        check_coroutine_function(function, "explore")
        if inspect.isfunction(function) and not inspect.iscoroutinefunction(function):
            raise TypeError(
                f"{function.__name__}() is a plain function, so nothing in it can wait: "
                f"explore() wants a coroutine function, write `async def {function.__name__}`"
            )
        self.function = function
        self.real = real
        self.controls = _controls(function, controls)
        self.run: Run | None = None
        self._shown: dict[str, Any] = {}  # the values that `run` ran with
        self._pinned: tuple[str, Run] | None = None
        self._lock = threading.Lock()
        self._turn = 0  # counts what was asked for
        self._oldest = 0  # turns before this one may not write any more
        self._played = False
        self._wanted: dict[str, Any] | None = None
        self._working = False
        self._real: tuple[asyncio.AbstractEventLoop, Camera] | None = None
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None

        self.pin = _button("Pin as A", "thumb-tack", "Keep this run to compare the next ones with")
        self.play = _button("Run for real", "play", "Run it in real time on the notebook's loop")
        self.stop = _button("Stop", "stop", "Stop the run in real time")
        self.stop.disabled = True
        self.play.disabled = self._loop is None
        self.line = widgets.HTML()
        self.picture = Picture()
        self.printed = widgets.HTML()
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
            control.observe(self._moved, "value")
        self.pin.on_click(self._pin)
        self.play.on_click(self._play)
        self.stop.on_click(self._stop)
        values = self.values()
        self._show(self._turn, values, self._run(values))

    def values(self) -> dict[str, Any]:
        """The present value of each control."""
        values = {name: control.value for name, control in self.controls.items()}
        # A float slider counts in steps, and so arrives at 0.7999999999999999.
        return {k: round(v, 9) if isinstance(v, float) else v for k, v in values.items()}

    def __repr__(self) -> str:
        return f"explore({self.function.__name__}{_written(self._shown, ', ')}): {self.run!r}"

    # A move. Callbacks may come on any thread: they only note what is wanted, and one worker
    # does the latest of it. What it has at hand meanwhile is shown, so that a picture follows the
    # mouse; but a run in real time is over with the next move.

    def _moved(self, change: Any) -> None:
        with self._lock:
            self._turn += 1
            if self.real or self._played:
                self._oldest, self._played = self._turn, False
            self._wanted = self.values()
            start, self._working = not self._working, True
        self._cancel_real()
        if start:
            threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._lock:
                turn, wanted, self._wanted = self._turn, self._wanted, None
                if wanted is None:
                    self._working = False
                    return
            try:
                self._show(turn, wanted, self._run(wanted))
            except Exception as error:
                self._say(turn, f"{type(error).__name__}: {error}")

    def _run(self, values: dict[str, Any]) -> Run:
        with collected() as text:
            if not self.real:
                return simulate(self.function, max_turns=_TURNS, patience=_PATIENCE, **values)
            run = _in_thread(self._film(Camera(), values))
            run.output = text.value()
            return run

    async def _film(self, camera: Camera, values: dict[str, Any]) -> Run:
        loop = asyncio.get_running_loop()
        mine = self._real = loop, camera
        limit = loop.call_later(_LONGEST, _stop, loop, camera)
        try:
            with _interruptible(loop, camera):
                return await camera.film(self.function(**values))
        finally:
            limit.cancel()
            if self._real is mine:
                self._real = None

    def _show(
        self,
        turn: int,
        values: dict[str, Any],
        run: Run,
        growing: Camera | None = None,
        until: float | None = None,
    ) -> None:
        """Draw `run`, unless it was superseded, or is one `growing` that has ended meanwhile."""
        if turn < self._oldest:
            return
        pinned = self._pinned
        if pinned is None:
            figure = timeline(run, until=until)
        else:
            figure = compare(pinned[1], run, names=(f"A{pinned[0]}", f"B{_written(values, ' ')}"))
        picture = png(figure)
        with self._lock:
            if turn >= self._oldest and (growing is None or growing.on):
                self.run, self._shown = run, values
                self.picture.show(picture, run)
                self.line.value = _as_html(repr(run) + _hint(run.error), run.error)
                self.printed.value = _printed(run.output)

    def _say(self, turn: int, text: str) -> None:
        with self._lock:
            if turn >= self._oldest:
                self.line.value = _as_html(text, text)

    # Pin and compare.

    def _pin(self, button: Any) -> None:
        with self._lock:
            shown = self._shown, self.run
        if self._pinned is None and shown[1] is not None:
            self._pinned = (_written(shown[0], " "), shown[1])
            self.pin.description = "Unpin A"
        else:
            self._pinned = None
            self.pin.description = "Pin as A"
        self._moved(None)

    # Run for real: on the loop of the cell that made the widget, where everything else lives.

    def _play(self, button: Any) -> None:
        if self._loop is not None:
            with self._lock:
                self._turn += 1
                self._oldest, self._played, self._wanted = self._turn, True, None
                turn, values = self._turn, self.values()
            self._loop.call_soon_threadsafe(self._start, turn, values)

    def _stop(self, button: Any) -> None:
        self._cancel_real()

    def _cancel_real(self) -> None:
        real = self._real
        if real is not None:
            _stop(*real)

    def _start(self, turn: int, values: dict[str, Any]) -> None:
        self._cancel_real()
        self._task = asyncio.get_running_loop().create_task(self._perform(turn, values))

    async def _perform(self, turn: int, values: dict[str, Any]) -> None:
        if turn < self._oldest:
            return
        camera = Camera()
        self.stop.disabled = False
        until = None if self.run is None else self.run.seconds
        try:
            with collected() as text:
                frames = asyncio.create_task(self._frames(turn, values, camera, until, text))
                try:
                    run = await self._film(camera, values)
                finally:
                    frames.cancel()
                run.output = text.value()
            await asyncio.to_thread(self._show, turn, values, run)
        except Exception as error:
            self._say(turn, f"{type(error).__name__}: {error}")
        finally:
            self.stop.disabled = self._real is None

    async def _frames(
        self,
        turn: int,
        values: dict[str, Any],
        camera: Camera,
        until: float | None,
        text: BoundedText,
    ) -> None:
        """Draw the bars as they grow, in a thread so as not to hold the loop that is watched."""
        while turn >= self._oldest:
            await asyncio.sleep(_FRAME)
            run = camera.run()
            run.output = text.value()
            longest = max(until or 0.0, run.seconds)
            await asyncio.to_thread(self._show, turn, values, run, camera, longest)


def _stop(loop: asyncio.AbstractEventLoop, camera: Camera) -> None:
    with suppress(RuntimeError):  # the loop may have been closed this moment
        loop.call_soon_threadsafe(lambda: camera.task and camera.task.cancel())


_live: list[tuple[asyncio.AbstractEventLoop, Camera]] = []  # what ■ stops
_before: Any = signal.SIG_IGN  # what else it does


@contextmanager
def _interruptible(loop: asyncio.AbstractEventLoop, camera: Camera) -> Iterator[None]:
    """Have ■ stop the run too, even one that holds the loop: by itself it only stops cells."""
    global _before
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    if (now := signal.getsignal(signal.SIGINT)) is not _interrupted:
        _before = now or signal.SIG_IGN
        signal.signal(signal.SIGINT, _interrupted)
    _live.append((loop, camera))
    try:
        yield
    finally:
        _live.remove((loop, camera))
        if not _live and signal.getsignal(signal.SIGINT) is _interrupted:
            signal.signal(signal.SIGINT, _before)


def _interrupted(number: int, frame: Any) -> None:
    holds = False
    for loop, camera in _live:
        if camera.current is not None:
            camera.stop()
            holds = True
        else:
            _stop(loop, camera)
    if holds:
        raise asyncio.CancelledError
    if callable(_before):
        _before(number, frame)


def _in_thread(coroutine: Coroutine[Any, Any, Run]) -> Run:
    """Run on a loop of its own, in a thread of its own, since this one's may be running."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(copy_context().run, asyncio.run, coroutine).result()


def _controls(function: Callable[..., Any], given: dict[str, Any]) -> dict[str, Any]:
    """A control for each argument, checked against the function's signature."""
    signature = inspect.signature(function)
    controls = {}
    for name, abbreviation in given.items():
        control = widgets.interactive.widget_from_abbrev(
            abbreviation,
            getattr(signature.parameters.get(name), "default", inspect.Parameter.empty),
        )
        if not isinstance(control, widgets.Widget):
            raise TypeError(
                f"explore() cannot make a control for {name} of {abbreviation!r}: give a range "
                "such as (1, 20), a list of choices, True or False, a number, a text, or a widget"
            )
        control.description = name
        control.style.description_width = "initial"
        control.layout.width = "28em"
        control.add_class(f"explore-{name}")
        controls[name] = control
    try:
        signature.bind(**given)
    except TypeError as error:
        raise TypeError(
            f"the controls do not fit {function.__name__}{signature}: {error}; "
            f"write explore({function.__name__}, "
            f"{', '.join(f'{name}=...' for name in signature.parameters)})"
        ) from None
    return controls


def _button(text: str, icon: str, tooltip: str) -> Any:
    button = widgets.Button(description=text, icon=icon, tooltip=tooltip)
    button.add_class(f"explore-{icon}")
    return button


def _written(values: dict[str, Any], before: str) -> str:
    joined = ", ".join(f"{name}={value!r}" for name, value in values.items())
    return before + joined if joined else ""


def _as_html(text: str, error: object) -> str:
    colours = "color: #a00000; background: white; " if error is not None else ""  # any theme
    return f'<b style="{colours}white-space: pre-wrap">{html.escape(text)}</b>'


def _hint(error: BaseException | None) -> str:
    if isinstance(error, NameError):
        return " · has the cell that defines it been run? (Run ▸ Run All Above Selected Cell)"
    return ""


def _printed(text: str) -> str:
    if not text:
        return ""
    return (
        '<pre style="max-height: 12em; overflow-y: auto; line-height: 1.3">'
        f"{html.escape(text)}</pre>"
    )
