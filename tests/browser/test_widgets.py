"""Every widget of every notebook is moved, and shows what `simulate` says."""

import ast
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Server
from driver import STOPPED, TIME, Explorer, Notebook, Replay, notebook, wait
from learner import edition
from minutes import WIDGET
from playwright.sync_api import expect
from test_screen import PLACES, TOP

Open = Callable[[str], Notebook]
THOROUGH = int(os.environ.get("THOROUGH", "1")) > 1  # make test-all
# Whether the parts of an explorer are seen together, its top being at the top.
FITS = f"""box => {{
    ({TOP})(box);
    const {{ seen, controls, line, picture, bars, sideways }} = ({PLACES})(box);
    const {{ bottom }} = box.closest('.jp-WindowedPanel-outer').getBoundingClientRect();
    return bottom <= innerHeight && controls[0] >= -1 && controls[1] <= line[0] + 1
        && line[1] <= picture[0] + 1 && picture[1] <= seen + 1 && !bars.length && sideways <= 0;
}}"""
# What the server of notebook 08 has counted.
HEALTH = (
    "__import__('json').load(__import__('urllib.request').request.urlopen(api.url + '/health'))"
)
# Whether JupyterLab wants to save a notebook, when it knows all of its kernel.
UNSAVED = """async () => {
    const notebook = window.jupyterapp.shell.currentWidget;
    await notebook.sessionContext.session.kernel.info;
    await new Promise(requestAnimationFrame);
    return notebook.model.dirty;
}"""


def up_to_its_last_widget(path: Path) -> dict[str, Any]:
    """The learner's edition of a notebook, without the cells after its last widget.

    Those may close what the widget needs, as in 08; and a notebook without widgets has none left.
    """
    copy = edition(json.loads(path.read_text(encoding="utf-8")))
    code = [cell["cell_type"] == "code" and "".join(cell["source"]) for cell in copy["cells"]]
    ends = [at for at, source in enumerate(code, 1) if source and WIDGET.search(source)]
    return copy | {"cells": copy["cells"][: max(ends, default=0)]}


COPIES = {
    path.name: copy
    for path in sorted(Path("notebooks").resolve().glob("*.ipynb"))
    if (copy := up_to_its_last_widget(path))["cells"]
}


@pytest.fixture
def display() -> tuple[int, int, float]:
    """The lowest screen of a classroom."""
    return 1280, 720, 1


@pytest.mark.parametrize("name", COPIES)
def test_every_control_shows_what_simulate_says(
    open_notebook: Open, lab: Server, name: str
) -> None:
    """At both ends and in the middle, by mouse, keyboard and typed value."""
    Path(lab.folder, name).write_text(json.dumps(COPIES[name]), encoding="utf-8")
    notebook = open_notebook(name)
    assert not notebook.settled(UNSAVED)
    notebook.run_all()
    assert notebook.faults() == []
    counts = notebook.counts()
    assert counts == list(range(1, len(counts) + 1))
    explorers, replays = notebook.explorers(), notebook.replays()
    games = notebook.shown("_Board")
    assert explorers
    assert notebook.widgets() == len(explorers) + len(replays) + len(games)
    for explorer in explorers:
        wait(explorer.page, FITS, explorer.box.element_handle())
        if explorer.evaluate("it.experiment.function.__name__") == "visit":
            visit_a_server(explorer)
            continue
        check = runs_for_real if explorer.evaluate("it.experiment.real") else Explorer.agrees
        check(explorer)
        for control, what in explorer.controls.items():
            move(explorer, control, what, check)
        if explorer.evaluate("it.experiment.draws_itself"):
            expect(explorer.pin).to_be_disabled()
        else:
            pin_and_compare(explorer, check)
        if check is Explorer.agrees:
            run_for_real_and_stop(explorer)
    for replay in replays:
        step_and_scrub_and_play(replay)
    for game in games:
        play(notebook, game)
    assert notebook.evaluate("2 + 2") == 4  # the kernel is free for the next cell
    assert notebook.faults() == []


SLIDERS = """
import asyncio
from helpers import explore

async def story(files=3, seconds=0.5):
    await asyncio.gather(*(asyncio.sleep(seconds * n) for n in range(files)))

explore(story, files=(1, 9), seconds=(0.1, 1.4, 0.1))
"""


