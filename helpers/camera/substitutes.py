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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import BuiltinMethodType, FunctionType, MemberDescriptorType, ModuleType
from typing import Any

from .chain import is_own_file
from .cpython import replace_method
from .outside import REFUSING
from .watches import ON_THE_CLOCK

__all__ = ["stand_in", "substituted"]

_OF_DATES = ("now", "today", "utcnow")
_SMALL = 100  # a container with more in it holds data
_fakes: dict[int, tuple[Any, Any]] = {  # by the id of what they stand in for
    id(getattr(place, name)): (getattr(place, name), fake)
    for place, name, fake in (*ON_THE_CLOCK, *REFUSING)
    if isinstance(place, ModuleType)
}
_lock = threading.Lock()
_users = 0
_undo: list[Callable[[], object]] = []


@contextmanager
def substituted(main: Any) -> Iterator[None]:
    """Have `main` see no clock but the run's, and nothing of the world outside, while entered.

    Examples
    --------
    >>> before = time.sleep
    >>> with substituted(None):
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
        _replace_in_own_code(main)
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


def _replace_in_own_code(main: Any) -> None:
    spaces = list(_modules.own)
    while isinstance(main, functools.partial):
        main = main.func
    main = getattr(main, "__func__", main)
    if type(main) is FunctionType:
        _replace_in_function(main)
        if not any(names is main.__globals__ for names in spaces):
            spaces.append(main.__globals__)
    for names in spaces:
        for name, value in list(names.items()):
            kind = type(value)
            if _is_taken(value) or kind is functools.partial or kind is tuple:
                _replace_in(names, name)
            elif kind is FunctionType:
                if value.__globals__ is names:
                    _replace_in_function(value)
            elif issubclass(kind, type):
                if _module_of(value) == names.get("__name__"):
                    _replace_in_class(value)
            elif kind is list or kind is dict:
                if len(value) <= _SMALL:
                    for key in list(value) if kind is dict else range(len(value)):
                        _replace_in(value, key)
            elif _module_of(kind) == names.get("__name__"):
                _replace_in_object(value)


def _is_taken(value: Any) -> bool:
    """Whether it is a function that somebody has taken before."""
    return id(value) in _fakes or (type(value) is BuiltinMethodType and value.__name__ in _OF_DATES)


def _module_of(kind: type) -> Any:
    return type.__getattribute__(kind, "__dict__").get("__module__")


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
    if kind is tuple and len(value) <= _SMALL:
        fakes = list(map(stand_in, value))
        return value if all(map(operator.is_, value, fakes)) else tuple(fakes)
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


def _replace_in_function(function: FunctionType) -> None:
    defaults = function.__defaults__
    if defaults and any(stand_in(value) is not value for value in defaults):
        function.__defaults__ = tuple(map(stand_in, defaults))
        _undo.append(lambda: setattr(function, "__defaults__", defaults))
    for name in list(function.__kwdefaults__ or ()):
        _replace_in(function.__kwdefaults__, name)
    for cell in function.__closure__ or ():
        _replace_in_cell(cell)


def _replace_in_cell(cell: Any) -> None:
    try:
        real = cell.cell_contents
    except ValueError:  # it is empty yet
        return
    fake = stand_in(real)
    if fake is not real:
        cell.cell_contents = fake

        def undo() -> None:
            if cell.cell_contents is fake:
                cell.cell_contents = real

        _undo.append(undo)


def _replace_in_object(thing: Any) -> None:
    attributes = getattr(thing, "__dict__", None)
    for name in list(attributes) if type(attributes) is dict else ():
        _replace_in(attributes, name)
    for slot in vars(type(thing)).values():
        if type(slot) is MemberDescriptorType:
            try:
                real = slot.__get__(thing)
            except AttributeError:  # it is empty yet
                continue
            if (fake := stand_in(real)) is not real:
                slot.__set__(thing, fake)
                _undo.append(functools.partial(slot.__set__, thing, real))


def _replace_in_class(kind: type, depth: int = 3) -> None:
    for name, value in list(vars(kind).items()):
        real = value.__func__ if type(value) is staticmethod else value
        if _is_taken(real):
            type.__setattr__(kind, name, staticmethod(stand_in(real)))
            _undo.append(functools.partial(type.__setattr__, kind, name, value))
        elif issubclass(type(value), type):
            if depth and _module_of(value) == _module_of(kind):
                _replace_in_class(value, depth - 1)
        else:
            inside: tuple[Any, ...] = ()
            if type(value) is property:
                inside = (value.fget, value.fset)
            if type(value) in (classmethod, staticmethod):
                inside = (value.__func__,)
            for function in (*inside, value):
                if type(function) is FunctionType:
                    _replace_in_function(function)
