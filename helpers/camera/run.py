"""What the camera hands back: a `Run` and its lanes, made of what was noted while filming.

Filming must be cheap, so the camera only writes notes; they are turned into lanes and segments
when somebody asks for them.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Sequence
from functools import cached_property
from types import CodeType, FrameType
from typing import Any, Literal, NamedTuple, TypeAlias

from .chain import call_name, line_of

__all__ = [
    "ENTRY",
    "NOT_GIVEN",
    "NOT_TAKEN",
    "Ending",
    "Event",
    "Lane",
    "Run",
    "Segment",
    "State",
    "Track",
]

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
    error: BaseException | None
    """What it failed with, where that can be seen: tasks and the root."""
    segments: tuple[Segment, ...]


class Track:
    """A lane while it is being filmed."""

    __slots__ = ("args", "code", "end", "ending", "error", "frame", "given", "inner", "key")

    def __init__(self, code: CodeType, args: tuple[str, ...]) -> None:
        self.code = code
        self.args = args
        self.given: str | None = None  # the task's name
        self.inner: tuple[weakref.ref[Any], ...] = ()  # the calls below it when it last suspended
        self.key = 0  # id of the future that it waits for
        self.frame: FrameType | None = None  # of the root, or of a call that it awaits directly
        self.end: float | None = None
        self.ending: Ending = "pending"
        self.error: BaseException | None = None

    @property
    def name(self) -> str:
        if self.given is not None and not self.given.startswith("Task-") and self.given != "None":
            return self.given
        return f"{call_name(self.code)}({', '.join(self.args)})"


# An event begins a segment, which lasts until the next one: order, time, state, code, lasti, what,
# until, and (when a step ends) the innermost call that was active during the whole step, and those
# above the innermost one that stands still, each with its instruction.
Event: TypeAlias = tuple[
    int, float, State, CodeType | None, int, Any, float | None, CodeType | None, Sequence[Any]
]
# Everything is written into one flat list for all lanes, field by field, which leaves the garbage
# collector in peace. An entry is a lane and a step: when it was woken, if it was (order, time);
# order and time at which it took the loop; and the event by which it gave it back. Either of the
# two halves may be missing.
ENTRY = 1 + 3 + 9
NOT_TAKEN = (None,) * 3
NOT_GIVEN = (None,) * 9


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
        tracks: Sequence[Track],
        log: list[Any],
        value: Any,
        error: BaseException | None,
        *,
        zero: float,
        now: float,
        held: float,
        max_in_flight: int,
        real: bool,
        over: bool,
    ) -> None:
        self._root, *self._tracks = tracks
        self._log, self._length = log, len(log)
        self._value = value
        self._zero = zero
        self._now = now
        self.error = error
        """What the program failed with, or None."""
        self.seconds = self._since(now)
        """From start to end of the root coroutine."""
        self.held = round(held, 9)
        """Seconds for which some coroutine of the program held the loop."""
        self.max_in_flight = max_in_flight
        """The most lanes alive at once, the root not counted."""
        self.real = real
        """Whether time was real, or fast-forwarded."""
        self.over = over
        """False for a program that was still being filmed."""
        self.output = ""
        """What the program printed, where the clock collected it."""
        self._pending = sum(track.ending == "pending" for track in self._tracks)

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
        return [self._develop(track) for track in self._tracks]

    def sample(self, most: int) -> list[Lane]:
        """At most `most` of the lanes: the first of them, and the last."""
        if len(self._tracks) <= most:
            return self.lanes
        last = len(self._tracks) - most // 2
        chosen = self._tracks[: most - most // 2] + self._tracks[last:]
        return [self._develop(track) for track in chosen]

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

    @property
    def held_share(self) -> float:
        """Share of the run for which some coroutine of the program held the loop, 0 to 1."""
        return self.held / self.seconds if self.seconds else 0.0

    def __len__(self) -> int:
        return len(self._tracks)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        took = f"{self.seconds:.2f} s" + " (real)" * self.real + " so far" * (not self.over)
        parts = [took]
        if isinstance(self.error, asyncio.CancelledError):
            parts = [f"cancelled after {took}"]
        elif self.error is not None:
            text = str(self.error).partition("\n")[0]
            kind = type(self.error).__name__
            parts = [f"failed after {took} with {kind}" + (f": {text}" if text else "")]
        if n := len(self):
            parts.append(f"{n:,} lane{'s' * (n != 1)}")
            parts.append(f"at most {self.max_in_flight:,} in flight")
        if self._pending and self.over:
            parts.append(f"{self._pending:,} left running")
        if self.held and not self.real:
            parts.append(f"loop held {self.held:.2f} s")
        return " · ".join(parts)

    def _since(self, time: float) -> float:
        since = time - self._zero
        return round(since, 9 if since < 1e6 else 6)  # what a float of that size can hold

    @property
    def steps(self) -> list[tuple[float, float]]:
        """Start and end of each step that anybody took: when the loop was held, and not idle.

        Examples
        --------
        >>> from helpers import load_data, simulate
        >>> simulate(load_data, "dataset1.csv").steps
        [(0.0, 0.0), (0.65, 0.65)]
        """
        steps: list[tuple[float, float]] = []
        began: float | None = None  # of a step of the root, whose end is told in another entry
        ended = 0.0
        for at in range(0, self._length, ENTRY):
            track, start = self._log[at], self._log[at + 3]
            told, state = self._log[at + 5], self._log[at + 6]
            root = track is self._root or track.given is None
            if start is not None:
                if began is not None:
                    steps.append((began, ended))
                began, ended = (start, start) if root else (None, 0.0)
                if not root:
                    steps.append((start, track.end if told is None else told))
            elif root and began is not None and told is not None and state != "ready":
                ended = told
        if began is not None:
            steps.append((began, max(ended, self._root.end or 0.0)))
        return sorted((self._since(start), self._since(end)) for start, end in steps)

    @cached_property
    def _events(self) -> dict[Track, list[Event]]:
        """What happened to each lane, in order."""
        events: dict[Track, list[Event]] = {}
        for at in range(0, self._length, ENTRY):
            track, woken, order, start = self._log[at : at + 4]
            mine = events.setdefault(track, [])
            if woken is not None:
                mine.append((*woken, "ready", None, -1, "", None, None, ()))
            if order is not None:
                mine.append((order, start, "running", None, -1, "", None, None, ()))
            if self._log[at + 4] is not None:
                mine.append(tuple(self._log[at + 4 : at + ENTRY]))
        for mine in events.values():
            mine.sort()
        return events

    def _develop(self, track: Track) -> Lane:
        """Turn a lane's log into segments: each event lasts until the next one."""
        events = self._events[track]
        end = self._now if track.end is None else min(track.end, self._now)
        ends = [event[1] for event in events[1:]] + [end]
        active: list[CodeType] = []
        ran = track.code  # the call that ran until the end of each event's step
        for event in reversed(events):
            active.append(ran)
            ran = event[7] or ran
        segments: list[Segment] = []
        stood = track.code  # the innermost call when it last suspended
        places: dict[CodeType, int] = {}  # the instruction at which each call then stood
        began = 0.0  # the segment before
        for event, after in zip(events, ends, strict=True):
            order, start, state, code, lasti, what, until, _, callers = event
            ran = active.pop()
            if code is not None:
                stood, places = code, {**dict(callers), code: lasti}
            elif state == "ready":
                code = stood
            else:
                code = ran
            if state == "ready" and segments and (due := segments[-1].until) is not None:
                # A timer that came late, since the loop was held, was ready when it was due.
                start = min(start, max(due + self._zero, began))
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
                    line_of(code, places.get(code, -1)),
                    order,
                    code,
                )
            )
        over = track.end is not None and track.end <= self._now
        return Lane(
            track.name,
            segments[0].start,
            self._since(end),
            track.ending if over else "pending",
            track.error,
            tuple(segments),
        )


def _what(seen: Any) -> str:
    if isinstance(seen, CodeType):
        return call_name(seen)
    return seen.name if isinstance(seen, Track) else str(seen)
