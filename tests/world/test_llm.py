"""The pretend language model speaks the protocol, so that the official client runs against it."""

import asyncio
import doctest
import itertools
import math
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from servers import classroom

from helpers import simulate
from helpers.world import llm as module
from helpers.world.llm import CHAT_MODEL, EMBEDDING_MODEL, Llm, LlmError

aiohttp = pytest.importorskip("aiohttp")
openai = pytest.importorskip("openai")
PATIENCE = 30.0  # seconds that a busy machine may need
PROMPTS = [f"Which digit is number {number}?" for number in range(50)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    """A server without limits, with times that one can tell from a busy machine's."""
    with classroom(folder, "--first-token=0.3", "--per-token=0.03") as address:
        yield address


@asynccontextmanager
async def connect(url: str, **options: Any) -> AsyncIterator[Any]:
    options = {"max_retries": 0, "timeout": PATIENCE, **options}
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", **options) as client:
        yield client


def ask(client: Any, prompt: str = "Which digit?", **more: Any) -> Any:
    messages = [{"role": "user", "content": prompt}]
    return client.chat.completions.create(**{"model": CHAT_MODEL, "messages": messages, **more})


async def health(url: str) -> dict[str, Any]:
    async with aiohttp.ClientSession() as http, http.get(f"{url}/health") as response:
        told: dict[str, Any] = await response.json()
        return told


def test_examples() -> None:
    """The examples in the docstrings give what they say."""
    result = doctest.testmod(module)
    assert result.attempted and not result.failed


# --- The model, on the fast clock ----------------------------------------------------------


def test_the_same_prompt_gets_the_same_words() -> None:
    """Eight to forty; other prompts get others; `most` cuts."""
    replies = [Llm().reply(prompt) for prompt in PROMPTS]
    assert replies == [Llm().reply(prompt) for prompt in PROMPTS]
    assert len({tuple(reply) for reply in replies}) == 50
    assert all(8 <= len(reply) <= 40 for reply in replies)
    assert Llm().reply(PROMPTS[0], most=3) == replies[0][:3]
    assert Llm().reply("\ud800")  # half of a character, as JSON may hold it


def test_each_token_comes_at_its_time() -> None:
    """Also to somebody who is slow to take them: no delay adds up."""

    async def main(pause: float) -> list[float]:
        clock, start = asyncio.get_running_loop(), asyncio.get_running_loop().time()
        at = []
        async for _ in Llm(first_token=0.5, per_token=0.1).tokens(PROMPTS[0]):
            at.append(clock.time() - start)
            await asyncio.sleep(pause)
        return at

    count = len(Llm().reply(PROMPTS[0]))
    planned = [0.5 + 0.1 * at for at in range(count)]
    for pause in (0, 0.09):
        assert simulate(main, pause).result == pytest.approx(planned)


def test_limits_are_kept_and_told() -> None:
    """A tenth of a minute at once, then evenly; who waits as told gets in; none is half taken."""

    async def main() -> tuple[float, list[dict[str, str]]]:
        llm = Llm(requests_per_minute=600, tokens_per_minute=6000)
        told = []
        for _ in range(100):
            try:
                told.append(llm.admit("m", 20))
            except LlmError as error:
                assert error.status == 429 and error.type == "tokens"
                assert int(error.headers["retry-after"]) == 1
                assert int(error.headers["x-ratelimit-remaining-requests"]) > 0
                await asyncio.sleep(float(error.headers["retry-after-ms"]) / 1000)
                told.append(llm.admit("m", 20))
        return asyncio.get_running_loop().time(), told

    run = simulate(main)
    _, told = run.result
    assert run.seconds == pytest.approx((100 * 20 - 600) / 100, rel=0.01)
    assert [t["x-ratelimit-limit-tokens"] for t in told] == ["6000"] * 100
    assert [t["x-ratelimit-remaining-tokens"] for t in told[:3]] == ["580", "560", "540"]
    assert [t["x-ratelimit-remaining-requests"] for t in told[:3]] == ["59", "58", "57"]


@pytest.mark.parametrize(
    "wrong", [{"first_token": -1}, {"per_token": math.nan}, {"tokens_per_minute": 0}]
)
def test_settings_without_sense_are_refused(wrong: dict[str, float]) -> None:
    """By name, with what to give."""
    (name,) = wrong
    with pytest.raises(ValueError, match=f"{name}=.*give"):
        Llm(**wrong)


# --- Through the official client -----------------------------------------------------------


def test_a_reply_in_one_piece(url: str) -> None:
    """Words, reason and usage; `max_tokens` cuts; a seed makes another reply."""

    async def main() -> None:
        async with connect(url) as client:
            whole = Llm().reply("Which digit?")
            reply = await ask(client)
            assert reply.object == "chat.completion" and reply.model == CHAT_MODEL
            (choice,) = reply.choices
            assert choice.message.role == "assistant" and choice.finish_reason == "stop"
            assert choice.message.content == "".join(whole)
            assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (3, len(whole))
            assert reply.usage.total_tokens == 3 + len(whole)
            short = await ask(client, max_tokens=2)
            assert short.choices[0].message.content == "".join(whole[:2])
            assert short.choices[0].finish_reason == "length"
            other = await ask(client, seed=1, max_completion_tokens=3)
            assert other.choices[0].message.content != "".join(whole[:3])
            parts = [{"type": "text", "text": "Which digit?"}]
            same = await ask(client, messages=[{"role": "user", "content": parts}])
            assert same.choices[0].message.content == "".join(whole)

    asyncio.run(main())


def test_a_reply_in_tokens(url: str) -> None:
    """The same words one by one, long before the last is there; usage at the end if asked for."""

    async def main() -> None:
        async with connect(url) as client:
            prompt = max(PROMPTS, key=lambda prompt: len(Llm().reply(prompt)))
            start = time.monotonic()
            stream = await ask(client, prompt, stream=True, stream_options={"include_usage": True})
            tokens, at, ends, usages = [], [], [], []
            async for chunk in stream:
                assert chunk.object == "chat.completion.chunk"
                if chunk.usage:
                    usages.append(chunk.usage)
                    assert not chunk.choices
                    continue
                (choice,) = chunk.choices
                if choice.delta.content:
                    tokens.append(choice.delta.content)
                    at.append(time.monotonic() - start)
                if choice.finish_reason:
                    ends.append(choice.finish_reason)
            assert tokens == Llm().reply(prompt) and ends == ["stop"]
            (usage,) = usages
            assert usage.completion_tokens == len(tokens)
            assert at[0] >= 0.29 and at[-1] >= 0.29 + 0.03 * (len(tokens) - 1)
            assert at[0] < 0.7 * at[-1]

    asyncio.run(main())


def test_fifty_prompts_together_take_as_long_as_one(url: str) -> None:
    """Far less than in turn, and each gets its own reply."""

    async def main() -> None:
        async with connect(url) as client:
            start = time.monotonic()
            replies = await asyncio.gather(*(ask(client, prompt) for prompt in PROMPTS))
            seconds = time.monotonic() - start
        for prompt, reply in zip(PROMPTS, replies, strict=True):
            assert reply.choices[0].message.content == "".join(Llm().reply(prompt))
        in_turn = sum(0.3 + 0.03 * (len(Llm().reply(prompt)) - 1) for prompt in PROMPTS)
        assert seconds < 0.3 * in_turn

    asyncio.run(main())


@pytest.mark.parametrize("how", ["close", "cancel"])
def test_leaving_a_stream_stops_the_model(url: str, how: str) -> None:
    """By closing it or by cancelling the task: the server makes no token for nobody."""

    async def main() -> None:
        async with connect(url) as client:
            before = (await health(url))["llm"]
            got = asyncio.Event()

            async def read() -> None:
                async with await ask(client, stream=True) as stream:
                    for _ in range(3):
                        await anext(stream)
                    got.set()
                    if how == "cancel":
                        await asyncio.sleep(PATIENCE)

            task = asyncio.create_task(read())
            await asyncio.wait_for(got.wait(), PATIENCE)
            if how == "cancel":
                task.cancel()
            await asyncio.wait([task])
            assert task.cancelled() == (how == "cancel")
            async with asyncio.timeout(PATIENCE):
                while (told := await health(url))["streaming"]:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            made = told["llm"]["tokens"] - before.get("tokens", 0)
            assert 2 <= made < len(Llm().reply("Which digit?"))
            assert told["llm"]["left"] == before.get("left", 0) + 1

    asyncio.run(main())


def test_embeddings(url: str) -> None:
    """One a text, of length 1, as floats or packed; texts that share words are nearer."""

    async def main() -> None:
        texts = ["a round digit", "a round loop", "nothing of that sort"]
        async with connect(url) as client:
            packed = await client.embeddings.create(model=EMBEDDING_MODEL, input=texts)
            plain = await client.embeddings.create(
                model=EMBEDDING_MODEL, input=texts, encoding_format="float"
            )
            single = await client.embeddings.create(
                model=EMBEDDING_MODEL, input=texts[0], dimensions=16
            )
        one, near, far = (item.embedding for item in plain.data)
        assert [item.embedding for item in packed.data] == [one, near, far]
        assert packed.usage.total_tokens == 3 + 3 + 4
        assert all(math.hypot(*vector) == pytest.approx(1) for vector in (one, near, far))

        def likeness(first: list[float], second: list[float]) -> float:
            return sum(a * b for a, b in zip(first, second, strict=True))

        assert likeness(one, near) > 0.4 > likeness(one, far)
        assert len(one) == 64 and len(single.data[0].embedding) == 16

    asyncio.run(main())


def test_models(url: str) -> None:
    """Both are listed, and each can be asked for."""

    async def main() -> None:
        async with connect(url) as client:
            names = [model.id async for model in client.models.list()]
            assert names == [CHAT_MODEL, EMBEDDING_MODEL]
            assert (await client.models.retrieve(CHAT_MODEL)).id == CHAT_MODEL
            with pytest.raises(openai.NotFoundError, match="does not exist"):
                await client.models.retrieve("gpt-9")

    asyncio.run(main())


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": ["hello"]}, "messages[0]"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": "a " * 9000}]}, "messages"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_completion_tokens": 10**30}, "max_completion_tokens"),
        ({"n": 2}, "n"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": 1}, "stream_options"),
        ({"model": 7}, "model"),
    ],
)
def test_a_wrong_request_raises_what_the_client_promises(
    url: str, wrong: dict[str, Any], param: str
) -> None:
    """A `BadRequestError` that names the parameter and says what was seen."""

    async def main() -> None:
        async with connect(url) as client:
            with pytest.raises(openai.BadRequestError) as caught:
                await ask(client, **wrong)
            assert caught.value.param == param
            assert caught.value.type == "invalid_request_error"
            assert "expected" in str(caught.value) or "context" in str(caught.value)

    asyncio.run(main())


