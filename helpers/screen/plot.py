"""Pure drawing: a `Run` goes in, a `Figure` comes out. No pyplot, no state.

Colour is the call, hatching the state: solid for running, crossed for ready, striped for waiting.
"""

from __future__ import annotations

import io
import math
import textwrap
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ..camera.clock import Deadlock
from ..camera.run import Lane, Run, Segment, State

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

__all__ = ["compare", "curve", "png", "timeline"]

_MOST_LANES = 80
"""More lanes than this are not legible; the first and the last of them are drawn instead."""
_SAMPLE = 40

_WIDTH, _DPI, _FONT = 9.6, 100, 12.0  # inches, dots per inch, points
_LANE, _LABEL, _TALLEST = 0.32, 0.2, 6.4  # inches: a lane, a label, all lanes together
_LETTER, _BOLD = 0.1, 0.104  # inches: a letter of a lane's name, of a title
_LONGEST = 42  # letters of a lane's name
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
_lock = threading.RLock()  # matplotlib shares its fonts between figures


def timeline(run: Run, *, until: float | None = None, title: str | None = None) -> Figure:
    """Draw the lanes of `run` over time, and on top of them who holds the event loop.

    Parameters
    ----------
    run
        What `simulate` or `record` handed back; a failed one is drawn as well.
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


def compare(a: Run, b: Run, *, names: tuple[str, str] = ("A", "B")) -> Figure:
    """Draw two runs below each other on one time axis.

    Examples
    --------
    >>> from helpers import load_data, simulate
    >>> one, other = (simulate(load_data, f"dataset{i}.csv") for i in (1, 2))
    >>> [axes.get_title(loc="left") for axes in compare(one, other).axes]
    ['A: 0.65 s', 'B: 1.46 s']
    """
    pairs = [(f"{name}: {run!r}", run) for name, run in zip(names, (a, b), strict=True)]
    return _figure(pairs, max(a.seconds, b.seconds))


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
    figure, axes = _axes([3.2], left=0.11, tops=[0.45 if title else 0.2], bottom=0.7)
    ax = axes[0]
    for (name, y), marker, colour in zip(lines.items(), "os^Dv*", _COLOURS, strict=False):
        ax.plot(x, y, marker=marker, color=colour, label=name, linewidth=2, markersize=7)
    if log:
        ax.set_xscale("log")
        ax.set_yscale("log")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(lambda value, position: f"{value:,.10g}")
    else:
        ax.set_ylim(bottom=0)
    ax.grid(alpha=0.3)
    ax.tick_params(labelsize=_FONT)
    ax.set_xlabel(xlabel, fontsize=_FONT)
    ax.set_ylabel(ylabel, fontsize=_FONT)
    ax.set_title(title, loc="left", fontsize=_FONT, fontweight="bold")
    ax.legend(fontsize=_FONT, frameon=False)
    return figure


def png(figure: Figure) -> bytes:
    """The figure as PNG.

    Examples
    --------
    >>> png(curve([1], {"one": [1]}, xlabel="x", ylabel="y"))[1:4]
    b'PNG'
    """
    buffer = io.BytesIO()
    with _lock:
        figure.savefig(buffer, format="png", pil_kwargs={"compress_level": 1})
    return buffer.getvalue()


class _Drawn(NamedTuple):
    """A run as it will be drawn."""

    title: str
    run: Run
    lanes: list[Lane]
    gap: int
    """How many lanes stand above those that are left out; 0 if none are."""

    @property
    def rows(self) -> list[int]:
        """The row of each lane, from 1; two are left free in place of those left out."""
        return [row + 2 * (row > self.gap > 0) for row in range(1, len(self.lanes) + 1)]

    @property
    def height(self) -> int:
        """In rows."""
        return len(self.lanes) + 2 * (self.gap > 0)


def _figure(runs: Iterable[tuple[str, Run]], until: float | None) -> Figure:
    drawn = [_choose(title, run) for title, run in runs]
    colours = _colours([(lane, d.run.seconds) for d in drawn for lane in d.lanes])
    longest = max((len(lane.name) for d in drawn for lane in d.lanes), default=0)
    left = 0.02 + min(max(longest, 10), _LONGEST) * _LETTER / _WIDTH
    titles = [_wrapped(d.title, int((0.98 - left) * _WIDTH / _BOLD)) for d in drawn]
    inch = min(_LANE, _TALLEST / sum(d.height for d in drawn))
    states = {
        s.state
        for d in drawn
        for lane in d.lanes
        for s in lane.segments
        if s.end - s.start > d.run.seconds / 200
    }
    every = math.ceil(_LABEL / inch)
    signs = sorted({sign for d in drawn for sign in _signs(d, every).values()})
    legend = _legend(colours, [state for state in _MEANING if state in states], signs)
    with _lock:
        figure, axes = _axes(
            [_LANE + d.height * inch for d in drawn],
            left=left,
            tops=[0.25 + 0.2 * (title.count("\n") + 1) for title in titles],
            bottom=0.7 + 0.24 * math.ceil(len(legend["handles"]) / legend["ncols"]),
        )
        for ax, d, title in zip(axes, drawn, titles, strict=True):
            _draw(ax, d, colours, until or d.run.seconds or 1.0, inch)
            # Places that are given need not be found, which takes a third of the time.
            ax.set_title(title, loc="left", y=1.0, fontsize=_FONT, fontweight="bold")
            ax.xaxis.set_label_coords(0.5, -_TICKS * _DPI / ax.bbox.height)
        axes[-1].set_xlabel("seconds", fontsize=_FONT)
        figure.legend(**legend)
    return figure


def _choose(title: str, run: Run) -> _Drawn:
    """The lanes to draw: all, or a sample; and the root where it did something of its own."""
    lanes = list(run.lanes) if len(run) <= _MOST_LANES else run.sample(_SAMPLE)
    gap = len(lanes) // 2 if len(lanes) < len(run) else 0
    alone = not lanes or run.root.ending == "failed"
    own = sum(s.end - s.start for s in run.root.segments if _own(s))
    if alone or own > run.seconds / 20:  # wide enough to be seen
        lanes.insert(0, run.root)
        gap += gap > 0
    return _Drawn(title, run, lanes, gap)


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
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height = sum(tops) + sum(inches) + _TICKS * (len(inches) - 1) + bottom
    figure = Figure(figsize=(_WIDTH, height), dpi=_DPI)
    FigureCanvasAgg(figure)
    axes, above = [], 0.0
    for inch, top in zip(inches, tops, strict=True):
        above += top + inch
        axes.append(figure.add_axes((left, 1 - above / height, 0.98 - left, inch / height)))
        above += _TICKS
    return figure, axes


def _draw(ax: Axes, drawn: _Drawn, colours: Mapping[str, str], until: float, inch: float) -> None:
    """Draw one run, each lane so many inches high; the event loop's is always as high."""
    run, lanes = drawn.run, drawn.lanes
    unit = _LANE / inch  # the height of the event loop's lane, counted in lanes
    loop = 0.5 - unit / 2
    least = until / ax.bbox.width / 4
    bars: dict[tuple[str, State], list[Any]] = {}
    # Also of those that are not drawn, the root among them, we know when they took the loop.
    held = _apart(((start, end) for start, end in run.steps if start < end), least)
    boxes = [_between(start, end, loop, 0.25 * unit) for start, end in held]
    _bars(ax, {("", "running"): boxes}, {"": _OTHER})
    if drawn.gap:
        more = f"⋮ {len(run) - len(lanes):,} more"
        ax.text(0, drawn.gap + 1.5, more, fontsize=_FONT, va="center_baseline")
    for row, lane in zip(drawn.rows, lanes, strict=True):
        alike: dict[tuple[str, State], list[tuple[float, float]]] = {}
        for s in lane.segments:
            if _long(s):
                alike.setdefault((s.call, s.state), []).append((s.start, s.end))
        for (call, state), spans in alike.items():
            boxes = bars.setdefault((call, state), [])
            for start, end in _apart(spans, least):
                boxes.append(_between(start, end, row, 0.36))
                if state == "running":
                    boxes.append(_between(start, end, loop, 0.25 * unit))
    _bars(ax, bars, colours)
    low, high = loop - 0.25 * unit, loop + 0.25 * unit
    starts = sorted({start for start, _ in run.steps})
    seen = [start for start, _ in _apart(((start, start) for start in starts), least)]
    marks = ax.vlines(seen, low, high, colors="black", linewidth=1.2)
    marks.set_clip_on(False)  # the one at 0 is whole
    ax.set_xlim(0, until * 1.01)
    ax.set_ylim(drawn.height + 0.5, loop - unit / 2)
    every = math.ceil(_LABEL / inch)
    _endings(ax, drawn, until, every)
    labelled = list(zip(drawn.rows, lanes, strict=True))[::every]
    _names(ax, {loop: "event loop"} | {row: lane.name for row, lane in labelled})
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
        text = ax.text(
            -6 / ax.bbox.width,
            y,
            _short(name),
            transform=ax.get_yaxis_transform(),
            ha="right",
            va="center_baseline",
            **_type(italic=y < 1),
        )
        text.draw = partial(_stamp, text, text.draw)  # type: ignore[method-assign]


