"""The inference service answers each request or says why not, ends gracefully, leaves nothing."""

import asyncio
import doctest
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psutil
import pytest
from sklearn.datasets import load_digits
from test_api import HOSTILE, PATIENCE, SLOW, assert_free, get, told

from helpers.world import serve_model, train_model
from helpers.world import server as module
from helpers.world.child import ServerFailed

aiohttp = pytest.importorskip("aiohttp")
web = pytest.importorskip("aiohttp.web")
IMAGES = load_digits().data.tolist()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A service by its command, soon tired of slow clients."""
    server = subprocess.Popen(
        [sys.executable, "-m", "helpers.world.server", f"--patience={SLOW}"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        yield server.stdout.readline().split()[0]
    finally:
        server.terminate()
        assert server.wait(PATIENCE) == 0
        server.stdout.close()


async def ask(http: Any, image: object, **more: object) -> tuple[int, dict[str, Any]]:
    async with http.post("/infer", json={"image": image, **more}) as response:
        return response.status, await response.json() | dict(response.headers)


async def look(http: Any, path: str = "/health") -> str:
    async with http.get(path) as response:
        assert response.status == 200
        return str(await response.text())


def session(url: str) -> Any:
    return aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0))


def test_examples() -> None:
    """The examples in the docstrings give what they say."""
    result = doctest.testmod(module)
    assert result.attempted and not result.failed


def test_each_gets_the_label_of_its_own_image(url: str) -> None:
    """Two hundred together; a bad one among them is told so alone, and the metrics count all."""

    async def main() -> None:
        async with session(url) as http:
            bad = [None, [], [1] * 63, [1] * 63 + [17], [1] * 63 + ["1"], [True] * 64, "a" * 64]
            asked = [*IMAGES[:200], *bad]
            answers = await asyncio.gather(*(ask(http, image) for image in asked))
            labels = [told["label"] for status, told in answers[:200]]
            assert labels == train_model().predict(IMAGES[:200]).tolist()
            assert [status for status, _ in answers[200:]] == [422] * len(bad)
            assert "list of 64 numbers" in answers[-1][1]["error"]
            for within in 0.0, -1, "1", None, 1e9, float("nan"):
                status, why = await ask(http, IMAGES[0], within=within)
                assert status in (422, 504), why
            text = await look(http, "/metrics")
            assert 'answers_total{status="200"} 200.0' in text and "in_flight 0.0" in text

    asyncio.run(main())


@pytest.mark.parametrize("case", HOSTILE)
def test_a_bad_request_is_told_so_or_left(url: str, case: str) -> None:
    """By a status 4xx with a reason, or the end of the connection; and the service goes on."""
    sent = HOSTILE[case].replace(b"/v1/embeddings", b"/infer").replace(b"/shards", b"/infer")
    answer = asyncio.run(told(url, sent))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert not answer or (head.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")) and body), answer[:300]
    assert asyncio.run(told(url, get("/health"))).startswith(b"HTTP/1.1 200 OK")


def test_a_full_queue_and_a_deadline_are_told_at_once() -> None:
    """While a call runs, `/health` answers, 503 says when to come again, 504 comes in time."""

    async def main() -> None:
        async with (
            serve_model(call_seconds=4, max_queue=3, max_wait=0) as service,
            session(service.url) as http,
        ):
            running = asyncio.create_task(ask(http, IMAGES[0]))
            await until(http, 1)
            assert (await ask(http, IMAGES[0], within=0.1))[0] == 504
            waiting = [asyncio.create_task(ask(http, IMAGES[0])) for _ in range(8)]
            await until(http, 4)
            refused, accepted = await asyncio.wait(waiting, timeout=1)
            assert [task.result()[0] for task in refused] == [503] * 5
            assert all(task.result()[1]["Retry-After"] == "1" for task in refused)
            for task in accepted:  # who leaves makes room
                task.cancel()
            await until(http, 1)
            assert (await running)[0] == 200

    asyncio.run(main())


async def until(http: Any, number: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while await look(http) != f'{{"in_flight": {number}}}':  # noqa: ASYNC110 - elsewhere
            await asyncio.sleep(0.02)


def test_sigterm_answers_what_it_accepted() -> None:
    """A hundred in flight: all answered; those who come later are refused; then it ends with 0."""

    async def main() -> None:
        async with serve_model(max_wait=3, max_batch_size=128) as service:
            async with session(service.url) as http:
                accepted = [asyncio.create_task(ask(http, image)) for image in IMAGES[:100]]
                await until(http, 100)
                os.kill(service.process, signal.SIGTERM)
                with suppress(aiohttp.ClientError):
                    while True:
                        await look(http)
                late = await asyncio.gather(
                    *(ask(http, image) for image in IMAGES[:20]), return_exceptions=True
                )
                assert all(isinstance(error, aiohttp.ClientError) for error in late)
                assert not any(task.done() for task in accepted)
                answers = await asyncio.gather(*accepted)
                assert Counter(status for status, _ in answers) == {200: 100}
            assert await asyncio.to_thread(psutil.Process(service.process).wait, PATIENCE) == 0
            assert_free(service.url)

    asyncio.run(main())


def test_a_model_that_breaks_is_500_and_the_service_goes_on() -> None:
    """Each caller is told, none waits for ever, and the next is answered."""
    broken = True

    def predict(images: list[list[float]]) -> list[int]:
        if broken:
            raise ZeroDivisionError
        return [7] * len(images)

    async def main() -> None:
        nonlocal broken
        app = module.application(predict)
        app.logger.disabled = True
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with session(f"http://127.0.0.1:{runner.addresses[0][1]}") as http:
            answers = await asyncio.gather(*(ask(http, image) for image in IMAGES[:20]))
            assert {status for status, _ in answers} == {500}
            assert "ZeroDivisionError" in answers[0][1]["error"]
            broken = False
            assert (await ask(http, IMAGES[0]))[1]["label"] == 7
        await runner.cleanup()

    asyncio.run(main())


def test_what_cannot_start_says_why() -> None:
    """The text of the batcher."""

    async def main() -> None:
        async with serve_model(max_batch_size=0):
            pass

    with pytest.raises(ServerFailed, match="max_batch_size, max_queue and workers must be"):
        asyncio.run(main())


PARENT = """
    import asyncio, os, sys, time
    from helpers.world import serve_model

    async def main():
        async with serve_model() as service:
            if os.fork() == 0:
                os.close(1)
                time.sleep(60)
            print(service.process, service.url, flush=True)
            await asyncio.sleep(60)

    asyncio.run(main())
"""


@pytest.mark.skipif(os.name != "posix", reason="there is no such signal")
def test_it_is_gone_when_its_parent_is_killed() -> None:
    """Within three seconds, with a process alive that was forked off the parent."""
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PARENT)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    process, url = parent.stdout.readline().split()
    below = psutil.Process(parent.pid).children()
    server, others = psutil.Process(int(process)), [p for p in below if p.pid != int(process)]
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
