"""What the camera returns: a `Run` and its lanes, made of what was noted while filming.

Filming must be cheap, so the camera only writes notes, into flat lists: nothing for the garbage
collector to walk. They are turned into lanes and segments when somebody asks for them.

Examples
--------
Six lines of program, its log, and its lanes:

>>> import asyncio
>>> from helpers.camera.clock import simulate
>>> async def load(path):
...     await asyncio.sleep(2)
>>> async def main():
...     await asyncio.gather(load("a"), load("b"))
>>> run = simulate(main)
>>> for lane, state, time, place in run.log:
...     print(f"{time:g}", lane.name, state, *([] if place is None else ["for", _what(place.what)]))
0 main() ready
0 main() running
0 load('a') ready
0 load('b') ready
0 main() waiting for gather
0 load('a') running
0 load('a') waiting for sleep
0 load('b') running
0 load('b') waiting for sleep
2 load('a') ready
2 load('b') ready
2 load('a') running
2 load('b') running
2 main() ready
2 main() running
>>> for lane in run.lanes:
...     print(lane.name, [(s.state, s.start, s.end) for s in lane.segments if s.end > s.start])
load('a') [('waiting', 0.0, 2.0)]
load('b') [('waiting', 0.0, 2.0)]
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Sequence
from functools import cached_property
from operator import sub
from types import CodeType, FrameType
from typing import Any, Literal, NamedTuple, TypeAlias

from .chain import call_name
from .cpython import bytecode_line
from .texts import LONGEST, duration, kind_name, message_of, plain

__all__ = ["Ending", "Lane", "LaneLog", "Place", "Run", "Segment", "State", "Totals", "Unfilmed"]

State: TypeAlias = Literal["running", "ready", "waiting"]
Ending: TypeAlias = Literal["done", "failed", "cancelled", "pending", "lost"]


class Segment(NamedTuple):
    """A stretch of a lane's life in one state.

    A step that took no time at all (usual on the fast-forward clock) is a `running` segment of
    length zero, so that nothing that happened is lost.
    """

    start: float
    """Seconds since the start of the run."""
    end: float
    """Seconds since the start of the run."""
    state: State
    """`running` holds the loop, `ready` could run but is kept out, `waiting` waits."""
    call: str
    """The innermost call of the learner's own, such as `load_data`."""
    what: str
    """When waiting: what for, such as `sleep` or `Semaphore.acquire`; else empty."""
    until: float | None
    """When waiting for a timer: when it is due, in seconds since the start of the run."""
    line: int
    """Line of `call` where it is suspended or, when running, where it went on."""
    order: int
    """Position of the segment's beginning among all beginnings of the run: times tie, this not."""
    code: CodeType
    """Whose name is in `call`."""
    turn: bool = False
    """When waiting: for its turn, as at a semaphore or for another task, not for the world."""


class Totals(NamedTuple):
    """How long a lane was in each state, in seconds."""

    running: float
    """It held the loop."""
    ready: float
    """It could run, and was kept out."""
    world: float
    """It waited for the world: a sleep, the network, a disk, a thread."""
    turn: float
    """It waited for its turn: at a Semaphore, Lock, Queue, pool, or for another task."""


