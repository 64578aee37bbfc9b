"""An explorer under Voilà, which shows a notebook as a page without its code, to whoever asks."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Server, Witness, serving
from driver import PATIENCE, SIMULATED, WIDGETS, Explorer, Notebook
from playwright.sync_api import Browser, expect

# Voilà's own template asks a host far away for the icons of buttons; these stay here.
TEMPLATE = """{%- extends 'voila/templates/lab/index.html.j2' -%}
{%- block notebook_css -%}
{{ super() | replace('https://cdn.jsdelivr.net/npm/', 'data:text/css,') }}
{%- endblock notebook_css -%}
"""
MOVES = {
    "End": {"files": 50, "way": "gather"},
    "ArrowLeft": {"files": 49, "way": "gather"},
    "Home": {"files": 1, "way": "gather"},
}
# A page has no way to ask Voilà's kernel, so the kernel says beforehand what `simulate` says.
SAYS = "import json\nprint('simulated', json.dumps({}))"


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
        "{folder}",
    ) as server:
        yield server


def say_what_is_simulated(notebook: Path, *values: dict[str, object]) -> None:
    """Add a cell that says what `simulate` says of the explorer for each of these values."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    said = ", ".join(SIMULATED.format(each) for each in values)
    content["cells"].append(
        {
            "cell_type": "code",
            "execution_count": None,
            "id": "simulated",
            "metadata": {},
            "outputs": [],
            "source": SAYS.format(f"(lambda it: [{said}])({WIDGETS.format('Explorer')}[0])"),
        }
    )
    notebook.write_text(json.dumps(content), encoding="utf-8")


def test_a_slider_moves_without_jupyterlab(voila: Server, witness: Witness) -> None:
    """By keyboard, to the line and the picture of `simulate`; and a run for real can be stopped."""
    page, witness.server = witness.page, voila
    say_what_is_simulated(voila.folder / "03_gather.ipynb", *MOVES.values())
    page.goto(f"{voila.address}/voila/render/03_gather.ipynb?token={voila.token}")
    said = page.locator("pre").filter(has_text=re.compile("^simulated "))
    said.wait_for()
    explorer = Explorer(Notebook(page), page.locator(".widget-vbox:has(> .explore-picture)"), "")
    for (key, values), (line, picture) in zip(
        MOVES.items(), json.loads(said.inner_text().split(" ", 1)[1]), strict=True
    ):
        before = explorer.seen()
        explorer.press("files", key)
        explorer.wait_for_another_picture(before)
        explorer.wait_for_line(line)
        explorer.wait_for_picture(picture)
        assert explorer.value("files") == values["files"]

    explorer.press("files", "End")
    explorer.choose("way", "sequential")
    explorer.wait_for_line(re.compile("^[0-9.]+ s · 50 lanes · at most 1 in flight"))
    explorer.play.click()
    explorer.stop.click()  # it would take a minute
    explorer.wait_for_line(re.compile(r"^cancelled after \d+\.\d\d s \(real\)"))
    expect(explorer.stop).to_be_disabled(timeout=PATIENCE)
    expect(page.locator("[data-mime-type$='stderr'], [data-mime-type$='error']")).to_have_count(0)
    page.goto("about:blank")  # the page takes its kernel with it
