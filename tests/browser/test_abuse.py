"""What a class does to a widget: it may not freeze, lie, or die."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from driver import PATIENCE, STOPPED, STORY, TIME, Explorer, Notebook, notebook
from playwright.sync_api import expect

Open = Callable[[str], Notebook]
REAL = re.compile(f"^{TIME}")

EXPLORE = "explore(story, files=(1, 40), limit=(1, 10))"


@pytest.fixture
def make(open_notebook: Open, lab: Any) -> Callable[..., Notebook]:
    """Open a notebook of these cells, and run them."""

    def make(*cells: str) -> Notebook:
        name = f"abuse-{abs(hash(cells))}.ipynb"  # has a kernel of its own
        Path(lab.folder, name).write_text(notebook(*cells))
        opened = open_notebook(name)
        opened.run_all()
        return opened

    return make


# Presses arrow keys on a slider, one every few milliseconds; notes each picture that then comes,
# by its title, which says whose it is.
STORM = """async ([slider, img, keys]) => {
    window.pictures = [];
    new MutationObserver(() => window.pictures.push([performance.now(), img.title]))
        .observe(img, {attributes: true, attributeFilter: ['src', 'title']});
    for (const key of keys) {
        slider.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
        await new Promise(done => setTimeout(done, 4));
    }
    window.stormed = performance.now();
}"""


@pytest.mark.alone
def test_a_storm_of_changes_ends_on_the_last_one(make: Callable[..., Notebook], say: Any) -> None:
    """300 changes: the last picture is that of the last value, soon, and no older one comes after.

    Soon is within a second or, on a busy machine, within four times what a single move takes.
    """
    explorer = make(STORY, EXPLORE).explorers()[0]
    page = explorer.page
    # From 3 to 23, where it never was before.
    keys = [*[*["ArrowRight"] * 14, *["ArrowLeft"] * 14] * 10, *["ArrowRight"] * 20]
    slider, img = explorer.handle("explore-files"), explorer.picture
    handles = [slider.element_handle(), img.element_handle(), keys]
    page.evaluate(STORM, handles)
    explorer.agrees()
    page.wait_for_timeout(1_000)  # in which a late one would come
    explorer.agrees()
    assert explorer.value("files") == 23
    pictures, stormed = page.evaluate("() => [window.pictures, window.stormed]")
    settled, last = pictures[-1][0] - stormed, img.get_attribute("title")
    titles = [title for at, title in pictures if at > stormed]
    assert set(titles[titles.index(last) :]) == {last}
    move = one_move(explorer)
    say(f"a storm of 300 changes: last picture {settled:.0f} ms after the last; a move {move:.0f}")
    assert settled < max(1_000, 4 * move)


def one_move(explorer: Explorer) -> float:
    """Milliseconds from a move to its picture, on this machine, now."""
    before = explorer.page.evaluate("performance.now()")
    seen = explorer.seen()
    explorer.press("files", "ArrowLeft")
    explorer.wait_for_another_picture(seen)
    return explorer.page.evaluate("performance.now()") - before


def test_moving_while_it_runs_for_real(make: Callable[..., Notebook]) -> None:
    """The move ends the run in real time, and its own picture stays."""
    explorer = make(STORY, EXPLORE).explorers()[0]
    for _ in range(3):
        explorer.play.click()
        explorer.wait_for_line(REAL)
        explorer.press("files", "ArrowRight", 2)
        explorer.agrees()
        expect(explorer.stop).to_be_disabled()
    explorer.page.wait_for_timeout(500)
    explorer.agrees()
    explorer.notebook.wait_for(f"len({OTHERS}) == 0")


# The tasks on the kernel's loop that are not its own.
OTHERS = (
    "[t for t in __import__('asyncio').all_tasks() if not t.get_coro().cr_code.co_filename"
    ".startswith(__import__('ipykernel').__path__[0])]"
)


def test_two_widgets_at_once(make: Callable[..., Notebook]) -> None:
    """Each shows its own values, also while the other runs for real."""
    one, other = make(STORY, EXPLORE, EXPLORE).explorers()
    for each in one, other:
        each.set("files", 40)
        each.agrees()
    one.play.click()
    other.press("files", "ArrowLeft", 3)
    other.agrees()
    one.wait_for_line(REAL)
    other.play.click()
    other.wait_for_line(REAL)
    for each in one, other:
        each.wait_for("it.run.real")
        assert not each.evaluate("it.run.finished")
    one.press("limit", "ArrowRight")
    one.agrees()
    other.wait_for_line(REAL)
    other.press("limit", "ArrowLeft")
    other.agrees()
    one.agrees()


def the_newest_works(opened: Notebook) -> None:
    """One explorer is on the page, however many the kernel has made, and it is the last."""
    box = opened.page.locator(".widget-vbox:has(> .explore-picture)")
    expect(box).to_have_count(1)
    explorer = Explorer(opened, box, opened.shown("Explorer")[-1])
    explorer.press("files", "ArrowRight")
    explorer.agrees()
    explorer.shows_its_run()  # and not that of an older one


def test_the_same_cell_run_thrice(make: Callable[..., Notebook]) -> None:
    """There is one widget, the newest, and it works."""
    opened = make(STORY, EXPLORE)
    for _ in range(2):
        opened.run_cell(1)
    assert len(opened.shown("Explorer")) == 3
    the_newest_works(opened)
    assert opened.faults() == []


def test_cells_out_of_order_are_told_so(make: Callable[..., Notebook]) -> None:
    """A function whose helpers are not defined yet says which, and what to do."""
    body = "async def late(n): await not_yet(n)\n"
    opened = make("from helpers import explore", body + "explore(late, n=(1, 3))")
    explorer = opened.explorers()[0]
    explorer.wait_for_line(re.compile(r"NameError: name 'not_yet' is not defined · has the cell"))
    assert opened.faults() == []


# What a kernel says of itself that is ended while it sends, or while requests come.
LAST_WORDS = ("zmq gc socket requested during shutdown", "Kernel.dispatch_control")


def test_restart_and_run_all_in_the_middle_of_a_run(
    make: Callable[..., Notebook], witness: Any
) -> None:
    """The kernel is another one; the widgets are new, and work."""
    opened = make(STORY, EXPLORE)
    explorer = opened.explorers()[0]
    explorer.set("files", 40)
    explorer.agrees()
    explorer.play.click()
    explorer.wait_for_line(REAL)
    opened.restart_and_run_all()
    witness.problems = [
        said for said in witness.problems if not any(words in said for words in LAST_WORDS)
    ]
    assert opened.faults() == []
    explorer = opened.explorers()[0]
    explorer.press("files", "ArrowRight")
    explorer.agrees()


def test_a_page_that_is_loaded_again(make: Callable[..., Notebook]) -> None:
    """The kernel is the same, and so are its widgets; when their cell is run again, new ones."""
    opened = make(STORY, EXPLORE)
    opened.settled("() => window.jupyterapp.commands.execute('docmanager:save')")
    opened.page.reload()
    opened.listen()
    the_newest_works(opened)
    opened.run_all()
    assert opened.faults() == []
    assert len(opened.shown("Explorer")) == 2
    the_newest_works(opened)


TIMED = """
import time
from pathlib import Path

