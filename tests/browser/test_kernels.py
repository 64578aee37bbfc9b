"""Widgets while a cell awaits: here kernels, and JupyterLab's way to reach them, differ most.

A kernel with subshells (ipykernel 7) answers at once, on another thread, unless JupyterLab's
`commsOverSubshells` is disabled; any other answers after the cell, on the main thread. Either way
nothing may be lost, and at the end the screen shows what `simulate` says.
"""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
from conftest import COMMS, Server
from driver import (
    COUNTED,
    DIGEST,
    DRAWN,
    SIMULATED,
    STOPPED,
    Explorer,
    Notebook,
    notebook,
    wait,
)
from playwright.sync_api import expect

STORY = """
import asyncio
from pathlib import Path
from helpers import explore, load_data

async def story(files):
    for n in range(files):
        await load_data(f"dataset{n}.csv")
"""
EXPLORER = "explore(story, files=(1, 40))"
AWAITS = """
print("awaiting")
while not Path("go").exists():
    await asyncio.sleep(0.05)
"""
RUN = "() => window.jupyterapp.commands.execute('notebook:run-cell')"
NEXT = "() => window.jupyterapp.commands.execute('notebook:run-cell-and-select-next')"
KERNEL = "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel"


@pytest.fixture
def go(lab: Server) -> Path:
    """A file to make for the cell that awaits to end."""
    go = lab.folder / "go"
    go.unlink(missing_ok=True)
    return go


@pytest.fixture
def explorer(open_notebook: Callable[[str], Notebook], lab: Server) -> Explorer:
    """An explorer above a cell that does not yet await."""
    (lab.folder / "awaits.ipynb").write_text(notebook(STORY, EXPLORER, AWAITS))
    opened = open_notebook("awaits.ipynb")
    opened.settled(NEXT)
    opened.settled(NEXT)
    (explorer,) = opened.explorers()
    explorer.agrees()
    return explorer


@pytest.fixture
def at_once(explorer: Explorer) -> bool:
    """Whether kernel and JupyterLab let widgets work while a cell awaits."""
    way = explorer.page.evaluate(f"{KERNEL}.commsOverSubshells")
    assert way == COMMS, "JupyterLab did not take the setting."
    able = int(version("ipykernel").split(".")[0]) >= 7
    assert explorer.page.evaluate(f"{KERNEL}.supportsSubshells") == able
    return able and way != "disabled"


def let_await(explorer: Explorer) -> None:
    """Run the cell that awaits."""
    explorer.page.evaluate(f"() => {{ ({RUN})(); }}")
    explorer.page.get_by_text("awaiting", exact=True).wait_for()


def test_no_move_is_lost_while_a_cell_awaits(explorer: Explorer, at_once: bool, go: Path) -> None:
    """The last value of a burst of moves is shown: at once where that can be, else afterwards."""
    run = SIMULATED.format({"files": 40})
    line, picture = explorer.evaluate(f"(repr({run}), {DIGEST.format(f'{DRAWN}({run})')})")
    let_await(explorer)
    explorer.press("files", "ArrowRight", 3)
    explorer.press("files", "End")
    if not at_once:
        go.touch()
    explorer.wait_for_line(line)
    explorer.wait_for_digest(picture)
    go.touch()
    wait(explorer.page, COUNTED)
    explorer.press("files", "Home")
    explorer.agrees()


def test_run_for_real_and_stop_work_while_a_cell_awaits(
    explorer: Explorer, at_once: bool, go: Path
) -> None:
    """On the loop of the cell, beside it, where that can be; else when the cell has ended."""
    let_await(explorer)
    explorer.play.click()
    if not at_once:
        go.touch()
    explorer.stop.click()  # it would take half a minute
    explorer.wait_for_line(STOPPED)
    expect(explorer.stop).to_be_disabled()
    go.touch()
    wait(explorer.page, COUNTED)
    explorer.press("files", "End")
    explorer.agrees()
