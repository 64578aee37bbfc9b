"""Every reach into the interpreter and into asyncio, so that a new Python is one file to mend.

Whatever stands here is no public interface: attributes whose names begin with an underscore,
instructions of compiled code, and what hides behind the interpreter's own awaitables.
"""

from __future__ import annotations

import _asyncio
import asyncio
import ctypes
import dis
import gc
import inspect
import sys
import time
from collections import deque
from collections.abc import Callable, Coroutine
from functools import cache
from operator import attrgetter
from pathlib import Path
from types import (
    AsyncGeneratorType,
    BuiltinMethodType,
    CodeType,
    CoroutineType,
    FrameType,
    GeneratorType,
    MethodType,
    TracebackType,
)
from typing import Any

from .texts import kind_name

__all__ = [
    "EAGER_TASKS",
    "STEP",
    "WAKE_UP",
    "asks_to_cancel",
    "bytecode_line",
    "clock_of",
    "code_of",
    "error_in_flight",
    "error_of",
    "frame_of",
    "free_a_ring",
    "get_ready_queue",
    "has_ended",
    "how_it_ended",
    "is_running",
    "is_task",
    "only_hands_on",
    "replace_method",
    "set_ready_queue",
    "takes_its_first_step_at_once",
    "task_name",
    "trim_source_traceback",
    "unwrap_awaitable",
    "waits_for",
    "woken_task",
]

# --- Coroutines, generators and what wraps them ------------------------------------------------

_WRAPPERS = {
    "async_generator_asend",
    "async_generator_athrow",
    "coroutine_wrapper",
    "anext_awaitable",
}


def unwrap_awaitable(node: Any) -> Any:
    """Return what stands behind an awaitable that hides what it awaits, as that of `async for`."""
    if type(node) is _FUTURE_ITERATOR:  # at the end of almost every chain
        return None
    if kind_name(node) not in _WRAPPERS:
        if issubclass(type(node), Coroutine) and type(node) is not CoroutineType:
            return next((x for x in gc.get_referents(node) if type(x) is CoroutineType), None)
        return None
    for other in gc.get_referents(node):
        kind = type(other)
        if kind in (CoroutineType, AsyncGeneratorType, GeneratorType):
            return other
        if kind_name(other) in _WRAPPERS:
            return other
    return None


def _attribute(call: Any, *names: str) -> Any:
    """Return the first of these attributes, without running code of the object's own class."""
    for name in names:
        found = inspect.getattr_static(call, name, None)
        if inspect.isgetsetdescriptor(found) or inspect.ismemberdescriptor(found):
            return found.__get__(call)
    return None


def code_of(call: Any) -> CodeType:
    """Return the code of a coroutine, (async) generator, or of something that wraps one."""
    if type(call) is CoroutineType:
        return call.cr_code
    code = _attribute(call, "cr_code", "gi_code", "ag_code")
    if isinstance(code, CodeType):
        return code
    name = kind_name(call)
    return compile("", name, "exec").replace(co_name=name, co_qualname=name)


def frame_of(call: Any) -> FrameType | None:
    """Return its frame, or None once it has ended."""
    if type(call) is CoroutineType:
        return call.cr_frame
    frame = _attribute(call, "cr_frame", "gi_frame", "ag_frame")
    return frame if isinstance(frame, FrameType) else None


def is_running(call: Any) -> bool:
    """Tell whether it is on the stack at this moment."""
    if type(call) is CoroutineType:
        return call.cr_running
    return bool(_attribute(call, "cr_running", "gi_running", "ag_running"))


# --- Instructions ------------------------------------------------------------------------------


@cache
def _lines(code: CodeType) -> list[int | None]:
    return [start for start, *_ in code.co_positions()]


