"""Along the chain of awaits: which calls of the learner's own are in it, and what they wait for.

A suspended coroutine shows what it awaits (`cr_await`), and so on down to the future that it
yielded. The learner's own calls are those whose code lies outside the standard library, outside
installed packages and outside those rooms of this package that film, show and judge.
"""

from __future__ import annotations

import asyncio
import enum
import functools
import inspect
import pathlib
import sys
import sysconfig
from collections import namedtuple
from types import (
    AsyncGeneratorType,
    BuiltinFunctionType,
    CodeType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodType,
)
from typing import Any

from .cpython import code_of, frame_of, unwrap_awaitable
from .libraries import (
    ELSEWHERE,
    PRIVATE,
    PUBLIC,
    SLEEP,
    TWIN,
    known_as,
    library_name,
    waits_its_turn,
)
from .texts import kind_name

__all__ = [
    "arguments",
    "attributes_of",
    "call_below",
    "call_name",
    "follow_awaits",
    "is_business_of_a_library",
    "is_own",
    "is_own_file",
    "kind_behind",
    "only_lets_others_go",
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
    """Return whether `code` is the learner's own, not a library's."""
    return _own[code.co_filename]


def is_own_file(filename: str) -> bool:
    """Return whether the code of a file is the learner's own."""
    return _own[filename]


def follow_awaits(
    coroutine: Any, timed: bool = True
) -> tuple[list[Any], CodeType, int, CodeType | None, float | None, bool]:
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
    turn
        Whether that library call waits for its turn, and not for the world.

    Examples
    --------
    >>> import asyncio
    >>> async def load():
    ...     await asyncio.Event().wait()
    >>> async def main():
    ...     task = asyncio.create_task(load())
    ...     await asyncio.sleep(0)
    ...     _, code, _, what, _, turn = follow_awaits(task.get_coro())
    ...     task.cancel()
    ...     return call_name(code), call_name(what), turn
    >>> asyncio.run(main())
    ('load', 'Event.wait', True)
    """
    own: list[Any] = []
    what: CodeType | None = None
    rank, package = PRIVATE, ""  # of what, and of what is asked for by the learner's own
    inner: CodeType | None = None
    until = None
    node = coroutine
    while node is not None:
        if type(node) is CoroutineType:
            code = node.cr_code
            if code is SLEEP:
                what = code if what is None or rank > TWIN else what
                inner = code
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
            node = unwrap_awaitable(node)
            continue
        if _own[code.co_filename]:
            if code.co_name not in _PARTS:
                own.append(node)
            what, rank, package = None, PRIVATE, ""
            node = after
            continue
        known = known_as(code, node)
        if known.tells:
            inner = code
        if rank != PUBLIC:
            its_rank = known.rank
            if (known.wraps and not own) or (what is not None and not known.tells):
                its_rank = PRIVATE
            if its_rank != PRIVATE:
                package = package or known.package
                if package != known.package:
                    its_rank = ELSEWHERE if its_rank == PUBLIC else PRIVATE
            if what is None or its_rank < rank:
                what, rank = known.called, its_rank
        node = after
    last = own[-1] if own else coroutine
    if type(last) is not CoroutineType:
        last = unwrap_awaitable(last) or last
    if type(last) is CoroutineType:
        code, frame = last.cr_code, last.cr_frame
    else:
        code, frame = code_of(last), frame_of(last)
    turn = what is not None and timed and waits_its_turn(what, inner)
    return own, code, -1 if frame is None else frame.f_lasti, what, until, turn


def only_lets_others_go(coroutine: Any) -> bool:
    """Return whether a suspended coroutine of the learner's own awaits nothing but a `sleep`."""
    if type(coroutine) is not CoroutineType:
        return False
    awaited = coroutine.cr_await
    return (
        type(awaited) is CoroutineType
        and awaited.cr_code is SLEEP
        and _own[coroutine.cr_code.co_filename]
    )


_PARTS = {"<listcomp>", "<setcomp>", "<dictcomp>"}  # of the call they stand in, on Python 3.11


def call_below(coroutine: Any) -> Any:
    """Return the first call that a suspended coroutine of a library hands on to, if any."""
    node, left = coroutine, 10
    while node is not None and left:
        left -= 1
        if type(node) is CoroutineType:
            node = node.cr_await
        elif type(node) is GeneratorType:
            node = node.gi_yieldfrom
        else:
            node = unwrap_awaitable(node)
        if type(node) in (CoroutineType, GeneratorType):
            return node
    return None


def is_business_of_a_library(code: CodeType, frame: FrameType | None) -> bool:
    """Return whether a task of `code` is made in `frame` for a library's own ends.

    So it is if a library is the nearest above asyncio. Those that only run what they are given, as
    asyncio's own functions do, are not asked; what the loop itself calls, and no call of the
    learner's own, is business, and so is a private function of asyncio's.
    """
    if code.co_filename.startswith(_ASYNCIO) and code.co_name != "_wrap_awaitable":
        if code.co_name.startswith("_") or ".<locals>" in code.co_qualname:
            return True
    while frame is not None and frame.f_code is not _CALLED_BY_THE_LOOP:
        filename = frame.f_code.co_filename
        if _own[filename]:
            return False
        if filename.startswith(_INSTALLED) and not filename.startswith(_RUN_WHAT_THEY_GET):
            return True
        frame = frame.f_back
    return frame is not None


_CALLED_BY_THE_LOOP = asyncio.Handle._run.__code__
_ASYNCIO = str(pathlib.Path(asyncio.__file__).parent)
_INSTALLED = tuple({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
_RUN_WHAT_THEY_GET = (
    str(_HELPERS),
    *(str(pathlib.Path(at, name)) for at in _INSTALLED for name in ("anyio", "tqdm")),
)


def call_name(code: CodeType) -> str:
    """Return the name by which people know a call: `load`, `Semaphore.acquire`, `as_completed`.

    Examples
    --------
    >>> async def load(): ...
    >>> call_name(load.__code__)
    'load'
    """
    name = code.co_qualname
    return name.rpartition("<locals>.")[2] if is_own(code) else library_name(name)


def arguments(frame: FrameType | None, most: int = 2) -> tuple[str, ...]:
    """Return the first arguments of a call that has not begun, short enough to name a lane.

    Strings, numbers and file names are shown, and things with a `name`; others are left out, and
    so are those that can only be given by name. Nothing of the learner's is run to find out.

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
    values = list(snapshot.values())[: count + (frame.f_code is _TO_THREAD)]
    # Until Python 3.12 the frame keeps it, and what is in it alive; others may have it already.
    if type(snapshot) is dict and sys.getrefcount(snapshot) <= 3:
        snapshot.clear()
    shown: list[str] = []
    if frame.f_code is _TO_THREAD:
        function, values = values[0], list(values[1])
        shown.append(_function_name(function))
        most += 1
    for value in values:
        try:
            text = _shown(value)
        except Exception:  # a number too long to be written, a class with odd descriptors
            continue
        if text is not None:
            shown.append(text)
            if len(shown) == most:
                break
    return tuple(shown)


_TO_THREAD = asyncio.to_thread.__code__


def _function_name(function: Any) -> str:
    while type(function) in (MethodType, functools.partial):
        function = function.__func__ if type(function) is MethodType else function.func
    named = type(function) in (FunctionType, BuiltinFunctionType)
    return function.__name__ if named else kind_name(function)


def kind_behind(code: CodeType, frame: FrameType | None) -> str:
    """Return the kind of what `asyncio.gather` has wrapped, as it was no coroutine; else nothing.

    Examples
    --------
    >>> class Batch:
    ...     def __await__(self):
    ...         yield
    >>> async def main():
    ...     wrapped = asyncio.ensure_future(Batch()).get_coro()
    ...     return kind_behind(code_of(wrapped), frame_of(wrapped))
    >>> asyncio.run(main())
    'Batch'
    """
    if code.co_name != "_wrap_awaitable" or is_own(code) or frame is None:
        return ""
    snapshot = frame.f_locals
    (kind, *_) = map(kind_name, snapshot.values())
    if type(snapshot) is dict and sys.getrefcount(snapshot) <= 3:
        snapshot.clear()
    return kind


def _shown(value: Any) -> str | None:
    if type(value) not in _PLAIN:
        value = _name(value)
        if type(value) is not str:
            return None
    if type(value) is str and len(value) > _LONG:
        value = value[: _LONG - 1] + "…"
    return repr(value)


_PATHS = (
    pathlib.PosixPath,
    pathlib.WindowsPath,
    pathlib.PurePosixPath,
    pathlib.PureWindowsPath,
)


def _name(value: Any) -> Any:
    """Return its `name`, where that is a plain attribute: properties are code of the learner's."""
    kind = type(value)
    if kind in _PATHS:
        return value.name
    name = _of_class(kind, "name")
    if type(name) in _SLOTS:
        return name.__get__(value, kind)
    if isinstance(name, enum.property):
        name = inspect.getattr_static(value, "_name_", None)
    elif name is None or not hasattr(type(name), "__set__"):  # the object's own comes first
        attributes = _of_class(kind, "__dict__")
        if type(attributes) is GetSetDescriptorType:
            own = attributes.__get__(value, kind)
            name = own.get("name", name) if type(own) in (dict, MappingProxyType) else name
    return name


def _of_class(kind: type, name: str) -> Any:
    for base in _mro_of(kind):  # as type itself knows them: a metaclass might run
        attributes = attributes_of(base)
        if name in attributes:
            return attributes[name]
    return None


_mro_of: Any = type.__dict__["__mro__"].__get__
attributes_of: Any = type.__dict__["__dict__"].__get__
"""What a class holds, as type itself knows it: nothing of the learner's runs."""
_SLOTS = (MemberDescriptorType, type(inspect.getattr_static(namedtuple("_One", "name"), "name")))
