"""The verdict on the exercise of notebook 10: one task on a cluster for every `size` files."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from ..world.load import uneven_seconds
from .answers import run_answer
from .doubles import FALSY
from .verdict import check, expect, expect_results, raised
from .words import error_text, shown

__all__ = ["check_in_batches"]

_PRICE = 0.002  # seconds from the client to a worker and back
_OPTIONS = set(  # are the scheduler's
    "actor actors allow_other_workers batch_size fifo_timeout key priority pure resources retries"
    " workers".split()
)
_on_a_worker = ContextVar("on_a_worker", default=False)


class _Future:
    """What a client gives for a task: to be awaited, as often as one likes."""

    def __init__(self, work: Awaitable[Any]) -> None:
        self._task = asyncio.ensure_future(work)

    def __await__(self) -> Generator[Any, None, Any]:
        return self._task.__await__()

    async def result(self) -> Any:
        return await self._task

    def done(self) -> bool:
        return self._task.done()


class _Client:
    """A client whose cluster has room for all tasks together, and does them on this loop."""

    def __init__(self) -> None:
        self.tasks = 0

    def submit(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> _Future:
        self.tasks += 1
        own = {name: value for name, value in kwargs.items() if name not in _OPTIONS}
        return _Future(self._work(function, args, own))

    def map(
        self, function: Callable[..., Any], *iterables: Iterable[Any], **kwargs: Any
    ) -> list[_Future]:
        every = zip(*iterables, strict=False)
        return [self.submit(function, *args, **kwargs) for args in every]

    async def gather(self, futures: Iterable[Awaitable[Any]], errors: str = "raise") -> list[Any]:
        skip = errors == "skip"
        results = await asyncio.gather(*futures, return_exceptions=skip)
        return [each for each in results if not (skip and isinstance(each, BaseException))]

    async def _work(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        _on_a_worker.set(True)
        await asyncio.sleep(_PRICE)
        result = function(*args, **kwargs)
        return await result if asyncio.iscoroutine(result) else result


@dataclass
class _Case:
    """Files to label, how many a task may have, and what came of it."""

    files: list[str]
    size: int
    falsy: bool = False
    """Whether labels are what `if` takes for nothing."""
    bad: str = ""
    """The file that fails."""
    client: _Client = field(default_factory=_Client)
    parts: list[list[str]] = field(default_factory=list)
    """What label_many was called with, on a worker."""
    here: int = 0
    """How often it was called on the client's side."""
    error: Exception = field(default_factory=lambda: ConnectionError("the disk is gone"))

    def label(self, file: str) -> Any:
        if self.falsy:
            return FALSY[self.files.index(file) % len(FALSY)]
        return f"{file} label"

    def seconds(self, part: list[str]) -> float:
        return _PRICE + sum(uneven_seconds(file, 0.1, 0.9) for file in part)

    async def label_many(self, files: list[str]) -> list[Any]:
        part = list(files)
        if not _on_a_worker.get():
            self.here += 1
        self.parts.append(part)
        await asyncio.sleep(self.seconds(part) - _PRICE)
        if self.bad in part:
            raise self.error
        return [self.label(file) for file in part]


@check
def check_in_batches(in_batches: Callable[..., Any]) -> None:
    """Judge ``in_batches(client, label_many, files, size)``: one task for every `size` files.

    Parameters
    ----------
    in_batches
        A coroutine function that returns a label for each file, in the order of ``files``.

    Examples
    --------
    >>> async def in_batches(client, label_many, files, size):
    ...     return await client.gather([client.submit(label_many, [file]) for file in files])
    >>> print(check_in_batches(in_batches).hint)
    12 tasks for 12 files with size=5; each task has its price, and 3 are enough; try: client.submit(label_many, part), with `size` files in each part
    """  # noqa: E501
    files = [f"file{number}.csv" for number in range(1, 31)]
    for case in (
        _Case(files[:12], 5),
        _Case(files[:10], 5),
        _Case(files[:3], 10),
        _Case(files, 1),
        _Case(files[:9], 4, falsy=True),
        _Case([*files[:5], files[3], files[0]], 2),
        _Case(files[:1], 1),
        _Case([], 4),
    ):
        answer = run_answer(in_batches, case.client, case.label_many, case.files, case.size)
        _expect_tasks(case)
        labels = [case.label(file) for file in case.files]
        hint = "one flat list: [label for part in results for label in part]"
        expect_results(answer.result, labels, hint=hint)
        enough = max(map(case.seconds, case.parts), default=0.0)
        seen = f"took {answer.seconds:.2f} s where {enough:.2f} s are enough"
        hint = "submit all, and only then await: client.gather"
        expect(answer.seconds < enough + 1e-6, seen, "a task waited for another", hint)
    case = _Case(files, 4, bad=files[9])
    answer = run_answer(in_batches, case.client, case.label_many, files, case.size, fails=True)
    seen = f"{error_text(case.error)} was raised on a worker, and nobody was told"
    told = "a worker's error comes out of the function"
    expect(answer.error is not None, f"{seen}: it returned {shown(answer.result)}", told)
    assert answer.error is not None
    group = answer.error if isinstance(answer.error, BaseExceptionGroup) else None
    inside = group and group.subgroup(lambda error: error is case.error)
    if answer.error is not case.error and not inside:
        raise raised(f"{seen}: {answer.name} raised", answer.error)


def _expect_tasks(case: _Case) -> None:
    """Expect as few tasks as can be, none too large, on workers, and each file once."""
    files, wanted = len(case.files), -(-len(case.files) // case.size)
    hint = "client.submit(label_many, part), with `size` files in each part"
    for_files = f"for {files} file{'s' * (files != 1)} with size={case.size}"
    seen = f"label_many ran here {case.here} time{'s' * (case.here != 1)}"
    expect(not case.here, seen, "the work is for the workers", hint)
    largest = max(map(len, case.parts), default=0)
    seen = f"a task had {largest} files, with size={case.size}"
    expect(largest <= case.size, seen, "one worker has to do it all", hint)
    done = sorted(file for part in case.parts for file in part)
    seen = f"the tasks had {len(done)} files in all, of {files}"
    expect(done == sorted(case.files), seen, "each file is labelled once", hint)
    seen = f"{case.client.tasks} task{'s' * (case.client.tasks != 1)} {for_files}"
    because = f"each task has its price, and {wanted} are enough"
    expect(case.client.tasks == wanted, seen, because, hint)
