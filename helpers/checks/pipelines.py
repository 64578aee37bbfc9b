"""Verdict on the exercise of notebook 06: three stages, and a short queue between each two."""

from __future__ import annotations

import asyncio
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ..world.load import uneven_seconds
from .answers import Answer, expect_nothing_left, expect_to_let_go, run_answer
from .doubles import FALSY, Spy
from .verdict import NotYet, check, expect, expect_results, raised
from .words import error_text, shown

__all__ = ["check_load_infer_save"]

_STAGES = "load", "infer", "save"
_ODD = (*FALSY, "END", "STOP", -1, ...)
"""Results as good as any other, though an answer may take them for its mark of the end."""


@dataclass
class _Case:
    """Files, the queues' size, and how each stage does its work."""

    size: int
    files: list[str]
    slow: str = ""
    """The stage that takes three times as long."""
    odd: bool = False
    """Whether loading gives what `if` takes for nothing, or what looks like a mark of the end."""
    bad: str = ""
    """The stage that fails, for the third file."""
    spies: dict[str, Spy] = field(default_factory=lambda: {name: Spy() for name in _STAGES})
    error: Exception = field(default_factory=lambda: ConnectionError("the disk is gone"))

    def seconds(self, stage: str, value: Any) -> float:
        return (3 if stage == self.slow else 1) * uneven_seconds(f"{stage} {value}", 0.1, 0.9)

    def outcome(self, stage: str, value: Any) -> Any:
        if self.odd and stage == "load":
            return _ODD[self.files.index(value) % len(_ODD)]
        return f"{value} {stage}"

    def way(self, file: str) -> list[Any]:
        """The file, and what each stage makes of it."""
        values: list[Any] = [file]
        for stage in _STAGES:
            values.append(self.outcome(stage, values[-1]))
        return values

    def stages(self) -> list[Callable[..., Any]]:
        """Make the three functions that the answer is given."""
        return [self._stage(at, name) for at, name in enumerate(_STAGES)]

    def _stage(self, at: int, name: str) -> Callable[..., Any]:
        failing = self.way(self.files[2])[at] if name == self.bad else object()

        async def stage(value: Any) -> Any:
            seconds = self.seconds(name, value)
            outcome = self.error if value == failing else self.outcome(name, value)
            return await self.spies[name].act(value, seconds, outcome)

        stage.__name__ = stage.__qualname__ = name
        return stage

    def enough(self) -> float:
        """Seconds until the last file is saved: each stage takes the files in their order.

        A stage goes on when its result has room in the next queue: when the next stage has taken
        the one that came `size` before.
        """
        begins: list[list[float]] = [[] for _ in _STAGES]
        free = [0.0] * len(_STAGES)  # when each stage has handed on its last result
        for n, file in enumerate(self.files):
            there = 0.0
            for k, (stage, value) in enumerate(zip(_STAGES, self.way(file), strict=False)):
                begins[k].append(max(there, free[k]))
                there = begins[k][n] + self.seconds(stage, value)
                if k + 1 < len(_STAGES) and n >= self.size:
                    there = max(there, begins[k + 1][n - self.size])
                free[k] = there
        return free[-1]


@check
def check_load_infer_save(load_infer_save: Callable[..., Any]) -> None:
    """Judge ``load_infer_save(files, load, infer, save, size)``: three stages at work together.

    Parameters
    ----------
    load_infer_save
        A coroutine function that returns what ``save`` gave, in the order of ``files``.

    Examples
    --------
    >>> async def one_by_one(files, load, infer, save, size):
    ...     return [await save(await infer(await load(file))) for file in files]
    >>> print(check_load_infer_save(one_by_one).hint.partition(";")[0])
    took 11.15 s where 5.49 s are enough
    """
    files = [f"file{number}.csv" for number in range(1, 31)]
    for case in (
        _Case(2, files[:12]),
        *(_Case(3, files, slow=stage) for stage in _STAGES),
        _Case(1, files, slow="save"),
        _Case(9, files[:9], odd=True),  # with room for all, so that an early end shows
        _Case(2, [*files[:5], files[3], files[0]]),
        _Case(2, files[:1]),
        _Case(2, []),
    ):
        with _telling_what_nobody_awaited():
            answer = run_answer(load_infer_save, case.files, *case.stages(), case.size, fails=True)
            _expect_no_error(answer)
            _expect_once(case)
            results = [case.way(file)[-1] for file in case.files]
            hint = "keep each result with the number of its file, or save in the order of files"
            expect_results(answer.result, results, hint=hint)
        _expect_one_worker(case)
        _expect_short_queues(case)
        enough = case.enough()
        seen = f"took {answer.seconds:.2f} s where {enough:.2f} s are enough"
        because = "a stage waited though there was work for it, and room for its result"
        hint = "a task for each stage, and a queue of `size` places between each two"
        expect(answer.seconds < enough + 1e-6, seen, because, hint)
    for stage in _STAGES:
        case = _Case(1, files, bad=stage)
        _expect_failure(case, run_answer(load_infer_save, files, *case.stages(), 1, fails=True))
    case = _Case(1, files)
    cut: list[Any] = []
    for spy in case.spies.values():
        spy.cut = cut
    expect_to_let_go(load_infer_save, files, *case.stages(), 1, cut=cut)


