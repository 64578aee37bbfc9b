"""How soon a picture follows a slider, beside `interact` with pyplot drawing the same.

It is measured, not tested: `make bench` runs it, in JupyterLab and Chromium. For each explorer the
cells of its notebook are run as they are, and then `interact` on the same function and controls.
That it works is tested, with a single move: `test_speed.py`.
"""

import json
import statistics
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Server
from driver import Notebook, notebook

MOVES = 10
THEIRS = """
import itertools
import ipywidgets
import matplotlib.pyplot as plt
%matplotlib inline
HATCH = {"running": "", "ready": "xxxx", "waiting": "///"}

def draw(**values):
    lanes = simulate(FUNCTION, **values).lanes
    colours = dict(zip(dict.fromkeys(s.call for x in lanes for s in x.segments),
                       itertools.cycle(f"C{n}" for n in range(10))))
    figure, ax = plt.subplots(figsize=(9.6, 1.8 + min(0.32 * len(lanes), 6.4)))
    for row, lane in enumerate(lanes):
        for s in lane.segments:
            if s.end > s.start:
                ax.barh(row, s.end - s.start, left=s.start, color=colours[s.call],
                        hatch=HATCH[s.state])
        if lane.ending != "done":
            ax.text(lane.end, row, lane.ending)
    ax.set_yticks(range(len(lanes)), [lane.name for lane in lanes])
    ax.set_xlabel("seconds")
    plt.show()

_ = ipywidgets.interact(draw, CONTROLS)
"""
# Moves a slider by one and tells how many milliseconds later another picture is on the screen.
MOVE = """([slider, picture, key]) => new Promise((done, lost) => {
    const shown = () => {
        const img = document.querySelector(picture);
        return img && img.complete && img.naturalWidth > 0 ? img.src : null;
    };
    const before = shown();
    const start = performance.now();
    const look = () => {
        const now = shown();
        if (now !== null && now !== before) done(performance.now() - start);
        else if (performance.now() - start > 60_000) lost('No other picture came.');
        else requestAnimationFrame(look);
    };
    document.querySelector(slider + ' .noUi-handle').dispatchEvent(
        new KeyboardEvent('keydown', {key, bubbles: true}));
    look();
})"""


def cells(name: str) -> tuple[list[str], str, str]:
    """The code up to the explorer on the fast-forward clock, its function, and its controls."""
    path = Path(__file__).parents[2] / "notebooks" / name
    found: list[str] = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code" and "raises-exception" not in str(cell["metadata"]):
            found.append(source)
            if (start := source.find("explore(")) >= 0 and "real=True" not in source:
                function, controls = source[start + 8 : source.rindex(")")].split(", ", 1)
                return found, function, controls
    raise LookupError(f"no explorer in {name}")


def measured(
    open_notebook: Callable[[str], Notebook], lab: Server, name: str, lanes: int, moves: int
) -> tuple[float, float]:
    """The median of the milliseconds that a move takes: ours, and `interact` with pyplot."""
    code, function, controls = cells(f"{name}.ipynb")
    theirs = THEIRS.replace("FUNCTION", function).replace("CONTROLS", controls)
    Path(lab.folder, "speed.ipynb").write_text(notebook(*code, theirs))
    opened = open_notebook("speed.ipynb")
    opened.run_all()
    (explorer,) = opened.explorers()
    page = opened.page
    cell = ".widget-interact "
    ways = [
        (".explore-files", ".explore-picture"),
        (cell + ".widget-slider", cell + ".jp-OutputArea-output img"),
    ]
    explorer.set("files", lanes)
    explorer.agrees()
    readout = page.locator(cell + ".widget-readout").first
    readout.click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type(str(lanes))
    page.keyboard.press("Enter")
    page.wait_for_timeout(3_000)
    times: list[list[float]] = [[], []]
    for move in range(moves):
        key = "ArrowRight" if move % 2 else "ArrowLeft"
        for way, took in zip(ways, times, strict=True):
            took.append(page.evaluate(MOVE, [*way, key]))
            page.wait_for_timeout(200)
    assert explorer.value("files") == lanes - moves % 2
    ours, others = map(statistics.median, times)
    return ours, others


@pytest.mark.parametrize(
    ("name", "lanes"),
    [("00_start_here", 40), ("03_gather", 50), ("04_exceptions", 50), ("05_semaphores", 50)],
)
def test_a_picture_follows_the_slider_in_half_the_time_of_interact(
    open_notebook: Callable[[str], Notebook],
    lab: Server,
    say: Callable[[str], None],
    name: str,
    lanes: int,
) -> None:
    """The same moves of the same program, ours and `interact` with pyplot, turn by turn."""
    ours, others = measured(open_notebook, lab, name, lanes, MOVES)
    say(
        f"{name}, {lanes} files, from slider move to new picture, median of {MOVES} moves: "
        f"explore {ours:.0f} ms, interact with pyplot {others:.0f} ms; ratio {ours / others:.2f}"
    )
    assert ours <= others / 2
