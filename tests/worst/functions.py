"""Coroutine functions that would break the instrument, and the kernel with it.

Each is marked by how it ends when it is awaited in a cell: by itself, by ■, or not at all, nor
would it without us. Some leave a thread at work, that nothing can end but the end of the process.
"""

# ruff: noqa: T201, RUF006, ASYNC110, ASYNC220, ASYNC221, ASYNC222, ASYNC250, ASYNC251, E722
import asyncio
import builtins
import concurrent.futures
import gc
import io
import os
import queue
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from time import sleep
from typing import Any, Literal, NamedTuple


class Worst(NamedTuple):
    """How a function ends that is awaited in a cell, and whether it leaves a thread at work."""

    awaited: Literal["ends", "interrupt", "never"]
    burns: bool


WORST: dict[str, Worst] = {}


def worst(awaited: Literal["ends", "interrupt", "never"], burns: bool = False) -> Any:
    def mark(function: Any) -> Any:
        WORST[function.__name__] = Worst(awaited, burns)
        return function

    return mark


# --- They never end ---------------------------------------------------------------------------


@worst("interrupt")
async def turns_for_ever(n=1):
    while True:
        await asyncio.sleep(0)


@worst("interrupt")
async def sleeps_for_ever(n=1):
    while True:
        await asyncio.sleep(0.01)


@worst("interrupt")
async def sleeps_very_long(n=1):
    await asyncio.sleep(1e15)


@worst("interrupt")
async def waits_for_nothing(n=1):
    await asyncio.Event().wait()


@worst("interrupt")
async def calls_back_for_ever(n=1):
    loop, on = asyncio.get_running_loop(), True

    def again():
        if on:
            loop.call_soon(again)

    again()
    try:
        await asyncio.sleep(1e6)
    finally:
        on = False


@worst("interrupt")
async def makes_tasks_for_ever(n=1):
    while True:
        await asyncio.create_task(asyncio.sleep(0))


@worst("interrupt")
async def yields_for_ever(n=1):
    class Turns:
        def __await__(self):
            while True:
                yield

    await Turns()


@worst("never")
async def holds_the_loop_for_ever(n=1):
    while True:
        pass


@worst("never")
async def awaits_without_ever_waiting(n=1):
    async def nothing():
        pass

    while True:
        await nothing()


@worst("never")
async def takes_from_an_endless_generator(n=1):
    async def numbers():
        while True:
            yield n

    async for _ in numbers():
        pass


@worst("never", burns=True)
async def catches_everything(n=1):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass


@worst("never")
async def catches_everything_and_awaits(n=1):
    while True:
        try:
            await asyncio.sleep(0.01)
        except BaseException:
            pass


@worst("never")
async def catches_everything_while_turning(n=1):
    while True:
        try:
            await asyncio.sleep(0)
        except:
            continue


@worst("never")
async def tasks_await_each_other(n=1):
    tasks = []

    async def wait_for(i):
        await asyncio.sleep(0)
        await tasks[i]

    tasks += [asyncio.create_task(wait_for(1)), asyncio.create_task(wait_for(0))]
    await asyncio.gather(*tasks)


@worst("never")
async def a_child_awaits_its_parent(n=1):
    parent = asyncio.current_task()

    async def child():
        await parent

    async with asyncio.TaskGroup() as group:
        group.create_task(child())


# --- They block -------------------------------------------------------------------------------


@worst("never")
async def gets_from_an_empty_queue(n=1):
    queue.Queue().get()


@worst("never")
async def takes_a_lock_twice(n=1):
    lock = threading.Lock()
    with lock, lock:
        pass


@worst("never")
async def waits_for_a_result_that_nobody_sets(n=1):
    concurrent.futures.Future().result()


@worst("never")
async def sleeps_by_an_imported_name(n=1):
    sleep(20)


@worst("never")
async def sleeps_by_the_module(n=1):
    time.sleep(20)


@worst("never")
async def waits_for_a_process(n=1):
    process = subprocess.Popen(["sleep", "20"])
    os.waitpid(process.pid, 0)


@worst("never")
async def runs_a_process(n=1):
    subprocess.run(["sleep", "20"])


@worst("never")
async def selects_nothing(n=1):
    select.select([], [], [], 20)


@worst("never")
async def accepts_nobody(n=1):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        server.accept()


@worst("ends")
async def asks_the_user(n=1):
    input("Who is there? ")


