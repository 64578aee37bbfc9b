"""The calls that the root awaits directly: when each began, ended and how, and what it kept."""

import asyncio
import weakref
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from typing import Any

import pytest
from test_trace import film, one

from helpers.camera.clock import busy, simulate


class Thing:
    """Something that can be watched as it goes."""


async def holds_a_thing(gone: list[str], fails: bool = False) -> None:
    thing = Thing()
    weakref.finalize(thing, gone.append, "gone")
    await asyncio.sleep(1)
    if fails:
        raise ValueError


@pytest.mark.parametrize("fails", [False, True])
def test_what_a_call_held_is_gone_when_it_has_ended(fails: bool) -> None:
    """In the very step in which it ends, before its caller does another thing."""
    gone: list[str] = []
    seen: list[list[str]] = []

    async def main() -> None:
        with suppress(ValueError):
            await holds_a_thing(gone, fails)
        seen.append(list(gone))
        await asyncio.sleep(1)

    run = simulate(main)
    assert seen == [["gone"]]
    assert [lane.ending for lane in run.lanes] == ["failed" if fails else "done"]


def test_what_a_call_by_name_held_is_gone_at_the_end_of_the_step() -> None:
    """Its coroutine is still held when it has ended."""
    gone: list[str] = []

    async def main() -> None:
        call = holds_a_thing(gone)
        await call
        await asyncio.sleep(1)
        assert gone == ["gone"] and call is not None

    assert simulate(main).error is None


def test_a_call_ends_in_the_middle_of_a_step() -> None:
    """What its caller computes after it is the caller's, and not the call's."""

    async def main() -> None:
        await one("a")
        busy(2)
        await one("b")

    told = (
        "main waiting for one('a', 1.0) 0-1, main running 1-3, main waiting for one('b', 1.0) 3-4"
    )
    assert film(main) == [
        f"main() 0-4 done: {told}",
        "one('a', 1.0) 0-1 done: one waiting for sleep 0-1",
        "one('b', 1.0) 3-4 done: one waiting for sleep 3-4",
    ]


# --- Generators that are left --------------------------------------------------------------


async def ticks(cleans_up: bool = False) -> AsyncIterator[int]:
    try:
        for tick in range(9):
            await asyncio.sleep(1)
            yield tick
    finally:
        if cleans_up:
            await asyncio.sleep(0.5)


async def by_break() -> None:
    async for _ in ticks():
        break
    await asyncio.sleep(5)


async def by_break_with_a_name() -> None:
    generator = ticks()
    async for _ in generator:
        break
    await asyncio.sleep(5)
    await generator.aclose()  # type: ignore[attr-defined]


async def by_aclosing() -> None:
    async with aclosing(ticks()) as generator:  # type: ignore[type-var]
        async for _ in generator:
            break
    await asyncio.sleep(5)


async def by_aclosing_that_cleans_up() -> None:
    async with aclosing(ticks(cleans_up=True)) as generator:  # type: ignore[type-var]
        async for _ in generator:
            break
    await asyncio.sleep(5)


async def by_an_error() -> None:
    with suppress(ValueError):
        async for _ in ticks():
            raise ValueError
    await asyncio.sleep(5)


@pytest.mark.parametrize(
    "main", [by_break, by_break_with_a_name, by_aclosing, by_aclosing_that_cleans_up, by_an_error]
)
def test_leaving_a_generator_is_drawn_as_it_was(main: Any) -> None:
    """Nobody holds the loop, nothing is left running, and the generator has ended well."""
    run = simulate(main)
    assert (run.error, run.held, run.pending) == (None, 0.0, [])
    (lane,) = (lane for lane in run.lanes if lane.name.startswith("ticks"))
    assert lane.ending == "done"
    assert run.seconds == (6.5 if main is by_aclosing_that_cleans_up else 6.0)


def test_a_generator_that_fails_has_failed() -> None:
    """It did not only stop."""

    async def breaks() -> AsyncIterator[int]:
        await asyncio.sleep(1)
        yield 1
        raise ValueError

    async def main() -> None:
        with suppress(ValueError):
            async for _ in breaks():
                pass
        await asyncio.sleep(1)

    (lane,) = simulate(main).lanes
    assert lane.ending == "failed"


def test_a_root_that_is_cancelled_cancels_its_call() -> None:
    """And not fails it."""

    async def main() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                await one("a")

    assert [lane.ending for lane in simulate(main).lanes] == ["cancelled"]


