"""Drive a notebook in JupyterLab as a reader does: look, drag, type, click."""

import ast
import json
import re
import time
from functools import cached_property
from typing import Any

from playwright.sync_api import JSHandle, Locator, Page, expect

PATIENCE = 60_000  # milliseconds for a thing that a busy machine may take long to do
RUN_ALL = 240_000

# How a line begins of what ran in real time, and of what was stopped.
TIME = r"\d[\d.,]* [mµ]?s \(real\)"
STOPPED = re.compile(f"^cancelled after {TIME}")

# The cell of a program whose parts wait for their turn.
STORY = """
import asyncio
from helpers import explore, load_data, simulate

async def story(files=3, limit=2):
    gate = asyncio.Semaphore(limit)
    async def one(file):
        async with gate:
            return await load_data(file)
    return await asyncio.gather(*(one(f"dataset{n}.csv") for n in range(1, files + 1)))
"""

# Waits for the kernel of the notebook in front to have nothing to do.
IDLE = """() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel
    ?.status === 'idle'"""

RUN = "() => window.jupyterapp.commands.execute('notebook:run-all-cells')"

# Waits for every code cell to have been run: after an error that is meant, Lab's promise is kept
# while others still wait for their turn.
COUNTED = """() => window.jupyterapp.shell.currentWidget.content.widgets
    .every(cell => cell.model.type !== 'code' || cell.model.executionCount !== null)"""

# What went wrong in the cells, with the number of each, save what is tagged to.
FAULTS = """() => {
    const faults = [];
    window.jupyterapp?.shell.currentWidget.content.widgets.forEach((cell, number) => {
        const tags = cell.model.getMetadata('tags') ?? [];
        for (const output of cell.model.sharedModel.toJSON().outputs ?? []) {
            if (output.output_type === 'error' && !tags.includes('raises-exception'))
                faults.push(`cell ${number}: ${output.ename}: ${output.evalue}`);
            else if (output.name === 'stderr' && !tags.includes('shows-stderr'))
                faults.push(`cell ${number} on stderr: ${output.text}`);
        }
    });
    return faults;
}"""

# Evaluates an expression in the kernel; gives its repr.
EVALUATE = """async (expression) => {
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    const request = {code: '', silent: true, user_expressions: {it: expression}};
    const it = (await kernel.requestExecute(request).done).content.user_expressions.it;
    return it.status === 'ok' ? it.data['text/plain'] : `${it.ename}: ${it.evalue}`;
}"""

# From now on, has the page's console tell of errors and stderr that no cell shows: those of
# callbacks and their threads, which JupyterLab shows in its log only. (A kernel that has just begun
# knows no widgets, and says so when JupyterLab asks for them.)
LISTEN = """() => {
    const notebook = window.jupyterapp.shell.currentWidget;
    const shown = id => notebook.content.widgets
        .some(cell => cell.outputArea?.future?.msg.header.msg_id === id);
    notebook.sessionContext.iopubMessage.connect((_, {header, parent_header, content}) => {
        const bad = header.msg_type === 'error' || content.name === 'stderr';
        const said = content.text ?? content.evalue;
        if (bad && !shown(parent_header.msg_id) && !/^No such comm.*\\n?$/.test(said))
            console.error(`outside of cells: ${said}`);
    });
}"""

# All widgets of a class, in the order in which they were made.
WIDGETS = (
    "[w for w in __import__('ipywidgets').widgets.widget._instances.values() "
    "if type(w).__name__ == '{}']"
)

# The kind, the ends and the choices of each control of an explorer.
CONTROLS = (
    "{name: {'kind': type(c).__name__} | {key: getattr(c, key) for key in "
    "('min', 'max', 'step', 'options') if hasattr(c, key)} for name, c in it.controls.items()}"
)

# What these controls of an explorer show: a number is the only one of a list, and still a text.
VALUES = """(box, names) => names.map(name => {
    const control = box.querySelector(`.explore-${name}`);
    const number = control.querySelector('.widget-readout');
    return number ? [number.innerText]
        : control.querySelector('select')?.value ?? control.querySelector('input').checked;
})"""

