"""What people call a library's calls: by rules, and as they come out of libraries that exist."""

import asyncio
import doctest
import subprocess
import sys
import sysconfig
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import groupby
from types import ModuleType
from typing import Any

import pytest

from helpers.camera import Lane, Run, libraries, record, simulate
from helpers.world import NoDatabase, postgres


def test_examples() -> None:
    """The examples in the docstrings give what they say."""
    result = doctest.testmod(libraries)
    assert result.attempted and not result.failed


def waits(lane: Lane) -> list[tuple[str, bool]]:
    """What a lane waits for, one after the other, and whether for its turn."""
    seen = [(s.what, s.turn) for s in lane.segments if s.state == "waiting"]
    return [wait for wait, _ in groupby(seen)]


def filmed(program: Coroutine[Any, Any, Any]) -> Run:
    async def main() -> Run:
        return await record(program)

    run = asyncio.run(main())
    assert run.error is None, run.error
    return run


# --- By rules ------------------------------------------------------------------------------


NET = """
import asyncio
from contextlib import asynccontextmanager

__all__ = ["Client", "Pool", "fetch"]

class Pool:
    def take(self): ...

    async def _take(self):
        await self._queue()

    async def _queue(self):
        await asyncio.Semaphore(0).acquire()

    async def warm(self):
        await Holder().connect()

class Holder:
    async def connect(self):
        await dial()

class Client:
    async def __aenter__(self):
        await self._open()

    async def __aexit__(self, *exc):
        await Pool()._take()

    async def _open(self):
        await asyncio.get_running_loop().create_future()

    def __aiter__(self):
        return self

    async def __anext__(self):
        await _pause()

class _Request(Client): ...

async def _pause():
    await asyncio.sleep(9)

async def _send():
    await asyncio.Event().wait()

async def fetch():
    await asyncio.Event().wait()

async def dial():
    await asyncio.Event().wait()

def again(function):
    async def inner():
        await _pause()
        await function()
    return inner

@asynccontextmanager
async def session():
    await fetch()
    yield
"""


@pytest.fixture
def net() -> Iterator[ModuleType]:
    """A module of a package as if it were installed."""
    path = sysconfig.get_path("purelib") + "/net/core.py"
    package, module = ModuleType("net"), ModuleType("net.core")
    sys.modules |= {"net": package, "net.core": module}
    exec(compile(NET, path, "exec"), module.__dict__)
    yield module
    del sys.modules["net"], sys.modules["net.core"]


async def enter(manager: Any) -> None:
    async with manager:
        pass


async def leave(manager: Any) -> None:
    await manager.__aexit__(None, None, None)


async def stack(manager: Any) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(manager)


async def loop_over(things: Any) -> None:
    async for _ in things:
        pass


async def just(call: Any) -> None:
    await call


def first_wait(program: Coroutine[Any, Any, Any]) -> tuple[str, bool]:
    """What a task that runs `program` waits for first."""

    async def main() -> None:
        task = asyncio.create_task(program)
        await asyncio.sleep(1)
        task.cancel()

    (lane,) = simulate(main).lanes
    return waits(lane)[0]


@pytest.mark.parametrize(
    ("program", "wait"),
    [
        (lambda net: just(net.fetch()), ("fetch", False)),
        (lambda net: just(net.Pool().warm()), ("Pool.warm", False)),  # the first of several
        (lambda net: just(net.Pool()._take()), ("Pool.take", True)),
        (lambda net: leave(net.Client()), ("Pool.take", True)),  # rather than `Client`
        (lambda net: enter(net.Client()), ("Client", False)),  # rather than `Client._open`
        (lambda net: enter(net.session()), ("fetch", False)),  # and not what hands on to it
        (lambda net: stack(net.Client()), ("Client", False)),
        (lambda net: loop_over(net.Client()), ("sleep", False)),
        (lambda net: just(net.Holder().connect()), ("Holder.connect", False)),
        (lambda net: just(net._send()), ("_send", False)),  # its Event tells nothing
        (lambda net: just(net._Request()._open()), ("Client._open", False)),
        (lambda net: net.again(net.fetch)(), ("sleep", False)),
    ],
)
def test_a_call_is_known_by_its_best_name(
    net: ModuleType, program: Any, wait: tuple[str, bool]
) -> None:
    """A public one of the package that was called; else a public twin; else its class."""
    assert first_wait(program(net)) == wait