async def timed(files=40, holds={holds}):
    Path("began").touch()
    try:
        if holds:
            for _ in range(files):
                time.sleep(4)
        await story(files)
    finally:
        Path("ended").write_text(str(time.time()))

explore(timed, files=(1, 40))
"""


@pytest.mark.alone
@pytest.mark.parametrize("holds", [False, True], ids=["waiting", "holding the loop"])
def test_interrupting_the_kernel_stops_a_run_for_real(
    make: Callable[..., Notebook], lab: Any, holds: bool, say: Any
) -> None:
    """■ by itself would only stop a cell; here none runs. It takes half a second at most."""
    explorer = make(STORY, TIMED.format(holds=holds)).explorers()[0]
    explorer.agrees()
    began, ended = Path(lab.folder, "began"), Path(lab.folder, "ended")
    began.unlink()
    explorer.play.click()
    if not holds:
        explorer.wait_for_line(REAL)
    appears(began)
    ended.unlink()
    pressed = explorer.notebook.interrupt()
    explorer.wait_for_line(STOPPED)
    took = float(ended.read_text()) - pressed
    say(f"■ stops a run for real ({'holding' if holds else 'waiting'}) within {took:.2f} s")
    assert took < 0.5
    explorer.press("files", "ArrowLeft")
    explorer.agrees()
    assert explorer.notebook.evaluate("2 + 2") == 4


def appears(path: Path) -> None:
    """Wait for a file."""
    give_up = time.monotonic() + PATIENCE / 1000
    while not path.exists():
        assert time.monotonic() < give_up, f"{path.name} never came."
        time.sleep(0.05)


ENDLESS = """
import sys
from pathlib import Path
async def endless(n=2):
    try:
        for _ in range(10_000_000):
            await asyncio.sleep(1 if n == 1 else 0.001)
            if n == 2:
                return
    finally:
        Path('ended').touch()
