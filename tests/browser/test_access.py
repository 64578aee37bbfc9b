"""The widgets for those who use the keyboard, or do not see, or not colours."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from driver import STOPPED, Notebook, notebook
from playwright.sync_api import expect

SHOWN = """
import asyncio
from helpers import explore, load_data, replay, simulate
from helpers.screen.game import be_the_loop

async def story(files=3, way="all", fail=False):
    if fail:
        raise ValueError("as asked")
    jobs = (load_data(f"dataset{n}.csv") for n in range(1, files + 1))
    return await asyncio.gather(*jobs) if way == "all" else [await job for job in jobs]

run = simulate(story)
"""
CELLS = [
    "explore(story, files=(1, 9), way=['all', 'one'], fail=False)",
    "replay(run)",
    "be_the_loop(run)",
]


# What ipywidgets 8.1.9 does in its own widgets and offers no way to change: a slider's handle has
# no name, its label stands beside it; the buttons of Play have icons only, Back and Forward do the
# same.
UPSTREAM = {"aria-input-field-name": ".noUi-handle", "button-name": ".widget-play button"}


@pytest.fixture
def shown(open_notebook: Callable[[str], Notebook], lab: Any) -> Notebook:
    """A notebook with each kind of widget."""
    Path(lab.folder, "access.ipynb").write_text(notebook(SHOWN, *CELLS))
    opened = open_notebook("access.ipynb")
    opened.run_all()
    return opened


def test_axe_finds_nothing(shown: Notebook) -> None:
    """Names, contrast (4.5:1 for text), alternatives of pictures: as axe-core checks them.

    With an error shown, by night and by day.
    """
    explorer = shown.explorers()[0]
    explorer.box.locator(".explore-fail input").click()
    explorer.wait_for_line("failed after 0.00 s with ValueError: as asked")
    for theme in "Dark", "Light":
        change = "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"
        shown.settled(change, f"JupyterLab {theme}")
        dark = shown.page.locator("body[data-jp-theme-light=false]")
        expect(dark).to_have_count(int(theme == "Dark"))
        assert violations(shown) == [], theme


def violations(shown: Notebook) -> list[tuple[Any, ...]]:
    """What axe-core finds in the outputs of cells, save what is known."""
    results = Axe().run(shown.page, context={"include": [[".jp-OutputArea-output"]]})
    assert "color-contrast" in {rule["id"] for rule in results.response["passes"]}  # it looked
    return [
        (rule["id"], node["target"], node["html"][:160], node["failureSummary"])
        for rule in results.response["violations"]
        for node in rule["nodes"]
        if not shown.page.locator(
            f"{node['target'][0]}:is({UPSTREAM.get(rule['id'], 'none')})"
        ).count()
    ]


def test_buttons_are_pressed_by_keyboard(shown: Notebook) -> None:
    """By the space bar or Enter, as buttons are."""
    explorer, replay = shown.explorers()[0], shown.replays()[0]
    explorer.pin.press("Enter")
    expect(explorer.pin).to_have_text("Unpin A")
    explorer.pin.press("Space")
    expect(explorer.pin).to_have_text("Pin as A")
    explorer.set("files", 9)
    explorer.choose("way", "one")  # so that the run does not end before it is stopped
    explorer.agrees()
    explorer.play.press("Enter")
    explorer.wait_for_line(re.compile(r"\(real\) so far"))
    explorer.stop.press("Space")
    explorer.wait_for_line(STOPPED)
    replay.forward.press("Enter")
    replay.shows(2)
    replay.back.press("Space")
    replay.shows(1)


def test_arrow_keys_are_those_of_a_slider(shown: Notebook) -> None:
    """JupyterLab lets it have them first; to Notebook 7 an attribute says so. Others are not."""
    explorer = shown.explorers()[0]
    handle, mark = explorer.handle("explore-files"), "data-lm-suppress-shortcuts"
    explorer.press("files", "ArrowUp")
    assert explorer.value("files") == 4
    expect(handle).to_have_attribute(mark, "")
    explorer.press("files", "Shift")
    expect(handle).not_to_have_attribute(mark, "")
    explorer.agrees()


def test_the_tab_key_reaches_every_control(shown: Notebook) -> None:
    """From the first control on, in the order of the page, with nothing left out."""
    page = shown.page
    controls = page.locator(
        ":is(.widget-vbox) :is(button:enabled, select, input, .noUi-handle, .widget-readout)"
    )
    wanted = controls.evaluate_all(
        """all => all.filter(control => control.offsetParent).map(
            (control, number) => control.dataset.number = `${number}`)"""
    )
    assert len(wanted) > 15
    reached = []
    controls.first.focus()
    for _ in range(2 * len(wanted)):
        reached.append(page.evaluate("document.activeElement.dataset.number ?? null"))
        page.keyboard.press("Tab")
    assert [number for number in dict.fromkeys(reached) if number is not None] == wanted


def test_a_picture_is_described(shown: Notebook) -> None:
    """Each picture of a widget says in words what it shows."""
    words = shown.evaluate("__import__('helpers.screen.plot', fromlist=['']).in_words(run)")
    assert "load_data" in words
    titles = shown.page.locator(".widget-image").evaluate_all("all => all.map(img => img.title)")
    assert titles == [words] * 3
