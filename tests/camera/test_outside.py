"""What takes real time is refused by name; tests/corpus has the programs that use it."""

import asyncio
import concurrent.futures
import io
import logging
import os
import queue
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from tqdm import tqdm

from helpers.camera.clock import simulate
from helpers.camera.outside import REFUSING, RealIO


def in_a_coroutine(call: Callable[[], Any]) -> Any:
    async def main() -> Any:
        return call()

    return simulate(main, patience=5)


def bind() -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda: threading.Thread(target=print).start(), "uses a thread"),
        (lambda: concurrent.futures.ThreadPoolExecutor().submit(print), "uses a thread"),
        (lambda: threading.Event().wait(1), "waits for a thread"),
        (lambda: queue.Queue().get(timeout=1), "waits for a thread"),
        (lambda: concurrent.futures.Future().result(1), "waits for a thread"),
        (lambda: threading.main_thread().join(1), "waits for a thread"),
        (lambda: asyncio.wrap_future(concurrent.futures.Future()), "awaits a future of a thread"),
        (lambda: subprocess.run([sys.executable, "-V"], check=True), "uses a process"),
        (lambda: socket.getaddrinfo("localhost", 80), "uses a socket"),
        (lambda: socket.create_connection(("127.0.0.1", 9)), "uses a socket"),
        (lambda: bind(), "uses a socket"),
        (lambda: input(), "uses the keyboard"),
        (lambda: queue.SimpleQueue().get(timeout=1), "waits for a thread"),
        (lambda: select.select([], [], [], 1), "waits for a socket"),
        (lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL), "uses a signal"),
        (lambda: os.kill(os.getpid(), signal.SIGTERM), "uses a signal"),
        (lambda: signal.raise_signal(signal.SIGTERM), "uses a signal"),
        (lambda: signal.sigwait([signal.SIGTERM]), "waits for a signal"),
    ],
)
def test_it_is_refused_by_name(call: Callable[[], Any], what: str) -> None:
    """Right where it is used, and before any of it has happened."""
    run = in_a_coroutine(call)
    assert isinstance(run.error, RealIO)
    assert str(run.error).startswith(f"the program {what}")
    assert run.error.__context__ is None
    assert traceback.extract_tb(run.error.__traceback__)[0].name == "main"


def test_nothing_of_it_is_refused_elsewhere() -> None:
    """Neither meanwhile in another thread, nor afterwards here."""
    told: list[Any] = []
    begin = threading.Event()

    def elsewhere() -> None:
        begin.wait()
        told.append(socket.getaddrinfo("127.0.0.1", 80)[0][4])
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            told.append(one.getsockname()[1] > 0)

    async def main() -> None:
        begin.set()
        while len(told) < 2:
            pass

    thread = threading.Thread(target=elsewhere)
    thread.start()
    assert simulate(main).error is None
    thread.join()
    before = [getattr(place, name) for place, name, _ in REFUSING]
    in_a_coroutine(lambda: None)
    assert [getattr(place, name) for place, name, _ in REFUSING] == before
    assert told == [("127.0.0.1", 80), True]


def test_a_refusal_is_not_reported_as_somebodys_fault() -> None:
    """It is the run's error, and no "Exception in callback" beside it."""
    records: list[Any] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    logging.getLogger("asyncio").addHandler(handler)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(lambda: loop.run_in_executor(None, print))
        await asyncio.sleep(1)

    try:
        assert isinstance(simulate(main).error, RealIO)
    finally:
        logging.getLogger("asyncio").removeHandler(handler)
    assert records == []


def test_what_libraries_do_for_themselves_is_let_be() -> None:
    """The monitor that tqdm starts, and a stream that waits until it is flushed."""

    async def main() -> list[int]:
        return list(tqdm(range(3), file=io.StringIO()))

    run = simulate(main)
    assert (run.error, run._value) == (None, [0, 1, 2])


def test_a_future_that_a_pool_fills_is_no_deadlock_and_no_timeout() -> None:
    """Whoever waits for it, with a limit or without, is told what it was."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        future = pool.submit(sorted, [2, 1])

        async def awaits() -> None:
            await asyncio.wrap_future(future)

        async def awaits_for_a_second() -> None:
            async with asyncio.timeout(1):
                await awaits()

        for main in (awaits, awaits_for_a_second):
            error = simulate(main).error
            assert isinstance(error, RealIO) and "a future of a thread" in str(error)
