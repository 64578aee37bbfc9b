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
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from types import CodeType, CoroutineType, FrameType, TracebackType
from typing import Any

from .chain import (
    arguments,
    awaits_last,
    behind,
    code_of,
    fate,
    frame_of,
    is_own,
    look,
)
from .run import NOT_GIVEN, NOT_TAKEN, Ending, Run, State, Track

__all__ = ["Camera", "busy_now", "trace"]

_order = itertools.count()
# When each future that a lane waits for came true. The key is its id: a reference would keep
# alive a task that the program has lost.
_woken: dict[int, tuple[int, float] | None] = {}
_camera: contextvars.ContextVar[Camera | None] = contextvars.ContextVar("camera", default=None)


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
        self.tracks: list[Track] = []
        self.log: list[Any] = []
        self.current: Track | None = None  # the lane whose step is under way
        self._call: Track | None = None  # the call that the root awaits directly
        self._called = False  # whether it has awaited any
        self._asleep: list[Track] = []  # async generators between two requests of the root
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
        return Run(
            self.tracks,
            self.log,
            value,
            error,
            zero=self.zero,
            now=self.time(),
            held=self.held,
            max_in_flight=self.max_in_flight,
            real=self.real,
            over=not self.on,
        )

    def stop(self) -> None:
        """Cancel every task that is filmed, so that none takes another step first."""
        for task in asyncio.all_tasks():
            coroutine = task.get_coro()
            if isinstance(coroutine, _Filmed) and coroutine._camera is self:
                task.cancel()

    # What the hooks report.

    def born(self, coroutine: Any) -> Track:
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

    def _taken_over(self, frame: FrameType | None) -> Track | None:
        """The lane of an async generator that the root has left, for the task that goes on."""
        for track in self._asleep:
            if track.frame is frame:
                self._asleep.remove(track)
                track.frame = None
                return track
        return None

    def _add(self, code: CodeType, frame: FrameType | None) -> Track:
        track = Track(code, arguments(frame))
        if self.tracks:
            self.alive += 1
            if self.alive > self.max_in_flight:
                self.max_in_flight = self.alive
        else:
            track.frame = frame
        self.tracks.append(track)
        return track

    @property
    def root(self) -> Track:
        return self.tracks[0]

    def _log(
        self,
        track: Track,
        time: float,
        state: State,
        code: CodeType | None = None,
        lasti: int = -1,
        what: Any = "",
    ) -> None:
        self.log += (
            track, *NOT_TAKEN, next(_order), time, state, code, lasti, what, None, None, ()
        )  # fmt: skip

    def interrupt(self, outer: Track, now: float, since: float | None = None) -> None:
        """An eager task runs inside the step of `outer`, or has done so `since` then."""
        self._log(self._active(outer), now, "ready" if since is None else "running")
        if since is not None:
            self.held -= now - since

    def enter_root(self, woken: Any, order: int, start: float, value: Any) -> None:
        """The root takes the loop: for itself, or for the call that it awaits directly."""
        self.log += (self._active(self.root), woken, order, start, *NOT_GIVEN)
        self._point = start
        # A group whose task fails wakes the one that waits for it in this way as well.
        self._cancelled = isinstance(value, asyncio.CancelledError) and not self._grouped

    def leave(
        self, coroutine: Any, track: Track, woken: Any, order: int, start: float, yielded: Any
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
    def _ran(track: Track, own: list[Any]) -> CodeType:
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
        self, track: Track, woken: Any, order: int, start: float, error: BaseException
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

    def _end(self, track: Track, now: float, ending: Ending) -> None:
        track.end, track.ending, track.inner = now, ending, ()
        if track.frame is not None:
            _let_go(track)
        if track is not self.root:
            self.alive -= 1

    def lost(self, track: Track) -> None:
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

    def _active(self, track: Track) -> Track:
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


def _let_go(track: Track) -> None:
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
