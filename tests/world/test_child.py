"""A server of ours is gone whatever becomes of the program that it serves."""

import asyncio
import doctest
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable

import psutil
import pytest

from helpers.world import child
from helpers.world.child import ServerFailed

PATIENCE = 30.0  # seconds that a busy machine may need; what is measured has its own bound


def test_examples() -> None:
    """The examples in the docstrings give what they say."""
    result = doctest.testmod(child)
    assert result.attempted and not result.failed


def children() -> list[psutil.Process]:
    return [p for p in psutil.Process().children() if "helpers.world.child" in p.cmdline()]


def test_it_ends_with_the_block_whatever_leaves_it() -> None:
    """By its end, by an error, and by a cancellation; a second one does not leave it there."""

    async def main(leave: Callable[[], None]) -> None:
        async with child.child("helpers.world.child"):
            assert len(children()) == 1
            leave()
            await asyncio.sleep(PATIENCE)

    def fails() -> None:
        raise ZeroDivisionError

    def cancelled_twice() -> None:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        loop.call_soon(task.cancel)
        loop.call_later(0.05, task.cancel)

    with pytest.raises(ZeroDivisionError):
        asyncio.run(main(fails))
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main(cancelled_twice))
    give_up = time.monotonic() + PATIENCE
    while children():
        assert time.monotonic() < give_up
        time.sleep(0.05)


def test_what_does_not_start_says_why() -> None:
    """With the end of its stderr, in one line."""

    async def main(module: str) -> None:
        async with child.child(module):
            pass

    with pytest.raises(ServerFailed, match=r"no\.such\.module did not start: .*No module named"):
        asyncio.run(main("no.such.module"))


PARENT = """
    import asyncio, os, sys, time
    from helpers.world.child import child

    async def main():
        async with child("helpers.world.child"):
            if sys.argv[1] == "forked" and os.fork() == 0:
                os.close(1)
                time.sleep(60)
            print("up", flush=True)
            await asyncio.sleep(60)

    asyncio.run(main())
"""


@pytest.mark.skipif(os.name != "posix", reason="there are no such signals")
@pytest.mark.parametrize("forked", ["forked", "alone"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_its_parent_is_killed(how: signal.Signals, forked: str) -> None:
    """Within three seconds, also with a process alive that was forked off the parent."""
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PARENT), forked],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert parent.stdout is not None and parent.stdout.readline() == b"up\n"
    below = psutil.Process(parent.pid).children(recursive=True)
    servers = [p for p in below if "helpers.world.child" in p.cmdline() and "-m" in p.cmdline()]
    others = [p for p in below if p not in servers]
    assert len(servers) == 1 and len(others) == (forked == "forked")
    killed = time.monotonic()
    parent.send_signal(how)
    try:
        _, alive = psutil.wait_procs(servers, timeout=PATIENCE)
        assert not alive
        assert time.monotonic() - killed < 3.0
        assert all(p.is_running() for p in others)
    finally:
        for each in others:
            each.kill()
        parent.stdout.close()
        parent.wait()


@pytest.mark.skipif(os.name != "posix", reason="there are no such groups")
def test_an_interrupt_of_the_group_does_not_reach_it() -> None:
    """As Jupyter's ■ sends it, to the kernel and all that it started."""

    async def main() -> bool:
        async with child.child("helpers.world.child"):
            (server,) = children()
            return os.getpgid(server.pid) != os.getpgid(0)

    assert asyncio.run(main())
