"""How an answer is run: on the fast-forward clock, with copies, and never for ever."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from ..camera.clock import simulate
from ..camera.fastforward import Deadlock, Runaway
from ..camera.outside import RealIO
from ..camera.run import Run
from .verdict import NotYet, expect, raised
from .words import error_text, name_of, shown

__all__ = [
    "Answer",
    "expect_callable",
    "expect_nothing_left",
    "expect_to_let_go",
    "expect_to_stop",
    "film",
    "run_answer",
    "run_plain",
    "start_answer",
    "started_tasks",
]

_TURNS, _PATIENCE = 10_000, 5.0  # of the loop; real seconds
_CANCEL = 0.2  # seconds after which a function is cancelled, to see whether it lets go


@dataclass
class Answer:
    """What came of the learner's function."""

    name: str
    result: Any = None
    error: BaseException | None = None
    seconds: float = 0.0
    held: float = 0.0
    """Seconds for which it held the loop."""
    left: Sequence[asyncio.Task[Any]] = ()
    """Tasks that it left running."""
    run: Run | None = None


def run_answer(function: Any, /, *args: Any, fails: bool = False) -> Answer:
    """Run the learner's coroutine function, and explain what kept it from an answer.

    Each list and dict among the arguments is handed over as a copy.

    Parameters
    ----------
    function
        The learner's: whatever gives something to await.
    fails
        Whether it may raise: then an `Answer` with the error is returned, and what it left
        running is still to be judged.

    Raises
    ------
    NotYet
        If it cannot be called or awaited, never ends, deadlocks, raises, or leaves tasks behind.

    Examples
    --------
    >>> async def nap(seconds):
    ...     await asyncio.sleep(seconds)
    >>> run_answer(nap, 2).seconds
    2.0
    """
    name = expect_callable(function, args)
    answer = film(name, lambda: start_answer(function, name, args))
    if answer.error is None:
        expect_nothing_left(answer)
    elif not fails:
        raise raised(f"{name} raised", answer.error)
    return answer


def expect_nothing_left(answer: Answer) -> None:
    """Expect that no task was left running."""
    expect(not answer.left, _left(answer), hint="await or cancel every task you start")


def run_plain(function: Any, /, *args: Any, **kwargs: Any) -> Answer:
    """Run the learner's plain function; it may raise."""
    name = expect_callable(function, args, kwargs)

    async def call() -> Any:
        result = function(*_copied(args), **kwargs)
        hint = "def, and return: no async, no yield"
        seen = f"{name} gave {shown(result)}, where a result was asked"
        if inspect.iscoroutine(result):
            result.close()
        lazy = inspect.isawaitable(result) or inspect.isasyncgen(result)
        lazy = lazy or inspect.isgenerator(result)
        expect(not lazy, seen, "nobody awaits it, nor goes through it", hint)
        return result

    return film(name, call)


def expect_to_let_go(
    function: Any, /, *args: Any, cut: Sequence[Any] = (), grace: float = 0.0
) -> None:
    """Cancel the function after 0.2 s: it must end then, and so must all that it started.

    Parameters
    ----------
    function
        The learner's.
    cut
        Tasks whose job was cancelled, noted while it runs.
    grace
        Seconds for which it may hold the loop meanwhile.
    """
    name = expect_callable(function, args)
    expect_to_stop(name, lambda: start_answer(function, name, args), cut, grace)


def expect_to_stop(
    name: str,
    start: Callable[[], Awaitable[Any]],
    cut: Sequence[Any] = (),
    grace: float = 0.0,
) -> None:
    """Do what `expect_to_let_go` does, for what ``start`` begins."""
    name = f"{name}, cancelled after {_CANCEL} s,"
    answer = film(name, start, cancel=True)
    in_time = answer.seconds <= _CANCEL + grace + 1e-6
    hint = "cancel your tasks when you are cancelled yourself; gather and TaskGroup do"
    expect(not answer.left, _left(answer), "they work for nobody", hint)
    seen = f"{name} went on until {answer.seconds:g} s"
    if in_time:
        did = f"returned {shown(answer.result)}"
        did = did if answer.error is None else f"raised {error_text(answer.error)}"
        seen = f"{name} {did} instead of stopping"
    because = "it swallows the CancelledError"
    hint = "except Exception, not BaseException, and no return in a finally"
    stopped = isinstance(answer.error, asyncio.CancelledError)
    expect(stopped and in_time, seen, because, hint)
    seen = f"{name} stopped, but a task of it took the CancelledError for a result"
    expect(not any(map(_took_it_for_a_result, cut)), seen, because, hint)


def _took_it_for_a_result(task: asyncio.Task[Any]) -> bool:
    """Whether a cancelled task ended with the error as its result; to end quietly is right."""
    ended = task.done() and not task.cancelled() and task.exception() is None
    return ended and isinstance(task.result(), BaseException)


_others = contextvars.ContextVar[Set[asyncio.Task[Any]]]("others", default=frozenset())


def started_tasks() -> set[asyncio.Task[Any]]:
    """Return the tasks alive that the learner's function has started."""
    return asyncio.all_tasks() - _others.get()