class Lane(NamedTuple):
    """A task, or a call that the root coroutine awaits directly.

    Examples
    --------
    >>> from helpers import load_data, simulate
    >>> lane = simulate(load_data, "dataset1.csv").root
    >>> lane.name, lane.end, lane.ending
    ("load_data('dataset1.csv')", 0.65, 'done')
    >>> [(s.state, s.what, s.end - s.start) for s in lane.segments if s.end > s.start]
    [('waiting', 'sleep', 0.65)]
    """

    name: str
    """The call and its first arguments, or the name given to the task."""
    start: float
    """Seconds since the start of the run."""
    end: float
    """Seconds since the start of the run; the end of the run if it was still pending."""
    ending: Ending
    """`pending`: still alive at the end of the run; `lost`: dropped, since nobody held it."""
    error: str
    """The class of what it failed with, such as `ValueError`, where that can be seen, or empty."""
    segments: tuple[Segment, ...]
    number: int = -1
    """Its place among the lanes of the run, from 0 on; -1 is the root."""
    parent: int = -1
    """The number of the lane that made it."""

    @property
    def totals(self) -> Totals:
        """How long it was in each state.

        Examples
        --------
        >>> from helpers import load_data, simulate
        >>> simulate(load_data, "dataset1.csv").root.totals
        Totals(running=0.0, ready=0.0, world=0.65, turn=0.0)
        """
        sums = dict.fromkeys(("running", "ready", "world", "turn"), 0.0)
        for s in self.segments:
            state = s.state if s.state != "waiting" else "turn" if s.turn else "world"
            sums[state] += s.end - s.start
        return Totals(*(round(seconds, 9) for seconds in sums.values()))


class LaneLog:
    """A lane while it is being filmed."""

    __slots__ = (
        "args", "calls_below", "camera", "code", "direct", "end", "ending", "error", "foreign",
        "frame", "hidden", "log", "named", "number", "outer", "parent", "place", "task_name",
        "task_ref", "title",
    )  # fmt: skip

    def __init__(self, camera: Any, code: CodeType, args: tuple[str, ...]) -> None:
        self.camera = camera
        self.log = camera.log
        self.code = code
        self.args = args
        self.parent: LaneLog | None = None
        self.hidden = False  # a library's own business, neither drawn nor counted
        self.foreign = False  # a library's call, which may run one of the learner's own
        self.named = code  # the call that it is named by
        self.title = ""  # what it is called until that call is known
        self.task_name: str | None = None
        self.number = 0  # the id of its task
        self.task_ref: Any = None  # of a task, weak: a task that is lost must be lost
        self.outer: LaneLog | None = None  # of the same task, for the camera that films around this
        self.direct: Any = None  # of a root: the calls that it awaits directly
        self.calls_below: tuple[weakref.ref[Any], ...] = ()  # when it last suspended
        self.place: Any = None  # where it last suspended
        self.frame: FrameType | None = None  # of the root, or of a call that it awaits directly
        self.end: float | None = None
        self.ending: Ending = "pending"
        self.error = ""

    def lost(self, ref: object) -> None:
        """Its task was dropped before its end."""
        self.camera.task_lost(self)

    @property
    def name(self) -> str:
        given, named = self.task_name, self.named
        if given is not None and not given.startswith("Task-") and given != "None":
            if not given.endswith(f".{named.co_qualname}"):  # so libraries name a task by its call
                return plain(given, LONGEST)
        call = self.title or call_name(named).removesuffix(".__await__")
        return plain(f"{call}({', '.join(self.args)})", LONGEST)


class Place(NamedTuple):
    """Where a lane stands still, and why. The log holds these as plain tuples, made in no time."""

    code: CodeType
    """The innermost call of the learner's own."""
    lasti: int
    """The instruction that it stands at."""
    what: Any = None
    """The library call, the lane or the kind of future that it waits for."""
    until: float | None = None
    """When the timer that it waits for is due, by the loop's clock."""
    ran: CodeType | None = None
    """At the end of a step: the innermost call that was active during the whole step."""
    callers: Sequence[tuple[CodeType, int]] = ()
    """The calls above the innermost one that stand still, each with its instruction."""
    turn: bool = False
    """Whether it waits for its turn, and not for the world."""


