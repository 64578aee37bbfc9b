"""The check of notebook 07: right answers pass, each plausible wrong one gets a hint."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from helpers.checks.blocking import check_io_bound


class Right:
    """Answers to ``io_bound(function, wall, processor)``."""

    @staticmethod
    def solution(function, wall, processor):
        wall_start, processor_start = wall(), processor()
        function()
        computed = processor() - processor_start
        return computed < (wall() - wall_start) / 2

    @staticmethod
    def waited_more(function, wall, processor):
        before = wall(), processor()
        function()
        took, computed = (
            clock() - start for clock, start in zip((wall, processor), before, strict=True)
        )
        waited = took - computed
        return waited > computed

    @staticmethod
    def by_share(function, wall, processor):
        start = wall() - processor(), wall()
        function()
        return (wall() - processor() - start[0]) / (wall() - start[1]) > 0.5

    @staticmethod
    def a_bool_of_numpy_kind(function, wall, processor):
        return bool(Right.solution(function, wall, processor))


class Wrong:
    @staticmethod
    def stub(function, wall, processor):
        start = wall()
        function()
        return wall() - start > 0.1

    @staticmethod
    def waits_always(function, wall, processor):
        function()
        return True

    @staticmethod
    def only_the_processor(function, wall, processor):
        start = processor()
        function()
        return processor() - start < 0.05

    @staticmethod
    def forgets_to_subtract(function, wall, processor):
        function()
        return processor() < wall() / 2

    @staticmethod
    def upside_down(function, wall, processor):
        return not Right.solution(function, wall, processor)

    @staticmethod
    def never_calls(function, wall, processor):
        return processor() < wall() / 2

    @staticmethod
    def calls_twice(function, wall, processor):
        function()
        return Right.solution(function, wall, processor)

    @staticmethod
    def other_clocks(function, wall, processor):
        start = time.perf_counter(), time.process_time()
        function()
        return time.process_time() - start[1] < (time.perf_counter() - start[0]) / 2

    @staticmethod
    def too_strict(function, wall, processor):
        starts = wall(), processor()
        function()
        return processor() - starts[1] < (wall() - starts[0]) / 10

    @staticmethod
    def too_easy(function, wall, processor):
        starts = wall(), processor()
        function()
        return processor() - starts[1] < wall() - starts[0]

    @staticmethod
    def half_is_enough(function, wall, processor):
        starts = wall(), processor()
        function()
        return processor() - starts[1] <= (wall() - starts[0]) / 2

    @staticmethod
    def measures_too_late(function, wall, processor):
        function()
        starts = wall(), processor()
        return processor() - starts[1] < (wall() - starts[0]) / 2

    @staticmethod
    def divides_by_the_processor(function, wall, processor):
        function()
        starts = wall(), processor()
        return (wall() - starts[0]) / (processor() - starts[1]) > 2

    @staticmethod
    def returns_a_word(function, wall, processor):
        return "waits" if Right.solution(function, wall, processor) else "computes"

    @staticmethod
    def returns_nothing(function, wall, processor):
        Right.solution(function, wall, processor)

    @staticmethod
    async def is_a_coroutine(function, wall, processor):
        return Right.solution(function, wall, processor)


BOTH = "try: read both clocks before and after the call"
COMPARE = "compare the two differences"
HINTS = {
    Wrong.stub: BOTH,
    Wrong.waits_always: BOTH,
    Wrong.only_the_processor: BOTH,
    Wrong.forgets_to_subtract: BOTH,
    Wrong.upside_down: COMPARE,
    Wrong.never_calls: "called the function 0 times",
    Wrong.calls_twice: "called the function 2 times",
    Wrong.other_clocks: "unknown function 1 took",
    Wrong.too_strict: COMPARE,
    Wrong.too_easy: COMPARE,
    Wrong.half_is_enough: COMPARE,
    Wrong.measures_too_late: COMPARE,
    Wrong.divides_by_the_processor: "ZeroDivisionError",
    Wrong.returns_a_word: "said 'waits'; try: return True or False",
    Wrong.returns_nothing: "said None; try: return True or False",
    Wrong.is_a_coroutine: "where a result was asked",
}


def static(book: type) -> list[Any]:
    return [thing.__func__ for thing in vars(book).values() if isinstance(thing, staticmethod)]


@pytest.mark.parametrize("answer", static(Right))
def test_passes_what_is_right(answer: Callable[..., Any]):
    assert repr(check_io_bound(answer)) == "✔ ok"


def test_expects_a_hint_for_each_wrong_answer():
    assert set(static(Wrong)) == HINTS.keys()


@pytest.mark.parametrize("answer", HINTS, ids=lambda answer: answer.__name__)
def test_names_the_fault(answer: Callable[..., Any]):
    hint = repr(check_io_bound(answer))
    assert hint.startswith("✘ not yet: ")
    assert HINTS[answer] in hint
    assert len(hint) < 300


def raises(function, wall, processor):
    raise OSError("no clock")


def no_arguments():
    pass


ODD = [raises, no_arguments, asyncio.sleep, None, 3, "io_bound", print, lambda *args: (yield)]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: getattr(odd, "__name__", repr(odd)))
def test_stays_calm_whatever_it_is_given(odd: Any):
    hint = repr(check_io_bound(odd))
    assert hint.startswith("✘ not yet: ")
    assert len(hint) > 30, hint
