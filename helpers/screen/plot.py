"""Pure drawing: a `Run` goes in, a `Figure` comes out. No pyplot, no state.

Colour is the call, hatching the state: solid for running, crossed for ready, striped for waiting.

All sizes are in CSS pixels, of which a picture is 960 wide and by default 400 high at most:

- ``timeline(run, *, until=None, title=None, height=None)`` and
  ``compare(a, b, *, names=("A", "B"), until=None, height=None)`` return a `Figure`: with `height`
  it is exactly so high, whatever it shows, and the frame of its axes stands still as well;
- ``png(figure)`` has two dots a pixel: show it as wide and high as ``size(figure)`` says;
- ``in_words(run)`` is the alternative text of a picture, of 1,000 letters at most;
- ``across(figure, moment, step)`` is where in the width of the picture, from 0 to 1, a moment lies
  (seconds since the start; where no time passes the axis counts steps, and the number of the step,
  from 0, tells it): that is where a cursor goes.
"""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Patch
from matplotlib.text import Text

from ..camera.fastforward import Deadlock
from ..camera.run import Lane, Run, Segment, State
from ..camera.texts import plain
from .style import StyledFigure, in_our_style, lock
from .text import Font, as_drawn, cut, in_order, width

__all__ = ["across", "compare", "curve", "in_words", "png", "size", "timeline"]

_MOST_LANES = 80
"""More lanes than this are not legible; the first and the last of them are drawn instead."""
_SAMPLE = 40

_WIDTH, _DPI, _FONT = 9.6, 100, 12.0  # inches, dots per inch, points
_LANE, _LABEL, _TALLEST = 0.32, 0.2, 6.4  # inches: a lane, a label, all lanes together
_LETTER, _BOLD, _SMALL = 0.1, 0.104, 0.09  # inches: a letter of a name, of a title, of the legend
_LONGEST = 42  # letters of a lane's name
_MOST_LETTERS = 1_000  # of any text, before it is cut to fit
_NAME, _LOOP = Font(_FONT, "monospace"), Font(_FONT, "monospace", style="italic")
_TITLE, _TEXT, _KEY = Font(_FONT, weight="bold"), Font(_FONT), Font(_FONT - 1)
_ENDING, _SIGN = Font(_FONT - 1, weight="bold"), Font(8, weight="bold")
_TICKS = 0.3  # inches: the numbers below an axis
# Okabe and Ito's palette, which colour-blind people can tell apart (jfly.uni-koeln.de/color).
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
_OTHER = "#777777"
_HATCH: dict[State, str] = {"running": "", "ready": "xxxx", "waiting": "///"}
_MEANING: dict[State, str] = {
    "running": "running: holds the loop",
    "ready": "ready: could run, kept out",
    "waiting": "waiting",
}
_ENDINGS = {
    "failed": "✖ failed",
    "cancelled": "■ cancelled",
    "pending": "… still running",
    "lost": "? lost: nobody held it",
}


def timeline(
    run: Run,
    *,
    until: float | None = None,
    title: str | None = None,
    height: float | None = None,
) -> Figure:
    """Draw the lanes of `run` over time, and on top of them who holds the event loop.

    Parameters
    ----------
    run
        What `simulate` or `record` returned; a failed one is drawn as well.
    until
        Where the time axis ends, in seconds; by default where the run does.
    title
        By default the run's own line of text.

    Examples
    --------
    >>> from helpers import load_data, simulate
    >>> figure = timeline(simulate(load_data, "dataset1.csv"))
    >>> figure.axes[0].get_xlabel()
    'seconds'
    """
    return _figure([(title or repr(run), run)], until)


