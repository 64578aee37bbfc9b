"""The camera: films a program of coroutines from outside and hands back a `Run`.

A task factory wraps each coroutine in a proxy that notes when it is resumed and, each time it
suspends, walks the chain of awaits to see which call of the learner's own is waiting, and on what.
The program itself is not changed: same results, same order, same errors, same cancellation.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import itertools
import sys
import threading
import weakref
from collections.abc import Callable, Coroutine, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from types import CodeType, CoroutineType, FrameType, TracebackType
from typing import Any, Literal, NamedTuple, TypeAlias

from .chain import (
    arguments,
    awaits_last,
    behind,
    call_name,
    code_of,
    fate,
    frame_of,
    is_own,
    line_of,
    look,
)

__all__ = ["Camera", "Ending", "Lane", "Run", "Segment", "State", "busy_now", "trace"]

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

    def __init__(self, camera: Camera, value: Any, error: BaseException | None) -> None:
        tracks = camera.tracks[1:]
        self._value = value
        self._root = camera.root
        self._tracks = tracks
        self._log, self._length = camera.log, len(camera.log)
        self._zero = camera.zero
        self._now = camera.time()
        self.error = error
        """What the program failed with, or None."""
        self.seconds = self._since(self._now)
        """From start to end of the root coroutine."""
        self.held = round(camera.held, 9)
        """Seconds for which some coroutine of the program held the loop."""
        self.max_in_flight = camera.max_in_flight
        """The most lanes alive at once, the root not counted."""
        self.real = camera.real
        """Whether time was real, or fast-forwarded."""
        self.over = not camera.on
        """False for a program that was still being filmed."""
        self.output = ""
        """What the program printed, where the clock collected it."""
        self._pending = sum(track.ending == "pending" for track in tracks)

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
        for at in range(0, self._length, _ENTRY):
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
    def _events(self) -> dict[_Track, list[_Event]]:
        return _events(self._log[: self._length])

    def _develop(self, track: _Track) -> Lane:
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


# An event begins a segment, which lasts until the next one: order, time, state, code, lasti, what,
# until, and (when a step ends) the innermost call that was active during the whole step, and those
# above the innermost one that stands still, each with its instruction.
_Event: TypeAlias = tuple[
    int, float, State, CodeType | None, int, Any, float | None, CodeType | None, Sequence[Any]
]
# Everything is written into one flat list for all lanes, field by field, which leaves the garbage
# collector in peace. An entry is a lane and a step: when it was woken, if it was (order, time);
# order and time at which it took the loop; and the event by which it gave it back. Either of the
# two halves may be missing.
_ENTRY = 1 + 3 + 9
_NOT_TAKEN = (None,) * 3
_NOT_GIVEN = (None,) * 9

_order = itertools.count()
# When each future that a lane waits for came true. The key is its id: a reference would keep
# alive a task that the program has lost.
_woken: dict[int, tuple[int, float] | None] = {}
_camera: contextvars.ContextVar[Camera | None] = contextvars.ContextVar("camera", default=None)


class _Track:
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


def _events(log: list[Any]) -> dict[_Track, list[_Event]]:
    """What happened to each lane, in order."""
    events: dict[_Track, list[_Event]] = {}
    for at in range(0, len(log), _ENTRY):
        track, woken, order, start = log[at : at + 4]
        mine = events.setdefault(track, [])
        if woken is not None:
            mine.append((*woken, "ready", None, -1, "", None, None, ()))
        if order is not None:
            mine.append((order, start, "running", None, -1, "", None, None, ()))
        if log[at + 4] is not None:
            mine.append(tuple(log[at + 4 : at + _ENTRY]))
    for mine in events.values():
        mine.sort()
    return events


class Camera:
    """Films one program; `run()` shows what there is so far.

    Parameters
    ----------
    real
        Whether the loop's time is real; only says how the `Run` names its seconds.
    """

    def __init__(self, *, real: bool = True) -> None:
        self.real = real
        self.on = False
        self.task: asyncio.Task[Any] | None = None
        """The root coroutine's task, once filming has begun."""
        self.loop: asyncio.AbstractEventLoop | None = None
        self.time: Callable[[], float] = lambda: 0.0
        self.zero = 0.0
        self.held = 0.0
        self.alive = 0
        self.max_in_flight = 0
        self.tracks: list[_Track] = []
        self.log: list[Any] = []
        self.current: _Track | None = None  # the lane whose step is under way
        self._call: _Track | None = None  # the call that the root awaits directly
        self._called = False  # whether it has awaited any
        self._asleep: list[_Track] = []  # async generators between two requests of the root
        self._point = 0.0  # up to when the root's own time is accounted for
        self._cancelled = False  # whether its present step began with a cancellation
        self._grouped = False  # whether it waits for a task group

    async def film(self, coroutine: Coroutine[Any, Any, Any]) -> Run:
        """Run `coroutine` as a task of the running loop, filmed with all its descendants.

        Tasks that it leaves behind go on, unfilmed.
        """
        loop = asyncio.get_running_loop()
        self.loop, self.time = loop, loop.time
        self.zero = loop.time()
        context = contextvars.copy_context()  # of its own: others of this loop are not filmed
        context.run(_camera.set, self)
        value, error = None, None
        with _hooks(loop):
            self.on = True
            self.task = task = context.run(loop.create_task, coroutine)
            del coroutine
            try:
                value = await task
            except (KeyboardInterrupt, SystemExit, GeneratorExit):
                raise
            except BaseException as raised:
                mine = asyncio.current_task()
                if isinstance(raised, asyncio.CancelledError) and mine and mine.cancelling():
                    raise
                error = _without_us(raised)
            finally:
                self.on = False
        return self.run(value, error)

    def run(self, value: Any = None, error: BaseException | None = None) -> Run:
        """The `Run` so far."""
        return Run(self, value, error)

    def stop(self) -> None:
        """Cancel every task that is filmed, so that none takes another step first."""
        for task in asyncio.all_tasks():
            coroutine = task.get_coro()
            if isinstance(coroutine, _Filmed) and coroutine._camera is self:
                task.cancel()

    # What the hooks report.

    def born(self, coroutine: Any) -> _Track:
        """A task was made of `coroutine`."""
        now = self.time()
        if self._call is not None and self.current is self.root and self._is_back():
            self._direct(None, now)
        track = None
        if type(coroutine) is not CoroutineType and (generator := behind(coroutine)) is not None:
            track = self._taken_over(frame_of(generator))  # by a task to close it, after `break`
            coroutine = generator
        if track is None:
            track = self._add(code_of(coroutine), frame_of(coroutine))
        self.log += (
            track, None, None, None, next(_order), now, "ready", track.code, -1, "", None, None, ()
        )  # fmt: skip
        return track

    def _is_back(self) -> bool:
        """Whether the root, which is at work, has come back from the call that it awaited."""
        assert self._call is not None
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if frame is self._call.frame:
                return False
            frame = frame.f_back
        return True

    def _taken_over(self, frame: FrameType | None) -> _Track | None:
        """The lane of an async generator that the root has left, for the task that goes on."""
        for track in self._asleep:
            if track.frame is frame:
                self._asleep.remove(track)
                track.frame = None
                return track
        return None

    def _add(self, code: CodeType, frame: FrameType | None) -> _Track:
        track = _Track(code, arguments(frame))
        if self.tracks:
            self.alive += 1
            if self.alive > self.max_in_flight:
                self.max_in_flight = self.alive
        else:
            track.frame = frame
        self.tracks.append(track)
        return track

    @property
    def root(self) -> _Track:
        return self.tracks[0]

    def _log(
        self,
        track: _Track,
        time: float,
        state: State,
        code: CodeType | None = None,
        lasti: int = -1,
        what: Any = "",
    ) -> None:
        self.log += (
            track, *_NOT_TAKEN, next(_order), time, state, code, lasti, what, None, None, ()
        )  # fmt: skip

    def interrupt(self, outer: _Track, now: float, since: float | None = None) -> None:
        """An eager task runs inside the step of `outer`, or has done so `since` then."""
        self._log(self._active(outer), now, "ready" if since is None else "running")
        if since is not None:
            self.held -= now - since

    def enter_root(self, woken: Any, order: int, start: float, value: Any) -> None:
        """The root takes the loop: for itself, or for the call that it awaits directly."""
        self.log += (self._active(self.root), woken, order, start, *_NOT_GIVEN)
        self._point = start
        # A group whose task fails wakes the one that waits for it in this way as well.
        self._cancelled = isinstance(value, asyncio.CancelledError) and not self._grouped

    def leave(
        self, coroutine: Any, track: _Track, woken: Any, order: int, start: float, yielded: Any
    ) -> None:
        """`track` gives the loop back and waits for `yielded` (None: it only lets others go)."""
        now = self.time()
        if now != start:
            self.held += now - start
        seen: Any
        if yielded is None:
            own, code, lasti, seen, until = look(coroutine, timed=False)
            state: State = "ready"
            track.key = 0
        else:
            own, code, lasti, seen, until = look(coroutine)
            state = "waiting"
            track.key = key = id(yielded)
            _woken[key] = None
            if seen is None:
                seen = _seen(yielded)
        if track.frame is not None:  # the root, which has told when it took the loop
            woken = order = start = None  # type: ignore[assignment]
            own = self._below(own)
            self._grouped = isinstance(seen, CodeType) and seen.co_qualname.startswith("TaskGroup.")
            self._direct(frame_of(own[0]) if own else None, now)
            track = self._active(track)
        ran = self._ran(track, own) if track.inner or len(own) > 1 else track.code
        callers = [(code_of(call), _lasti(call)) for call in own[:-1]] if len(own) > 1 else ()
        self.log += (
            track, woken, order, start, next(_order), now, state, code, lasti, seen, until, ran,
            callers,
        )  # fmt: skip

    @staticmethod
    def _ran(track: _Track, own: list[Any]) -> CodeType:
        """The innermost call that was active during the whole step."""
        ran, inner, at = track.code, track.inner, 1
        for before in inner:
            if at == len(own) or before() is not own[at]:
                break
            ran = code_of(own[at])
            at += 1
        track.inner = (*inner[: at - 1], *map(weakref.ref, own[at:]))
        return ran

    def finish(
        self, track: _Track, woken: Any, order: int, start: float, error: BaseException
    ) -> None:
        """`track` has ended, by `StopIteration` when all went well."""
        now = self.time()
        if now != start:
            self.held += now - start
        if track is self.root:
            self._cancelled |= isinstance(error, asyncio.CancelledError)
            self._direct(None, now)
            self._reap()
        else:
            self.log += (
                track, woken, order, start, None, None, None, None, None, None, None, None, None
            )  # fmt: skip
        if isinstance(error, StopIteration):
            self._end(track, now, "done")
        elif isinstance(error, asyncio.CancelledError):
            self._end(track, now, "cancelled")
        else:
            self._end(track, now, "failed")
            track.error = error

    def _end(self, track: _Track, now: float, ending: Ending) -> None:
        track.end, track.ending, track.inner = now, ending, ()
        if track.frame is not None:
            _let_go(track)
        if track is not self.root:
            self.alive -= 1

    def lost(self, track: _Track) -> None:
        """The task of `track` was dropped before its end, since nobody held a reference to it."""
        self._end(track, self.time(), "lost")

    def busy(self, frame: FrameType | None, start: float, end: float) -> None:
        """The call in `frame`, or the nearest caller of the learner's own, held the loop."""
        track = self.current
        if track is None:
            return
        while frame is not None and not is_own(frame.f_code):
            frame = frame.f_back
        if track is self.root:
            self._direct(self._below_root(frame), start)
            track = self._active(track)
            self._point = end
        code, lasti = (None, -1) if frame is None else (frame.f_code, frame.f_lasti)
        self._log(track, start, "running", code, lasti)
        self._log(track, end, "running")

    # Calls that the root awaits directly. They are told apart by their frames.

    def _active(self, track: _Track) -> _Track:
        """The lane that runs when `track` does: the root's present call in its stead."""
        return self._call if track is self.root and self._call is not None else track

    def _below(self, own: list[Any]) -> list[Any]:
        """Those calls in the root's chain that are below the root.

        A root that only hands on to another (``return await main()``) leaves its place to it,
        before it has awaited anything else.
        """
        root = self.root
        frames = [frame_of(call) for call in own]
        at = frames.index(root.frame) + 1 if root.frame in frames else 0
        while (
            0 < at < len(own)
            and not self._called
            and (len(own) > at + 1 or len(self.tracks) > 1)
            and getattr(own[at - 1], "cr_await", None) is own[at]
            and awaits_last(own[at - 1].cr_frame)
        ):
            root.frame = frames[at]
            at += 1
        return own[at:]

    def _below_root(self, frame: FrameType | None) -> FrameType | None:
        """The root's direct call that `frame` works for, if the root is not at work itself."""
        below = None
        while frame is not None:
            if frame is self.root.frame:
                return below
            if is_own(frame.f_code) and frame.f_code.co_flags & _SUSPENDS:
                below = frame
            frame = frame.f_back
        return None

    def _direct(self, frame: FrameType | None, now: float) -> None:
        """Since the last such report the root went on to the direct call in `frame`, or to none."""
        old = self._call
        if (None if old is None else old.frame) is frame:
            self._point = now
            return
        root = self.root
        if old is not None and old.frame is not None:
            self._asleep.append(old)
            if fate(old.frame) == "suspended":
                at = old.frame.f_lasti
                self._log(old, self._point, "waiting", old.code, at, "its caller")
            self._reap()
            self._log(root, self._point, "running")
        new = None
        if frame is not None:
            self._called = True
            new = next((track for track in self._asleep if track.frame is frame), None)
            if new is None:
                new = self._add(frame.f_code, frame)
                new.frame = frame
            else:
                self._asleep.remove(new)
            self._log(new, now, "running")
            here = root.frame is not None and root.frame.f_code is root.code
            at = root.frame.f_lasti if here and root.frame else -1
            self._log(root, now, "waiting", root.code, at, new)
        self._call = new
        self._point = now

    def _reap(self) -> None:
        """End those of the root's direct calls that have ended."""
        for track in tuple(self._asleep):
            assert track.frame is not None
            how = fate(track.frame)
            if how != "suspended":
                failed: Ending = "cancelled" if self._cancelled else "failed"
                self._end(track, self._point, "done" if how == "returned" else failed)
                self._asleep.remove(track)


