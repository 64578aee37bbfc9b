"""Random programs of coroutines: what holds for each of them holds for all."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable, Iterator
from typing import Any, TypeAlias

from hypothesis import strategies as st

from helpers.camera.clock import busy
from helpers.camera.fastforward import FastForwardLoop

Node: TypeAlias = tuple[str, int, list[Any]]  # its kind, how many units of time, and what is in it

LEAVES = (
    "sleep", "hold", "yield", "fail", "resign", "put", "get", "set", "await_set", "notify",
    "await_notice",
)  # fmt: skip
MANY = (
    "call", "gather", "settle", "group", "spawn", "first", "wait", "each", "limit", "loop",
    "workers",
)  # fmt: skip
AROUND = ("timeout", "wait_for", "cancel", "shield", "lock", "stubborn")


def trees(without: tuple[str, ...] = (), longest: int = 3) -> st.SearchStrategy[Node]:
    """Random programs, built of all kinds but those `without`."""
    units = st.integers(0, longest)

    def kinds(names: tuple[str, ...]) -> st.SearchStrategy[str]:
        return st.sampled_from([name for name in names if name not in without])

    tree = st.recursive(
        st.tuples(kinds(LEAVES), units, st.just([])),
        lambda inner: st.one_of(
            st.tuples(kinds(MANY), units, st.lists(inner, max_size=3)),
            st.tuples(kinds(AROUND), units, st.lists(inner, min_size=1, max_size=1)),
        ),
        max_leaves=12,
    )
    crowd = st.tuples(kinds(("gather", "settle", "group")), units, st.lists(tree, min_size=3))
    return tree | crowd  # of their own accord most would be too small to meet anybody


class Program:
    """A small random program that keeps a log of its own.

    With `delays`, no two of its timers are ever due in the same unit of time, so that its order
    is determined: the first run finds a moment for each, and others keep to what it has found.
    """

    def __init__(
        self, tree: Node, unit: float = 0.01, delays: dict[Hashable, int] | None = None
    ) -> None:
        self.tree, self.unit, self.delays = tree, unit, delays
        self.taken: set[int] = set()
        self.held = 0.0
        self.log: list[Any] = []
        self.left: list[Any] = []

    async def main(self) -> Any:
        self.queue: asyncio.Queue[int] = asyncio.Queue(maxsize=2)
        self.semaphore = asyncio.Semaphore(2)
        self.lock = asyncio.Lock()
        self.event = asyncio.Event()
        self.condition = asyncio.Condition()
        try:
            return await self.run(self.tree, (0,))
        finally:
            for task in self.left:
                task.cancel()
            self.note("end", ())

    @property
    def steps(self) -> list[Any]:
        """What happened, in order, without the times."""
        return [step[:2] for step in self.log]

    def note(self, what: str, path: Hashable) -> None:
        self.log.append((what, path, round(asyncio.get_running_loop().time(), 6)))

    def after(self, k: int, path: Hashable) -> float:
        """In how many seconds the one timer of `path` is due, which wants `k` units."""
        if self.delays is not None and k:
            if path not in self.delays:
                now = round(asyncio.get_running_loop().time() / self.unit)
                due = next(due for due in itertools.count(now + k) if due not in self.taken)
                self.taken.add(due)
                self.delays[path] = due - now
            k = self.delays[path]
        return k * self.unit

    async def run(self, node: Node, path: tuple[Any, ...]) -> Any:
        kind, k, inner = node
        self.note(kind, path)
        try:
            result = await getattr(self, "do_" + kind)(k, inner, path)
        except BaseException as error:
            self.note(type(error).__name__, path)
            raise
        self.note("ok", path)
        return result

    def all(self, inner: list[Node], path: Any) -> list[Coroutine[Any, Any, Any]]:
        return [self.run(node, (*path, i)) for i, node in enumerate(inner)]

    def tasks(self, inner: list[Node], path: Any) -> list[asyncio.Task[Any]]:
        tasks = [asyncio.create_task(each) for each in self.all(inner, path)]
        self.left += tasks
        return tasks

    async def do_sleep(self, k: int, _: Any, path: Any) -> int:
        return await asyncio.sleep(self.after(k, path), k)

    async def do_hold(self, k: int, _: Any, path: Any) -> None:
        seconds = self.after(k, path)
        self.held += seconds
        busy(seconds)

    async def do_yield(self, k: int, _: Any, path: Any) -> None:
        for _ in range(k):
            await asyncio.sleep(0)

    async def do_fail(self, k: int, _: Any, path: Any) -> None:
        await asyncio.sleep(self.after(k, path))
        raise ValueError(path)

    async def do_resign(self, k: int, _: Any, path: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(self.after(k, path))

    async def do_put(self, k: int, _: Any, path: Any) -> None:
        async with asyncio.timeout(self.after(k, path)):
            await self.queue.put(k)

    async def do_get(self, k: int, _: Any, path: Any) -> int:
        async with asyncio.timeout(self.after(k, path)):
            return await self.queue.get()

    async def do_set(self, k: int, _: Any, path: Any) -> None:
        await asyncio.sleep(self.after(k, path))
        self.event.set()

    async def do_await_set(self, k: int, _: Any, path: Any) -> None:
        async with asyncio.timeout(self.after(k, path)):
            await self.event.wait()
        self.event.clear()

    async def do_notify(self, k: int, _: Any, path: Any) -> None:
        async with self.condition:
            await asyncio.sleep(self.after(k, path))
            self.condition.notify()

    async def do_await_notice(self, k: int, _: Any, path: Any) -> None:
        async with asyncio.timeout(self.after(k, path)), self.condition:
            await self.condition.wait()

    async def do_call(self, k: int, inner: Any, path: Any) -> list[Any]:
        return [await each for each in self.awaited(inner, path)]

    def awaited(self, inner: Any, path: Any) -> Iterator[Coroutine[Any, Any, Any]]:
        return (self.run(node, (*path, i)) for i, node in enumerate(inner))

    async def do_gather(self, k: int, inner: Any, path: Any) -> Any:
        return await asyncio.gather(*self.all(inner, path))

    async def do_settle(self, k: int, inner: Any, path: Any) -> Any:
        return list(map(repr, await asyncio.gather(*self.all(inner, path), return_exceptions=True)))

    async def do_group(self, k: int, inner: Any, path: Any) -> Any:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in self.all(inner, path)]
        return [task.result() for task in tasks]

    async def do_spawn(self, k: int, inner: Any, path: Any) -> None:
        self.tasks(inner, path)

    async def do_first(self, k: int, inner: Any, path: Any) -> int:
        if not inner:
            return 0
        when = asyncio.FIRST_EXCEPTION if k % 2 else asyncio.FIRST_COMPLETED
        done, _ = await asyncio.wait(self.tasks(inner, path), return_when=when)
        return len(done)

    async def do_wait(self, k: int, inner: Any, path: Any) -> int:
        if not inner:
            return 0
        timeout = self.after(k, path) or None
        done, _ = await asyncio.wait(self.tasks(inner, path), timeout=timeout)
        return len(done)

    async def do_each(self, k: int, inner: Any, path: Any) -> list[Any]:
        # As a set has no order, `as_completed` starts its tasks in any order: these have begun.
        tasks = self.tasks(inner, path)
        timeout = self.after(k, path) or None
        return [await each for each in asyncio.as_completed(tasks, timeout=timeout)]

    async def do_limit(self, k: int, inner: Any, path: Any) -> Any:
        async def limited(i: int, node: Node) -> Any:
            async with asyncio.timeout(self.after(k + 1, (*path, i, ""))), self.semaphore:
                return await self.run(node, (*path, i))

        return await asyncio.gather(*itertools.starmap(limited, enumerate(inner)))

    async def do_loop(self, k: int, inner: Any, path: Any) -> list[Any]:
        async def results() -> AsyncIterator[Any]:
            try:
                for each in self.awaited(inner, path):
                    yield await each
            finally:
                self.note("closed", path)
                await asyncio.sleep(self.after(k, path))

        seen = []
        async for result in results():
            seen.append(result)
            if len(seen) == 2:
                break
        return seen

    async def do_workers(self, k: int, inner: Any, path: Any) -> None:
        work: asyncio.Queue[Any] = asyncio.Queue()

        async def worker() -> None:
            while not work.empty():
                i, node = work.get_nowait()
                try:
                    await self.run(node, (*path, i))
                finally:
                    work.task_done()

        for task in enumerate(inner):
            work.put_nowait(task)
        workers = [asyncio.create_task(worker()) for _ in range(k % 2 + 1)]
        try:
            async with asyncio.timeout(self.after(k + 1, path)):
                await work.join()
        finally:
            for each in workers:
                each.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def do_timeout(self, k: int, inner: Any, path: Any) -> Any:
        async with asyncio.timeout(self.after(k, path)):
            return await self.run(inner[0], (*path, 0))

    async def do_wait_for(self, k: int, inner: Any, path: Any) -> Any:
        return await asyncio.wait_for(self.run(inner[0], (*path, 0)), self.after(k, path))

    async def do_cancel(self, k: int, inner: Any, path: Any) -> Any:
        (task,) = self.tasks(inner, path)
        await asyncio.sleep(self.after(k, path))
        task.cancel()
        return await task

    async def do_shield(self, k: int, inner: Any, path: Any) -> Any:
        (task,) = self.tasks(inner, path)
        return await asyncio.shield(task)

    async def do_lock(self, k: int, inner: Any, path: Any) -> Any:
        async with asyncio.timeout(self.after(k + 1, path)), self.lock:
            return await self.run(inner[0], (*path, 0))

    async def do_stubborn(self, k: int, inner: Any, path: Any) -> Any:
        try:
            return await self.run(inner[0], (*path, 0))
        except asyncio.CancelledError:
            await asyncio.sleep(self.after(k, path))


# --- Running them --------------------------------------------------------------------------


class Ordered(asyncio.Task[Any]):
    """A task whose place in a set is always the same: groups cancel in the order of a set."""

    numbers = itertools.count()

    def __init__(self, coroutine: Any, **options: Any) -> None:
        self.number = next(self.numbers)
        super().__init__(coroutine, **options)

    def __hash__(self) -> int:
        return self.number

    def __eq__(self, other: object) -> bool:
        return self is other


async def in_order(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Await `coroutine` on a loop that makes ordered tasks, and cancels them in order at the end.

    The loop's own way to cancel those that are left goes through a set of them and others.
    """
    Ordered.numbers = itertools.count()
    asyncio.get_running_loop().set_task_factory(
        lambda loop, coroutine, **options: Ordered(coroutine, loop=loop, **options)
    )
    try:
        return await coroutine
    finally:
        while left := [task for task in asyncio.all_tasks() if isinstance(task, Ordered)]:
            for task in sorted(left, key=hash):
                task.cancel()
            await asyncio.wait(left)


def fast(main: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> Any:
    """Run without a camera, on a fast-forward loop."""
    with asyncio.Runner(loop_factory=FastForwardLoop) as runner:
        return runner.run(main(*args))


def outcome(result: Any = None, error: BaseException | None = None) -> str:
    """A result or an error, with all that a group of errors holds, in words."""
    if isinstance(error, BaseExceptionGroup):
        return f"{error} {[outcome(error=each) for each in error.exceptions]}"
    return repr(result if error is None else error)
