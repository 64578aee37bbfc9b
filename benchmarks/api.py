"""Loading from an HTTP API as notebook 08 does, beside a bare aiohttp loop and httpx.

The server is a process of its own, so processor time is the client's alone.
"""

import asyncio
import gc
import itertools
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import httpx

from helpers import Run
from helpers.camera import record
from helpers.screen import png, timeline
from helpers.world import Api, prepare, serve

from .measure import Row, by_turns, compared

LIMIT = 100
ERRORS = 0.05
ATTEMPTS = 2

Load = Callable[[str], Awaitable[bytes]]


async def load_all(load: Load, names: Sequence[str], limit: int) -> list[Any]:
    gate = asyncio.Semaphore(limit)

    async def one(name: str) -> bytes:
        async with gate:
            return await load(name)

    return await asyncio.gather(*(one(name) for name in names), return_exceptions=True)


def from_api(http: aiohttp.ClientSession) -> Load:
    async def load(name: str) -> bytes:
        async with http.get(f"/shards/{name}") as response:
            response.raise_for_status()
            return await response.read()

    return load


def patiently(load: Load, told_off: list[str]) -> Load:
    """Wait as long as a 429 says, which is no try, and try once more after a 503."""

    async def one(name: str) -> bytes:
        failed = 0
        while True:
            try:
                return await load(name)
            except aiohttp.ClientResponseError as error:
                failed += error.status == 503
                if error.status not in (429, 503) or failed == ATTEMPTS:
                    raise
                pause = 0.05
                if error.status == 429 and error.headers is not None:
                    pause = float(error.headers["Retry-After"])
                    told_off.append(name)
            await asyncio.sleep(pause)

    return one


async def ours(api: Api, names: Sequence[str], told_off: list[str]) -> list[Any]:
    async with aiohttp.ClientSession(api.url) as http:
        return await load_all(patiently(from_api(http), told_off), names, LIMIT)


async def by_workers(api: Api, names: Sequence[str]) -> list[Any]:
    """The same load by workers that share an iterator, as notebook 06 feeds its queues."""
    results: list[Any] = [None] * len(names)
    todo = iter(enumerate(names))
    async with aiohttp.ClientSession(api.url) as http:
        load = patiently(from_api(http), [])

        async def worker() -> None:
            for at, name in todo:
                try:
                    results[at] = await load(name)
                except aiohttp.ClientError as error:
                    results[at] = error

        await together(worker)
    return results


async def bare(api: Api, names: Sequence[str]) -> None:
    """What aiohttp takes at least: nothing is kept, and no error is looked at."""
    todo = iter(names)
    async with aiohttp.ClientSession(api.url) as http:

        async def worker() -> None:
            for name in todo:
                async with http.get(f"/shards/{name}") as response:
                    await response.read()

        await together(worker)


async def gathered(api: Api, names: Sequence[str]) -> None:
    """The same, as one writes it first: the connector's own limit, 100, lets in the tasks."""
    async with aiohttp.ClientSession(api.url) as http:

        async def one(name: str) -> bytes:
            async with http.get(f"/shards/{name}") as response:
                return await response.read()

        await asyncio.gather(*(one(name) for name in names))


async def by_httpx(api: Api, names: Sequence[str]) -> None:
    todo = iter(names)
    limits = httpx.Limits(max_connections=LIMIT)
    async with httpx.AsyncClient(base_url=api.url, limits=limits, timeout=60) as http:

        async def worker() -> None:
            for name in todo:
                await http.get(f"/shards/{name}")

        await together(worker)