def compare(
    a: Run,
    b: Run,
    *,
    names: tuple[str, str] = ("A", "B"),
    until: float | None = None,
    height: float | None = None,
) -> Figure:
    """Draw two runs below each other on one time axis.

    Examples
    --------
    >>> from helpers import load_data, simulate
    >>> one, other = (simulate(load_data, f"dataset{i}.csv") for i in (1, 2))
    >>> [axes.get_title(loc="left") for axes in compare(one, other).axes]
    ['A: 0.65 s', 'B: 1.46 s']
    """
    pairs = [(f"{name}: {run!r}", run) for name, run in zip(names, (a, b), strict=True)]
    return _figure(pairs, until or max(a.seconds, b.seconds))


def curve(
    x: Sequence[float],
    lines: Mapping[str, Sequence[float]],
    *,
    xlabel: str,
    ylabel: str,
    log: bool = False,
    title: str = "",
) -> Figure:
    """Draw measured numbers over what was changed: one line, with its own marker, for each name.

    Examples
    --------
    >>> figure = curve([1, 10], {"gather": [1, 1]}, xlabel="files", ylabel="seconds")
    >>> figure.axes[0].get_ylabel()
    'seconds'
    """
    high, wide = 3.2, 0.85 * _WIDTH
    with in_our_style():
        figure, (ax,) = _axes([high], left=0.11, tops=[0.45 if title else 0.2], bottom=0.7)
        plotted = [
            ax.plot(x, y, marker=marker, color=colour, linewidth=2, markersize=7)[0]
            for y, marker, colour in zip(lines.values(), "os^Dv*", _COLOURS, strict=False)
        ]
        if log:
            ax.set_xscale("log")
            ax.set_yscale("log")
            for axis in (ax.xaxis, ax.yaxis):
                axis.set_major_formatter(lambda value, position: f"{value:,.10g}")
        else:
            ax.set_ylim(bottom=0)
        ax.grid(alpha=0.3)
        ax.tick_params(labelsize=_FONT)
        _write(ax.xaxis.label, _cut(xlabel, _TEXT, wide), _TEXT)
        _write(ax.yaxis.label, _cut(ylabel, _TEXT, high), _TEXT)
        _write(ax.set_title("", loc="left"), _cut(title, _TITLE, wide), _TITLE)
        names = [_cut(name, _TEXT, wide / 2) for name in lines][: len(plotted)]
        _legend(ax, plotted, names, _TEXT)
    return figure


def png(figure: Figure) -> bytes:
    """The figure as PNG.

    Examples
    --------
    >>> png(curve([1], {"one": [1]}, xlabel="x", ylabel="y"))[1:4]
    b'PNG'
    """
    buffer = io.BytesIO()
    with lock:
        figure.savefig(buffer, format="png", pil_kwargs={"compress_level": 1})
    return buffer.getvalue()


def size(figure: Figure) -> tuple[int, int]:
    """Width and height at which to show a picture, in CSS pixels.

    Examples
    --------
    >>> from helpers import load_data, simulate
    >>> size(timeline(simulate(load_data, "dataset1.csv")))[0]
    960
    """
    width, height = figure.get_size_inches() * _DPI
    return round(width), round(height)


def across(figure: Figure, moment: float, step: int) -> float:
    """Where in the width of a picture a moment lies, from 0 to 1.

    Examples
    --------
    >>> from helpers import load_data, simulate
    >>> figure = timeline(simulate(load_data, "dataset1.csv"))
    >>> across(figure, 0.0, 0) < across(figure, 0.65, 1) < 1
    True
    """
    axes = figure.axes[0]
    box = axes.get_position()
    return float(box.x0 + box.width * moment / axes.get_xlim()[1])


def in_words(run: Run) -> str:
    """What a timeline shows, for those who cannot see it.

    Examples
    --------
    >>> from helpers import load_data, simulate
    >>> in_words(simulate(load_data, "dataset1.csv"))
    'Timeline: 0.65 s'
    """
    return plain(f"Timeline: {run!r}", _MOST_LETTERS)


