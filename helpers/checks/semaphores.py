"""Verdicts on the exercises of notebook 05: a limit for each server, one model for all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..world.load import uneven_seconds
from .answers import Answer, expect_to_let_go, run_answer
from .doubles import FALSY, Spy, some_errors
from .verdict import check, expect, expect_results, raised
from .words import error_text, is_same, name_of, shown

__all__ = ["check_label_all", "check_load_per_server"]

_KEEP = "put each result, or the error itself, in the place of its item"
_OWN = "look in your own code: no load raised this error"


@dataclass
class _Case:
    """Items, how many may be at work, and how each job ends."""

    limit: int
    items: list[str]
    bad: Sequence[str] = ()
    """Items whose job fails."""
    falsy: bool = False
    """Whether jobs return what `if` takes for nothing."""
    spy: Spy = field(default_factory=Spy)

    def __post_init__(self) -> None:
        errors = some_errors()
        self._errors = [errors[at % len(errors)] for at in range(len(self.bad))]

    def seconds(self, item: Any) -> float:
        return uneven_seconds(f"{self.limit} {len(self.items)} {item}", 0.5, 1.5)

    def outcome(self, item: Any) -> Any:
        for bad, error in zip(self.bad, self._errors, strict=True):
            if is_same(bad, item):
                return error
        if self.falsy:
            return FALSY[[is_same(item, other) for other in self.items].index(True) % len(FALSY)]
        return f"result of {item}"

    async def job(self, item: Any) -> Any:
        known = any(is_same(item, other) for other in self.items)
        expect(known, f"a job was given {shown(item)}", "that is none of the items")
        return await self.spy.act(item, self.seconds(item), self.outcome(item), _server(item))

    def enough(self, items: Sequence[str]) -> float:
        """Seconds within which all are done if one starts whenever one of the limit ended.

        Until the last one starts, all of the limit are at work on the others.
        """
        times = [self.seconds(item) for item in items]
        return sum(times) / self.limit + max(times, default=0.0) * (1 - 1 / self.limit) + 1e-6

    def answer(self, function: Any, *args: Any) -> Answer:
        """Run the learner's function, which keeps the errors of jobs."""
        answer = run_answer(function, *args, fails=True)
        own = any(answer.error is error for error in self._errors)
        if answer.error is not None:
            seen = f"{name_of(function)} raised {error_text(answer.error)}"
            expect(not own, seen, "one failure ended all", _KEEP)
            raise raised(f"{name_of(function)} raised", answer.error)
        return answer

    def expect_results(self, answer: Answer) -> None:
        """Expect for each item its result or its error, in order, and one call."""
        twice = len(set(map(repr, self.items))) < len(self.items)
        hint = _KEEP + "; the same item may come twice: number them, with enumerate" * twice
        hint = _OWN if self._has_an_error_of_its_own(answer.result) else hint
        expect_results(answer.result, [self.outcome(item) for item in self.items], hint=hint)
        self.spy.expect_each_once(self.items, "the job", "ask once for each")

    def _has_an_error_of_its_own(self, result: Any) -> bool:
        errors = [one for one in result if isinstance(one, Exception)] if _is_list(result) else []
        return any(all(one is not error for error in self._errors) for one in errors)


def _is_list(result: Any) -> bool:
    return isinstance(result, list | tuple)


def _server(item: str) -> str:
    return item.partition("/")[0] if "/" in item else ""


def _expect_quick(seconds: float, enough: float, because: str, hint: str = "") -> None:
    seen = f"took {seconds:.2f} s where {enough:.2f} s are enough"
    expect(seconds <= enough, seen, because, hint)


# --- A limit for each server -----------------------------------------------------------------


def _files(servers: str, count: int) -> list[str]:
    return [f"{server}/{i}.csv" for i in range(count) for server in servers.split()]