def film(
    name: str,
    start: Callable[[], Awaitable[Any]],
    *,
    cancel: bool = False,
) -> Answer:
    """Run what ``start`` gives, in a task of its own, and see what came of it.

    Parameters
    ----------
    name
        Of the learner's function, for the hints.
    start
        Called on the loop.
    cancel
        Whether to cancel it after 0.2 s.
    """
    answer = Answer(name)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: None)  # the verdict says it
        own = asyncio.all_tasks()
        _others.set(own)
        began = loop.time()
        task = asyncio.ensure_future(start())
        own.add(task)
        await asyncio.wait([task], timeout=_CANCEL if cancel else None)
        if task.cancel():
            await asyncio.wait([task])
        answer.seconds = round(loop.time() - began, 9)
        try:
            answer.result = task.result()
        except BaseException as error:
            answer.error = error
        left = {task for task in started_tasks() if not task.cancelling()}
        for _ in range(10):  # turns for those that are cancelled, to end
            await asyncio.sleep(0)
        answer.left = [*left, *(started_tasks() - left)]
        for task in answer.left:
            task.cancel()

    try:
        run = simulate(main, max_turns=_TURNS, patience=_PATIENCE)
    except BaseException as error:
        if not _came_out_of_asyncio(error):
            raise
        answer.error = error
        return answer
    if isinstance(run.error, KeyboardInterrupt | SystemExit):
        answer.error = run.error
        return answer
    if run.error is not None:
        raise _unfinished(name, run.error)
    inner = answer.error
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    if isinstance(inner, NotYet | RealIO):
        raise _unfinished(name, inner)
    answer.held, answer.run = run.held, run
    return answer


def _unfinished(name: str, error: BaseException) -> NotYet:
    """What is told of an answer whose run did not come to its end."""
    if isinstance(error, NotYet):
        return error
    if isinstance(error, Deadlock):
        gate = any(f"{kind}.acquire" in str(error) for kind in ("Lock", "Semaphore"))
        hint = "`async with`, which gives back on every way out" if gate else ""
        who = "\n".join(line for line in str(error).splitlines() if not line.startswith("  film("))
        return NotYet(f"{name} deadlocked: {who}", hint=hint or "see who should wake whom")
    if isinstance(error, RealIO):
        because = "the check runs on the fast-forward clock"
        return NotYet(f"{name}: {str(error).partition(';')[0]}", because, "coroutines, no thread")
    if isinstance(error, Runaway):
        if "no time" in str(error):
            because = "something goes round without pause, so the fast-forward clock cannot go on"
            hint = "await something that takes time, or that wakes you, as a lock does"
            return NotYet(f"{name} never ended", because, hint)
        because = "a loop has no way out, or a call does not come back"
        return NotYet(f"{name} never ended", because, "a return or a break; await, where it waits")
    return raised(f"{name} raised", error)


def _came_out_of_asyncio(error: BaseException) -> bool:
    """Whether an error came from the program, and is no ■ that was pressed meanwhile."""
    at = error.__traceback__
    while at is not None:
        if at.tb_frame.f_globals.get("__name__", "").startswith("asyncio."):
            return True
        at = at.tb_next
    return False


def _left(answer: Answer) -> str:
    names = [name_of(task.get_coro()) for task in answer.left[:3]]
    more = ", …" * (len(answer.left) > 3)
    return f"{answer.name} left {len(answer.left)} of its tasks running: {', '.join(names)}{more}"


def _copied(args: Sequence[Any]) -> list[Any]:
    return [arg.copy() if isinstance(arg, list | dict) else arg for arg in args]


def expect_callable(function: Any, args: Sequence[Any], names: Mapping[str, Any] = {}) -> str:
    """Expect something that can be called with these arguments, and return its name."""
    name, is_call = name_of(function), "the check wants the function"
    if inspect.iscoroutine(function):
        function.close()
    call = inspect.iscoroutine(function) or inspect.isasyncgen(function)
    call = call or inspect.isgenerator(function)
    expect(not call, f"{name}(...) is a call", is_call, f"{name}, without brackets")
    hint = "hand in the function that you wrote, by its name"
    expect(callable(function), f"{name} is not a function", hint=hint)
    try:
        signature = inspect.signature(function)
    except Exception:  # it has none
        return name
    try:
        signature.bind(*args, **names)
    except TypeError as error:
        written = f"{name}{signature}" if inspect.isroutine(function) else name
        hint = "take the arguments that the exercise names"
        raise NotYet(f"{written} could not be called: {error_text(error)}", hint=hint) from None
    return name


def start_answer(function: Any, name: str, args: Sequence[Any]) -> Awaitable[Any]:
    """Call the learner's function, and expect something to await."""
    result = function(*_copied(args))
    if inspect.isawaitable(result):
        return result
    seen = f"{name} is no coroutine function: called, it gave {shown(result)}"
    if inspect.isasyncgen(result) or inspect.isgenerator(result):
        raise NotYet(seen, "a function with a yield makes a generator", "async def, and return")
    is_def = inspect.isfunction(function) and name.isidentifier()
    raise NotYet(seen, hint=f"async def {name}(...)" if is_def else "")
