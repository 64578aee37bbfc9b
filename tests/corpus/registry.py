"""What is said of a program of the corpus, beside its code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeAlias

Main: TypeAlias = Callable[[], Coroutine[Any, Any, Any]]
PROGRAMS: list[Program] = []


@dataclass(frozen=True)
class Program:
    """A program, and how it is meant to end on the fast-forward clock."""

    main: Main
    refused: str = ""
    """A pattern of what it uses that takes real time, where it does."""
    deadlock: tuple[str, ...] = ()
    """What is said of who waits for what, where nothing can go on; it is not run in real time."""
    took: tuple[str, ...] = ()
    """What it says that it took, exactly, on the fast-forward clock."""
    told: bool = False
    """Whether the fast-forward clock may also refuse it, with a sentence."""
    since: tuple[int, int] = (3, 11)
    """The first Python that has what it uses."""

    @property
    def name(self) -> str:
        return f"{self.main.__module__.rpartition('.')[2]}.{self.main.__name__}"

    @property
    def runs_here(self) -> bool:
        return sys.version_info >= self.since


def program(main: Main | None = None, /, **said: Any) -> Any:
    """Put a coroutine function into the corpus, as `@program` or `@program(refused=...)`."""
    if main is None:
        return lambda main: program(main, **said)
    PROGRAMS.append(Program(main, **said))
    return main
