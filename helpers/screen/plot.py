"""Pure drawing: a `Run` goes in, a `Figure` comes out. No pyplot, no state.

Colour is the call, the pattern is the state: solid for running, crossed for ready, striped for
waiting for the world, a thin bar for waiting for its turn.

All sizes are in CSS pixels, of which a picture is 960 wide and by default 400 high at most, two
runs 480:

- ``timeline(run, *, until=None, title=None, height=None)`` and
  ``compare(a, b, *, names=("A", "B"), until=None, height=None)`` return a `Figure`: with `height`
  it is exactly so high, whatever it shows, and the frame of its axes stands still as well;
- ``png(figure)`` has two dots a pixel: show it as wide and high as ``size(figure)`` says;
- ``in_words(run)`` is the alternative text of a picture, in some ten lines;
- ``across(figure, moment, step)`` is where in the width of the picture, from 0 to 1, a moment lies
  (seconds since the start; where no time passes the axis counts steps, and the number of the step,
  from 0, tells it): that is where a cursor goes.
"""

from __future__ import annotations

import io
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from ..camera.run import Run
from ..camera.texts import duration, plain
from .bars import AIR, INDENT, LOOP, MARGIN, STRIP, Rows, draw
from .layout import Layout, Pattern
from .legend import Key, add_legend, in_lines, keys
from .letters import MOST_LETTERS, NAME, PX, TEXT, TITLE, cut_to, wrapped, write
from .palette import COLOURS, OTHER, colours_of
from .style import StyledFigure, in_our_style, lock
from .text import as_drawn

__all__ = ["across", "compare", "curve", "in_words", "png", "size", "timeline"]