class _Drawn:
    """A run as it will be drawn: its lanes, or a sample of them, each in its row.

    With the root, where that did something of its own.
    """

    def __init__(self, title: str, run: Run) -> None:
        self.run = run
        self.title, _ = as_drawn(plain(title, _MOST_LETTERS, keep="\n"), _TITLE)
        self.lanes = list(run.lanes) if run.lane_count <= _MOST_LANES else run.sample(_SAMPLE)
        left_out = len(self.lanes) < run.lane_count
        # How many lanes stand above those that are left out; 0 if none are.
        self.gap = len(self.lanes) // 2 if left_out else 0
        alone = not self.lanes or run.root.ending == "failed"
        own = sum(s.end - s.start for s in run.root.segments if _own(s))
        if alone or own > run.seconds / 20:  # wide enough to be seen
            self.lanes.insert(0, run.root)
            self.gap += left_out
        # The row of each lane, from 1; two are left free in place of those left out.
        self.rows = [row + 2 * (row > self.gap > 0) for row in range(1, len(self.lanes) + 1)]
        self.height = len(self.lanes) + 2 * left_out
        room = _LONGEST * _LETTER
        self.names = [_cut(x.name, _NAME, room) for x in self.lanes]
        self.ended_badly = {
            row: lane
            for row, lane in zip(self.rows, self.lanes, strict=True)
            if lane.ending in _ENDINGS and (run.finished or lane.ending != "pending")
        }

    def without_room(self, label_every: int) -> dict[int, str]:
        """The rows that must do with a sign, as they are thin, and what it stands for.

        Only what failed is told in words, where there is room between those that failed.
        """
        if label_every == 1:
            return {}
        signs: dict[int, str] = {}
        told = -label_every
        for row, lane in self.ended_badly.items():
            if lane.ending == "failed" and row - told >= label_every:
                told = row
            else:
                signs[row] = _ending(lane, self.run)
        return signs


def _figure(runs: Iterable[tuple[str, Run]], until: float | None) -> Figure:
    with in_our_style():
        drawn = [_Drawn(title, run) for title, run in runs]
        colours = _colours([(lane, d.run.seconds) for d in drawn for lane in d.lanes])
        letters = [width(name, _NAME) / _LETTER for d in drawn for name in d.names]
        left = 0.02 + round(max(10, *letters), 2) * _LETTER / _WIDTH
        titles = [_wrapped(d.title, (0.98 - left) * _WIDTH) for d in drawn]
        row_height = min(_LANE, _TALLEST / sum(d.height for d in drawn))
        label_every = math.ceil(_LABEL / row_height)
        states = {
            s.state
            for d in drawn
            for lane in d.lanes
            for s in lane.segments
            if s.end - s.start > d.run.seconds / 200
        }
        signs = sorted({sign for d in drawn for sign in d.without_room(label_every).values()})
        keys, labels = _keys(colours, [state for state in _MEANING if state in states], signs)
        columns = _columns(labels)
        figure, axes = _axes(
            [_LANE + d.height * row_height for d in drawn],
            left=left,
            tops=[0.25 + 0.2 * (title.count("\n") + 1) for title in titles],
            bottom=0.7 + 0.24 * math.ceil(len(labels) / columns),
        )
        for ax, d, title in zip(axes, drawn, titles, strict=True):
            _draw(ax, d, colours, until or d.run.seconds or 1.0, row_height)
            # Places that are given need not be found, which takes a third of the time.
            _write(ax.set_title("", loc="left", y=1.0), title, _TITLE)
            ax.xaxis.set_label_coords(0.5, -_TICKS * _DPI / ax.bbox.height)
        axes[-1].set_xlabel("seconds", fontsize=_FONT)
        _legend(
            figure,
            keys,
            labels,
            _KEY,
            loc="lower center",
            ncols=columns,
            borderaxespad=0.0,
            handlelength=1.6,
            columnspacing=1.4,
        )
    return figure


def _long(segment: Segment) -> bool:
    return segment.end > segment.start