@pytest.mark.parametrize("how", ["runs out", "fails", "is closed"])
def test_a_generator_that_ends_without_waiting_has_ended_then(how: str) -> None:
    """And what it held is gone then, and it is in flight no longer."""
    gone: list[float] = []

    async def pages() -> AsyncIterator[int]:
        loop = asyncio.get_running_loop()
        thing = Thing()
        weakref.finalize(thing, lambda: gone.append(loop.time()))
        await asyncio.sleep(1)
        yield 1
        if how == "fails":
            raise ValueError
        if how == "is closed":
            yield 2

    async def main() -> None:
        generator = pages()
        with suppress(ValueError):
            async for _ in generator:
                await one("save")
                if how == "is closed":
                    await generator.aclose()  # type: ignore[attr-defined]
                    break
        del generator
        await one("later", 10.0)

    run = simulate(main)
    (lane,) = (lane for lane in run.lanes if lane.name == "pages()")
    assert (lane.end, lane.ending) == (2.0, "failed" if how == "fails" else "done")
    assert gone == [2.0]
    assert run.finishes.index("pages()") < run.finishes.index("one('later', 10.0)")


# --- What it failed with, what it made -----------------------------------------------------


async def fails(kind: type[BaseException], deep: bool = False) -> None:
    await asyncio.sleep(1)
    if deep:
        await fails(kind)
    async with asyncio.Lock():  # which looks at the error as it goes by
        raise kind("why")


@pytest.mark.parametrize("kind", [ValueError, FileNotFoundError, KeyError, ExceptionGroup])
@pytest.mark.parametrize("deep", [False, True])
def test_the_error_of_a_direct_call_has_a_name(kind: type[Exception], deep: bool) -> None:
    """Whatever becomes of it: swallowed, kept, turned into another one, or the run's."""
    if kind is ExceptionGroup:
        kind = type("Grouped", (ValueError,), {})
    kept: list[Exception] = []

    async def main() -> None:
        with suppress(Exception):
            await fails(kind, deep)
        try:
            await fails(kind, deep)
        except Exception as error:
            kept.append(error)
        try:
            await fails(kind, deep)
        except Exception as error:
            raise RuntimeError from error

    run = simulate(main)
    assert [(lane.ending, lane.error) for lane in run.lanes] == [("failed", kind.__name__)] * 3
    assert run.root.error == "RuntimeError"


def test_the_error_of_a_direct_call_is_not_that_of_another() -> None:
    """Errors that were made and not raised, or belong to others, are not taken for it."""
    made: list[Exception] = []

    async def other() -> None:
        with suppress(OSError):
            await fails(OSError)
        made.append(TypeError("never raised"))
        await fails(ValueError)

    async def main() -> None:
        with suppress(ValueError):
            await other()

    (lane,) = simulate(main).lanes
    assert lane.error == "ValueError"


def test_nothing_is_kept_of_the_error() -> None:
    """It goes when the program lets it go."""

    async def main() -> bool:
        thing = Thing()
        gone = weakref.ref(thing)

        async def holds(thing: Thing) -> None:
            await asyncio.sleep(1)
            raise ValueError

        with suppress(ValueError):
            await holds(thing)
        del thing
        return gone() is None

    assert simulate(main).result


def test_what_a_direct_call_makes_is_its_own() -> None:
    """Also in the very step in which it began, when it is no lane yet, and after it waited."""

    async def spawns(name: str, first: float) -> None:
        await asyncio.sleep(first)
        await asyncio.gather(one(f"{name}1"), one(f"{name}2"))

    async def main() -> None:
        kept = asyncio.create_task(one("c"))
        await spawns("a", 0)
        await spawns("b", 1)
        await kept

    run = simulate(main)
    names = {lane.number: lane.name for lane in run.lanes} | {-1: "root"}
    assert {lane.name: names[lane.parent] for lane in run.lanes} == {
        "one('c', 1.0)": "root",
        "spawns('a', 0)": "root",
        "one('a1', 1.0)": "spawns('a', 0)",
        "one('a2', 1.0)": "spawns('a', 0)",
        "spawns('b', 1)": "root",
        "one('b1', 1.0)": "spawns('b', 1)",
        "one('b2', 1.0)": "spawns('b', 1)",
    }


def test_a_call_that_never_ends_waits_to_the_end_of_the_run() -> None:
    """And its caller for it: neither runs because nothing is filmed any more."""

    async def forever() -> None:
        await asyncio.get_running_loop().create_future()

    async def main() -> None:
        other = asyncio.create_task(asyncio.sleep(3))
        await asyncio.sleep(1)
        await forever()
        await other

    run = simulate(main)
    lane = next(lane for lane in run.lanes if lane.name == "forever()")
    assert (lane.ending, lane.start, lane.end) == ("pending", 1.0, 3.0)
    assert [(s.what, s.end) for s in lane.segments if s.end > s.start] == [("Future", 3.0)]
    waits = [(s.state, s.what, s.end) for s in run.root.segments if s.end > s.start]
    assert waits == [("waiting", "sleep", 1.0), ("waiting", "forever()", 3.0)]