# In an expression about a widget `ours` is this: what it uses, by its name there.
OURS = "__import__('helpers.screen.experiment', fromlist=[''])"
DIGEST = "__import__('hashlib').sha256({}).hexdigest()"

# The picture of a run, on the axis of the explorer, or of what it returned; and of two that are
# compared.
DRAWN = """(lambda run: ours.png(run.result if it.experiment.draws_itself else
    ours.timeline(run, until=it.experiment._until(run), height=ours.HEIGHT)))"""
COMPARED = """(lambda a, b: ours.png(
    ours.compare(a, b, names={!r}, until=it.experiment.axis, height=ours.HEIGHT)))"""

# What `simulate` gives for these values.
SIMULATED = "ours.simulate(it.experiment.function, **{})"

# Once all is done and of these values: the line of the fresh runs' last, and the digest of what a
# function draws of them; all asked for together, as each question costs what a picture does.
SHOWN = """(lambda *fresh: (repr(fresh[-1]), {digest}))({fresh})
    if it.experiment.wait_idle(0.2) and it.experiment.values == {values!r} else None"""

# Of a run that is held and a fresh one the fresh one, unless the same tasks begin in another order,
# as those of `as_completed` do, which takes them from a set.
FRESH = """(lambda lanes, held, fresh: held if lanes(held) != lanes(fresh)
    and sorted(lanes(held)) == sorted(lanes(fresh)) else fresh)(
    lambda run: [(lane.name, lane.start, lane.end, lane.ending) for lane in run.lanes], {}, {})"""


# Waits for the picture of which this is the SHA-256.
PICTURE = """async ([img, wanted]) => {
    const digest = async () => {
        const bytes = await (await fetch(img.src)).arrayBuffer();
        const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
        return [...digest].map(b => b.toString(16).padStart(2, '0')).join('');
    };
    for (let seen = null;;) {
        if (img.src !== seen && img.complete && img.naturalWidth) {
            const here = img.src;
            if (await digest() === wanted && img.src === here) return true;
            seen = here;
        }
        await new Promise(resolve => setTimeout(resolve, 20));
    }
}"""


# Presses a button, and another one as soon as that can be pressed.
PRESS_BOTH = """([first, second]) => {
    new MutationObserver((_, observer) => {
        if (second.disabled) return;
        observer.disconnect();
        second.click();
    }).observe(second, {attributes: true});
    first.click();
}"""


def wait(page: Page, condition: str, argument: Any = None, timeout: int = PATIENCE) -> JSHandle:
    """Wait until a function in the page gives something true; return that."""
    # Playwright takes the promise itself for something true (playwright#29132).
    assert not condition.startswith("async"), "A condition to wait for cannot be async"
    return page.wait_for_function(condition, arg=argument, timeout=timeout, polling=50)


