"""The verdict of notebook 09, on right and wrong answers."""

import asyncio
import doctest
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

import helpers.checks.serving
from helpers import simulate
from helpers.checks.serving import check_answer_each


def test_examples() -> None:
    """The examples in the docstrings give what they say."""
    result = doctest.testmod(helpers.checks.serving)
    assert result.attempted and not result.failed


def halving(caught: Any = Exception, keep: Any = lambda error: error, first: float = 0.5) -> Any:
    """Make an answer: what it catches, what it keeps of it, and where it cuts."""

    async def answer_each(infer_batch, images):
        if not images:
            return []
        try:
            return await infer_batch(images)
        except caught as error:
            if len(images) == 1:
                return [keep(error)]
        cut = max(1, int(len(images) * first))
        before = await answer_each(infer_batch, images[:cut])
        return before + await answer_each(infer_batch, images[cut:])

    return answer_each


async def side_by_side(infer_batch, images):
    if not images:
        return []
    try:
        return await infer_batch(images)
    except Exception as error:
        if len(images) == 1:
            return [error]
    half = (len(images) + 1) // 2
    halves = images[:half], images[half:]
    first, second = await asyncio.gather(*(side_by_side(infer_batch, part) for part in halves))
    return [*first, *second]


async def with_a_stack(infer_batch, images):
    results = [None] * len(images)
    parts = [(0, len(images))] if images else []
    while parts:
        start, end = parts.pop()
        try:
            results[start:end] = await infer_batch(images[start:end])
        except Exception as error:
            middle = (start + end) // 2
            if end - start == 1:
                results[start] = error
            else:
                parts += (start, middle), (middle, end)
    return results


@pytest.mark.parametrize("answer", [halving(), side_by_side, with_a_stack])
def test_right_answers(answer: Any) -> None:
    """Whatever the order of their calls, and however they cut an odd number."""
    assert repr(check_answer_each(answer)) == "✔ ok"


async def one_call(infer_batch, images):
    return await infer_batch(images)


async def one_by_one(infer_batch, images):
    results = []
    for image in images:
        try:
            results += await infer_batch([image])
        except Exception as error:
            results.append(error)
    return results


async def then_one_by_one(infer_batch, images):
    try:
        return await infer_batch(images) if images else []
    except Exception:
        return await one_by_one(infer_batch, images)


async def the_same_error_for_all(infer_batch, images):
    try:
        return await infer_batch(images) if images else []
    except Exception as error:
        return [error] * len(images)


async def calls_for_nobody(infer_batch, images):
    try:
        return await infer_batch(images)
    except Exception as error:
        if len(images) == 1:
            return [error]
    half = len(images) // 2
    first = await calls_for_nobody(infer_batch, images[:half])
    return first + await calls_for_nobody(infer_batch, images[half:])


async def turned_round(infer_batch, images):
    return [*reversed(await halving()(infer_batch, images[::-1]))][::-1]


async def drops_the_bad(infer_batch, images):
    results = await halving()(infer_batch, images)
    return [result for result in results if not isinstance(result, Exception)]


async def no_list_for_one(infer_batch, images):
    try:
        return await infer_batch(images)
    except Exception as error:
        if len(images) == 1:
            return error
    half = len(images) // 2
    first = await no_list_for_one(infer_batch, images[:half])
    return first + await no_list_for_one(infer_batch, images[half:])


async def never_awaits(infer_batch, images):
    return infer_batch(images)


async def gives_nothing(infer_batch, images):
    await halving()(infer_batch, images)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (one_call, "8 images, 1 bad: one_call raised OSError: half an image"),
        (one_by_one, "8 images, none bad: infer_batch was called 8 times; wanted 1"),
        (then_one_by_one, "8 images, 1 bad: infer_batch was called 9 times; halving needs 7"),
        (the_same_error_for_all, "8 images, 1 bad: result 1 is OSError: half an image; wanted"),
        (calls_for_nobody, "0 images, none bad: infer_batch was called with an empty list"),
        (turned_round, "8 images, none bad: result 1 is 'label of image7'"),
        (drops_the_bad, "8 images, 1 bad: saw 7 results for 8 items"),
        (no_list_for_one, "no image causes this error; try: return a list, for one image as well"),
        (never_awaits, "infer_batch was called 0 times; wanted 1; try: await infer_batch(images)"),
        (gives_nothing, "8 images, none bad: saw None, not a list of 8 results"),
        (halving(first=0), "8 images, 1 bad: infer_batch was called 11 times; halving needs 7"),
        (halving(keep=str), "8 images, 1 bad: result 5 is 'half an image'"),
        (halving(keep=lambda error: None), "8 images, 1 bad: result 5 is None"),
        (halving(caught=ValueError), "8 images, 1 bad: answer_each raised OSError"),
        (halving(caught=BaseException), "cancelled after 0.2 s, went on until 0.8 s"),
    ],
)
def test_wrong_answers(answer: Any, hint: str) -> None:
    """Each with a hint at its own fault."""
    verdict = check_answer_each(answer)
    assert not verdict
    assert hint in verdict.hint


def test_the_answers_to_the_explorer_hold() -> None:
    """What notebook 09 tells of the knee, and of a wait with two workers, is what it shows."""
    path = Path(__file__).parents[2] / "notebooks" / "09_serving.ipynb"
    cells = {cell.id: cell.source for cell in nbformat.read(path, as_version=4).cells}
    names: dict[str, Any] = {}
    for cell in "01 03 04 39 43 44".split():
        exec(cells[f"serving-{cell}"], names)

    def told(what: str, **values: int) -> int:
        run = simulate(names["latency"], **values, film=False)
        return int(re.search(rf"{what} ([\d,]+)", run.output)[1].replace(",", ""))

    assert told("knee", max_batch_size=1) < 100 and told("knee", max_batch_size=32) > 800
    p99 = [told("p99", rate=800, workers=2, max_wait_ms=wait) for wait in (0, 5)]
    assert p99 == [28, 23]
    assert "below 100 a second, with 32 beyond 800" in cells["serving-46"]
    assert "p99 falls from 28 to 23 ms" in cells["serving-46"]
