"""Along the chain of awaits: which calls of the learner's own are in it, and what they wait for.

A suspended coroutine shows what it awaits (`cr_await`), and so on down to the future that it
yielded. The learner's own calls are those whose code lies outside the standard library, outside
installed packages and outside those rooms of this package that film, show and judge.
"""

from __future__ import annotations

import asyncio
import dis
import gc
import inspect
import pathlib
import sysconfig
from functools import cache
from types import AsyncGeneratorType, CodeType, CoroutineType, FrameType, GeneratorType
from typing import Any

__all__ = [
    "arguments",
    "awaits_last",
    "behind",
    "call_name",
    "code_of",
    "fate",
    "frame_of",
    "is_own",
    "line_of",
    "look",
]

_HELPERS = pathlib.Path(__file__).parent.parent
_WORLD = str(_HELPERS / "world")  # the only room whose code counts as the learner's own
_LIBRARIES = tuple({*sysconfig.get_paths().values(), "<frozen"} - {"", sysconfig.get_path("data")})
_LONG = 24
_PLAIN = {str, int, float, bool, type(None)}


class _Own(dict[str, bool]):
    """Whether the code of a file is the learner's own, remembered by file name."""

    def __missing__(self, filename: str) -> bool:
        if filename.startswith(str(_HELPERS)):
            own = filename.startswith(_WORLD)
        else:
            own = not filename.startswith(_LIBRARIES)
        self[filename] = own
        return own


_own = _Own()


def is_own(code: CodeType) -> bool:
    """Whether `code` is the learner's own, not a library's."""
    return _own[code.co_filename]


def look(
    coroutine: Any, timed: bool = True
) -> tuple[list[Any], CodeType, int, CodeType | None, float | None]:
    """Follow a suspended `coroutine` down its chain of awaits, if `timed` to the timer at its end.

    Returns
    -------
    own
        The learner's own coroutines and generators, outermost first.
    code, lasti
        The innermost of them (else `coroutine`): its code, and the instruction it stands at.
    what
        The library call that it awaits, if any.
    until
        When the timer that it waits for is due, by the loop's clock.

    Examples
    --------
    >>> import asyncio
    >>> async def load():
    ...     await asyncio.Event().wait()
    >>> async def main():
    ...     task = asyncio.create_task(load())
    ...     await asyncio.sleep(0)
    ...     _, code, _, what, _ = look(task.get_coro())
    ...     task.cancel()
    ...     return call_name(code), call_name(what)
    >>> asyncio.run(main())
    ('load', 'Event.wait')
    """
    own: list[Any] = []
    what: CodeType | None = None
    until = None
    node = coroutine
    while node is not None:
        if type(node) is CoroutineType:
            code = node.cr_code
            if code is _SLEEP:
                what = what or code
                frame = node.cr_frame if timed else None
                if frame is not None and (timer := frame.f_locals.get("h")) is not None:
                    until = timer.when()
                break
            after = node.cr_await
        elif type(node) is GeneratorType:
            code, after = node.gi_code, node.gi_yieldfrom
        elif type(node) is AsyncGeneratorType:
            code, after = node.ag_code, node.ag_await
        else:
            node = behind(node)
            continue
        if _own[code.co_filename]:
            if code.co_name not in _PARTS:
                own.append(node)
            what = None
        elif what is None or (_is_inner(what.co_qualname) and not _is_inner(code.co_qualname)):
            what = code
        node = after
    last = own[-1] if own else coroutine
    if type(last) is CoroutineType:
        code, frame = last.cr_code, last.cr_frame
    else:
        code, frame = code_of(last), frame_of(last)
    return own, code, -1 if frame is None else frame.f_lasti, what, until


_PARTS = {"<listcomp>", "<setcomp>", "<dictcomp>"}  # of the call they stand in, on Python 3.11
_SLEEP = asyncio.sleep.__code__
_WRAPPERS = {
    "async_generator_asend",
    "async_generator_athrow",
    "coroutine_wrapper",
    "anext_awaitable",
}


def behind(node: Any) -> Any:
    """What stands behind an awaitable that hides what it awaits, such as that of `async for`."""
    if type(node).__name__ not in _WRAPPERS:
        return None
    for other in gc.get_referents(node):
        kind = type(other)
        if kind in (CoroutineType, AsyncGeneratorType, GeneratorType):
            return other
        if kind.__name__ in _WRAPPERS:
            return other
    return None


def call_name(code: CodeType) -> str:
    """The name by which people know a call: `load`, `Semaphore.acquire`, `as_completed`.

    Examples
    --------
    >>> async def load(): ...
    >>> call_name(load.__code__)
    'load'
    """
    name = code.co_qualname
    return name.rpartition("<locals>.")[2] if is_own(code) else _library_name(name)


