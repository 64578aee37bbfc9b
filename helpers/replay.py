"""The screen, in slow motion: step through a run, one turn of the event loop at a time."""

from __future__ import annotations

import ast
import bisect
import html
import inspect
import textwrap
from collections.abc import Sequence
from contextlib import suppress
from types import CodeType
from typing import Any, NamedTuple, overload

import ipywidgets as widgets

from .chain import is_own
from .plot import png, timeline
from .run import Lane, Run, Segment
from .screen import Picture, Screen

__all__ = ["Moment", "Moments", "Replay", "replay"]

_MOST = 8  # lanes of one kind that are listed by name
_ROWS = 18  # lines of source shown at once
_PLAY = 1_000  # milliseconds between two steps
_ROW = 21  # pixels
_LONG = 0.0005  # seconds; a shorter step is one of an instant


class Moment(NamedTuple):
    """The state of every lane while one of them takes a step."""

    time: float
    """Seconds since the start of the run."""
    lane: Lane
    """The one that runs."""
    goes_on: Segment
    """Its step."""
    stops: Segment | None
    """What it does after the step; None if it ends."""
    stops_at: int | None
    """The line where the call that ran stands still after the step, if it does."""
    ready: list[Lane]
    """Those that could run, in the order in which the loop will take them."""
    waiting: list[tuple[Lane, Segment]]
    """Those that wait, in order of their start, and what for."""
    finished: list[Lane]
    """Those that have ended, in order of their end."""
    into: Lane | None
    """The awaited coroutine that its step goes into, at once, as into a plain call."""


class Moments(Sequence[Moment]):
    """Every step of a run, in order; each is looked up when it is asked for.

    Examples
    --------
    >>> from helpers import load_data, simulate
    >>> run = simulate(load_data, "dataset1.csv")
    >>> [(m.time, m.lane.name, m.stops and m.stops.what) for m in Moments(run)]
    [(0.0, "load_data('dataset1.csv')", 'sleep'), (0.65, "load_data('dataset1.csv')", None)]
    """

    def __init__(self, run: Run) -> None:
        self._lanes = [run.root, *run.lanes]
        self._orders = [[segment.order for segment in lane.segments] for lane in self._lanes]
        self._steps = sorted(
            (segment.order, row, at)
            for row, lane in enumerate(self._lanes)
            for at, segment in enumerate(lane.segments)
            if segment.state == "running"
        )

    def __len__(self) -> int:
        return len(self._steps)

    @overload
    def __getitem__(self, index: int) -> Moment: ...
    @overload
    def __getitem__(self, index: slice) -> list[Moment]: ...
    def __getitem__(self, index: int | slice) -> Moment | list[Moment]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        order, row, number = self._steps[index]
        runs = self._lanes[row]
        goes_on, *later = runs.segments[number:]
        now = goes_on.start
        ready: list[tuple[int, Lane]] = []
        finished: list[tuple[int, Lane]] = []
        waiting: list[tuple[Lane, Segment]] = []
        for other, (lane, begun) in enumerate(zip(self._lanes, self._orders, strict=True)):
            at = bisect.bisect_right(begun, order) - 1
            if at < 0 or other == row:
                continue
            segment = lane.segments[at]
            if segment.state == "running" and at + 1 < len(begun):
                segment = lane.segments[at + 1]  # it has just called the one that runs
            if lane.ending == "lost" and at + 1 == len(begun) and lane.end < now:
                finished.append((segment.order, lane))
            elif segment.state == "ready":
                ready.append((segment.order, lane))
            elif segment.state == "waiting" or lane.ending == "pending":
                waiting.append((lane, segment))
            else:
                finished.append((segment.order, lane))
        return Moment(
            now,
            runs,
            goes_on,
            later[0] if later else None,
            _line_after(goes_on, later),
            [lane for _, lane in sorted(ready, key=_first)],
            waiting,
            [lane for _, lane in sorted(finished, key=_first)],
            self._into(index, later),
        )

    def _into(self, index: int, later: Sequence[Segment]) -> Lane | None:
        following = self._steps[index % len(self) + 1 :][:1]
        for order, row, _ in following:
            if later and later[0].state == "waiting" and later[0].order == order + 1:
                return self._lanes[row]
        return None

    def codes(self) -> set[CodeType]:
        """The code of every call that takes a step."""
        return {self._lanes[row].segments[at].code for _, row, at in self._steps}

    @property
    def most(self) -> int:
        """How many lanes there are, the root counted."""
        return len(self._lanes)