def test_each_way_to_move_a_slider(open_notebook: Open, lab: Server) -> None:
    """By mouse, keyboard and typed value, to both ends, beyond them and to the middle."""
    Path(lab.folder, "sliders.ipynb").write_text(notebook(SLIDERS))
    opened = open_notebook("sliders.ipynb")
    opened.run_all()
    (explorer,) = opened.explorers()
    kinds = {what["kind"] for what in explorer.controls.values()}
    assert kinds == {"IntSlider", "FloatSlider"}
    for control, what in explorer.controls.items():
        move(explorer, control, what, Explorer.agrees, each_way=True)


def move(
    explorer: Explorer,
    name: str,
    what: dict[str, Any],
    check: Callable[..., None],
    each_way: bool = THOROUGH,
) -> None:
    """Move a control: a slider in each way, or by mouse, by keyboard and by a typed value."""
    match what["kind"]:
        case "IntSlider" | "FloatSlider":
            low, high = what["min"], what["max"]
            steps = round((high - low) / what["step"] / 2)
            middle = low + what["step"] * steps
            ways = [
                (lambda: explorer.drag(name, 1.1), high),
                (lambda: explorer.press(name, "Home"), low),
                (lambda: explorer.set(name, round(middle, 9)), middle),
                (lambda: explorer.press(name, "End"), high),
                (lambda: explorer.drag(name, -0.1), low),
                (lambda: explorer.press(name, "ArrowRight", steps), middle),
                (lambda: explorer.set(name, high + 1), high),  # there is none beyond
                (lambda: explorer.set(name, low), low),
                (lambda: explorer.drag(name, 0.5), None),
            ]
            for way, value in ways if each_way else ways[:3]:
                way()
                if value is None:
                    assert low < explorer.value(name) < high
                else:
                    assert explorer.value(name) == pytest.approx(value)
                check(explorer)
        case "Dropdown":
            for option in reversed(what["options"]):
                explorer.choose(name, option)
                check(explorer)
            # Its list opens by Space, outside of the page; while it is closed, JupyterLab takes
            # the arrows for itself (ipywidgets#3912).
        case "Checkbox":
            box = explorer.box.locator(f".explore-{name} input")
            before = box.is_checked()
            box.click()
            assert explorer.value(name) is not before
            check(explorer)
            explorer.page.keyboard.press("Space")
            assert explorer.value(name) is before
            check(explorer)
        case kind:
            pytest.fail(f"Nobody has yet said how to move a {kind}.")


def visit_a_server(explorer: Explorer) -> None:
    """Its limit, patience and loads, by each way; progress and *Stop*; and what the server saw.

    How long an answer takes at least is the server's to say, however busy the machine.
    """
    shards, latency = visited(explorer)
    assert 0 < shards <= explorer.value("loads")
    explorer.press("loads", "End")
    explorer.set("patience", 0.6)
    explorer.drag("limit", 1.1)
    shards, _ = visited(explorer)
    assert 0 < shards < explorer.value("loads")  # whoever waits too long gets an error
    explorer.press("patience", "End")
    explorer.set("loads", 40)
    explorer.set("limit", 30)
    shards, latency = visited(explorer)
    assert shards == 40 and latency[0] > 0.25  # it was 0.1 with ten of them inside
    pin_and_compare(explorer, visited)
    explorer.set("loads", 100)
    visited(explorer)
    explorer.press("limit", "Home")  # takes ten seconds and more
    explorer.play.click()
    explorer.wait_for_line(re.compile(rf"^{TIME} so far .* · \d+ of 101 done$"))
    explorer.stop.click()
    explorer.wait_for_line(STOPPED)
    expect(explorer.stop).to_be_disabled()
    explorer.settled()
    explorer.set("limit", 10)
    visited(explorer)
    seen = explorer.notebook.evaluate(HEALTH)
    assert seen["inside"] == 0 and seen["shards"].keys() == {"200", "left"}
    assert seen["shards"]["left"] > 0  # those that gave up, or were stopped


def visited(explorer: Explorer) -> tuple[int, list[float]]:
    """Wait for the run with these values; return how many shards came, and the latencies told.

    Every load is told of, as a shard or as an error by name.
    """
    values = explorer.settled()
    explorer.shows_its_run()
    assert explorer.evaluate("it.run.error") is None
    printed = explorer.box.locator("pre").inner_text()
    kinds = ast.literal_eval(printed[: printed.index("}") + 1])
    assert sum(kinds.values()) == values["loads"] and kinds.keys() <= {"Shard", "TimeoutError"}
    within = [float(told) for told in re.findall(r"within ([\d.]+) s", printed)]
    assert within == sorted(within) and len(within) == 2
    return kinds.get("Shard", 0), within