# --- They say too much, or what cannot be said ------------------------------------------------


@worst("ends")
async def prints_many_lines(n=1):
    for _ in range(20_000):
        print("x" * 100)


@worst("ends")
async def prints_one_long_line(n=1):
    print("x" * 1_000_000)


@worst("ends")
async def fails_with_a_megabyte(n=1):
    raise ValueError("x" * 1_000_000)


@worst("ends")
async def fails_with_many_lines(n=1):
    raise ValueError("line\n" * 100_000)


@worst("ends")
async def fails_without_text(n=1):
    class Mute(Exception):
        def __str__(self):
            return None

        __repr__ = __str__

    raise Mute


@worst("ends")
async def fails_while_it_tells(n=1):
    class Shy(Exception):
        def __str__(self):
            raise SystemExit("no text")

        __repr__ = __str__

    raise Shy


@worst("ends")
async def fails_and_tells_for_ever(n=1):
    class Slow(Exception):
        def __str__(self):
            time.sleep(0.5)
            raise self

    raise Slow


@worst("ends")
async def fails_with_a_nameless_type(n=1):
    class Nameless(type):
        @property
        def __name__(cls):
            raise RuntimeError("no name")

    class Odd(Exception, metaclass=Nameless):
        pass

    raise Odd("odd")


@worst("ends")
async def fails_in_a_circle(n=1):
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    raise one


@worst("ends")
async def fails_with_a_deep_group(n=1):
    error: Exception = ValueError("at the bottom")
    for _ in range(3_000):
        error = ExceptionGroup("level", [error])
    raise error


@worst("ends")
async def fails_with_a_wide_group(n=1):
    raise ExceptionGroup("many", [ValueError("x" * 1_000) for _ in range(5_000)])


@worst("ends")
async def calls_itself_for_ever(n=1):
    await calls_itself_for_ever(n)


@worst("ends")
async def calls_itself_for_ever_without_await(n=1):
    def down():
        return down()

    down()


@worst("ends")
async def has_odd_names(n=1):
    names = ["\ud800 alone", "bell \a and \x1b[31m", "$\\frac{1}{0}$ $", "a\nb\r\tc", "\u202eleft"]
    async with asyncio.TaskGroup() as group:
        for name in (*names, "long " * 10_000, ""):
            group.create_task(asyncio.sleep(0.01), name=name)


@worst("ends")
async def fails_with_odd_text(n=1):
    raise ValueError("$\\undefined{ \ud800 \x00 \x1b[2J </script> <b> \u202e")


@worst("ends")
async def returns_what_cannot_be_shown(n=1):
    class Hidden:
        def __repr__(self):
            raise RuntimeError("hidden")

        __str__ = __len__ = __bool__ = __repr__

    return Hidden()


@worst("never")
async def has_a_hundred_thousand_tasks(n=1):
    await asyncio.gather(*(asyncio.sleep(0.01) for _ in range(100_000)))


# --- They leave -------------------------------------------------------------------------------


@worst("ends")
async def exits(n=1):
    sys.exit(n)


@worst("never")  # the loop itself is left: so does the kernel, without us as well
async def exits_in_a_task(n=1):
    async def child():
        sys.exit(n)

    await asyncio.create_task(child())


@worst("never")
async def exits_in_a_callback(n=1):
    asyncio.get_running_loop().call_soon(sys.exit)
    await asyncio.sleep(1)


@worst("ends")
async def is_interrupted(n=1):
    raise KeyboardInterrupt


@worst("never")
async def is_interrupted_in_a_task(n=1):
    async def child():
        raise KeyboardInterrupt

    await asyncio.gather(child(), asyncio.sleep(5))


@worst("never")
async def is_interrupted_in_a_callback(n=1):
    def press():
        raise KeyboardInterrupt

    asyncio.get_running_loop().call_soon(press)
    await asyncio.sleep(5)


@worst("ends")
async def leaves_like_a_generator(n=1):
    raise GeneratorExit


@worst("never")  # the kernel's own coroutine then hangs
async def leaves_like_a_generator_in_a_task(n=1):
    async def child():
        raise GeneratorExit

    await asyncio.create_task(child())


@worst("ends")
async def stops_an_iteration(n=1):
    raise StopAsyncIteration


@worst("ends")
async def cancels_itself(n=1):
    asyncio.current_task().cancel()
    await asyncio.sleep(0)


