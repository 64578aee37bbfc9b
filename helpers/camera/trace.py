"""The camera: films a program of coroutines from outside and returns a `Run`.

It stands at the loop's door (`door`), where it sees each step of each task, and each time one
gives the loop back it follows the chain of awaits to see which call of the learner's own waits,
and for what. The program itself is the plain program: same tasks, same turns of the loop, same
errors and reports.
"""

from __future__ import annotations

import asyncio
import sys
import weakref
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from types import CodeType, CoroutineType, FrameType
from typing import Any

from .chain import (
    arguments,
    call_below,
    follow_awaits,
    is_business_of_a_library,
    is_own,
    kind_behind,
)
from .cpython import (
    code_of,
    error_of,
    frame_of,
    free_a_ring,
    get_ready_queue,
    is_task,
    unwrap_awaitable,
)
from .direct import DirectCalls
from .door import FilmedQueue, close_door, filming, open_door
from .prints import BoundedText
from .run import Ending, LaneLog, Run, State
from .texts import kind_name

__all__ = ["Camera", "busy_now", "cancel", "without_the_camera"]


class Camera:
    """Films one program; `run()` shows what there is so far.

    Parameters
    ----------
    real
        Whether the loop's time is real; only says how the `Run` names its seconds.

    Examples
    --------
    `helpers.record` and `helpers.simulate` are made of this.

    >>> async def main():
    ...     await asyncio.gather(asyncio.sleep(0, "a"), asyncio.sleep(0, "b"))
    >>> run = asyncio.run(Camera().film(main()))
    >>> run.starts, run.max_in_flight
    (["sleep(0, 'a')", "sleep(0, 'b')"], 2)
    """

    def __init__(self, *, real: bool = True) -> None:
        self.real = real
        self.on = False
        self.loop: Any = None
        self.task: asyncio.Task[Any] | None = None
        """The root's own task, while it is filmed in real time."""
        self.queue: FilmedQueue | None = None
        self.time: Callable[[], float] = float
        self.started_at = 0.0
        self.in_flight = 0
        self.max_in_flight = 0
        self.lanes: list[LaneLog] = []
        self.log: list[Any] = []  # lane, state, time, place; lane, state, time, place; …
        self.steps: list[float] = []  # start, end; start, end; …
        self.closed_at = 0.0
        self._stopped = False

    async def film(
        self, coroutine: Coroutine[Any, Any, Any], text: BoundedText | None = None
    ) -> Run:
        """Run `coroutine` in the task that awaits this, filmed with all its descendants.

        Tasks that it leaves behind go on, unfilmed. Exits, and a cancellation of the task itself,
        leave by the caller, as they do from a plain ``await``. What it printed stands in `text`.
        """
        value, error = None, None
        self.task = task = asyncio.current_task()
        asked = task.cancelling() if task else 0
        loop = asyncio.get_running_loop()
        try:
            queue = open_door(loop)
        except TypeError:
            coroutine.close()
            raise
        self.begin(loop, queue)
        root = self.call_created(coroutine)
        root.task_name = "Task-"  # it is called by its own name, not by that of its task
        self.note(root, "running", self.started_at)
        if task is not None:
            queue.film(self, task, root)
            queue.enter(task, root, self.started_at)
        token = filming.set(self)
        try:
            value = await coroutine
        except BaseException as raised:
            error = without_the_camera(raised)
            if isinstance(raised, KeyboardInterrupt | SystemExit | GeneratorExit):
                raise
            asked_to = task is not None and task.cancelling() > asked
            if isinstance(raised, asyncio.CancelledError) and asked_to and not self._stopped:
                raise
        finally:
            filming.reset(token)
            now = self.time()
            queue.unfilm(task, root, now)
            self._root_ended(error, now)
            close_door(queue)
            while self._stopped and task is not None and task.cancelling() > asked:
                task.uncancel()
        return self.run(value, error, "" if text is None else text.value())

    def film_all(self, loop: Any, clock: Callable[[], float] | None = None) -> None:
        """Film all that the loop will run: its first task is the root."""
        queue = open_door(loop, clock)
        queue.whole = self
        self.begin(loop, queue)

    def begin(self, loop: Any, queue: FilmedQueue) -> None:
        """From now on there is something to film."""
        self.loop, self.queue, self.time = loop, queue, queue.clock
        self.started_at = queue.clock()
        self.on = True

    def _root_ended(self, error: BaseException | None, now: float) -> None:
        root = self.lanes[0]
        cancelled = isinstance(error, asyncio.CancelledError)
        root.direct.cancelled |= cancelled
        root.direct.end(now, error)
        ending: Ending = "cancelled" if cancelled else "done" if error is None else "failed"
        if ending == "failed":
            root.error = kind_name(error)
        self.end(root, now, ending)
        self.close(now)

    def leave(self) -> None:
        """Nothing more is filmed, and the loop gets its own queue back."""
        if self.queue is not None:
            self.queue.flush()
            self.close()
            close_door(self.queue)

    def close(self, now: float | None = None) -> None:
        """The root has ended, or never will: whatever goes on is not filmed."""
        if self.on:
            self.closed_at = self.time() if now is None else now
            self.on = False
            if self.lanes and self.lanes[0].end is None:
                self.lanes[0].direct.end(self.closed_at)

    def run(self, value: Any = None, error: BaseException | None = None, output: str = "") -> Run:
        """Return the `Run` so far."""
        return Run(
            self.lanes,
            self.log,
            self.steps,
            value,
            error,
            started_at=self.started_at,
            now=self.time() if self.on else self.closed_at,
            max_in_flight=self.max_in_flight,
            real=self.real,
            finished=not self.on,
            output=output,
        )

    # What the door tells.

    def task_created(self, task: Any) -> LaneLog:
        """A task was made: return its lane."""
        return self.call_created(task.get_coro())

    def call_created(self, coroutine: Any) -> LaneLog:
        """A task was made of `coroutine`, or it is the root: return its lane."""
        now = self.time() if self.lanes else self.started_at
        direct = self.lanes[0].direct if self.lanes else None
        if direct is not None and self.queue is not None and self.queue.lane is self.lanes[0]:
            direct.settle(now)
        lane, call = None, coroutine
        if type(coroutine) is not CoroutineType and (generator := unwrap_awaitable(coroutine)):
            call = generator
            lane = direct and direct.taken_over(call)  # by a task that closes it, after `break`
        if lane is None:
            code, frame = code_of(call), frame_of(call)
            foreign = not is_own(code) and bool(self.lanes)
            hidden = foreign and is_business_of_a_library(code, sys._getframe(1))
            maker = self._maker()
            lane = self.add(code, frame, maker, hidden)
            if maker is not None and maker.direct is not None:
                maker.direct.adopt(lane, sys._getframe(1))
            if foreign:
                lane.foreign = True
                lane.title = kind_behind(code, frame)
        self.note(lane, "ready", now)
        return lane

    def add(
        self,
        code: CodeType,
        frame: FrameType | None,
        parent: LaneLog | None = None,
        hidden: bool = False,
    ) -> LaneLog:
        """Begin a lane, which another one made; the first is the root's."""
        lane = LaneLog(self, code, arguments(frame))
        if self.lanes:
            lane.parent, lane.hidden = parent or self.lanes[0], hidden
            if not hidden:
                self._count(lane)
        else:
            lane.direct = DirectCalls(self, lane, frame)
        self.lanes.append(lane)
        return lane

    def _maker(self) -> LaneLog | None:
        """The lane of the task that is at work, and makes another one."""
        lane = None if self.queue is None else self.queue.lane
        while lane is not None and lane.camera is not self:
            lane = lane.outer
        return lane

    def _count(self, lane: LaneLog) -> None:
        """There is one more lane that counts."""
        lane.hidden = False
        self.in_flight += 1
        if self.in_flight > self.max_in_flight:
            self.max_in_flight = self.in_flight

    def watch(self, task: Any, lane: LaneLog) -> None:
        """Notice when the task is dropped before its end, since nobody held a reference to it."""
        lane.number = id(task)
        lane.task_ref = weakref.ref(task, lane.lost)

    def task_lost(self, lane: LaneLog) -> None:
        """A task was dropped before its end."""
        if self.on and lane.end is None and self.queue is not None:
            self.queue.lanes.pop(lane.number, None)
            self.end(lane, self.time(), "lost")

    def note(self, lane: LaneLog, state: State, time: float, place: Any = None) -> None:
        """From now on a lane is in another state; `place` is a `run.Place`, or None."""
        self.log.extend((lane, state, time, place))

    def task_suspended(self, lane: LaneLog, coroutine: Any, waited: Any, now: float) -> None:
        """A task gives the loop back, and waits for a future (None: it only lets others go)."""
        root = lane.direct is not None
        own, code, lasti, what, until, turn = follow_awaits(coroutine, timed=waited is not None)
        if lane.foreign:
            self._name_foreign(lane, coroutine, own)
        state: State = "waiting"
        seen: Any = what
        if waited is None:
            state = "ready"
        elif what is None or (name := what.co_qualname) == _FUTURE:
            seen, turn = self._kind(waited)
        elif name.startswith("_") and _is_of_a_thread(waited):
            seen = "executor"
        if root:
            own = lane.direct.suspend(own, seen, now)
            lane = lane.direct.lane()
        if lane.calls_below:
            ran = self._ran(lane, own)
        else:
            ran = lane.code
            if len(own) > 1:
                lane.calls_below = tuple(map(weakref.ref, own[1:]))
        # A tuple of such tuples is nothing for the garbage collector to walk.
        callers = tuple([_place(call) for call in own[:-1]]) if len(own) > 1 else ()
        self.log.extend((lane, state, now, (code, lasti, seen, until, ran, callers, turn)))

    @staticmethod
    def _ran(lane: LaneLog, own: list[Any]) -> CodeType:
        """The innermost call that was active during the whole step."""
        ran, below, at = lane.code, lane.calls_below, 1
        for before in below:
            if at >= len(own) or before() is not own[at]:
                break
            ran = code_of(own[at])
            at += 1
        lane.calls_below = (*below[: at - 1], *map(weakref.ref, own[at:]))
        return ran

    def _name_foreign(self, lane: LaneLog, coroutine: Any, own: list[Any]) -> None:
        """A task of a library's call is named by the call of the learner's own that it runs."""
        call = own[0] if own else None
        if call is None and lane.title:
            call = call_below(coroutine)
        if call is not None:
            lane.foreign, lane.title = False, ""
            lane.named, lane.args = code_of(call), arguments(frame_of(call))
        if own and lane.hidden:
            self._count(lane)

    def _kind(self, waited: Any) -> tuple[Any, bool]:
        """What a coroutine waits for that awaits a bare future: a lane, or the future's kind.

        And whether it waits for its turn, and not for the world.
        """
        if is_task(waited):
            lane = None if self.queue is None else self.queue.lanes.get(id(waited))
            if lane is not None:
                return lane, not lane.hidden
            code = code_of(waited.get_coro())
            return code, is_own(code)
        kind = kind_name(waited)
        if kind == "_GatheringFuture":
            return "gather", True
        if _is_told(waited, "shield."):
            return "shield", True
        if _is_of_a_thread(waited):
            return "executor", False
        return kind, True

    def task_ended(self, lane: LaneLog, task: Any, now: float) -> None:
        """A task has ended."""
        error = asyncio.CancelledError() if task.cancelled() else error_of(task)
        if lane.direct is not None:
            self._root_ended(error, now)
        elif isinstance(error, asyncio.CancelledError):
            self.end(lane, now, "cancelled")
        elif error is None:
            self.end(lane, now, "done")
        else:
            lane.error = kind_name(error)
            self.end(lane, now, "failed")

    def end(self, lane: LaneLog, now: float, ending: Ending) -> None:
        """A lane is at its end."""
        if lane.end is not None:
            return
        lane.end, lane.ending, lane.calls_below, lane.task_ref = now, ending, (), None
        lane.place = lane.outer = None
        if lane.direct is None and not lane.hidden:
            self.in_flight -= 1

    def busy(self, lane: LaneLog, frame: FrameType | None, start: float, end: float) -> None:
        """The call in `frame`, or the nearest caller of the learner's own, held the loop."""
        while frame is not None and not is_own(frame.f_code):
            frame = frame.f_back
        if lane.direct is not None:
            lane = lane.direct.busy(frame, start, end)
        code, lasti = (None, -1) if frame is None else (frame.f_code, frame.f_lasti)
        place = code and (code, lasti, None, None, None, (), False)
        self.note(lane, "running", start, place)
        self.note(lane, "running", end)

    # Stopping it.

    def tasks(self) -> list[asyncio.Task[Any]]:
        """Return the tasks that are filmed and have not ended, the root's among them."""
        lanes = {} if self.queue is None else self.queue.lanes
        found = [task for task in asyncio.all_tasks(self.loop) if id(task) in lanes]
        return [task for task in found if lanes[id(task)].camera is self]

    @property
    def holds_the_loop(self) -> bool:
        """Whether a step of the program is under way at this moment."""
        lane = None if self.queue is None else self.queue.lane
        while lane is not None and lane.camera is not self:
            lane = lane.outer
        return lane is not None and self.on

    def stop(self, *, at_once: bool = False) -> None:
        """Cancel the program; `film` then returns what there was of it.

        From whichever thread; or if `at_once` from the loop's own, even in the midst of a step of
        the program: all its tasks are cancelled then, so that none takes another step first.
        """
        if self.loop is None:
            return  # it has not begun
        self._stopped = True
        if at_once:
            for task in self.tasks():
                cancel(task)
        else:
            with suppress(RuntimeError):  # the loop may have been closed this moment
                self.loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self.on and self.task is not None:
            cancel(self.task)