def _own(segment: Segment) -> bool:
    return segment.state == "running" or segment.what == "sleep"


def _colours(lanes: Iterable[tuple[Lane, float]]) -> dict[str, str]:
    """A colour for each call, in order of appearance; those hardly to be seen come last.

    So the steps of an instant, which only real time shows, do not change the colours.
    """
    first: dict[str, None] = {}
    last: dict[str, None] = {}
    for lane, seconds in lanes:
        for s in lane.segments:
            if _long(s):
                (first if s.end - s.start > seconds / 50 else last)[s.call] = None
    calls = list(first | last)
    return {call: _COLOURS[i] if i < len(_COLOURS) else _OTHER for i, call in enumerate(calls)}


def _axes(
    inches: Sequence[float], *, left: float, tops: Sequence[float], bottom: float
) -> tuple[Figure, list[Axes]]:
    """A figure with one axes below the other, so many inches high, so much room above each."""
    height = sum(tops) + sum(inches) + _TICKS * (len(inches) - 1) + bottom
    figure = StyledFigure(figsize=(_WIDTH, height), dpi=_DPI)
    FigureCanvasAgg(figure)
    axes, above = [], 0.0
    for inch, top in zip(inches, tops, strict=True):
        above += top + inch
        axes.append(figure.add_axes((left, 1 - above / height, 0.98 - left, inch / height)))
        above += _TICKS
    return figure, axes


def _draw(
    ax: Axes, drawn: _Drawn, colours: Mapping[str, str], until: float, row_height: float
) -> None:
    """Draw one run, each lane so many inches high; the event loop's is always as high."""
    run, lanes, steps = drawn.run, drawn.lanes, drawn.run.steps
    unit = _LANE / row_height  # the height of the event loop's lane, counted in lanes
    loop = 0.5 - unit / 2
    least = until / ax.bbox.width / 4
    bars: dict[tuple[str, State], list[Any]] = {}
    # Also of those that are not drawn, the root among them, we know when they took the loop.
    held = _drop_invisible(((start, end) for start, end in steps if start < end), least)
    boxes = [_rectangle(start, end, loop, 0.25 * unit) for start, end in held]
    _bars(ax, {("", "running"): boxes}, {"": _OTHER})
    if drawn.gap:
        more = f"⋮ {run.lane_count - len(lanes):,} more"
        ax.text(0, drawn.gap + 1.5, more, fontsize=_FONT, va="center_baseline")
    for row, lane in zip(drawn.rows, lanes, strict=True):
        alike: dict[tuple[str, State], list[tuple[float, float]]] = {}
        for s in lane.segments:
            if _long(s):
                alike.setdefault((s.call, s.state), []).append((s.start, s.end))
        for (call, state), spans in alike.items():
            boxes = bars.setdefault((call, state), [])
            for start, end in _drop_invisible(spans, least):
                boxes.append(_rectangle(start, end, row, 0.36))
                if state == "running":
                    boxes.append(_rectangle(start, end, loop, 0.25 * unit))
    _bars(ax, bars, colours)
    low, high = loop - 0.25 * unit, loop + 0.25 * unit
    starts = sorted({start for start, _ in steps})
    seen = [start for start, _ in _drop_invisible(((start, start) for start in starts), least)]
    marks = ax.vlines(seen, low, high, colors="black", linewidth=1.2)
    marks.set_clip_on(False)  # the one at 0 is whole
    ax.set_xlim(0, until * 1.01)
    ax.set_ylim(drawn.height + 0.5, loop - unit / 2)
    label_every = math.ceil(_LABEL / row_height)
    _endings(ax, drawn, until, label_every)
    labelled = zip(drawn.rows[::label_every], drawn.names[::label_every], strict=True)
    _names(ax, {loop: "event loop", **dict(labelled)})
    if not run.seconds:
        ax.text(0.5, 0.5, "no time passed", fontsize=_FONT, transform=ax.transAxes, ha="center")
    ax.yaxis.set_visible(False)
    ax.tick_params(axis="x", labelsize=_FONT)
    ax.axhline(0.5, color="black", linewidth=0.6)
    if run.seconds < until:
        ax.axvline(run.seconds, color="black", linewidth=1, linestyle=":")
    ax.spines[["top", "right", "left"]].set_visible(False)


