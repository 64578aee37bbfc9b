"""Answers: whatever a learner's function does, it is run to an end and explained."""

import _thread
import asyncio
import doctest
import functools
import queue
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import helpers.checks.answers
from helpers.checks.answers import expect_to_let_go, run_answer, run_plain
from helpers.checks.verdict import NotYet, check


async def good(files: int) -> int:
    await asyncio.sleep(1)
    return files


# --- What may be handed in -------------------------------------------------------------------


class Loader:
    """A callable object."""

    async def __call__(self, files: int) -> int:
        return await good(files)


def by_a_decorator(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any) -> Any:
        return function(*args)

    return wrapper


def gathers(files: int) -> Any:
    return asyncio.gather(good(files))


@pytest.mark.parametrize(
    "function",
    [
        good,
        lambda files: good(files),
        functools.partial(good),
        functools.partial(functools.partial(good, 3)),
        Loader(),
        Loader().__call__,
        by_a_decorator(good),
    ],
    ids=lambda function: type(function).__name__,
)
def test_whatever_gives_something_to_await_is_run(function: Any) -> None:
    """As `simulate` takes it."""
    args = () if isinstance(function, functools.partial) and function.args else (3,)
    if isinstance(function, functools.partial) and isinstance(function.func, functools.partial):
        args = ()
    answer = run_answer(function, *args)
    assert (answer.result, answer.seconds) == (3, 1.0)


def test_a_future_may_be_given() -> None:
    """As `return asyncio.gather(...)` in a plain function does."""
    assert run_answer(gathers, 3).result == [3]


async def async_generator(files: int) -> Any:
    yield files


def generator(files: int) -> Iterator[int]:
    yield files


def plain(files: int) -> int:
    return files


class Plain:
    def __init__(self, files: int) -> None: ...


async def without_argument() -> None: ...


@pytest.mark.parametrize(
    ("thing", "hint"),
    [
        (plain, "plain is no coroutine function: called, it gave 3; try: async def plain(...)"),
        (generator, "it gave a generator; a function with a yield makes a generator; try: async"),
        (async_generator, "it gave an async generator; a function with a yield makes a generato"),
        (lambda files: None, "it gave None"),
        (Plain, "Plain is no coroutine function: called, it gave <Plain>"),
        (Plain(3), "<Plain> is not a function; try: hand in the function that you wrote"),
        (None, "None is not a function"),
        ("good", "'good' is not a function"),
        (7, "7 is not a function"),
        (print, "print is no coroutine function: called, it gave None"),
        (
            without_argument,
            "without_argument() -> None could not be called: TypeError: too many posit",
        ),
        (good, None),
    ],
    ids=lambda it: getattr(it, "__name__", None),
)
def test_what_is_no_coroutine_function_is_called_what_it_is(thing: Any, hint: str | None) -> None:
    """The hint is true, and says what to do."""
    if hint is None:
        assert run_answer(thing, 3).result == 3
        return
    with pytest.raises(NotYet) as reason:
        run_answer(thing, 3)
    assert hint in str(reason.value)
    assert "async def" not in str(reason.value) or "async def" in hint or "generator" in hint


@pytest.mark.parametrize("kind", [good, async_generator, generator])
def test_a_call_in_place_of_the_function_is_told(kind: Any) -> None:
    """The likeliest slip of all; and a coroutine that came of it is closed."""
    with pytest.raises(NotYet, match=rf"{kind.__name__}\(\.\.\.\) is a call; .*without brackets"):
        run_answer(kind(3))


# --- What it may do --------------------------------------------------------------------------


async def without_end(files: int) -> None:
    while True:  # noqa: ASYNC110 - that it has no end is the point
        await asyncio.sleep(1)


async def goes_round(files: int) -> None:
    while True:  # noqa: ASYNC110 - asks without pause, by intent
        await asyncio.sleep(0)


async def deadlocked(files: int) -> None:
    await asyncio.Event().wait()


async def raising(files: int) -> None:
    raise ValueError("bad file")


async def leaving(files: int) -> None:
    leaving.task = asyncio.create_task(asyncio.sleep(9))  # type: ignore[attr-defined]


class OwnError(BaseException):
    def __str__(self) -> str:
        raise OSError


async def raises(error: BaseException) -> None:
    raise error


async def raises_in_a_task(error: BaseException) -> None:
    await asyncio.gather(raises(error))


async def in_a_thread(files: int) -> None:
    await asyncio.to_thread(time.sleep, 0)


async def runs_its_own(files: int) -> None:
    coroutine = good(files)
    try:
        asyncio.run(coroutine)
    finally:
        coroutine.close()


def test_examples() -> None:
    """The examples of the module run as written."""
    assert doctest.testmod(helpers.checks.answers).failed == 0


@pytest.mark.parametrize(
    ("function", "hint"),
    [
        (without_end, "without_end never ended; a loop has no way out"),
        (goes_round, "goes_round never ended; something goes round without pause"),
        (deadlocked, "deadlocked deadlocked: "),
        (raising, "raising raised ValueError: bad file"),
        (leaving, "leaving left 1 of its tasks running: sleep; try: await or cancel every task"),
        (in_a_thread, "a thread or a process, which takes real time"),
        (runs_its_own, "the check has a loop already; try: async def, and await"),
    ],
    ids=lambda it: getattr(it, "__name__", None),
)
def test_whatever_it_does_the_answer_is_a_hint(function: Any, hint: str) -> None:
    """No traceback, no hang: a sentence that says what was seen."""
    with pytest.raises(NotYet) as reason:
        run_answer(function, 3)
    assert hint in str(reason.value)
    assert "film" not in str(reason.value)  # nothing of ours