@pytest.mark.parametrize("exports", ["dial", "Holder"])
def test_without_a_list_what_a_package_exports_is_public(net: Any, exports: str) -> None:
    """So a class that is none of its face gives way to a call that is."""
    del net.__all__
    setattr(sys.modules["net"], exports, getattr(net, exports))
    assert first_wait(just(net.Holder().connect())) == (
        "dial" if exports == "dial" else "Holder.connect",
        False,
    )


# --- As they come out of libraries that exist ------------------------------------------------


@asynccontextmanager
async def server() -> AsyncIterator[str]:
    """An HTTP server in this loop, whose address it gives."""
    web = pytest.importorskip("aiohttp.web")

    async def answer(request: Any) -> Any:
        await asyncio.sleep(0.01)
        return web.Response(text="data")

    app = web.Application()
    app.router.add_get("/{name}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield "http://{}:{}".format(*runner.addresses[0])
    finally:
        await runner.cleanup()


def of(run: Run, name: str) -> list[list[tuple[str, bool]]]:
    """What the lanes of a name wait for."""
    return [waits(lane) for lane in run.lanes if lane.name.startswith(name)]


def test_aiohttp() -> None:
    """It waits for its turn where the connector is at its limit; opening one is the world."""
    aiohttp = pytest.importorskip("aiohttp")

    async def load(http: Any, name: str) -> str:
        async with http.get(f"/{name}") as response:
            return str(await response.text())

    async def main(url: str) -> None:
        one = aiohttp.TCPConnector(limit=1)
        async with aiohttp.ClientSession(url, connector=one) as http:
            await asyncio.gather(load(http, "a"), load(http, "b"))

    async def film() -> Run:
        async with server() as url:
            return await record(main(url))

    run = asyncio.run(film())
    assert run.error is None
    assert (run.starts, run.max_in_flight) == (["load('a')", "load('b')"], 2)
    answer = ("ClientResponse.start", False)
    opens, its_turn = ("BaseConnector.connect", False), ("BaseConnector.connect", True)
    # The body comes with the head, as a rule, but may be waited for.
    assert [seen[:2] for seen in of(run, "load")] == [[opens, answer], [its_turn, answer]]


def test_httpx() -> None:
    """Its pool waits by an Event, as its sockets do: names tell them apart."""
    httpx = pytest.importorskip("httpx")

    async def load(http: Any, name: str) -> str:
        return str((await http.get(f"/{name}")).text)

    async def main(url: str) -> None:
        limits = httpx.Limits(max_connections=1)
        async with httpx.AsyncClient(base_url=url, limits=limits) as http:
            await asyncio.gather(load(http, "a"), load(http, "b"))

    async def film() -> Run:
        async with server() as url:
            return await record(main(url))

    run = asyncio.run(film())
    assert run.error is None
    assert (run.starts, run.max_in_flight) == (["load('a')", "load('b')"], 2)
    world, turn = ("AsyncClient.get", False), ("AsyncClient.get", True)
    first, second = of(run, "load")
    assert world in first and {*first, *second} == {world, turn}
    assert second[0] == turn and second[-1] == world


def test_asyncpg() -> None:
    """It waits for its turn where the pool is exhausted; its own tasks are no lanes."""
    asyncpg = pytest.importorskip("asyncpg")

    async def load(pool: Any, number: int) -> None:
        async with pool.acquire() as connection:
            assert await connection.fetch("SELECT pg_sleep(0.01), $1::int", number)

    async def by_itself(pool: Any) -> None:
        await pool.fetch("SELECT pg_sleep(0.01)")

    async def main(address: str) -> None:
        async with asyncpg.create_pool(address, min_size=1, max_size=1) as pool:
            await asyncio.gather(load(pool, 1), load(pool, 2), by_itself(pool))

    async def film() -> Run:
        async with postgres() as address:
            return await record(main(address))

    try:
        run = asyncio.run(film())
    except NoDatabase as none:
        pytest.skip(str(none))
    assert run.error is None
    assert (run.starts, run.max_in_flight) == (["load(1)", "load(2)", "by_itself()"], 3)
    turn, query, back = ("Pool.acquire", True), ("Connection.fetch", False), ("Pool.release", False)
    assert of(run, "load") == [[query, back], [turn, query, back]]
    assert of(run, "by_itself") == [[("Pool.fetch", True), ("Pool.fetch", False)]]
    assert ("connect", False) in waits(run.root)


def test_aiosqlite() -> None:
    """Its calls go by their names; its thread is no lane."""
    aiosqlite = pytest.importorskip("aiosqlite")

    async def load() -> None:
        async with aiosqlite.connect(":memory:") as database:
            async with database.execute("SELECT 1") as cursor:
                await cursor.fetchone()

    async def main() -> None:
        await asyncio.gather(load())

    run = filmed(main())
    assert (run.starts, run.max_in_flight) == (["load()"], 1)
    names = ["Connection", "Connection.execute", "Cursor.fetchone", "Cursor.close"]
    assert of(run, "load") == [[(name, False) for name in (*names, "Connection.close")]]


def test_what_a_library_runs_for_the_learner_is_a_lane() -> None:
    """As for tqdm and stamina; between two tries it sleeps, and at a limiter it has its turn."""
    tqdm = pytest.importorskip("tqdm.asyncio").tqdm
    stamina = pytest.importorskip("stamina")
    aiolimiter = pytest.importorskip("aiolimiter")
    pace = aiolimiter.AsyncLimiter(1, 0.5)
    tries = iter([ValueError, ValueError, None])

    async def load(name: str) -> None:
        async with pace:
            await asyncio.to_thread(time.sleep, 0.1)

    async def flaky() -> None:
        await asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.1)
        if error := next(tries):
            raise error

    async def main() -> None:
        again = stamina.retry(on=ValueError, wait_initial=0.01, wait_jitter=0)
        await tqdm.gather(load("a"), load("b"), again(flaky)(), disable=True)

    stamina.instrumentation.set_on_retry_hooks([])
    run = filmed(main())
    assert sorted(run.starts) == ["flaky()", "load('a')", "load('b')"]
    assert run.max_in_flight == 3
    thread, turn = ("to_thread", False), ("AsyncLimiter.acquire", True)
    assert sorted(of(run, "load")) == [[turn, thread], [thread]]
    tried, rested = ("executor", False), ("sleep", False)
    assert of(run, "flaky") == [[tried, rested, tried, rested, tried]]


def test_what_asyncio_makes_for_its_own_ends_is_no_lane() -> None:
    """As to start a server, and to talk to a process."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()

    async def main() -> None:
        async with await asyncio.start_server(handle, "127.0.0.1", 0) as served:
            reader, writer = await asyncio.open_connection(*served.sockets[0].getsockname())
            writer.write(b"line\n")
            await reader.readline()
            writer.close()
        command = sys.executable, "-c", "print('done')"
        process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        assert await process.communicate() == (b"done\n", None)

    run = filmed(main())
    assert (run.starts, run.max_in_flight) == (["handle()"], 1)
    whats = [what for what, _ in waits(run.root)]
    assert {"open_connection", "StreamReader.readline", "Process.communicate"} <= {*whats}
    assert not any(turn for _, turn in waits(run.root))
