"""The course's API does what its twin predicts, withstands bad clients, and leaves nothing."""

import asyncio
import doctest
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from servers import classroom

from helpers import simulate
from helpers.world import api as module
from helpers.world import prepare, read_shard
from helpers.world.api import Api, serve
from helpers.world.child import ServerFailed
from helpers.world.load import ShardError

aiohttp = pytest.importorskip("aiohttp")
PATIENCE = 30.0  # seconds that a busy machine may need; what is measured has its own bound
SLOW = 1.0  # the server's patience in these tests
Load = Callable[[str], Awaitable[Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    prepare(folder)
    return folder


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    """A server that is quick, and soon tired of slow clients."""
    with classroom(folder, "--latency", "0.001", "0.002", f"--patience={SLOW}") as address:
        yield address


def test_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples in the docstrings give what they say."""
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(module)
    assert result.attempted and not result.failed


def small(folder: Path, count: int) -> list[str]:
    """Make small files, for a service asks only for their names."""
    for number in range(count):
        (folder / f"file{number}.csv").write_text(f"{number}\n")
    return [f"file{number}.csv" for number in range(count)]


# --- What it serves ------------------------------------------------------------------------


def test_it_serves_the_shards_byte_by_byte(url: str, folder: Path, tmp_path: Path) -> None:
    """All that it was given, by name, in the order of their numbers, as `read_shard` reads it."""

    async def main() -> None:
        async with aiohttp.ClientSession(url) as http:
            async with http.get("/shards") as response:
                names = (await response.json())["shards"]
            assert names == [path.name for path in prepare(folder).files]
            for path in prepare(folder).files:
                async with http.get(f"/shards/{path.name}") as response:
                    assert response.status == 200 and response.content_type == "text/csv"
                    body = await response.read()
                assert body == path.read_bytes()
                (tmp_path / path.name).write_bytes(body)
                assert len(read_shard(tmp_path / path.name).labels) == 100

    asyncio.run(main())


def test_bodies_on_demand(url: str, tmp_path: Path) -> None:
    """Slow: past any short total timeout; stalled: past a silence; cut: no end; broken: a fault."""

    async def get(kind: str, **timeouts: float) -> bytes:
        timeout = aiohttp.ClientTimeout(**timeouts)
        async with (
            aiohttp.ClientSession(url, timeout=timeout) as http,
            http.get("/shards/dataset1.csv", params={"body": kind}) as response,
        ):
            assert response.status == 200
            return bytes(await response.read())

    async def main() -> None:
        whole = await get("whole")
        start = time.monotonic()
        assert await get("slow") == whole
        assert time.monotonic() - start > 0.9
        with pytest.raises(asyncio.TimeoutError):
            await get("slow", total=0.5)
        with pytest.raises(aiohttp.SocketTimeoutError):
            await get("stalled", sock_read=0.5)
        with pytest.raises(aiohttp.ClientPayloadError):
            await get("cut")
        broken = await get("broken")
        assert len(broken) == len(whole) and broken != whole
        path = tmp_path / "dataset1.csv"
        path.write_bytes(broken)
        with pytest.raises(ShardError, match=r"dataset1\.csv, line \d+"):
            read_shard(path)

    asyncio.run(main())


def test_only_plain_csv_files_are_served(tmp_path: Path) -> None:
    """Not what a link points to, not folders, not what comes later."""
    given, secret = tmp_path / "given", tmp_path / "secret.csv"
    given.mkdir()
    secret.write_text("secret")
    for name in ("a.csv", "notes.txt", ".hidden"):
        (given / name).write_text("1")
    (given / "folder.csv").mkdir()
    (given / "link.csv").symlink_to(secret)

    async def main() -> None:
        async with serve(given) as api, aiohttp.ClientSession() as http:
            assert api.names == ("a.csv",)
            (given / "later.csv").write_text("2")
            for name in ("notes.txt", ".hidden", "folder.csv", "link.csv", "later.csv"):
                async with http.get(f"{api.url}/shards/{name}") as response:
                    assert response.status == 404
                    assert name in (await response.json())["error"]["message"]

    asyncio.run(main())


def test_what_cannot_start_says_why(tmp_path: Path) -> None:
    """Settings before a process is started, the folder by the process."""

    async def main(*args: Any, **settings: Any) -> None:
        async with serve(*args, **settings):
            pass

    with pytest.raises(ValueError, match="error_rate=5: give"):
        asyncio.run(main(error_rate=5))
    with pytest.raises(ServerFailed, match="there is no CSV file in"):
        asyncio.run(main(tmp_path))
    with pytest.raises(ServerFailed, match="No such file"):
        asyncio.run(main(tmp_path / "nowhere"))


# --- Its twin ------------------------------------------------------------------------------


async def limited(load: Load, names: list[str], limit: int) -> list[float]:
    """Load all, at most so many together; return how long each took, by the loop's clock."""
    gate, clock = asyncio.Semaphore(limit), asyncio.get_running_loop()

    async def one(name: str) -> float:
        async with gate:
            start = clock.time()
            await load(name)
            return clock.time() - start

    return await asyncio.gather(*map(one, names))


def test_capacity_is_as_predicted(tmp_path: Path) -> None:
    """At five limits throughput and latency are within 20 %, and the same limit is the best.

    What disturbs a busy machine makes a run slower only, so the best of up to three counts.
    """
    names, latency = small(tmp_path, 60), (0.12, 0.24)

    async def measured(api: Api, limit: int) -> tuple[float, float]:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:

            async def load(name: str) -> None:
                async with http.get(f"{api.url}/shards/{name}") as response:
                    assert response.status == 200
                    await response.read()

            await asyncio.gather(*(http.get(f"{api.url}/health") for _ in range(limit)))
            start = time.monotonic()
            each = await limited(load, names, limit)
            return len(names) / (time.monotonic() - start), statistics.mean(each)

    async def main() -> None:
        best: dict[int, float] = {}
        predicted: dict[int, float] = {}
        async with serve(tmp_path, latency=latency) as api:
            assert statistics.mean(map(api.service.seconds, names)) > 0.08
            for limit in (3, 6, 10, 16, 24):
                api.service.inside = 0
                run = await asyncio.to_thread(simulate, limited, api.service.answer, names, limit)
                predicted[limit] = len(names) / run.seconds
                for _ in range(3):
                    speed, wait = await measured(api, limit)
                    best[limit] = max(speed, best.get(limit, 0))
                    if best[limit] > 0.85 * predicted[limit]:
                        break
                assert best[limit] == pytest.approx(predicted[limit], rel=0.2)
                assert wait == pytest.approx(statistics.mean(run.result), rel=0.2)
        assert max(best, key=best.__getitem__) == max(predicted, key=predicted.__getitem__) == 10

    asyncio.run(main())


def test_every_load_ends_as_a_result_or_a_named_failure(tmp_path: Path) -> None:
    """Ten thousand at limit 100, with errors and rate limiting: exactly those fail that must."""
    names = small(tmp_path, 10_000)

    async def main() -> None:
        done: dict[str, bytes] = {}
        failed: dict[str, int] = {}
        refused = Counter[str]()
        service = {"latency": (0.01, 0.03), "capacity": 100, "error_rate": 0.05, "rate": 800}
        async with (
            serve(tmp_path, **service) as api,  # type: ignore[arg-type]
            aiohttp.ClientSession() as http,
        ):

            async def load(name: str) -> None:
                tries = 0
                while True:
                    async with http.get(f"{api.url}/shards/{name}") as response:
                        body = await response.read()
                        if response.status == 200:
                            done[name] = body
                            return
                        assert json.loads(body)["error"]["message"]
                        if response.status == 429:  # not one of its tries
                            refused[name] += 1
                            wait = float(response.headers["Retry-After"])
                        else:
                            assert response.status == 503
                            tries, wait = tries + 1, 0.01
                            if tries == 2:
                                failed[name] = response.status
                                return
                    await asyncio.sleep(wait)

            start = time.monotonic()
            await limited(load, names, 100)
            seconds = time.monotonic() - start
            twice = {n for n in names if api.service.fails(n, 1) and api.service.fails(n, 2)}
            assert len(done) + len(failed) == 10_000 and set(failed) == twice
            assert all(body == f"{name[4:-4]}\n".encode() for name, body in done.items())
            assert refused.total() > 0 or seconds > 10_000 / 800  # a slow machine needs no limit
            async with http.get(f"{api.url}/health") as response:
                told = await response.json()
            assert told["shards"].get("429", 0) == refused.total()
            assert told["shards"]["200"] == len(done) and told["inside"] == 0

    asyncio.run(main())


def test_a_client_that_leaves_is_counted_out(tmp_path: Path) -> None:
    """At once, not when its answer would have been ready."""
    small(tmp_path, 20)

    async def main() -> None:
        async with serve(tmp_path, latency=(600, 600)) as api, aiohttp.ClientSession() as http:

            async def inside() -> int:
                async with http.get(f"{api.url}/health") as response:
                    return int((await response.json())["inside"])

            async def until(number: int) -> None:
                while await inside() != number:  # noqa: ASYNC110 - it is another process
                    await asyncio.sleep(0.02)

            tasks = [
                asyncio.ensure_future(http.get(f"{api.url}/shards/file{n}.csv")) for n in range(20)
            ]
            async with asyncio.timeout(PATIENCE):
                await until(20)
                for task in tasks:
                    task.cancel()
                await until(0)

    asyncio.run(main())


# --- Bad clients ---------------------------------------------------------------------------


def get(path: str, *more: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: a", *more, "", ""]).encode("latin-1")


def post(body: bytes, *more: str, path: str = "/v1/embeddings") -> bytes:
    length = () if any("Content-Length" in m or "chunked" in m for m in more) else (len(body),)
    lines = [f"POST {path} HTTP/1.1", "Host: a", *(f"Content-Length: {n}" for n in length), *more]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


CHUNKED = "Transfer-Encoding: chunked"
OUTSIDE = [
    "/etc/passwd",
    "/../../../../etc/passwd",
    "/shards/../../../../etc/passwd",
    "/shards/..%2f..%2f..%2f..%2fetc%2fpasswd",
    "/shards/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/shards/%252e%252e%252f%252e%252e%252fetc%252fpasswd",
    "/shards/%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd",
    "/shards//etc/passwd",
    "/shards/%2Fetc%2Fpasswd",
    "/shards/..%5c..%5cboot.ini",
    "/shards/dataset1.csv%00.txt",
    "/shards/dataset1.csv/",
    "/shards/.",
    "/shards/datasets.sqlite",
    "/shards/checksums.sha256",
    "http://elsewhere/etc/passwd",
    "file:///etc/passwd",
]
HOSTILE = {f"outside {path}": get(path) for path in OUTSIDE} | {
    "no such body": get("/shards/dataset1.csv?body=%3Cscript%3E"),
    "method not allowed": b"DELETE /shards/dataset1.csv HTTP/1.1\r\nHost: a\r\n\r\n",
    "post where there is get": post(b"{}", path="/shards"),
    "get where there is post": get("/v1/embeddings"),
    "unknown method": b"BREW /shards HTTP/1.1\r\nHost: a\r\n\r\n",
    "connect elsewhere": b"CONNECT elsewhere:443 HTTP/1.1\r\nHost: elsewhere\r\n\r\n",
    "no method": b"/shards HTTP/1.1\r\nHost: a\r\n\r\n",
    "unknown version": b"GET /shards HTTP/9.9\r\nHost: a\r\n\r\n",
    "no number as version": b"GET /shards HTTP/x\r\nHost: a\r\n\r\n",
    "http 2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "tls": bytes.fromhex("16030100a5010000a10303") + bytes(160) + b"\r\n\r\n",
    "noise": bytes(range(256)) * 8 + b"\r\n\r\n",
    "null bytes": bytes(4096) + b"\r\n\r\n",
    "null byte in path": b"GET /shards\0 HTTP/1.1\r\nHost: a\r\n\r\n",
    "null byte in header": get("/shards", "X: a\0b"),
    "huge path": get("/" + "a" * 100_000),
    "huge header": get("/shards", "X: " + "a" * 100_000),
    "huge name of a header": get("/shards", "a" * 100_000 + ": x"),
    "many headers": get("/shards", *(f"X{n}: a" for n in range(5000))),
    "header without colon": get("/shards", "nonsense"),
    "space before colon": get("/shards", "X : a"),
    "two lengths": post(b"{}", "Content-Length: 2", "Content-Length: 3"),
    "length and chunks": post(b"0\r\n\r\n", "Content-Length: 3", CHUNKED),
    "negative length": post(b"{}", "Content-Length: -2"),
    "length in words": post(b"{}", "Content-Length: two"),
    "absurd length": post(b"{}", "Content-Length: 1" + "0" * 40),
    "length promised, not sent": post(b"{}", "Content-Length: 1000"),
    "longer than it may be": post(b"[" * (2**20 + 1)),
    "announced longer than it may be": post(b"{}", f"Content-Length: {2**40}"),
    "bad chunk size": post(b"zz\r\n{}\r\n0\r\n\r\n", CHUNKED),
    "negative chunk": post(b"-2\r\n{}\r\n0\r\n\r\n", CHUNKED),
    "endless chunk": post(b"ffffffffffffffff\r\n{}", CHUNKED),
    "chunk longer than told": post(b"1\r\n{}\r\n0\r\n\r\n", CHUNKED),
    "unknown encoding": post(b"{}", "Transfer-Encoding: smoke"),
    "no gzip": post(b"{}", "Content-Encoding: gzip"),
    "no json": post(b"{'model': 1}"),
    "cut json": post(b'{"model": "pretend-em'),
    "no body": post(b""),
    "deep json": post(b"[" * 500_000),
    "long number": post(b"1" * 500_000),
    "no utf-8": post(b'{"model": "\xff\xfe"}'),
    "not a number": post(b"NaN"),
    "no object": post(b"[1, 2, 3]"),
    "lone surrogate": post(rb'{"model": "\ud800"}'),
    "head that stops": b"GET /shards HTTP/1.1\r\nHost: a\r\n",
    "first line that stops": b"GE",
    "silence": b"",
    "garbage after a request": get("/nothing") + b"\0\1\2garbage\r\n\r\n",
}


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    try:
        async with asyncio.timeout(PATIENCE):
            yield reader, writer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def told(url: str, sent: bytes) -> bytes:
    """Send this and return the answer, or nothing if the connection ends."""
    async with connected(url) as (reader, writer):
        writer.write(sent)
        try:
            return await reader.read(65_536)
        except ConnectionError:
            return b""


def assert_answers(url: str) -> None:
    answer = asyncio.run(told(url, get("/shards/dataset1.csv")))
    assert answer.startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("case", HOSTILE)
def test_a_bad_request_is_told_so_or_left(url: str, case: str) -> None:
    """By a status 4xx with a reason, or the end of the connection; and the server goes on."""
    answer = asyncio.run(told(url, HOSTILE[case]))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert not answer or (head.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")) and body), answer[:300]
    assert b"root:" not in answer and b"SQLite" not in answer
    assert_answers(url)


@pytest.mark.parametrize(
    ("case", "status"),
    [
        ("longer than it may be", b"413"),
        ("announced longer than it may be", b"413"),
        ("length promised, not sent", b"408"),
        ("method not allowed", b"405"),
        ("deep json", b"400"),
        ("outside /shards/datasets.sqlite", b"404"),
    ],
)
def test_the_status_tells_what_was_wrong(url: str, case: str, status: bytes) -> None:
    """And the body says it in words, in one form for all."""
    head, _, body = asyncio.run(told(url, HOSTILE[case])).partition(b"\r\n\r\n")
    assert head.split()[1] == status
    assert json.loads(body)["error"]["message"]


@pytest.mark.parametrize("sent", [get("/shards", "X: a" * 50), post(b"{}" * 100)])
def test_a_client_that_dribbles_is_left(url: str, sent: bytes) -> None:
    """Head or body a byte at a time: each byte comes in time, and all of them do not."""

    async def dribble(writer: asyncio.StreamWriter) -> None:
        at_once = sent.index(b"\r\n\r\n") + 4 if sent.startswith(b"POST") else 0
        writer.write(sent[:at_once])
        for byte in sent[at_once:]:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.1)

    async def main() -> float:
        start = time.monotonic()
        async with connected(url) as (reader, writer):
            dribbling = asyncio.create_task(dribble(writer))
            try:
                answer = await reader.read()
            except ConnectionError:
                answer = b""
            dribbling.cancel()
            await asyncio.wait([dribbling])
        assert not answer or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))
        return time.monotonic() - start

    assert asyncio.run(main()) < 15 < 0.1 * 190
    assert_answers(url)


def test_split_and_pipelined_requests_are_answered(url: str) -> None:
    """In any pieces; fifty in one piece get fifty answers, in order."""

    async def answer(reader: asyncio.StreamReader) -> bytes:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.split(b"content-length: ")[1].split()[0]))
        return head.split()[1]

    async def main() -> None:
        async with connected(url) as (reader, writer):
            for byte in get("/shards/dataset2.csv"):
                writer.write(bytes([byte]))
                await asyncio.sleep(0.001)
            assert await answer(reader) == b"200"
            names = [f"dataset{n % 10 + 1}.csv" for n in range(49)]
            writer.write(b"".join(get(f"/shards/{n}") for n in [*names, "missing"]))
            assert [await answer(reader) for _ in range(50)] == [b"200"] * 49 + [b"404"]

    asyncio.run(main())


