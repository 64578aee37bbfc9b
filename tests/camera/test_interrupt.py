"""■ stops what runs for real beside the cells: one that waits, and one that holds the loop."""

import asyncio
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from helpers.camera.interrupt import interruptible
from helpers.camera.run import Run
from helpers.camera.trace import Camera


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """What SIGINT does by itself."""
    heard: list[str] = []
    before = signal.signal(signal.SIGINT, lambda *_: heard.append("its own"))
    yield heard
    signal.signal(signal.SIGINT, before)


async def waits() -> None:
    await asyncio.sleep(60)


async def holds() -> None:
    try:
        while True:
            time.sleep(0.001)  # noqa: ASYNC251
    finally:
        await asyncio.sleep(0)


async def wait_for_each_other() -> None:
    main = asyncio.current_task()

    async def child() -> None:
        assert main is not None
        await main

    await asyncio.create_task(child())


async def press(program: object) -> Run:
    """Film a program, and press ■ when it has begun."""
    camera = Camera()

    def later() -> None:
        while not camera.holds_the_loop and program is holds:
            time.sleep(0.001)
        signal.raise_signal(signal.SIGINT) if program is not holds else signal.pthread_kill(
            threading.main_thread().ident or 0, signal.SIGINT
        )

    if program is holds:
        threading.Thread(target=later).start()
    else:
        asyncio.get_running_loop().call_later(0.05, later)
    with interruptible(camera):
        return await camera.film(program())  # type: ignore[operator]


@pytest.mark.parametrize("program", [waits, holds, wait_for_each_other])
def test_it_stops(program: object, heard: list[str]) -> None:
    """The `Run` of what there was of it comes back, cancelled; SIGINT does what it did before."""
    before = signal.getsignal(signal.SIGINT)
    run = asyncio.run(press(program))
    assert isinstance(run.error, asyncio.CancelledError)
    assert run.seconds < 30
    assert heard == ([] if program is holds else ["its own"])
    assert signal.getsignal(signal.SIGINT) is before


def test_elsewhere_it_does_nothing(heard: list[str]) -> None:
    """Only the main thread can hear a signal."""
    camera = Camera()
    seen: list[object] = []

    def other() -> None:
        with interruptible(camera):
            seen.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert seen == [before]
