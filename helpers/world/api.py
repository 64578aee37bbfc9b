"""An HTTP API of the course's own: shards by name, and a pretend language model.

`serve` runs it as a child process. A classroom shares one that runs in a terminal::

    python -m helpers.world.api --host 0.0.0.0 --port 8000 --rate 500
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import reprlib
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import http_exceptions, web

from .child import announce, child, when_no_longer_wanted
from .data import prepare
from .llm import Llm, LlmError, llm_routes
from .service import Refused, Service

__all__ = ["Api", "serve"]

_PATIENCE = 20.0  # seconds for the head of a request, and for its body
_CONNECTIONS = 4096
_BODY = 2**20  # bytes of a request's body
_DATA = 2**28  # bytes of all that is served
_SLOW = 10, 0.1  # a slow body comes in so many pieces, with so many seconds between
_STALLED = 30.0  # seconds after which a stalled body goes on
_BODIES = ("whole", "slow", "stalled", "cut", "broken")

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Api:
    """A running server.

    Attributes
    ----------
    url
        Its address, such as ``'http://127.0.0.1:40123'``.
    names
        The shards that it has: each is at ``f"{url}/shards/{name}"``.
    base_url
        Where the `openai` client finds it.
    process
        The id of its process.
    service, llm
        How it behaves: twins for the fast clock, which nobody has asked anything yet.
    """

    url: str
    names: tuple[str, ...]
    process: int
    service: Service
    llm: Llm

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"


@asynccontextmanager
async def serve(
    folder: str | Path | None = None,
    *,
    latency: tuple[float, float] = (0.08, 0.24),
    capacity: int = 10,
    error_rate: float = 0.0,
    rate: float | None = None,
    seed: int = 5810,
    first_token: float = 0.15,
    per_token: float = 0.02,
    requests_per_minute: float | None = None,
    tokens_per_minute: float | None = None,
) -> AsyncIterator[Api]:
    """Run the course's API while entered, in a process of its own on a free port of this machine.

    It answers ``GET``: ``/shards`` with ``{"shards": [names]}``; ``/shards/NAME`` with the shard as
    CSV; ``/health`` with what it has counted. With ``/shards/NAME?body=slow`` the body takes 1 s,
    ``stalled`` stops for 30 s in its middle, ``cut`` ends there, ``broken`` is whole but damaged.
    Under ``/v1`` it speaks the protocol of OpenAI's API. An error is
    ``{"error": {"message": ...}}``.

    Parameters
    ----------
    folder
        The CSV files in it are served, as they are at the start; by default those of `prepare`.
    latency, capacity, error_rate, rate, seed
        As `Service` takes them.
    first_token, per_token, requests_per_minute, tokens_per_minute
        As `Llm` takes them.

    Raises
    ------
    ValueError
        If a setting makes no sense.
    ServerFailed
        If it does not start.

    Examples
    --------
    >>> import aiohttp
    >>> async def main():
    ...     async with serve(latency=(0.01, 0.02)) as api, aiohttp.ClientSession(api.url) as http:
    ...         async with http.get("/shards/dataset1.csv") as response:
    ...             return response.status, len((await response.text()).splitlines())
    >>> asyncio.run(main())
    (200, 101)
    """
    service = Service(latency, capacity, error_rate, rate, seed)
    llm = Llm(first_token, per_token, requests_per_minute, tokens_per_minute)
    settings = {
        "folder": None if folder is None else str(folder),
        "latency": [str(seconds) for seconds in latency],
        "capacity": capacity,
        "error-rate": error_rate,
        "rate": rate,
        "seed": seed,
        "first-token": first_token,
        "per-token": per_token,
        "requests-per-minute": requests_per_minute,
        "tokens-per-minute": tokens_per_minute,
    }
    arguments = ["--announce"]
    for name, value in settings.items():
        if isinstance(value, list):
            arguments += [f"--{name}", *value]
        elif value is not None:
            arguments.append(f"--{name}={value}")
    async with child(__name__, *arguments) as told:
        yield Api(told["url"], tuple(told["names"]), told["process"], service, llm)


# --- In the server -------------------------------------------------------------------------


def _application(
    shards: dict[str, bytes], service: Service, llm: Llm, patience: float
) -> web.Application:
    async def read(request: web.Request) -> Any:
        if (request.content_length or 0) > _BODY:
            raise web.HTTPRequestEntityTooLarge(_BODY, request.content_length or 0)
        try:
            async with asyncio.timeout(patience):
                body = await request.read()
            return json.loads(body)
        except TimeoutError:
            raise Refused(408, f"the body was not there within {patience:g} s") from None
        except web.RequestPayloadError as error:
            raise Refused(400, f"the body is not as its head says: {error}") from None
        except (ValueError, RecursionError) as error:
            raise Refused(400, f"the body is no JSON: {error}") from None

    async def names(request: web.Request) -> web.Response:
        return web.json_response({"shards": list(shards)})

    async def shard(request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        kind = request.query.get("body", "whole")
        if kind not in _BODIES:
            raise Refused(400, f"body={_short(kind)}: choose one of {', '.join(_BODIES)}")
        if name not in shards:  # no path is ever opened
            raise Refused(404, f"there is no shard {_short(name)}: GET /shards tells which are")
        await service.answer(name)
        return await _body(request, shards[name], kind)

    async def health(request: web.Request) -> web.Response:
        return web.json_response(
            {
                "inside": service.inside,
                "most": service.most,
                "shards": service.counts,
                "streaming": llm.streaming,
                "llm": llm.counts,
            }
        )

    application = web.Application(client_max_size=_BODY, middlewares=[_with_a_reason])
    application.add_routes(
        [
            web.get("/health", health, allow_head=False),
            web.get("/shards", names, allow_head=False),
            web.get("/shards/{name}", shard, allow_head=False),
            *llm_routes(llm, read),
        ]
    )
    return application


async def _body(request: web.Request, data: bytes, kind: str) -> web.StreamResponse:
    half = len(data) // 2
    if kind == "broken":
        data = data[:half] + b"?" + data[half + 1 :]
    if kind in ("whole", "broken"):
        return web.Response(body=data, content_type="text/csv", charset="utf-8")
    response = web.StreamResponse()
    response.content_type, response.charset = "text/csv", "utf-8"
    response.content_length = len(data)
    await response.prepare(request)
    if kind == "slow":
        pieces, pause = _SLOW
        size = -(-len(data) // pieces)
        for start in range(0, len(data), size):
            await response.write(data[start : start + size])
            await asyncio.sleep(pause)
        return response
    await response.write(data[:half])
    if kind == "stalled":
        await asyncio.sleep(_STALLED)
        await response.write(data[half:])
    elif request.transport is not None:
        request.transport.close()
    return response


@web.middleware
async def _with_a_reason(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Tell of each error in one form: that of OpenAI's API."""
    try:
        return await handler(request)
    except LlmError as error:
        headers, status, message = error.headers, error.status, str(error)
        more = {"type": error.type, "param": error.param, "code": error.code}
    except Refused as refused:
        wait = refused.retry_after
        headers = {} if wait is None else {"Retry-After": str(wait)}
        status, message = refused.status, refused.why
        more = {"type": "refused", "param": None, "code": None}
    except web.HTTPException as error:
        headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        status = error.status
        message = f"{request.method} {_short(request.path)}: {error.reason}"
        more = {"type": "invalid_request_error", "param": None, "code": None}
    told = {"error": {"message": message, **more}}
    response = web.json_response(told, status=status, headers=headers)
    if status in (408, 413):
        response.force_close()  # who knows what else comes
    return response