sys.modules['helpers.screen.experiment']._LONGEST = 3
"""


def test_a_closed_tab_leaves_no_run_for_ever(make: Callable[..., Notebook], lab: Any) -> None:
    """What still runs when nobody looks any more ends by itself, as it does after 10 minutes."""
    explorer = make(STORY, EXPLORE, ENDLESS, "explore(endless, n=(1, 3))").explorers()[1]
    explorer.press("n", "ArrowLeft")
    explorer.wait_for_line(re.compile("Runaway"))
    ended = Path(lab.folder, "ended")
    ended.unlink()
    explorer.play.click()
    explorer.wait_for_line(REAL)
    assert explorer.notebook.faults() == []
    explorer.page.goto("about:blank")
    appears(ended)


CALLBACKS = """
import sys
import threading
import ipywidgets

button = ipywidgets.Button(description="press")
button.on_click(lambda button: 1 / 0)
button.on_click(lambda button: print("on stderr", file=sys.stderr))
say = lambda: print("in a thread", file=sys.stderr)
button.on_click(lambda button: threading.Thread(target=say).start())
button
"""


def test_what_goes_wrong_in_a_callback_is_heard(
    make: Callable[..., Notebook], witness: Any
) -> None:
    """No cell shows it: so that all other tests fail by it, the page's console does."""
    opened = make(CALLBACKS)
    assert opened.evaluate("2 + 2") == 4  # what a thread writes then is no longer the cell's
    page = opened.page
    page.get_by_role("button", name="press").click()
    give_up = time.monotonic() + PATIENCE / 1000
    while len(heard := lines(witness.problems)) < 3:
        assert time.monotonic() < give_up, heard
        page.wait_for_timeout(50)
    witness.problems.clear()
    assert heard == ["division by zero", "in a thread", "on stderr"]


def lines(problems: list[str]) -> list[str]:
    """What was said outside of cells; a kernel may send several lines as one."""
    said = "".join(problem.removeprefix("outside of cells: ") + "\n" for problem in problems)
    return sorted(filter(None, said.splitlines()))


ODD = """
import asyncio
from helpers import explore

async def raises(n=2): raise ValueError(f"no {n}")
async def never_ends(n=2):
    while True: await asyncio.sleep(1)
async def deadlocks(n=2): await asyncio.Event().wait()
async def nonsense(n=2): return object()
async def chatty(n=2):
    for i in range(50_000 * n): print("line", i)
def plain(n=2): return 3
"""


def test_whatever_a_learner_writes(make: Callable[..., Notebook]) -> None:
    """It is told in the line, the controls go on working, and so does the kernel."""
    kinds = ["raises", "never_ends", "deadlocks", "nonsense", "chatty"]
    cells = [f"explore({kind}, n=(1, 3))" for kind in kinds]
    plain = "try:\n    explore(plain, n=(1, 3))\nexcept TypeError as error:\n    print(error)"
    opened = make(ODD, *cells, plain)
    said = {
        "raises": "failed after 0.00 s with ValueError: no 3",
        "never_ends": "with Runaway: ",
        "deadlocks": "with Deadlock: nothing can ever go on",
        "nonsense": r"^0\.00 s$",
        "chatty": r"^0\.00 s$",
    }
    for kind, explorer in zip(kinds, opened.explorers(), strict=True):
        explorer.press("n", "ArrowRight")
        explorer.notebook.wait_for(f"{explorer.name}.experiment.values == {{'n': 3}}")
        explorer.wait_for_line(re.compile(said[kind]))
    expect(opened.explorers()[-1].box).to_contain_text("more lines")
    text = "plain() returned 3, not a coroutine, so nothing in it can wait"
    expect(opened.page.locator(".jp-OutputArea-output").last).to_contain_text(text)
    assert opened.evaluate("2 + 2") == 4
