"""Explorers under Voilà, which shows a notebook as a page without its code, to whoever asks."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Server, Witness, serving
from driver import WIDGETS, Explorer, Notebook
from driver import notebook as as_notebook
from playwright.sync_api import Browser, expect

# Voilà's own template asks a host far away for the icons of buttons; these stay here.
TEMPLATE = """{%- extends 'voila/templates/lab/index.html.j2' -%}
{%- block notebook_css -%}
{{ super() | replace('https://cdn.jsdelivr.net/npm/', 'data:text/css,') }}
{%- endblock notebook_css -%}
"""
# All take minutes: `make test-all` has them shown. 03 is the one with the most in flight.
NOTEBOOKS = sorted(path.name for path in Path("notebooks").resolve().glob("*.ipynb"))
if int(os.environ.get("THOROUGH", "1")) < 2:
    NOTEBOOKS = ["03_gather.ipynb"]

# A page has no way to ask Voilà's kernel, so the kernel says beforehand what `simulate` says.
SAYS = """
import contextlib
import hashlib
import io
import json
from helpers import simulate
from helpers.screen.experiment import HEIGHT, png, timeline

def says(it):
    name, slider = next((n, c) for n, c in it.controls.items() if hasattr(c, "max"))
    moves = {"End": slider.max, "ArrowLeft": slider.max - slider.step, "Home": slider.min}
    runs = [simulate(it.experiment.function, **it.values() | {name: round(value, 9)})
            for value in moves.values()]
    for run in runs:
        it.experiment._until(run)  # the axis is as long as it ever will be
    for (key, value), run in zip(moves.items(), runs):
        figure = timeline(run, until=it.experiment._until(run), height=HEIGHT)
        yield [name, key, value, repr(run), hashlib.sha256(png(figure)).hexdigest()]

with contextlib.redirect_stdout(io.StringIO()):  # what the programs print
    said = json.dumps([list(says(it)) for it in EXPLORERS if not it.experiment.real])
print("simulated", said)
""".replace("EXPLORERS", WIDGETS.format("Explorer"))


@pytest.fixture(scope="session")
def voila(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Voilà, with a template that fetches nothing from elsewhere."""
    base = tmp_path_factory.mktemp("voila")
    template = base / "data" / "voila" / "templates" / "here"
    template.mkdir(parents=True)
    (template / "conf.json").write_text(json.dumps({"base_template": "lab"}))
    (template / "index.html.j2").write_text(TEMPLATE)
    with serving(
        base,
        "voila",
        "--Voila.ip=127.0.0.1",
        "--port={port}",
        "--Voila.port_retries=0",
        "--token={token}",
        "--template=here",
        "--show_tracebacks=True",  # else stderr is not shown either
        "{folder}",
    ) as server:
        yield server


def say_what_is_simulated(notebook: Path) -> int:
    """Add a cell that says it of each explorer; return how many errors are meant."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    says = json.loads(as_notebook(SAYS))["cells"][0] | {"id": "says"}
    content["cells"].append(says)
    notebook.write_text(json.dumps(content), encoding="utf-8")
    return sum("raises-exception" in c["metadata"].get("tags", []) for c in content["cells"])


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_sliders_move_without_jupyterlab(voila: Server, witness: Witness, name: str) -> None:
    """By keyboard, to the line and the picture of `simulate`; and a run for real can be stopped."""
    page, witness.server = witness.page, voila
    meant = say_what_is_simulated(voila.folder / name)
    page.goto(f"{voila.address}/voila/render/{name}?token={voila.token}")
    said = page.locator("pre").filter(has_text=re.compile("^simulated "))
    said.wait_for()
    expect(page.locator("[data-mime-type$='stderr'], [data-mime-type$='error']")).to_have_count(
        meant
    )
    boxes = page.locator(".widget-vbox:has(> .explore-picture)")
    for at, moves in enumerate(json.loads(said.inner_text().split(" ", 1)[1])):
        explorer = Explorer(Notebook(page), boxes.nth(at), "")
        for control, key, value, line, picture in moves:
            before = explorer.seen()
            explorer.press(control, key)
            explorer.wait_for_another_picture(before)
            explorer.wait_for_line(line)
            explorer.wait_for_digest(picture)
            assert explorer.value(control) == pytest.approx(value)
        explorer.press(moves[0][0], "End")
        explorer.wait_for_digest(moves[0][-1])
        seconds, unit = moves[0][3].split()[:2]
        if unit == "s" and float(seconds) > 2 and "loop held" not in moves[0][3]:  # can be stopped
            explorer.play_and_stop()
    page.goto("about:blank")  # the page takes its kernel with it