@worst("never")  # the kernel's own tasks among them
async def cancels_everything(n=1):
    for task in asyncio.all_tasks():
        task.cancel()
    await asyncio.sleep(1)


@worst("ends")
async def presses_stop(n=1):
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.sleep(0.2)


# --- They change what is everybody's ----------------------------------------------------------


@worst("never")
async def closes_the_loop(n=1):
    asyncio.get_running_loop().close()


@worst("never")
async def stops_the_loop(n=1):
    asyncio.get_running_loop().stop()
    await asyncio.sleep(1)


@worst("never")
async def has_no_loop(n=1):
    asyncio.set_event_loop(None)
    await asyncio.sleep(0.01)


@worst("never")
async def breaks_the_task_factory(n=1):
    asyncio.get_running_loop().set_task_factory(lambda *_, **__: None)
    await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0))


@worst("never")
async def breaks_the_selector(n=1):
    asyncio.get_running_loop()._selector.close()
    await asyncio.sleep(0.01)


@worst("never")
async def replaces_stdout(n=1):
    sys.stdout = io.StringIO()
    print("nobody hears")


@worst("never")
async def closes_stdout(n=1):
    sys.stdout.close()
    print("nobody hears")


@worst("ends")
async def replaces_stdout_for_a_while(n=1):
    old, sys.stdout = sys.stdout, io.StringIO()
    try:
        await asyncio.sleep(0.01)
    finally:
        sys.stdout = old


@worst("never")
async def replaces_the_clock(n=1):
    time.sleep = time.monotonic = time.time = lambda *_: 0.0
    await asyncio.sleep(0.01)


@worst("ends")
async def replaces_asyncio_sleep(n=1):
    old = asyncio.sleep

    async def nothing(*_):
        return None

    asyncio.sleep = nothing
    try:
        for _ in range(1_000):
            await asyncio.sleep(1)
    finally:
        asyncio.sleep = old


@worst("ends")
async def takes_builtins_away(n=1):
    taken = {name: builtins.__dict__.pop(name) for name in ("sorted", "sum", "round", "print")}
    try:
        await asyncio.sleep(0.01)
    finally:
        builtins.__dict__.update(taken)


@worst("never")
async def ignores_interrupts(n=1):
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@worst("ends")
async def breaks_the_exception_handler(n=1):
    loop = asyncio.get_running_loop()
    old = loop.get_exception_handler()

    def handler(loop, context):
        raise SystemExit("handler")

    loop.set_exception_handler(handler)
    try:
        future = loop.create_future()
        future.set_exception(ValueError("unseen"))
        del future
        await asyncio.sleep(0)
    except SystemExit:
        print("caught")
    finally:
        loop.set_exception_handler(old)


# --- They do not let go -----------------------------------------------------------------------


@worst("ends")
async def leaves_a_task_that_refuses_to_go(n=1):
    async def stubborn():
        for _ in range(100):
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)

    asyncio.create_task(stubborn())
    await asyncio.sleep(0.01)


@worst("never")
async def leaves_a_task_that_never_goes(n=1):
    async def stubborn():
        while True:
            with suppress(BaseException):
                await asyncio.sleep(0)

    asyncio.create_task(stubborn())
    await asyncio.sleep(0.01)


@worst("never")
async def leaves_a_task_that_holds_the_loop(n=1):
    async def stubborn():
        try:
            await asyncio.sleep(100)
        finally:
            while True:
                pass

    asyncio.create_task(stubborn())
    await asyncio.sleep(0.01)


@worst("ends")
async def leaves_a_generator_that_refuses_to_go(n=1):
    async def stubborn():
        while True:
            try:
                yield n
            except GeneratorExit:
                print("no")

    async for _ in stubborn():
        break
    await asyncio.sleep(0.01)


@worst("never")
async def leaves_a_generator_that_never_ends(n=1):
    async def stubborn():
        try:
            yield n
        finally:
            while True:
                await asyncio.sleep(0)

    generator = stubborn()
    await anext(generator)
    await generator.aclose()


@worst("never", burns=True)
async def never_lets_an_object_go(n=1):
    class Heavy:
        def __del__(self):
            while True:
                with suppress(BaseException):
                    while True:
                        pass

    heavy = Heavy()
    del heavy


@worst("ends")
async def fails_while_it_lets_go(n=1):
    class Heavy:
        def __del__(self):
            raise ValueError("while it goes")

    heavy = Heavy()
    await asyncio.sleep(0.01)
    del heavy
    gc.collect()