@check
def check_load_per_server(load_per_server: Callable[..., Any]) -> None:
    """Judge a load of all files with a limit on how many at once from each server.

    Parameters
    ----------
    load_per_server
        Called as ``load_per_server(limit, files, load)``, with files such as ``"red/3.csv"``.

    Examples
    --------
    >>> async def all_at_once(limit, files, load):
    ...     return await asyncio.gather(*(load(file) for file in files))
    >>> print(check_load_per_server(all_at_once).hint.partition(";")[0])
    saw 6 at once from red, the limit is 2
    """
    for case in (
        _Case(2, _files("red rose blue", 6)),
        _Case(3, _files("blue green red", 10), bad=[f"blue/{i}.csv" for i in range(7)]),
        _Case(1, _files("red a b c", 4), bad=["red/0.csv"]),
        _Case(2, _files("red blue", 5), falsy=True),
        _Case(2, [*_files("red blue", 3), "red/0.csv", "blue/2.csv"]),
        _Case(4, _files("red blue", 40)),  # one chunk after the other takes longer
        _Case(1, _files("a b c d e f", 8)),  # so does one gate more, around all servers
        _Case(2, []),
    ):
        answer = case.answer(load_per_server, case.limit, case.items, case.job)
        for server, most in case.spy.most.items():
            seen = f"saw {most} at once from {server}, the limit is {case.limit}"
            hint = "one semaphore with `limit` permits for each server, which all its files share"
            expect(most <= case.limit, seen, hint=hint)
        case.expect_results(answer)
        of_server = ([f for f in case.items if _server(f) == server] for server in case.spy.most)
        enough = max(map(case.enough, of_server), default=1e-6)
        because = f"{case.limit} at once from each server, and no load waits while there is room"
        hint = "start a load as soon as another one from its server ended"
        _expect_quick(answer.seconds, enough, because, hint)
    case = _Case(2, _files("red", 6))
    expect_to_let_go(load_per_server, 2, case.items, case.job, cut=case.spy.cut)


# --- One model for all -----------------------------------------------------------------------

_LOAD = 2.0  # seconds that the model takes to load


@check
def check_label_all(label_all: Callable[..., Any]) -> None:
    """Judge coroutines that share one model, loaded when the first of them needs it.

    Parameters
    ----------
    label_all
        Called as ``label_all(files, load_model, infer)``.

    Examples
    --------
    >>> async def a_model_for_each(files, load_model, infer):
    ...     return [await infer(await load_model(), file) for file in files]
    >>> print(check_label_all(a_model_for_each).hint.partition(";")[0])
    the model was loaded 5 times
    """
    names = [f"file{number}" for number in range(12)]
    for case, model in (
        (_Case(5, names[:5]), "model5"),
        (_Case(1, names[:1]), "model1"),
        (_Case(12, names), "model12"),
        (_Case(7, names[:7], falsy=True), ""),
        (_Case(4, [*names[:3], "file0", "file0"]), "model4"),
        (_Case(1, []), "model0"),
    ):
        loads = Spy()
        try:
            answer = run_answer(label_all, case.items, *_model(model, loads, case))
        finally:  # of all that may be wrong, this comes first
            hint = "load it when the first file needs it"
            seen = "the model was loaded, though there is no file"
            expect(case.items or not loads.calls, seen, hint=hint)
        _expect_one_model(len(loads.calls), case)
        enough = _LOAD + max(map(case.seconds, case.items), default=0) + 1e-6
        apart = case.spy.most[""] < len(case.items)
        because = "the inferences wait for each other" if apart else ""
        hint = "do not hold anything while you infer, and `gather` the files"
        hint = hint if apart else "infer as soon as the model is there"
        _expect_quick(answer.seconds, enough, because, hint)
        case.expect_results(answer)
    case, loads = _Case(6, names[:6]), Spy()
    expect_to_let_go(label_all, case.items, *_model("model6", loads, case))


def _model(model: str, loads: Spy, case: _Case) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Make the two functions that ``label_all`` is given."""

    async def load_model() -> Any:
        return await loads.act("model", _LOAD, model)

    async def infer(given: object, file: str) -> Any:
        hint = "make the model's variable inside the function, anew in each call"
        hint = "infer when the load has ended" if given is None else hint
        hint = "await load_model()" if asyncio.iscoroutine(given) else hint
        seen = f"infer was given {shown(given)}, not the model that was loaded"
        expect(is_same(given, model), seen, hint=hint)
        return await case.job(file)

    return load_model, infer


def _expect_one_model(times: int, case: _Case) -> None:
    hint = "await load_model() before you infer"
    expect(times or not case.items, "the model was never loaded", hint=hint)
    because = "between `if model is None` and the end of the load, others run too"
    hint = "one lock for all, around the question and the load"
    if case.falsy:  # with other models it was loaded once
        because, hint = "this model counts as false", "ask `if model is None`"
    expect(times <= 1, f"the model was loaded {times} times", because, hint)
