"""Puts the run's clocks, and refusals of the outside, in place while a program is simulated.

Whoever has taken a function of `time` before (``from time import sleep``) has it replaced as well:
modules of libraries, and of the learner's own modules also default arguments, closures, classes,
objects and small containers. At the end all is as before.
"""

from __future__ import annotations

import datetime
import functools
import operator
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import BuiltinMethodType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any

from .chain import attributes_of, is_own_file
from .cpython import replace_method
from .outside import REFUSING
from .watches import ON_THE_CLOCK

__all__ = ["stand_in", "substituted"]

_OF_DATES = ("now", "today", "utcnow")
_SMALL = 100  # a container with more in it holds data
_DEEP, _MOST = 6, 20_000  # how deep inside each other, and at how many things, to look
_PLAIN = {int, float, str, bytes, bool, complex, type(None), ModuleType}  # hold nothing
_fakes: dict[int, tuple[Any, Any]] = {  # by the id of what they stand in for
    id(getattr(place, name)): (getattr(place, name), fake)
    for place, name, fake in (*ON_THE_CLOCK, *REFUSING)
    if isinstance(place, ModuleType)
}
_lock = threading.Lock()
_users = 0
_undo: list[Callable[[], object]] = []


@contextmanager
def substituted(call: Sequence[Any]) -> Iterator[None]:
    """Have a call see no clock but the run's, and nothing of the world outside, while entered.

    It is a function, and whatever it is called with.

    Examples
    --------
    >>> before = time.sleep
    >>> with substituted([None]):
    ...     time.sleep is before
    False
    >>> time.sleep is before
    True
    """
    global _users
    with _lock:
        _users += 1
        if _users == 1:
            for place, name, fake in (*REFUSING, *ON_THE_CLOCK):
                _replace(place, name, fake)
            _modules.look()
            for module, name in _modules.holders:
                _replace_in(vars(module), name)
        _replace_in_own_code(call)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                while _undo:
                    _undo.pop()()


def _replace(place: Any, name: str, fake: Any) -> None:
    """Replace a name of a module or a class."""
    if isinstance(place, type):
        if name in vars(place):
            real = replace_method(place, name, fake)
            _undo.append(lambda: replace_method(place, name, real))
        else:
            setattr(place, name, fake)
            _undo.append(lambda: delattr(place, name))
        return
    real = getattr(place, name)
    setattr(place, name, fake)

    def undo() -> None:
        # A program may have left a clock of its own; the others somebody else may use meanwhile.
        if place is time or getattr(place, name) is fake:
            setattr(place, name, real)

    _undo.append(undo)


class _Modules:
    """Which modules there are: looked at once, and again when there are more of them."""

    def __init__(self) -> None:
        self.count = 0
        self.seen: set[str] = set()
        self.own: list[dict[str, Any]] = []
        self.holders: list[tuple[ModuleType, str]] = []  # names in modules of libraries

    def look(self) -> None:
        if self.count == len(sys.modules):
            return
        self.count = len(sys.modules)
        for name in sys.modules.keys() - self.seen:
            self.seen.add(name)
            module = sys.modules.get(name)
            if type(module) is not ModuleType or module is time:
                continue
            file = vars(module).get("__file__")
            if name == "__main__" or (isinstance(file, str) and is_own_file(file)):
                self.own.append(vars(module))
            elif name == "timeit" or (isinstance(file, str) and "-packages" in file):
                found = [n for n, value in list(vars(module).items()) if _is_taken(value)]
                self.holders += [(module, name) for name in found]


_modules = _Modules()


def _replace_in_own_code(call: Any) -> None:
    function, *_ = call
    while isinstance(function, functools.partial):
        function = function.func
    function = getattr(function, "__func__", function)
    spaces = list(_modules.own)
    if type(function) is FunctionType:  # first its own module
        spaces = [function.__globals__, *(s for s in spaces if s is not function.__globals__)]
    search = _Search(names.get("__name__") for names in spaces)
    search.visit(call)
    for names in spaces:
        search.replace_items(names)


def _is_taken(value: Any) -> bool:
    """Whether it is a function that somebody has taken before."""
    return id(value) in _fakes or (type(value) is BuiltinMethodType and value.__name__ in _OF_DATES)


def _module_of(kind: type) -> Any:
    return attributes_of(kind).get("__module__")


def stand_in(value: Any) -> Any:
    """Return what stands in for a clock or what is refused, also inside; for all else itself."""
    kind = type(value)
    if kind is functools.partial:
        parts = [value.func, *value.args, *value.keywords.values()]
        fakes = list(map(stand_in, parts))
        if all(map(operator.is_, parts, fakes)):
            return value
        function, *args = fakes
        positional = len(value.args)
        named = zip(value.keywords, args[positional:], strict=True)
        return functools.partial(function, *args[:positional], **dict(named))
    if (kind is tuple or _is_named_tuple(kind)) and len(value) <= _SMALL:
        fakes = list(map(stand_in, value))
        same = all(map(operator.is_, value, fakes))
        return value if same else tuple.__new__(kind, fakes)
    if kind is BuiltinMethodType and value.__name__ in _OF_DATES:
        known = isinstance(value.__self__, type) and issubclass(value.__self__, datetime.date)
        return getattr(value.__self__, value.__name__) if known else value  # that of now
    return _fakes.get(id(value), (value, value))[1]


