"""Draws the rows of one run into the axes of a picture: bars, names, brackets, endings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.patches import PathPatch, Polygon
from matplotlib.path import Path

from .layout import Layout, Pattern
from .letters import BOLD, ITALIC, NAME, SIGN, Name, cut_to, px
from .palette import OTHER
from .text import as_drawn

__all__ = ["AIR", "HALF", "HATCH", "INDENT", "LOOP", "MARGIN", "STRIP", "Rows", "draw", "paint"]

LOOP, STRIP = 30, 26  # pixels: the lane of the event loop, how many are in flight
MARGIN, AIR, INDENT = 14, 7, 16  # pixels: around the picture, before the axes, of a child
HATCH: dict[Pattern, str] = {"running": "", "ready": "xxxx", "world": "///", "turn": "...."}
HALF: dict[Pattern, float] = {"running": 0.38, "ready": 0.38, "world": 0.38, "turn": 0.16}
"""Half of a bar's height, of that of its row."""
_CLOSE = 0.015  # of the whole time: such ends are at one place, with room for a sign
_TINT: dict[Pattern, float] = {"running": 1.0, "ready": 0.0, "world": 0.28, "turn": 0.0}


class Rows:
    """How the rows of a run are drawn.

    Attributes
    ----------
    layout, names, loop, strip
        What to draw, and what its rows are called: those of the lanes, the event loop's, and that
        which tells how many are in flight, if it is drawn.
    endings
        By row, how its lane ended, if not well.
    nested
        Whether some are indented.
    """

    def __init__(self, layout: Layout, names: Sequence[str], loop: str, strip: str) -> None:
        self.layout, self.names, self.loop, self.strip = layout, names, loop, strip
        endings = ((row.y, cut_to(layout.ending(row.lane), BOLD, 300)) for row in layout.rows)
        self.endings = {y: ending for y, ending in endings if ending}
        self.nested = any(row.depth for row in layout.rows)
        self.above = LOOP + STRIP * bool(strip)

    def left(self) -> float:
        """How wide the names are."""
        named = zip(self.names, self.layout.rows, strict=True)
        widths = [px(name, NAME) + row.depth * INDENT for name, row in named]
        return max(*widths, px(self.loop, ITALIC), px(self.strip, ITALIC))

    def named(self, label_every: int) -> set[int]:
        """The rows that have room for their name: the outermost come first."""
        named: set[int] = set()
        for row in sorted(self.layout.rows, key=lambda row: (row.depth, row.y)):
            if not named.intersection(range(row.y - label_every + 1, row.y + label_every)):
                named.add(row.y)
        return named

    def signs(self, label_every: int) -> dict[int, str]:
        """The rows that must do with a sign, as they are thin, and what it stands for.

        Only what failed is told in words, where no other words and no other bar are in the way.
        """
        if label_every == 1:
            return {}
        signs: dict[int, str] = {}
        told = -label_every
        ends = {row.y: self.layout.end(row.lane) for row in self.layout.rows}
        near = range(-math.ceil(label_every / 2), math.ceil(label_every / 2) + 1)
        for row, ending in self.endings.items():
            last = max(ends.get(row + other, 0.0) for other in near)
            beside = ends[row] + _CLOSE * self.layout.ends
            free = last <= beside or beside > 0.75 * self.layout.ends  # there it goes onto the bar
            if ending[0] == "✖" and row - told >= label_every and free:
                told = row
            else:
                signs[row] = ending
        return signs


def paint(colour: str, state: Pattern) -> tuple[str, str]:
    """Face and edge: the tint of a state.

    Examples
    --------
    >>> paint("#000000", "running"), paint("#000000", "ready")
    (('#000000', '#000000'), ('#ffffff', '#000000'))
    """
    share = _TINT[state]
    red, green, blue = (1 - share * (1 - c) for c in to_rgb(colour))
    return to_hex((red, green, blue)), colour


def draw(
    ax: Axes,
    rows: Rows,
    colours: Mapping[str, str],
    *,
    ends: float,
    high: float,
    label_every: int,
    left: float,
) -> None:
    """Draw a run, each of its lanes so many pixels high, one of so many of them with its name.

    The axis ends there; it has so many pixels to its left.
    """
    layout = rows.layout
    loop, half = 0.5 - LOOP / 2 / high, 0.3 * LOOP / high
    ax.set_xlim(0, ends * 1.01)
    ax.set_ylim(0.5 + (ax.bbox.height - rows.above) / high, 0.5 - rows.above / high)
    ax.yaxis.set_visible(False)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.set_axisbelow(True)
    ax.grid(axis="x", color="#e4e4e4", linewidth=0.7)
    ax.axhline(0.5, color="black", linewidth=0.6)
    if layout.ends < ends:
        ax.axvline(layout.ends, color="black", linewidth=1, linestyle=":")

    least = ends / ax.bbox.width / 4
    # Also of those that are not drawn, the root among them, we know when they took the loop.
    steps = layout.steps()
    held = _drop_invisible((span for span in steps if span[0] < span[1]), least)
    boxes = [_rectangle(start, end, loop, half) for start, end in held]
    line = min(0.8, high / 16)  # low rows must not be all outline
    _bars(ax, {("", "running"): boxes}, {"": OTHER}, line)
    bars: dict[tuple[str, Pattern], list[Any]] = {}
    for row in layout.rows:
        alike: dict[tuple[str, Pattern], list[tuple[float, float]]] = {}
        for bar in layout.bars(row.lane):
            alike.setdefault((bar.call, bar.pattern), []).append((bar.start, bar.end))
        for (call, state), spans in alike.items():
            boxes = bars.setdefault((call, state), [])
            for start, end in _drop_invisible(spans, least):
                boxes.append(_rectangle(start, end, row.y, HALF[state]))
                if state == "running":
                    boxes.append(_rectangle(start, end, loop, half))
    _bars(ax, bars, colours, line)
    if rows.strip:
        _strip(ax, layout, 0.5 - (LOOP + STRIP / 2) / high, 0.36 * STRIP / high, least)
    if rows.nested:
        _brackets(ax, rows, left, 10 / high)
    starts = sorted({start for start, _ in steps})
    seen = [start for start, _ in _drop_invisible(((start, start) for start in starts), least)]
    marks = ax.vlines(seen, loop - half, loop + half, colors="black", linewidth=1.2)
    marks.set(clip_on=False, gid="steps")  # the one at 0 is whole
    _endings(ax, rows, ends, label_every)
    _name(ax, rows.loop, loop, ITALIC, -AIR, "right")
    if rows.strip:
        _name(ax, rows.strip, 0.5 - (LOOP + STRIP / 2) / high, ITALIC, -AIR, "right")
    named = rows.named(label_every)
    for name, row in zip(rows.names, layout.rows, strict=True):
        if row.y not in named:
            continue
        if rows.nested:
            _name(ax, name, row.y, NAME, MARGIN - left + row.depth * INDENT, "left")
        else:
            _name(ax, name, row.y, NAME, -AIR, "right")