_LET_GO = compile("track.frame = None", "", "exec")


def _let_go(track: _Track) -> None:
    """Drop the frame of a call that has ended, and with it what it holds.

    A coroutine that was never awaited dies here, and Python's warning names the place: so it is
    that of the call, each time, and not this one, once.
    """
    assert track.frame is not None
    code, line = track.frame.f_code, track.frame.f_lineno  # the end of an `except*` has none
    line = line or code.co_firstlineno
    exec(_LET_GO.replace(co_filename=code.co_filename, co_firstlineno=line), {"track": track})


def _without_us(error: BaseException) -> BaseException:
    """The error, with no step of the camera in its traceback."""
    kept = [
        (at.tb_frame, at.tb_lasti, at.tb_lineno)
        for at in _chain(error.__traceback__)
        if at.tb_frame.f_code.co_filename != __file__
    ]
    before = None
    for frame, lasti, line in reversed(kept):
        before = TracebackType(before, frame, lasti, line)
    for other in getattr(error, "exceptions", ()):
        _without_us(other)
    return error.with_traceback(before)


def _chain(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _lasti(call: Any) -> int:
    frame = frame_of(call)
    return -1 if frame is None else frame.f_lasti


_SUSPENDS = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


class _Filmed(Coroutine[Any, Any, Any]):
    """Stands in for a task's coroutine and reports each of its steps."""

    __slots__ = ("_camera", "_coroutine", "_track")

    def __init__(self, camera: Camera, coroutine: Any) -> None:
        self._camera = camera
        self._coroutine = coroutine
        self._track = camera.born(coroutine)

    def send(self, value: Any, resume: Callable[[Any], Any] | None = None) -> Any:
        camera, track = self._camera, self._track
        if resume is None:
            resume = self._coroutine.send
        if not camera.on:
            return resume(value)
        if track.given is None:
            task = asyncio.current_task(camera.loop)
            track.given = "Task-" if task is None else task.get_name()
        outer = camera.current
        start = camera.time()
        if outer is not None:
            camera.interrupt(outer, start)
        camera.current = track
        woken = _woken.get(track.key)
        order = next(_order)
        if track.frame is not None:
            camera.enter_root(woken, order, start, value)
        try:
            yielded = resume(value)
        except BaseException as error:
            camera.finish(track, woken, order, start, error)
            raise
        else:
            camera.leave(self._coroutine, track, woken, order, start, yielded)
            return yielded
        finally:
            value = None  # an error's traceback leads to here: it must not lead back to itself
            camera.current = outer
            if outer is not None:
                camera.interrupt(outer, camera.time(), start)

    def throw(self, *error: Any) -> Any:
        try:
            return self.send(error[-1] if len(error) == 1 else error[1], self._coroutine.throw)
        finally:
            del error

    def close(self) -> None:
        self._coroutine.close()

    def __del__(self) -> None:
        if self._camera.on and self._track.end is None:
            self._camera.lost(self._track)

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._coroutine.__await__()  # type: ignore[no-any-return]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._coroutine, name)


def _seen(yielded: Any) -> Any:
    """What a coroutine waits for that awaits a bare future: a lane, or the future's kind."""
    if isinstance(yielded, asyncio.Task):
        coroutine = yielded.get_coro()
        return coroutine._track if isinstance(coroutine, _Filmed) else code_of(coroutine)
    if type(yielded).__name__ == "_GatheringFuture":
        return "gather"
    told = [callback for callback, _ in getattr(yielded, "_callbacks", None) or ()]
    shields = any(getattr(call, "__qualname__", "").startswith("shield.") for call in told)
    return "shield" if shields else type(yielded).__name__


def _what(seen: Any) -> str:
    if isinstance(seen, CodeType):
        return call_name(seen)
    return seen.name if isinstance(seen, _Track) else str(seen)


_hooked: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, list[Callable[[], None]]]
_hooked = weakref.WeakKeyDictionary()


