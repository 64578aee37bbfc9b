"""The loop's door: all that a loop calls goes through its queue, and there the camera stands.

A task asks its loop for a step, and a future wakes one, by a handle that the loop puts into its
queue of what is ready; when it is its turn the loop takes it out and calls it. So to film it is
enough to look at the clock when a handle is put in or taken out, and along the task's own chain of
awaits when its step is over, which is when the next handle is taken out. Nothing stands around a
coroutine, and no frame of the camera is on the stack while the program runs.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from types import BuiltinMethodType, MethodType
from typing import TYPE_CHECKING, Any

from .chain import only_lets_others_go
from .cpython import (
    EAGER_TASKS,
    STEP,
    WAKE_UP,
    clock_of,
    get_ready_queue,
    is_running,
    set_ready_queue,
    takes_its_first_step_at_once,
    task_name,
    trim_source_traceback,
    waits_for,
    woken_task,
)
from .libraries import SLEEP
from .run import LaneLog

if TYPE_CHECKING:
    from .trace import Camera

__all__ = ["FilmedQueue", "close_door", "filming", "open_door"]

filming: ContextVar[Camera | None] = ContextVar("filming", default=None)
"""The camera that films what runs in this context, on a loop that is not filmed as a whole."""

_put, _take, _count = deque.append, deque.popleft, deque.__len__


class FilmedQueue(deque[asyncio.Handle]):
    """A loop's queue of what is ready, which tells cameras what happens.

    Attributes
    ----------
    lanes
        The lane of each task that is filmed, by the id of the task, which it does not keep alive.
    whole
        The camera that films all tasks of this loop, if one does.
    task, lane
        Whose step is under way.
    """

    __slots__ = ("_asked_again", "_below", "_start", "cameras", "clock", "lane", "lanes", "loop",
                 "make_task", "task", "whole")  # fmt: skip

    def __init__(
        self, loop: Any, handles: Iterable[asyncio.Handle] = (), clock: Any = None
    ) -> None:
        super().__init__(handles)
        self.loop = loop
        self.clock: Callable[[], float] = clock or clock_of(loop)
        self.lanes: dict[int, LaneLog] = {}
        self.cameras = 0
        self.make_task: Any = None  # the loop's own way to make a task
        self.whole: Camera | None = None
        self.task: Any = None
        self.lane: LaneLog | None = None
        self._start = 0.0
        self._asked_again = False  # whether the task asks for another step in its present one
        self._below: list[tuple[Any, LaneLog, float]] = []  # steps in which a loop runs, nested

    # What the loop does with its queue.

    def append(self, handle: asyncio.Handle) -> None:
        """Put in a handle: a task is ready, or has just been made."""
        _put(self, handle)
        callback = handle._callback  # type: ignore[attr-defined]
        kind = type(callback)
        if kind is STEP or (kind is BuiltinMethodType and callback.__name__ == WAKE_UP):
            task = callback.__self__
        elif kind is not MethodType or (task := woken_task(callback)) is None:
            return
        if task is self.task:
            self._asked_again = True
            return
        lane = self.lanes.get(id(task))
        if lane is None:
            camera = self._camera_of(handle)
            if camera is not None:
                self.film(camera, task, camera.task_created(task))
            return
        now = self.clock()
        if lane.direct is None and lane.outer is None:
            lane.log.extend((lane, "ready", now, None))
            return
        while lane is not None:
            lane.camera.note(_at_work(lane), "ready", now)
            lane = lane.outer

    def popleft(self) -> asyncio.Handle:
        """Take out the next handle: the step before is over, and another begins."""
        handle = _take(self)
        now = self.clock()
        if self.task is not None:
            self._step_ended(now)
        if self._below:
            self._come_back(now)
        callback = handle._callback  # type: ignore[attr-defined]
        kind = type(callback)
        if kind is STEP or (kind is BuiltinMethodType and callback.__name__ == WAKE_UP):
            task = callback.__self__
        elif kind is not MethodType or (task := woken_task(callback)) is None:
            return handle
        lane = self.lanes.get(id(task))
        if lane is not None and not handle._cancelled:
            self.task, self.lane, self._start, self._asked_again = task, lane, now, False
            if lane.direct is None and lane.outer is None:
                if lane.task_name is None:
                    lane.task_name = task_name(task)
                lane.log.extend((lane, "running", now, None))
            else:
                self._enter(lane, task, handle, now)
        return handle

    def __len__(self) -> int:
        """Count them: the loop does so before each turn, when the last step is over."""
        if self.task is not None:
            self._step_ended(self.clock())
        if self._below:
            self._come_back(self.clock())
        return _count(self)

    # Steps.

    def film(self, camera: Camera, task: Any, lane: LaneLog) -> None:
        """Film the steps of `task` as `lane`, for this camera."""
        lane.outer = self.lanes.get(id(task))
        self.lanes[id(task)] = lane
        if lane.outer is None:
            camera.watch(task, lane)

    def unfilm(self, task: Any, lane: LaneLog, now: float) -> None:
        """The task goes on, but is not this lane any more."""
        camera = lane.camera
        if self.task is task and task is not None:
            start = max(self._start, camera.started_at)
            camera.steps.extend((start, now))
        if self.lanes.get(id(task)) is lane:
            if lane.outer is None:
                del self.lanes[id(task)]
                self.task = self.lane = None
            else:
                self.lanes[id(task)] = self.lane = lane.outer

    def enter(self, task: Any, lane: LaneLog, start: float) -> None:
        """A step of the filmed `task` is under way."""
        if self.task is not task:
            self.task, self._start = task, start
        self.lane = lane

    def _enter(self, lane: LaneLog | None, task: Any, handle: Any, now: float) -> None:
        while lane is not None:
            if lane.task_name is None:
                lane.task_name = task_name(task)
            if lane.direct is not None:
                lane.direct.enter(task, handle, now)
                lane.camera.note(lane.direct.lane(), "running", now)
            else:
                lane.camera.note(lane, "running", now)
            lane = lane.outer

    def _step_ended(self, now: float) -> None:
        task, lane = self.task, self.lane
        assert lane is not None
        self.task = self.lane = None
        if lane.direct is not None or lane.outer is not None:
            self._odd_step_ended(task, lane, now)
            return
        coroutine, waited = task.get_coro(), waits_for(task)
        camera = lane.camera
        camera.steps.extend((self._start, now))
        if waited is not None:
            camera.task_suspended(lane, coroutine, waited, now)
            if self._asked_again:
                lane.log.extend((lane, "ready", now, None))
        elif only_lets_others_go(coroutine) and not lane.calls_below:
            # It stands at a sleep(0), as so often, and often at the same: half of all the time.
            lasti = coroutine.cr_frame.f_lasti
            if (place := lane.place) is None or place[1] != lasti:
                place = lane.place = (lane.code, lasti, SLEEP, None, lane.code, (), False)
            lane.log.extend((lane, "ready", now, place))
        elif task.done():
            camera.task_ended(lane, task, now)
            self.lanes.pop(id(task), None)
        elif is_running(coroutine):
            del camera.steps[-2:]  # it is not over
            self._odd_step_ended(task, lane, now)
        else:
            camera.task_suspended(lane, coroutine, None, now)

    def _odd_step_ended(self, task: Any, lane: LaneLog, now: float) -> None:
        """The step of a root, of a task that several cameras film, or one that runs a loop."""
        if _is_at_work(task):  # as nest_asyncio allows
            self._below.append((task, lane, self._start))
            return
        self._tell(task, lane, self._start, now)

    def _come_back(self, now: float) -> None:
        """Tell of steps that ran a loop themselves, once they are over."""
        while self._below and not _is_at_work(self._below[-1][0]):
            self._asked_again = False
            self._tell(*self._below.pop(), now)

    def _tell(self, task: Any, lane: LaneLog | None, start: float, now: float) -> None:
        over = task.done()
        while lane is not None:
            camera, outer = lane.camera, lane.outer
            camera.steps.extend((start, now))
            if over:
                camera.task_ended(lane, task, now)
            else:
                waited = waits_for(task)
                camera.task_suspended(lane, task.get_coro(), waited, now)
                if waited is not None and self._asked_again:
                    camera.note(_at_work(lane), "ready", now)
            lane = outer
        if over:
            self.lanes.pop(id(task), None)

    # Eager tasks take their first step at once, inside the step that makes them.

    def create_task(self, coroutine: Any, **options: Any) -> Any:
        """Make a task, as `loop.create_task`, and film its first step if that is taken at once."""
        make = self.make_task
        camera = self._camera_here(options.get("context"))
        if camera is None or not takes_its_first_step_at_once(self.loop, options):
            task = make(coroutine, **options)
        else:
            outer, lane = self.lane, camera.call_created(coroutine)
            start = self.clock()
            if outer is not None:  # its step is cut in two
                outer.camera.steps.extend((self._start, start))
                outer.camera.note(_at_work(outer), "ready", start)
            self.lane = lane
            lane.log.extend((lane, "running", start, None))
            maker, self.task = self.task, None
            try:
                task = make(coroutine, **options)
            finally:
                now = self.clock()
                self.task, self.lane, self._start = maker, outer, now
                if outer is not None:
                    outer.camera.note(_at_work(outer), "running", now)
            lane.task_name = task_name(task)
            if not task.done():
                self.film(camera, task, lane)
            self._tell(task, lane, start, now)
        trim_source_traceback(task)
        return task

    def _camera_here(self, context: Any) -> Camera | None:
        camera = self.whole or (context or {}).get(filming) or filming.get()
        return camera if camera is not None and camera.on and camera.loop is self.loop else None

    def flush(self) -> None:
        """Tell of the step that was the last."""
        if self.task is not None:
            self._step_ended(self.clock())

    def _camera_of(self, handle: Any) -> Camera | None:
        if self.whole is not None:
            return self.whole if self.whole.on else None
        camera = handle._context.get(filming)
        if camera is None and self.lane is not None and type(handle._callback) is STEP:
            camera = self.lane.camera  # made with a context of its own
        return camera if camera is not None and camera.on and camera.loop is self.loop else None


def _is_at_work(task: Any) -> bool:
    """Whether a step of the task is on the stack; of one that has ended 3.12 must not be asked."""
    return not task.done() and is_running(task.get_coro())


def _at_work(lane: LaneLog) -> LaneLog:
    """The lane that runs when this one does: of a root, that of the call that it awaits."""
    return lane if lane.direct is None else lane.direct.lane()


def open_door(loop: Any, clock: Callable[[], float] | None = None) -> FilmedQueue:
    """Put a filmed queue in the place of the loop's own, or return the one that is there."""
    queue = get_ready_queue(loop)
    if queue is None:
        raise TypeError(
            f"the camera films the loops of asyncio itself, not a {type(loop).__name__}: "
            "run the program with asyncio.run"
        )
    if not isinstance(queue, FilmedQueue):
        set_ready_queue(loop, lambda handles: FilmedQueue(loop, handles, clock))
        queue = get_ready_queue(loop)
        assert isinstance(queue, FilmedQueue)
        if EAGER_TASKS:
            queue.make_task = loop.create_task
            loop.create_task = queue.create_task
    queue.cameras += 1
    return queue


def close_door(queue: FilmedQueue) -> None:
    """One camera less looks at the queue; after the last one the loop is as it was."""
    queue.cameras -= 1
    if not queue.cameras:
        if EAGER_TASKS:
            del queue.loop.create_task
            if queue.make_task != queue.loop.create_task:  # somebody had put that in its place
                queue.loop.create_task = queue.make_task
        set_ready_queue(queue.loop, deque)
