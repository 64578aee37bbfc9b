"""The camera: what it films is exact, and filming changes nothing of the program."""

import asyncio
import contextlib
import contextvars
import doctest
import gc
import sys
import sysconfig
import time
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from programs import fast
from test_properties import check_lanes

from helpers.camera.clock import busy, record, simulate
from helpers.camera.run import Lane, Run
from helpers.camera.trace import Camera


def test_examples() -> None:
    """The examples in the docstrings give what they say."""
    result = doctest.testmod(sys.modules["helpers.camera.trace"])
    assert result.attempted and not result.failed


def told(lane: Lane) -> str:
    """A lane in one line: name, life, ending, and all that took time."""
    name, start, end, ending, _, segments, *_ = lane
    parts = [
        f"{s.call} {s.state}{' for ' * bool(s.what)}{s.what} {s.start:g}-{s.end:g}"
        for s in segments
        if s.end > s.start
    ]
    return f"{name} {start:g}-{end:g} {ending}: {', '.join(parts)}"


def film(main: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> list[str]:
    """What happened to the root and to each lane, on the fast-forward clock."""
    run = simulate(main, *args)
    return [told(lane) for lane in (run.root, *run.lanes)]


async def one(name: Any, seconds: float = 1.0) -> Any:
    await asyncio.sleep(seconds)
    return name


async def boom(name: Any, seconds: float = 1.0) -> None:
    await asyncio.sleep(seconds)
    raise ValueError(name)


async def hold(name: Any, seconds: float = 2.0) -> None:
    busy(seconds)


async def rows(n: int) -> AsyncIterator[int]:
    for i in range(n):
        await asyncio.sleep(1)
        yield i


async def crowd(n: int) -> None:
    await asyncio.gather(*(one(i) for i in range(n)))


async def leaves() -> None:
    asyncio.get_running_loop().tasks = [asyncio.create_task(one(i, 5.0)) for i in range(2)]
    await asyncio.sleep(1)


async def cancels_itself() -> None:
    asyncio.current_task().cancel()
    await one("a")


# --- What is drawn for each way to run coroutines ------------------------------------------


def test_each_step_is_kept() -> None:
    """A lane is ready, runs, waits with the timer's due time, is woken and runs to its end."""

    async def main() -> None:
        await asyncio.gather(one("a"))

    run = simulate(main)
    (lane,) = run.lanes
    first = one.__code__.co_firstlineno
    assert [tuple(s)[:7] for s in lane.segments] == [
        (0, 0, "ready", "one", "", None, first),
        (0, 0, "running", "one", "", None, first),
        (0, 1, "waiting", "one", "sleep", 1, first + 1),
        (1, 1, "ready", "one", "", None, first + 1),
        (1, 1, "running", "one", "", None, first + 1),
    ]
    assert [(s.state, s.what) for s in run.root.segments] == [
        ("ready", ""),
        ("running", ""),
        ("waiting", "gather"),
        ("ready", ""),
        ("running", ""),
    ]
    orders = sorted(s.order for track in (run.root, lane) for s in track.segments)
    assert len(set(orders)) == 10


def test_sequential_awaits_are_lanes() -> None:
    """Each call that the root awaits is a lane, one after the other."""

    async def main() -> None:
        for name in "ab":
            await one(name)

    assert film(main) == [
        "main() 0-2 done: main waiting for one('a', 1.0) 0-1, main waiting for one('b', 1.0) 1-2",
        "one('a', 1.0) 0-1 done: one waiting for sleep 0-1",
        "one('b', 1.0) 1-2 done: one waiting for sleep 1-2",
    ]


def test_gather() -> None:
    """The same two calls under `gather` are the same lanes, beside each other."""

    async def main() -> list[str]:
        return await asyncio.gather(one("a"), one("b", 2.0))

    assert film(main) == [
        "main() 0-2 done: main waiting for gather 0-2",
        "one('a', 1.0) 0-1 done: one waiting for sleep 0-1",
        "one('b', 2.0) 0-2 done: one waiting for sleep 0-2",
    ]


def test_failing_gather() -> None:
    """`gather` raises at once; what else it started is left running."""

    async def main() -> None:
        await asyncio.gather(boom("a"), one("b", 2.0))

    assert film(main) == [
        "main() 0-1 failed: main waiting for gather 0-1",
        "boom('a', 1.0) 0-1 failed: boom waiting for sleep 0-1",
        "one('b', 2.0) 0-1 pending: one waiting for sleep 0-1",
    ]


def test_task_group() -> None:
    """A group waits for all of its tasks; a task goes by the name it is given."""

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(one("a"))
            group.create_task(one("b", 2.0), name="bee")

    assert film(main) == [
        "main() 0-2 done: main waiting for TaskGroup 0-2",
        "one('a', 1.0) 0-1 done: one waiting for sleep 0-1",
        "bee 0-2 done: one waiting for sleep 0-2",
    ]


def test_failing_task_group() -> None:
    """A group cancels what is left when one fails, and both endings are told apart."""

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(boom("a"))
            group.create_task(one("b", 2.0))

    assert film(main) == [
        "main() 0-1 failed: main waiting for TaskGroup 0-1",
        "boom('a', 1.0) 0-1 failed: boom waiting for sleep 0-1",
        "one('b', 2.0) 0-1 cancelled: one waiting for sleep 0-1",
    ]
    run = simulate(main)
    assert [lane.error for lane in run.lanes] == ["ValueError", ""]
    with pytest.raises(ExceptionGroup) as caught:
        _ = run.result
    assert caught.value is run.error
    assert run.root.error == "ExceptionGroup"


@pytest.mark.parametrize(
    ("caught", "outcome"),
    [(KeyError, pytest.raises(ExceptionGroup)), (ValueError, contextlib.nullcontext())],
)
def test_except_star(caught: type[Exception], outcome: Any) -> None:
    """A coroutine may end in code that the compiler put in, which is on no line."""

    async def main() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(boom("a"))
        except* caught:
            pass
        except* TypeError:
            pass

    run = simulate(main)
    with outcome:
        assert run.result is None


def test_create_task() -> None:
    """Who awaits a task waits for its lane, by name."""

    async def main() -> None:
        a = asyncio.create_task(one("a"))
        b = asyncio.create_task(one("b", 2.0), name="bee")
        await a
        await b

    assert film(main) == [
        "main() 0-2 done: main waiting for one('a', 1.0) 0-1, main waiting for bee 1-2",
        "one('a', 1.0) 0-1 done: one waiting for sleep 0-1",
        "bee 0-2 done: one waiting for sleep 0-2",
    ]


def test_task_that_awaits_a_task() -> None:
    """A task waits for another's lane as the root does."""

    async def main() -> None:
        async def follow() -> None:
            await task

        task = asyncio.create_task(one("a"))
        await asyncio.gather(follow(), task)

    assert film(main)[1:] == [
        "one('a', 1.0) 0-1 done: one waiting for sleep 0-1",
        "follow() 0-1 done: follow waiting for one('a', 1.0) 0-1",
    ]


def test_wait() -> None:
    """`asyncio.wait` is what the root waits for, first for one task, then for the other."""

    async def main() -> None:
        tasks = [asyncio.create_task(one("a", 2.0)), asyncio.create_task(one("b"))]
        await asyncio.wait(tasks, return_when="FIRST_COMPLETED")
        await asyncio.wait(tasks)

    assert film(main) == [
        "main() 0-2 done: main waiting for wait 0-1, main waiting for wait 1-2",
        "one('a', 2.0) 0-2 done: one waiting for sleep 0-2",
        "one('b', 1.0) 0-1 done: one waiting for sleep 0-1",
    ]


def test_as_completed() -> None:
    """`as_completed` goes by its name in every version of Python."""

    async def main() -> list[str]:
        return [await each for each in asyncio.as_completed([one("a", 2.0), one("b")])]

    root, *lanes = film(main)
    assert root == (
        "main() 0-2 done: main waiting for as_completed 0-1, main waiting for as_completed 1-2"
    )
    assert sorted(lanes) == [
        "one('a', 2.0) 0-2 done: one waiting for sleep 0-2",
        "one('b', 1.0) 0-1 done: one waiting for sleep 0-1",
    ]


def test_wait_for() -> None:
    """A call under `wait_for` is a lane, whether it is made a task (3.11) or not (3.12)."""

    async def main() -> None:
        await asyncio.wait_for(one("a"), 3)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(one("b", 5.0), 3)

    assert film(main)[1:] == [
        "one('a', 1.0) 0-1 done: one waiting for sleep 0-1",
        "one('b', 5.0) 1-4 cancelled: one waiting for sleep 1-4",
    ]


def test_timeout() -> None:
    """A call that a timeout cuts short is cancelled, at the time of the timeout."""

    async def main() -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(3):
                await one("a", 5.0)
        await one("b")

    assert film(main) == [
        "main() 0-4 done: main waiting for one('a', 5.0) 0-3, main waiting for one('b', 1.0) 3-4",
        "one('a', 5.0) 0-3 cancelled: one waiting for sleep 0-3",
        "one('b', 1.0) 3-4 done: one waiting for sleep 3-4",
    ]


def test_shield() -> None:
    """What is shielded goes on when the one who waits for it gives up."""

    async def main() -> None:
        task = asyncio.create_task(one("a", 2.0))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await asyncio.shield(task)
        await task

    assert film(main) == [
        "main() 0-2 done: main waiting for shield 0-1, main waiting for one('a', 2.0) 1-2",
        "one('a', 2.0) 0-2 done: one waiting for sleep 0-2",
    ]


def test_queue() -> None:
    """`get` waits for an item, `put` for room, `join` for the last item to be done."""

    async def main() -> None:
        queue: asyncio.Queue[int] = asyncio.Queue(maxsize=1)

        async def put() -> None:
            await asyncio.sleep(1)
            for i in range(3):
                await queue.put(i)

        async def get() -> None:
            while True:
                await queue.get()
                await asyncio.sleep(2)
                queue.task_done()

        getter = asyncio.create_task(get())
        await put()
        await queue.join()
        getter.cancel()

    assert film(main) == [
        "main() 0-7 done: main waiting for put() 0-3, main waiting for Queue.join 3-7",
        (
            "get() 0-7 cancelled: get waiting for Queue.get 0-1, get waiting for sleep 1-3, "
            "get waiting for sleep 3-5, get waiting for sleep 5-7"
        ),
        "put() 0-3 done: put waiting for sleep 0-1, put waiting for Queue.put 1-3",
    ]


def test_lock() -> None:
    """The second waits for the lock as long as the first has it."""

    async def main() -> None:
        async def use(i: int) -> None:
            async with lock:
                await asyncio.sleep(1)

        lock = asyncio.Lock()
        await asyncio.gather(use(1), use(2))

    assert film(main)[1:] == [
        "use(1) 0-1 done: use waiting for sleep 0-1",
        "use(2) 0-2 done: use waiting for Lock.acquire 0-1, use waiting for sleep 1-2",
    ]


def test_semaphore() -> None:
    """Who is kept out waits for the semaphore; who works is told by the call that does."""

    async def main() -> None:
        async def use(i: int) -> None:
            async with semaphore:
                await one(i)

        semaphore = asyncio.Semaphore(2)
        await asyncio.gather(*map(use, (1, 2, 3)))

    assert film(main)[1:] == [
        "use(1) 0-1 done: one waiting for sleep 0-1",
        "use(2) 0-1 done: one waiting for sleep 0-1",
        "use(3) 0-2 done: use waiting for Semaphore.acquire 0-1, one waiting for sleep 1-2",
    ]


def test_condition() -> None:
    """A condition's waiters wait to be notified, and then for the lock."""

    async def main() -> None:
        async def wait(i: int) -> None:
            async with condition:
                await condition.wait()
                await asyncio.sleep(1)

        async def notify() -> None:
            await asyncio.sleep(1)
            async with condition:
                condition.notify_all()

        condition = asyncio.Condition()
        await asyncio.gather(wait(1), wait(2), notify())

    assert film(main)[1:] == [
        "wait(1) 0-2 done: wait waiting for Condition.wait 0-1, wait waiting for sleep 1-2",
        (
            "wait(2) 0-3 done: wait waiting for Condition.wait 0-1, "
            "wait waiting for Condition.wait 1-2, wait waiting for sleep 2-3"
        ),
        "notify() 0-1 done: notify waiting for sleep 0-1",
    ]


def test_event_and_barrier() -> None:
    """Events and barriers are named, too."""

    async def main() -> None:
        async def meet(seconds: int) -> None:
            await asyncio.sleep(seconds)
            await barrier.wait()
            event.set()

        async def look() -> None:
            await event.wait()

        event, barrier = asyncio.Event(), asyncio.Barrier(2)
        await asyncio.gather(meet(1), meet(2), look())

    assert film(main)[1:] == [
        "meet(1) 0-2 done: meet waiting for sleep 0-1, meet waiting for Barrier.wait 1-2",
        "meet(2) 0-2 done: meet waiting for sleep 0-2",
        "look() 0-2 done: look waiting for Event.wait 0-2",
    ]


def test_async_generator_of_the_root() -> None:
    """A generator that the root loops over is one lane, which waits for its caller meanwhile."""

    async def main() -> None:
        async for i in rows(2):
            await one(i)

    assert film(main) == [
        (
            "main() 0-4 done: main waiting for rows(2) 0-1, main waiting for one(0, 1.0) 1-2, "
            "main waiting for rows(2) 2-3, main waiting for one(1, 1.0) 3-4"
        ),
        (
            "rows(2) 0-4 done: rows waiting for sleep 0-1, rows waiting for its caller 1-2, "
            "rows waiting for sleep 2-3, rows waiting for its caller 3-4"
        ),
        "one(0, 1.0) 1-2 done: one waiting for sleep 1-2",
        "one(1, 1.0) 3-4 done: one waiting for sleep 3-4",
    ]


def test_async_generator_of_a_task() -> None:
    """In a task the generator's steps are the task's, under the generator's name."""

    async def main() -> None:
        async def consume(n: int) -> None:
            async for i in rows(n):
                await one(i)

        await asyncio.gather(consume(2))

    assert film(main)[1:] == [
        (
            "consume(2) 0-4 done: rows waiting for sleep 0-1, one waiting for sleep 1-2, "
            "rows waiting for sleep 2-3, one waiting for sleep 3-4"
        ),
    ]


@pytest.mark.parametrize("seen", [True, False])
def test_break_out_of_the_roots_generator(seen: bool) -> None:
    """After `break` the generator's lane ends when it has cleaned up: nothing is left running."""

    async def careful() -> AsyncIterator[int]:
        try:
            if seen:
                await asyncio.sleep(1)
            yield 1
            yield 2
        finally:
            await asyncio.sleep(2)

    async def main() -> None:
        async for _ in careful():
            await one("a")
            break
        await one("b", 4.0)

    at = 2 if seen else 1
    root, *lanes = film(main)
    assert root.startswith(f"main() 0-{at + 4} done")
    assert sorted(lanes) == [
        "careful() 0-4 done: careful waiting for sleep 0-1, careful waiting for its caller 1-2, "
        "careful waiting for sleep 2-4"
        if seen
        else "careful() 1-3 done: careful waiting for sleep 1-3",
        f"one('a', 1.0) {at - 1}-{at} done: one waiting for sleep {at - 1}-{at}",
        f"one('b', 4.0) {at}-{at + 4} done: one waiting for sleep {at}-{at + 4}",
    ]
    run = simulate(main)
    assert run.pending == []
    assert run.max_in_flight == 2


def test_break_out_of_a_tasks_generator() -> None:
    """The task that asyncio makes to close a generator is a lane of the generator's name."""

    async def main() -> None:
        async def consume() -> None:
            async for _ in rows(5):
                break
            await asyncio.sleep(1)

        await asyncio.gather(consume())

    assert film(main)[1:] == [
        "consume() 0-2 done: rows waiting for sleep 0-1, consume waiting for sleep 1-2",
        "rows(5) 1-1 done: ",
    ]


def test_requests_of_a_generator_as_tasks() -> None:
    """`create_task(anext(...))` is a lane of the generator's name, one for each request."""

    async def main() -> None:
        generator = rows(2)
        for _ in range(2):
            await asyncio.create_task(anext(generator))

    assert film(main)[1:] == [
        "rows(2) 0-1 done: rows waiting for sleep 0-1",
        "rows(2) 1-2 done: rows waiting for sleep 1-2",
    ]


def test_async_context_managers() -> None:
    """Entering and leaving are calls like others; one by decorator is a lane with a pause."""

    class Door:
        async def __aenter__(self) -> None:
            await asyncio.sleep(1)

        async def __aexit__(self, *error: object) -> None:
            await asyncio.sleep(1)

    @contextlib.asynccontextmanager
    async def opened(name: str) -> AsyncIterator[None]:
        await asyncio.sleep(1)
        yield
        await asyncio.sleep(1)

    async def by_class() -> None:
        async with Door():
            await one("a")

    async def by_decorator(name: str = "f") -> None:
        async with opened(name):
            await one("a")

    async def in_a_task() -> None:
        await asyncio.gather(by_decorator("g"))

    assert film(by_class)[1:] == [
        "Door.__aenter__() 0-1 done: Door.__aenter__ waiting for sleep 0-1",
        "one('a', 1.0) 1-2 done: one waiting for sleep 1-2",
        "Door.__aexit__() 2-3 done: Door.__aexit__ waiting for sleep 2-3",
    ]
    assert film(by_decorator)[1:] == [
        (
            "opened('f') 0-3 done: opened waiting for sleep 0-1, "
            "opened waiting for its caller 1-2, opened waiting for sleep 2-3"
        ),
        "one('a', 1.0) 1-2 done: one waiting for sleep 1-2",
    ]
    assert film(in_a_task)[1:] == [
        (
            "by_decorator('g') 0-3 done: opened waiting for sleep 0-1, one waiting for sleep 1-2, "
            "opened waiting for sleep 2-3"
        ),
    ]


def test_async_comprehensions() -> None:
    """A comprehension is a part of the call that it stands in, in every version of Python."""

    async def main() -> None:
        [await one(i) for i in range(2)]
        [i async for i in rows(2)]

    async def in_a_task() -> None:
        await asyncio.gather(main())

    assert film(main) == [
        (
            "main() 0-4 done: main waiting for one(0, 1.0) 0-1, main waiting for one(1, 1.0) 1-2, "
            "main waiting for rows(2) 2-4"
        ),
        "one(0, 1.0) 0-1 done: one waiting for sleep 0-1",
        "one(1, 1.0) 1-2 done: one waiting for sleep 1-2",
        "rows(2) 2-4 done: rows waiting for sleep 2-3, rows waiting for sleep 3-4",
    ]
    assert film(in_a_task)[1:] == [
        (
            "main() 0-4 done: one waiting for sleep 0-1, one waiting for sleep 1-2, "
            "rows waiting for sleep 2-3, rows waiting for sleep 3-4"
        ),
    ]


def test_nested_calls_and_recursion() -> None:
    """Only the outermost call of the root is a lane; its segments name the innermost."""

    async def outer() -> None:
        await one("a")
        await asyncio.sleep(1)

    async def factorial(n: int) -> int:
        if n == 0:
            return 1
        await asyncio.sleep(1)
        return n * await factorial(n - 1)

    async def main() -> tuple[None, int, list[int]]:
        return await outer(), await factorial(2), await asyncio.gather(factorial(1), factorial(3))

    assert film(main)[1:] == [
        "outer() 0-2 done: one waiting for sleep 0-1, outer waiting for sleep 1-2",
        "factorial(2) 2-4 done: factorial waiting for sleep 2-3, factorial waiting for sleep 3-4",
        "factorial(1) 4-5 done: factorial waiting for sleep 4-5",
        (
            "factorial(3) 4-7 done: factorial waiting for sleep 4-5, "
            "factorial waiting for sleep 5-6, factorial waiting for sleep 6-7"
        ),
    ]
    assert simulate(main).result == (None, 2, [1, 6])


async def two_more() -> None:
    await one("a")
    await one("b")


async def hands_on() -> None:
    return await two_more()


async def hands_on_twice() -> None:
    await hands_on()


async def falls_back() -> None:
    try:
        return await boom_below()
    except ValueError:
        return await two_more()


async def boom_below() -> None:
    await boom("c")


def test_a_root_that_only_hands_on() -> None:
    """`return await main()` draws the lanes of `main`; one that catches errors is its own root."""
    for program in (hands_on, hands_on_twice):
        assert film(program)[1:] == [
            "one('a', 1.0) 0-1 done: one waiting for sleep 0-1",
            "one('b', 1.0) 1-2 done: one waiting for sleep 1-2",
        ]
    assert film(falls_back)[1:] == [
        "boom_below() 0-1 failed: boom waiting for sleep 0-1",
        "two_more() 1-3 done: one waiting for sleep 1-2, one waiting for sleep 2-3",
    ]


def test_recursive_tasks() -> None:
    """Tasks of tasks are lanes like others, in order of their start."""

    async def tree(depth: int) -> int:
        await asyncio.sleep(1)
        if depth == 0:
            return 1
        return sum(await asyncio.gather(tree(depth - 1), tree(depth - 1)))

    run = simulate(tree, 3)
    assert run.result == 8
    assert run.starts == ["tree(2)"] * 2 + ["tree(1)"] * 4 + ["tree(0)"] * 8
    assert (run.seconds, run.max_in_flight) == (4.0, 14)


@pytest.mark.parametrize("set_by", ["the program", "its surroundings"])
@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
def test_eager_tasks(set_by: str) -> None:
    """An eager task runs at once, inside the step of its maker, who is ready meanwhile."""

    async def main() -> list[Any]:
        if set_by == "the program":
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        return await asyncio.gather(one("a"), hold("b"), one("c", 0.5))

    async def around() -> Run:
        loop = asyncio.get_running_loop()
        if set_by == "its surroundings":
            loop.set_task_factory(asyncio.eager_task_factory)
        run = await Camera().film(main())
        assert loop.get_task_factory() is asyncio.eager_task_factory
        return run

    run = fast(around)
    assert [told(lane) for lane in (run.root, *run.lanes)] == [
        "main() 0-2.5 done: main ready 0-2, main waiting for gather 2-2.5",
        "one('a', 1.0) 0-2 done: one waiting for sleep 0-1, one ready 1-2",
        "hold('b', 2.0) 0-2 done: hold running 0-2",
        "one('c', 0.5) 2-2.5 done: one waiting for sleep 2-2.5",
    ]
    assert run.result == ["a", None, "c"]
    assert run.held == 2.0


# --- Cancellation, errors ------------------------------------------------------------------


def test_cancelled_sleeper() -> None:
    """A task that is cancelled in its sleep ends at once, cancelled."""

    async def main() -> None:
        task = asyncio.create_task(one("a", 5.0))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait([task])

    assert film(main) == [
        "main() 0-1 done: main waiting for sleep 0-1",
        "one('a', 5.0) 0-1 cancelled: one waiting for sleep 0-1",
    ]


def test_swallowed_cancellation() -> None:
    """A task that swallows its cancellation goes on and is done."""

    async def stubborn() -> str:
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            await asyncio.sleep(1)
        return "still here"

    async def main() -> str:
        task = asyncio.create_task(stubborn())
        await asyncio.sleep(1)
        task.cancel()
        return await task

    assert film(main)[1] == (
        "stubborn() 0-2 done: stubborn waiting for sleep 0-1, stubborn waiting for sleep 1-2"
    )
    assert simulate(main).result == "still here"


def test_caught_errors_of_direct_calls() -> None:
    """A direct call that raised has failed, also if the root catches that, and last of all."""

    async def main() -> None:
        for seconds in (1.0, 2.0):
            with contextlib.suppress(ValueError):
                await boom("a", seconds)

    assert film(main) == [
        "main() 0-3 done: main waiting for boom('a', 1.0) 0-1, main waiting for boom('a', 2.0) 1-3",
        "boom('a', 1.0) 0-1 failed: boom waiting for sleep 0-1",
        "boom('a', 2.0) 1-3 failed: boom waiting for sleep 1-3",
    ]


def test_failure_is_kept_with_the_picture() -> None:
    """A failed program still has its lanes; asking for its result raises its own error."""

    async def main() -> None:
        await one("a")
        await boom("b")

    run = simulate(main)
    assert [told(lane) for lane in (run.root, *run.lanes)] == [
        (
            "main() 0-2 failed: main waiting for one('a', 1.0) 0-1, main waiting for "
            "boom('b', 1.0) 1-2"
        ),
        "one('a', 1.0) 0-1 done: one waiting for sleep 0-1",
        "boom('b', 1.0) 1-2 failed: boom waiting for sleep 1-2",
    ]
    for _ in range(2):
        with pytest.raises(ValueError, match=r"^b$") as caught:
            _ = run.result
        assert caught.value is run.error
    assert not run.error.__suppress_context__  # it is told as it was raised


# --- Who holds the loop --------------------------------------------------------------------


def test_busy_task() -> None:
    """While one holds the loop the others are ready from when they are due, not waiting."""

    async def main() -> None:
        async def crunch() -> None:
            await asyncio.sleep(1)
            busy(2)
            await asyncio.sleep(1)

        await asyncio.gather(crunch(), one("a", 1.5), one("b", 1.0), one("c", 4.0))

    assert film(main) == [
        "main() 0-4 done: main waiting for gather 0-4",
        (
            "crunch() 0-4 done: crunch waiting for sleep 0-1, crunch running 1-3, "
            "crunch waiting for sleep 3-4"
        ),
        "one('a', 1.5) 0-3 done: one waiting for sleep 0-1.5, one ready 1.5-3",
        "one('b', 1.0) 0-3 done: one waiting for sleep 0-1, one ready 1-3",
        "one('c', 4.0) 0-4 done: one waiting for sleep 0-4",
    ]
    run = simulate(main)
    assert (run.held, run.held_share) == (2.0, 0.5)


def test_busy_root_and_direct_calls() -> None:
    """The root runs when it is busy itself, else the call that it awaits, or the inner one."""

    async def inner() -> None:
        busy(0.5)

    async def outer() -> None:
        await asyncio.sleep(1)
        busy(2)
        await inner()
        await asyncio.sleep(1)

    async def main() -> None:
        busy(1)
        await outer()
        busy(1)
        await hold("a")
        await hold("b", 1.0)
        await one("c")

    assert film(main) == [
        (
            "main() 0-10.5 done: main running 0-1, main waiting for outer() 1-5.5, main running "
            "5.5-6.5, main waiting for hold('a', 2.0) 6.5-8.5, main waiting for hold('b', 1.0) "
            "8.5-9.5, main waiting for one('c', 1.0) 9.5-10.5"
        ),
        (
            "outer() 1-5.5 done: outer waiting for sleep 1-2, outer running 2-4, "
            "inner running 4-4.5, outer waiting for sleep 4.5-5.5"
        ),
        "hold('a', 2.0) 6.5-8.5 done: hold running 6.5-8.5",
        "hold('b', 1.0) 8.5-9.5 done: hold running 8.5-9.5",
        "one('c', 1.0) 9.5-10.5 done: one waiting for sleep 9.5-10.5",
    ]
    assert simulate(main).held == 7.5


def test_time_sleep_holds_the_loop() -> None:
    """`time.sleep`, the beginner's bug, is seen to hold the loop, in no real time."""

    async def main() -> None:
        async def naps(seconds: float) -> None:
            time.sleep(seconds)  # noqa: ASYNC251 - the bug that is to be seen

        await asyncio.gather(naps(3600.0), one("a"))

    began = time.monotonic()
    assert film(main)[1:] == [
        "naps(3600.0) 0-3600 done: naps running 0-3600",
        "one('a', 1.0) 0-3601 done: one ready 0-3600, one waiting for sleep 3600-3601",
    ]
    assert time.monotonic() - began < 60


def test_sleep_zero_is_ready() -> None:
    """`sleep(0)` waits for nothing: who gives others a turn stays ready."""

    async def main() -> None:
        async def polite() -> None:
            await asyncio.sleep(0)

        await asyncio.gather(polite(), hold("a"))

    run = simulate(main)
    assert [told(lane) for lane in run.lanes] == [
        "polite() 0-2 done: polite ready 0-2",
        "hold('a', 2.0) 0-2 done: hold running 0-2",
    ]
    assert {s.state for s in run.lanes[0].segments} == {"ready", "running"}


def test_ready_from_when_it_was_woken() -> None:
    """Who waits for an event is ready from when it is set, not from when it gets its turn."""

    async def main() -> None:
        async def look() -> None:
            await event.wait()

        async def set_and_hold() -> None:
            await asyncio.sleep(1)
            event.set()
            busy(2)

        event = asyncio.Event()
        await asyncio.gather(look(), set_and_hold())

    assert film(main)[1:] == [
        "look() 0-3 done: look waiting for Event.wait 0-1, look ready 1-3",
        "set_and_hold() 0-3 done: set_and_hold waiting for sleep 0-1, set_and_hold running 1-3",
    ]


class Preempted(asyncio.SelectorEventLoop):
    """As on a busy machine: when a near timer has been set, others run until after it is due."""

    def call_at(self, when: float, *args: Any, **options: Any) -> asyncio.TimerHandle:
        timer = super().call_at(when, *args, **options)
        if when - self.time() < 0.02:
            while self.time() <= when:
                pass
        return timer


def test_a_timer_that_is_due_before_its_task_waits_for_it() -> None:
    """The wait is one of no time, and does not end before it begins."""

    async def nap() -> None:
        await asyncio.sleep(0.001)

    async def main() -> None:
        await asyncio.gather(nap())

    with asyncio.Runner(loop_factory=Preempted) as runner:
        run = runner.run(record(main()))
    check_lanes(run)
    _, _, waiting, *_ = run.lanes[0].segments
    assert waiting.until is not None
    assert waiting.until < waiting.start == waiting.end


# --- Filming changes nothing: more of that in test_properties.py ---------------------------


def test_names_of_tasks_are_kept() -> None:
    """A filmed task has the name that it would have, given or not."""

    async def main() -> list[str]:
        async def who() -> str:
            return asyncio.current_task().get_name()

        return await asyncio.gather(
            who(), asyncio.create_task(who(), name="me"), asyncio.create_task(who())
        )

    for names in (fast(main), simulate(main).result):
        assert [name.rstrip("0123456789") for name in names] == ["Task-", "me", "Task-"]


def test_context_variables_are_kept() -> None:
    """A filmed program runs in its caller's context, as a plain await does."""
    variable = contextvars.ContextVar("variable", default="unset")

    async def main() -> str:
        before = variable.get()
        variable.set("by main")
        return f"{before}, {await asyncio.create_task(late())}"

    async def late() -> str:
        return variable.get()

    async def around() -> tuple[str, str]:
        variable.set("outside")
        run = await Camera().film(main())
        return run.result, variable.get()

    assert fast(around) == ("outside, by main", "by main")


def test_a_lost_task_is_still_lost() -> None:
    """A task that nobody holds is collected while it is filmed, as it would be unfilmed."""

    async def lost() -> None:
        await asyncio.get_running_loop().create_future()

    async def main() -> list[bool]:
        lives = []
        task = asyncio.create_task(lost())
        gone = weakref.ref(task)
        await asyncio.sleep(0)
        del task
        lives.append(gone() is not None)
        gc.collect()
        lives.append(gone() is not None)
        return lives

    async def quietly(main: Coroutine[Any, Any, Any]) -> Any:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        return await main

    assert fast(lambda: quietly(main())) == [True, False]
    run = fast(lambda: quietly(Camera().film(main())))
    assert run.result == [True, False]
    assert [(lane.name, lane.ending) for lane in run.lanes] == [("lost()", "lost")]
    assert run.pending == []


def test_two_at_once() -> None:
    """Two programs filmed at once on one loop are each seen without the other."""

    async def main(name: str, n: int) -> str:
        await asyncio.gather(*(one(f"{name}{i}") for i in range(n)))
        await one(name)
        return name

    async def both() -> list[Run]:
        bystander = asyncio.create_task(one("bystander", 0.5))
        runs = await asyncio.gather(Camera().film(main("a", 2)), Camera().film(main("b", 3)))
        await bystander
        return runs

    a, b = fast(both)
    assert (a.result, b.result) == ("a", "b")
    assert a.starts == ["one('a0', 1.0)", "one('a1', 1.0)", "one('a', 1.0)"]
    assert b.starts == ["one('b0', 1.0)", "one('b1', 1.0)", "one('b2', 1.0)", "one('b', 1.0)"]
    assert (a.max_in_flight, b.max_in_flight) == (2, 3)
    for run in (a, b):
        check_lanes(run)


def test_a_run_within_a_run() -> None:
    """A program that films a part of itself gets the run of that part."""

    async def main() -> Run:
        await one("outer")
        return await Camera().film(crowd(2))

    run = fast(lambda: Camera().film(main()))
    assert run.result.starts == ["one(0, 1.0)", "one(1, 1.0)"]
    assert "one('outer', 1.0)" in run.starts
    check_lanes(run)


async def a_loops_state() -> list[Any]:
    loop = asyncio.get_running_loop()
    return [loop.get_task_factory(), sorted(set(vars(loop)) & set(dir(type(loop))))]


@pytest.mark.parametrize("main", [crowd, leaves, boom, cancels_itself])
def test_the_loop_is_left_as_it_was(main: Any) -> None:
    """After a run, also a failed one, the loop makes tasks and calls as before."""

    async def around() -> None:
        before = await a_loops_state()
        with contextlib.suppress(asyncio.CancelledError):  # it leaves by the caller
            await Camera().film(main(2) if main is crowd else main("a") if main is boom else main())
        assert await a_loops_state() == before

    fast(around)


def test_two_that_overlap_leave_the_loop_as_it_was() -> None:
    """Also if the first to begin is the first to end, in whatever order."""

    async def around() -> None:
        before = await a_loops_state()
        for seconds in [(1.0, 3.0), (3.0, 1.0)]:
            first = asyncio.create_task(Camera().film(one("a", seconds[0])))
            await asyncio.sleep(0.5)
            second = asyncio.create_task(Camera().film(crowd(2)))
            await asyncio.wait([first, second])
            assert second.result().lane_count == 2
            assert await a_loops_state() == before

    fast(around)


def test_tasks_left_behind_go_on() -> None:
    """What a program leaves behind goes on, unfilmed, and finishes with its result."""

    async def around() -> tuple[Run, list[Any], str]:
        run = await Camera().film(leaves())
        before = [told(lane) for lane in run.lanes]
        results = await asyncio.gather(*asyncio.get_running_loop().tasks)
        assert [told(lane) for lane in run.lanes] == before
        return run, results, repr(run)

    run, results, text = fast(around)
    assert results == [0, 1]
    assert text == "1.00 s (real) · 2 lanes · at most 2 in flight · 2 left running"
    assert run.pending == ["one(0, 5.0)", "one(1, 5.0)"]
    assert told(run.lanes[0]) == "one(0, 5.0) 0-1 pending: one waiting for sleep 0-1"


class Marked(asyncio.Task[Any]):
    """A task of a factory of the program's own."""


@pytest.mark.parametrize("modern", [False, True])
def test_task_factory_of_the_program(modern: bool) -> None:
    """A factory that is set already goes on making the tasks, also one of the older kind."""

    def older(loop: Any, coroutine: Any) -> Marked:
        return Marked(coroutine, loop=loop)

    def newer(loop: Any, coroutine: Any, **options: Any) -> Marked:
        return Marked(coroutine, loop=loop, **options)

    factory = newer if modern else older
    if not modern and sys.version_info >= (3, 13, 3):
        pytest.skip("asyncio itself asks more of a factory here")

    async def kind(name: str) -> type:
        await asyncio.sleep(1)
        return type(asyncio.current_task())

    async def around() -> Run:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(factory)
        run = await Camera().film(main())
        assert loop.get_task_factory() is factory
        return run

    async def main() -> list[type]:
        assert asyncio.get_running_loop().get_task_factory() is factory
        return await asyncio.gather(kind("a"), kind("b"))

    run = fast(around)
    assert run.result == [Marked, Marked]
    assert run.starts == ["kind('a')", "kind('b')"]


def test_failing_task_factory() -> None:
    """An error of the program's own factory reaches the program, and the loop recovers."""

    def refuse(loop: Any, coroutine: Any, **options: Any) -> Any:
        coroutine.close()
        raise RuntimeError("no more tasks")

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(refuse)
        try:
            await asyncio.gather(one("a"))
        finally:
            asyncio.get_running_loop().set_task_factory(None)

    async def around() -> Run:
        before = await a_loops_state()
        run = await Camera().film(main())
        assert await a_loops_state() == before
        return run

    assert repr(fast(around).error) == "RuntimeError('no more tasks')"


def test_refused_task_factory() -> None:
    """What cannot make tasks is refused as without a camera, and the program goes on."""

    async def main() -> Any:
        loop = asyncio.get_running_loop()
        with pytest.raises(TypeError):
            loop.set_task_factory("no factory")
        assert loop.get_task_factory() is None
        return await asyncio.create_task(one("a"))

    assert fast(main) == "a"
    run = simulate(main)
    assert (run.result, run.lane_count) == ("a", 1)


def test_cancelling_the_one_who_films() -> None:
    """A cancellation from outside goes through to the program, and comes back out."""
    log = []

    async def main() -> None:
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            log.append("main")
            raise

    async def around() -> list[Any]:
        before = await a_loops_state()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await Camera().film(main())
        assert await a_loops_state() == before
        return log

    assert fast(around) == ["main"]


def test_exit_goes_through() -> None:
    """`SystemExit` and an interrupt are no failure of the program's: they are not kept."""

    async def main(error: type[BaseException]) -> None:
        raise error

    for error in (SystemExit, KeyboardInterrupt):
        with pytest.raises(error):
            fast(lambda error=error: Camera().film(main(error)))


def test_arguments_are_not_kept_alive() -> None:
    """What a coroutine lets go of goes, although its lane was named after its arguments."""

    class Thing:
        name = "thing"

    async def drops(thing: Thing) -> bool:
        gone = weakref.ref(thing)
        del thing
        await asyncio.sleep(0)
        gc.collect()
        return gone() is None

    async def main() -> bool:
        return await asyncio.create_task(drops(Thing()))

    run = simulate(main)
    assert run.result is True
    assert run.starts == ["drops('thing')"]


def test_what_a_cancelled_task_held_is_not_kept_alive() -> None:
    """It goes with the task, as without a camera, and need not wait for the garbage collector."""

    class Image: ...

    async def load(images: list[Any]) -> None:
        image = Image()
        images.append(weakref.ref(image))
        await asyncio.sleep(1)

    async def main() -> bool:
        images: list[Any] = []
        task = asyncio.create_task(load(images))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        del task
        return images[0]() is None

    gc.disable()
    try:
        assert fast(main)
        assert simulate(main).result
    finally:
        gc.enable()


def test_arguments_that_cannot_be_shown_are_left_out() -> None:
    """A number too long to be written, or a name that fails, disturbs no program."""

    class Nameless:
        @property
        def name(self) -> str:
            raise RuntimeError("no name")

    async def takes(number: int, thing: Nameless, last: str) -> str:
        return last

    async def main() -> str:
        return await asyncio.create_task(takes(10**5000, Nameless(), "x"))

    run = simulate(main)
    assert run.result == "x"
    assert run.starts == ["takes('x')"]


@pytest.mark.parametrize("catches", [False, True])
def test_a_program_that_is_stopped_leaves_its_task_as_it_was(catches: bool) -> None:
    """What comes after it in the same task is not cancelled, whether it caught that or not."""

    async def program() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            if not catches:
                raise
        return "caught"

    async def main() -> tuple[Run, int]:
        camera = Camera()
        camera.stop()  # which has not begun: nothing happens
        asyncio.get_running_loop().call_later(1, camera.stop)
        run = await camera.film(program())
        async with asyncio.timeout(1):
            await asyncio.sleep(0.5)
        task = asyncio.current_task()
        assert task is not None
        return run, task.cancelling()

    run, cancelling = fast(main)
    assert cancelling == 0
    assert repr(run.error) == ("None" if catches else "CancelledError()")


# --- Whose task it is ----------------------------------------------------------------------


LIBRARY = """
import asyncio

async def keep_alive():
    await asyncio.sleep(1)

async def hand_over(handler, *args):
    await asyncio.sleep(0)
    return await handler(*args)

async def fetch(name, handler=None):
    task = asyncio.create_task(keep_alive())
    if handler:
        served = asyncio.create_task(hand_over(handler, name))
        await served
    await task
    return name
"""


@pytest.fixture
def library() -> dict[str, Any]:
    """A package as if it were installed."""
    names: dict[str, Any] = {}
    path = sysconfig.get_path("purelib") + "/library/client.py"
    exec(compile(LIBRARY, path, "exec"), names)
    return names


def test_what_a_library_makes_for_its_own_ends_is_no_lane(library: dict[str, Any]) -> None:
    """Neither drawn nor counted; what the learner makes of its calls is, as ever."""
    fetch, keep_alive = library["fetch"], library["keep_alive"]

    async def mine(name: str) -> None:
        await fetch(name)

    async def main() -> None:
        await asyncio.gather(mine("a"), mine("b"), fetch("c"), keep_alive())

    run = simulate(main)
    assert run.starts == ["mine('a')", "mine('b')", "fetch('c', None)", "keep_alive()"]
    assert (run.lane_count, run.max_in_flight, run.pending) == (4, 4, [])
    assert {lane.parent for lane in run.lanes} == {-1}
    assert not any(s.turn for lane in run.lanes for s in lane.segments)


def test_a_librarys_task_that_runs_the_learners_call_is_a_lane(library: dict[str, Any]) -> None:
    """As with a server's handlers: it is called so, and counts from when it does."""
    fetch = library["fetch"]

    async def handle(name: str) -> None:
        await asyncio.sleep(2)

    async def main() -> None:
        await asyncio.gather(fetch("a", handle), fetch("b", handle))

    run = simulate(main)
    assert sorted(run.starts) == ["fetch('a')", "fetch('b')", "handle('a')", "handle('b')"]
    assert run.max_in_flight == 4
    names = {lane.number: lane.name for lane in run.lanes}
    made = {lane.name: names.get(lane.parent) for lane in run.lanes}
    assert made["handle('b')"] == "fetch('b')"


class Later:
    """Something that can be awaited."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __await__(self) -> Any:
        return asyncio.sleep(self.seconds).__await__()


class Stepwise(Later):
    def __await__(self) -> Any:
        yield from asyncio.sleep(self.seconds).__await__()


class Done(Later):
    def __await__(self) -> Any:
        return iter(())


def test_an_awaitable_is_called_by_its_class() -> None:
    """And not by what asyncio wraps it in; a library's by the call behind it."""

    async def main() -> None:
        await asyncio.gather(Stepwise(1), Stepwise(2), Later(3), Done(0))

    assert [name.partition("(")[0] for name in simulate(main).starts] == [
        "Stepwise",
        "Stepwise",
        "sleep",
        "Done",
    ]


def test_a_task_that_a_library_names_by_its_call_is_called_as_any_other() -> None:
    """With its arguments; a name that the learner gave stays."""

    async def main() -> None:
        name = f"{one.__module__}.{one.__qualname__}"
        await asyncio.gather(
            asyncio.create_task(one("a"), name=name), asyncio.create_task(one("b"), name="second")
        )

    assert simulate(main).starts == ["one('a', 1.0)", "second"]


def test_tasks_of_anyio_are_called_by_their_calls() -> None:
    """And who waits for its group waits for its turn."""
    anyio = pytest.importorskip("anyio")

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for name in ("a", "b"):
                group.start_soon(one, name)

    run = simulate(main)
    assert [name.partition(",")[0].rstrip(")") for name in run.starts] == ["one('a'", "one('b'"]
    assert {s.turn for s in run.root.segments if s.end > s.start} == {True}


def test_each_lane_knows_who_made_it() -> None:
    """Through gather, groups and plain tasks, however deep."""

    async def branch(name: str, depth: int) -> None:
        if depth:
            async with asyncio.TaskGroup() as group:
                for side in "lr":
                    group.create_task(branch(name + side, depth - 1))
        await asyncio.sleep(1)

    async def main() -> None:
        await asyncio.gather(branch("a", 2), branch("b", 0))

    lanes = simulate(main).lanes
    for lane in lanes:
        name = lane.name.split("'")[1]
        parent = lanes[lane.parent].name.split("'")[1] if lane.parent >= 0 else ""
        assert parent == name[:-1]
        assert lanes[lane.number] is lane


@pytest.mark.parametrize("how", ["to_thread", "executor"])
def test_a_thread_is_the_world(how: str) -> None:
    """And a task of `to_thread` is called by what runs there."""

    async def main() -> None:
        if how == "to_thread":
            await asyncio.gather(asyncio.to_thread(time.sleep, 0.05))
        else:
            await asyncio.create_task(executes(), name="executes")

    async def executes() -> None:
        await asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.05)

    run = asyncio.run(record(main()))
    (lane,) = run.lanes
    assert lane.name == ("to_thread(sleep, 0.05)" if how == "to_thread" else "executes")
    assert {(s.what, s.turn) for s in lane.segments if s.state == "waiting"} == {(how, False)}
