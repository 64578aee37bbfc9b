"""The checks of notebook 02 tell a right answer from a plausible one, and what it says holds."""

import asyncio
import subprocess
import sys
import threading
import time
from collections import deque
from heapq import heappop, heappush
from itertools import count
from typing import Any

import pytest

import helpers.checks.answers
from helpers.checks.event_loop import check_loop, check_polite


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What never ends is given up sooner than in class."""
    monkeypatch.setattr(helpers.checks.answers, "_PATIENCE", 1.0)


def a_loop(
    *coroutines,
    clock,
    wait,
    catch=Exception,
    heap=True,
    ties=True,
    keep=True,
    order=True,
    line=True,
) -> Any:
    """The loop of the notebook, and what becomes of it with one thing wrong."""
    ready = deque(coroutines)
    timers: list[Any] = []
    numbers = count() if ties else count(0, -1)
    results: dict[Any, Any] = {}
    while ready or timers:
        if not ready:
            wait(max(0, timers[0][0] - clock()))
        while timers and timers[0][0] <= clock():
            ready.append(heappop(timers)[2] if heap else timers.pop(0)[2])
        if ready:
            coroutine = ready.popleft() if line else ready.pop()
            try:
                entry = clock() + coroutine.send(None), next(numbers), coroutine
                heappush(timers, entry) if heap else timers.append(entry)
            except StopIteration as stop:
                results[coroutine] = stop.value
            except catch as error:
                if keep:
                    results[coroutine] = error
    return [results[c] for c in coroutines if c in results] if order else list(results.values())


# --- run_all: right ones ---


def loop_by_sorting(*coroutines, clock, wait):
    """A sorted list instead of a heap, and times instead of a line."""
    line = [(clock(), place, coroutine) for place, coroutine in enumerate(coroutines)]
    results = [None] * len(coroutines)
    numbers = count(len(line))
    places = {coroutine: place for place, coroutine in enumerate(coroutines)}
    while line:
        line.sort(key=lambda entry: entry[:2])
        due, _, coroutine = line.pop(0)
        if due > clock():
            wait(due - clock())
        try:
            line.append((clock() + coroutine.send(None), next(numbers), coroutine))
        except StopIteration as stop:
            results[places[coroutine]] = stop.value
        except Exception as error:
            results[places[coroutine]] = error
    return results


# --- and wrong ones ---


def loop_stub(*coroutines, clock, wait):
    return a_loop(*coroutines, clock=clock, wait=wait, catch=())


def loop_only_connections(*coroutines, clock, wait):
    return a_loop(*coroutines, clock=clock, wait=wait, catch=ConnectionError)


def loop_catches_stop_button(*coroutines, clock, wait):
    return a_loop(*coroutines, clock=clock, wait=wait, catch=BaseException)


def loop_drops_errors(*coroutines, clock, wait):
    return a_loop(*coroutines, clock=clock, wait=wait, keep=False)


def loop_as_they_end(*coroutines, clock, wait):
    return a_loop(*coroutines, clock=clock, wait=wait, order=False)


def loop_no_heap(*coroutines, clock, wait):
    return a_loop(*coroutines, clock=clock, wait=wait, heap=False)


def loop_unfair(*coroutines, clock, wait):
    return a_loop(*coroutines, clock=clock, wait=wait, ties=False)


def loop_by_a_stack(*coroutines, clock, wait):
    return a_loop(*coroutines, clock=clock, wait=wait, line=False)


def loop_one_by_one(*coroutines, clock, wait):
    results = []
    for coroutine in coroutines:
        try:
            while True:
                wait(coroutine.send(None))
        except StopIteration as stop:
            results.append(stop.value)
        except Exception as error:
            results.append(error)
    return results


def loop_really_sleeps(*coroutines, clock, wait):
    return a_loop(*coroutines, clock=clock, wait=lambda s: (time.sleep(s), wait(s)))


def loop_sleeps_in(*coroutines, clock, wait):
    return a_loop(*coroutines, clock=clock, wait=lambda seconds: wait(seconds + 0.05))


def loop_says_error(*coroutines, clock, wait):
    found = a_loop(*coroutines, clock=clock, wait=wait)
    return [str(item) if isinstance(item, Exception) else item for item in found]


def loop_nothing(*coroutines, clock, wait):
    pass


async def loop_async(*coroutines, clock, wait):
    return a_loop(*coroutines, clock=clock, wait=wait)


def loop_without_knobs(*coroutines):
    return []


def loop_stop_iteration_too(*coroutines, clock, wait):
    """`except Exception` stands before `except StopIteration`."""
    line, results, numbers = deque(coroutines), {}, count()
    timers: list[Any] = []
    while line or timers:
        if not line:
            wait(max(0, timers[0][0] - clock()))
        while timers and timers[0][0] <= clock():
            line.append(heappop(timers)[2])
        if line:
            coroutine = line.popleft()
            try:
                heappush(timers, (clock() + coroutine.send(None), next(numbers), coroutine))
            except Exception as error:
                results[coroutine] = error
    return [results[coroutine] for coroutine in coroutines]


def loop_never_waits(*coroutines, clock, wait):
    return a_loop(*coroutines, clock=clock, wait=lambda seconds: None)


def loop_own_error(*coroutines, clock, wait):
    return coroutines[99]


def loop_waits_for_ever(*coroutines, clock, wait):
    while True:
        wait(1)


def loop_endless(*coroutines, clock, wait):
    while True:
        pass


def loop_too_many(*coroutines, clock, wait):
    return [*a_loop(*coroutines, clock=clock, wait=wait), None]


@pytest.mark.parametrize("answer", [a_loop, loop_by_sorting])
def test_loop_right(answer):
    """Two right loops of different kinds."""
    assert repr(check_loop(answer)) == "✔ ok"


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (loop_stub, "ConnectionError: lost; that is the error to keep as a result"),
        (loop_only_connections, "ValueError: wrong"),
        (
            loop_catches_stop_button,
            "raises KeyboardInterrupt: run_all went on; it is no Exception: so does ■ end a cell",
        ),
        (loop_drops_errors, "saw 2 results for 3 items"),
        (
            loop_as_they_end,
            "wanted 'a': results stand in the order of what was given; try: results[",
        ),
        (loop_stop_iteration_too, "StopIteration is an Exception too; try: catch it first"),
        (loop_never_waits, "nobody called wait, so the clock stood still"),
        (loop_own_error, "raised IndexError: tuple index out of range"),
        (loop_waits_for_ever, "a loop has no way out"),
        (loop_no_heap, "a timer heap"),
        (loop_sleeps_in, "wait until the first timer is due, and no longer"),
        (loop_unfair, "first come, first served: popleft, and a running number in the heap"),
        (loop_by_a_stack, "first come, first served: popleft, and a running number in the heap"),
        (loop_one_by_one, "a timer heap"),
        (loop_really_sleeps, "wait, not time.sleep"),
        (loop_says_error, "try: keep the error itself"),
        (loop_nothing, "saw None, not a list of 3 results; try: return"),
        (loop_async, "try: def"),
        (loop_without_knobs, "unexpected keyword argument"),
        (loop_too_many, "saw 4 results for 3 items"),
        (None, "None is not a function"),
        (7, "7 is not a function"),
    ],
)
def test_loop_wrong(answer, hint):
    """Each is told what was seen."""
    verdict = check_loop(answer)
    assert not verdict
    assert hint in repr(verdict)


# --- polite: right ones ---


async def polite_by_sleep(work, chunks):
    results = []
    for chunk in chunks:
        results.append(work(chunk))
        await asyncio.sleep(0)
    return results


async def polite_between(work, chunks):
    """None before the first chunk, none after the last."""
    results = []
    for number, chunk in enumerate(chunks):
        if number:
            await asyncio.sleep(0)
        results.append(work(chunk))
    return results


async def polite_in_callbacks(work, chunks):
    loop = asyncio.get_running_loop()
    results = []
    for chunk in chunks:
        box = loop.create_future()

        def fill(box=box, chunk=chunk):
            try:
                box.set_result(work(chunk))
            except Exception as error:
                box.set_exception(error)

        loop.call_soon(fill)
        results.append(await box)
    return results


async def polite_by_tasks(work, chunks):
    async def one(chunk):
        return work(chunk)

    return [await asyncio.create_task(one(chunk)) for chunk in chunks]


# --- and wrong ones ---


async def polite_stub(work, chunks):
    return [work(chunk) for chunk in chunks]


async def polite_awaits_a_coroutine(work, chunks):
    async def one(chunk):
        return work(chunk)

    return [await one(chunk) for chunk in chunks]


async def polite_gathers(work, chunks):
    async def one(chunk):
        return work(chunk)

    return await asyncio.gather(*(one(chunk) for chunk in chunks))


async def polite_sleeps_long(work, chunks):
    results = []
    for chunk in chunks:
        results.append(work(chunk))
        await asyncio.sleep(0.1)
    return results


async def polite_now_and_then(work, chunks):
    results = []
    for number, chunk in enumerate(chunks):
        results.append(work(chunk))
        if number % 2 == 0:
            await asyncio.sleep(0)
    return results


async def polite_loses_results(work, chunks):
    for chunk in chunks:
        work(chunk)
        await asyncio.sleep(0)


async def polite_eats_errors(work, chunks):
    results = []
    for chunk in chunks:
        try:
            results.append(work(chunk))
        except Exception as error:
            results.append(error)
        await asyncio.sleep(0)
    return results


async def polite_by_groups(work, chunks):
    async def one(chunk):
        return work(chunk)

    results = []
    for chunk in chunks:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one(chunk))
        results.append(task.result())
    return results


async def polite_twice(work, chunks):
    await polite_by_sleep(work, chunks)
    return await polite_by_sleep(work, chunks)


async def polite_in_a_thread(work, chunks):
    return [await asyncio.to_thread(work, chunk) for chunk in chunks]


async def polite_breaks(work, chunks):
    raise KeyError("oops")


async def polite_short(work, chunks):
    return (await polite_by_sleep(work, chunks))[1:]


async def polite_for_ever(work, chunks):
    while True:
        await polite_by_sleep(work, chunks)
        await asyncio.sleep(0)


async def polite_deadlocks(work, chunks):
    await asyncio.Event().wait()


def polite_plain(work, chunks):
    return [work(chunk) for chunk in chunks]


@pytest.mark.parametrize(
    "answer", [polite_by_sleep, polite_between, polite_by_tasks, polite_in_callbacks]
)
def test_polite_right(answer):
    """Right ones of different kinds."""
    assert repr(check_polite(answer)) == "✔ ok"


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (
            polite_stub,
            "others waited for 2 chunks in a row; wanted 1; try: what puts you last",
        ),
        (polite_awaits_a_coroutine, "others waited for 2 chunks in a row"),
        (polite_gathers, "chunks in a row"),
        (polite_sleeps_long, "the work alone takes 0.4 s"),
        (polite_now_and_then, "others waited for 2 chunks in a row; wanted 1; try: await asyncio"),
        (polite_breaks, "raised KeyError: 'oops'"),
        (polite_loses_results, "saw None, not a list of 2 results"),
        (polite_eats_errors, "did not come out"),
        (
            polite_by_groups,
            "but ExceptionGroup of ConnectionError: gone; try: no except, and no Task",
        ),
        (polite_twice, "each once and in order"),
        (
            polite_in_a_thread,
            "a thread or a process, which takes real time that cannot be fast-forwarded; the check",
        ),
        (polite_short, "saw 1 results for 2 items"),
        (polite_for_ever, "never ended"),
        (polite_deadlocks, "deadlocked"),
        (polite_plain, "no coroutine function"),
    ],
)
def test_polite_wrong(answer, hint):
    """Each is told what was seen."""
    verdict = check_polite(answer)
    assert not verdict
    assert hint in repr(verdict)


def test_a_loop_that_never_ends_is_stopped():
    """A plain function that never returns does not hang the notebook, nor leave a thread."""
    before, start = set(threading.enumerate()), time.monotonic()
    assert "never ended" in repr(check_loop(loop_endless))
    assert time.monotonic() - start < 30
    assert set(threading.enumerate()) <= before


def test_the_original_nest_asyncio_serves_up_to_python_3_13():
    """From 3.14 on, a timeout fails under it: so the notebook takes its fork there."""
    pytest.importorskip("nest_asyncio")
    program = """
import asyncio, nest_asyncio
nest_asyncio.apply()
async def main():
    async with asyncio.timeout(9):
        await asyncio.sleep(0)
asyncio.run(main())
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ran.returncode == 0) == (sys.version_info < (3, 14)), ran.stderr
