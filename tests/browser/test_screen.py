"""An explorer on a small screen, and on a large one enlarged: all of it is seen, and stands still.

In JupyterLab with the file browser open, at the two sizes that most classrooms have.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Server
from driver import STORY, Explorer, Notebook, notebook, wait
from playwright.sync_api import expect

LANES = 1, 10, 40, 200
MANY = f"""
from pathlib import Path
{STORY}
async def many(files=3, limit=2, way="all", fail=False):
    for _ in range(3 if way == "all" else 1):
        await story(files, limit)
    if fail:
        raise ValueError("as asked")
"""
TWO = "explore(story, files=(1, 200), limit=(1, 60))"
FOUR = "explore(many, files=(1, 200), limit=(1, 60), way=['all', 'one'], fail=False)"
LONG = "\n".join(f"# line {number}" for number in range(15))

# Where the parts of an explorer are, in pixels: within what one sees of the notebook, which begins
# at 0 and ends at `seen`; its parts that could be scrolled; and the dots that its picture has.
PLACES = """box => {
    const scroller = box.closest('.jp-WindowedPanel-outer');
    const start = scroller.getBoundingClientRect();
    const place = part => {
        const { top, bottom } = part.getBoundingClientRect();
        return [top - start.top, bottom - start.top];
    };
    const picture = box.querySelector('.explore-picture');
    const bars = [...box.closest('.jp-OutputArea').querySelectorAll('*')].filter(part => {
        const { overflowX, overflowY } = getComputedStyle(part);
        const scrolls = overflow => ['auto', 'scroll'].includes(overflow);
        return (scrolls(overflowX) && part.scrollWidth > part.clientWidth)
            || (scrolls(overflowY) && part.scrollHeight > part.clientHeight);
    });
    return {
        seen: scroller.clientHeight,
        sideways: scroller.scrollWidth - scroller.clientWidth,
        box: place(box),
        controls: place(box.querySelector('.widget-hbox')),
        line: place(box.querySelector('.explore-line')),
        picture: place(picture),
        width: picture.getBoundingClientRect().width,
        dots: picture.naturalWidth,
        tall: picture.naturalHeight * picture.width / picture.naturalWidth,
        bars: bars.map(part => part.className),
    };
}"""
TOP = "box => box.closest('.jp-Cell-outputWrapper').scrollIntoView({ block: 'start' })"

# Notes at each frame from now on where the explorer and its picture are, and how high.
WATCH = """box => {
    const seen = new Set();
    window.seen = () => [...seen];
    const picture = box.querySelector('.explore-picture');
    const look = () => {
        if (!box.isConnected) return;
        for (const part of [box, picture]) {
            const { top, height } = part.getBoundingClientRect();
            seen.add(`${part.className.split(' ')[0]} ${Math.round(top)} ${Math.round(height)}`);
        }
        requestAnimationFrame(look);
    };
    look();
}"""


# The width and height that a page has, and how many dots a pixel.
DISPLAYS = {"1280 x 800": (1280, 800, 1), "1920 x 1080 at 150 %": (1280, 720, 1.5)}
on_each_display = pytest.mark.parametrize(
    "display", DISPLAYS.values(), ids=DISPLAYS.keys(), indirect=True
)


@pytest.fixture
def make(
    open_notebook: Callable[[str], Notebook], lab: Server, display: tuple[int, int, float]
) -> Callable[..., Notebook]:
    """Open a notebook of these cells, on the display of the test."""

    def make(*cells: str) -> Notebook:
        name = f"screen-{abs(hash(cells))}.ipynb"
        Path(lab.folder, name).write_text(notebook(*cells))
        opened = open_notebook(name)
        shown = opened.page.evaluate("[innerWidth, innerHeight, devicePixelRatio]")
        assert shown == [*display]
        return opened

    return make


def places(explorer: Explorer) -> dict[str, Any]:
    wait(
        explorer.page, "img => img.complete && img.naturalWidth", explorer.picture.element_handle()
    )
    found: dict[str, Any] = explorer.box.evaluate(PLACES)
    return found


@on_each_display
def test_all_of_it_is_seen_together_whatever_it_shows(make: Callable[..., Notebook]) -> None:
    """Controls, line, picture: at once in view, equally high, sharp, and with no bar to scroll."""
    opened = make(MANY, TWO, FOUR)
    opened.run_all()
    for explorer in opened.explorers():
        heights = set()
        for lanes in LANES:
            explorer.set("files", lanes)
            explorer.settled()
            explorer.box.evaluate(TOP)
            at = places(explorer)
            assert at["controls"][0] >= -1 and at["box"][1] <= at["seen"] + 1, (lanes, at)
            assert at["controls"][1] <= at["line"][0] + 1, at
            assert at["line"][1] <= at["picture"][0] + 1, at
            assert at["bars"] == [] and at["sideways"] <= 0, (lanes, at)
            scale = explorer.page.evaluate("devicePixelRatio")
            assert at["dots"] >= scale * at["width"] - 2, at  # not blurred
            assert at["tall"] == pytest.approx(at["picture"][1] - at["picture"][0], abs=2)
            heights.add(round(at["box"][1] - at["box"][0]))
        explorer.pin.click()
        explorer.settled()
        heights.add(round(places(explorer)["box"][1] - places(explorer)["box"][0]))
        assert len(heights) == 1, heights


@on_each_display
def test_nothing_moves_during_a_drag(make: Callable[..., Notebook]) -> None:
    """From one lane to 200 and back: where it is and how high, at each frame."""
    opened = make(MANY, TWO)
    opened.run_all()
    (explorer,) = opened.explorers()
    explorer.box.evaluate(TOP)
    explorer.box.evaluate(WATCH)
    before = explorer.seen()
    for share in (1.1, -0.1, 0.5):
        explorer.drag("files", share)
        before = explorer.wait_for_another_picture(before)
        explorer.settled()
    assert len(explorer.page.evaluate("window.seen()")) == 2  # the box and the picture


@on_each_display
def test_shift_enter_leaves_what_a_cell_shows_in_view(make: Callable[..., Notebook]) -> None:
    """From the first cell to the last, and once more with all outputs there: whole or from its top.

    Between cells that are short, long, or show pictures themselves.
    """
    picture = "simulate(story, 12, 3)"
    cells = [
        MANY,
        TWO,
        LONG,
        picture,
        f"{LONG}\n{FOUR}",
        f"{LONG}\n{LONG}",
        picture,
        TWO,
        LONG,
        TWO,
    ]
    opened = make(*cells)
    page = opened.page
    unseen = []
    for turn in range(2):
        page.evaluate("() => { jupyterapp.shell.currentWidget.content.activeCellIndex = 0; }")
        page.locator(".jp-Cell").first.evaluate("cell => cell.scrollIntoView()")
        for number, cell in enumerate(cells):
            page.evaluate("() => jupyterapp.shell.currentWidget.content.activeCell.node.focus()")
            page.keyboard.press("Shift+Enter")
            counted = f"""() => jupyterapp.shell.currentWidget.content.widgets[{number}]
                .model.executionCount === {turn * len(cells) + number + 1}"""
            wait(page, counted)
            if cell in (MANY, LONG, f"{LONG}\n{LONG}"):
                continue
            output = page.locator(".jp-CodeCell").nth(number).locator(".jp-OutputArea").first
            expect(output.locator("img").first).to_be_visible()
            page.wait_for_timeout(1_500)  # in which the page would still move
            at = output.evaluate(
                """output => {
                    const seen = output.closest('.jp-WindowedPanel-outer').getBoundingClientRect();
                    const { top, bottom } = output.getBoundingClientRect();
                    return [top - seen.top, seen.bottom - bottom].map(Math.round);
                }"""
            )
            if min(at) < -1:
                unseen.append((turn, number, at))
    assert unseen == []


def test_the_answer_is_covered_until_the_guess_was_tried(
    open_notebook: Callable[[str], Notebook], lab: Server
) -> None:
    """The prose after what a *Predict* asks for shows when that has been run; a heading, always."""
    cells = json.loads(notebook("guess = 1", "guess + 1", "2 + 2"))
    prose = ["**Predict.** Which?", "**What just happened?** Two.", "Four.", "## Next"]
    for at, text in zip((0, 3, 5, 6), prose, strict=True):
        cell = {"cell_type": "markdown", "id": f"prose-{at}", "metadata": {}, "source": text}
        cells["cells"].insert(at, cell)
    Path(lab.folder, "covered.ipynb").write_text(json.dumps(cells))
    opened = open_notebook("covered.ipynb")
    rendered = opened.page.locator(".jp-MarkdownCell .jp-RenderedHTMLCommon > :is(p, h2)")
    expect(rendered).to_have_count(len(prose))
    shown = rendered.all()
    visible = [[text.is_visible() for text in shown]]
    for number in (1, 2):
        opened.run_cell(number)
        visible.append([text.is_visible() for text in shown])
    assert visible == [[True, False, True, True]] * 2 + [[True] * 4]


SLOW = """
async def slow(n=1):
    while n > 1 and not Path("go").exists():  # patience ends it after 5 seconds
        sum(range(10_000))

