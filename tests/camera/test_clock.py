"""The two clocks: waiting costs nothing on one, both return a run, neither leaves a trace."""

# ruff: noqa: ASYNC110, ASYNC251, T201 - programs that hold the loop, poll and print are tested

import _thread
import asyncio
import contextlib
import doctest
import gc
import io
import re
import signal
import socket
import sys
import threading
import time
import traceback
import warnings
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import pytest

from helpers.camera import Deadlock, FastForwardLoop, RealIO, Runaway, busy, clock, record, simulate

REAL_SLEEP = time.sleep


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """Whatever a test does, its thread has no loop, and `sleep` and the threads are as before."""
    threads = threading.active_count()
    yield
    assert time.sleep is REAL_SLEEP
    assert asyncio._get_running_loop() is None
    for _ in range(500):  # a stopped program's thread may need a moment
        if threading.active_count() <= threads:
            break
        REAL_SLEEP(0.01)
    assert threading.active_count() <= threads


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGINT raises KeyboardInterrupt, though it is ignored in a job in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def a_screen() -> Iterator[io.StringIO]:
    """Put in place of the notebook's own stdout; it must be there still at the end."""
    with contextlib.redirect_stdout(io.StringIO()) as stream:
        yield stream
        assert sys.stdout is stream


def test_examples() -> None:
    """The examples in the docstrings give what they say."""
    result = doctest.testmod(clock)
    assert result.attempted and not result.failed


async def one(name: Any, seconds: float = 1.0) -> Any:
    await asyncio.sleep(seconds)
    return name


async def main(n: int, seconds: float = 1.0, *, fail: bool = False) -> list[Any]:
    results = await asyncio.gather(*(one(i, seconds) for i in range(n)))
    if fail:
        raise ValueError(n)
    return results


# --- The fast-forward loop -----------------------------------------------------------------


def test_time_is_exact_and_costs_nothing() -> None:
    """A thousand hours pass at once, and end to the digit."""
    began = time.monotonic()
    run = simulate(main, 10, 3_600_000.1)
    assert run.seconds == 3_600_000.1
    assert run.result == list(range(10))
    assert not run.real
    assert time.monotonic() - began < 60


def test_years_pass_as_well() -> None:
    """Where a float can no longer hold the loop's tolerance, timers still come due."""
    run = simulate(main, 3, 10 * 365 * 86_400.0)
    assert (run.error, run.seconds) == (None, 10 * 365 * 86_400.0)


def test_a_thousand_small_sleeps_add_up() -> None:
    """Times are rounded where they are shown, so that a thousand times 0.01 is 10."""

    async def small() -> None:
        for _ in range(1000):
            await asyncio.sleep(0.01)

    run = simulate(small)
    assert run.seconds == 10.0
    assert [lane.end for lane in run.lanes] == []


def test_simulating_twice_gives_the_same() -> None:
    """Each program has a loop of its own that begins at nought."""
    first, second = simulate(main, 3), simulate(main, 3)
    assert [lane[:4] for lane in first.lanes] == [lane[:4] for lane in second.lanes]
    assert first.root.start == second.root.start == 0.0


def test_the_loop_alone() -> None:
    """The loop can be used without a camera, as lessons do, by `asyncio.Runner`."""

    async def program() -> tuple[float, list[int]]:
        results = await asyncio.gather(*(one(i, i) for i in range(4)))
        return asyncio.get_running_loop().time(), results

    with asyncio.Runner(loop_factory=FastForwardLoop) as runner:
        assert runner.run(program()) == (3.0, [0, 1, 2, 3])


def test_arguments_are_passed_on() -> None:
    """Positional and named arguments reach the program, whatever their names."""

    async def program(*args: Any, **kwargs: Any) -> Any:
        return args, kwargs

    run = simulate(program, 1, "two", main=3, self=4, loop=5)
    assert run.result == ((1, "two"), {"main": 3, "self": 4, "loop": 5})


