"""Pure drawing: a `Run` goes in, a `Figure` comes out. No pyplot, no state.

Colour is the call, hatching the state: solid for running, crossed for ready, striped for waiting.
"""

from __future__ import annotations

import io
import math
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .trace import Lane, Run, Segment, State

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["compare", "curve", "png", "timeline"]

_MOST_LANES = 60
"""More lanes than this are not legible; an even sample of `_SAMPLE` of them is drawn instead."""
_SAMPLE = 40

_WIDTH, _DPI, _FONT = 9.6, 100, 12.0  # inches, dots per inch, points
_LANE, _LABEL, _TALLEST = 0.32, 0.2, 6.4  # inches: a lane, a label, all lanes together
# Okabe and Ito's palette, which colour-blind people can tell apart (jfly.uni-koeln.de/color).
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
_OTHER = "#777777"
_HATCH: dict[State, str] = {"running": "", "ready": "xxxx", "waiting": "///"}
_MEANING: dict[State, str] = {
    "running": "running: holds the loop",
    "ready": "ready: could run, kept out",
    "waiting": "waiting",
}
_ENDINGS = {"failed": "✖ failed", "cancelled": "■ cancelled", "pending": "… still running"}
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
    figure, axes = _axes([3.2], left=0.1)
    ax = axes[0]
    for (name, y), marker, colour in zip(lines.items(), "os^Dv*", _COLOURS, strict=False):
        ax.plot(x, y, marker=marker, color=colour, label=name, linewidth=2, markersize=7)
    if log:
        ax.set_xscale("log")
        ax.set_yscale("log")
    else:
        ax.set_ylim(bottom=0)
    ax.grid(alpha=0.3)
    ax.set_xlabel(xlabel, fontsize=_FONT)
    ax.set_ylabel(ylabel, fontsize=_FONT)
    ax.set_title(title, loc="left", fontsize=_FONT)
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


def _figure(runs: Iterable[tuple[str, Run]], until: float | None) -> Figure:
    drawn = [_choose(title, run) for title, run in runs]
    colours = _colours(lane for d in drawn for lane in d.lanes)
    longest = max((len(lane.name) for d in drawn for lane in d.lanes), default=4)
    rows = [len(d.lanes) + 1 for d in drawn]
    lane = min(_LANE, _TALLEST / sum(rows))
    left = 0.02 + max(longest, 10) * _FONT * 0.6 / 72 / _WIDTH
    with _lock:
        figure, axes = _axes([n * lane for n in rows], left=left)
        for ax, d in zip(axes, drawn, strict=True):
            _draw(ax, d, colours, until or d.run.seconds or 1.0, math.ceil(_LABEL / lane))
        axes[-1].set_xlabel("seconds", fontsize=_FONT)
        states = {s.state for d in drawn for lane in d.lanes for s in lane.segments if _long(s)}
        _legend(figure, colours, [state for state in _MEANING if state in states])
    return figure


def _choose(title: str, run: Run) -> _Drawn:
    """The lanes to draw: all, or a sample; and the root where it did something of its own."""
    lanes = list(run.lanes) if len(run) <= _MOST_LANES else run.sample(_SAMPLE)
    if len(lanes) < len(run):
        title += f" · {len(lanes)} of {len(run):,} lanes are drawn, evenly spread"
    alone = not lanes or run.root.ending == "failed"
    if alone or any(_long(s) and _own(s) for s in run.root.segments):
        lanes.insert(0, run.root)
    return _Drawn(title, run, lanes)


def _long(segment: Segment) -> bool:
    return segment.end > segment.start


def _own(segment: Segment) -> bool:
    return segment.state == "running" or segment.what == "sleep"


def _colours(lanes: Iterable[Lane]) -> dict[str, str]:
    """A colour for each call, in order of appearance."""
    calls = dict.fromkeys(s.call for lane in lanes for s in lane.segments if _long(s))
    return {
        call: _COLOURS[i] if i < len(_COLOURS) else _OTHER
        for i, call in enumerate(calls)
    }  # fmt: skip