def _short(text: str) -> str:
    return reprlib.repr(text)


class _Full(asyncio.Protocol):
    """Whoever comes when there are too many connections."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(
            b"HTTP/1.1 503 Too many connections\r\nRetry-After: 1\r\nContent-Length: 0\r\n"
            b"Connection: close\r\n\r\n"
        )
        transport.close()


async def _listen(application: web.Application, options: argparse.Namespace, most: int) -> str:
    """Listen for connections; return the address."""
    runner = web.AppRunner(
        application,
        access_log=None,
        handle_signals=False,
        handler_cancellation=True,  # nothing goes on for a client that has left
        keepalive_timeout=options.patience,  # from the first byte of a head to its last, as well
        lingering_time=1.0,
    )
    await runner.setup()
    server = runner.server
    assert server is not None

    def protocol() -> asyncio.BaseProtocol:
        return server() if len(server.connections) < most else _Full()

    loop = asyncio.get_running_loop()
    listening = await loop.create_server(protocol, options.host, options.port, backlog=_CONNECTIONS)
    host, port = listening.sockets[0].getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = socket.gethostname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _read(folder: Path | None) -> dict[str, bytes]:
    """Read all that is to be served: nothing is read later."""
    if folder is None:
        folder = prepare().files[0].parent
    files = [
        path
        for path in folder.iterdir()
        if path.suffix == ".csv" and path.is_file() and not path.is_symlink()
    ]
    if not files:
        raise ValueError(f"there is no CSV file in {folder}: name a folder with shards")
    if (size := sum(path.stat().st_size for path in files)) > _DATA:
        raise ValueError(f"{folder} holds {size:,} bytes of CSV: at most {_DATA:,} are served")
    files.sort(key=lambda path: (len(path.name), path.name))
    return {path.name: path.read_bytes() for path in files}


def _most_connections() -> int:
    """Let this process have as many open files as the system allows, and keep some for itself."""
    try:
        import resource
    except ImportError:  # there is no such limit
        return _CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _CONNECTIONS + 64
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return _CONNECTIONS if soft == resource.RLIM_INFINITY else min(_CONNECTIONS, soft - 64)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m helpers.world.api", description="The course's API, for a whole classroom."
    )
    add = parser.add_argument
    add("--folder", type=Path, help="serve its CSV files; by default those of prepare()")
    add("--host", default="127.0.0.1", help="0.0.0.0 for all of the network (default: %(default)s)")
    add("--port", type=int, default=0, help="default: a free one")
    add("--latency", type=float, nargs=2, default=Service.latency, metavar=("LOW", "HIGH"))
    add("--capacity", type=int, default=Service.capacity)
    add("--error-rate", type=float, default=Service.error_rate)
    add("--rate", type=float, help="requests for shards a second")
    add("--seed", type=int, default=Service.seed)
    add("--first-token", type=float, default=Llm.first_token, help="seconds")
    add("--per-token", type=float, default=Llm.per_token, help="seconds")
    add("--requests-per-minute", type=float, help="of the language model")
    add("--tokens-per-minute", type=float, help="of the language model")
    add("--patience", type=float, default=_PATIENCE, help="seconds for a slow or silent client")
    add("--announce", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


async def _main(options: argparse.Namespace) -> None:
    o = options
    service = Service(tuple(o.latency), o.capacity, o.error_rate, o.rate, o.seed)
    llm = Llm(o.first_token, o.per_token, o.requests_per_minute, o.tokens_per_minute)
    shards = _read(o.folder)
    url = await _listen(
        _application(shards, service, llm, o.patience), options, _most_connections()
    )
    if o.announce:
        announce(url=url, names=list(shards), process=os.getpid())
    else:
        print(f"{url} serves {len(shards)} shards; Ctrl-C ends it", flush=True)  # noqa: T201
    await asyncio.Event().wait()


def _is_news(record: logging.LogRecord) -> bool:
    """Whether it is worth a line: what a client did wrong is told to the client."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, http_exceptions.HttpProcessingError)


if __name__ == "__main__":
    logging.getLogger("aiohttp.server").addFilter(_is_news)
    asked = _options()
    when_no_longer_wanted(lambda: os._exit(0))  # at once: it has nothing to put in order
    try:
        asyncio.run(_main(asked))
    except (OSError, ValueError) as wrong:
        sys.exit(f"{type(wrong).__name__}: {wrong}")
    except KeyboardInterrupt:
        pass
