"""What `make bench` measures in the browser can be measured: see speed.py."""

from collections.abc import Callable

from conftest import Server
from driver import Notebook
from speed import measured


def test_one_move_is_measured_both_ways(
    open_notebook: Callable[[str], Notebook], lab: Server
) -> None:
    """A single move gives a new picture, with `explore` and with `interact`."""
    ours, others = measured(open_notebook, lab, "03_gather", 10, moves=1)
    assert ours > 0 and others > 0