def _type(*, italic: bool) -> dict[str, Any]:
    return {
        "family": "monospace",
        "fontsize": _FONT,
        "style": "italic" if italic else "normal",
        "parse_math": False,
    }


def _stamp(text: Text, draw: Callable[[Any], None], renderer: Any) -> None:
    """Draw a name as an image that is kept: its letters take half of a picture's time."""
    if not hasattr(renderer, "buffer_rgba"):  # PDF, SVG
        return draw(renderer)
    box = text.get_window_extent(renderer)
    size = math.ceil(box.width) + 2, math.ceil(box.height) + 2
    image = _image(text.get_text(), text.get_fontstyle() == "italic", size, renderer.dpi)
    context = renderer.new_gc()
    renderer.draw_image(context, round(box.x0) - 1, round(box.y0) - 1, image)
    context.restore()


@lru_cache(maxsize=2_000)
def _image(name: str, italic: bool, size: tuple[int, int], dpi: float) -> Any:
    """A name in black on nothing, with a dot of air around it."""
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width, height = size
    figure = Figure(figsize=(width / dpi, height / dpi), dpi=dpi, facecolor="none")
    canvas: Any = FigureCanvasAgg(figure)
    figure.text(1 / width, 1 / height, name, va="bottom", **_type(italic=italic))
    canvas.draw()
    return np.flipud(np.asarray(canvas.buffer_rgba()))


