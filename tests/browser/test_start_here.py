"""The first notebook in a real browser: what a newcomer does, and what it then shows."""

import re
import statistics
from collections.abc import Callable
from pathlib import Path

from driver import PATIENCE, Explorer, Notebook, notebook
from playwright.sync_api import expect

START = "00_start_here.ipynb"
SLOW, FAST = "one after the other", "each on its own way"
MOVES = 12


def expected(notebook: Notebook, files: int, strategy: str) -> str:
    """What `simulate` says of the notebook's own program."""
    return notebook.evaluate(f"repr(simulate(story, files={files}, strategy={strategy!r}))")


def shows(notebook: Notebook, explorer: Explorer, strategy: str) -> None:
    """Wait until the line of text is what `simulate` says for the value of the slider."""
    explorer.wait_for_line(expected(notebook, explorer.value("files"), strategy))


def test_a_newcomer_runs_it_moves_sliders_pins_and_runs_for_real(
    open_notebook: Callable[[str], Notebook],
) -> None:
    """The main job: from opening the notebook to stopping a run in real time."""
    notebook = open_notebook(START)

    notebook.run_all()
    assert notebook.faults() == []
    counts = notebook.counts()
    assert counts == list(range(1, len(counts) + 1))

    explorer = notebook.explorers()[0]
    shows(notebook, explorer, SLOW)
    first = explorer.seen()
    before = explorer.value("files")

    explorer.drag("files", 0.6)
    dragged = explorer.wait_for_another_picture(first)
    shows(notebook, explorer, SLOW)
    assert explorer.value("files") > before + 10
    assert dragged[1] > first[1]  # more lanes, a higher picture

    at = explorer.value("files")
    picture = explorer.seen()
    explorer.press("files", "ArrowRight", 2)
    explorer.wait_for_another_picture(picture)
    assert explorer.value("files") == at + 2
    shows(notebook, explorer, SLOW)

    explorer.set("files", 3)
    shows(notebook, explorer, SLOW)
    alone = explorer.seen()
    explorer.pin.click()
    pinned = explorer.wait_for_another_picture(alone)
    expect(explorer.pin).to_have_text("Unpin A")
    assert pinned[1] > 1.5 * alone[1]  # two runs below each other
    explorer.choose("strategy", FAST)
    shows(notebook, explorer, FAST)
    both = explorer.wait_for_another_picture(pinned)
    explorer.pin.click()
    expect(explorer.pin).to_have_text("Pin as A")
    again = explorer.wait_for_another_picture(both)
    assert again[1] < pinned[1]

    explorer.play.click()
    explorer.wait_for_line(re.compile(r"^\d+\.\d\d s \(real\) · 3 lanes · at most 3 in flight"))
    expect(explorer.stop).to_be_disabled(timeout=PATIENCE)

    explorer.choose("strategy", SLOW)
    explorer.set("files", 40)
    shows(notebook, explorer, SLOW)
    explorer.play.click()  # it would take a minute
    explorer.stop.click()
    explorer.wait_for_line(re.compile(r"^cancelled after \d+\.\d\d s \(real\)"))
    expect(explorer.stop).to_be_disabled(timeout=PATIENCE)

    explorer.press("files", "ArrowLeft")
    shows(notebook, explorer, SLOW)
    assert notebook.evaluate("2 + 2") == 4  # the kernel is free for the next cell


STORY = """
import asyncio
import matplotlib.pyplot as plt
from ipywidgets import interact
from helpers import explore, infer, load_data, simulate

async def one(file):
    return await infer("model", await load_data(file))

async def story(files):
    return await asyncio.gather(*(one(f"dataset{n}.csv") for n in range(1, files + 1)))
"""
OURS = "explore(story, files=(1, 40))"
THEIRS = """
%matplotlib inline

def draw(files):
    lanes = simulate(story, files).lanes
    colours = {"one": "C2", "load_data": "C0", "infer": "C1"}
    figure, ax = plt.subplots(figsize=(9.6, 1.8 + min(0.32 * files, 6.4)))
    for row, lane in enumerate(lanes):
        for s in lane.segments:
            if s.end > s.start:
                ax.barh(row, s.end - s.start, left=s.start, color=colours[s.call], hatch="///")
    ax.set_yticks(range(files), [lane.name for lane in lanes])
    ax.set_xlabel("seconds")
    plt.show()

_ = interact(draw, files=(1, 40))
"""
# Moves a slider by one and tells how many milliseconds later another picture is on the screen.
MOVE = """([slider, picture]) => new Promise((done, lost) => {
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
        new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true}));
    look();
})"""


def test_a_picture_follows_the_slider_sooner_than_with_interact(
    open_notebook: Callable[[str], Notebook], lab, say: Callable[[str], None]
) -> None:
    """The same moves of the same program, ours and `interact` with pyplot, turn by turn."""
    Path(lab.folder, "speed.ipynb").write_text(notebook(STORY, OURS, THEIRS))
    opened = open_notebook("speed.ipynb")
    opened.run_all()
    (explorer,) = opened.explorers()
    page = opened.page
    cell = ".widget-interact "
    ours = (".explore-files", ".explore-picture")
    theirs = (cell + ".widget-slider", cell + ".jp-OutputArea-output img")
    page.locator(theirs[1]).wait_for()
    times: dict[tuple[str, str], list[float]] = {ours: [], theirs: []}
    for _ in range(MOVES):
        for way, measured in times.items():
            measured.append(page.evaluate(MOVE, list(way)))
            page.wait_for_timeout(200)
    assert explorer.value("files") == 20 + MOVES
    median = {way: statistics.median(measured) for way, measured in times.items()}
    say(
        f"from slider move to new picture, median of {MOVES} moves, 20 to {20 + MOVES} lanes: "
        f"explore {median[ours]:.0f} ms, interact with pyplot {median[theirs]:.0f} ms; "
        f"ratio {median[ours] / median[theirs]:.2f}"
    )
