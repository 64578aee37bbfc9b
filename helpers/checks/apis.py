"""Verdict on the exercise of notebook 08: try again, and only where that is safe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..world.service import Refused
from .answers import expect_to_let_go, run_answer
from .doubles import FALSY, BrokenFile, Spy
from .verdict import check, expect, expect_results, expect_time, raised
from .words import error_text, is_same, shown

__all__ = ["check_load_politely"]


def _busy(wait: int) -> Refused:
    return Refused(429, "too many requests", wait)


def _failed() -> Refused:
    return Refused(503, "failed here")


class _Story(NamedTuple):
    """What a load does each time, the last for ever, and what is to come of it."""

    told: str
    outcomes: Sequence[Any]
    begins: Sequence[float]
    """When the tries begin."""
    hint: str
    attempts: int = 3
    seconds: float = 0.2
    """How long each load takes."""

    @property
    def wanted(self) -> Any:
        """Data, or the last error."""
        return self.outcomes[min(len(self.begins), len(self.outcomes)) - 1]


_WAIT = "after a 429 await asyncio.sleep(error.retry_after)"
_UNCOUNTED = "a 429 is no try: count every 503, and nothing else"
_AGAIN = "after a 503 sleep 0.5 s, then 1 s, 2 s, and load again while there are tries left"
_APART = "no name waits for another one: gather them; each has its own tries"
_KEEP = "raise what is neither 429 nor 503, and let gather keep it: return_exceptions=True"


def _stories() -> list[_Story]:
    first, last = _failed(), _failed()
    away = Refused(404, "there is no such shard")
    found = [
        _Story("a load that works", ["data"], [0], "return await load(name)"),
        _Story("429 once, then data", [_busy(2), "data"], [0, 2.2], _WAIT),
        _Story("503 once, then data", [first, "data"], [0, 0.7], _AGAIN),
        _Story("503 always", [first, first, last], [0, 0.7, 1.9], _AGAIN),
        _Story("503 always, and five tries", [*[first] * 4, last], [0, 0.7, 1.9, 4.1, 8.3], _AGAIN,
               attempts=5),
        _Story("503 always, and one try", [last], [0], "attempts=1 means one try", attempts=1),
        _Story("429 four times, then data", [*map(_busy, (1, 1, 2, 1)), "data"],
               [0, 1.2, 2.4, 4.6, 5.8], _UNCOUNTED),
        _Story("429, 503, 429, 503, then data", [_busy(1), first, _busy(3), first, "data"],
               [0, 1.2, 1.9, 5.1, 6.3], _UNCOUNTED),
        _Story("503, 429, 503", [first, _busy(1), last], [0, 0.7, 1.9], _UNCOUNTED, attempts=2),
        _Story("429 with retry_after=0, then data", [_busy(0), "data"], [0, 0.2],
               "retry_after may be 0: ask for the status"),
        _Story("404", [away], [0], _KEEP),
        _Story("503, then 404", [first, away], [0, 0.7], _KEEP),
    ]  # fmt: skip
    errors = ConnectionError("gone"), TimeoutError(), BrokenFile("half of it"), KeyError("x")
    found += [_Story(error_text(error), [error], [0], _KEEP) for error in errors]
    return found + [
        _Story(f"429, then {value!r} for data", [_busy(1), value], [0, 1.2], "return it as it is")
        for value in FALSY
    ]


class _Server(Spy):
    """A ``load`` that acts by the story of each name."""

    def __init__(self, stories: dict[str, _Story]) -> None:
        super().__init__()
        self.stories = stories

    async def load(self, name: str) -> Any:
        known = next((known for known in self.stories if is_same(known, name)), None)
        expect(known is not None, f"load was given {shown(name)}", "that is none of the names")
        story, before = self.stories[name], sum(call.item == name for call in self.calls)
        outcome = story.outcomes[min(before, len(story.outcomes) - 1)]
        return await self.act(name, story.seconds, outcome)


@check
def check_load_politely(load_politely: Callable[..., Any]) -> None:
    """Judge ``load_politely(names, load, attempts)``: each error is met as its status asks for.

    Parameters
    ----------
    load_politely
        A coroutine function; ``load(name)`` may raise `Refused`, or any other error.

    Examples
    --------
    >>> import asyncio
    >>> async def once(names, load, attempts):
    ...     return await asyncio.gather(*map(load, names), return_exceptions=True)
    >>> print(check_load_politely(once).hint.partition(";")[0])
    429 once, then data (attempts=3): load was called 1 time
    """
    for story in _stories():
        _judge(load_politely, {"dataset1.csv": story}, story.attempts)
    several = _stories()
    every = {f"dataset{at}.csv": story for at, story in enumerate(several) if story.attempts == 3}
    _judge(load_politely, every, 3)
    _judge(load_politely, {}, 3)
    _judge(load_politely, dict(list(every.items())[::-1]), 3)
    for outcome, seconds in ("data", 5.0), (_busy(50), 0.15), (_failed(), 0.15):
        story = _Story("", [outcome], [0], "", seconds=seconds)  # cut in the load, or in the wait
        server = _Server({"dataset1.csv": story})
        expect_to_let_go(load_politely, ["dataset1.csv"], server.load, 9, cut=server.cut)


def _judge(answer_of: Callable[..., Any], stories: dict[str, _Story], attempts: int) -> None:
    """Expect the right tries at the right times for each name, and its result or its error."""
    server, names = _Server(stories), list(stories)
    answer = run_answer(answer_of, names, server.load, attempts, fails=True)
    alone = [f"{story.told} (attempts={attempts}):" for story in stories.values()]
    told = alone[0] if len(alone) == 1 else f"{len(names)} names together:"
    if answer.error is not None:
        reason = raised(f"{told} it raised", answer.error)
        because = reason.because or "an error stands in the place of its result"
        expect(False, reason.seen, because, reason.hint or _KEEP)
    for (name, story), each in zip(stories.items(), alone, strict=True):
        begins = [call.began for call in server.calls if call.item == name]
        for number, (began, begin) in enumerate(zip(begins, story.begins, strict=False), 1):
            hint = story.hint if len(names) == 1 else _APART
            expect_time(began, begin, f"{each} try {number} began at", hint)
        n, wanted = len(begins), len(story.begins)
        seen = f"{each} load was called {n} time{'s' * (n != 1)}"
        expect(n == wanted, seen, f"wanted {wanted}", story.hint)
    hint = next(iter(stories.values())).hint if len(names) == 1 else _KEEP
    expect_results(answer.result, [story.wanted for story in stories.values()], f"{told} ", hint)
    ends = [story.begins[-1] + story.seconds for story in stories.values()]
    hint = "no wait after the last try"
    expect_time(answer.seconds, max(ends, default=0.0), f"{told} it took", hint)