_lock = threading.Lock()
_filming = 0


@contextmanager
def _hooks(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Film the tasks that `loop` makes for a camera, and note when futures come true."""
    global _filming
    undo = _hooked.setdefault(loop, [])
    undo.append(_nothing if undo else _hook(loop))
    with _lock:
        _filming += 1
    try:
        yield
    finally:
        if len(undo) == 1:
            undo[0]()
        undo.pop()
        with _lock:
            _filming -= 1
            if not _filming:
                _woken.clear()


def _nothing() -> None: ...


_NO: Any = object()
_Task: Any = asyncio.Task
if (3, 13) <= sys.version_info < (3, 13, 3):

    class _Task(asyncio.Task[Any]):  # type: ignore[no-redef]
        """Keeps its name, where `create_task` would name it None on a loop with a factory."""

        def set_name(self, name: Any) -> None:
            if name is not None:
                super().set_name(name)

    _Task.__name__ = _Task.__qualname__ = "Task"


def _hook(loop: Any) -> Callable[[], None]:
    factory, call_soon, time = loop.get_task_factory(), loop.call_soon, loop.time
    patched = "call_soon" in vars(loop)

    def make(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> Any:
        context = options.get("context")
        camera = (context and context.get(_camera)) or _camera.get()
        if camera is not None and camera.on:
            coroutine = _Filmed(camera, coroutine)
        if factory is not None:
            return factory(loop, coroutine, **options)
        return _Task(coroutine, loop=loop, **options)

    def noting(callback: Any, first: Any = _NO, *rest: Any, context: Any = None) -> Any:
        if first is _NO:
            return call_soon(callback, context=context)
        if (key := id(first)) in _woken:
            _woken[key] = (next(_order), time())
        if rest:
            return call_soon(callback, first, *rest, context=context)
        return call_soon(callback, first, context=context)

    def choose(other: Any) -> None:  # the program's own factory makes the tasks, filmed
        nonlocal factory
        set_factory(other)  # which refuses what cannot be one
        set_factory(make)
        factory = other

    def unhook() -> None:
        del loop.set_task_factory, loop.get_task_factory
        loop.set_task_factory(factory)
        if patched:
            loop.call_soon = call_soon
        else:
            del loop.call_soon

    set_factory = loop.set_task_factory
    set_factory(make)
    loop.set_task_factory, loop.get_task_factory = choose, lambda: factory
    loop.call_soon = noting
    return unhook


def busy_now(frame: FrameType, start: float, end: float) -> None:
    """Tell the camera, if one is on, that the call in `frame` held the loop."""
    camera = _camera.get()
    if camera is not None and camera.on:
        camera.busy(frame, start, end)


async def trace(coroutine: Coroutine[Any, Any, Any]) -> Run:
    """Run `coroutine` on the running loop and hand back its `Run`.

    `helpers.record` and `helpers.simulate` are made of this.

    Examples
    --------
    >>> import asyncio
    >>> async def main():
    ...     await asyncio.gather(asyncio.sleep(0, "a"), asyncio.sleep(0, "b"))
    >>> run = asyncio.run(trace(main()))
    >>> run.starts, run.max_in_flight
    (["sleep(0, 'a')", "sleep(0, 'b')"], 2)
    """
    return await Camera().film(coroutine)
