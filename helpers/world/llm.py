"""A pretend language model that speaks the protocol of OpenAI's API over HTTP.

Its words mean nothing, but their number, their times and the limits are as those of a real one, and
the same prompt always gets the same words. The `openai` client runs against it.
"""

from __future__ import annotations

import array
import asyncio
import base64
import functools
import hashlib
import json
import math
import random
import re
import reprlib
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from .service import Bucket

__all__ = ["CHAT_MODEL", "EMBEDDING_MODEL", "Llm", "LlmError", "llm_routes"]

CHAT_MODEL = "pretend-chat"
EMBEDDING_MODEL = "pretend-embedding"

_CONTEXT = 8192  # tokens of a request
_MOST = 4096  # tokens of a reply
_WIDEST = 256  # numbers of an embedding
_BURST = 6  # seconds: a tenth of a minute's limit can be used together
_ROLES = ("system", "developer", "user", "assistant", "tool")
_WORDS = (
    "the a this that image digit stroke curve line loop pixel label model batch shard layer sample "
    "looks seems shows holds bends closes leans opens ends begins near far dark light round thin "
    "upper lower left right small large clear and or but then so with without of on under above"
).split()

_Read = Callable[[web.Request], Awaitable[Any]]


class LlmError(Exception):
    """An error as the protocol tells it."""

    def __init__(self, status: int, why: str, *, code: str | None = None, **more: Any) -> None:
        super().__init__(why)
        self.status, self.code = status, code
        self.type: str = more.get("type", "invalid_request_error")
        self.param: str | None = more.get("param")
        self.headers: dict[str, str] = more.get("headers", {})


@dataclass
class Llm:
    """The model: what it replies, when each token is there, and how much it lets one ask.

    Parameters
    ----------
    first_token, per_token
        Seconds to the first token of a reply, and from each to the next.
    requests_per_minute, tokens_per_minute
        The limits, or None. A tenth of each can be used together; the rest comes evenly. The
        tokens of prompt and reply count.

    Examples
    --------
    On the fast clock it is the twin of a server with the same settings:

    >>> from helpers import simulate
    >>> llm = Llm(first_token=0.2, per_token=0.02)
    >>> async def main():
    ...     return [token async for token in llm.tokens("Which digit is it?", most=5)]
    >>> run = simulate(main)
    >>> "".join(run.result), round(run.seconds, 3)
    ('begins on upper dark small', 0.28)
    """

    first_token: float = 0.15
    per_token: float = 0.02
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    counts: Counter[str] = field(default_factory=Counter, init=False, repr=False)
    streaming: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        for name in ("first_token", "per_token"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name}={getattr(self, name)}: give seconds, as in 0.1")
        self._buckets: dict[str, Bucket] = {}
        for what in ("requests", "tokens"):
            limit = getattr(self, f"{what}_per_minute")
            if limit is not None:
                if not 0 < limit < math.inf:
                    raise ValueError(f"{what}_per_minute={limit}: give a number above 0, or None")
                self._buckets[what] = Bucket(limit / 60, max(1.0, limit / 60 * _BURST))

    def reply(self, prompt: str, most: int = _MOST) -> list[str]:
        """Return the tokens of the reply: 8 to 40, or `most` if that is less."""
        draw = _random(prompt)
        words = draw.choices(_WORDS, k=draw.randint(8, 40))
        return [word if at == 0 else f" {word}" for at, word in enumerate(words)][:most]

    async def tokens(self, prompt: str, most: int = _MOST) -> AsyncIterator[str]:
        """Yield each token of the reply at its time."""
        loop = asyncio.get_running_loop()
        due = loop.time() + self.first_token
        for token in self.reply(prompt, most):
            await asyncio.sleep(due - loop.time())
            self.counts["tokens"] += 1
            yield token
            due += self.per_token  # of a plan, lest delays add up

    def admit(self, model: str, tokens: int) -> dict[str, str]:
        """Take a request of so many tokens from the limits; return the headers that tell of them.

        Raises
        ------
        LlmError
            With the status 429 if a limit is reached; then nothing is taken.
        """
        costs = {"requests": 1, "tokens": tokens}
        waits = {what: bucket.wait(costs[what]) for what, bucket in self._buckets.items()}
        what = max(waits, key=waits.__getitem__, default="")
        if what and (wait := waits[what]):
            self.counts["429"] += 1
            limit = getattr(self, f"{what}_per_minute")
            raise LlmError(
                429,
                f"Rate limit reached for {model} on {what} per min: Limit {limit:g}, Requested "
                f"{costs[what]}. Please try again in {wait:.3f}s.",
                code="rate_limit_exceeded",
                type=what,
                headers={
                    **self._told(),
                    "retry-after": str(math.ceil(wait)),
                    "retry-after-ms": str(math.ceil(wait * 1000)),
                },
            )
        for what, bucket in self._buckets.items():
            bucket.take(costs[what])
        self.counts["200"] += 1
        return self._told()

    def _told(self) -> dict[str, str]:
        headers = {}
        for what, bucket in self._buckets.items():
            limit = getattr(self, f"{what}_per_minute")
            headers[f"x-ratelimit-limit-{what}"] = f"{limit:g}"
            headers[f"x-ratelimit-remaining-{what}"] = str(max(0, int(bucket.level())))
            full = (bucket.size - bucket.level()) / bucket.rate
            headers[f"x-ratelimit-reset-{what}"] = f"{full:.3f}s"
        return headers


