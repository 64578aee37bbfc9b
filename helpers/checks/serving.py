"""The verdict on the exercise of notebook 09: in a batch that fails, whose input is at fault?"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import Any

from .answers import Answer, expect_nothing_left, expect_to_let_go, run_answer
from .doubles import FALSY
from .verdict import NotYet, check, expect, expect_results
from .words import error_text

__all__ = ["check_answer_each"]


class _Model:
    """Answers batches, and notes them; a batch with a bad image fails with that one's error."""

    def __init__(self, images: Sequence[Any], bad: dict[Any, Exception]) -> None:
        self.images, self.bad = list(images), bad
        self.batches: list[list[Any]] = []
        self.cut: list[Any] = []

    async def infer_batch(self, images: list[Any]) -> list[Any]:
        self.batches.append(list(images))
        try:
            await asyncio.sleep(0.3)
        except asyncio.CancelledError:
            self.cut.append(asyncio.current_task())
            raise
        for image in images:
            if image in self.bad:
                raise self.bad[image]
        return [_label(image) for image in images]

    @property
    def bad_ones(self) -> int:
        """How many of the images are bad."""
        return sum(image in self.bad for image in self.images)

    @property
    def told(self) -> str:
        """What the learner is told of the case."""
        count, bad = len(self.images), self.bad_ones
        images = f"{count} image{'s' * (count != 1)}"
        return f"{images}, {bad or 'none'} bad: "

    @property
    def results(self) -> list[Any]:
        return [self.bad.get(image, _label(image)) for image in self.images]


def _label(image: Any) -> Any:
    """Of some images a label that `if` takes for nothing."""
    return FALSY[hash(image) % len(FALSY)] if isinstance(image, int) else f"label of {image}"


def _models() -> list[_Model]:
    names = [f"image{number}" for number in range(64)]
    errors = [ValueError("no image"), OSError("half an image"), KeyError("label")]

    def model(count: int, *bad: int) -> _Model:
        return _Model(names[:count], {names[at]: errors[at % len(errors)] for at in bad})

    return [
        model(8),
        model(8, 4),
        model(64, 17),
        model(1, 0),
        model(7, 0, 6),
        model(8, *range(8)),
        model(5, 1, 2),
        _Model(["a", "b", "a", "c", "b"], {"b": errors[0]}),
        _Model(range(9), {3: TimeoutError("no answer")}),
        model(1),
        model(0),
    ]


@check
def check_answer_each(answer_each: Callable[..., Any]) -> None:
    """Judge ``answer_each(infer_batch, images)``: a bad image hurts only its sender.

    Parameters
    ----------
    answer_each
        A coroutine function that returns a list: for each image its answer, or its error.

    Examples
    --------
    >>> async def answer_each(infer_batch, images):
    ...     return await infer_batch(images)
    >>> check_answer_each(answer_each)
    ✘ not yet: 8 images, 1 bad: answer_each raised OSError: half an image; its sender gets this error, as an entry of the list; try: catch it, and halve the images until the bad one is alone
    """  # noqa: E501
    for model in _models():
        answer = run_answer(answer_each, model.infer_batch, model.images, fails=True)
        if answer.error is not None:
            if answer.error not in model.bad.values():
                hint = "return a list, for one image as well" if model.batches else ""
                raise NotYet(f"{model.told}{_raised(answer)}", "no image causes this error", hint)
            hint = "catch it, and halve the images until the bad one is alone"
            alone = "its sender gets this error, as an entry of the list"
            raise NotYet(f"{model.told}{_raised(answer)}", alone, hint)
        expect_nothing_left(answer)
        _expect_calls(answer, model)
        hint = "one entry for each image, in their order: its answer, or the error it causes alone"
        expect_results(answer.result, model.results, model.told, hint)
    model = _models()[0]
    expect_to_let_go(answer_each, model.infer_batch, model.images, cut=model.cut)


def _raised(answer: Answer) -> str:
    assert answer.error is not None
    return f"{answer.name} raised {error_text(answer.error)}"


def _expect_calls(answer: Answer, model: _Model) -> None:
    """Expect as many calls as halving needs, and no others."""
    count, bad, calls = len(model.images), model.bad_ones, len(model.batches)
    seen = f"{model.told}infer_batch was called {calls} time{'s' * (calls != 1)}"
    expect(
        [] not in model.batches,
        f"{model.told}infer_batch was called with an empty list",
        "",
        "for no image return []",
    )
    if not bad:
        wanted = min(count, 1)
        hint = "begin with all images" if calls else "await infer_batch(images)"
        hint = hint if count else "for no image return [], and call nothing"
        expect(calls == wanted, seen, f"wanted {wanted}", hint)
        return
    most = 1 + 2 * bad * math.ceil(math.log2(count))
    because = f"halving needs {most} at most"
    expect(calls <= most, seen, because, "halve only what fails, and do not try it again")
