"""How an exercise is judged: the learner's function runs on the fast-forward clock.

A check says *ok*, or *not yet* with what was seen, why it is not right, and what to try. It never
shows a traceback of its own and never hangs.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable
from typing import Any

from ..camera.clock import Deadlock, Runaway, simulate
from ..camera.prints import collected
from ..camera.run import Run

__all__ = ["NotYet", "Verdict", "attempt", "expect", "expect_to_let_go", "judged", "named"]

_TURNS, _PATIENCE = 20_000, 5.0  # of the loop; real seconds
_CANCEL = 0.2  # seconds after which a function is cancelled, to see whether it lets go


class NotYet(Exception):
    """What was seen, why it is not right, what to try."""

    def __init__(self, saw: str, why: str = "", do: str = "") -> None:
        super().__init__("; ".join(part for part in (saw, why, do and f"try: {do}") if part))


class Verdict:
    """What a check hands back: true if the exercise is solved.

    Examples
    --------
    >>> Verdict(), Verdict("saw 3 in flight; the limit is 2")
    (ok, not yet: saw 3 in flight; the limit is 2)
    """

    def __init__(self, hint: str = "") -> None:
        self.hint = hint

    def __bool__(self) -> bool:
        return not self.hint

    def __repr__(self) -> str:
        return f"not yet: {self.hint}" if self.hint else "ok"


def judged(check: Callable[..., None]) -> Callable[..., Verdict]:
    """Make a check of a function that raises `NotYet` where the learner's is not right.

    Examples
    --------
    >>> @judged
    ... def check_nap(nap):
    ...     run = attempt(nap, 2)
    ...     expect(run.seconds == 2, f"nap(2) took {run.seconds} s", do="await asyncio.sleep(2)")
    >>> async def nap(seconds): ...
    >>> check_nap(nap)
    not yet: nap(2) took 0.0 s; try: await asyncio.sleep(2)
    """

    @functools.wraps(check)
    def verdict(*args: Any, **kwargs: Any) -> Verdict:
        try:
            with collected():
                check(*args, **kwargs)
        except NotYet as reason:
            return Verdict(str(reason))
        except Exception as error:  # what the learner's function gave back broke the check
            kind = type(error).__name__
            return Verdict(f"looking at the answer raised {kind}: {error}; is it what was asked?")
        return Verdict()

    return verdict


def expect(true: object, saw: str, why: str = "", do: str = "") -> None:
    """Raise `NotYet` unless ``true``."""
    if not true:
        raise NotYet(saw, why, do)


def named(function: Any) -> str:
    """The name of what was handed in, unless it is what a call gave back: that is told."""
    name = getattr(function, "__name__", repr(function))
    if inspect.iscoroutine(function):
        function.close()
    called = inspect.iscoroutine(function) or inspect.isasyncgen(function)
    do = f"{name}, without brackets"
    expect(not called, f"{name}(...) is a call", "the check wants the function", do)
    return name


def attempt(function: Callable[..., Any], /, *args: Any, fails: bool = False, **kwargs: Any) -> Run:
    """Run the learner's function, and explain what kept it from an answer.

    Parameters
    ----------
    function
        The learner's.
    fails
        Whether it may raise: then a failed `Run` is handed back like any other.

    Raises
    ------
    NotYet
        If it is no coroutine function, never ends, deadlocks, raises, or leaves tasks behind.
    """
    name = named(function)
    if not inspect.iscoroutinefunction(function):
        do = f"async def {name}(...)" if inspect.isfunction(function) else "async def ..."
        raise NotYet(f"{name} is no coroutine function", do=do)
    try:
        run = simulate(function, *args, max_turns=_TURNS, patience=_PATIENCE, **kwargs)
    except TypeError as error:
        raise NotYet(f"{name} could not be called: {error}") from None
    except SystemExit as error:
        raise NotYet(f"{name} raised SystemExit: {error}") from None
    if isinstance(run.error, Runaway):
        raise NotYet(f"{name} never ended", "its loop has no way out", "a return or a break")
    if isinstance(run.error, Deadlock):
        raise NotYet(f"{name} deadlocked: {run.error}", do="see who should wake whom")
    if run.error is not None and not fails:
        raise NotYet(f"{name} raised {type(run.error).__name__}: {run.error}")
    if run.pending:
        left = ", ".join(run.pending[:3])
        raise NotYet(
            f"{left} still ran when {name} had ended", do="await or cancel every task you start"
        )
    return run


def expect_to_let_go(function: Callable[..., Any], /, *args: Any) -> None:
    """Cancel the function after 0.2 s: it must end at once, and so must all that it started.

    Raises
    ------
    NotYet
        If it goes on, swallows the cancellation, or leaves a task that nobody has cancelled.
    """
    left: list[asyncio.Task[Any]] = []

    async def cancelled(*given: Any) -> Any:
        before = asyncio.all_tasks()
        try:
            async with asyncio.timeout(_CANCEL):
                return await function(*given)
        finally:
            left.extend(task for task in asyncio.all_tasks() - before if not task.cancelling())
            for task in left:
                task.cancel()

    cancelled.__name__ = name = f"{function.__name__}, cancelled after {_CANCEL} s,"
    run = attempt(cancelled, *args, fails=True)
    mend = "cancel your tasks when you are cancelled yourself; gather and TaskGroup do"
    expect(not left, f"{name} left {len(left)} of its tasks running", "they work for nobody", mend)
    late = run.seconds > _CANCEL + 1e-6
    saw = f"{name} went on until {run.seconds:g} s"
    if not late:
        did = f"raised {type(run.error).__name__}" if run.error else f"handed back {run.result!r}"
        saw = f"{name} {did} instead of stopping"
    why = "it swallows the CancelledError"
    do = "except Exception, not BaseException, and no return in a finally"
    expect(isinstance(run.error, TimeoutError) and not late, saw, why, do)
