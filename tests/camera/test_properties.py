"""What holds for every program: random ones, on both clocks, filmed and not."""

import asyncio
import itertools
import os
import selectors
import time
from collections.abc import Callable, Coroutine, Hashable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from programs import (
    AROUND,
    LEAVES,
    MANY,
    Node,
    Program,
    fast,
    in_order,
    outcome,
    trees,
)

from helpers.camera.clock import record, simulate
from helpers.camera.fastforward import FastForwardLoop
from helpers.camera.run import Run
from helpers.camera.trace import Camera

THOROUGH = int(os.environ.get("THOROUGH", "1"))  # times as many examples


def examples(n: int) -> settings:
    """The same `n` programs each time."""
    return settings(
        max_examples=n * THOROUGH,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )


def check_lanes(run: Run) -> None:
    """What holds for every run, whatever the program."""
    running = []
    for lane in (run.root, *run.lanes):
        assert lane.segments
        assert (lane.start, lane.end) == (lane.segments[0].start, lane.segments[-1].end)
        for segment in lane.segments:
            assert segment.start <= segment.end
            assert bool(segment.what) == (segment.state == "waiting")
            assert segment.line > 0
            if segment.state == "running" and segment.end > segment.start:
                running.append((segment.start, segment.end))
        for before, after in itertools.pairwise(lane.segments):
            assert before.end == after.start
            assert before.order < after.order
        if lane.ending != "pending":
            assert lane.segments[-1].state == "running"
            assert lane.end <= run.seconds
    running.sort()
    for (_, end), (start, _) in itertools.pairwise(running):
        assert end <= start
    assert sum(end - start for start, end in running) == pytest.approx(run.held)
    moments = [(lane.start, lane.end) for lane in run.lanes if lane.end > lane.start]
    for moment, _ in moments:
        assert sum(start <= moment < end for start, end in moments) <= run.max_in_flight
    assert len(run.starts) == run.lane_count == len(run.finishes) + len(run.pending)


def ends(call: Callable[[], Any]) -> str:
    """How a program ended that is run by `call`."""
    try:
        return outcome(call())
    except BaseException as error:
        return outcome(error=error)


# --- Filming changes nothing ---------------------------------------------------------------


def compare(tree: Node, around: Callable[[Coroutine[Any, Any, Any]], Any]) -> tuple[Any, ...]:
    """The logs of a program, not filmed and filmed, when all else has been found to be right."""
    plain, filmed = Program(tree), Program(tree)
    expected = ends(lambda: fast(lambda: around(plain.main())))
    camera = Camera()
    try:
        run = fast(lambda: around(camera.film(filmed.main())))
        ended = outcome(run._value, run.error)
    except asyncio.CancelledError as error:  # of the task itself: it leaves by the caller
        run, ended = camera.run(), outcome(error=error)
    assert ended == expected
    check_lanes(run)
    return plain.log, filmed.log, run


@given(trees())
@examples(600)
def test_filming_changes_nothing(tree: Node) -> None:
    """A filmed program has the same result or error, and does the same things in the same order."""
    plain, filmed, _ = compare(tree, in_order)
    assert filmed == plain


@given(trees(without=("group",)))
@examples(300)
def test_filming_changes_nothing_with_common_tasks(tree: Node) -> None:
    """So it is with asyncio's own tasks, until those that are left are cancelled."""

    async def plainly(coroutine: Coroutine[Any, Any, Any]) -> Any:
        return await coroutine

    plain, filmed, _ = compare(tree, plainly)
    over = [what for what, *_ in plain].index("end")
    assert filmed[: over + 1] == plain[: over + 1]


# --- The clock changes nothing -------------------------------------------------------------


LONGEST = 60.0  # seconds of sleep; a program takes a third of that at most


class WaitsForEver(Exception):
    """Nothing can happen any more, as may be where a busy machine has changed the order."""


class Watch(selectors.DefaultSelector):
    """Where a real loop sleeps: notes for how long it was asked to, and did so."""

    def __init__(self) -> None:
        super().__init__()
        self.slept = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None or self.slept > LONGEST:
            raise WaitsForEver
        start = time.monotonic()
        events = super().select(timeout)
        self.slept += min(timeout, time.monotonic() - start)
        return events