def runs_for_real(explorer: Explorer) -> None:
    """Wait for the run in real time with these values: there is no other to compare it with."""
    explorer.settled()
    explorer.shows_its_run()
    assert explorer.evaluate("it.run.error") is None


def pin_and_compare(explorer: Explorer, check: Callable[..., None]) -> None:
    """A stands above B until it is unpinned."""
    check(explorer)
    alone, a = explorer.seen(), explorer.values()
    explorer.pin.click()
    pinned = explorer.wait_for_another_picture(alone)
    expect(explorer.pin).to_have_text("Unpin A")
    assert pinned[1] == alone[1]  # nothing moves
    name = next(iter(explorer.controls))
    explorer.press(name, "ArrowRight")
    explorer.wait_for_another_picture(pinned)
    b = explorer.settled()
    if check is Explorer.agrees:
        explorer.compares(a, b)
    compared = explorer.seen()
    explorer.pin.click()
    expect(explorer.pin).to_have_text("Pin as A")
    explorer.wait_for_another_picture(compared)
    check(explorer)


def run_for_real_and_stop(explorer: Explorer) -> None:
    """*Stop* ends a long run, a short one ends by itself; the next move is fast-forward again."""
    real = re.compile(rf"^(failed after )?{TIME}(?! so far)")  # the end of one
    for name, what in explorer.controls.items():
        if "max" in what:
            explorer.set(name, what["max"])
        for option in what.get("options", []):
            explorer.choose(name, option)
            explorer.agrees()
            if not explorer.evaluate("it.run.held"):
                break  # while the loop is held, no click arrives
    explorer.agrees()
    if explorer.evaluate("it.run.seconds") > 2:  # a shorter one may be faster than the mouse
        explorer.play_and_stop()
    for name, what in explorer.controls.items():
        if what["kind"] == "IntSlider":
            explorer.set(name, max(2, what["min"]))
        if "options" in what:
            explorer.choose(name, what["options"][0])
    explorer.agrees()
    expected = explorer.evaluate("type(it.run.error).__name__")
    explorer.play.click()
    explorer.wait_for_line(real)
    expect(explorer.stop).to_be_disabled()
    explorer.wait_for("it.run.real and it.run.finished")  # a moment after its line
    assert explorer.evaluate("type(it.run.error).__name__") == expected
    explorer.shows_its_run()
    name, what = next(iter(explorer.controls.items()))
    lowest = explorer.value(name) == what.get("min")
    explorer.press(name, "ArrowRight" if lowest else "ArrowLeft")
    explorer.agrees()


def step_and_scrub_and_play(replay: Replay) -> None:
    """By button, slider, keyboard and typed number; and it plays by itself."""
    replay.shows(1)
    replay.forward.click()
    replay.shows(2)
    replay.back.click()
    replay.shows(1)
    replay.back.click()
    replay.shows(1)  # there is none before
    replay.press("replay-step", "End")
    replay.shows(replay.last)
    replay.forward.click()
    replay.shows(replay.last)
    replay.set("replay-step", replay.last // 2)
    replay.shows(replay.last // 2)
    replay.drag("replay-step", -0.1)
    replay.shows(1)
    replay.drag("replay-step", 0.5)
    assert 1 < replay.at() < replay.last
    replay.shows(replay.at())
    replay.press("replay-step", "Home")
    replay.shows(1)
    replay.play.click()
    wait(
        replay.page,
        "readout => Number(readout.innerText) >= 3",
        replay.box.locator(".replay-step .widget-readout").element_handle(),
    )
    replay.play.click()  # pause
    paused = replay.at()
    replay.page.wait_for_timeout(1_500)
    replay.shows(paused)


def play(notebook: Notebook, game: str) -> None:
    """A wrong pick is told why; the right ones come to the end."""
    box = notebook.page.locator(".game")
    right = f"{game}.game.lanes.index({game}.game.moments[{game}.game.at].lane)"
    wrong = f"next(i for i, b in enumerate({game}.buttons) if i != {right} and not b.disabled)"
    box.locator("button").nth(notebook.evaluate(wrong)).click()
    expect(box).to_contain_text("✘ No: ")
    picks = 0
    while not notebook.evaluate(f"{game}.game.over"):
        asked = notebook.evaluate(f"{game}.game.asked")
        notebook.page.wait_for_timeout(200)  # which it takes to read an answer
        box.locator("button").nth(notebook.evaluate(right)).click()
        notebook.wait_for(f"{game}.game.asked == {asked + 1}")
        picks += 1
    expect(box).to_contain_text(f"The end: {picks - 1} of {picks} right at the first pick.")
    expect(box.locator(".widget-image")).to_be_visible()