def _line_after(step: Segment, later: list[Segment]) -> int | None:
    """Where a call stands still after its step: where it is seen to go on."""
    if not later or later[0].state == "running":
        return None
    found = (s.line for s in later if s.code is step.code and s.state in ("running", "waiting"))
    return next(found, None)


def _first(pair: tuple[int, Lane]) -> int:
    return pair[0]


def replay(run: Run) -> Replay:
    """Step through a run: its source with the present line, and who runs, is ready, or waits.

    Parameters
    ----------
    run
        What `simulate` or `record` handed back.

    Raises
    ------
    TypeError
        If ``run`` is no `Run`.

    Examples
    --------
    >>> from helpers import load_data, simulate
    >>> replay(simulate(load_data, "dataset1.csv"))
    replay of 2 steps: 0.65 s
    """
    if not isinstance(run, Run):
        if inspect.iscoroutine(run):
            run.close()
        raise TypeError(
            f"replay() wants a Run, not {type(run).__name__}: write replay(simulate(main, ...)) "
            "or replay(await record(main(...)))"
        )
    return Replay(run)


class Replay(Screen):
    """What `replay` shows: a player, a timeline with a cursor, the source, the lanes by state.

    Attributes
    ----------
    run
        What is shown.
    moments
        Its steps.
    step
        The slider: the number of the present step, from 1.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.moments = Moments(run)
        self._sources = {code: _source(code) for code in self.moments.codes()}
        count = len(self.moments)
        self.play = widgets.Play(min=1, max=max(count, 1), interval=_PLAY, show_repeat=False)
        self.step = widgets.IntSlider(
            min=1, max=max(count, 1), description="step", layout={"width": "26em"}
        )
        self.back = _button("Back", "step-backward")
        self.forward = _button("Forward", "step-forward")
        self.source, self.lanes = _panel(), _panel()
        rows = [min(len(source), _ROWS) + 4 for source in self._sources.values()]
        rows.append(min(self.moments.most, 3 * _MOST) + 6)
        for panel in (self.source, self.lanes):  # as high as ever needed, so that nothing jumps
            panel.layout.height = f"{_ROW * min(max(rows), _ROWS + 4)}px"
        self.picture, self.cursor = Picture(), widgets.HTML()
        self._draw()
        widgets.jslink((self.play, "value"), (self.step, "value"))
        self.back.on_click(lambda button: self._move(-1))
        self.forward.on_click(lambda button: self._move(+1))
        self.step.observe(lambda change: self._show(), "value")
        for name in ("play", "step", "source", "lanes", "picture", "cursor"):
            getattr(self, name).add_class(f"replay-{name}")
        total = widgets.Label(f"of {count:,}")
        super().__init__(
            [
                widgets.HBox([self.play, self.back, self.forward, self.step, total]),
                self._overlaid(),
                widgets.HBox([self.source, self.lanes]),
            ]
        )
        self._show()

    def __repr__(self) -> str:
        count = len(self.moments)
        return f"replay of {count:,} step{'s' * (count != 1)}: {self.run!r}"

    def _draw(self) -> None:
        """The timeline, once; and where in it the cursor goes."""
        figure = timeline(self.run)
        ax = figure.axes[0]
        box = ax.get_position()
        self._left, self._width = box.x0, box.width
        self._top, self._bottom = 1 - box.y1, 1 - box.y0
        self._seconds = ax.get_xlim()[1]
        self.picture.show(png(figure), self.run)

    def _overlaid(self) -> Any:
        """The picture, and the cursor upon it."""
        for part in (self.picture, self.cursor):
            part.layout.grid_area = "1 / 1"
            part.layout.margin = "0"
        self.cursor.layout.align_self = "stretch"
        return widgets.GridBox(
            [self.picture, self.cursor],
            layout={"grid_template_columns": "minmax(0, max-content)", "overflow": "hidden"},
        )

    def _move(self, by: int) -> None:
        self.step.value = min(max(self.step.value + by, 1), self.step.max)

    def _show(self) -> None:
        if not self.moments:
            self.lanes.value = _boxed("Nobody took a step.")
            return
        moment = self.moments[self.step.value - 1]
        self.source.value = _boxed(_marked(moment, self._sources[moment.goes_on.code]))
        self.lanes.value = _boxed(_lanes(moment, self.run.real))
        at = 100 * (self._left + self._width * moment.time / self._seconds)
        top, bottom = 100 * self._top, 100 * self._bottom
        self.cursor.value = (
            f'<div style="position: absolute; left: {at:.2f}%; top: {top:.2f}%; '
            f"height: {bottom - top:.2f}%; margin-left: -2px; "
            'border-left: 4px solid #d00000"></div>'
        )


# --- The source ----------------------------------------------------------------------------


def _source(code: CodeType) -> list[tuple[int, str]]:
    """The numbered lines of a call of the learner's own, without its docstring; else none."""
    if not is_own(code) or code.co_filename == "<string>":
        return []  # what exec was given is not kept; Python 3.13 takes that of `python -c` for it
    try:
        lines, first = inspect.getsourcelines(code)
    except (OSError, TypeError, IndexError, SyntaxError):
        return []
    text = textwrap.dedent("".join(lines))
    numbered = list(enumerate(text.splitlines(), start=max(first, 1)))
    with suppress(SyntaxError, IndexError):
        function = ast.parse(text).body[0]
        if isinstance(function, ast.AsyncFunctionDef | ast.FunctionDef):
            body = function.body
            if ast.get_docstring(function, clean=False) is not None and len(body) > 1:
                start, end = body[0].lineno - 1, body[0].end_lineno
                indent = " " * body[0].col_offset
                numbered[start:end] = [(numbered[start][0], f'{indent}"""…"""')]
    return numbered