def test_a_callable_that_is_no_function() -> None:
    """What gives back a coroutine will do: methods, partials, lambdas."""

    class Loader:
        async def load(self, name: str) -> str:
            return await one(name)

    assert simulate(Loader().load, "a").result == "a"
    assert simulate(lambda: one("b")).result == "b"


def test_what_is_left_is_cancelled() -> None:
    """As `asyncio.run` does, the end of a simulation cancels what is left, and closes it."""
    ended = []

    async def endless() -> None:
        try:
            await asyncio.sleep(1e9)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        finally:
            ended.append("closed")

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            ended.append("generator closed")

    async def program() -> None:
        asyncio.get_running_loop().kept = [asyncio.create_task(endless()), numbers()]
        await anext(asyncio.get_running_loop().kept[1])
        await asyncio.sleep(1)

    run = simulate(program)
    assert run.seconds == 1.0
    assert run.pending == ["endless()"]
    assert ended == ["cancelled", "closed", "generator closed"]


def test_time_sleep_holds_the_fast_forward_loop_only() -> None:
    """`time.sleep` in a program takes simulated time; elsewhere it is what it was meanwhile."""
    slept: list[float] = []

    def elsewhere() -> None:
        go.wait()
        began = time.monotonic()
        time.sleep(0.02)
        slept.append(time.monotonic() - began)

    async def program() -> float:
        before = asyncio.get_running_loop().time()
        time.sleep(3600)
        go.set()
        while not slept:
            pass
        return asyncio.get_running_loop().time() - before

    go = threading.Event()
    thread = threading.Thread(target=elsewhere)
    thread.start()
    run = simulate(program)
    thread.join()
    assert run.result == run.held == 3600.0
    assert slept[0] >= 0.02


# --- busy ----------------------------------------------------------------------------------


def test_busy_on_the_fast_forward_clock() -> None:
    """It moves the clock, and no other coroutine gets a turn meanwhile."""
    log = []

    async def work(name: str) -> None:
        log.append(name)
        busy(2)
        log.append(name)

    async def program() -> float:
        await asyncio.gather(work("a"), work("b"))
        return asyncio.get_running_loop().time()

    run = simulate(program)
    assert log == ["a", "a", "b", "b"]
    assert run.result == run.seconds == run.held == 4.0


def test_busy_in_real_time() -> None:
    """On a real loop, and on none at all, it burns the time."""

    async def program() -> None:
        busy(0.03)

    run = asyncio.run(record(program()))
    assert 0.03 <= run.held <= run.seconds
    began = time.monotonic()
    busy(0.01)
    assert time.monotonic() - began >= 0.01


@pytest.mark.parametrize("seconds", [-1, -0.001, float("inf"), float("nan")])
def test_busy_wants_a_time(seconds: float) -> None:
    """Less than nothing, and for ever, are refused."""
    with pytest.raises(ValueError, match=r"busy\(\) wants seconds >= 0, not"):
        busy(seconds)


@pytest.mark.parametrize("seconds", ["1", None])
def test_busy_wants_a_number(seconds: Any) -> None:
    """What is no number is a TypeError."""
    with pytest.raises(TypeError):
        busy(seconds)


# --- What cannot go on ---------------------------------------------------------------------