def _axes(inches: Sequence[float], *, left: float) -> tuple[Figure, list[Axes]]:
    """A figure with one axes below the other, each so many inches high."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    top, gap, bottom = 0.62, 0.85, 0.98
    height = top + sum(inches) + gap * (len(inches) - 1) + bottom
    figure = Figure(figsize=(_WIDTH, height), dpi=_DPI)
    FigureCanvasAgg(figure)
    axes, above = [], top
    for inch in inches:
        at = 1 - (above + inch) / height
        axes.append(figure.add_axes((left, at, 0.98 - left, inch / height)))
        above += inch + gap
    return figure, axes


def _draw(ax: Axes, drawn: _Drawn, colours: Mapping[str, str], until: float, every: int) -> None:
    run, lanes = drawn.run, drawn.lanes
    bars: dict[tuple[str, State], list[Any]] = {}
    steps: list[float] = []
    for row, lane in enumerate(lanes, start=1):
        for s in lane.segments:
            if _long(s):
                bars.setdefault((s.call, s.state), []).append(_box(s, row, 0.36))
                if s.state == "running":
                    bars.setdefault((s.call, s.state), []).append(_box(s, 0, 0.25))
            elif s.state == "running":
                steps.append(s.start)
        if lane.ending in _ENDINGS and (run.over or lane.ending != "pending"):
            _ending(ax, row, lane, until)
    _bars(ax, bars, colours)
    ax.vlines(sorted(set(steps)), -0.25, 0.25, colors="black", linewidth=1.2)
    ax.set_xlim(0, until * 1.01)
    ax.set_ylim(len(lanes) + 0.6, -0.6)
    labelled = range(1, len(lanes) + 1, every)
    ax.set_yticks([0, *labelled], ["event loop", *(lanes[i - 1].name for i in labelled)])
    ax.tick_params(axis="y", length=0, labelsize=_FONT, labelfontfamily="monospace")
    ax.tick_params(axis="x", labelsize=_FONT)
    ax.get_yticklabels()[0].set_fontstyle("italic")
    ax.axhline(0.5, color="black", linewidth=0.6)
    if run.seconds < until:
        ax.axvline(run.seconds, color="black", linewidth=1, linestyle=":")
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.set_title(_wrapped(drawn.title), loc="left", fontsize=_FONT, fontweight="bold")


def _wrapped(title: str, most: int = 76) -> str:
    """The title in lines that fit, broken between its parts where possible."""
    lines = [""]
    for part in title.replace("\n", " · ").split(" · "):
        if lines[-1] and len(lines[-1]) + len(part) + 3 > most:
            lines.append("")
        lines[-1] += (" · " if lines[-1] else "") + part
    return "\n".join(line if len(line) <= most else line[: most - 1] + "…" for line in lines[:3])


def _box(s: Segment, row: int, half: float) -> list[tuple[float, float]]:
    return [
        (s.start, row - half), (s.start, row + half), (s.end, row + half), (s.end, row - half)
    ]  # fmt: skip


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


def _ending(ax: Axes, row: int, lane: Lane, until: float) -> None:
    """Say at the end of a lane how it ended, if not well."""
    text = _ENDINGS[lane.ending]
    if lane.error is not None:
        text = f"✖ {type(lane.error).__name__}"
    inside = lane.end > 0.75 * until
    ax.text(
        lane.end,
        row,
        f" {text} ",
        ha="right" if inside else "left",
        va="center",
        fontsize=_FONT - 1,
        fontweight="bold",
        color="#a00000" if lane.ending == "failed" else "black",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8},
    )


def _legend(figure: Figure, colours: Mapping[str, str], states: Sequence[State]) -> None:
    from matplotlib.patches import Patch

    calls = [(f"{call}()", c, c, "") for call, c in colours.items() if c != _OTHER]
    if len(calls) < len(colours):
        calls.append(("other", _OTHER, _OTHER, ""))
    handles = [
        Patch(facecolor=face, edgecolor=edge, hatch=hatch, label=label)
        for label, face, edge, hatch in [
            *calls,
            *((_MEANING[state], *_paint("#555555", state), _HATCH[state]) for state in states),
        ]
    ]
    rows = math.ceil(sum(len(str(handle.get_label())) + 6 for handle in handles) / 100)
    figure.legend(
        handles=handles,
        loc="lower center",
        ncols=math.ceil(len(handles) / rows) if handles else 1,
        fontsize=_FONT - 1,
        frameon=False,
        borderaxespad=0.0,
        handlelength=1.6,
        columnspacing=1.4,
    )
