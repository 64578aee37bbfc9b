"""The calls that a root awaits directly: each is a lane, so that a loop draws what a gather does.

They are told apart by their frames. A frame is held only as long as its call has not ended: what
it holds lives no longer than without a camera.
"""

from __future__ import annotations

import inspect
import weakref
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from .chain import is_own
from .cpython import (
    asks_to_cancel,
    error_in_flight,
    frame_of,
    has_ended,
    how_it_ended,
    is_running,
    only_hands_on,
)
from .run import Ending, LaneLog
from .texts import kind_name

if TYPE_CHECKING:
    from .trace import Camera

__all__ = ["DirectCalls"]

_SUSPENDS = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


class DirectCalls:
    """Which of the calls that a root awaits directly is under way, and which have ended."""

    def __init__(self, camera: Camera, root: LaneLog, frame: FrameType | None) -> None:
        self.camera = camera
        self.root = root
        root.frame = frame
        self.active: LaneLog | None = None
        self.asleep: list[LaneLog] = []  # async generators between two requests of the root
        self.since = 0.0  # up to when the root's own time is accounted for
        self.any = False  # whether it has awaited any
        self.orphans: list[tuple[LaneLog, int]] = []  # made in this step, and by whose frame
        self.cancelled = False  # whether its present step began with a cancellation
        self.grouped = False  # whether it waits for a task group
        self.nameless: dict[
            int, LaneLog
        ] = {}  # those that failed, nobody knows with what, by frame

    def lane(self) -> LaneLog:
        """Return the lane that runs when the root does: its present call's, or its own."""
        return self.active or self.root

    def enter(self, task: Any, handle: Any, now: float) -> None:
        """The root takes the loop: for itself, or for the call that it awaits."""
        self.since = now
        # A group whose task fails wakes the one that waits for it in this way as well.
        self.cancelled = not self.grouped and asks_to_cancel(task, handle)

    def suspend(self, own: list[Any], what: Any, now: float) -> list[Any]:
        """The root gives the loop back: return those in its chain that are below its lane."""
        own = self._below(own)
        self.grouped = isinstance(what, CodeType) and what.co_qualname.startswith("TaskGroup.")
        self._go_on(frame_of(own[0]) if own else None, now)
        if own and self.active is not None and self.active.task_ref is None:
            self.active.task_ref = weakref.ref(own[0], self._ended)
        return own

    def settle(self, now: float) -> None:
        """Something happens while the root is at work: it may be back from its call."""
        if self.active is not None and not self._is_at_work(self.active):
            self._go_on(None, now)

    def busy(self, frame: FrameType | None, start: float, end: float) -> LaneLog:
        """The call in `frame` holds the loop: return the lane that it works for."""
        self._go_on(self._below_root(frame), start)
        self.since = end
        return self.lane()

    def end(self, now: float, error: BaseException | None = None) -> None:
        """The root has ended, and with it all that it awaited; or neither ever will."""
        if self.root.frame is None or has_ended(self.root.frame):
            self._go_on(None, now)
        elif self.active is not None:
            self.asleep.append(self.active)
        self._reap()
        for lane in (*self.asleep, self.root):
            if lane.frame is not None:
                _let_go(lane)
        self.asleep = []
        self._name_errors(error)

    def _name_errors(self, error: BaseException | None) -> None:
        """What the root failed with tells through which of its calls it came."""
        while error is not None and self.nameless:
            traceback = error.__traceback__
            while traceback is not None:
                lane = self.nameless.get(id(traceback.tb_frame))
                if lane is not None and traceback.tb_frame.f_code is lane.code:
                    lane.error = lane.error or kind_name(error)
                traceback = traceback.tb_next
            self.nameless = {at: lane for at, lane in self.nameless.items() if not lane.error}
            seen, error = error, error.__cause__ or error.__context__
            if error is seen:
                break

    def adopt(self, lane: LaneLog, frame: FrameType) -> None:
        """A step of the root makes a lane, from `frame`: find out for which of its calls.

        That call is no lane yet if it began in this very step.
        """
        below = self._below_root(frame)
        if below is None:
            return
        known = (x for x in (self.active, *self.asleep) if x is not None and x.frame is below)
        lane.parent = next(known, self.root)
        if lane.parent is self.root:
            self.orphans.append((lane, _key(below)))

    def taken_over(self, generator: Any) -> LaneLog | None:
        """Return the lane of an async generator that the root has left to a task that closes it."""
        for lane in self.asleep:
            if lane.frame is frame_of(generator):
                self.asleep.remove(lane)
                _let_go(lane)
                return lane
        return None

    # What has been found out.

    def _go_on(self, frame: FrameType | None, now: float) -> None:
        """Since the last report the root went on to the call in `frame`, or to none."""
        old, root, camera = self.active, self.root, self.camera
        if (None if old is None else old.frame) is frame:
            self._reap()
            self.since, self.orphans = now, []
            return
        if old is not None and old.frame is not None:
            self.asleep.append(old)
            if not has_ended(old.frame):
                place = (old.code, old.frame.f_lasti, "its caller", None, None, (), True)
                camera.note(old, "waiting", self.since, place)
            self._reap()
            camera.note(root, "running", self.since)
        new = None
        if frame is not None:
            self.any = True
            new = next((lane for lane in self.asleep if lane.frame is frame), None)
            if new is None:
                new = camera.add(frame.f_code, frame, root)
                new.frame = frame
                for lane, maker in self.orphans:
                    if maker == _key(frame):
                        lane.parent = new
            else:
                self.asleep.remove(new)
            camera.note(new, "running", now)
            here = root.frame is not None and root.frame.f_code is root.code
            at = root.frame.f_lasti if here and root.frame else -1
            camera.note(root, "waiting", now, (root.code, at, new, None, None, (), True))
        self.active = new
        self.since = now
        self.orphans = []

    def _below(self, own: list[Any]) -> list[Any]:
        """Return those calls in the root's chain that are below the root.

        A root that only hands on to another (``return await main()``) leaves its place to it,
        before it has awaited anything else.
        """
        root = self.root
        frames = [frame_of(call) for call in own]
        at = frames.index(root.frame) + 1 if root.frame in frames else 0
        while (
            0 < at < len(own)
            and not self.any
            and (len(own) > at + 1 or len(self.camera.lanes) > 1)
            and getattr(own[at - 1], "cr_await", None) is own[at]
            and only_hands_on(own[at - 1].cr_frame)
        ):
            root.frame = frames[at]
            at += 1
        return own[at:]

    def _below_root(self, frame: FrameType | None) -> FrameType | None:
        """Return the direct call that `frame` works for, if the root is not at work itself."""
        below = None
        while frame is not None:
            if frame is self.root.frame:
                return below
            if is_own(frame.f_code) and frame.f_code.co_flags & _SUSPENDS:
                below = frame
            frame = frame.f_back
        return None

    def _is_at_work(self, lane: LaneLog) -> bool:
        call = None if lane.task_ref is None else lane.task_ref()
        return call is None or is_running(call)

    def _reap(self) -> None:
        """End those of the calls that have ended."""
        for lane in tuple(self.asleep):
            if lane.frame is not None and has_ended(lane.frame):
                self.asleep.remove(lane)
                self._end(lane, self.since)

    def _ended(self, ref: weakref.ref[Any]) -> None:
        """The call behind `ref` has ended this moment, in the middle of a step of the root."""
        lane = next((x for x in (self.active, *self.asleep) if x and x.task_ref is ref), None)
        if lane is None or lane.frame is None or not self.camera.on:
            return
        lane.task_ref = None
        if not has_ended(lane.frame):
            return  # an async generator, which lives on to be closed
        now = self.camera.time()
        if lane is self.active:
            self.active = None
            self.camera.note(self.root, "running", now)
            self.since = now
        else:
            self.asleep.remove(lane)
        self._end(lane, now)

    def _end(self, lane: LaneLog, now: float) -> None:
        assert lane.frame is not None
        how = how_it_ended(lane.frame)
        ending: Ending = "done"
        if how == "raised":
            ending = "cancelled" if self.cancelled else "failed"
        if ending == "failed":
            lane.error = error_in_flight(lane.frame)
            if not lane.error:
                self.nameless[id(lane.frame)] = lane
        self.camera.end(lane, now, ending)
        _let_go(lane)


def _key(frame: FrameType) -> int:
    """Tells it from others without keeping it alive."""
    return hash((id(frame), frame.f_code))


_LET_GO = compile("lane.frame = None", "", "exec")


def _let_go(lane: LaneLog) -> None:
    """Drop the frame of a call that has ended, and with it what it holds.

    A coroutine that was never awaited dies here, and Python's warning names the place: so it is
    that of the call, as without a camera, and not this one.
    """
    assert lane.frame is not None
    code, line, names = lane.frame.f_code, lane.frame.f_lineno, lane.frame.f_globals
    line = line or code.co_firstlineno  # the end of an `except*` has none
    here = _LET_GO.replace(co_filename=code.co_filename, co_firstlineno=line)
    exec(here, names, {"lane": lane})