def _names(ax: Axes, names: Mapping[float, str]) -> None:
    """Name the lanes: as texts, which are drawn in half the time of ticks."""
    for y, name in names.items():
        text, how = as_drawn(name, _LOOP if y < 1 else _NAME)
        how |= {"transform": ax.get_yaxis_transform(), "ha": "right", "va": "center_baseline"}
        ax.add_artist(_Name(-6 / ax.bbox.width, y, text, clip_on=False, **how))


class _Name(Text):
    """A name, drawn as an image that is kept: its letters take half of a picture's time."""

    def draw(self, renderer: Any) -> None:
        """Draw it, in letters where images do not help: PDF, SVG."""
        if not hasattr(renderer, "buffer_rgba"):
            return super().draw(renderer)
        box = self.get_window_extent(renderer)
        size = math.ceil(box.width) + 2, math.ceil(box.height) + 2
        image = _image(self.get_text(), self.get_fontproperties(), size, renderer.dpi)
        context = renderer.new_gc()
        renderer.draw_image(context, round(box.x0) - 1, round(box.y0) - 1, image)
        context.restore()


@lru_cache(maxsize=2_000)
def _image(name: str, how: FontProperties, size: tuple[int, int], dpi: float) -> Any:
    """A name in black on nothing, with a dot of air around it."""
    width, height = size
    with in_our_style():
        figure = Figure(figsize=(width / dpi, height / dpi), dpi=dpi, facecolor="none")
        canvas: Any = FigureCanvasAgg(figure)
        figure.text(1 / width, 1 / height, name, va="bottom", parse_math=False, fontproperties=how)
        canvas.draw()
        return np.flipud(np.asarray(canvas.buffer_rgba()))


def _write(artist: Text, text: str, font: Font) -> None:
    """Have a text say this, as it is."""
    drawn, how = as_drawn(text, font)
    artist.set(text=drawn, **how)


def _cut(text: str, font: Font, room: float) -> str:
    """The text in one line of so many inches."""
    return cut(plain(text, _MOST_LETTERS), font, room)


def _wrapped(title: str, room: float) -> str:
    """The title in lines that fit, four at most, broken between its parts where possible."""
    most = int(room / _BOLD)
    while True:
        lines = [""]
        for part in title.split(" · "):
            if lines[-1] and len(lines[-1]) + len(part) + 3 <= most:
                lines[-1] += f" · {part}"
            else:
                lines += textwrap.wrap(part, most, max_lines=3, placeholder=" …") or [""]
        if most < 20 or all(width(line, _TITLE) <= room for line in lines[1:5]):
            return "\n".join(in_order(cut(line, _TITLE, room)) for line in lines[1:5])
        most -= most // 10  # its letters are wide


def _rectangle(start: float, end: float, row: float, half: float) -> list[tuple[float, float]]:
    """Its corners."""
    return [(start, row - half), (start, row + half), (end, row + half), (end, row - half)]


def _drop_invisible(
    spans: Iterable[tuple[float, float]], least: float
) -> Iterator[tuple[float, float]]:
    """Leave out each span that ends nearly where the last one did: nobody could see it.

    A program behind a slider that does not end has 25,000, which took eight seconds to draw.
    """
    last = -math.inf
    for start, end in spans:
        if end - last > least:
            yield start, end
            last = end