class Notebook:
    """The notebook that a page of JupyterLab shows."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def listen(self) -> None:
        """From now on, let no error of a callback go unheard; the page has to be a fresh one."""
        wait(self.page, IDLE)
        self.page.evaluate(LISTEN)

    def settled(self, promise: str, argument: Any = None, timeout: int = PATIENCE) -> Any:
        """What a promise of the page's comes to, or an error if it does not come in time."""
        self.begin(promise, argument)
        return self.end(timeout)

    def begin(self, promise: str, argument: Any = None) -> None:
        """Have the page begin with a promise."""
        self.page.evaluate(
            f"""(argument) => {{
                window.settled = null;
                (async () => ({promise})(argument))().then(
                    value => {{ window.settled = [value, null]; }},
                    error => {{ window.settled = [null, String(error?.stack ?? error)]; }},
                );
            }}""",
            argument,
        )

    def end(self, timeout: int = PATIENCE) -> Any:
        """What the promise that was begun with comes to; an error if it fails, or takes longer."""
        settled = wait(self.page, "() => window.settled", timeout=timeout)
        value, error = settled.json_value()
        assert error is None, error
        return value

    def run_all(self) -> None:
        """Run every cell, and wait for the last one."""
        self.settled(RUN, timeout=RUN_ALL)
        wait(self.page, COUNTED, timeout=RUN_ALL)
        wait(self.page, IDLE)

    def run_cell(self, number: int) -> None:
        """Run one cell, counted from 0, and wait for it."""
        self.page.evaluate(
            "at => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = at; }", number
        )
        self.settled("() => window.jupyterapp.commands.execute('notebook:run-cell')")
        wait(self.page, IDLE)

    def restart_and_run_all(self) -> None:
        """As by the menu, with the question that it asks."""
        self.begin("() => window.jupyterapp.commands.execute('notebook:restart-run-all')")
        self.page.locator(".jp-Dialog .jp-mod-accept").click()
        self.end(RUN_ALL)
        wait(self.page, COUNTED, timeout=RUN_ALL)
        wait(self.page, IDLE)

    def interrupt(self) -> float:
        """Press ■; return when it was pressed, in seconds as of `time.time`."""
        pressed: int = self.settled(
            """async () => {
                const pressed = Date.now();
                await window.jupyterapp.commands.execute('notebook:interrupt-kernel');
                return pressed;
            }"""
        )
        return pressed / 1000

    def faults(self) -> list[str]:
        """Errors, and whatever was written on stderr."""
        return self.page.evaluate(FAULTS)

    def counts(self) -> list[int | None]:
        """The execution count of each code cell."""
        return self.page.evaluate(
            """() => window.jupyterapp.shell.currentWidget.content.widgets
                .filter(cell => cell.model.type === 'code')
                .map(cell => cell.model.executionCount)"""
        )

    def evaluate(self, expression: str) -> Any:
        """The value of a Python expression in the kernel, for values that are plain."""
        return ast.literal_eval(self.settled(EVALUATE, expression))

    def wait_for(self, expression: str) -> Any:
        """Wait until an expression in the kernel is true; return what it gives."""
        give_up = time.monotonic() + PATIENCE / 1000
        while not (found := self.evaluate(expression)):
            assert time.monotonic() < give_up, f"It never was: {expression}"
            self.page.wait_for_timeout(50)
        return found

    def shown(self, kind: str) -> list[str]:
        """An expression for each widget of this class in the kernel, in the order of the page."""
        count = self.evaluate(f"len({WIDGETS.format(kind)})")
        return [f"{WIDGETS.format(kind)}[{at}]" for at in range(count)]

    def widgets(self) -> int:
        """How many widgets stand in the page, those within another not counted."""
        return self.page.locator(".jupyter-widgets").evaluate_all(
            "all => all.filter(one => !one.parentElement.closest('.jupyter-widgets')).length"
        )

    def explorers(self) -> list["Explorer"]:
        """What `helpers.screen.explorer` shows, in each cell that shows it."""
        boxes = self.page.locator(".widget-vbox:has(> .explore-picture)")
        names = self.shown("Explorer")
        expect(boxes).to_have_count(len(names))
        return [Explorer(self, boxes.nth(at), name) for at, name in enumerate(names)]

    def replays(self) -> list["Replay"]:
        """What `helpers.screen.replay` shows, in each cell that shows it."""
        boxes = self.page.locator(".widget-vbox:has(> * > .replay-play)")
        names = self.shown("Replay")
        expect(boxes).to_have_count(len(names))
        return [Replay(self, boxes.nth(at), name) for at, name in enumerate(names)]


