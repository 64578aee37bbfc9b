"""The micro-batcher: batches are what its policy says, and each caller gets its own, once."""

import asyncio
import doctest
import gc
import json
import math
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.camera import simulate
from helpers.world import batcher as module
from helpers.world.batcher import Batcher, BatchFailed, Closed, DeadlinePassed, Overloaded
from helpers.world.traffic import arrivals, open_loop, percentile


class BadInput(ValueError):
    """What the model of these tests raises for a batch with a negative number in it."""


class Model:
    """Doubles numbers in `seconds` for each batch; remembers all batches, and when they ran."""

    def __init__(self, seconds: Callable[[int], float] = lambda n: 0.1) -> None:
        self.seconds = seconds
        self.batches: list[list[int]] = []
        self.times: list[float] = []
        self.running = self.most_running = 0

    async def __call__(self, batch: list[int]) -> list[int]:
        self.batches.append(batch)
        self.times.append(round(asyncio.get_running_loop().time(), 6))
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        try:
            await asyncio.sleep(self.seconds(len(batch)))
        finally:
            self.running -= 1
        if bad := [x for x in batch if x < 0]:
            raise BadInput(bad[0])
        return [2 * x for x in batch]


def run(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run a program on the fast clock, with as many turns as it needs."""
    return simulate(main, film=False, max_turns=10**8, patience=600.0).result


async def outcomes(*calls: Awaitable[Any]) -> list[Any]:
    """Await all, together: results, and errors as a type and a text."""
    ends = await asyncio.gather(*calls, return_exceptions=True)
    return [(type(end), str(end)) if isinstance(end, BaseException) else end for end in ends]


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_examples() -> None:
    """The examples in the docstrings give what they say."""
    result = doctest.testmod(module)
    assert result.attempted and not result.failed


def test_on_the_real_clock() -> None:
    """It works under plain `asyncio.run`; each gets its own answer."""

    async def main() -> list[int]:
        async with Batcher(Model(lambda n: 0.001), max_batch_size=8) as batcher:
            return await asyncio.gather(*(batcher.infer(x) for x in range(100)))

    assert asyncio.run(main()) == [2 * x for x in range(100)]


# --- The policy ----------------------------------------------------------------------------


def test_a_full_batch_does_not_wait() -> None:
    """Of ten requests that come together, four and four run at once, two after `max_wait`."""
    model = Model(lambda n: 0.1)

    async def main() -> None:
        async with Batcher(model, max_batch_size=4, max_wait=5.0) as batcher:
            await asyncio.gather(*(batcher.infer(x) for x in range(10)))

    run(main)
    assert model.batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert model.times == [0.0, 0.1, 5.0]


def test_the_oldest_waits_no_longer_than_max_wait() -> None:
    """The wait counts from its arrival, so that time spent behind a batch counts as well."""
    model = Model(lambda n: 1.0)

    async def main() -> None:
        async with Batcher(model, max_batch_size=100, max_wait=0.5) as batcher:
            await open_loop(batcher.infer, [0.0, 0.4, 0.6, 1.2, 1.6])

    run(main)
    assert model.batches == [[0, 1], [2, 3], [4]]
    assert model.times == [0.5, 1.5, 2.5]  # the second began when the first had ended


def test_without_max_wait_only_what_is_there_shares_a_batch() -> None:
    """With `max_wait=0` nobody waits for company, and who comes in the same turn has it."""
    model = Model(lambda n: 1.0)

    async def main() -> None:
        async with Batcher(model, max_batch_size=100, max_wait=0) as batcher:
            first = asyncio.gather(*(batcher.infer(x) for x in range(3)))
            await asyncio.sleep(0.5)
            await asyncio.gather(first, batcher.infer(7))

    run(main)
    assert model.batches == [[0, 1, 2], [7]]
    assert model.times == [0.0, 1.0]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_so_many_batches_run_at_a_time(workers: int) -> None:
    """`workers` is reached, and not exceeded; the batches begin in order."""
    model = Model(lambda n: 1.0)

    async def main() -> None:
        async with Batcher(model, max_batch_size=2, workers=workers) as batcher:
            await asyncio.gather(*(batcher.infer(x) for x in range(20)))

    run(main)
    assert model.most_running == workers
    assert model.batches == [[x, x + 1] for x in range(0, 20, 2)]
    assert model.times == [float(n // workers) for n in range(10)]


def reference(
    times: Sequence[float], size: int, max_wait: float, seconds: Callable[[int], float]
) -> list[float]:
    """Waits by plain arithmetic, one batch after the other: the policy with one worker."""
    waits: list[float] = []
    free = 0.0
    while len(waits) < len(times):
        at = len(waits)
        full = times[at + size - 1] if at + size <= len(times) else math.inf
        start = max(free, min(times[at] + max_wait, full))
        batch = [time for time in times[at : at + size] if time <= start]
        free = start + seconds(len(batch))
        waits += [free - time for time in batch]
    return waits


def simulated(
    times: Sequence[float],
    size: int,
    max_wait: float,
    seconds: Callable[[int], float],
    film: bool = False,
) -> list[float]:
    async def main() -> list[float]:
        async with Batcher(
            Model(seconds), max_batch_size=size, max_wait=max_wait, max_queue=10**6
        ) as batcher:
            sent = await open_loop(batcher.infer, times)
        assert {s.outcome for s in sent} == {"ok"}
        return [s.seconds for s in sorted(sent)]

    if film:
        return simulate(main).result  # type: ignore[no-any-return]
    return run(main)  # type: ignore[no-any-return]


@pytest.mark.parametrize("film", [True, False])
@pytest.mark.parametrize(("size", "max_wait"), [(32, 0.005), (8, 0.002), (64, 0.0), (1, 0.0)])
def test_it_is_equal_to_plain_arithmetic(size: int, max_wait: float, film: bool) -> None:
    """2,000 simulated requests, filmed or not, wait as long as the arithmetic says."""
    times = arrivals(3_000, count=2_000)

    def seconds(n: int) -> float:
        return 0.003 + 0.0001 * n

    waits = simulated(times, size, max_wait, seconds, film)
    assert waits == pytest.approx(reference(times, size, max_wait, seconds), abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    count=st.integers(1, 40),
    size=st.integers(1, 6),
    max_wait=st.floats(0, 1),
    fixed=st.floats(0.001, 1),
    each=st.floats(0, 0.3),
)
def test_it_is_equal_to_plain_arithmetic_whatever_comes(
    seed: int, count: int, size: int, max_wait: float, fixed: float, each: float
) -> None:
    """Any arrivals (of which no two tie), limits and costs: the same waits."""
    times = arrivals(2.0, count=count, seed=seed)

    def seconds(n: int) -> float:
        return fixed + each * n

    waits = simulated(times, size, max_wait, seconds)
    assert waits == pytest.approx(reference(times, size, max_wait, seconds), abs=1e-6)


@pytest.mark.parametrize("max_wait", [0.0, 0.005, 0.05])
@pytest.mark.parametrize("size", [8, 32, 64])
def test_half_of_saturation_is_served_soon(size: int, max_wait: float) -> None:
    """At half of what full batches could do, 99 of 100 wait for `max_wait` and two at the most."""

    def seconds(n: int) -> float:
        return 0.003 + 0.0001 * n

    full = seconds(size)
    times = arrivals(0.5 * size / full, count=2_000)
    waits = simulated(times, size, max_wait, seconds)
    assert percentile(waits, 99) <= max_wait + 2 * full


# --- Each gets its own ---------------------------------------------------------------------


def test_of_eight_one_is_bad() -> None:
    """The seven others get their answers, the one its own error; it takes six calls more."""
    for bad in range(8):
        inputs = [-x if x == bad + 1 else x for x in range(1, 9)]
        model = Model()

        async def main() -> list[Any]:
            async with Batcher(model, max_batch_size=8) as batcher:  # noqa: B023
                return await outcomes(*map(batcher.infer, inputs))  # noqa: B023

        wanted: list[Any] = [2 * x for x in inputs]
        wanted[bad] = (BadInput, str(inputs[bad]))
        assert run(main) == wanted
        assert len(model.batches) == 7


@pytest.mark.parametrize("when", ["waiting", "running"])
def test_of_eight_one_is_cancelled(when: str) -> None:
    """The seven others get their answers; who leaves while waiting is not even run."""
    for leaver in range(8):
        model = Model(lambda n: 1.0)

        async def main() -> list[Any]:
            async with Batcher(model, max_batch_size=9, max_wait=0.5) as batcher:  # noqa: B023
                callers = [asyncio.create_task(batcher.infer(x)) for x in range(8)]
                await asyncio.sleep(0.2 if when == "waiting" else 0.7)
                callers[leaver].cancel()  # noqa: B023
                return await outcomes(*callers)

        ends = run(main)
        assert ends.pop(leaver)[0] is asyncio.CancelledError
        assert ends == [2 * x for x in range(8) if x != leaver]
        assert model.batches == [[x for x in range(8) if x != leaver or when == "running"]]


def test_the_last_to_leave_is_not_run() -> None:
    """A batch whose callers have all left is no call; the next is run as if they never came."""
    model = Model(lambda n: 1.0)

    async def main() -> Any:
        async with Batcher(model, max_wait=0.5) as batcher:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await batcher.infer(1)
            return await batcher.infer(2)

    assert run(main) == 4
    assert (model.batches, model.times) == ([[2]], [0.8])


def test_who_leaves_makes_room() -> None:
    """The place of one that has left the queue is free at once."""

    async def main() -> list[Any]:
        async with Batcher(Model(), max_queue=2, max_wait=1.0) as batcher:
            first, second = (asyncio.create_task(batcher.infer(x)) for x in (1, 2))
            await turns()
            with pytest.raises(Overloaded):
                await batcher.infer(3)
            first.cancel()
            await turns()
            return await outcomes(second, batcher.infer(4))

    assert run(main) == [4, 8]


def test_a_caller_that_leaves_while_a_failed_batch_is_halved_is_not_run_again() -> None:
    """Halves are made of those who still wait."""
    model = Model(lambda n: 1.0)

    async def main() -> list[Any]:
        async with Batcher(model, max_batch_size=4) as batcher:
            callers = [asyncio.create_task(batcher.infer(x)) for x in (1, 2, 3, -4)]
            await asyncio.sleep(0.5)
            callers[0].cancel()
            callers[1].cancel()
            return await outcomes(*callers[2:])

    assert run(main) == [6, (BadInput, "-4")]
    assert model.batches == [[1, 2, 3, -4], [3, -4], [3], [-4]]


def test_halving_has_a_cap() -> None:
    """A model that always fails is called 1 + max_extra_calls times for a batch, and no more."""
    for cap in (0, 1, 2, 7, 32, 1_000):
        model = Model()

        async def main() -> list[Any]:
            async with Batcher(model, max_batch_size=64, max_extra_calls=cap) as batcher:  # noqa: B023
                return await outcomes(*map(batcher.infer, range(-64, 0)))

        ends = run(main)
        assert len(model.batches) == 1 + min(cap // 2 * 2, 2 * 64 - 2)
        kinds = Counter(kind for kind, _ in ends)
        assert kinds[BadInput] + kinds[BatchFailed] == 64
        assert (kinds[BatchFailed] == 0) == (cap == 1_000)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-9, 9), min_size=1, max_size=16))
def test_sixteen_are_always_told_apart(inputs: list[int]) -> None:
    """The default cap is enough for any bad inputs among sixteen, as the docstring says."""

    async def main() -> list[Any]:
        async with Batcher(Model(), max_batch_size=16) as batcher:
            return await outcomes(*map(batcher.infer, inputs))

    assert run(main) == [2 * x if x >= 0 else (BadInput, str(x)) for x in inputs]


def test_three_of_sixty_four_are_always_told_apart() -> None:
    """Nor do three bad inputs among 64 cost anybody else the answer, wherever they stand."""
    draw = random.Random(1)
    places = [sorted(draw.sample(range(64), 3)) for _ in range(40)] + [[0, 21, 63], [15, 31, 47]]
    for bad in places:
        inputs = [-x - 1 if x in bad else x for x in range(64)]

        async def main() -> list[Any]:
            async with Batcher(Model(), max_batch_size=64) as batcher:
                return await outcomes(*map(batcher.infer, inputs))  # noqa: B023

        assert run(main) == [2 * x if x >= 0 else (BadInput, str(x)) for x in inputs]


def test_each_of_those_not_told_apart_gets_an_error_of_its_own() -> None:
    """It says how many failed together and with what, and its cause is what the model raised."""

    async def main() -> list[BaseException]:
        async with Batcher(Model(), max_batch_size=2, max_extra_calls=0) as batcher:
            both = (batcher.infer(1), batcher.infer(-1))
            return await asyncio.gather(*both, return_exceptions=True)  # type: ignore[return-value]

    one, other = run(main)
    assert type(one) is type(other) is BatchFailed and one is not other
    assert str(one) == "a batch of 2 failed: -1"
    assert isinstance(one.__cause__, BadInput)


@pytest.mark.parametrize(
    ("answers", "seen"),
    [([1], "1 answers"), ([1] * 9, "9 answers"), (None, "a NoneType as answers")],
)
def test_a_wrong_number_of_answers_is_everybodys_error(answers: Any, seen: str) -> None:
    """Nobody knows whose they are: no call is made again, and the text says what to return."""
    calls = []

    async def wrong(batch: list[int]) -> Any:
        calls.append(batch)
        return answers

    async def main() -> list[Any]:
        async with Batcher(wrong, max_batch_size=8) as batcher:
            return await outcomes(*map(batcher.infer, range(8)))

    ends = run(main)
    assert {kind for kind, _ in ends} == {BatchFailed}
    assert f"infer_batch returned {seen} to 8 inputs: it must return a list" in ends[0][1]
    assert len(calls) == 1


def test_an_answer_may_be_anything() -> None:
    """None and an exception are answers as good as any."""
    error = ValueError("an answer, not an error")

    async def model(batch: list[int]) -> list[Any]:
        return [None, error]

    async def main() -> list[Any]:
        async with Batcher(model) as batcher:
            return await asyncio.gather(batcher.infer(1), batcher.infer(2))

    assert run(main) == [None, error]


# --- Overload and deadlines ----------------------------------------------------------------


def test_one_more_than_may_wait_is_refused_at_once() -> None:
    """The refusal takes no time, gives a reason, and costs those who wait nothing."""

    async def main() -> list[Any]:
        async with Batcher(Model(), max_batch_size=2, max_queue=3) as batcher:
            return await outcomes(*map(batcher.infer, range(5)))

    reason = "3 requests wait already, and no more may: try later"
    assert run(main) == [0, 2, 4, (Overloaded, reason), (Overloaded, reason)]


def test_what_runs_does_not_count_as_waiting() -> None:
    """A queue of one behind a batch that runs holds one."""

    async def main() -> list[Any]:
        async with Batcher(Model(), max_batch_size=1, max_queue=1) as batcher:
            calls = []
            for x in range(3):
                calls.append(asyncio.create_task(batcher.infer(x)))
                await turns()
            return await outcomes(*calls)

    assert [end if isinstance(end, int) else end[0] for end in run(main)] == [0, 2, Overloaded]


def test_a_deadline_that_passes_in_the_queue() -> None:
    """The caller hears of it at that moment, and the model never sees the input."""
    model = Model(lambda n: 1.0)

    async def main() -> float:
        loop = asyncio.get_running_loop()
        async with Batcher(model, max_batch_size=1) as batcher:
            first = asyncio.create_task(batcher.infer(1))
            await turns()
            with pytest.raises(DeadlinePassed, match="the deadline of this request passed"):
                await batcher.infer(2, deadline=loop.time() + 0.25)
            passed = loop.time()
            assert await first == 2
        return passed

    assert run(main) == 0.25
    assert model.batches == [[1]]


def test_a_deadline_that_passes_while_it_runs() -> None:
    """The caller does not wait longer; the others in its batch get their answers."""

    async def main() -> list[Any]:
        async with Batcher(Model(lambda n: 1.0), max_batch_size=2) as batcher:
            return await outcomes(batcher.infer(1, deadline=0.5), batcher.infer(2))

    (late, _), answer = run(main)
    assert (late, answer) == (DeadlinePassed, 4)


def test_a_deadline_that_holds() -> None:
    """An answer in time is an answer, also at a deadline of 0 on a clock that starts there."""

    async def main() -> list[Any]:
        async with Batcher(Model(), max_batch_size=3) as batcher:
            calls = (batcher.infer(n, deadline=at) for n, at in ((1, 0.2), (2, None), (3, 0.0)))
            return await outcomes(*calls)

    *answers, (late, _) = run(main)
    assert (answers, late) == ([2, 4], DeadlinePassed)


def test_a_deadline_that_passed_while_the_loop_was_held() -> None:
    """What is late before its timer could say so is not run either."""
    model = Model()

    async def main() -> Any:
        loop: Any = asyncio.get_running_loop()
        async with Batcher(model, max_batch_size=2) as batcher:
            call = asyncio.create_task(batcher.infer(1, deadline=loop.time() + 1))
            await asyncio.sleep(0)
            loop.now += 2  # as somebody does who computes on the loop
            return await outcomes(call, batcher.infer(2))

    (late, _), answer = run(main)
    assert (late, answer) == (DeadlinePassed, 4)
    assert model.batches == [[2]]


# --- The end -------------------------------------------------------------------------------


def test_at_its_end_it_answers_what_it_has_accepted() -> None:
    """All that wait or run are answered, without waiting for company; who comes later is not."""
    model = Model(lambda n: 1.0)

    async def main() -> tuple[list[Any], list[Any], int]:
        async with Batcher(model, max_batch_size=2, max_wait=60.0, workers=2) as batcher:
            calls = [asyncio.create_task(batcher.infer(x)) for x in range(7)]
            await asyncio.sleep(0.5)
            late = asyncio.create_task(refused(batcher))
        return await outcomes(*calls), await late, len(asyncio.all_tasks())

    async def refused(batcher: Batcher[int, int]) -> list[Any]:
        while_closing = await outcomes(batcher.infer(8))
        await asyncio.sleep(10)
        return while_closing + await outcomes(batcher.infer(9))

    answers, late, tasks = run(main)
    assert answers == [0, 2, 4, 6, 8, 10, 12]
    assert late == [
        (Closed, "it is closing: it only answers what it has accepted"),
        (Closed, "it has ended"),
    ]
    assert model.batches == [[0, 1], [2, 3], [4, 5], [6]]
    assert model.times == [0.0, 0.0, 1.0, 1.0]
    assert tasks == 1


def test_an_error_of_the_block_ends_it_at_once() -> None:
    """The block's own error leaves it; whoever waits or runs gets a reason, and no task is left."""
    model = Model(lambda n: 1.0)

    async def main() -> tuple[list[Any], float, int]:
        with pytest.raises(ZeroDivisionError):
            async with Batcher(model, max_batch_size=2) as batcher:
                calls = [asyncio.create_task(batcher.infer(x)) for x in range(3)]
                await asyncio.sleep(0.5)
                _ = 1 / 0
        tasks = len(asyncio.all_tasks() - {*calls})
        return await outcomes(*calls), asyncio.get_running_loop().time(), tasks

    assert run(main) == ([(Closed, "ZeroDivisionError has ended it")] * 3, 0.5, 1)


@pytest.mark.parametrize("moment", [0.5, 2.5])
def test_a_cancellation_ends_it_at_once(moment: float) -> None:
    """Of its block, or of its end while that still answers what was accepted."""
    model = Model(lambda n: 4.0)
    calls: list[asyncio.Task[int]] = []

    async def serve() -> None:
        async with Batcher(model, max_batch_size=2) as batcher:
            calls.extend(asyncio.create_task(batcher.infer(x)) for x in range(3))
            await asyncio.sleep(2)

    async def main() -> tuple[list[Any], float, int]:
        server = asyncio.create_task(serve())
        await asyncio.sleep(moment)
        server.cancel()
        with pytest.raises(asyncio.CancelledError):
            await server
        tasks = len(asyncio.all_tasks() - {*calls})
        return await outcomes(*calls), asyncio.get_running_loop().time(), tasks

    reason = "CancelledError has ended it" if moment < 2 else "it has ended"
    assert run(main) == ([(Closed, reason)] * 3, moment, 1)
    assert model.running == 0


def test_before_and_after_its_block_it_says_so() -> None:
    """A batcher that is not entered refuses, with what to write; and one may be entered again."""

    async def main() -> list[Any]:
        batcher = Batcher(Model())
        ends = await outcomes(batcher.infer(1))
        for x in (2, 3):
            async with batcher:
                ends += await outcomes(batcher.infer(x))
            ends += await outcomes(batcher.infer(x))
        return ends

    not_open = "it is not open: write `async with Batcher(...) as batcher:`"
    ended = (Closed, "it has ended")
    assert run(main) == [(Closed, not_open), 4, ended, 6, ended]


def test_one_batcher_serves_one_loop_after_the_other() -> None:
    """Nothing of it is bound to the loop that it was last entered on."""
    batcher = Batcher(Model(lambda n: 0.0), max_wait=0)

    async def main() -> int:
        async with batcher:
            return await batcher.infer(21)

    assert [asyncio.run(main()), asyncio.run(main())] == [42, 42]


def test_a_call_that_is_cancelled_from_inside_is_an_error_of_its_batch() -> None:
    """No caller is told that it was cancelled itself, and the worker goes on."""

    async def model(batch: list[int]) -> list[int]:
        if 1 in batch:
            asyncio.get_running_loop().call_later(0.1, (task := asyncio.Future[int]()).cancel)
            return [await task]
        return batch

    async def main() -> list[Any]:
        async with Batcher(model, max_batch_size=2) as batcher:
            return await outcomes(*map(batcher.infer, (1, 2, 3, 4)))

    *failed, three, four = run(main)
    assert {kind for kind, _ in failed} == {BatchFailed}
    assert "infer_batch was cancelled, though not by the batcher" in failed[0][1]
    assert (three, four) == (3, 4)


def test_a_model_may_time_out() -> None:
    """`asyncio.timeout` inside of `infer_batch` is an error like others, and the worker goes on."""

    async def model(batch: list[int]) -> list[int]:
        async with asyncio.timeout(1):
            await asyncio.sleep(max(batch))
        return batch

    async def main() -> list[Any]:
        async with Batcher(model, max_batch_size=2) as batcher:
            return await outcomes(*map(batcher.infer, (0, 5, 0, 0)))

    first, (late, _), *others = run(main)
    assert (first, late, others) == (0, TimeoutError, [0, 0])


class Exit(BaseException):
    """No error of an input: something that ends a program."""


def test_what_ends_a_worker_ends_the_batcher() -> None:
    """Its batch, the other batches' queue and later callers get a reason; the block raises it."""

    async def model(batch: list[int]) -> list[int]:
        await asyncio.sleep(1)
        if 0 in batch:
            raise Exit("enough")
        return batch

    async def main() -> tuple[list[Any], int]:
        ends: list[Any] = []
        with pytest.raises(Exit, match="enough"):
            async with Batcher(model, max_batch_size=2, workers=2) as batcher:
                ends += await outcomes(*map(batcher.infer, range(6)))
                ends += await outcomes(batcher.infer(7))
        return ends, len(asyncio.all_tasks())

    gone = (Closed, "Exit has ended its worker")
    assert run(main) == ([gone, gone, 2, 3, gone, gone, gone], 1)


@pytest.mark.parametrize("exit", [KeyboardInterrupt, SystemExit])
def test_an_exit_of_the_model_leaves_the_program(exit: type[BaseException]) -> None:
    """Under `asyncio.run` it ends the program as it does without a batcher."""
    ends: list[Any] = []

    async def model(batch: list[int]) -> list[int]:
        raise exit

    async def main() -> None:
        async with Batcher(model, max_batch_size=2) as batcher:
            calls = [asyncio.create_task(batcher.infer(x)) for x in range(4)]
            try:
                await asyncio.gather(*calls)
            finally:
                ends.extend(call.done() for call in calls)

    with pytest.raises(exit):
        asyncio.run(main())
    assert len(ends) == 4


def test_a_worker_cancelled_by_others_answers_with_a_reason() -> None:
    """Whoever cancels all tasks of the loop leaves nobody waiting for ever."""

    async def main() -> list[Any]:
        async with Batcher(Model(), max_batch_size=2) as batcher:
            calls = [asyncio.create_task(batcher.infer(x)) for x in range(3)]
            await turns()
            for task in asyncio.all_tasks() - {*calls, asyncio.current_task()}:
                task.cancel()
            return await outcomes(*calls)

    assert run(main) == [(Closed, "CancelledError has ended its worker")] * 3


def test_limits_are_checked() -> None:
    """Each limit that is too low is refused, with all of them in the text."""
    for name in ("max_batch_size", "max_queue", "workers"):
        with pytest.raises(ValueError, match=f"{name}.* must be at least 1"):
            Batcher(Model(), **{name: 0})  # type: ignore[arg-type]
    for name in ("max_wait", "max_extra_calls"):
        with pytest.raises(ValueError, match=f"{name}.* at least 0"):
            Batcher(Model(), **{name: -1})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="nan and 32"):
        Batcher(Model(), max_wait=math.nan)


# --- All of it together --------------------------------------------------------------------


async def storm(count: int, seed: int = 1) -> Counter[str]:
    """Send so many requests of all kinds, and close the batcher in the middle; count what came."""
    draw = random.Random(seed)
    ends: Counter[str] = Counter()
    answered: set[int] = set()
    left_early: set[int] = set()
    loop = asyncio.get_running_loop()
    bad = {x for x in range(count) if draw.random() < 0.01}

    async def model(batch: list[int]) -> list[int]:
        assert not left_early & {*batch}, "it runs what nobody waits for"
        await asyncio.sleep(0.002 + 0.00001 * len(batch))
        if wrong := bad & {*batch}:
            raise BadInput(min(wrong))
        assert not answered & {*batch}, "it answers one twice"
        answered.update(batch)
        return [-x for x in batch]

    batcher = Batcher(model, max_batch_size=32, max_wait=0.003, max_queue=100, workers=2)

    async def call(x: int, kind: float, patience: float) -> None:
        try:
            if kind < 0.1:
                async with asyncio.timeout(patience):
                    answer = await batcher.infer(x)
            else:
                deadline = loop.time() + patience if kind < 0.2 else None
                answer = await batcher.infer(x, deadline=deadline)
        except BadInput as error:
            assert x in bad and str(error) == str(x)
            ends["BadInput"] += 1
        except (TimeoutError, asyncio.CancelledError, RuntimeError) as error:
            assert isinstance(error, TimeoutError | asyncio.CancelledError) or str(error)
            left_early.add(x)
            ends[type(error).__name__] += 1
        else:
            assert answer == -x and x not in bad
            ends["ok"] += 1

    async with asyncio.TaskGroup() as group, asyncio.TaskGroup() as server:
        closing = asyncio.Event()

        async def serve() -> None:
            async with batcher:
                await closing.wait()

        server.create_task(serve())
        await asyncio.sleep(0)
        for x in range(count):
            if x % 200 == 0:  # a pause, then a rush
                await asyncio.sleep(draw.random() * 0.04)
            elif x % 4 == 0:
                await asyncio.sleep(draw.expovariate(1 / 0.0003))
            if x == count * 3 // 4:
                closing.set()
            caller = group.create_task(call(x, draw.random(), draw.random() * 0.01))
            if draw.random() < 0.1:
                loop.call_later(draw.random() * 0.01, caller.cancel)
    assert len(asyncio.all_tasks()) == 1
    return ends


def live() -> tuple[int, int]:
    """How many objects there are that the collector knows, and how many futures and tasks."""
    gc.collect()
    objects = gc.get_objects()
    return len(objects), sum(isinstance(thing, asyncio.Future) for thing in objects)


def tell_of_a_storm() -> None:
    """Print how many requests ended how, and how many objects and futures it left."""
    run(partial(storm, 2_000))
    before = live()
    ends = run(partial(storm, 100_000))
    after = live()
    sys.stdout.write(json.dumps([ends, after[0] - before[0], after[1] - before[1]]))


def test_100_000_requests_in_any_trouble() -> None:
    """Cancelled, timed out, bad, too many, and a closing in the middle: one end for each.

    The ends that are no answer have a reason; no input is run whose caller has left, or answered
    twice; no task, no future, and fewer than 100 objects are left. In a Python of its own: here
    the threads of other tests may still make and drop objects.
    """
    command = "import test_batcher; test_batcher.tell_of_a_storm()"
    told = subprocess.run(
        [sys.executable, "-c", command], cwd=Path(__file__).parent, capture_output=True, check=True
    )
    counts, objects, futures = json.loads(told.stdout)
    ends = Counter(counts)
    assert ends.total() == 100_000
    assert set(ends) == {
        "ok", "BadInput", "Overloaded", "Closed", "DeadlinePassed", "TimeoutError",
        "CancelledError",
    }  # fmt: skip
    assert min(ends.values()) > 100, ends
    assert ends["ok"] > 25_000
    assert futures == 0
    assert objects < 100