@contextmanager
def _telling_what_nobody_awaited() -> Iterator[None]:
    """Where an answer is wrong, say first that it made a coroutine which nobody awaited."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", RuntimeWarning)
        try:
            yield
        except NotYet:
            for warning in told:
                if name := re.match(r"coroutine '(.+)' was never", str(warning.message)):
                    because = "without an await, a call of a coroutine function does nothing"
                    seen = f"{name[1]}(…) was never awaited"
                    raise NotYet(seen, because, f"await in front of {name[1]}(…)") from None
            raise


def _expect_no_error(answer: Answer) -> None:
    """Expect no error, where no stage fails, and nothing left."""
    if answer.error is None:
        return expect_nothing_left(answer)
    for way, kind in ("put", asyncio.QueueFull), ("get", asyncio.QueueEmpty):
        found = any(isinstance(error, kind) for error in _leaves(answer.error))
        seen, because = f"{answer.name} raised {kind.__name__}", f"{way}_nowait does not wait"
        expect(not found, seen, because, f"await queue.{way}(…)")
    raise raised(f"{answer.name} raised", answer.error)


def _expect_once(case: _Case) -> None:
    """Expect that each file passed each stage once."""
    for stage in _STAGES:
        n, count = len(case.spies[stage].calls), len(case.files)
        seen = f"{n} calls of {stage} for {count} file{'s' * (count != 1)}"
        ends = n < count and case.odd
        because = "a result may be None, False or text: your mark of the end looks like one" * ends
        hint = "END = object(), and `is not END`" if ends else f"await {stage}(…) for each"
        expect(n == count, seen, because or "each file passes each stage once", hint)


def _expect_one_worker(case: _Case) -> None:
    for stage in _STAGES:
        most = case.spies[stage].most[""]
        seen = f"{most} files were in {stage} together"
        expect(most <= 1, seen, "each stage has one worker", "one task a stage")


def _expect_short_queues(case: _Case) -> None:
    """Expect that no stage is ahead of the next by more than what waits and what is at work."""
    for stage, following in pairwise(_STAGES):
        later = [call.began for call in case.spies[following].calls]
        for number, call in enumerate(case.spies[stage].calls, 1):
            ahead = number - sum(began <= call.began + 1e-6 for began in later) - 1
            seen = f"{ahead} results of {stage} waited for {following}, with size={case.size}"
            expect(ahead <= case.size, seen, "at most `size` may wait there", "asyncio.Queue(size)")


def _expect_failure(case: _Case, answer: Answer) -> None:
    """Expect the stage's own error to come out, alone or in a group, and nothing to be left."""
    seen = f"{case.bad} failed for {case.files[2]!r}, and nobody was told"
    told = "an error comes out of the function"
    expect(answer.error is not None, f"{seen}: it returned {shown(answer.result)}", told)
    assert answer.error is not None
    if all(error is not case.error for error in _leaves(answer.error)):
        raise raised(f"{case.bad} failed, and then {answer.name} raised", answer.error)
    expect_nothing_left(answer)
    last = max(began for spy in case.spies.values() for began in spy.began)
    failed = case.spies[case.bad].calls[2].ended or 0.0
    seen = f"work began {last - failed:.2f} s after {error_text(case.error)}"
    expect(
        last <= failed + 1e-6, seen, told, "one TaskGroup around all stages; no put in a finally"
    )


def _leaves(error: BaseException) -> Sequence[BaseException]:
    """The errors in a group, in groups; of any other, itself."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