def busy_now(frame: FrameType, start: float, end: float) -> None:
    """Tell the cameras that film what runs now that the call in `frame` held the loop."""
    queue = get_ready_queue(asyncio._get_running_loop())
    lane = queue.lane if isinstance(queue, FilmedQueue) else None
    while lane is not None:
        if lane.camera.on:
            lane.camera.busy(lane, frame, start, end)
        lane = lane.outer


def cancel(task: asyncio.Task[Any]) -> None:
    """Cancel a task, also one of several that wait for each other all around."""
    try:
        task.cancel()
    except RecursionError:
        free_a_ring(task)


_BELOW_THE_PROGRAM = (
    str(Path(__file__).parent),
    asyncio.runners.__file__,
    asyncio.base_events.__file__,
)


def without_the_camera(error: BaseException) -> BaseException:
    """Return the error, its traceback without what stands between the program and its caller."""
    traceback = error.__traceback__
    while traceback and traceback.tb_frame.f_code.co_filename.startswith(_BELOW_THE_PROGRAM):
        traceback = traceback.tb_next
    return error.with_traceback(traceback)


def _is_told(waited: Any, name: str) -> bool:
    """Whether a function within this one will be told of the end of a future."""
    told = waited._callbacks if type(waited) is asyncio.Future else None
    return any(getattr(call, "__qualname__", "").startswith(name) for call, _ in told or ())


def _is_of_a_thread(waited: Any) -> bool:
    return _is_told(waited, "_chain_future.")


_FUTURE = "Future.__await__"  # the call behind a bare future, where that is not written in C


def _place(call: Any) -> tuple[CodeType, int]:
    if type(call) is CoroutineType:
        return call.cr_code, call.cr_frame.f_lasti  # type: ignore[union-attr]
    frame = frame_of(call)
    return code_of(call), -1 if frame is None else frame.f_lasti