@pytest.mark.parametrize(
    "wrong",
    [
        {"input": ""},
        {"input": []},
        {"input": ["a", ""]},
        {"input": [1, 2]},
        {"input": ["a"] * 3000},
        {"input": "a " * 9000},
        {"dimensions": 10_000},
        {"encoding_format": "braille"},
    ],
)
def test_wrong_embeddings_raise_it_too(url: str, wrong: dict[str, Any]) -> None:
    """For each parameter."""

    async def main() -> None:
        async with connect(url) as client:
            with pytest.raises(openai.BadRequestError) as caught:
                await client.embeddings.create(**{"model": EMBEDDING_MODEL, "input": "a", **wrong})
            assert caught.value.param == next(iter(wrong))

    asyncio.run(main())


def test_an_unknown_model_is_not_found(url: str) -> None:
    """With the name of one that there is."""

    async def main() -> None:
        async with connect(url) as client:
            with pytest.raises(openai.NotFoundError, match=CHAT_MODEL) as caught:
                await ask(client, model="gpt-9")
            assert caught.value.code == "model_not_found"

    asyncio.run(main())


def test_rate_limits_through_the_client(folder: Path) -> None:
    """Without retries it raises; with them all prompts are answered, at the rate that is told."""
    limits = ("--first-token=0.01", "--per-token=0", "--requests-per-minute=200")

    async def main(url: str) -> None:
        async with connect(url) as client:
            with pytest.raises(openai.RateLimitError) as caught:
                for _ in itertools.count():
                    await ask(client, max_tokens=1)
            error = caught.value
            assert (error.code, error.type) == ("rate_limit_exceeded", "requests")
            assert "try again in" in str(error)
            headers = error.response.headers
            assert headers["retry-after"] == "1" and 0 < int(headers["retry-after-ms"]) <= 300
            assert headers["x-ratelimit-limit-requests"] == "200"
            assert headers["x-ratelimit-remaining-requests"] == "0"
            raw = await client.with_options(
                max_retries=20
            ).chat.completions.with_raw_response.create(
                model=CHAT_MODEL, messages=[{"role": "user", "content": "x"}]
            )
            assert raw.headers["x-ratelimit-limit-requests"] == "200"
        async with connect(url, max_retries=50) as client:
            start = time.monotonic()
            replies = await asyncio.gather(*(ask(client, p, max_tokens=1) for p in PROMPTS[:12]))
            assert len(replies) == 12
            assert time.monotonic() - start > 0.8 * 11 * 0.3

    with classroom(folder, *limits) as url:
        asyncio.run(main(url))