def bytecode_line(code: CodeType, lasti: int) -> int:
    """Return the line of an instruction; that of the definition for a call that has not begun."""
    line = _lines(code)[lasti // 2] if lasti >= 0 else None
    return code.co_firstlineno if line is None else line


@cache
def _opnames(code: CodeType) -> tuple[str, ...]:
    return tuple(dis.opname[op] for op in code.co_code)


def has_ended(frame: FrameType) -> bool:
    """Tell whether the call of a frame, which is not at work, has ended, and is not suspended.

    A frame owns what it holds from then on; as long as the call goes on its coroutine does.
    """
    return bool(gc.get_referents(frame))


def how_it_ended(frame: FrameType) -> str:
    """Tell how a call has ended: `returned`, `raised` or `closed`.

    The instruction that it stopped at tells: an async generator that is closed stops at a `yield`.
    """
    op = _opnames(frame.f_code)[max(frame.f_lasti, 0)]
    if op.startswith("RETURN"):
        return "returned"
    generator = frame.f_code.co_flags & inspect.CO_ASYNC_GENERATOR
    if generator and op in ("YIELD_VALUE", "RESUME"):
        return "closed"
    # One that is closed within a `try` re-raises GeneratorExit at the end of its `finally`.
    return "closed" if generator and op == "RERAISE" else "raised"


def error_in_flight(frame: FrameType) -> str:
    """Name the error that a call has just raised, seen at this moment; empty if it is not found.

    While it is on its way no name holds it, but it is one of the youngest things that there are,
    as is its traceback, which holds the frame.
    """
    older = gc.get_objects(generation=1)  # a list apart: one that held itself would hold all this
    young = gc.get_objects(generation=0)
    traces = [x for x in young if type(x) is TracebackType and x.tb_frame is frame]
    traces = traces or [x for x in older if type(x) is TracebackType and x.tb_frame is frame]
    if not traces:
        return ""
    on_the_way = _along(traces[-1])
    fresh = []
    for error in (*reversed(young), *reversed(older)):
        if issubclass(type(error), BaseException):
            if on_the_way & _along(error.__traceback__):
                return kind_name(error)
            if error.__traceback__ is None:
                fresh.append(kind_name(error))
    # Until Python 3.11 an error that nobody has caught has no traceback yet.
    return fresh[0] if len(fresh) == 1 and sys.version_info < (3, 12) else ""


def _along(traceback: TracebackType | None) -> set[int]:
    """Tell the parts of a traceback apart without keeping them alive."""
    parts = set()
    while traceback is not None:
        parts.add(id(traceback))
        traceback = traceback.tb_next
    return parts


_ON_THE_WAY_OUT = {
    "CACHE", "SEND", "YIELD_VALUE", "RESUME", "JUMP_BACKWARD_NO_INTERRUPT", "END_SEND",
    "POP_TOP", "LOAD_CONST", "LOAD_COMMON_CONSTANT", "NOP",
}  # fmt: skip


def only_hands_on(frame: FrameType) -> bool:
    """Tell whether a suspended call does nothing more, after what it awaits, than return.

    So it is with ``return await load(path)``: the instructions that follow tell.
    """
    for op in _opnames(frame.f_code)[frame.f_lasti :: 2]:
        if op not in _ON_THE_WAY_OUT:
            return op.startswith("RETURN") and not _is_caught(frame.f_code, frame.f_lasti)
    return False


def _is_caught(code: CodeType, at: int) -> bool:
    """Whether an `except`, `finally` or `with` stands around an instruction."""
    handlers = dis.Bytecode(code).exception_entries  # type: ignore[attr-defined]
    for _ in handlers:  # those of the await itself come first
        at = next((entry.target for entry in handlers if entry.start <= at < entry.end), -1)
        if at < 0 or _opnames(code)[at] == "PUSH_EXC_INFO":
            return at >= 0
    return False


# --- Classes ----------------------------------------------------------------------------------


def replace_method(kind: type, name: str, method: Any) -> Any:
    """Put a method into a class, also into one that is written in C; return the one before.

    The class stays the class that it is: a subclass in its place would be seen by ``type``, by
    pickle, and by whoever holds it already.
    """
    (methods,) = gc.get_referents(kind.__dict__)
    before, methods[name] = methods[name], method
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))
    return before


# --- Tasks -------------------------------------------------------------------------------------


# As they are, whatever nest_asyncio has put in the place of `asyncio.Task`.
_CTask: Any = _asyncio.Task
_PyTask: Any = asyncio.tasks._PyTask  # type: ignore[attr-defined]


