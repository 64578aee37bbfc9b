"""What people call a library's calls, and whether one waits for its turn or for the world.

Nothing here knows a library: what is public in one is what Python itself takes for it.
"""

from __future__ import annotations

import asyncio
import inspect
import re
import sys
from collections.abc import Mapping
from functools import cache
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from .cpython import frame_of

__all__ = [
    "ELSEWHERE",
    "PRIVATE",
    "PUBLIC",
    "SLEEP",
    "TWIN",
    "Known",
    "known_as",
    "library_name",
    "waits_its_turn",
]

SLEEP = asyncio.sleep.__code__
_FUTURE = asyncio.futures._PyFuture.__await__.__code__  # type: ignore[attr-defined]

# Of a library's calls in a chain people know best the first one that is public, and of the package
# that was called; then one that has a public twin, as `Pool._acquire` has; then `async with` or
# `async for` of a public class; then one that only looks public; then what is public elsewhere.
PUBLIC, TWIN, _PROTOCOL, _PLAIN, ELSEWHERE, PRIVATE = range(6)


class Known(NamedTuple):
    """A library's call, as people know it."""

    code: CodeType
    """Itself: as long as it is kept here, no other one has its id."""
    called: CodeType
    """The call that people know it by: itself or its twin."""
    rank: int
    """How well people know it, the best first."""
    package: str
    wraps: bool
    """Whether it is an inner function: by itself in a task, it only runs what it was given."""
    tells: bool
    """Whether its name tells what is waited for, as that of an Event does not."""


_known: dict[int, Known] = {}


def known_as(code: CodeType, call: Any) -> Known:
    """Return what people know of a library's call (a coroutine or generator), which has this code.

    Examples
    --------
    >>> async def main():
    ...     waiting = asyncio.Semaphore(0).acquire()
    ...     known = known_as(waiting.cr_code, waiting)
    ...     waiting.close()
    ...     return known.called.co_qualname, known.package, known.rank == PUBLIC
    >>> asyncio.run(main())
    ('Semaphore.acquire', 'asyncio', True)
    """
    known = _known.get(id(code))
    if known is None:
        frame = frame_of(call)
        known = _known[id(code)] = _look_up(code, {} if frame is None else frame.f_globals)
    return known


def _look_up(code: CodeType, names: Mapping[str, Any]) -> Known:
    module = str(names.get("__name__", ""))
    qualname, called, rank = code.co_qualname, code, PRIVATE
    name = library_name(qualname)
    above, _, last = name.rpartition(".")
    if code is _FUTURE or module == "contextlib":  # which only hand on
        pass
    elif last.startswith("_"):
        public = f"{above}.{last.lstrip('_')}".lstrip(".")
        twin = _find(public, names)
        if twin is not None and _is_public(public, module, names):
            called, rank = twin, TWIN
    elif ".__" not in qualname.partition(".<locals>")[0]:
        if _is_public(name, module, names):
            rank = PUBLIC
        elif not name.startswith("_"):
            rank = _PLAIN
    elif qualname.endswith("__") and _is_public(name, module, names):
        rank = _PROTOCOL
    inner, tells = ".<locals>" in qualname, code is not _FUTURE and not _NOTHING.search(qualname)
    return Known(code, called, rank, module.partition(".")[0], inner, tells)


def _is_public(name: str, module: str, names: Mapping[str, Any]) -> bool:
    """Whether a name in a module is public: as its `__all__` says, or a package that exports it."""
    first = name.partition(".")[0]
    offered: Any = names.get("__all__")
    if type(offered) in (list, tuple):
        return first in offered
    above = module.split(".")[:-1]
    packages = [".".join(above[:count]) for count in range(1, len(above) + 1)]
    exported = any(first in vars(sys.modules.get(package, object)) for package in packages)
    return exported or not (above or first.startswith("_"))


def _find(name: str, names: Mapping[str, Any]) -> CodeType | None:
    """Return the code of a function of a module, or of a method of one of its classes."""
    first, *rest = name.split(".")
    found = names.get(first)
    for part in rest:
        a_class = issubclass(type(found), type)  # without asking it, which may be a proxy
        found = inspect.getattr_static(found, part, None) if a_class else None
    return found.__code__ if type(found) is FunctionType else None


@cache
def library_name(qualname: str) -> str:
    """Return the name by which people know a library's function, inner ones by that around them.

    >>> library_name("TaskGroup.__aexit__"), library_name("as_completed.<locals>._wait_for_one")
    ('TaskGroup', 'as_completed')
    """
    name = qualname.partition(".<locals>")[0].partition(".__")[0]
    return "as_completed" if name.startswith("_AsCompletedIterator") else name


# A library that waits at one of these waits for its turn; as its own Event may tell of anything,
# an Event or a Condition must be what the learner's own call waits for, as must other tasks.
_QUEUES = tuple(getattr(asyncio, name).__file__ for name in ("locks", "queues", "taskgroups"))
_TURNS = (*_QUEUES, asyncio.tasks.__file__)
_ITS_NAME = re.compile(r"\b(Event|Condition)\.|Semaphore|Lock|Limiter|Barrier|TaskGroup")
_ITS_INNER_NAME = re.compile(
    r"Semaphore|Lock|Limiter|Waiting|acquire|(get|wait_for|available)_?conn"
)
_NOTHING = re.compile(r"(Event|Condition)\.wait|^wait_for$")


def waits_its_turn(what: CodeType, inner: CodeType | None) -> bool:
    """Tell whether a library call waits for its turn; `inner` is the innermost one that tells."""
    pair = id(what), id(inner)
    turn = _turns.get(pair)
    if turn is None:
        turn = _turns[pair] = _is_turn(what, inner)
    return turn


_turns: dict[tuple[int, int], bool] = {}  # by their ids: libraries live on, and hashing takes time


def _is_turn(what: CodeType, inner: CodeType | None) -> bool:
    if inner is not SLEEP:
        if what.co_filename in _TURNS:
            return True
        if inner is not None:
            if inner.co_filename in _QUEUES or _ITS_INNER_NAME.search(inner.co_qualname):
                return True
    return bool(_ITS_NAME.search(library_name(what.co_qualname)))