def _short(name: str, most: int = _LONGEST) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


def _wrapped(title: str, most: int) -> str:
    """The title in lines that fit, four at most, broken between its parts where possible."""
    lines = [""]
    for part in title.split(" · "):
        if lines[-1] and len(lines[-1]) + len(part) + 3 <= most:
            lines[-1] += f" · {part}"
        else:
            lines += textwrap.wrap(part, most, max_lines=3, placeholder=" …") or [""]
    return "\n".join(lines[1:5])


def _between(start: float, end: float, row: float, half: float) -> list[tuple[float, float]]:
    """A box."""
    return [(start, row - half), (start, row + half), (end, row + half), (end, row - half)]


def _apart(spans: Iterable[tuple[float, float]], least: float) -> Iterator[tuple[float, float]]:
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
    from matplotlib.collections import PolyCollection

    for (call, state), boxes in bars.items():
        face, edge = _paint(colours[call], state)
        ax.add_collection(
            PolyCollection(
                boxes, facecolor=face, edgecolor=edge, hatch=_HATCH[state], linewidth=0.8
            )
        )


def _paint(colour: str, state: State) -> tuple[str, str]:
    """Face and edge: the tint of a state."""
    from matplotlib.colors import to_hex, to_rgb

    if state == "running":
        return colour, colour
    share = 0.28 if state == "waiting" else 0.0
    red, green, blue = (1 - share * (1 - c) for c in to_rgb(colour))
    return to_hex((red, green, blue)), colour


