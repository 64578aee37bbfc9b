"""The README promises only what is there."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
ROW = re.compile(r"\| \[(\w+)\]\(notebooks/\1\.ipynb\) \| [^|]+ \| (\d+) \|")


def minutes(notebook: Path) -> str:
    """The time that a notebook's first cell names."""
    first = "".join(json.loads(notebook.read_text(encoding="utf-8"))["cells"][0]["source"])
    found = re.search(r"Time:\W+(\d+) minutes", first)
    assert found, notebook
    return found[1]


def test_table_lists_the_notebooks_that_exist():
    """A notebook that is missing in the table, or no longer there, or takes longer, is found."""
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    assert notebooks
    assert ROW.findall(README) == [(path.stem, minutes(path)) for path in notebooks]


def test_links_and_pictures_are_there():
    """No link of the README leads nowhere."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_it_fits_a_screen():
    """One screen: whoever opens it sees all of it."""
    assert len(README.splitlines()) <= 50


def test_commands_are_targets_of_the_makefile():
    """Each `make …` that is named can be made."""
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    named = set(re.findall(r"^make (\w+)|`make (\w+)", README, re.M))
    assert named
    assert {a or b for a, b in named} <= targets
