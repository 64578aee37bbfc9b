"""What a picture of a run shows, and where: rows, and bars in them, before anything is drawn."""

from __future__ import annotations

import bisect
from collections.abc import Container, Iterator, Sequence
from typing import Literal, NamedTuple, TypeAlias

from ..camera.fastforward import Deadlock
from ..camera.run import Lane, Run, Segment

__all__ = ["Bar", "Layout", "Pattern", "Row", "pattern"]

Pattern: TypeAlias = Literal["running", "ready", "world", "turn"]
_DEEPEST = 6
_TOLD = 10  # failed lanes that are drawn whatever is left out


class Row(NamedTuple):
    """A lane, and where it stands."""

    lane: Lane
    y: int
    """From 1 on, downwards."""
    depth: int
    """How far it is indented, below the lane that made it."""
    parent: int | None
    """The row of that lane, if it is drawn."""


class Bar(NamedTuple):
    """A stretch of a lane's life."""

    call: str
    pattern: Pattern
    start: float
    end: float
    what: str
    """When waiting: what for."""


def pattern(segment: Segment) -> Pattern:
    """The state of a lane, of which there are four.

    Examples
    --------
    >>> from helpers import load_data, simulate
    >>> [pattern(segment) for segment in simulate(load_data, "dataset1.csv").root.segments]
    ['ready', 'running', 'world', 'ready', 'running']
    """
    if segment.state != "waiting":
        return segment.state
    return "turn" if segment.turn else "world"