def _replace_in(names: Any, key: Any) -> None:
    """Replace what stands there, and put it back later unless somebody has replaced it since."""
    real = names[key]
    fake = stand_in(real)
    if fake is real:
        return
    names[key] = fake

    def undo() -> None:
        try:
            if names[key] is fake:
                names[key] = real
        except LookupError:  # it has been deleted
            pass

    _undo.append(undo)


def _replace_in_cell(cell: Any) -> Any:
    """Replace what a closure holds; return that."""
    try:
        real = cell.cell_contents
    except ValueError:  # it is empty yet
        return None
    fake = stand_in(real)
    if fake is not real:
        cell.cell_contents = fake

        def undo() -> None:
            if cell.cell_contents is fake:
                cell.cell_contents = real

        _undo.append(undo)
    return real


class _Search:
    """Looks for clocks in the learner's own functions, classes, objects and small containers.

    It calls nothing of theirs, and looks at so much, and so deep, at the most.
    """

    def __init__(self, own: Iterable[Any]) -> None:
        self.own = set(own)
        self.seen: set[int] = set()
        self.depth = 0

    def visit(self, value: Any) -> None:
        """Replace whatever is a clock inside of `value`."""
        kind = type(value)
        if kind in _PLAIN or self.depth == _DEEP or len(self.seen) == _MOST:
            return
        if id(value) in self.seen:
            return
        self.seen.add(id(value))
        self.depth += 1
        if kind is FunctionType:
            if value.__module__ in self.own:
                self._function(value)
        elif kind in (list, dict, deque):
            if len(value) <= _SMALL:
                self.replace_items(value)
        elif kind is tuple or _is_named_tuple(kind):
            for each in value[:_SMALL]:
                self.visit(each)
        elif kind is functools.partial:
            for each in (value.func, *value.args, *value.keywords.values()):
                self.visit(each)
        elif kind in (MethodType, BuiltinMethodType):
            self.visit(value.__self__)
        elif kind is functools._lru_cache_wrapper:
            self.visit(value.__wrapped__)
        elif issubclass(kind, type):
            if _module_of(value) in self.own:
                self._class(value)
        elif _module_of(kind) in self.own:
            self._object(value)
        self.depth -= 1

    def replace_items(self, container: Any) -> None:
        """Replace the clocks in a list or a dict, and look into the rest of it."""
        for key in list(container) if isinstance(container, dict) else range(len(container)):
            value = container[key]
            if type(value) not in _PLAIN:
                _replace_in(container, key)
                self.visit(value)

    def _function(self, function: FunctionType) -> None:
        defaults = function.__defaults__
        if defaults and any(stand_in(value) is not value for value in defaults):
            function.__defaults__ = tuple(map(stand_in, defaults))
            _undo.append(lambda: setattr(function, "__defaults__", defaults))
        for name in list(function.__kwdefaults__ or ()):
            _replace_in(function.__kwdefaults__, name)
        for cell in function.__closure__ or ():
            self.visit(_replace_in_cell(cell))
        for value in function.__dict__.values():  # as functools.wraps leaves there
            self.visit(value)

    def _object(self, thing: Any) -> None:
        with suppress(AttributeError):  # it has slots
            self.replace_items(object.__getattribute__(thing, "__dict__"))
        for slot in attributes_of(type(thing)).values():
            if type(slot) is MemberDescriptorType:
                try:
                    real = slot.__get__(thing)
                except AttributeError:  # it is empty yet
                    continue
                if (fake := stand_in(real)) is not real:
                    slot.__set__(thing, fake)
                    _undo.append(functools.partial(slot.__set__, thing, real))
                self.visit(real)

    def _class(self, kind: type) -> None:
        for name, value in list(attributes_of(kind).items()):
            real = value.__func__ if type(value) is staticmethod else value
            if (fake := stand_in(real)) is not real:
                fake = staticmethod(fake) if _is_taken(real) else fake
                type.__setattr__(kind, name, fake)
                _undo.append(functools.partial(type.__setattr__, kind, name, value))
            elif type(value) is property:
                self.visit(value.fget)
                self.visit(value.fset)
            elif type(value) in (classmethod, staticmethod):
                self.visit(value.__func__)
            else:
                self.visit(value)


def _is_named_tuple(kind: type) -> bool:
    return issubclass(kind, tuple) and "_make" in attributes_of(kind)
