"""What a check says: *ok*, or *not yet* with what was seen, why it is not right, what to try."""

from __future__ import annotations

import asyncio
import functools
import gc
import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from ..camera.prints import collected
from .words import error_text, in_words, is_same, shown

__all__ = ["NotYet", "Verdict", "check", "expect", "expect_results", "expect_time", "raised"]


class NotYet(Exception):
    """What was seen, why it is not right, what to try."""

    def __init__(self, seen: str, because: str = "", hint: str = "") -> None:
        self.seen, self.because, self.hint = map(in_words, (seen, because, hint))
        parts = self.seen, self.because, self.hint and f"try: {self.hint}"
        super().__init__("; ".join(filter(None, parts)))


class Verdict:
    """What a check returns: true if the exercise is solved.

    Examples
    --------
    >>> Verdict(), Verdict("saw 3 in flight; the limit is 2")
    (✔ ok, ✘ not yet: saw 3 in flight; the limit is 2)
    """

    def __init__(self, hint: str = "") -> None:
        self.hint = hint

    def __bool__(self) -> bool:
        return not self.hint

    def __repr__(self) -> str:
        return f"✘ not yet: {self.hint}" if self.hint else "✔ ok"


def check(judge: Callable[..., None]) -> Callable[..., Verdict]:
    """Make a check of a function that raises `NotYet` where the learner's is not right.

    Examples
    --------
    >>> @check
    ... def check_three(answer):
    ...     expect(answer == 3, f"saw {answer}", "there are 3 files", "count them")
    >>> check_three(2)
    ✘ not yet: saw 2; there are 3 files; try: count them
    """

    @functools.wraps(judge)
    def verdict(*args: Any, **kwargs: Any) -> Verdict:
        hint = ""
        with collected(), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            try:
                judge(*args, **kwargs)
            except NotYet as reason:
                hint = str(reason)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # what the learner's function returned broke the check
                hint = f"looking at the answer raised {error_text(error)}; is it what was asked?"
            if hint:
                gc.collect(1)  # of coroutines that nobody awaited the hint tells, no warning
        return Verdict(hint)

    return verdict


def expect(condition: object, seen: str, because: str = "", hint: str = "") -> None:
    """Raise `NotYet` unless the condition holds."""
    if not condition:
        raise NotYet(seen, because, hint)


def expect_time(seconds: float, wanted: float, told: str, hint: str = "") -> None:
    """Expect a time to the microsecond."""
    seen = f"{told} {seconds:.6g} s"
    expect(abs(seconds - wanted) < 1e-6, seen, f"wanted {wanted:.6g} s", hint)


def expect_results(got: Any, wanted: Sequence[Any], told: str = "", hint: str = "") -> None:
    """Expect a list (or a tuple) of the wanted; say where it first differs, and guess why."""
    from_none = "return the list of results"
    is_list = isinstance(got, list | tuple)
    seen = f"{told}saw {shown(got)}, not a list of {len(wanted)} results"
    expect(is_list, seen, hint=from_none if got is None else hint)
    seen = f"{told}saw {len(got)} results for {len(wanted)} items"
    expect(len(got) == len(wanted), seen, f"wanted {shown(list(wanted))}", hint)
    for number, (one, right) in enumerate(zip(got, wanted, strict=True), 1):
        if isinstance(one, NotYet):  # a job said it, and it was kept as a result
            raise one
        if not is_same(one, right):
            seen = f"{told}result {number} is {shown(one)}"
            raise NotYet(seen, *_mistaken(one, right, wanted, hint))


def _mistaken(one: Any, right: Any, wanted: Sequence[Any], hint: str) -> tuple[str, str]:
    """Why a result is not the right one, and what to try."""
    where = f"wanted {shown(right)}"
    if isinstance(one, Exception) and (reason := raised("", one)).because:
        return reason.because, reason.hint
    if shown(one) == "a task":
        return where, "task.result(), when it is done"
    if shown(one) == "a coroutine":
        return where, "await it"
    if any(is_same(one, other) for other in wanted):
        return f"{where}: results stand in the order of what was given", hint
    if isinstance(right, BaseException):
        return where, "keep the error itself"
    forgotten = "; a coroutine without a return gives None" * (one is None)
    return where + forgotten, hint


# What an error says (a pattern), why it came, and what to try.
_HINTS = (
    (
        "CancelledError",
        "awaiting a cancelled task raises it, and so does its result()",
        "await asyncio.gather(*pending, return_exceptions=True)",
    ),
    (
        "Set of Tasks/Futures is empty",
        "there is no file, or nobody is pending, and asyncio.wait refuses an empty set",
        "await asyncio.gather(*tasks, return_exceptions=True)",
    ),
    (
        "Passing coroutines is forbidden",
        "asyncio.wait takes only tasks",
        "make a task of each file: asyncio.create_task",
    ),
    (
        "unhashable type: 'list'",
        "a list is no key, and asyncio.gather takes no list",
        "a star, if it is gather: asyncio.gather(*coroutines)",
    ),
    (
        "Task got bad yield|An asyncio.Future, a coroutine or an awaitable is required",
        "something else stands where a coroutine should",
        "asyncio.gather(*coroutines), with a star; call an async def to get a coroutine",
    ),
    (
        "different (event )?loop",
        "each run has a loop of its own",
        "make the semaphore or lock inside the function",
    ),
    (
        "cannot be called from a running event loop",
        "the check has a loop already",
        "async def, and await",
    ),
    (
        "not support the asynchronous context manager",
        "it is for a plain `with`",
        "with, and not async with",
    ),
    (
        "context manager",
        "it is for `async with`",
        "async with, and not with",
    ),
    (
        "can't be (used in 'await'|awaited)",
        "what stands behind an await is no coroutine",
        "a plain function is called without await",
    ),
)


def raised(told: str, error: BaseException) -> NotYet:
    """Make the sentence for an error that should not have come out."""
    text = error_text(error)
    seen, inner = f"{told} {text}", error
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    kinds = TypeError, RuntimeError, ValueError, asyncio.CancelledError
    hints = (hint for said, *hint in _HINTS if re.search(said, text) and isinstance(inner, kinds))
    if isinstance(error, BaseExceptionGroup):
        because = "in a TaskGroup one failure ends all, and all errors come out in one group"
        return NotYet(seen, *next(hints, (because, "catch the error right where you await it")))
    return NotYet(seen, *next(hints, ()))
