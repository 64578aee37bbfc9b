"""The rows of a picture: which are named, which must do with a sign."""

import asyncio
import doctest

from helpers import load_data, simulate
from helpers.screen import bars
from helpers.screen.bars import Rows
from helpers.screen.layout import Layout


def test_examples() -> None:
    """The examples in the docstrings give what they say."""
    result = doctest.testmod(bars)
    assert result.attempted and not result.failed


async def parents(count: int) -> None:
    async def parent() -> None:
        await asyncio.gather(*(load_data(f"dataset{i}.csv") for i in range(3)))

    await asyncio.gather(*(parent() for _ in range(count)))


def rows_of(count: int) -> Rows:
    layout = Layout(simulate(parents, count), most=100)
    return Rows(layout, [layout.name(row) for row in layout.rows], "event loop", "")


def test_where_there_is_room_for_some_names_the_outermost_have_it() -> None:
    """No two names are nearer than that; and every one is shown where there is room for all."""
    rows = rows_of(3)
    assert rows.named(1) == set(range(1, 13))
    assert rows.named(3) == {1, 5, 9, 12}
    assert rows.named(2) == {1, 3, 5, 7, 9, 11}


def test_names_take_as_much_room_as_the_widest() -> None:
    """With its indent."""
    assert rows_of(1).left() == bars.px("load_data('dataset0.csv')", bars.NAME) + bars.INDENT
