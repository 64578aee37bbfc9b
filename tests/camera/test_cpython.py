"""Every reach into the interpreter finds what it reaches for, on each Python that is supported."""

import asyncio
import contextlib
import pickle
import types
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.camera.chain import call_name, follow_awaits
from helpers.camera.clock import simulate
from helpers.camera.cpython import (
    STEP,
    bytecode_line,
    clock_of,
    code_of,
    error_of,
    frame_of,
    free_a_ring,
    get_ready_queue,
    has_ended,
    how_it_ended,
    is_running,
    is_task,
    only_hands_on,
    replace_method,
    unwrap_awaitable,
    waits_for,
    woken_task,
)


async def sleeps() -> None:
    await asyncio.sleep(1)


# --- Where it stands -----------------------------------------------------------------------


async def two_lines() -> None:
    await let_go()
    await sleeps_forever()


def test_line_of() -> None:
    """The line is that of the await; before the beginning, that of the definition."""
    first = two_lines.__code__.co_firstlineno
    coroutine = two_lines()
    assert bytecode_line(coroutine.cr_code, frame_of(coroutine).f_lasti) == first
    coroutine.send(None)
    assert bytecode_line(coroutine.cr_code, frame_of(coroutine).f_lasti) == first + 1
    coroutine.send(None)
    assert bytecode_line(coroutine.cr_code, frame_of(coroutine).f_lasti) == first + 2
    own, code, lasti, *_ = follow_awaits(coroutine)
    assert [call_name(code_of(call)) for call in own] == ["two_lines", "sleeps_forever", "let_go"]
    assert bytecode_line(code, lasti) == let_go.__code__.co_firstlineno + 2  # below its decorator
    coroutine.close()
    assert bytecode_line(two_lines.__code__, -1) == first


# --- How it ended --------------------------------------------------------------------------


async def ends(how: str, in_try: bool, in_with: bool, awaits: bool) -> int | None:
    """Ends in one of many ways."""

    async def end() -> int | None:
        if awaits:
            await asyncio.sleep(0)
        if how == "value":
            return 1
        if how == "raise":
            raise ValueError(how)
        if how == "await":
            await ends("raise", False, False, awaits)
        if how == "caught":
            try:
                raise ValueError(how)
            except ValueError:
                return 2
        return None

    if in_try and in_with:
        async with contextlib.AsyncExitStack():
            try:
                return await end()
            finally:
                await asyncio.sleep(0)
    if in_try:
        try:
            return await end()
        finally:
            await asyncio.sleep(0)
    if in_with:
        with contextlib.nullcontext():
            return await end()
    return await end()