def _odd(drawn: _Drawn) -> list[Lane]:
    """Those that did not end well."""
    over = drawn.run.over
    return [x for x in drawn.lanes if x.ending in _ENDINGS and (over or x.ending != "pending")]


def _ending(lane: Lane, run: Run) -> str:
    if lane.ending == "pending" and isinstance(run.error, Deadlock):
        return "… stuck"
    if lane.error is not None and lane.ending == "failed":
        return f"✖ {type(lane.error).__name__}"
    return _ENDINGS[lane.ending]


def _endings(ax: Axes, drawn: _Drawn, until: float, every: int) -> None:
    """Say at the end of a lane how it ended, if not well; the signs of `_signs` are enough."""
    rows = {id(lane): row for lane, row in zip(drawn.lanes, drawn.rows, strict=True)}
    terse = _signs(drawn, every)
    for lane in _odd(drawn):
        sign = id(lane) in terse
        text = _ending(lane, drawn.run)
        near = lane.end > 0.75 * until  # the right edge: the text goes onto the bar, or before it
        short = lane.end - lane.start < 0.25 * until
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8}
        ax.text(
            lane.start if near and short and not sign else lane.end,
            rows[id(lane)],
            text[0] if sign else f" {text} ",
            ha="right" if near and not sign else "left",
            va="center_baseline",
            fontsize=8 if sign else _FONT - 1,
            fontweight="bold",
            color="#a00000" if lane.ending == "failed" else "black",
            bbox=None if sign else box,
        )


def _signs(drawn: _Drawn, every: int) -> dict[int, str]:
    """The lanes, by id, that must do with a sign, as they are thin, and what it stands for.

    Only what failed is told in words, where there is room between those that failed.
    """
    terse: dict[int, str] = {}
    odd, told = set(map(id, _odd(drawn))), -every
    for lane, row in zip(drawn.lanes, drawn.rows, strict=True):
        if every == 1 or id(lane) not in odd:
            continue
        if lane.ending == "failed" and row - told >= every:
            told = row
        else:
            terse[id(lane)] = _ending(lane, drawn.run)
    return terse


def _legend(
    colours: Mapping[str, str], states: Sequence[State], signs: Sequence[str]
) -> dict[str, Any]:
    """What the legend says, in as many rows as it needs."""
    from matplotlib.patches import Patch

    calls = [(f"{_short(call, 30)}()", c, c, "") for call, c in colours.items() if c != _OTHER]
    if len(calls) < len(colours):
        calls.append(("other", _OTHER, _OTHER, ""))
    handles = [
        Patch(facecolor=face, edgecolor=edge, hatch=hatch, label=label)
        for label, face, edge, hatch in [
            *calls,
            *((_MEANING[state], *_paint("#555555", state), _HATCH[state]) for state in states),
        ]
    ]
    handles += [Patch(alpha=0, label=sign) for sign in signs]
    letters = [len(str(handle.get_label())) + 6 for handle in handles]
    columns = len(handles)
    while columns > 1 and sum(map(max, _dealt(letters, columns))) > 105:
        columns -= 1
    return {
        "handles": handles,
        "loc": "lower center",
        "ncols": max(columns, 1),
        "fontsize": _FONT - 1,
        "frameon": False,
        "borderaxespad": 0.0,
        "handlelength": 1.6,
        "columnspacing": 1.4,
    }


def _dealt(letters: Sequence[int], columns: int) -> Iterator[Sequence[int]]:
    """Deal out to columns, as matplotlib does: the first ones take what does not come out even."""
    each, left = divmod(len(letters), columns)
    at = 0
    for column in range(columns):
        before, at = at, at + each + (column < left)
        yield letters[before:at]
