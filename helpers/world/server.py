"""The inference service of notebook 09: one model, behind a batcher, behind HTTP.

`serve_model` runs it as a child process. Elsewhere::

    python -m helpers.world.server --host 0.0.0.0 --port 8000

A SIGTERM ends it gracefully: it answers what it has accepted, and takes no more.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from aiohttp import http_exceptions, web
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

from .batcher import Batcher, BatchFailed, Closed, DeadlinePassed, Overloaded
from .child import announce, child, when_no_longer_wanted
from .infer import predict, train_model
from .service import Refused

__all__ = ["ModelServer", "answer", "application", "serve_model"]

_BODY = 2**16  # bytes of a request's body
_PATIENCE = 20.0  # seconds for the head of a request, and for its body
_WITHIN = 30.0  # seconds for an answer, where the request names no fewer
_DRAINED = 60.0  # seconds to answer what was accepted
_SIZES = 1, 2, 4, 8, 16, 32, 64, 128, 256

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class ModelServer:
    """A running service.

    Attributes
    ----------
    url
        Its address, such as ``'http://127.0.0.1:40123'``.
    process
        The id of its process.
    """

    url: str
    process: int


@asynccontextmanager
async def serve_model(
    *,
    max_batch_size: int = 32,
    max_wait: float = 0.005,
    max_queue: int = 1_000,
    call_seconds: float = 0.0,
) -> AsyncIterator[ModelServer]:
    """Run the service while entered, in a process of its own on a free port of this machine.

    ``POST /infer`` takes ``{"image": [64 numbers from 0 to 16], "within": seconds}`` and answers
    ``{"label": digit}``; `within` may be left out. ``GET /health`` tells how many requests are in
    flight, ``GET /metrics`` the same and more in the format of Prometheus. An error is
    ``{"error": reason}``: 400, 408, 413, 422 for a request that is no good, 503 with
    ``Retry-After`` where too many wait or the service ends, 504 for a deadline that has passed.

    Parameters
    ----------
    max_batch_size, max_wait, max_queue
        As `Batcher` takes them.
    call_seconds
        The least time that a call of the model takes: for a pretend larger model.

    Raises
    ------
    ServerFailed
        If it does not start.

    Examples
    --------
    >>> import aiohttp
    >>> async def main():
    ...     async with serve_model() as service, aiohttp.ClientSession(service.url) as http:
    ...         async with http.post("/infer", json={"image": [0] * 63}) as response:
    ...             return response.status, await response.json()
    >>> asyncio.run(main())
    (422, {'error': '"image" must be a list of 64 numbers from 0 to 16'})
    """
    settings = {
        "max-batch-size": max_batch_size,
        "max-wait": max_wait,
        "max-queue": max_queue,
        "call-seconds": call_seconds,
    }
    arguments = [f"--{name}={value}" for name, value in settings.items()]
    async with child(__name__, "--announce", *arguments) as told:
        yield ModelServer(told["url"], told["process"])


# --- In the server -------------------------------------------------------------------------


_BATCHER = web.AppKey("batcher", Batcher[list[float], int])
_IN_FLIGHT = web.AppKey("in flight", dict[str, int])
_SLOW_CLIENTS = web.AppKey("patience", float)


async def answer(request: web.Request) -> web.Response:
    """Answer with a label, or say whose fault it is."""
    image, within = await _read(request)  # 400, 408, 413, 422: the caller's
    deadline = asyncio.get_running_loop().time() + within
    in_flight = request.app[_IN_FLIGHT]
    in_flight["infer"] += 1
    try:
        label = await request.app[_BATCHER].infer(image, deadline=deadline)
    except (Overloaded, Closed) as error:
        raise Refused(503, str(error), retry_after=1) from None
    except DeadlinePassed as error:
        raise Refused(504, str(error)) from None
    except BatchFailed as error:
        raise Refused(500, str(error)) from None
    finally:
        in_flight["infer"] -= 1
    return web.json_response({"label": label})


async def _read(request: web.Request) -> tuple[list[float], float]:
    try:
        async with asyncio.timeout(request.app[_SLOW_CLIENTS]):
            asked = json.loads(await request.read())
    except TimeoutError:
        raise Refused(408, "the body was not there in time") from None
    except web.RequestPayloadError as error:
        raise Refused(400, f"the body is not as its head says: {error}") from None
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"the body is no JSON: {error}") from None
    if not isinstance(asked, dict):
        raise Refused(422, 'the body must be an object such as {"image": [...]}')
    image, within = asked.get("image"), asked.get("within", _WITHIN)
    if not (isinstance(image, list) and len(image) == 64 and all(_is(v, 0, 16) for v in image)):
        raise Refused(422, '"image" must be a list of 64 numbers from 0 to 16')
    if not _is(within, 0, _WITHIN):
        raise Refused(422, f'"within" must be a number of seconds from 0 to {_WITHIN:g}')
    return image, within


def _is(value: object, low: float, high: float) -> bool:
    """Whether it is such a number; NaN is not."""
    return type(value) in (int, float) and low <= value <= high  # type: ignore[operator]


def application(
    predict: Callable[[list[list[float]]], list[int]], *, patience: float = _PATIENCE, **limits: Any
) -> web.Application:
    """Put a model, which blocks, behind ``/infer``, ``/health`` and ``/metrics``.

    `limits` are those of `Batcher`. Only ``/infer`` waits for the model.
    """
    registry, in_flight = CollectorRegistry(), {"infer": 0}
    answers = Counter("answers", "Answers by status", ["status"], registry=registry)
    seconds = Histogram("answer_seconds", "From request to answer", registry=registry)
    sizes = Histogram("batch_size", "Images in a call", registry=registry, buckets=_SIZES)
    gauge = Gauge("in_flight", "Requests that are accepted, not answered", registry=registry)
    gauge.set_function(lambda: in_flight["infer"])

    async def infer_batch(images: list[list[float]]) -> list[int]:
        sizes.observe(len(images))
        return await asyncio.to_thread(predict, images)

    async def health(request: web.Request) -> web.Response:
        return web.json_response({"in_flight": in_flight["infer"]})

    async def metrics(request: web.Request) -> web.Response:
        kind = {"Content-Type": CONTENT_TYPE_LATEST}
        return web.Response(body=generate_latest(registry), headers=kind)

    async def batching(app: web.Application) -> AsyncIterator[None]:
        async with app[_BATCHER]:
            yield  # until the last handler has ended

    @web.middleware
    async def counted(request: web.Request, handler: _Handler) -> web.StreamResponse:
        if request.path != "/infer":
            return await _with_a_reason(request, handler)
        with seconds.time():
            response = await _with_a_reason(request, handler)
        answers.labels(response.status).inc()
        return response

    app = web.Application(client_max_size=_BODY, middlewares=[counted])
    app[_BATCHER] = Batcher(infer_batch, **limits)
    app[_IN_FLIGHT], app[_SLOW_CLIENTS] = in_flight, patience
    app.cleanup_ctx.append(batching)
    app.add_routes(
        [
            web.post("/infer", answer),
            web.get("/health", health, allow_head=False),
            web.get("/metrics", metrics, allow_head=False),
        ]
    )
    return app


async def _with_a_reason(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Tell of each error in one form."""
    headers: dict[str, str] = {}
    try:
        return await handler(request)
    except Refused as refused:
        status, why = refused.status, refused.why
        if refused.retry_after is not None:
            headers["Retry-After"] = str(refused.retry_after)
    except web.HTTPException as error:
        status, why = error.status, f"{request.method} {request.path[:80]!r}: {error.reason}"
        if "Allow" in error.headers:
            headers["Allow"] = error.headers["Allow"]
    except Exception as error:
        request.app.logger.exception("the model failed")
        status, why = 500, f"the model failed: {type(error).__name__}"
    response = web.json_response({"error": why}, status=status, headers=headers)
    if status in (408, 413):
        response.force_close()  # who knows what else comes
    return response


