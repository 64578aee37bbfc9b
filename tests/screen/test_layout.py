"""The layout: rows in the order of who made whom, bars by state, before anything is drawn."""

import asyncio
import doctest

import pytest

from helpers import busy, load_data, simulate
from helpers.screen import layout as module
from helpers.screen.layout import Layout


def test_examples() -> None:
    """The examples in the docstrings give what they say."""
    result = doctest.testmod(module)
    assert result.attempted and not result.failed


async def leaf(name: str) -> None:
    await asyncio.sleep(1)


async def branch(name: str) -> None:
    async with asyncio.TaskGroup() as group:
        for number in (1, 2):
            group.create_task(leaf(f"{name}{number}"))


async def tree() -> None:
    await asyncio.gather(branch("a"), branch("b"))


def test_children_follow_their_parent() -> None:
    """Though all began after both parents had."""
    rows = Layout(simulate(tree), most=100).rows
    assert [(row.lane.name, row.depth, row.parent) for row in rows] == [
        ("branch('a')", 0, None),
        ("leaf('a1')", 1, 1),
        ("leaf('a2')", 1, 1),
        ("branch('b')", 0, None),
        ("leaf('b1')", 1, 4),
        ("leaf('b2')", 1, 4),
    ]
    assert [row.y for row in rows] == [1, 2, 3, 4, 5, 6]


def test_children_of_a_call_that_the_root_awaits_are_its_own() -> None:
    """Who spawned them is the call, and not the root."""

    async def main() -> None:
        await branch("a")
        await branch("b")

    rows = Layout(simulate(main), most=100).rows
    assert [(row.lane.name, row.parent) for row in rows][:3] == [
        ("branch('a')", None),
        ("leaf('a1')", 1),
        ("leaf('a2')", 1),
    ]


@pytest.mark.parametrize(
    ("lanes", "most", "every", "said"),
    [
        (10, 10, 1, "10 lanes"),
        (11, 10, 2, "11 lanes (every 2nd is drawn)"),
        (1_000, 10, 100, "1,000 lanes (every 100th is drawn)"),
        (1_000, 47, 22, "1,000 lanes (every 22nd is drawn)"),
        (1_000, 80, 13, "1,000 lanes (every 13th is drawn)"),
    ],
)
def test_a_sample_is_even_and_says_so(lanes: int, most: int, every: int, said: str) -> None:
    """No more rows than asked for, from the first lane on, and as many between any two."""

    async def main() -> None:
        await asyncio.gather(*(leaf(str(number)) for number in range(lanes)))

    layout = Layout(simulate(main), most=most)
    assert layout.lanes() == said
    assert [row.lane.number for row in layout.rows] == list(range(0, lanes, every))


def test_bars_are_of_four_patterns() -> None:
    """Running, ready, waiting for the world, waiting for a turn."""

    async def hold(lock: asyncio.Lock) -> None:
        async with lock:
            await asyncio.sleep(1)
            busy(2)

    async def main() -> None:
        lock = asyncio.Lock()
        await asyncio.gather(hold(lock), hold(lock), leaf("a"))

    layout = Layout(simulate(main), most=10)
    seen = [
        [(bar.pattern, bar.start, bar.end) for bar in layout.bars(row.lane)] for row in layout.rows
    ]
    assert seen == [
        [("world", 0, 1), ("running", 1, 3)],
        [("turn", 0, 3), ("world", 3, 4), ("running", 4, 6)],
        [("world", 0, 1), ("ready", 1, 3)],
    ]
    assert layout.waits() == {"world": "sleep", "running": "", "turn": "Lock", "ready": ""}
    assert layout.idle() == "idle 33 %"


def test_the_time_of_a_loop_that_hardly_works_is_not_all_idle() -> None:
    """A thousandth is less than one in a hundred, and still something."""

    async def main() -> None:
        await load_data("a.csv")
        busy(0.001)

    assert Layout(simulate(main), most=10).idle() == "idle 99 %"


@pytest.mark.parametrize("state", ["waiting", "ready"])
def test_what_is_left_says_in_which_state(state: str) -> None:
    """Never running, where it waits."""

    async def turns() -> None:
        for _ in range(9):
            await asyncio.sleep(1 if state == "waiting" else 0)

    async def main() -> None:
        task = asyncio.create_task(turns())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        main.kept = task

    layout = Layout(simulate(main), most=10)
    assert [layout.ending(row.lane) for row in layout.rows] == ["", f"… still {state}"]