@pytest.mark.parametrize("how", [raises, raises_in_a_task])
@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit, OwnError])
def test_exits_of_the_learners_are_a_verdict(how: Any, kind: type[BaseException]) -> None:
    """They end neither the kernel nor the cell."""
    with pytest.raises(NotYet, match=f"raised {kind.__name__}"):
        run_answer(how, kind("over"))


def test_a_stop_leaves_the_cell() -> None:
    """■ is pressed in the thread that waits, not by the learner's function."""
    began = threading.Event()

    async def begins_and_never_ends() -> None:
        began.set()
        await without_end(3)

    @check
    def check_end(answer: Any) -> None:
        run_answer(answer)

    def press() -> None:
        began.wait(9)
        _thread.interrupt_main()

    threading.Thread(target=press, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        check_end(begins_and_never_ends)


async def waits_for_an_event(files: int) -> None:
    threading.Event().wait()


async def waits_for_a_queue(files: int) -> None:
    queue.Queue[int]().get()


lock, over = threading.Lock(), threading.Event()  # so that no thread of a test outlives it


async def waits_for_a_lock(files: int) -> None:
    with lock:
        lock.acquire()
        lock.release()


async def catches_everything(files: int) -> None:
    while not over.is_set():
        try:
            while not over.is_set():
                pass
        except BaseException:
            pass


UNSTOPPABLE = [waits_for_an_event, waits_for_a_queue, waits_for_a_lock, catches_everything]


@pytest.mark.parametrize("function", UNSTOPPABLE)
def test_what_cannot_be_stopped_gets_a_verdict(
    function: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within patience and a second or so, and it is not tried again."""
    monkeypatch.setattr(helpers.checks.answers, "_PATIENCE", 0.5)
    runs: list[int] = []

    @check
    def check_twice(answer: Any) -> None:
        for files in 1, 2:
            runs.append(files)
            run_answer(answer, files)

    over.clear()
    start = time.monotonic()
    verdict = repr(check_twice(function))
    over.set()
    if lock.locked():
        lock.release()
    assert verdict.startswith(f"✘ not yet: {function.__name__}")
    assert "never ended" in verdict or "takes real time" in verdict
    assert time.monotonic() - start < 5
    assert runs == [1]


def test_a_failure_may_be_what_was_asked_for() -> None:
    """With `fails` the error comes back, and nothing is said."""
    assert isinstance(run_answer(raising, 3, fails=True).error, ValueError)
    with pytest.raises(NotYet):
        run_answer(raising, 3)


async def empties(files: list[str], plan: dict[str, int]) -> int:
    files.clear()
    plan.clear()
    return len(files) + len(plan)


def test_what_is_handed_over_is_a_copy() -> None:
    """Whatever becomes of it, the check still knows what it gave."""
    files, plan = ["a", "b"], {"a": 1}
    assert run_answer(empties, files, plan).result == 0
    assert (files, plan) == (["a", "b"], {"a": 1})


def test_a_plain_function_is_run_as_one() -> None:
    """It may raise; what is no plain function is told."""
    assert run_plain(plain, files=3).result == 3
    assert isinstance(run_plain(lambda: [][0]).error, IndexError)
    for lazy, what in (good, "a coroutine"), (generator, "a gen"), (async_generator, "an async"):
        with pytest.raises(NotYet, match=f"{lazy.__name__} gave {what}.*nobody awaits it"):
            run_plain(lazy, 3)


# --- Whether it lets go ----------------------------------------------------------------------


async def swallows(files: int) -> int:
    try:
        await asyncio.sleep(9)
    except asyncio.CancelledError:
        return files
    return 0


async def dawdles(files: int) -> None:
    try:
        await asyncio.sleep(9)
    finally:
        await asyncio.sleep(1)


async def cleans_up(files: int) -> None:
    task = asyncio.create_task(asyncio.sleep(9))
    try:
        await asyncio.sleep(9)
    finally:
        task.cancel()


async def forgets_its_tasks(files: int) -> None:
    forgets_its_tasks.tasks = [  # type: ignore[attr-defined]
        asyncio.create_task(asyncio.sleep(9)) for _ in range(files)
    ]
    await asyncio.sleep(9)


async def stubborn() -> None:
    while True:
        try:
            await asyncio.sleep(9)
        except asyncio.CancelledError:
            if stubborn.enough:  # type: ignore[attr-defined]
                return
            stubborn.enough = True  # type: ignore[attr-defined]


async def cancels_in_vain(files: int) -> None:
    stubborn.enough = False  # type: ignore[attr-defined]
    task = asyncio.create_task(stubborn())
    try:
        await asyncio.sleep(9)
    finally:
        task.cancel()


@pytest.mark.parametrize(
    ("function", "hint"),
    [
        (swallows, "returned 3 instead of stopping; it swallows the CancelledError"),
        (dawdles, "dawdles, cancelled after 0.2 s, went on until 1.2 s"),
        (forgets_its_tasks, "left 3 of its tasks running: sleep, sleep, sleep; they work for nob"),
        (cancels_in_vain, "left 1 of its tasks running: stubborn; they work for nobody"),
        (raising, "raised ValueError: bad file instead of stopping"),
    ],
)
def test_what_does_not_let_go_is_told(function: Any, hint: str) -> None:
    """Cancelled, a function may neither go on nor leave anybody at work."""
    with pytest.raises(NotYet, match=hint):
        expect_to_let_go(function, 3)


def test_what_lets_go_is_right() -> None:
    """Also where it had something to clean up."""
    expect_to_let_go(cleans_up, 3)