_WIDE, _HIGH, _HIGH_BOTH = 960, 400, 480  # pixels: a picture, and the most that it is high
_LANE, _THINNEST, _LABEL = 32, 4, 18  # pixels: a lane at most and at least, the height of a name
_LINE, _ABOVE, _TICKS, _KEYS, _FOOT = 20, 14, 28, 22, 6  # pixels: a line of the title, above it, …
_LONGEST = 360  # pixels: the name of a lane
_MANY = 10  # lanes in flight that nobody counts
_SAID = 10  # lanes that are told in words
_SAID_OF_STATES = ("runs", "is ready", "waits for the world", "waits for its turn")
_STEPS = "steps"
_UNITS = (("seconds", 1.0, 0.1), ("milliseconds", 1e3, 1e-4), ("microseconds", 1e6, 0.0))


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
    height
        Of the picture, in CSS pixels; by default as high as its lanes need, and 400 at most.

    Examples
    --------
    >>> from helpers import load_data, simulate
    >>> figure = timeline(simulate(load_data, "dataset1.csv"))
    >>> figure.axes[0].get_xlabel()
    'seconds'
    """
    return _figure([("", title, run)], until, height)


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
    return _figure([(f"{names[0]}: ", None, a), (f"{names[1]}: ", None, b)], until, height)


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
    high, wide = 320, 0.85 * _WIDE
    with in_our_style():
        figure, (ax,) = _axes([high], left=110, tops=[45 if title else 20], bottom=70)
        plotted = [
            ax.plot(x, y, marker=marker, color=colour, linewidth=2, markersize=7)[0]
            for y, marker, colour in zip(lines.values(), "os^Dv*", COLOURS, strict=False)
        ]
        if log:
            ax.set_xscale("log")
            ax.set_yscale("log")
            for axis in (ax.xaxis, ax.yaxis):
                axis.set_major_formatter(lambda value, position: f"{value:,.10g}")
        else:
            ax.set_ylim(bottom=0)
        ax.grid(alpha=0.3)
        ax.tick_params(labelsize=TEXT.size)
        write(ax.xaxis.label, cut_to(xlabel, TEXT, wide), TEXT)
        write(ax.yaxis.label, cut_to(ylabel, TEXT, high), TEXT)
        write(ax.set_title("", loc="left"), cut_to(title, TITLE, wide), TITLE)
        names = [cut_to(name, TEXT, wide / 2) for name in lines][: len(plotted)]
        blank = [" "] * len(names)  # some versions leave out what begins with an underscore
        legend = ax.legend(plotted, blank, fontsize=TEXT.size, frameon=False)
        for text, name in zip(legend.get_texts(), names, strict=True):
            write(text, name, TEXT)
    return figure


def png(figure: Figure) -> bytes:
    """The figure as PNG, with two dots a CSS pixel.

    Examples
    --------
    >>> png(curve([1], {"one": [1]}, xlabel="x", ylabel="y"))[1:4]
    b'PNG'
    """
    buffer = io.BytesIO()
    with lock:
        if not isinstance(figure, StyledFigure):  # it may have any colours
            own = matplotlib.rcParams["savefig.dpi"]
            figure.savefig(buffer, format="png", dpi=2 * figure.dpi if own == "figure" else own)
            return buffer.getvalue()
        figure.savefig(buffer, format="rgba", dpi=2 * figure.dpi)
        width, height = (int(2 * side) for side in size(figure))
    picture = Image.frombuffer("RGBA", (width, height), buffer.getvalue())
    buffer = io.BytesIO()
    # 256 colours are enough, and a third of the bytes.
    few = picture.convert("RGB").quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    few.putpalette(
        [255 if part > 252 else part for part in few.getpalette() or ()]
    )  # white is white
    few.save(buffer, format="png", compress_level=1)
    return buffer.getvalue()


def size(figure: Figure) -> tuple[int, int]:
    """Width and height at which to show a picture, in CSS pixels.

    Examples
    --------
    >>> from helpers import load_data, simulate
    >>> size(timeline(simulate(load_data, "dataset1.csv")))[0]
    960
    """
    width, height = figure.get_size_inches() * figure.dpi
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
    at = step + 0.5 if axes.get_xlabel() == _STEPS else moment
    return float(box.x0 + box.width * at / axes.get_xlim()[1])


def in_words(shown: Run | Figure) -> str:
    """What a timeline shows, or what a figure is of, for those who cannot see it.

    Examples
    --------
    >>> from helpers import load_data, simulate
    >>> print(in_words(simulate(load_data, "dataset1.csv")))
    Timeline: 0.65 s
    event loop: idle 100 %
    load_data('dataset1.csv'), from 0.00 s to 0.65 s: waits for the world 0.65 s
    """
    if isinstance(shown, Figure):
        titles = [axes.get_title(loc="left") or axes.get_ylabel() for axes in shown.axes]
        return "; ".join(filter(None, titles))
    run, layout = shown, Layout(shown, most=_SAID)
    said = [f"Timeline: {run.describe(layout.lanes())}"]
    if idle := layout.idle():
        said.append(f"event loop: {idle}" + " (real)" * run.real)
    for row in layout.rows[: 2 * _SAID]:
        name, ending = plain(layout.name(row), 80), layout.ending(row.lane)
        times = dict(zip(_SAID_OF_STATES, row.lane.totals, strict=True))
        if run.real:  # whose numbers are of one machine and one moment
            told = [f"mostly {max(times, key=times.__getitem__)}"]
        else:
            name += f", from {duration(row.lane.start)} to {duration(row.lane.end)}"
            told = [f"{what} {duration(seconds)}" for what, seconds in times.items() if seconds]
        told += [plain(ending, 80)] * bool(ending)
        said.append(name + ": " * bool(told) + ", ".join(told))
    return "\n".join(said)


# --- A picture as a whole ------------------------------------------------------------------


class _Part(NamedTuple):
    """One of the runs of a picture."""

    rows: Rows
    title: str

    @property
    def top(self) -> float:
        """How much room its title takes."""
        return _ABOVE + _LINE * (self.title.count("\n") + 1)


def _part(prefix: str, title: str | None, run: Run, most: int, by_steps: bool) -> _Part:
    """Lay out a run in at most about so many rows."""
    layout = Layout(run, most, by_steps=by_steps)
    if title is None:
        title = prefix + run.describe(layout.lanes())
    title, _ = as_drawn(plain(title, MOST_LETTERS, keep="\n"), TITLE)
    names = [cut_to(layout.name(row), NAME, _LONGEST - row.depth * INDENT) for row in layout.rows]
    idle, many = layout.idle(), run.max_in_flight > _MANY and not layout.by_steps
    loop = "event loop" + f": {idle}" * bool(idle)
    strip = f"in flight, up to {run.max_in_flight:,}" if many else ""
    return _Part(Rows(layout, names, loop, strip), wrapped(title, _WIDE - 2 * MARGIN))


def _figure(
    runs: Sequence[tuple[str, str | None, Run]], until: float | None, height: float | None
) -> Figure:
    most_high = height or (_HIGH if len(runs) == 1 else _HIGH_BOTH)
    fixed = _ABOVE + _LINE + LOOP + STRIP + _TICKS
    each = (most_high - 2 * _KEYS - _FOOT) / len(runs) - fixed
    with in_our_style():
        by_steps = not any(run.seconds for *_, run in runs)
        parts = [_part(*run, max(int(each / _THINNEST), 4), by_steps) for run in runs]
        layouts = [part.rows.layout for part in parts]
        ends = max(layout.until for layout in layouts if layout.ends or by_steps)
        if until is not None and not by_steps:
            stuck = [layout.until for layout in layouts if layout.stuck]
            ends = max([until, 1e-9, *stuck])
        colours, named = _colours(layouts)
        states: dict[Pattern, str] = {}
        for layout in layouts:
            states |= layout.waits()
        counts = [len(layout.rows) for layout in layouts]
        left = MARGIN + max(part.rows.left() for part in parts) + AIR
        if height is not None:  # the frame stands still, or nearly so
            left = math.ceil(left / 60) * 60
        chrome = sum(part.top + part.rows.above + _TICKS for part in parts) + _FOOT
        high, room, label_every = float(_LANE), 0.0, 1
        lines: list[list[Key]] = []
        for _ in range(2):  # the legend explains signs, which low rows have, which make room for it
            signs = {sign for part in parts for sign in part.rows.signs(label_every).values()}
            lines = in_lines(keys(named, states, sorted(signs)), _WIDE - 2 * MARGIN)
            below = _KEYS * max(len(lines), 2 * (height is not None))
            room = max(most_high - chrome - below, 2.0 * sum(counts))
            if height is None:
                high = min(_LANE, room / sum(counts))
            else:
                high = min(_LANE, room / len(parts) / max(counts))
            label_every = math.ceil(_LABEL / high)
        heights = [high * count if height is None else room / len(parts) for count in counts]
        figure, axes = _axes(
            [part.rows.above + high for part, high in zip(parts, heights, strict=True)],
            left=left,
            tops=[part.top for part in parts],
            bottom=_TICKS + below + _FOOT,
        )
        for ax, part in zip(axes, parts, strict=True):
            draw(
                ax,
                part.rows,
                colours,
                ends=ends,
                high=high,
                label_every=label_every,
                left=left,
            )
            # Places that are given need not be found, which takes a third of the time.
            title = ax.set_title("", loc="left", y=1.0)
            title.set_x((MARGIN - left) / ax.bbox.width)
            write(title, part.title, TITLE)
            _scale(ax, by_steps, ends)
        add_legend(figure, lines, high=_KEYS, foot=_FOOT + below - _KEYS * len(lines))
    return figure


def _colours(layouts: Sequence[Layout]) -> tuple[dict[str, str], dict[str, str]]:
    """A colour for each call; and for those that can be seen, which come in order of appearance.

    So the steps of an instant, which only real time shows, do not change the colours; but many
    short bars of one call in a lane, as those of a worker, can be seen together.
    """
    calls: dict[str, bool] = {}
    for layout in layouts:
        for row in layout.rows:
            seconds: defaultdict[str, float] = defaultdict(float)
            for bar in layout.bars(row.lane):
                seconds[bar.call] += bar.end - bar.start
            for call, spent in seconds.items():
                calls[call] = calls.get(call, False) or spent > layout.ends / 50
    named = colours_of(call for call, seen in calls.items() if seen)
    return {**dict.fromkeys(calls, OTHER), **named}, named


def _scale(ax: Axes, by_steps: bool, ends: float) -> None:
    """Say what the axis counts, to the left of its numbers."""
    unit = _STEPS
    if by_steps:
        ax.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    else:
        unit, times, _ = next(u for u in _UNITS if ends >= u[2])
        if times > 1:
            ax.xaxis.set_major_formatter(lambda value, position: f"{value * times:.10g}")
    ax.tick_params(axis="x", labelsize=TEXT.size)
    ax.set_xlabel(unit, fontsize=TEXT.size, ha="right", va="center")
    ax.xaxis.set_label_coords(-3 * AIR / ax.bbox.width, -0.5 * _TICKS / ax.bbox.height)


def _axes(
    heights: Sequence[float], *, left: float, tops: Sequence[float], bottom: float
) -> tuple[Figure, list[Axes]]:
    """A figure with one axes below the other, so many pixels high, so much room above each."""
    high = round(sum(tops) + sum(heights) + _TICKS * (len(heights) - 1) + bottom)
    figure = StyledFigure(figsize=(_WIDE / PX, high / PX), dpi=PX)
    FigureCanvasAgg(figure)
    axes, above = [], 0.0
    for each, top in zip(heights, tops, strict=True):
        above += top + each
        box = (left / _WIDE, 1 - above / high, 1 - (left + MARGIN) / _WIDE, each / high)
        axes.append(figure.add_axes(box))
        above += _TICKS
    return figure, axes