def _name(ax: Axes, name: str, y: float, font: Any, x: float, side: str) -> None:
    """Name a row, so many pixels right of the axes' left: as a text, twice as fast as a tick."""
    text, how = as_drawn(name, font)
    how |= {"transform": ax.get_yaxis_transform(), "ha": side, "va": "center_baseline"}
    ax.add_artist(Name(x / ax.bbox.width, y, text, clip_on=False, **how))


def _brackets(ax: Axes, rows: Rows, left: float, below: float) -> None:
    """Join each lane with those that it made, from so far below the middle of its name."""
    lasts: dict[int, tuple[int, float]] = {}
    lines: list[list[tuple[float, float]]] = []
    for row in rows.layout.rows:
        if row.parent is not None:
            x = (MARGIN - left + (row.depth - 0.6) * INDENT) / ax.bbox.width
            lasts[row.parent] = row.y, x
            lines.append([(x, row.y), (x + 0.4 * INDENT / ax.bbox.width, row.y)])
    for parent, (y, x) in lasts.items():
        lines.append([(x, min(parent + below, y)), (x, y)])
    made = LineCollection(lines, colors="#555555", linewidths=1.0)
    made.set(transform=ax.get_yaxis_transform(), clip_on=False, gid="brackets")
    ax.add_collection(made, autolim=False)


def _strip(ax: Axes, layout: Layout, y: float, half: float, least: float) -> None:
    """How many are in flight, over time."""
    counts: list[tuple[float, int]] = []
    for time, count in layout.run.in_flight:
        if counts and time - counts[-1][0] < least:
            counts[-1] = counts[-1][0], max(count, counts[-1][1])
        else:
            counts.append((time, count))
    most = max(count for _, count in counts)
    corners, before = [(0.0, y + half)], 0
    for time, count in [*counts, (layout.ends, 0)]:
        corners += [(time, y + half - 2 * half * n / most) for n in (before, count)]
        before = count
    area = Polygon(corners, facecolor="#bbbbbb", edgecolor="#777777", linewidth=0.6, gid="strip")
    ax.add_artist(area)


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
    ax: Axes,
    bars: Mapping[tuple[str, Pattern], list[Any]],
    colours: Mapping[str, str],
    line: float,
) -> None:
    """One path for each call and state: its pattern is then made only once."""
    for (call, state), boxes in bars.items():
        if boxes:
            path = Path([corner for box in boxes for corner in (*box, box[0])], _BOX * len(boxes))
            face, edge = paint(colours[call], state)
            patch = PathPatch(path, fc=face, ec=edge, hatch=HATCH[state], lw=line, snap=True)
            ax.add_artist(patch)


_BOX = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY]


def _endings(ax: Axes, rows: Rows, until: float, label_every: int) -> None:
    """Say at the end of a lane how it ended, if not well; where there is no room, by a sign."""
    layout, wide = rows.layout, ax.bbox.width
    signs = rows.signs(label_every)
    small = SIGN._replace(size=min(SIGN.size, 16 / label_every))
    for row in layout.rows:
        text = rows.endings.get(row.y)
        if text is None:
            continue
        sign = row.y in signs
        told, font = (text[0], small) if sign else (f" {text} ", BOLD)
        start, end = layout.start(row.lane), min(layout.end(row.lane), until)
        at, side = end, "left"
        if not sign and label_every > 1:  # beside the signs of its neighbours
            at += _CLOSE * layout.ends
        if end > 0.75 * until and not sign:  # the right edge: it goes onto the bar, or before
            at, side = start if end - start < 0.25 * until else end, "right"
        elif not sign and end / until * wide + px(told, font) > wide + 10:
            at, side = until, "right"
        told, how = as_drawn(told, font)
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8}
        ax.text(
            at,
            row.y,
            told,
            ha=side,
            va="center_baseline",
            color="#a00000" if text[0] == "✖" else "black",
            bbox=None if sign else box,
            **how,
        )
