"""The screen, in slow motion: walk through a run, one step of a coroutine at a time."""

from __future__ import annotations

import ast
import inspect
import textwrap
from contextlib import suppress
from types import CodeType
from typing import Any

import ipywidgets as widgets

from ..camera.chain import is_own
from ..camera.run import Lane, Run, Segment
from ..camera.steps import Step, Steps
from ..camera.texts import plain
from .picture import Picture, PictureBox, button, row
from .plot import across, timeline
from .text import escaped

__all__ = ["Replay", "replay"]

_MOST = 8  # lanes of one kind that are listed by name
_ROWS = 18  # lines of source shown at once
_PLAY = 1_000  # milliseconds between two steps
_ROW = 21  # pixels
_LONG = 0.0005  # seconds; a shorter step is one of an instant


def replay(run: Run) -> Replay:
    """Walk through a run: its source with the present line, and who runs, is ready, or waits.

    A step is what one call does from where it goes on to where it stops, or calls another one of
    the learner's own. So one turn of the event loop takes as many steps as there are coroutines
    that run in it, and more.

    Parameters
    ----------
    run
        What `simulate` or `record` returned.

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


class Replay(PictureBox):
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
        self.moments = Steps(run)
        self._sources = {code: _source(code) for code in self.moments.codes()}
        count = len(self.moments)
        self.play = widgets.Play(min=1, max=max(count, 1), interval=_PLAY, show_repeat=False)
        self.step = widgets.IntSlider(
            min=1, max=max(count, 1), description="step", layout={"width": "26em"}
        )
        self.back = button("Back", "replay-step-backward", width="7em")
        self.forward = button("Forward", "replay-step-forward", width="7em")
        self.source, self.lanes = _panel("3"), _panel("2")
        rows = [min(len(source), _ROWS) + 4 for source in self._sources.values()]
        rows.append(min(self.moments.lane_count, 3 * _MOST) + 6)
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
                row(self.play, self.back, self.forward, self.step, total, flex_flow="row wrap"),
                self._overlaid(),
                row(self.source, self.lanes),
            ]
        )
        self._show()

    def __repr__(self) -> str:
        count = len(self.moments)
        return plain(f"replay of {count:,} step{'s' * (count != 1)}: {self.run!r}", 600)

    def where(self, step: int) -> float:
        """Where in the width of the picture the cursor stands at a step, from 0 to 1."""
        return across(self._figure, self.moments[step - 1].time, step - 1)

    def _draw(self) -> None:
        """The timeline, once; and where in it the cursor goes."""
        self._figure = timeline(self.run)
        box = self._figure.axes[0].get_position()
        self._top, self._bottom = 1 - box.y1, 1 - box.y0
        self.picture.draw(self._figure, self.run)

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
        self.source.value = _boxed(_marked(moment, self._sources[moment.segment.code]))
        self.lanes.value = _boxed(_lanes(moment, self.run.real))
        at = 100 * self.where(self.step.value)
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


def _marked(moment: Step, source: list[tuple[int, str]]) -> str:
    """The call that runs, the line marked where it goes on and the one where it stops."""
    step = moment.segment
    name = escaped(step.call)
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
        key += "calls from here" if moment.calls_into else "stops here, until it is its turn again"
    return (
        f"<div>source of <b><code>{name}</code></b></div>"
        f'<pre tabindex="0" style="margin: 4px 0; line-height: {_ROW}px; font-size: 14px; '
        'color: #111; white-space: pre-wrap">'
        f'{"".join(shown)}</pre><div style="color: #444">{key}</div>'
    )


def _row(number: int, line: str, begins: int, ends: int | None) -> str:
    mark = ("▶" if number == begins else " ") + ("‖" if number == ends else " ")
    colour = "#ffe9a8" if number == ends else "transparent"
    if number == begins:
        colour = "#bfe0ff"
    code = escaped(line, keep="\t")
    return _line(f'{mark} <span style="color: #777">{number:>3}</span>  {code}', colour)


def _line(text: str, colour: str = "transparent") -> str:
    return (
        f'<div style="background: {colour}; min-height: {_ROW}px; padding-left: 9ch; '
        f'text-indent: -9ch">{text}</div>'
    )


# --- The lanes -----------------------------------------------------------------------------


def _lanes(moment: Step, real: bool) -> str:
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


def _then(moment: Step) -> str:
    """What the step comes to."""
    step, stops = moment.segment, moment.next
    held = step.end - step.start
    begin = f"holds the loop for {held:.3f} s, then " if held >= _LONG else "then "
    if stops is None:
        pending = moment.lane.ending == "pending"
        return begin + ("goes no further" if pending else f"ends: {_ending(moment.lane)}")
    if moment.calls_into is not None:
        return f"{begin}goes into {_code(moment.calls_into)}, at once"
    if stops.state == "waiting":
        inside = "" if stops.code is step.code else f" in <code>{escaped(stops.call)}</code>"
        return f"{begin}waits{inside} for {_what(stops)}"
    return begin + ("lets the others go first" if stops.state == "ready" else "goes on")


def _ending(lane: Lane) -> str:
    if lane.ending == "failed" and lane.error:
        return f"failed with {escaped(lane.error)}"
    return lane.ending


def _what(segment: Segment) -> str:
    due = "" if segment.until is None else f", until {segment.until:.3f} s"
    return f"{escaped(segment.what)}{due}"


def _code(lane: Lane) -> str:
    return f"<code>{escaped(lane.name)}</code>"


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


def _panel(share: str) -> Any:
    return widgets.HTML(
        layout={
            "flex": f"{share} 1 0",
            "min_width": "0",
            "overflow": "auto",
            "border": "1px solid #bbbbbb",
            "margin": "4px 2px",
        }
    )