def _marked(moment: Moment, source: list[tuple[int, str]]) -> str:
    """The call that runs, the line marked where it goes on and the one where it stops."""
    step = moment.goes_on
    name = html.escape(step.call)
    if not source:
        why = "is not at hand" if is_own(step.code) else "is that of a library"
        return f"<p>The source of <code>{name}</code> {why}.</p>"
    begins, ends = step.line, moment.stops_at
    rows = [_row(number, line, begins, ends) for number, line in source]
    at = next((i for i, (number, _) in enumerate(source) if number >= begins), 0)
    first = min(max(at - _ROWS // 2, 0), max(len(rows) - _ROWS, 0))
    shown = rows[first : first + _ROWS]
    if first:
        shown.insert(0, _line("   ⋮"))
    if first + _ROWS < len(rows):
        shown.append(_line("   ⋮"))
    key = "▶ goes on here" if begins != source[0][0] else "▶ begins here"
    if ends is not None:
        key += " &nbsp; ‖ "
        key += "calls from here" if moment.into else "stops here, until it is its turn again"
    return (
        f"<div>source of <b><code>{name}</code></b></div>"
        f'<pre tabindex="0" style="margin: 4px 0; line-height: {_ROW}px; font-size: 14px; '
        'color: #111; white-space: pre; overflow-x: auto">'
        f'{"".join(shown)}</pre><div style="color: #444">{key}</div>'
    )


def _row(number: int, line: str, begins: int, ends: int | None) -> str:
    mark = ("▶" if number == begins else " ") + ("‖" if number == ends else " ")
    colour = "#ffe9a8" if number == ends else "transparent"
    if number == begins:
        colour = "#bfe0ff"
    return _line(
        f'{mark} <span style="color: #777">{number:>3}</span>  {html.escape(line)}', colour
    )


def _line(text: str, colour: str = "transparent") -> str:
    return (
        f'<div style="background: {colour}; min-height: {_ROW}px; min-width: max-content">'
        f"{text}</div>"
    )


# --- The lanes -----------------------------------------------------------------------------


def _lanes(moment: Moment, real: bool) -> str:
    waiting = [f"<b>{_code(lane)}</b> for {_what(segment)}" for lane, segment in moment.waiting]
    ended = [f"{_code(lane)}: {_ending(lane)}" for lane in moment.finished]
    rows = [
        ("time", "", f"{moment.time:.3f} s" + " (real)" * real),
        ("runs", "#bfe0ff", f"▶ <b>{_code(moment.lane)}</b><br>{_then(moment)}"),
        ("ready", "#ffffff", _list([f"<b>{_code(lane)}</b>" for lane in moment.ready], True)),
        ("waits", "#eeeeee", _list(waiting)),
        ("has ended", "#ffffff", _list(ended[-_MOST:], before=len(ended[:-_MOST]))),
    ]
    cells = "".join(
        f'<tr style="background: {colour}"><td style="padding: 3px 14px 3px 6px; '
        f'vertical-align: top; white-space: nowrap">{name}</td>'
        f'<td style="padding: 3px 6px; width: 100%">{text}</td></tr>'
        for name, colour, text in rows
    )
    return f'<table style="width: 100%; border-collapse: collapse; color: #111">{cells}</table>'


def _then(moment: Moment) -> str:
    """What the step comes to."""
    step, stops = moment.goes_on, moment.stops
    held = step.end - step.start
    begin = f"holds the loop for {held:.3f} s, then " if held >= _LONG else "then "
    if stops is None:
        pending = moment.lane.ending == "pending"
        return begin + ("goes no further" if pending else f"ends: {_ending(moment.lane)}")
    if moment.into is not None:
        return f"{begin}goes into {_code(moment.into)}, at once"
    if stops.state == "waiting":
        inside = "" if stops.code is step.code else f" in <code>{html.escape(stops.call)}</code>"
        return f"{begin}waits{inside} for {_what(stops)}"
    return begin + ("lets the others go first" if stops.state == "ready" else "goes on")


def _ending(lane: Lane) -> str:
    if lane.ending == "failed" and lane.error is not None:
        return f"failed with {html.escape(type(lane.error).__name__)}"
    return lane.ending


def _what(segment: Segment) -> str:
    due = "" if segment.until is None else f", until {segment.until:.3f} s"
    return f"{html.escape(segment.what)}{due}"


def _code(lane: Lane) -> str:
    return f"<code>{html.escape(lane.name)}</code>"


def _list(names: list[str], numbered: bool = False, before: int = 0) -> str:
    """The first of the names, one a line; in place of the others how many there are."""
    shown = names[:_MOST]
    if numbered and len(names) > 1:
        shown = [f"{number}. {name}" for number, name in enumerate(shown, start=1)]
    if before:
        shown.insert(0, f"{before:,} before, …")
    if len(names) > _MOST:
        shown.append(f"… and {len(names) - _MOST:,} more")
    return "<br>".join(shown) or "nobody"


# --- Parts ---------------------------------------------------------------------------------


def _boxed(text: str) -> str:
    return (
        f'<div style="background: white; color: #111; font-size: 14px; line-height: {_ROW}px; '
        f'padding: 4px 8px">{text}</div>'
    )


def _panel() -> Any:
    return widgets.HTML(
        layout={
            "width": "50%",
            "overflow": "auto",
            "border": "1px solid #bbbbbb",
            "margin": "4px 2px",
        }
    )


def _button(text: str, icon: str) -> Any:
    button = widgets.Button(description=text, icon=icon, layout={"width": "7em"})
    button.add_class(f"replay-{icon}")
    return button