async def together(worker: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(LIMIT):
            group.create_task(worker())


async def answered(api: Api) -> Counter[str]:
    """How many answers of each status the server has given."""
    async with aiohttp.ClientSession(api.url) as http, http.get("/health") as response:
        return Counter((await response.json())["shards"])


def rows(rounds: int = 3, loads: int = 10_000, rate: float = 1_000) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        files = prepare(folder, files=100).files
        names = [file.name for file in itertools.islice(itertools.cycle(files), loads)]
        with _served(runner, files[0].parent, rate=rate) as api:
            yield _ends(runner, api, names, rate)
        with _served(runner, files[0].parent) as api:
            yield from _beside(runner, api, names, rounds)


@contextmanager
def _served(runner: asyncio.Runner, folder: Path, **settings: Any) -> Iterator[Api]:
    server = serve(folder, latency=(0.005, 0.02), capacity=1_000, error_rate=ERRORS, **settings)
    api = runner.run(server.__aenter__())
    try:
        yield api
    finally:
        runner.run(server.__aexit__(None, None, None))


def _ends(runner: asyncio.Runner, api: Api, names: Sequence[str], rate: float) -> Row:
    """Every item ends as a result or as a failure by name; the server has counted as many."""
    told_off: list[str] = []
    results = runner.run(ours(api, names, told_off))
    counts = runner.run(answered(api))
    failed = {at: result.status for at, result in enumerate(results) if type(result) is not bytes}
    done = len(names) - len(failed)
    assert len(results) == len(names) and set(failed.values()) <= {503}, failed
    assert (counts["200"], counts["429"]) == (done, len(told_off)), counts
    lost = len(names) - counts["200"] - len(failed)
    what = f"{len(names):,} HTTP loads, {100 * ERRORS:g} % fail, {rate:,.0f}/s let in: done"
    told = f"named failures; {len(told_off):,} × 429"
    return Row(what, f"{done:,}", told, f"{len(failed):,}", lost / len(names), None, 0.0)


def _beside(runner: asyncio.Runner, api: Api, names: Sequence[str], rounds: int) -> Iterator[Row]:
    few = names[: max(1, len(names) // 20)]
    programs: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
        "ours": lambda: ours(api, names, []),
        "recorded": lambda: record(ours(api, names, [])),
        "workers": lambda: by_workers(api, names),
        "bare": lambda: bare(api, names),
        "gathered": lambda: gathered(api, names),
        "httpx": lambda: by_httpx(api, few),
    }
    asked: dict[str, list[int]] = {name: [] for name in programs}  # requests, further tries too
    speed: dict[str, list[float]] = {name: [] for name in programs}
    last: dict[str, Any] = {}

    def work(name: str) -> Callable[[], None]:
        def one() -> None:
            last.pop(name, None)
            before, start = runner.run(answered(api)).total(), time.perf_counter()
            result = runner.run(programs[name]())
            took = time.perf_counter() - start
            asked[name].append(runner.run(answered(api)).total() - before)
            speed[name].append(asked[name][-1] / took)
            if isinstance(result, Run):
                assert result.error is None and len(result.result) == len(names), result
                last[name] = result

        return one

    gc.collect()
    gc.freeze()  # what was there before is walked for none of them
    try:
        took = by_turns(rounds, **{name: work(name) for name in programs})
    finally:
        gc.unfreeze()
    each = {  # seconds of as many requests as there are loads
        name: [len(names) * s / n for s, n in zip(took[name], asked[name][1:], strict=True)]
        for name in programs
    }
    what = f"{len(names):,} requests, {LIMIT} at once: "
    for name, other, how, beside, goal in (
        ("ours", "gathered", "patient", "aiohttp, gather", 1.1),
        ("workers", "bare", "patient workers", "aiohttp, workers", 1.1),
        ("ours", "bare", "patient", "aiohttp, workers", None),
        ("ours", "httpx", "patient", "httpx, workers", 1.0),
        ("recorded", "ours", "record", "unrecorded", 1.5),
    ):
        yield compared(each, name, other, what + how, beside, goal)
        a, b = (f"{statistics.median(speed[program][1:]):,.0f}/s" for program in (name, other))
        yield Row(what + f"{how}, real time", a, beside, b)
    yield _picture(last["recorded"])


def _picture(run: Run) -> Row:
    start = time.process_time()
    image = png(timeline(run))
    took = time.process_time() - start
    what = f"{run.lane_count:,} recorded lanes: picture, to PNG"
    return Row(what, f"{1e3 * took:,.0f} ms", "of so many bytes", f"{len(image):,} B")