class Run:
    """What one program did: its result or error, and every lane's life.

    Made by `simulate` and `record`; shown by a notebook as text and picture.

    Examples
    --------
    >>> from helpers import load_data, simulate
    >>> run = simulate(load_data, "dataset1.csv")
    >>> run
    0.65 s
    >>> run.result
    'dataset1 images'
    """

    def __init__(
        self,
        lanes: Sequence[LaneLog],
        log: list[Any],
        steps: list[float],
        value: Any = None,
        error: BaseException | None = None,
        *,
        started_at: float = 0.0,
        now: float = 0.0,
        max_in_flight: int = 0,
        real: bool = True,
        finished: bool = True,
        output: str = "",
    ) -> None:
        self._root, *self._lanes = [lane for lane in lanes if not lane.hidden]
        self._numbers = {lane: number for number, lane in enumerate(self._lanes)}
        self._log, self._length = log, len(log)
        self._steps, self._steps_length = steps, len(steps)
        self._value = value
        self._started_at = started_at
        self._now = now
        self.error = error
        """What the program failed with, or None."""
        self.seconds = self._since(now)
        """From start to end of the root coroutine."""
        self.max_in_flight = max_in_flight
        """The most lanes alive at once, the root not counted."""
        self.real = real
        """Whether time was real, or fast-forwarded."""
        self.finished = finished
        """False for a program that was still being filmed."""
        self.output = output
        """What the program printed, where the clock collected it."""
        self._pending = sum(lane.ending == "pending" for lane in self._lanes)

    @property
    def result(self) -> Any:
        """What the root coroutine returned; of a failed run, its error is raised."""
        __tracebackhide__ = True
        if self.error is not None:
            raise self.error
        return self._value

    @cached_property
    def root(self) -> Lane:
        """The root coroutine's own lane."""
        return self._develop(self._root)

    @cached_property
    def lanes(self) -> list[Lane]:
        """All lanes but the root's, in order of their start."""
        return [self._develop(lane) for lane in self._lanes]

    @property
    def lane_count(self) -> int:
        """How many lanes there are, the root not counted."""
        return len(self._lanes)

    @cached_property
    def in_flight(self) -> list[tuple[float, int]]:
        """Moments at which lanes began or ended, and how many were alive from then on.

        Examples
        --------
        >>> import asyncio
        >>> from helpers import load_data, simulate
        >>> async def main():
        ...     await asyncio.gather(load_data("dataset1.csv"), load_data("dataset2.csv"))
        >>> simulate(main).in_flight
        [(0.0, 2), (0.65, 1), (1.46, 0)]
        """
        changes: dict[float, int] = {}
        for lane in self._lanes:
            begin, end = self._events_of(lane)[0][2], lane.end
            changes[begin] = changes.get(begin, 0) + 1
            if end is not None and end <= self._now:
                changes[end] = changes.get(end, 0) - 1
        count, counts = 0, []
        for time in sorted(changes):
            count += changes[time]
            counts.append((self._since(time), count))
        return counts

    def table(self) -> str:
        """Return how long each lane was in each state, as a text to print.

        Examples
        --------
        >>> import asyncio
        >>> from helpers import infer, load_data, simulate
        >>> async def one(file, limit):
        ...     async with limit:
        ...         await load_data(file)
        >>> async def main():
        ...     limit = asyncio.Semaphore(1)
        ...     await asyncio.gather(*(one(f"dataset{i}.csv", limit) for i in (1, 2)))
        >>> print(simulate(main).table())
                             running    ready  waiting: world  waiting: turn
        one('dataset1.csv')   0.00 s   0.00 s          0.65 s         0.00 s
        one('dataset2.csv')   0.00 s   0.00 s          1.46 s         0.65 s
        """
        lanes = self.lanes or [self.root]
        wide = max(len(lane.name) for lane in lanes)
        rows = [("", "running", "ready", "waiting: world", "waiting: turn")]
        for lane in lanes:
            a, b, c, d = map(duration, lane.totals)
            rows.append((lane.name, a, b, c, d))
        return "\n".join(f"{name:{wide}}{a:>9}{b:>9}{c:>16}{d:>15}" for name, a, b, c, d in rows)

    def sample(self, most: int) -> list[Lane]:
        """Return at most `most` of the lanes: the first of them, and the last."""
        if len(self._lanes) <= most:
            return self.lanes
        last = len(self._lanes) - most // 2
        chosen = self._lanes[: most - most // 2] + self._lanes[last:]
        return [self._develop(lane) for lane in chosen]

    def spread(self, every: int, most_failed: int) -> list[Lane]:
        """Return one of so many lanes, evenly spread, and the first of those that failed."""
        failed = [at for at, lane in enumerate(self._lanes) if lane.ending == "failed"]
        chosen = {*range(0, len(self._lanes), every), *failed[:most_failed]}
        return [self._develop(self._lanes[at]) for at in sorted(chosen)]

    @property
    def starts(self) -> list[str]:
        """Names of the lanes in order of their start."""
        return [lane.name for lane in self.lanes]

    @property
    def finishes(self) -> list[str]:
        """Names of the lanes that ended, in order of their end."""
        ended = [lane for lane in self.lanes if lane.ending != "pending"]
        return [lane.name for lane in sorted(ended, key=lambda lane: lane.segments[-1].order)]

    @property
    def pending(self) -> list[str]:
        """Names of the lanes still alive when the root coroutine ended."""
        return [lane.name for lane in self.lanes if lane.ending == "pending"]

    @cached_property
    def held(self) -> float:
        """Seconds for which some coroutine of the program held the loop."""
        times = self._steps[: self._steps_length]
        seconds: float = sum(map(sub, times[1::2], times[::2]))
        return round(seconds, 9)

    @property
    def held_share(self) -> float:
        """Share of the run for which some coroutine of the program held the loop, 0 to 1."""
        return self.held / self.seconds if self.seconds else 0.0

    def __repr__(self) -> str:
        n = self.lane_count
        return self.describe(f"{n:,} lane{'s' * (n != 1)}")

    def describe(self, lanes: str) -> str:
        """Return the run's line of text, in which this tells how many lanes there are."""
        took = duration(self.seconds) + " (real)" * self.real + " so far" * (not self.finished)
        parts = [_how_it_ended(took, self.error)]
        if self.lane_count:
            parts.append(lanes)
            parts.append(f"at most {self.max_in_flight:,} in flight")
        if self._pending and self.finished:
            parts.append(f"{self._pending:,} left running")
        if self.held and not self.real:
            parts.append(f"loop held {duration(self.held)}")
        return " · ".join(parts)

    def _since(self, time: float) -> float:
        since = time - self._started_at
        return round(since, 9 if since < 1e6 else 6)  # what a float of that size can hold

    @cached_property
    def steps(self) -> list[tuple[float, float]]:
        """Start and end of each step that anybody took: when the loop was held, and not idle.

        Examples
        --------
        >>> from helpers import load_data, simulate
        >>> simulate(load_data, "dataset1.csv").steps
        [(0.0, 0.0), (0.65, 0.65)]
        """
        times = list(map(self._since, self._steps[: self._steps_length]))
        return sorted(zip(times[::2], times[1::2], strict=True))

    @property
    def log(self) -> list[tuple[LaneLog, State, float, Place | None]]:
        """What was noted, in order: which lane began to be what, when, and where it stands."""
        fields = [self._log[at : self._length : 4] for at in range(4)]
        return [
            (lane, state, self._since(time), place and Place(*place))
            for lane, state, time, place in zip(*fields, strict=True)
        ]

    @cached_property
    def _events(self) -> dict[LaneLog, list[tuple[int, State, float, Any]]]:
        """What happened to each lane, in order: that order, and what was noted."""
        events: dict[LaneLog, list[tuple[int, State, float, Any]]] = {}
        log = self._log
        for at in range(0, self._length, 4):
            mine = events.setdefault(log[at], [])
            mine.append((at // 4, log[at + 1], log[at + 2], log[at + 3]))
        return events

    def _events_of(self, lane: LaneLog) -> list[tuple[int, State, float, Any]]:
        # An interrupt may have come between the making of a lane and the first note of it.
        return self._events.get(lane) or [(self._length // 4, "ready", self._now, None)]

    def _develop(self, lane: LaneLog) -> Lane:
        """Turn a lane's log into segments: each event lasts until the next one."""
        events = self._events_of(lane)
        end = self._now if lane.end is None else min(lane.end, self._now)
        ends = [time for _, _, time, _ in events[1:]] + [end]
        active: list[CodeType] = []
        ran = lane.code  # the call that ran until the end of each event's step
        for *_, place in reversed(events):
            active.append(ran)
            ran = (place and place[4]) or ran
        segments: list[Segment] = []
        stood = lane.code  # the innermost call when it last suspended
        places: dict[CodeType, int] = {}  # the instruction at which each call then stood
        began = 0.0  # the segment before
        for (order, state, start, place), after in zip(events, ends, strict=True):
            ran = active.pop()
            what, until, turn = None, None, False
            if place is not None:
                code, lasti, what, until, _, callers, turn = place
                stood, places = code, {**dict(callers), code: lasti}
            else:
                code = stood if state == "ready" else ran
            if state == "ready" and segments and (due := segments[-1].until) is not None:
                # A timer that came late, since the loop was held, was ready when it was due.
                start = min(start, max(due + self._started_at, began))
                segments[-1] = segments[-1]._replace(end=self._since(start))
            began = start
            segments.append(
                Segment(
                    self._since(start),
                    self._since(after),
                    state,
                    call_name(code),
                    _what(what) if state == "waiting" else "",
                    None if until is None else self._since(until),
                    bytecode_line(code, places.get(code, -1)),
                    order,
                    code,
                    turn and state == "waiting",
                )
            )
        over = lane.end is not None and lane.end <= self._now
        return Lane(
            lane.name,
            segments[0].start,
            self._since(end),
            lane.ending if over else "pending",
            lane.error,
            tuple(segments),
            self._numbers.get(lane, -1),
            self._parent(lane),
        )

    def _parent(self, lane: LaneLog) -> int:
        """The number of the lane that made it, or made the one of a library's that did."""
        parent = lane.parent
        while parent is not None and parent.hidden:
            parent = parent.parent
        return -1 if parent is None else self._numbers.get(parent, -1)


class Unfilmed:
    """What came of a program that was not filmed: made by ``simulate(..., film=False)``.

    Examples
    --------
    >>> from helpers import load_data, simulate
    >>> run = simulate(load_data, "dataset1.csv", film=False)
    >>> run, run.result
    (0.65 s, 'dataset1 images')
    >>> run.lanes
    Traceback (most recent call last):
    AttributeError: this run was not filmed, so it has no lanes: leave film=False out
    """

    def __init__(
        self, value: Any, error: BaseException | None, seconds: float, output: str
    ) -> None:
        self._value = value
        self.error = error
        """What the program failed with, or None."""
        self.seconds = round(seconds, 9)
        """From start to end of the root coroutine."""
        self.output = output
        """What the program printed."""

    @property
    def result(self) -> Any:
        """What the root coroutine returned; of a failed run, its error is raised."""
        __tracebackhide__ = True
        if self.error is not None:
            raise self.error
        return self._value

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"this run was not filmed, so it has no {name}: leave film=False out")

    def __repr__(self) -> str:
        return _how_it_ended(duration(self.seconds), self.error)


def _how_it_ended(took: str, error: BaseException | None) -> str:
    if error is None:
        return took
    if isinstance(error, asyncio.CancelledError):
        return f"cancelled after {took}"
    text = message_of(error)
    return f"failed after {took} with {kind_name(error)}" + (f": {text}" if text else "")


def _what(seen: Any) -> str:
    if isinstance(seen, CodeType):
        return call_name(seen)
    return seen.name if isinstance(seen, LaneLog) else str(seen or "")
