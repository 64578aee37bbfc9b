"""The shape of every notebook: its anatomy, its cells, its outputs and its links."""

import ast
import re
import runpy
import statistics
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

ROOT = Path(__file__).parent.parent
PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TOOL = runpy.run_path(str(ROOT / "tools" / "notebooks.py"))
OPENING = ["What you'll do", "What you'll learn", "What you'll need", "Time"]
ENDING = ["Recap", "In practice", "Check yourself", "Where next"]
TAGS = {"nbval-ignore-output", "raises-exception", "shows-stderr", "solution"}
NOT_COMPARED: dict[str, int] = {}  # how many cells of which notebook are nbval-ignore-output

every_notebook = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def read(path: Path, kind: str = "") -> list[NotebookNode]:
    cells = nbformat.read(path, as_version=4).cells
    return [cell for cell in cells if kind in ("", cell.cell_type)]


def prose(path: Path) -> str:
    """Return the Markdown without the code in it, with straight apostrophes."""
    text = "\n\n".join(cell.source for cell in read(path, "markdown"))
    return re.sub(r"^```.*?^```", "", text, flags=re.M | re.S).replace("’", "'")


def tags(cell: NotebookNode) -> list[str]:
    found: list[str] = cell.metadata.get("tags", [])
    return found


def shown(cell: NotebookNode) -> Iterator[str]:
    """Yield each text of the cell's outputs."""
    for output in cell.outputs:
        yield output.get("text", "")
        yield output.get("evalue", "")
        yield from output.get("traceback", [])
        for kind, value in output.get("data", {}).items():
            if not kind.startswith("image/"):
                yield str(value)


def section(text: str, label: str, labels: list[str]) -> str:
    """Return what stands under a label (a heading, or bold), up to the next of the labels."""
    either = "|".join(map(re.escape, labels))
    parts = re.split(rf"^(?:#+ *|\*+)({either})\b[.:*]*", text, flags=re.M)
    assert label in parts[1::2], f"{label} is missing"
    return parts[parts.index(label) + 1]


@every_notebook
def test_opens_with_what_the_learner_gets(path: Path):
    """Title, what one does, three to five things one learns, what one needs, and how long."""
    first = read(path)[0]
    assert first.cell_type == "markdown"
    text = first.source.replace("’", "'")
    assert re.match(r"# \S", text)
    for label in OPENING:
        assert section(text, label, OPENING).strip(), f"{label} is empty"
    bullets = re.findall(r"^[-*] ", section(text, "What you'll learn", OPENING), flags=re.M)
    assert 3 <= len(bullets) <= 5
    assert re.search(r"\d+ min", section(text, "Time", OPENING))


@every_notebook
def test_ends_with_what_the_learner_keeps(path: Path):
    """The last four sections are the same everywhere, with answers to unfold."""
    headings = re.findall(r"^## +(.+?) *$", prose(path), flags=re.M)
    assert headings[-4:] == ENDING
    questions = section(prose(path), "Check yourself", ENDING)
    assert questions.count("<details>") == questions.count("</details>") >= 2


@every_notebook
def test_first_cell_only_imports(path: Path):
    """If it failed in a task group, no kernel would ever answer (facts of nbval)."""
    statements = ast.parse(read(path, "code")[0].source).body
    assert statements
    assert all(isinstance(node, ast.Import | ast.ImportFrom) for node in statements)


@every_notebook
def test_is_committed_as_it_ran(path: Path):
    """Every code cell was run, in order, in a fresh kernel; what failed was meant to."""
    cells = read(path, "code")
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        failed = any(output.output_type == "error" for output in cell.outputs)
        wrote = any(output.get("name") == "stderr" for output in cell.outputs)
        assert failed == ("raises-exception" in tags(cell)), cell.source
        assert wrote <= ("shows-stderr" in tags(cell)), cell.source


@every_notebook
def test_nothing_is_skipped_in_silence(path: Path):
    """Only known tags, each ignored output counted, and no comment that nbval obeys."""
    cells = read(path, "code")
    every = [tag for cell in cells for tag in tags(cell)]
    assert set(every) <= TAGS
    assert every.count("nbval-ignore-output") == NOT_COMPARED.get(path.stem, 0)
    for cell in cells:
        assert not re.search(r"# *(NBVAL|PYTEST_VALIDATE)", cell.source)


@every_notebook
def test_is_of_a_size_to_be_read(path: Path):
    """Cells are short, and the prose is neither thin nor long."""
    lines = [len(cell.source.splitlines()) for cell in read(path, "code")]
    assert max(lines) <= 20
    assert statistics.median(lines) <= 6
    plain = re.sub(r"<[^>]+>|\]\([^)]*\)|`+", " ", prose(path))
    assert 900 <= len(re.findall(r"[^\W_][\w'-]*", plain)) <= 1800


@every_notebook
def test_outputs_name_no_machine(path: Path):
    """No folder, process or package registry of whoever ran it last."""
    folders = "home|root|Users|tmp|usr|opt|var|private|mnt"
    private = [re.escape(str(ROOT)), re.escape(str(Path.home())), r"ipykernel_\d"]
    private += [rf"(?<![\w.])/(?:{folders})/", r"\b[A-Z]:\\", r"https?://\S*(?:pypi|conda)"]
    for cell in read(path, "code"):
        for text in shown(cell):
            assert not re.search("|".join(private), text), text


@every_notebook
def test_links_lead_somewhere(path: Path):
    """Each relative link or picture names a file that is there, and each other is a full one."""
    text = prose(path)
    links = re.findall(r"\]\(([^)\s]+)", text) + re.findall(r"(?:src|href)=\"([^\"]+)\"", text)
    for link in links:
        if not re.match(r"https?://|#|data:", link):
            assert (path.parent / link.partition("#")[0]).exists(), link


@every_notebook
def test_holds_nothing_of_its_last_run(path: Path):
    """What `make notebooks` leaves: the same metadata everywhere, and no widget without kernel."""
    notebook = nbformat.read(path, as_version=4)
    assert notebook.metadata == TOOL["METADATA"]
    for cell in notebook.cells:
        assert set(cell.metadata) <= TOOL["CELL_METADATA"]
        for output in cell.get("outputs", []):
            assert TOOL["WIDGET"] not in output.get("data", {})