class Layout:
    """A run as it will be drawn: its lanes, or an even sample of them, each in its row.

    Children stand under their parent. The root is among them where it did something of its own.

    Attributes
    ----------
    by_steps
        No time passed: the axis counts steps, unless another run needs one of time.
    ends
        Where on the axis the run ends.
    until
        Where the axis may end: behind that, if somebody is stuck for ever.
    every
        One of so many lanes is drawn.

    Examples
    --------
    >>> from helpers import load_data, simulate
    >>> layout = Layout(simulate(load_data, "dataset1.csv"), most=10)
    >>> [(row.y, row.lane.name) for row in layout.rows]
    [(1, "load_data('dataset1.csv')")]
    """

    def __init__(self, run: Run, most: int, *, by_steps: bool | None = None) -> None:
        self.run = run
        self.by_steps = not run.seconds if by_steps is None else by_steps
        self.stuck = isinstance(run.error, Deadlock)
        own = sum(s.end - s.start for s in run.root.segments if _own(s))
        self.shows_root = (
            not run.lane_count
            or run.root.ending == "failed"
            or own > run.seconds / 20  # wide enough to be seen
            or self.by_steps
        )
        most = max(most - self.shows_root, 1)
        self.every = max(-(-run.lane_count // most), 1)
        self._drawn = run.lanes if self.every == 1 else run.spread(self.every, _TOLD)
        self.rows = list(self._rows(self._drawn))
        self._orders: list[int] = []
        if self.by_steps:
            lanes = (run.root, *run.lanes)
            self._orders = sorted(
                s.order for lane in lanes for s in lane.segments if s.state == "running"
            )
        self.ends = float(len(self._orders)) if self.by_steps else run.seconds
        self.until = self.ends or 1.0
        if self.stuck:  # with room for what they wait for
            self.until *= 1.75

    def _rows(self, lanes: Sequence[Lane]) -> Iterator[Row]:
        """Deal out the rows: each lane, and then those that it made."""
        known = {lane.number for lane in lanes}
        children: dict[int, list[Lane]] = {}
        for lane in lanes:
            children.setdefault(lane.parent if lane.parent in known else -1, []).append(lane)
        y = 0
        todo: list[tuple[Lane, int, int | None]] = []
        if self.shows_root:
            todo.append((self.run.root, 0, None))
        else:
            todo += [(lane, 0, None) for lane in reversed(children.get(-1, ()))]
        while todo:
            lane, depth, parent = todo.pop()
            y += 1
            yield Row(lane, y, min(depth, _DEEPEST), parent)
            below = children.get(lane.number, ())
            todo += [(child, depth + 1, y) for child in reversed(below)]

    @property
    def for_ever(self) -> float:
        """Where on the axis the bars end of those that never will."""
        return 1.15 * (self.ends or 1.0)

    def lanes(self) -> str:
        """How many there are, as one counts the rows."""
        n = self.run.lane_count
        text = f"{n:,} lane{'s' * (n != 1)}"
        if self.shows_root and n:
            text = f"the root and {text}"
        if self.every > 1:
            more = len(self._drawn) > -(-n // self.every)
            also = ", and those that failed" if more else ""
            text += f" (every {_ordinal(self.every)} is drawn{also})"
        return text

    def name(self, row: Row) -> str:
        """What a row is called."""
        root = row.lane.number < 0 and self.run.lane_count
        return f"root: {row.lane.name}" if root else row.lane.name

    def bars(self, lane: Lane) -> Iterator[Bar]:
        """What is seen of a lane's life."""
        for at, s in enumerate(lane.segments):
            start, end = s.start, s.end
            last = at + 1 == len(lane.segments)
            if self.by_steps:
                start = self._step(s.order)
                if not last:
                    end = self._step(lane.segments[at + 1].order)
                else:
                    end = start + 1 if lane.ending != "pending" else self.ends
            if last and self.stuck and lane.ending == "pending":
                end = self.for_ever
            if end > start:
                yield Bar(s.call.removesuffix(".__await__"), pattern(s), start, end, s.what)

    def steps(self) -> list[tuple[float, float]]:
        """When the loop was held, by whomever."""
        if self.by_steps:
            return [(float(at), at + 1.0) for at in range(len(self._orders))]
        return self.run.steps

    def _step(self, order: int) -> float:
        """Where on an axis that counts steps something began: in a step it is at the step's end."""
        return float(bisect.bisect_left(self._orders, order))

    def end(self, lane: Lane) -> float:
        """Where its bars end."""
        if self.stuck and lane.ending == "pending":
            return self.for_ever
        return max((bar.end for bar in self.bars(lane)), default=0.0) if self.by_steps else lane.end

    def start(self, lane: Lane) -> float:
        """Where its bars begin."""
        return self._step(lane.segments[0].order) if self.by_steps else lane.start

    def ending(self, lane: Lane) -> str:
        """How it ended, if not well, in a few words that begin with a sign."""
        if lane.ending == "done" or (lane.ending == "pending" and not self.run.finished):
            return ""
        if lane.ending == "pending":
            last = lane.segments[-1]
            if self.stuck:
                return f"… waits for {last.what or 'ever'}"
            return f"… still {last.state}"
        if lane.ending == "lost":
            return "? lost: nobody held it"
        if lane.ending == "cancelled":
            return "■ cancelled"
        return f"✖ {lane.error or 'failed'}"

    def idle(self) -> str:
        """How much of the time the loop sat idle."""
        if self.by_steps:
            return ""
        share = 1 - self.run.held_share
        percent = 100 * max(share, 0.0)
        shown = int(percent) if self.run.held else round(percent)
        return f"idle {shown} %"

    def waits(self) -> dict[Pattern, str]:
        """The states that are seen, and what those wait for who wait, in a few words."""
        seen: dict[Pattern, dict[str, None]] = {}
        least = self.until / 200
        names = {row.lane.name for row in self.rows}
        for row in self.rows:
            for bar in self.bars(row.lane):
                if bar.end - bar.start > least:
                    whats = seen.setdefault(bar.pattern, {})
                    if bar.what:
                        whats[_short(bar, names)] = None
        return {state: _few(list(whats)) for state, whats in seen.items()}


def _few(whats: list[str]) -> str:
    return ", ".join(whats[:3]) + ", …" * (len(whats) > 3)


def _short(bar: Bar, names: Container[str]) -> str:
    """What it waits for, as the legend says it."""
    if bar.what in names or bar.what.endswith(")"):
        return "another call"
    return bar.what.partition(".")[0] if bar.pattern == "turn" else bar.what


def _own(segment: Segment) -> bool:
    return segment.state == "running" or (segment.state == "waiting" and not segment.turn)


def _ordinal(n: int) -> str:
    if n % 100 in (11, 12, 13):
        return f"{n:,}th"
    return f"{n:,}" + {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
