"""Drive a notebook in JupyterLab as a reader does: look, drag, type, click."""

import ast
import json
from typing import Any

from playwright.sync_api import Locator, Page, expect

PATIENCE = 60_000  # milliseconds for a thing that a busy machine may take long to do
RUN_ALL = 240_000

# Waits for the kernel of the notebook in front to have nothing to do.
IDLE = """() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel
    ?.status === 'idle'"""

# Asks the kernel until it answers: what is sent while the connection is being made can get lost.
ANSWERS = """async () => {
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    for (let attempt = 0; attempt < 20; attempt++) {
        const question = kernel.requestExecute({code: '', silent: true});
        const late = new Promise(done => setTimeout(() => done(false), 5_000));
        if (await Promise.race([question.done.then(() => true), late])) return true;
        question.dispose();
    }
    return false;
}"""

RUN = "() => window.jupyterapp.commands.execute('notebook:run-all-cells')"

# What went wrong in the cells, with the number of each.
FAULTS = """() => {
    const faults = [];
    window.jupyterapp.shell.currentWidget.content.widgets.forEach((cell, number) => {
        for (const output of cell.model.sharedModel.toJSON().outputs ?? []) {
            if (output.output_type === 'error')
                faults.push(`cell ${number}: ${output.ename}: ${output.evalue}`);
            else if (output.name === 'stderr')
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


class Notebook:
    """The notebook that a page of JupyterLab shows."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def settled(self, promise: str, argument: Any = None, timeout: int = PATIENCE) -> Any:
        """What a promise of the page's comes to, or an error if it does not come in time."""
        self.page.evaluate(
            f"""(argument) => {{
                window.settled = null;
                ({promise})(argument).then(value => {{ window.settled = [value]; }});
            }}""",
            argument,
        )
        return self.page.wait_for_function("() => window.settled", timeout=timeout).json_value()[0]

    def run_all(self) -> None:
        """Run every cell, and wait for the last one."""
        assert self.settled(ANSWERS, timeout=2 * PATIENCE), "The kernel does not answer."
        self.settled(RUN, timeout=RUN_ALL)
        self.page.wait_for_function(IDLE, timeout=PATIENCE)

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

    def explorer(self) -> "Explorer":
        """The first explorer of the notebook."""
        box = self.page.locator(".widget-vbox", has=self.page.locator(".explore-picture")).first
        expect(box).to_be_visible(timeout=PATIENCE)
        return Explorer(self.page, box)


class Explorer:
    """What `helpers.explore` shows."""

    def __init__(self, page: Page, box: Locator) -> None:
        self.page = page
        self.box = box
        self.picture = box.locator(".explore-picture")
        self.line = box.locator(".explore-line .widget-html-content")
        self.pin = box.locator(".explore-thumb-tack")
        self.play = box.locator(".explore-play")
        self.stop = box.locator(".explore-stop")

    def handle(self, name: str) -> Locator:
        return self.box.locator(f".explore-{name} .noUi-handle")

    def value(self, name: str) -> int:
        """What the slider shows."""
        return int(self.box.locator(f".explore-{name} .widget-readout").inner_text())

    def drag(self, name: str, share: float) -> None:
        """Drag the slider with the mouse, to a share of its way."""
        handle = self.handle(name)
        handle.scroll_into_view_if_needed()
        rail = self.box.locator(f".explore-{name} .noUi-base").bounding_box()
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

    def set(self, name: str, value: int) -> None:
        """Type a number beside the slider."""
        readout = self.box.locator(f".explore-{name} .widget-readout")
        readout.click()
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.type(str(value))
        self.page.keyboard.press("Enter")
        expect(readout).to_have_text(str(value), timeout=PATIENCE)

    def choose(self, name: str, value: str) -> None:
        """Choose from a dropdown."""
        self.box.locator(f".explore-{name} select").select_option(value)

    def seen(self) -> tuple[str, int]:
        """The picture: its address, which changes with it, and its height in dots."""
        return tuple(self.picture.evaluate("img => [img.src, img.naturalHeight]"))

    def wait_for_another_picture(self, than: tuple[str, int]) -> tuple[str, int]:
        """Wait for a picture that is loaded and not the one seen before."""
        self.page.wait_for_function(
            "([img, before]) => img.src !== before && img.complete && img.naturalWidth > 0",
            arg=[self.picture.element_handle(), than[0]],
            timeout=PATIENCE,
        )
        return self.seen()

    def wait_for_line(self, text: Any) -> None:
        """Wait until the line of text is this, or matches it."""
        expect(self.line).to_have_text(text, timeout=PATIENCE)


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