@cache
def _library_name(qualname: str) -> str:
    name = qualname.partition(".<locals>")[0].partition(".__")[0]
    return "as_completed" if name.startswith("_AsCompletedIterator") else name


@cache
def _is_inner(qualname: str) -> bool:
    """Whether a library's call is its inner business, as `_wait` or `__aexit__` are."""
    if ".__" in qualname:
        return True
    return _library_name(qualname) == qualname and qualname.rpartition(".")[2].startswith("_")


def code_of(call: Any) -> CodeType:
    """The code of a coroutine, generator or async generator, or of something that wraps one."""
    if type(call) is CoroutineType:
        return call.cr_code
    for attribute in ("cr_code", "gi_code", "ag_code"):
        code = getattr(call, attribute, None)
        if isinstance(code, CodeType):
            return code
    return compile("", type(call).__qualname__, "exec").replace(co_qualname=type(call).__qualname__)


def frame_of(call: Any) -> FrameType | None:
    """Its frame, or None once it has ended."""
    if type(call) is CoroutineType:
        return call.cr_frame
    for attribute in ("cr_frame", "gi_frame", "ag_frame"):
        frame = getattr(call, attribute, None)
        if isinstance(frame, FrameType):
            return frame
    return None


@cache
def _lines(code: CodeType) -> list[int | None]:
    return [start for start, *_ in code.co_positions()]


def line_of(code: CodeType, lasti: int) -> int:
    """The line of an instruction; that of the definition for a call that has not begun."""
    line = _lines(code)[lasti // 2] if lasti >= 0 else None
    return code.co_firstlineno if line is None else line


def arguments(frame: FrameType | None, most: int = 2) -> tuple[str, ...]:
    """The first arguments of a call that has not begun, short enough to name a lane.

    Strings, numbers and file names are shown, and things with a `name`; others are left out, and
    so are those that can only be given by name.

    Examples
    --------
    >>> async def load(session, path, retries=3, *, seed=1): ...
    >>> coroutine = load(object(), "dataset1.csv")
    >>> arguments(coroutine.cr_frame)
    ("'dataset1.csv'", '3')
    >>> coroutine.close()
    """
    if frame is None:
        return ()
    count = frame.f_code.co_argcount
    if not count:
        return ()
    snapshot = frame.f_locals
    values = list(snapshot.values())[:count]
    if type(snapshot) is dict:  # until Python 3.12 the frame keeps it, and what is in it alive
        snapshot.clear()
    shown: list[str] = []
    for value in values:
        try:
            text = _shown(value)
        except Exception:  # a number too long to be written, a property that fails
            continue
        if text is not None:
            shown.append(text)
            if len(shown) == most:
                break
    return tuple(shown)


def _shown(value: Any) -> str | None:
    if type(value) not in _PLAIN:
        value = value.name if isinstance(value, pathlib.PurePath) else getattr(value, "name", None)
        if not isinstance(value, str):
            return None
    elif type(value) is str and len(value) > _LONG:
        value = value[: _LONG - 1] + "…"
    return repr(value)


@cache
def _opnames(code: CodeType) -> tuple[str, ...]:
    return tuple(dis.opname[op] for op in code.co_code)


def fate(frame: FrameType) -> str:
    """How a call that is off the chain has ended: `returned` or `raised`.

    The instruction that it stopped at tells. An async generator may also be `suspended`.
    """
    op = _opnames(frame.f_code)[max(frame.f_lasti, 0)]
    if op.startswith("RETURN"):
        return "returned"
    generator = frame.f_code.co_flags & inspect.CO_ASYNC_GENERATOR
    return "suspended" if generator and op in ("YIELD_VALUE", "RESUME") else "raised"


_ON_THE_WAY_OUT = {
    "CACHE", "SEND", "YIELD_VALUE", "RESUME", "JUMP_BACKWARD_NO_INTERRUPT", "END_SEND",
    "POP_TOP", "LOAD_CONST", "NOP",
}  # fmt: skip


def awaits_last(frame: FrameType) -> bool:
    """Whether a suspended call does nothing more, after what it awaits, than return.

    So it is with ``return await load(path)``: the instructions that follow tell.
    """
    for op in _opnames(frame.f_code)[frame.f_lasti :: 2]:
        if op not in _ON_THE_WAY_OUT:
            return op.startswith("RETURN") and not _is_caught(frame.f_code, frame.f_lasti)
    return False


def _is_caught(code: CodeType, at: int) -> bool:
    """Whether an `except`, `finally` or `with` stands around an instruction."""
    handlers = dis._parse_exception_table(code)  # type: ignore[attr-defined]
    for _ in handlers:  # those of the await itself come first
        at = next((entry.target for entry in handlers if entry.start <= at < entry.end), -1)
        if at < 0 or _opnames(code)[at] == "PUSH_EXC_INFO":
            return at >= 0
    return False
