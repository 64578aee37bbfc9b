"""In a real kernel: however a cell or the kernel ends, its servers are gone with all their own.

One kernel, in which both servers are opened again and again.
"""

import json
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from jupyter_client.manager import KernelManager

PATIENCE = 60.0  # seconds that a busy machine may need; what is measured has its own bound
GONE = 3.0  # seconds; on a busy machine, four times as many as a block takes that simply ends
CELL = """
import asyncio, json, os, time
from contextlib import AsyncExitStack
from helpers.world import NoDatabase, postgres, serve

servers = AsyncExitStack()

async def start(stack, and_fork=False):
    api = await stack.enter_async_context(serve())
    try:
        database = await stack.enter_async_context(postgres())
    except NoDatabase:  # of this Python
        database = ""
    child = fork() if and_fork else None  # it holds all that the kernel does
    print(json.dumps({"url": api.url, "database": database, "child": child}), flush=True)

async def block(leave):
    async with AsyncExitStack() as stack:
        await start(stack)
        await leave()

async def nothing():
    pass

async def fail():
    raise ZeroDivisionError

async def stay():
    while True:
        await asyncio.sleep(0.05)

def fork():
    if (child := os.fork()) == 0:
        time.sleep(60)
        os._exit(0)
    return child
"""


class Kernel:
    """A kernel, and the servers that a cell of it has started last."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manager = KernelManager(transport="ipc", ip=f"{folder}/kernel")
        home = folder / "notebooks"
        home.mkdir()
        self.manager.start_kernel(cwd=str(home), env=os.environ | {"TMPDIR": str(folder)})
        self.gone = GONE
        self.begin()

    def begin(self) -> None:
        """Wait for the kernel, and have it know what the cells use."""
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)
        self.client.execute(CELL, reply=True, timeout=PATIENCE)
        self.before = set(os.listdir(self.folder))

    @property
    def process(self) -> psutil.Process:
        return psutil.Process(self.manager.provisioner.pid)

    def start(self, code: str) -> str:
        """Run a cell until its servers are up; return its id."""
        cell: str = self.client.execute(code, allow_stdin=False, stop_on_error=False)
        said: dict[str, Any] = {}
        while said.get("msg_type") != "stream" or said["parent_header"]["msg_id"] != cell:
            said = self.client.get_iopub_msg(timeout=PATIENCE)
        self.told: dict[str, Any] = json.loads(said["content"]["text"])
        by_name = [p for p in psutil.process_iter() if str(self.folder) in " ".join(words(p))]
        below = self.process.children(recursive=True)
        others = {self.process.pid, self.told["child"]}
        self.servers = {process for process in (*by_name, *below) if process.pid not in others}
        servers = " ".join(word for process in self.servers for word in words(process))
        assert "helpers.world.api" in servers
        assert bool(self.told["database"]) == ("postgres" in servers)
        return cell

    def ended(self, cell: str) -> str:
        """Wait for the end of a cell; return the name of its error, or ok."""
        while (reply := self.client.get_shell_msg(timeout=PATIENCE))["parent_header"].get(
            "msg_id"
        ) != cell:
            pass
        return str(reply["content"].get("ename", reply["content"]["status"]))

    def assert_gone(self, since: float) -> float:
        """All processes in time; and no port and no file is left. Return how long it took."""
        _, alive = psutil.wait_procs(self.servers, timeout=PATIENCE)
        took = time.monotonic() - since
        assert not alive and took < self.gone
        where = urlsplit(self.told["url"])
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((where.hostname, where.port))
        give_up = time.monotonic() + PATIENCE
        while left := set(os.listdir(self.folder)) - self.before:
            assert time.monotonic() < give_up, left
            time.sleep(0.05)
        return took


def words(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        return process.cmdline()
    return []


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    """A kernel with a folder for temporary files in which a user of PostgreSQL's own may read."""
    with tempfile.TemporaryDirectory(prefix="ends-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)
        kernel = Kernel(Path(folder))
        yield kernel
        kernel.client.stop_channels()
        kernel.manager.shutdown_kernel(now=True)


@pytest.mark.skipif(os.name != "posix", reason="there are no such signals")
def test_nothing_is_left_however_it_ends(kernel: Kernel) -> None:
    """By its end, an error, ■ once and twice, a restart, or kill -9 with a forked child alive."""
    kernel.gone = PATIENCE
    cell, up = kernel.start("await block(nothing)"), time.monotonic()
    assert kernel.ended(cell) == "ok"
    kernel.gone = max(GONE, 4 * kernel.assert_gone(up))
    cell = kernel.start("await block(fail)")
    assert kernel.ended(cell) == "ZeroDivisionError"
    kernel.assert_gone(time.monotonic())
    for times in 1, 2:
        cell, up = kernel.start("await block(stay)"), time.monotonic()
        for _ in range(times):
            kernel.manager.interrupt_kernel()
            time.sleep(0.1)
        assert kernel.ended(cell) in ("KeyboardInterrupt", "CancelledError")
        kernel.assert_gone(up)
    kernel.start("await start(servers)")
    kernel.client.stop_channels()
    kernel.manager.restart_kernel()
    kernel.assert_gone(time.monotonic())
    kernel.begin()
    kernel.start("await start(servers, and_fork=True)")
    child = psutil.Process(kernel.told["child"])
    kernel.process.kill()
    try:
        kernel.assert_gone(time.monotonic())
        assert child.is_running()
    finally:
        child.kill()