class _OneStep:
    """Stands in for a loop, to see by what a task asks for its first step."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> None:
        self.asked.append(callback)

    def get_debug(self) -> bool:
        return False


def _step_type() -> type:
    async def nothing() -> None: ...

    loop: Any = _OneStep()
    coroutine = nothing()
    task: Any = _CTask(coroutine, loop=loop)
    task._log_destroy_pending = False
    coroutine.close()
    return type(loop.asked[0])


STEP: Any = _step_type()
"""The type of what a task of C gives its loop for a step: its `__self__` is the task."""
_FUTURE_ITERATOR: Any = type(iter(_asyncio.Future(loop=_OneStep())))  # type: ignore[arg-type]
WAKE_UP = "task_wakeup"
"""The name of what it gives to the future that it waits for, likewise."""
_PY_STEPS = (_PyTask._Task__step, _PyTask._Task__wakeup)
_is_task: dict[type, bool] = {_CTask: True, _PyTask: True}


def is_task(thing: Any) -> bool:
    """Tell whether it is a task of asyncio's, also of a class of the learner's."""
    kind = type(thing)
    known = _is_task.get(kind)
    if known is None:
        known = issubclass(kind, (_CTask, _PyTask))
        if len(_is_task) < 1_000:
            _is_task[kind] = known
    return known


def woken_task(callback: Any) -> Any:
    """Return the task that takes a step when the loop calls `callback`, or None."""
    kind = type(callback)
    if kind is STEP:
        return callback.__self__
    if kind is BuiltinMethodType:
        if callback.__name__ == WAKE_UP:
            return callback.__self__
    elif kind is MethodType and callback.__func__ in _PY_STEPS:
        return callback.__self__
    return None


waits_for: Callable[[Any], Any] = attrgetter("_fut_waiter")
"""Return the future that a suspended task waits for; None if it only lets others go."""


def asks_to_cancel(task: Any, handle: Any) -> bool:
    """Tell whether the step that a handle stands for begins with a CancelledError."""
    if task._must_cancel:
        return True
    return any(
        asyncio.isfuture(future) and future.cancelled()  # the one that woke it
        for future in handle._args or ()
    )


def task_name(task: Any) -> str:
    """Return a task's name, also of a class of the learner's that says another."""
    kind = _CTask if isinstance(task, _CTask) else _PyTask
    name: str = kind.get_name(task)
    return name


def error_of(task: Any) -> BaseException | None:
    """Return what a task failed with, without it counting as retrieved."""
    error = task._exception
    return error if isinstance(error, BaseException) else None


def free_a_ring(task: Any) -> bool:
    """Let a task go on with a CancelledError that cannot be cancelled, since it waits for itself.

    Of tasks that wait for each other all around, `Task.cancel` asks each to cancel the next, for
    ever. Here one of them is woken as if the one it waits for had been cancelled.
    """
    seen: list[Any] = []
    while is_task(task) and not task.done() and not any(task is other for other in seen):
        seen.append(task)
        task = _next_in_ring(task, seen)
    if not any(task is other for other in seen):
        return False
    waited = waits_for(task)
    for callback, context in tuple(waited._callbacks or ()):
        if woken_task(callback) is task:
            waited.remove_done_callback(callback)
            cancelled = task.get_loop().create_future()
            cancelled.cancel()
            task.get_loop().call_soon(callback, cancelled, context=context)
            return True
    return False


def _next_in_ring(task: Any, seen: list[Any]) -> Any:
    """Return the task that `task` waits for: itself, or as one that it gathers."""
    waited = waits_for(task)
    if is_task(waited):
        return waited
    children = [child for child in getattr(waited, "_children", ()) if is_task(child)]
    back = [child for child in children if any(child is other for other in seen)]
    return next(iter(back or [child for child in children if not child.done()]), None)


EAGER_TASKS = sys.version_info >= (3, 12)
"""Whether this Python has tasks that take their first step at once."""
_EAGER: Any = getattr(asyncio, "eager_task_factory", None)


def takes_its_first_step_at_once(loop: Any, options: dict[str, Any]) -> bool:
    """Tell whether a task that this loop makes with these options is an eager one."""
    if options.get("eager_start"):
        return True
    factory = getattr(loop.get_task_factory(), "__code__", None)
    return factory is not None and factory is getattr(_EAGER, "__code__", None)


_HERE = str(Path(__file__).parent)


def trim_source_traceback(made: Any) -> None:
    """Leave out the camera from where debug mode says that a task or a handle was made."""
    frames = getattr(made, "_source_traceback", None)  # a factory may make anything
    if frames:
        frames[:] = [frame for frame in frames if not frame.filename.startswith(_HERE)]


# --- The loop ----------------------------------------------------------------------------------


def get_ready_queue(loop: Any) -> deque[asyncio.Handle] | None:
    """Return the queue of what a loop calls next; None if it is no loop of asyncio's own make."""
    ready = getattr(loop, "_ready", None)
    return ready if isinstance(ready, deque) else None


def set_ready_queue(
    loop: Any, make: Callable[[deque[asyncio.Handle]], deque[asyncio.Handle]]
) -> None:
    """Put another queue in its place, with what is in it: also while the loop goes through it."""
    old = loop._ready
    loop._ready = make(old)
    deque.clear(old)


_monotonic = time.monotonic  # whatever `time` says to a program that is simulated


def clock_of(loop: Any) -> Callable[[], float]:
    """Return the fastest function that says what ``loop.time()`` does."""
    plain = getattr(loop.time, "__func__", None) is asyncio.BaseEventLoop.time
    return _monotonic if plain else loop.time