@given(
    st.sampled_from(["value", "raise", "await", "caught", "none"]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_fate(how: str, in_try: bool, in_with: bool, awaits: bool) -> None:
    """The frame of a call that has ended tells whether it returned, however deep in blocks."""
    coroutine = ends(how, in_try, in_with, awaits)
    frame = frame_of(coroutine)
    try:
        while True:
            coroutine.send(None)
    except StopIteration:
        expected = "returned"
    except ValueError:
        expected = "raised"
    assert (expected == "raised") == (how in ("raise", "await"))
    assert how_it_ended(frame) == expected
    assert frame_of(coroutine) is None


def test_fate_of_cancelled() -> None:
    """A call that was cancelled while it waited raised."""
    coroutine = sleeps_forever()
    frame = frame_of(coroutine)
    coroutine.send(None)
    with pytest.raises(asyncio.CancelledError):
        coroutine.throw(asyncio.CancelledError())
    assert how_it_ended(frame) == "raised"


@types.coroutine
def let_go() -> Generator[None, None, None]:
    yield


async def sleeps_forever() -> None:
    while True:
        await let_go()


async def counts(fail: bool) -> AsyncIterator[int]:
    yield 1
    await let_go()
    yield 2
    if fail:
        raise ValueError


@pytest.mark.parametrize(("fail", "expected"), [(False, "returned"), (True, "raised")])
def test_fate_of_async_generators(fail: bool, expected: str) -> None:
    """An async generator is suspended between two requests, until it ends."""
    generator = counts(fail)
    frame = frame_of(generator)
    fates = []

    async def consume() -> None:
        async for _ in generator:
            fates.append(how_it_ended(frame))  # noqa: PERF401 - an error must not lose them

    coroutine = consume()
    coroutine.send(None)
    with contextlib.suppress(StopIteration, ValueError):
        coroutine.send(None)
    assert [*fates, how_it_ended(frame)] == ["closed", "closed", expected]


# --- What comes after ----------------------------------------------------------------------


async def returns_it() -> Any:
    return await let_go()


async def ends_with_it() -> None:
    await let_go()


async def goes_on() -> None:
    await let_go()
    len("")


async def uses_it() -> Any:
    return [await let_go()]


async def catches() -> Any:
    try:
        return await let_go()
    except ValueError:
        return None


async def cleans_up() -> Any:
    try:
        return await let_go()
    finally:
        len("")


async def in_with() -> Any:
    with contextlib.nullcontext():
        return await let_go()


async def in_loop() -> None:
    for _ in range(2):
        await let_go()


async def has_caught() -> Any:
    with contextlib.suppress(ValueError):
        len("")
    return await let_go()


@pytest.mark.parametrize(
    ("program", "last"),
    [
        (returns_it, True),
        (ends_with_it, True),
        (has_caught, True),
        (goes_on, False),
        (uses_it, False),
        (catches, False),
        (cleans_up, False),
        (in_with, False),
        (in_loop, False),
    ],
)
def test_awaits_last(program: Callable[[], Coroutine[Any, Any, Any]], last: bool) -> None:
    """An await is the last that a call does if only its return follows, and no error is caught."""
    coroutine = program()
    coroutine.send(None)
    assert only_hands_on(coroutine.cr_frame) is last
    coroutine.close()


# --- Coroutines ----------------------------------------------------------------------------


class Disguised:
    """Says that it is a coroutine, by code that must not be run."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)

    @property
    def cr_code(self) -> Any:
        raise AssertionError


def test_nothing_of_the_learner_s_is_run_to_look_at_it() -> None:
    """An awaitable of the learner's own class is known by its class alone."""
    assert code_of(Disguised()).co_qualname == "Disguised"
    assert frame_of(Disguised()) is None
    assert not is_running(Disguised())


def test_what_async_for_hides() -> None:
    """Behind what `async for` awaits stands the generator."""

    async def rows() -> AsyncIterator[int]:
        yield 1

    generator = rows()
    step = generator.__anext__()
    assert unwrap_awaitable(step) is generator
    step.close()  # type: ignore[attr-defined]
    assert unwrap_awaitable(asyncio.Event) is None


def test_a_call_that_is_suspended_is_told_from_one_that_has_ended() -> None:
    """By its frame alone: a coroutine, and a generator that is closed where it stood."""

    async def waits() -> None:
        held = [1]
        await asyncio.sleep(0)
        del held

    async def rows() -> AsyncIterator[int]:
        yield 1
        yield 2

    coroutine, generator = waits(), rows()
    frames = [frame_of(coroutine), frame_of(generator)]
    coroutine.send(None)
    for request in (generator.__anext__, generator.aclose):  # type: ignore[attr-defined]
        assert [has_ended(frame) for frame in frames if frame] == [False, False]
        with contextlib.suppress(StopIteration):
            request().send(None)
    with contextlib.suppress(StopIteration):
        coroutine.send(None)
    assert [has_ended(frame) for frame in frames if frame] == [True, True]


# --- Tasks ---------------------------------------------------------------------------------


class Own(asyncio.Task[Any]):
    """A class of the learner's."""


@pytest.mark.parametrize("make", [asyncio.Task, Own, asyncio.tasks._PyTask])  # type: ignore[attr-defined]
def test_each_step_of_a_task_is_known(make: Any) -> None:
    """Its first step, one after a sleep(0), a wake-up and a cancellation; and nothing else is."""
    told: list[Any] = []

    async def program() -> None:
        await asyncio.sleep(0)
        with contextlib.suppress(asyncio.CancelledError):
            await future
        await asyncio.sleep(0)

    async def main() -> None:
        nonlocal future
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        call_soon = loop.call_soon

        def note(callback: Any, *args: Any, **options: Any) -> Any:
            told.append(woken_task(callback))
            return call_soon(callback, *args, **options)

        loop.call_soon = note  # type: ignore[method-assign]
        task = make(program(), loop=loop)
        assert is_task(task) and not is_task(future)
        for _ in range(3):
            await asyncio.sleep(0)
        assert waits_for(task) is future
        loop.call_soon(task.cancel)
        await task
        loop.call_soon = call_soon  # type: ignore[method-assign]
        assert [each for each in told if each is task] == [task] * 4
        assert told.count(None) >= 1

    future: Any = None
    asyncio.run(main())


@pytest.mark.parametrize("make", [asyncio.Task, Own, asyncio.tasks._PyTask])  # type: ignore[attr-defined]
def test_tasks_of_each_class_are_filmed(make: Any) -> None:
    """By their names, and how they ended."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        tasks = [make(sleeps(), loop=loop, name=name) for name in ("a", "b")]
        await asyncio.sleep(0)
        tasks[0].cancel()
        await asyncio.wait(tasks)

    run = simulate(main)
    assert [(lane.name, lane.ending) for lane in run.lanes] == [("a", "cancelled"), ("b", "done")]


def test_a_step_of_c_has_a_type_of_its_own() -> None:
    """It is none that other callbacks have."""
    assert STEP.__name__ == "TaskStepMethWrapper"


def test_an_error_is_looked_at_without_retrieving_it() -> None:
    """So that asyncio still says that nobody has retrieved it."""
    reports: list[str] = []

    async def fails() -> None:
        raise ValueError("nobody asks")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: reports.append(context["message"]))
        task = asyncio.create_task(fails())
        await asyncio.sleep(0)
        assert repr(error_of(task)) == "ValueError('nobody asks')"
        del task

    asyncio.run(main())
    assert reports == ["Task exception was never retrieved"]


@pytest.mark.parametrize("size", [2, 3, 10])
@pytest.mark.parametrize("gathers", [False, True])
def test_tasks_that_wait_for_each_other_can_be_freed(size: int, gathers: bool) -> None:
    """`cancel` cannot, since each asks the next for ever; after this all of them end."""
    ended: list[int] = []

    async def waits(number: int, tasks: list[Any]) -> None:
        await asyncio.sleep(0)
        other = tasks[(number + 1) % size]
        try:
            await (asyncio.gather(other) if gathers else other)
        finally:
            ended.append(number)

    async def main() -> None:
        tasks: list[Any] = []
        tasks += [asyncio.create_task(waits(number, tasks)) for number in range(size)]
        await asyncio.sleep(0.01)
        with pytest.raises(RecursionError):
            tasks[0].cancel()
        assert free_a_ring(tasks[0])
        await asyncio.wait(tasks)
        assert all(task.cancelled() for task in tasks)

    asyncio.run(main())
    assert sorted(ended) == list(range(size))


def test_a_task_that_waits_for_none_of_its_own_is_in_no_ring() -> None:
    """It is left alone."""

    async def main() -> bool:
        task = asyncio.create_task(asyncio.sleep(9))
        await asyncio.sleep(0)
        freed = free_a_ring(task)
        task.cancel()
        return freed

    assert not asyncio.run(main())


# --- Classes and loops ---------------------------------------------------------------------


def test_a_method_of_a_class_of_c_is_replaced_in_place() -> None:
    """The class stays the same one, for pickle too, and has its own method back afterwards."""
    real = datetime.now()
    before = replace_method(datetime, "now", classmethod(lambda cls: "now"))
    try:
        assert datetime.now() == "now"  # type: ignore[comparison-overlap]
        assert pickle.loads(pickle.dumps(real)) == real
    finally:
        replace_method(datetime, "now", before)
    assert isinstance(datetime.now(), datetime)


def test_the_loop_s_clock_and_queue() -> None:
    """Of asyncio's own loops both are found; what is no loop of its own has none."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert abs(clock_of(loop)() - loop.time()) < 1
        assert get_ready_queue(loop) is not None

    asyncio.run(main())
    assert get_ready_queue(object()) is None