class Widget:
    """A widget of ours: its box on the page, and the object in the kernel."""

    def __init__(self, notebook: Notebook, box: Locator, name: str) -> None:
        self.notebook = notebook
        self.page = notebook.page
        self.box = box
        self.name = name

    def evaluate(self, expression: str) -> Any:
        """Evaluate in the kernel, where `it` is the widget."""
        return self.notebook.evaluate(f"(lambda it, ours: {expression})({self.name}, {OURS})")

    def wait_for(self, expression: str) -> Any:
        """Wait until this is true in the kernel, where `it` is the widget; return what it gives."""
        return self.notebook.wait_for(f"(lambda it, ours: {expression})({self.name}, {OURS})")

    def handle(self, name: str) -> Locator:
        return self.box.locator(f".{name} .noUi-handle")

    def drag(self, name: str, share: float) -> None:
        """Drag the slider with the mouse, to a share of its way."""
        handle = self.handle(name)
        handle.scroll_into_view_if_needed()
        rail = self.box.locator(f".{name} .noUi-base").bounding_box()
        here = handle.bounding_box()
        assert rail and here
        mouse = self.page.mouse
        mouse.move(here["x"] + here["width"] / 2, here["y"] + here["height"] / 2)
        mouse.down()
        mouse.move(rail["x"] + rail["width"] * share, rail["y"] + rail["height"] / 2, steps=8)
        mouse.up()

    def press(self, name: str, key: str, times: int = 1) -> None:
        """Move the slider by keyboard."""
        self.handle(name).focus()
        for _ in range(times):
            self.page.keyboard.press(key)

    def set(self, name: str, value: float) -> None:
        """Type a number beside the slider."""
        self.box.locator(f".{name} .widget-readout").click()
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.type(str(value))
        self.page.keyboard.press("Enter")


class Explorer(Widget):
    """What `helpers.screen.explorer` shows."""

    def __init__(self, notebook: Notebook, box: Locator, name: str) -> None:
        super().__init__(notebook, box, name)
        self.picture = box.locator(".explore-picture")
        self.line = box.locator(".explore-line .widget-html-content")
        self.pin = box.locator(".explore-thumb-tack")
        self.play = box.locator(".explore-play")
        self.stop = box.locator(".explore-stop")

    @cached_property
    def controls(self) -> dict[str, dict[str, Any]]:
        """What there is to know of each control, by name."""
        return self.evaluate(CONTROLS)

    def value(self, name: str) -> Any:
        """What the control shows."""
        return self.values(name)[name]

    def values(self, *names: str) -> dict[str, Any]:
        """What these controls show, or all."""
        asked = names or [*self.controls]
        shown = self.box.evaluate(VALUES, [*asked])
        values = (ast.literal_eval(*it) if isinstance(it, list) else it for it in shown)
        return dict(zip(asked, values, strict=True))

    def drag(self, name: str, share: float) -> None:
        super().drag(f"explore-{name}", share)

    def press(self, name: str, key: str, times: int = 1) -> None:
        super().press(f"explore-{name}", key, times)

    def set(self, name: str, value: float) -> None:
        super().set(f"explore-{name}", value)

    def choose(self, name: str, value: str) -> None:
        """Choose from a dropdown."""
        self.box.locator(f".explore-{name} select").select_option(value)

    def play_and_stop(self) -> None:
        """Run for real, and stop it as soon as it can be; see that it is."""
        buttons = [self.play.element_handle(), self.stop.element_handle()]
        self.page.evaluate(PRESS_BOTH, buttons)
        self.wait_for_line(STOPPED)
        expect(self.stop).to_be_disabled()

    def settled(self) -> dict[str, Any]:
        """Wait until the kernel has shown what comes of the values that the controls show."""
        values = self.values()
        self.wait_for(f"it.experiment.wait_idle(0.2) and it.experiment.values == {values!r}")
        return values

    def agrees(self) -> None:
        """Wait until line and picture are those of `simulate` for what the controls show."""
        values = self.values()
        drawn = f"{DRAWN}({FRESH.format('it.run', 'fresh[0]')})"
        self.shows(values, drawn, values)

    def compares(self, a: dict[str, Any], b: dict[str, Any]) -> None:
        """Wait until line and picture are those of `simulate` for these values, A pinned."""
        names = tuple(
            f"{name} {', '.join(f'{key}={value!r}' for key, value in values.items())}"
            for name, values in (("A", a), ("B", b))
        )
        held = "it.experiment.pinned[1]", "it.run"
        fresh = ", ".join(FRESH.format(run, f"fresh[{at}]") for at, run in enumerate(held))
        self.shows(b, f"{COMPARED.format(names)}({fresh})", a, b)

    def shows(self, values: dict[str, Any], drawn: str, *simulated: dict[str, Any]) -> None:
        """Wait until line and picture are those of what these give, once it has these values."""
        fresh = "".join(f"{SIMULATED.format(each)}, " for each in simulated)
        asked = SHOWN.format(digest=DIGEST.format(drawn), fresh=fresh, values=values)
        line, digest = self.wait_for(asked)
        self.wait_for_line(line)
        self.wait_for_digest(digest)

    def shows_its_run(self) -> None:
        """Wait until line and picture are those of the run that the kernel holds."""
        line, digest = self.evaluate(f"(repr(it.run), {DIGEST.format('it.picture.value')})")
        self.wait_for_line(line)
        self.wait_for_digest(digest)

    def seen(self) -> tuple[str, int]:
        """The picture: its address, which changes with it, and its height in dots."""
        return tuple(self.picture.evaluate("img => [img.src, img.naturalHeight]"))

    def wait_for_digest(self, digest: str) -> None:
        """Wait for the picture of which this is the SHA-256."""
        self.notebook.settled(PICTURE, [self.picture.element_handle(), digest])

    def wait_for_another_picture(self, than: tuple[str, int]) -> tuple[str, int]:
        """Wait for a picture that is loaded and not the one seen before."""
        another = wait(
            self.page,
            "([img, before]) => img.src !== before && img.complete && img.naturalHeight > 0 "
            "&& [img.src, img.naturalHeight]",
            [self.picture.element_handle(), than[0]],
        )
        return tuple(another.json_value())

    def wait_for_line(self, text: Any) -> None:
        """Wait until the line of text is this, or matches it."""
        expect(self.line).to_have_text(text)