def in_real_time(program: Program, film: bool) -> tuple[Run | None, str, float]:
    """The run, if filmed; how the program ended; and how late its loop may have been at most.

    All the time for which nobody has asked, by a timer or by holding the loop, made it late.
    """
    watch = Watch()
    run = None
    start = time.monotonic()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(watch)) as runner:
        try:
            if film:
                run = runner.run(record(in_order(program.main())))
                ended = outcome(run._value, run.error)
            else:
                ended = outcome(runner.run(in_order(program.main())))
        except BaseException as error:
            ended = outcome(error=error)
        late = time.monotonic() - start - watch.slept - program.held
    return run, ended, late


def real_as_simulated(tree: Node, delays: dict[Hashable, int] | None) -> bool:
    """Compare a program on the fast-forward clock with itself in real time, filmed and not.

    Its timers are due at least a unit of time apart. So a real loop that is late by less than a
    unit keeps their order; one that was later than that is no judge, and gets longer units.
    Whether it has judged, it hands back.
    """
    first = Program(tree, 1, delays)
    expected = ends(lambda: fast(lambda: in_order(first.main())))

    simulated = Program(tree, 1, delays)
    run = simulate(lambda: in_order(simulated.main()))
    check_lanes(run)
    assert (outcome(run._value, run.error), simulated.log) == (expected, first.log)

    for film in (False, True):
        for unit in (0.003, 0.03, 0.3):
            real = Program(tree, unit, delays)
            recorded, ended, late = in_real_time(real, film)
            if recorded is not None:
                check_lanes(recorded)
            if late < unit or (ended, real.steps) == (expected, first.steps):
                break
        else:
            return False  # on a machine as busy as this nothing can be said
        assert (ended, real.steps) == (expected, first.steps)
    return True


def test_real_time_is_as_simulated() -> None:
    """`simulate` and a plain loop give the same results, errors and order; so does `record`."""
    judged: list[bool] = []

    @given(trees(longest=4))
    @examples(80)
    def judge(tree: Node) -> None:
        judged.append(real_as_simulated(tree, delays={}))

    judge()
    assert sum(judged) > 0.9 * len(judged)


def test_ties_are_as_simulated() -> None:
    """Of those who wake in the same moment, the one that fell asleep first wakes first."""
    judged: list[bool] = []

    @given(st.lists(st.tuples(st.just("sleep"), st.integers(1, 3), st.just([])), max_size=8))
    @examples(40)
    def judge(naps: list[Node]) -> None:
        judged.append(real_as_simulated(("gather", 0, naps), delays=None))

    judge()
    assert sum(judged) > 0.9 * len(judged)


# --- The random programs are worth the trouble ---------------------------------------------


def test_the_random_programs_do_something() -> None:
    """They do all that they can, succeed and fail in every way, and leave lanes of every ending."""
    seen: set[str] = set()
    endings: set[str] = set()

    @given(trees())
    @examples(300)
    def collect(tree: Node) -> None:
        log, _, run = compare(tree, in_order)
        seen.update(what for what, *_ in log)
        endings.update(lane.ending for lane in run.lanes)

    collect()
    errors = {"ValueError", "CancelledError", "TimeoutError", "ExceptionGroup"}
    assert seen >= {*LEAVES, *MANY, *AROUND, "ok", "closed", "end"} | errors
    assert endings == {"done", "failed", "cancelled", "pending"}


class Dated(FastForwardLoop):
    """Notes when its timers are due."""

    def __init__(self) -> None:
        super().__init__()
        self.due: list[float] = []

    def call_at(self, when: float, *args: Any, **options: Any) -> asyncio.TimerHandle:
        self.due.append(when)
        return super().call_at(when, *args, **options)


@given(trees(longest=4))
@examples(150)
def test_timers_never_tie(tree: Node) -> None:
    """Any two timers of a program that is run in real time are due at least a unit apart."""
    program = Program(tree, 1, delays={})
    loop = Dated()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        ends(lambda: runner.run(in_order(program.main())))
    due = sorted(loop.due)
    assert all(after - before >= 1 for before, after in itertools.pairwise(due))