def _forest(least: float) -> Callable[[list[list[float]]], list[int]]:
    """Return the course's forest; each call takes at least so many seconds."""
    import numpy as np

    model = train_model()

    def labels(images: list[list[float]]) -> list[int]:
        end = time.monotonic() + least
        found: list[int] = predict(model, np.array(images, float)).tolist()
        time.sleep(max(0.0, end - time.monotonic()))
        return found

    labels([[0.0] * 64])
    return labels


async def _main(options: argparse.Namespace) -> None:
    o, stop = options, asyncio.Event()
    limits = {
        "max_batch_size": o.max_batch_size,
        "max_wait": o.max_wait,
        "max_queue": o.max_queue,
    }
    runner = web.AppRunner(
        application(_forest(o.call_seconds), patience=o.patience, **limits),
        access_log=None,
        handler_cancellation=True,  # who has left does not wait in the queue
        keepalive_timeout=o.patience,  # from the first byte of a head to its last, as well
        lingering_time=1.0,
        shutdown_timeout=_DRAINED,
    )
    with suppress(NotImplementedError):  # elsewhere such a signal ends it at once
        for number in signal.SIGTERM, signal.SIGINT:
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await runner.setup()
    try:
        await web.TCPSite(runner, o.host, o.port).start()
        url = f"http://{o.host}:{runner.addresses[0][1]}"
        if o.announce:
            announce(url=url, process=os.getpid())
        else:
            print(f"{url} answers; Ctrl-C ends it", flush=True)  # noqa: T201
        await stop.wait()
    finally:  # takes no more, waits for the handlers, then for the batcher
        await runner.cleanup()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m helpers.world.server", description="The inference service of notebook 09."
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="0.0.0.0 for all of the network (default: %(default)s)")
    add("--port", type=int, default=0, help="default: a free one")
    add("--max-batch-size", type=int, default=32)
    add("--max-wait", type=float, default=0.005, help="seconds")
    add("--max-queue", type=int, default=1_000)
    add("--call-seconds", type=float, default=0.0, help="the least time of a call of the model")
    add("--patience", type=float, default=_PATIENCE, help="seconds for a slow or silent client")
    add("--announce", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _is_news(record: logging.LogRecord) -> bool:
    """Whether it is worth a line: what a client did wrong is told to the client."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, http_exceptions.HttpProcessingError)


if __name__ == "__main__":
    logging.getLogger("aiohttp.server").addFilter(_is_news)
    asked = _options()
    when_no_longer_wanted(lambda: os._exit(0))  # the parent is gone: nobody waits for answers
    try:
        asyncio.run(_main(asked))
    except (OSError, ValueError) as wrong:
        sys.exit(f"{type(wrong).__name__}: {wrong}")
    except KeyboardInterrupt:
        pass