def test_deadlock_names_who_waits_for_what() -> None:
    """Nothing ready and no timer is an error that names each, what for, and the line."""

    async def takes(first: asyncio.Lock, second: asyncio.Lock, name: str) -> None:
        async with first:
            await asyncio.sleep(1)
            async with second:
                pass

    async def program() -> None:
        queue: asyncio.Queue[int] = asyncio.Queue()
        a, b = asyncio.Lock(), asyncio.Lock()
        async with asyncio.TaskGroup() as group:
            group.create_task(takes(a, b, "ab"))
            group.create_task(takes(b, a, "ba"), name="back")
            group.create_task(queue.get())

    run = simulate(program)
    inner = takes.__code__.co_firstlineno + 3
    assert isinstance(run.error, Deadlock)
    lines = str(run.error).splitlines()
    assert lines[0] == "nothing can ever go on: every coroutine waits, and no timer is set"
    group_line = program.__code__.co_firstlineno + 3
    assert lines[1] == f"  program() waits for TaskGroup in line {group_line}"
    assert lines[2:4] == [
        f"  takes('ab') waits for Lock.acquire in line {inner}",
        f"  back waits for Lock.acquire in line {inner}",
    ]
    assert lines[4].startswith("  Queue.get() waits for Queue.get in line ")
    assert len(lines) == 5
    assert repr(run) == (
        "failed after 1.00 s with Deadlock: nothing can ever go on: every coroutine waits, "
        "and no timer is set · 3 lanes · at most 3 in flight · 3 left running"
    )
    with pytest.raises(Deadlock) as caught:
        _ = run.result
    assert caught.value is run.error


def test_deadlock_of_many() -> None:
    """Of many that wait some are named, and the rest are counted."""

    async def program() -> None:
        never = asyncio.Event()
        await asyncio.gather(*(never.wait() for _ in range(1234)))

    lines = str(simulate(program).error).splitlines()
    assert len(lines) == 13
    assert lines[-1] == "  … and 1,224 more coroutines"


def test_deadlock_of_the_stubborn() -> None:
    """Also a program that will not be cancelled is given up."""

    async def program() -> None:
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    assert isinstance(simulate(program).error, Deadlock)


def test_too_many_turns() -> None:
    """A program that never ends is stopped, with its lanes, and told what to look for."""

    async def program() -> None:
        await one("first")
        while True:
            await asyncio.sleep(1)

    run = simulate(program, max_turns=100)
    assert isinstance(run.error, Runaway)
    assert str(run.error) == (
        "it had not ended after 100 turns of its loop, at 50.00 s; look for a loop without a way "
        "out, or, if it is meant to be so long, allow more: simulate(..., max_turns=200)"
    )
    assert 40 < run.seconds <= 100
    assert run.starts == ["one('first', 1.0)"]


def test_enough_turns() -> None:
    """Turns are counted, not tasks: many tasks of one turn are few."""
    assert simulate(main, 1000, max_turns=10).error is None


@pytest.mark.parametrize("awaits", [False, True])
def test_patience(awaits: bool) -> None:
    """In real time, too, there is an end: also of a program that never awaits."""

    async def program() -> None:
        await asyncio.sleep(5)
        while True:
            if awaits:
                await asyncio.sleep(0)

    run = simulate(program, patience=0.3, max_turns=10**9)
    assert isinstance(run.error, Runaway)
    if awaits:
        assert "had not ended after 0.3 real seconds, in which its loop turned" in str(run.error)
    else:
        assert re.match(r"after 0.3 real seconds line \d+ of program\(\) still", str(run.error))
    assert str(run.error).endswith("allow more: simulate(..., patience=0.6)")
    assert run.seconds == 5.0


def test_patience_with_one_who_catches_everything() -> None:
    """A bare `except` around the loop does not keep a program alive."""

    async def program() -> None:
        while True:
            try:
                while True:
                    pass
            except Exception:
                pass

    assert isinstance(simulate(program, patience=0.3).error, Runaway)


async def to_thread() -> None:
    await asyncio.to_thread(print)


async def in_executor() -> None:
    await asyncio.get_running_loop().run_in_executor(None, print)


async def connect() -> None:
    await asyncio.open_connection("127.0.0.1", 1)


async def look_up() -> None:
    await asyncio.get_running_loop().getaddrinfo("localhost", 80)


async def receive() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        await asyncio.get_running_loop().sock_recv(ours, 1)


async def spawn() -> None:
    await asyncio.create_subprocess_exec(sys.executable, "-c", "")


