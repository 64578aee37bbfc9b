"""The first notebook in a real browser: what a newcomer does, and what it then shows."""

import re
from collections.abc import Callable

from driver import PATIENCE, Explorer, Notebook
from playwright.sync_api import expect

START = "00_start_here.ipynb"
SLOW, FAST = "one after the other", "each on its own way"


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