# --- Over HTTP -----------------------------------------------------------------------------


def llm_routes(llm: Llm, read: _Read) -> list[web.RouteDef]:
    """Return the routes under ``/v1``; `read` gives the JSON of a request's body."""

    async def chat(request: web.Request) -> web.StreamResponse:
        asked = _Chat(await read(request))
        tokens = llm.reply(asked.prompt, asked.most)
        headers = llm.admit(asked.model, asked.size + len(tokens))
        if asked.stream:
            return await _stream(request, llm, asked, headers)
        await asyncio.sleep(llm.first_token + llm.per_token * (len(tokens) - 1))
        llm.counts["tokens"] += len(tokens)
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": "".join(tokens), "refusal": None},
            "logprobs": None,
            "finish_reason": asked.reason(llm),
        }
        body = asked.head("chat.completion") | {"choices": [choice], "usage": asked.usage(tokens)}
        return web.json_response(body, headers=headers)

    async def embeddings(request: web.Request) -> web.Response:
        body = _mapping(await read(request))
        model = _model(body, EMBEDDING_MODEL)
        texts = body.get("input")
        texts = [texts] if isinstance(texts, str) else texts
        if not isinstance(texts, list) or not all(isinstance(t, str) and t for t in texts):
            raise _wrong("input", "a text or a list of texts, none empty", texts)
        if not 1 <= len(texts) <= 2048:
            raise _wrong("input", "1 to 2048 texts", texts)
        wide = _whole(body, "dimensions", 64, _WIDEST)
        form = body.get("encoding_format") or "float"
        if form not in ("float", "base64"):
            raise _wrong("encoding_format", "'float' or 'base64'", form)
        size = _context(sum(map(_count, texts)), "input")
        headers = llm.admit(model, size)
        await asyncio.sleep(llm.first_token)
        data = [
            {"object": "embedding", "index": at, "embedding": _embedding(text, wide, form)}
            for at, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": size, "total_tokens": size}
        answer = {"object": "list", "model": model, "data": data, "usage": usage}
        return web.json_response(answer, headers=headers)

    async def models(request: web.Request) -> web.Response:
        every = [_told_model(CHAT_MODEL), _told_model(EMBEDDING_MODEL)]
        return web.json_response({"object": "list", "data": every})

    async def model(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in (CHAT_MODEL, EMBEDDING_MODEL):
            raise _no_model(name)
        return web.json_response(_told_model(name))

    return [
        web.post("/v1/chat/completions", chat),
        web.post("/v1/embeddings", embeddings),
        web.get("/v1/models", models, allow_head=False),
        web.get("/v1/models/{name}", model, allow_head=False),
    ]


async def _stream(
    request: web.Request, llm: Llm, asked: _Chat, headers: dict[str, str]
) -> web.StreamResponse:
    response = web.StreamResponse(headers=headers | {"Cache-Control": "no-cache"})
    response.content_type = "text/event-stream"
    await response.prepare(request)
    head = asked.head("chat.completion.chunk")
    extra = {"usage": None} if asked.usage_wanted else {}

    async def send(delta: dict[str, str], reason: str | None = None) -> None:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        await response.write(_event(head | {"choices": [choice]} | extra))

    llm.streaming += 1
    try:
        await send({"role": "assistant", "content": ""})
        sent = []
        async for token in llm.tokens(asked.prompt, asked.most):
            sent.append(token)
            await send({"content": token})
        await send({}, asked.reason(llm))
        if asked.usage_wanted:
            await response.write(_event(head | {"choices": [], "usage": asked.usage(sent)}))
        await response.write(b"data: [DONE]\n\n")
    except (asyncio.CancelledError, ConnectionError):  # the client is gone
        llm.counts["left"] += 1
        raise
    finally:
        llm.streaming -= 1
    return response


def _event(body: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(body)}\n\n".encode()


class _Chat:
    """What a request for a reply asks for."""

    def __init__(self, body: Any) -> None:
        body = _mapping(body)
        self.model = _model(body, CHAT_MODEL)
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise _wrong("messages", "a list of at least one message", messages)
        texts = [_text(message, f"messages[{at}]") for at, message in enumerate(messages)]
        seed = body.get("seed")
        self.prompt = "\n".join(texts if seed is None else [*texts, str(seed)])
        self.size = _context(sum(map(_count, texts)), "messages")
        most = _whole(body, "max_tokens", _MOST, _MOST)
        self.most = min(most, _whole(body, "max_completion_tokens", _MOST, _MOST))
        self.stream = _yes_or_no(body, "stream")
        options = body.get("stream_options")
        self.usage_wanted = options is not None and _yes_or_no(
            _mapping(options, "stream_options"), "include_usage"
        )
        if _whole(body, "n", 1, 128) != 1:
            raise _wrong("n", "1, since this server gives one reply", body["n"])
        key = f"{self.model}\n{self.prompt}".encode(errors="surrogatepass")
        self.id = f"chatcmpl-{hashlib.sha256(key).hexdigest()[:24]}"

    def head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": int(time.time()), "model": self.model}

    def reason(self, llm: Llm) -> str:
        return "stop" if len(llm.reply(self.prompt)) <= self.most else "length"

    def usage(self, tokens: list[str]) -> dict[str, int]:
        total = self.size + len(tokens)
        sizes = {"prompt_tokens": self.size, "completion_tokens": len(tokens)}
        return sizes | {"total_tokens": total}


def _text(message: Any, where: str) -> str:
    message = _mapping(message, where)
    if message.get("role") not in _ROLES:
        raise _wrong(f"{where}.role", f"one of {', '.join(_ROLES)}", message.get("role"))
    content = message.get("content")
    if isinstance(content, list):  # of parts
        content = "\n".join(
            part["text"]
            if isinstance(part, dict) and isinstance(part.get("text"), str)
            else reprlib.repr(part)  # an image is not looked at
            for part in content
        )
    if not isinstance(content, str):
        raise _wrong(f"{where}.content", "a text or a list of parts", content)
    return content


def _count(text: str) -> int:
    return len(re.findall(r"\w+|[^\w\s]", text))


def _context(size: int, param: str) -> int:
    if size > _CONTEXT:
        why = f"This model's context is {_CONTEXT} tokens, and {param} has {size}: send less."
        raise LlmError(400, why, code="context_length_exceeded", param=param)
    return size


def _mapping(body: Any, where: str = "the body") -> dict[str, Any]:
    if not isinstance(body, dict):
        raise _wrong(where, "an object", body)
    return body


def _model(body: dict[str, Any], wanted: str) -> str:
    if not isinstance(name := body.get("model"), str):
        raise _wrong("model", f"a name, such as {wanted!r}", name)
    if name != wanted:
        raise _no_model(name, wanted)
    return name


def _no_model(name: str, wanted: str = f"{CHAT_MODEL}' or '{EMBEDDING_MODEL}") -> LlmError:
    why = f"The model {reprlib.repr(name)} does not exist here: take '{wanted}'."
    return LlmError(404, why, code="model_not_found", param="model")


def _whole(body: dict[str, Any], name: str, default: int, most: int) -> int:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise _wrong(name, f"a whole number from 1 to {most}", value)
    return value


def _yes_or_no(body: dict[str, Any], name: str) -> bool:
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise _wrong(name, "true or false", value)
    return bool(value)


def _wrong(param: str, expected: str, seen: Any) -> LlmError:
    return LlmError(400, f"{param}: expected {expected}, saw {reprlib.repr(seen)}", param=param)


def _told_model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "the-course"}


def _embedding(text: str, wide: int, form: str) -> list[float] | str:
    """Texts that share words lie near each other; length 1."""
    sums = [0.0] * wide
    for word in re.findall(r"\w+|[^\w\s]", text.lower()) or [text]:
        for at, number in enumerate(_numbers(word, wide)):
            sums[at] += number - 127.5
    length = math.hypot(*sums) or 1.0
    numbers = array.array("f", (number / length for number in sums))
    if form == "float":
        return numbers.tolist()
    if sys.byteorder == "big":
        numbers.byteswap()
    return base64.b64encode(numbers.tobytes()).decode()


@functools.lru_cache(4096)
def _numbers(word: str, wide: int) -> bytes:
    return hashlib.shake_128(word.encode(errors="surrogatepass")).digest(wide)


def _random(prompt: str) -> random.Random:
    return random.Random(hashlib.sha256(prompt.encode(errors="surrogatepass")).digest())