async def spawn_shell() -> None:
    await asyncio.create_subprocess_shell("true")


@pytest.mark.parametrize(
    "program", [to_thread, in_executor, connect, look_up, receive, spawn, spawn_shell]
)
def test_real_io(program: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Threads, sockets and processes take real time: a clear error says what to do instead."""
    run = simulate(program)
    assert isinstance(run.error, RealIO)
    assert "takes real time that cannot be fast-forwarded" in str(run.error)
    assert str(run.error).endswith("await record(main())")


# --- Without a film ------------------------------------------------------------------------


async def fails() -> None:
    await asyncio.sleep(2)
    raise ValueError("no such file")


async def prints() -> str:
    busy(0.5)
    time.sleep(0.25)
    print("so far")
    leftover = asyncio.create_task(asyncio.sleep(10))
    await asyncio.sleep(1)
    return leftover.get_name()[:4]


async def stuck() -> None:
    await asyncio.sleep(1)
    await asyncio.Event().wait()


async def endless() -> None:
    while True:
        await asyncio.sleep(1)


@pytest.mark.parametrize(
    "program", [lambda: main(3), fails, prints, stuck, endless, to_thread, connect]
)
def test_unfilmed_it_comes_to_the_same(program: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    """Without a film result or error, seconds, output and text are those of the filmed run."""
    filmed = simulate(program, max_turns=100)
    run = simulate(program, max_turns=100, film=False)
    assert (run.seconds, run.output) == (filmed.seconds, filmed.output)
    assert type(run.error) is type(filmed.error)
    if not isinstance(run.error, Deadlock):  # of which only a film tells more
        assert str(run.error) == str(filmed.error)
        assert repr(filmed).startswith(repr(run))
    if run.error is None:
        assert run.result == filmed.result
    else:
        with pytest.raises(type(run.error)):
            _ = run.result


def test_unfilmed_it_says_what_it_lacks() -> None:
    """Nothing that only a film tells can be read off it, as if it were 0 or empty."""
    run: Any = simulate(main, 3, film=False)
    for name in ("lanes", "max_in_flight", "held", "pending", "root", "steps"):
        with pytest.raises(AttributeError, match=f"has no {name}: leave film=False out"):
            getattr(run, name)
    assert "leave film=False out" in str(simulate(stuck, film=False).error)


def test_unfilmed_the_loop_keeps_its_own_queue() -> None:
    """No camera stands at the door of the loop: that is what a film costs."""

    async def program() -> type:
        return type(asyncio.get_running_loop()._ready)  # type: ignore[attr-defined]

    assert simulate(program, film=False).result is deque
    assert simulate(program).result is not deque


def test_unfilmed_exits_leave_as_well() -> None:
    """SystemExit is raised here, as by a filmed run."""

    async def program() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        simulate(program, film=False)


def test_unfilmed_patience_ends_as_well() -> None:
    """A program that cannot be stopped is left behind, and the answer says so."""

    async def program() -> None:
        while True:
            with contextlib.suppress(BaseException):
                while not done:
                    pass
                return

    done: list[int] = []
    run = simulate(program, patience=0.1, film=False)
    done.append(1)
    assert isinstance(run.error, Runaway)
    assert "cannot be stopped" in str(run.error)


# --- Wrong calls ---------------------------------------------------------------------------


async def rows() -> AsyncIterator[int]:
    yield 1


def plain() -> int:
    return 1


@pytest.mark.parametrize(
    ("call", "mend"),
    [
        (
            lambda: simulate(one("a")),  # type: ignore[arg-type]
            (
                "simulate() wants the function, not the call: write simulate(one, ...) instead of "
                "simulate(one(...))"
            ),
        ),
        (
            lambda: simulate(5),  # type: ignore[arg-type]
            "simulate() wants a coroutine function (async def), not int",
        ),
        (
            lambda: simulate(rows),  # type: ignore[arg-type]
            (
                "rows() is an async generator, since it has a yield: it cannot be awaited; "
                "loop over it with `async for` in a coroutine function of its own"
            ),
        ),
        (
            lambda: simulate(plain),  # type: ignore[arg-type]
            "plain() returned a value of type int, not a coroutine: write `async def plain`",
        ),
        (
            lambda: asyncio.run(record(one)),  # type: ignore[arg-type]
            "record() wants a coroutine, not one: write `await record(one(...))`",
        ),
        (
            lambda: asyncio.run(record(5)),  # type: ignore[arg-type]
            "record() wants a coroutine, not int: write `await record(main())`",
        ),
    ],
)
def test_wrong_calls(call: Callable[[], Any], mend: str) -> None:
    """A wrong call is a TypeError that says how to write it, and no coroutine is left unawaited."""
    with pytest.raises(TypeError) as caught:
        call()
    assert str(caught.value) == mend


def test_wrong_arguments() -> None:
    """Arguments that the program does not take are told at once, without any depths."""
    said = r"simulate\(main, ...\) does not fit main\(.*: missing a required argument: 'n'"
    with pytest.raises(TypeError, match=said):
        simulate(main)


def test_timers_of_one_moment_come_in_the_order_in_which_they_were_set() -> None:
    """Where asyncio leaves it open, and mixes them up, the first that was set comes first."""
    order = []

    async def nap(name: int) -> None:
        for _ in range(3):
            await asyncio.sleep(0.5)
            order.append(name)

    async def many() -> None:
        await asyncio.gather(*map(nap, range(50)))

    simulate(many)
    assert order == 3 * list(range(50))


def test_a_program_that_polls_is_told_that_no_time_can_pass() -> None:
    """Not that it has no way out: on a real clock it may well end."""

    async def poll() -> None:
        await asyncio.sleep(2)
        while True:
            await asyncio.sleep(0)

    error = simulate(poll, max_turns=5_000).error
    assert isinstance(error, Runaway)
    assert (
        "no time passed in the last 5,000 turns of its loop, at 2.00 s: somebody is always"
        in str(error)
    )


def test_the_traceback_of_an_error_is_the_program_s_own() -> None:
    """Neither camera nor clock stand in it, not even within a group."""

    async def boom() -> None:
        await asyncio.sleep(1)
        raise ValueError("boom")

    async def group() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(boom())

    error = simulate(group).error
    assert isinstance(error, ExceptionGroup)
    for each, calls in (error, ["group", "__aexit__"]), (error.exceptions[0], ["boom"]):
        frames = traceback.extract_tb(each.__traceback__)
        assert [frame.name for frame in frames if frame.name != "_aexit"] == calls  # since 3.14


def test_a_forgotten_await_is_warned_of_each_time_in_the_program_s_own_line() -> None:
    """Python's warning, which it gives once a line, names the function that forgot, each time."""

    async def say() -> None: ...

    async def forgets() -> None:
        said = say()
        await asyncio.sleep(1)
        assert said

    for _ in range(2):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            simulate(forgets)
        assert [(w.filename, str(w.message)) for w in caught] == [
            (__file__, f"coroutine '{say.__qualname__}' was never awaited")
        ]


# --- Prints --------------------------------------------------------------------------------


async def prints(n: int) -> None:
    async def each(i: int) -> None:
        await asyncio.sleep(n - i)
        print("task", i)

    print("begin")
    await asyncio.gather(*map(each, range(n)))
    print("end")


def test_prints_land_with_the_caller() -> None:
    """What a program prints is its run's output, and appears where it was called, in order."""
    with a_screen() as screen:
        print("before")
        run = simulate(prints, 3)
        print("after")
    assert run.output == "begin\ntask 2\ntask 1\ntask 0\nend\n"
    assert screen.getvalue() == f"before\n{run.output}after\n"


def test_prints_of_what_fails() -> None:
    """Also of a program that fails, that never ends, or that cannot be simulated."""

    async def fails() -> None:
        print("about to fail")
        raise ValueError

    async def stuck() -> None:
        print("stuck")
        await asyncio.Event().wait()

    def no_coroutine() -> None:
        print("no coroutine")

    with a_screen() as screen:
        assert simulate(fails).output == "about to fail\n"
        assert simulate(stuck).output == "stuck\n"
        with pytest.raises(TypeError):
            simulate(no_coroutine)  # type: ignore[arg-type]
    assert screen.getvalue() == "about to fail\nstuck\nno coroutine\n"


def test_prints_are_bounded() -> None:
    """A program that prints without end fills no notebook."""

    async def chatty() -> None:
        for i in range(100_000):
            print(i)

    with a_screen() as screen:
        run = simulate(chatty)
    assert len(run.output) < 20_100
    assert run.output.endswith(" more lines\n")
    assert screen.getvalue() == run.output


def test_prints_of_other_threads() -> None:
    """What another thread prints meanwhile is none of the program's."""
    begun, printed = threading.Event(), threading.Event()

    def bystander() -> None:
        assert begun.wait(10)
        print("bystander")
        printed.set()

    async def program() -> None:
        print("program")
        begun.set()
        while not printed.is_set():
            pass

    thread = threading.Thread(target=bystander)
    with a_screen() as screen:
        thread.start()
        run = simulate(program)
    thread.join()
    assert run.output == "program\n"
    assert screen.getvalue() == "bystander\nprogram\n"


# --- In company ----------------------------------------------------------------------------


def test_from_a_running_loop() -> None:
    """A cell is run by a loop already: `simulate` can be called all the same, and leaves it."""

    async def cell() -> tuple[Any, ...]:
        loop = asyncio.get_running_loop()
        before = loop.get_task_factory(), set(vars(loop))
        run = simulate(main, 3)
        assert asyncio.get_running_loop() is loop
        assert (loop.get_task_factory(), set(vars(loop))) == before
        return run.result, run.seconds

    assert asyncio.run(cell()) == ([0, 1, 2], 1.0)


def test_from_several_threads_at_once() -> None:
    """Each has its own clock, its own lanes and its own prints."""
    runs: dict[int, Any] = {}

    def simulates(n: int) -> None:
        runs[n] = [simulate(prints, n) for _ in range(5)]

    with a_screen():
        threads = [threading.Thread(target=simulates, args=(n,)) for n in range(1, 6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for n in range(1, 6):
        tasks = "".join(f"task {i}\n" for i in reversed(range(n)))
        for run in runs[n]:
            assert (run.seconds, run.lane_count) == (n, n)
            assert run.output == f"begin\n{tasks}end\n"


def test_within_another() -> None:
    """A simulated program may itself simulate."""

    async def program() -> float:
        await asyncio.sleep(1)
        inner = simulate(main, 2, 5.0)
        print("inner", inner.seconds)
        await asyncio.sleep(1)
        return inner.seconds

    with a_screen() as screen:
        run = simulate(program)
    assert (run.result, run.seconds, run.lane_count) == (5.0, 2.0, 0)
    assert screen.getvalue() == run.output == "inner 5.0\n"


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("busily", [True, False])
def test_interrupt(busily: bool) -> None:
    """■ while a program runs stops it, and puts all back."""
    stopped = threading.Event()

    async def program() -> None:
        try:
            _thread.interrupt_main()  # reaches the main thread, which waits
            while True:
                if not busily:
                    await asyncio.sleep(0)
                len("")  # in a tighter loop an error may skip the `finally` (cpython#130279)
        finally:
            stopped.set()

    with a_screen(), pytest.raises(KeyboardInterrupt):
        simulate(program, max_turns=10**9)
    assert stopped.wait(10)


# --- record --------------------------------------------------------------------------------


def test_record() -> None:
    """In real time the lanes are the same, and the times are real."""
    run = asyncio.run(record(main(3, 0.01)))
    assert run.result == [0, 1, 2]
    assert run.real
    assert run.seconds >= 0.01
    assert run.starts == ["one(0, 0.01)", "one(1, 0.01)", "one(2, 0.01)"]
    assert [lane.ending for lane in run.lanes] == ["done"] * 3
    assert repr(run).endswith("s (real) · 3 lanes · at most 3 in flight")
    for lane in run.lanes:
        (nap,) = [s for s in lane.segments if s.state == "waiting"]
        assert nap.what == "sleep"
        assert nap.until - nap.start >= 0.0099


def test_record_keeps_errors() -> None:
    """An error is kept with the run, and raised by its result."""
    run = asyncio.run(record(main(2, 0.0, fail=True)))
    assert repr(run.error) == "ValueError(2)"
    with pytest.raises(ValueError, match="2"):
        _ = run.result


def test_record_of_real_io() -> None:
    """Threads and processes are for `record`; a thread's result is what the program waits for."""

    def slowly() -> str:
        time.sleep(0.1)  # a thread that has ended already is not waited for
        return "thread"

    async def program() -> tuple[str, int]:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
        return await asyncio.to_thread(slowly), await process.wait()

    run = asyncio.run(record(program()))
    assert run.result == ("thread", 0)
    assert {"to_thread", "create_subprocess_exec"} <= {
        segment.what for lane in (run.root, *run.lanes) for segment in lane.segments
    }


def test_record_leaves_the_loop_as_it_was() -> None:
    """Its own heartbeat goes with it; the loop's factory and `call_soon` are back."""

    async def cell(fail: bool) -> None:
        loop = asyncio.get_running_loop()
        before = loop.get_task_factory(), set(vars(loop))
        await record(main(2, 0.0, fail=fail))
        assert (loop.get_task_factory(), set(vars(loop))) == before
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    for fail in (False, True):
        asyncio.run(cell(fail))


def test_two_recorded_at_once() -> None:
    """Under one `gather` each sees its own lanes, and neither the other's heartbeat."""

    async def cell() -> list[Any]:
        return await asyncio.gather(record(main(2, 0.01)), record(main(3, 0.0)))

    two, three = asyncio.run(cell())
    assert (two.result, three.result) == ([0, 1], [0, 1, 2])
    assert two.starts == ["one(0, 0.01)", "one(1, 0.01)"]
    assert three.starts == ["one(0, 0.0)", "one(1, 0.0)", "one(2, 0.0)"]


def test_left_behind_by_record() -> None:
    """What a recorded program leaves behind goes on and finishes."""

    async def leaves() -> asyncio.Task[str]:
        task = asyncio.create_task(one("late", 0.01))
        await asyncio.sleep(0)
        return task

    async def cell() -> tuple[list[str], str]:
        run = await record(leaves())
        return run.pending, await run.result

    assert asyncio.run(cell()) == (["one('late', 0.01)"], "late")


@pytest.mark.usefixtures("interruptible")
def test_interrupting_record() -> None:
    """■ stops a recorded program soon, though it waits for long: a heartbeat wakes the loop."""

    async def program() -> None:
        threading.Timer(0.05, signal.raise_signal, [signal.SIGINT]).start()
        await asyncio.sleep(60)

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(record(program()))
    assert time.monotonic() - began < 30


def test_tasks_of_a_deadlock_are_cancelled_and_not_collected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They hold only each other; their `finally` runs, and nobody says they were destroyed."""
    ended: list[str] = []
    explained = clock._Program._explained

    def collects(program: Any, error: Any) -> Any:
        gc.collect()
        return explained(program, error)

    async def waits(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    async def main() -> None:
        await asyncio.gather(waits("a"), waits("b"))

    monkeypatch.setattr(clock._Program, "_explained", collects)
    run = simulate(main)
    assert isinstance(run.error, Deadlock)
    assert sorted(ended) == ["a", "b"]
    gc.collect()