def _bars(
    ax: Axes, bars: Mapping[tuple[str, State], list[Any]], colours: Mapping[str, str]
) -> None:
    """One collection for each call and state."""
    for (call, state), boxes in bars.items():
        face, edge = _paint(colours[call], state)
        ax.add_collection(
            PolyCollection(
                boxes, facecolor=face, edgecolor=edge, hatch=_HATCH[state], linewidth=0.8
            )
        )


def _paint(colour: str, state: State) -> tuple[str, str]:
    """Face and edge: the tint of a state."""
    if state == "running":
        return colour, colour
    share = 0.28 if state == "waiting" else 0.0
    red, green, blue = (1 - share * (1 - c) for c in to_rgb(colour))
    return to_hex((red, green, blue)), colour


def _ending(lane: Lane, run: Run) -> str:
    if lane.ending == "pending" and isinstance(run.error, Deadlock):
        return "… stuck"
    if lane.error and lane.ending == "failed":
        return "✖ " + _cut(lane.error, _ENDING, 3.0)
    return _ENDINGS[lane.ending]


def _endings(ax: Axes, drawn: _Drawn, until: float, label_every: int) -> None:
    """Say at the end of a lane how it ended, if not well; where there is no room, by a sign."""
    signs = drawn.without_room(label_every)
    inches = ax.bbox.width / _DPI
    for row, lane in drawn.ended_badly.items():
        sign, text = row in signs, _ending(lane, drawn.run)
        told, font = (text[0], _SIGN) if sign else (f" {text} ", _ENDING)
        at, side = lane.end, "left"
        if lane.end > 0.75 * until and not sign:  # the right edge: it goes onto the bar, or before
            at, side = lane.start if lane.end - lane.start < 0.25 * until else lane.end, "right"
        elif not sign and lane.end / until * inches + width(told, font) > inches + 0.1:
            at, side = until, "right"
        told, how = as_drawn(told, font)
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8}
        ax.text(
            at,
            row,
            told,
            ha=side,
            va="center_baseline",
            color="#a00000" if lane.ending == "failed" else "black",
            bbox=None if sign else box,
            **how,
        )


def _keys(
    colours: Mapping[str, str], states: Sequence[State], signs: Sequence[str]
) -> tuple[list[Patch], list[str]]:
    """What the legend explains, and how."""
    keys, labels = [], []

    def key(label: str, face: str, edge: str, hatch: str = "") -> None:
        keys.append(Patch(facecolor=face, edgecolor=edge, hatch=hatch))
        labels.append(label)

    for call, colour in colours.items():
        if colour != _OTHER:
            key(f"{cut(plain(call, 30), _KEY, 30 * _SMALL)}()", colour, colour)
    if _OTHER in colours.values():
        key("other", _OTHER, _OTHER)
    for state in states:
        key(_MEANING[state], *_paint("#555555", state), _HATCH[state])
    for sign in signs:
        key(sign, "none", "none")
    return keys, labels


def _columns(labels: Sequence[str]) -> int:
    """In how many columns the legend fits the picture."""
    letters = [max(len(label), width(label, _KEY) / _SMALL) + 6 for label in labels]
    columns = len(letters)
    while columns > 1 and sum(map(max, _deal_columns(letters, columns))) > 105:
        columns -= 1
    return max(columns, 1)


def _legend(
    of: Axes | Figure, keys: Sequence[Any], labels: Sequence[str], font: Font, **how: Any
) -> None:
    """A legend of any texts."""
    blank = [" "] * len(labels)  # some versions leave out what begins with an underscore
    legend = of.legend(keys, blank, fontsize=font.size, frameon=False, **how)
    for text, label in zip(legend.get_texts(), labels, strict=True):
        _write(text, label, font)


def _deal_columns(letters: Sequence[float], columns: int) -> Iterator[Sequence[float]]:
    """Deal out to columns, as matplotlib does: the first ones take what does not come out even."""
    each, left = divmod(len(letters), columns)
    at = 0
    for column in range(columns):
        before, at = at, at + each + (column < left)
        yield letters[before:at]