class Replay(Widget):
    """What `helpers.screen.replay` shows."""

    def __init__(self, notebook: Notebook, box: Locator, name: str) -> None:
        super().__init__(notebook, box, name)
        self.play = box.locator(".replay-play button").first
        self.back = box.locator(".replay-step-backward")
        self.forward = box.locator(".replay-step-forward")
        self.last = self.evaluate("it.step.max")

    def at(self) -> int:
        """The number of the step that the slider shows."""
        return int(self.box.locator(".replay-step .widget-readout").inner_text().replace(",", ""))

    def shows(self, step: int) -> None:
        """Wait until this step is shown: its time, who runs, and the cursor."""
        expect(self.box.locator(".replay-step .widget-readout")).to_have_text(f"{step}")
        time, runs, left = self.evaluate(
            f"(f'{{it.moments[{step - 1}].time:.3f}} s', it.moments[{step - 1}].lane.name, "
            f"it.where({step}))"
        )
        rows = self.box.locator(".replay-lanes tr")
        expect(rows.nth(0)).to_contain_text(time)
        expect(rows.nth(1)).to_contain_text(runs)
        wait(
            self.page,
            """([picture, cursor, left]) => {
                const all = picture.getBoundingClientRect();
                const line = cursor.querySelector('div[style*=border-left]');
                const here = line.getBoundingClientRect();
                return Math.abs(all.x + all.width * left - (here.x + here.width / 2)) < 3;
            }""",
            [
                self.box.locator(".replay-picture").element_handle(),
                self.box.locator(".replay-cursor").element_handle(),
                left,
            ],
        )


def notebook(*cells: str) -> str:
    """A notebook file of these code cells."""
    return json.dumps(
        {
            "cells": [
                {
                    "cell_type": "code",
                    "execution_count": None,
                    "id": f"cell-{number}",
                    "metadata": {},
                    "outputs": [],
                    "source": source,
                }
                for number, source in enumerate(cells)
            ],
            "metadata": {
                "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
            },
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )
