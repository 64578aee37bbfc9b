"""The await chain: whose call is at its end, what it waits for, until when, and in which line."""

import asyncio
import contextlib
import doctest
import enum
import json
import pathlib
import types
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from typing import Any, NamedTuple

import pytest
from hypothesis import given

from helpers.camera import chain, clock
from helpers.camera.chain import arguments, call_name, follow_awaits, is_own
from helpers.camera.cpython import code_of
from helpers.world import load


def test_examples() -> None:
    """The examples in the docstrings give what they say."""
    result = doctest.testmod(chain)
    assert result.attempted and not result.failed


# --- Whose code ----------------------------------------------------------------------------


def test_own_is_what_is_no_library() -> None:
    """Tests and the pretend work are the learner's own; libraries and the camera are not."""
    assert is_own(test_own_is_what_is_no_library.__code__)
    assert is_own(load.load_data.__code__)
    for library in (
        asyncio.sleep,
        json.dumps,
        given,
        pytest.main,
        clock.simulate,
        chain.follow_awaits,
    ):
        assert not is_own(library.__code__)


@pytest.mark.parametrize(
    ("filename", "own"),
    [
        ("/tmp/ipykernel_42/3141592653.py", True),
        ("<stdin>", True),
        ("<ipython-input-1-abc>", True),
        ("/home/me/project/loaders.py", True),
        ("<frozen importlib._bootstrap>", False),
        (asyncio.__file__, False),
        (str(pathlib.Path(clock.__file__).with_name("plot.py")), False),
        (str(pathlib.Path(clock.__file__).parent.with_name("world") / "infer.py"), True),
    ],
)
def test_own_by_file_name(filename: str, own: bool) -> None:
    """Cells of a notebook are the learner's own, frozen modules and the camera are not."""
    assert is_own(compile("", filename, "exec")) is own


class Store:
    async def load(self) -> None: ...


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (test_examples, "test_examples"),
        (Store.load, "Store.load"),
        (asyncio.sleep, "sleep"),
        (asyncio.Semaphore.acquire, "Semaphore.acquire"),
        (asyncio.TaskGroup.__aexit__, "TaskGroup"),
    ],
)
def test_call_name(function: Any, name: str) -> None:
    """Calls go by the names that people know, with their class; inner business is cut off."""
    assert call_name(function.__code__) == name


def test_call_name_of_inner_functions() -> None:
    """A function defined in a function goes by its own name."""

    async def one() -> None: ...

    assert call_name(one.__code__) == "one"


# --- What it waits for ---------------------------------------------------------------------


async def forever() -> None:
    await asyncio.Event().wait()


async def sleeps() -> None:
    await asyncio.sleep(5)


async def nested() -> None:
    await sleeps()


async def acquires() -> None:
    async with asyncio.Semaphore(0):
        pass


async def locks() -> None:
    lock = asyncio.Lock()
    async with lock, lock:
        pass


async def gets() -> None:
    await asyncio.Queue().get()


async def puts() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue(1)
    await queue.put(1)
    await queue.put(2)


async def joins() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()
    queue.put_nowait(1)
    await queue.join()


async def notified() -> None:
    condition = asyncio.Condition()
    async with condition:
        await condition.wait()


async def meets() -> None:
    await asyncio.Barrier(2).wait()


async def groups() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(forever())


async def waits() -> None:
    await asyncio.wait([asyncio.ensure_future(forever())])


async def as_they_come() -> None:
    for task in asyncio.as_completed([forever()]):
        await task


async def rows() -> AsyncIterator[int]:
    await asyncio.sleep(5)
    yield 1


async def loops() -> None:
    async for _ in rows():
        pass


async def comprehends() -> None:
    [row async for row in rows()]


async def asks() -> None:
    await anext(rows())


async def asks_with_default() -> None:
    await anext(rows(), None)


@contextlib.asynccontextmanager
async def opened() -> AsyncIterator[None]:
    await asyncio.sleep(5)
    yield


async def opens() -> None:
    async with opened():
        pass


async def streams() -> None:
    await asyncio.StreamReader().read()


async def promises() -> None:
    await asyncio.get_running_loop().create_future()


class Later:
    def __await__(self) -> Generator[Any, Any, None]:
        yield from asyncio.sleep(5).__await__()


async def awaits_an_object() -> None:
    await Later()


@types.coroutine
def old_style() -> Generator[Any, Any, None]:
    yield from asyncio.sleep(5).__await__()


async def awaits_old_style() -> None:
    await old_style()


CHAINS: list[tuple[Callable[[], Coroutine[Any, Any, None]], str, str | None]] = [
    (forever, "forever", "Event.wait"),
    (sleeps, "sleeps", "sleep"),
    (nested, "sleeps", "sleep"),
    (acquires, "acquires", "Semaphore.acquire"),
    (locks, "locks", "Lock.acquire"),
    (gets, "gets", "Queue.get"),
    (puts, "puts", "Queue.put"),
    (joins, "joins", "Queue.join"),
    (notified, "notified", "Condition.wait"),
    (meets, "meets", "Barrier.wait"),
    (groups, "groups", "TaskGroup"),
    (waits, "waits", "wait"),
    (as_they_come, "as_they_come", "as_completed"),
    (loops, "rows", "sleep"),
    (comprehends, "rows", "sleep"),
    (asks, "rows", "sleep"),
    (asks_with_default, "rows", "sleep"),
    (opens, "opened", "sleep"),
    (streams, "streams", "StreamReader.read"),
    (promises, "promises", None),
    (awaits_an_object, "Later.__await__", "sleep"),
    (awaits_old_style, "old_style", "sleep"),
]


async def looked_at(
    program: Callable[[], Coroutine[Any, Any, None]], timed: bool = True
) -> tuple[Any, ...]:
    """What `look` sees of `program` once it waits, and when it began to."""
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(program())
    before = loop.time()
    for _ in range(3):
        await asyncio.sleep(0)
    seen = follow_awaits(task.get_coro(), timed)
    for other in asyncio.all_tasks() - {asyncio.current_task()}:
        other.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return *seen, before


@pytest.mark.parametrize(("program", "call", "what"), CHAINS, ids=[c[0].__name__ for c in CHAINS])
def test_look(
    program: Callable[[], Coroutine[Any, Any, None]], call: str, what: str | None
) -> None:
    """Each way to wait shows the innermost call of the learner's own, and what for."""
    own, code, _, waits_for, until, turn, before = asyncio.run(looked_at(program))
    assert call_name(code) == call
    assert (None if waits_for is None else call_name(waits_for)) == what
    assert code_of(own[0]) is program.__code__
    assert code_of(own[-1]) is code
    assert (until is not None) == (what == "sleep")
    assert turn == (what not in ("sleep", "StreamReader.read", None))
    if until is not None:  # the five seconds of the sleep, with room for a slow machine
        assert 5 <= until - before < 8


def test_look_without_timer() -> None:
    """If not asked for the timer, `look` leaves it alone."""
    *_, until, _, _ = asyncio.run(looked_at(sleeps, timed=False))
    assert until is None


def test_look_into_a_library_alone() -> None:
    """With no call of the learner's own on the chain, the outermost one stands for it."""
    own, code, *_ = asyncio.run(looked_at(lambda: asyncio.sleep(5)))
    assert own == []
    assert call_name(code) == "sleep"


# --- With which arguments ------------------------------------------------------------------


class Named:
    name = "shard"


class Oddly:
    name = 5


async def call(a: Any, b: Any = None, c: Any = "c", *rest: Any, only: Any = 1) -> None:
    """Has arguments of all kinds."""


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ((1,), ("1", "None")),
        ((1.5, True), ("1.5", "True")),
        (("a" * 24,), (repr("a" * 24), "None")),
        (("a" * 25,), (repr("a" * 23 + "…"), "None")),
        ((pathlib.Path("data/one.csv"), b"bytes"), ("'one.csv'", "'c'")),
        ((object(), Named(), 3), ("'shard'", "3")),
        ((Oddly(), [1], {}), ()),
        ((object(), object(), object(), 7), ()),
    ],
)
def test_arguments(given: tuple[Any, ...], shown: tuple[str, ...]) -> None:
    """The first two that can be shown shortly are; what has no short form is left out."""
    coroutine = call(*given)
    assert arguments(coroutine.cr_frame) == shown
    coroutine.close()


def test_nothing_of_an_argument_is_run_to_name_a_lane() -> None:
    """Neither a property nor a `__getattr__`; plain attributes, slots and fields are shown."""

    class Asked:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(name)

    class Property:
        @property
        def name(self) -> str:
            raise AssertionError

    class Slots:
        __slots__ = ("name",)

    class Pair(NamedTuple):
        name: str

    class Colour(enum.Enum):
        RED = 1

    class Text(str):
        def __repr__(self) -> str:
            raise AssertionError

    class Task(asyncio.Future[Any]):
        """Of a class whose `__dict__` is not to be had."""

    slots = Slots()
    slots.name = "slots"
    for value in (Asked(), Property(), Text("text"), Asked, Task(loop=asyncio.new_event_loop())):
        coroutine = call(value, 7)
        assert arguments(coroutine.cr_frame) == ("7", "'c'")
        coroutine.close()
        if isinstance(value, Task):
            value.get_loop().close()
    for value, shown in ((slots, "'slots'"), (Pair("pair"), "'pair'"), (Colour.RED, "'RED'")):
        coroutine = call(value, 7)
        assert arguments(coroutine.cr_frame) == (shown, "7")
        coroutine.close()


def test_arguments_of_nothing() -> None:
    """A call without arguments, or without a frame, shows none; more can be asked for."""
    coroutine = forever()
    assert arguments(coroutine.cr_frame) == arguments(None) == ()
    coroutine.close()
    coroutine = call(1, 2, 3)
    assert arguments(coroutine.cr_frame, most=3) == ("1", "2", "3")
    assert arguments(coroutine.cr_frame, most=1) == ("1",)
    coroutine.close()