explore(slow, n=(1, 3))
"""


def test_what_is_old_looks_so(make: Callable[..., Notebook], lab: Server) -> None:
    """The picture and the line pale while they are not those of the controls, and no longer."""
    go = Path(lab.folder, "go")
    go.unlink(missing_ok=True)
    opened = make(MANY, SLOW)
    opened.run_all()
    (explorer,) = opened.explorers()
    parts = explorer.picture, explorer.box.locator(".explore-line")
    for part in parts:
        expect(part).to_have_css("opacity", "1")
    explorer.press("n", "ArrowRight")
    for part in parts:
        expect(part).to_have_css("opacity", "0.4")
    go.touch()
    for part in parts:
        expect(part).to_have_css("opacity", "1")


AWAITS = """
print("awaiting")
while not Path("go").exists():
    await asyncio.sleep(0.05)
"""


def test_what_waits_for_a_cell_looks_old(make: Callable[..., Notebook], lab: Server) -> None:
    """A move that the kernel has yet to hear of: the explorer in hand pales, and no other."""
    go = Path(lab.folder, "go")
    go.unlink(missing_ok=True)
    opened = make(MANY, TWO, TWO, AWAITS)
    for number in range(3):
        opened.run_cell(number)
    one, other = opened.explorers()
    opened.page.evaluate(
        """() => {
            jupyterapp.shell.currentWidget.content.activeCellIndex = 3;
            jupyterapp.commands.execute('notebook:run-cell');
        }"""
    )
    opened.page.get_by_text("awaiting", exact=True).wait_for()
    one.press("files", "ArrowRight")
    for part in one.picture, one.box.locator(".explore-line"):
        expect(part).to_have_css("opacity", "0.4")
    expect(one.box.locator(".shows-busy")).to_be_visible()
    expect(other.picture).to_have_css("opacity", "1")
    go.touch()
    expect(one.picture).to_have_css("opacity", "1")
    one.agrees()