@pytest.fixture
def files() -> Iterator[None]:
    """Let this process open as many files as two thousand connections need."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2500
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"the system allows {hard} open files")
    if soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("files")
def test_two_thousand_connections_at_a_time(folder: Path) -> None:
    """All are open together, all are answered, and others are after them."""

    async def main(url: str) -> None:
        async with AsyncExitStack() as stack:
            opened = [await stack.enter_async_context(connected(url)) for _ in range(2000)]
            for number, (_, writer) in enumerate(opened):
                writer.write(get(f"/shards/dataset{number % 10 + 1}.csv"))
            answers = await asyncio.gather(*(reader.read(12) for reader, _ in opened))
            assert answers == [b"HTTP/1.1 200"] * 2000

    with classroom(folder, "--capacity=2000") as url:
        asyncio.run(main(url))
        assert_answers(url)


def test_whoever_comes_when_it_is_full_is_told_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system lets this server open 100 files: those inside are answered, the others refused."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def main(url: str) -> None:
        async with AsyncExitStack() as stack:
            inside = [await stack.enter_async_context(connected(url)) for _ in range(36)]
            for reader, writer in inside:
                writer.write(get("/health"))
                assert await reader.read(12) == b"HTTP/1.1 200"
            assert (await told(url, b"")).startswith(b"HTTP/1.1 503 Too many connections")

    limited = partial(resource.setrlimit, resource.RLIMIT_NOFILE, (100, 100))
    monkeypatch.setattr("servers.subprocess.Popen", partial(subprocess.Popen, preexec_fn=limited))
    with classroom(folder) as url:
        asyncio.run(main(url))
        give_up = time.monotonic() + 10
        while b" 503 " in asyncio.run(told(url, b"")) and time.monotonic() < give_up:
            time.sleep(0.01)  # until it has seen that they are gone
        assert_answers(url)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (soft, hard)


# --- Its end -------------------------------------------------------------------------------


def assert_free(url: str) -> None:
    """Nobody listens there, and one could."""
    where = urlsplit(url)
    with pytest.raises(OSError), socket.create_connection((where.hostname, where.port), 5):
        pass
    socket.create_server((where.hostname or "", where.port or 0)).close()


@pytest.mark.parametrize("fails", [False, True])
def test_it_leaves_nothing_behind(folder: Path, fails: bool) -> None:
    """No process and a free port, also after an error and with a request under way."""
    seen: list[Api] = []

    async def main() -> None:
        async with (
            serve(folder / "digits-10", latency=(60, 60)) as api,
            connected(api.url) as (_, writer),
        ):
            seen.append(api)
            writer.write(get("/shards/dataset1.csv"))
            assert psutil.pid_exists(api.process)
            if fails:
                raise ZeroDivisionError

    try:
        asyncio.run(main())
    except ZeroDivisionError:
        assert fails
    (api,) = seen
    assert not psutil.pid_exists(api.process)
    assert_free(api.url)


PARENT = """
    import asyncio, os, sys, time
    from helpers.world.api import serve

    async def main():
        async with serve(sys.argv[1]) as api:
            if os.fork() == 0:
                os.close(1)
                time.sleep(60)
            print(api.process, api.url, flush=True)
            await asyncio.sleep(60)

    asyncio.run(main())
"""


@pytest.mark.skipif(os.name != "posix", reason="there is no such signal")
def test_it_is_gone_when_its_parent_is_killed(folder: Path) -> None:
    """Within three seconds, with a process alive that was forked off the parent."""
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PARENT), f"{folder}/digits-10"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    process, url = parent.stdout.readline().split()
    below = psutil.Process(parent.pid).children()
    server, others = psutil.Process(int(process)), [p for p in below if p.pid != int(process)]
    assert len(others) == 1
    parent.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    try:
        _, alive = psutil.wait_procs([server], timeout=PATIENCE)
        assert not alive and time.monotonic() - killed < 3.0
        assert_free(url)
    finally:
        for other in others:
            other.kill()
        parent.stdout.close()
        parent.wait()
