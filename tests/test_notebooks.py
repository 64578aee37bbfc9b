"""The shape of every notebook: its anatomy, its cells, its outputs and its links."""

import ast
import builtins
import re
import runpy
import statistics
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from minutes import EXERCISE, measure, parts, words
from nbformat import NotebookNode

ROOT = Path(__file__).parent.parent
PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TOOL = runpy.run_path(str(ROOT / "tools" / "notebooks.py"))
MINUTES = {"00_start_here": 30}  # of the core, at most; else 50
OPENING = ["What you'll do", "What you'll learn", "What you'll need", "Time"]
ENDING = ["Recap", "Check yourself", "Going deeper (optional)", "In practice", "Where next"]
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
    core, optional = map(measure, parts(read(path)))
    said = re.search(r"(\d+) minutes; (\d+) more if you go deeper", section(text, "Time", OPENING))
    assert said and said.groups() == (str(core.minutes), str(optional.minutes))


@every_notebook
def test_its_core_fits_a_lesson(path: Path):
    """By the model of `tools/minutes.py`: at most 50 minutes, 40 code cells and 1,100 words."""
    core, _ = map(measure, parts(read(path)))
    assert core.minutes <= MINUTES.get(path.stem, 50)
    assert core.code_cells <= 40
    assert core.words <= 1100
    assert core.exercises == 1 or path.stem in MINUTES
    assert core.predictions >= 3


@every_notebook
def test_stands_in_the_order_that_all_share(path: Path):
    """Three or four sections with numbers, what the learner keeps, and what is optional."""
    headings = re.findall(r"^## +(.+?) *$", prose(path), flags=re.M)
    assert headings[-5:] == ENDING
    numbers = [int(heading[0]) for heading in headings if heading[0].isdigit()]
    assert numbers in ([1, 2, 3], [1, 2, 3, 4])
    questions = section(prose(path), "Check yourself", ENDING)
    assert questions.count("<details>") == questions.count("</details>") >= 2


def bound(tree: ast.AST) -> set[str]:
    """Return the names that the cells of this code bind, at any depth."""
    stored = {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            stored.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            stored |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    return stored


def code(cells: list[NotebookNode]) -> ast.Module:
    """Return what the code cells hold, magics left out."""
    sources = [cell.source for cell in cells if cell.cell_type == "code"]
    lines = "\n".join(sources).splitlines()
    return ast.parse("\n".join(line for line in lines if not line.startswith(("%", "!"))))


@every_notebook
def test_what_is_optional_stands_on_the_core_alone(path: Path):
    """No section of *Going deeper* uses a name that another one of them makes."""
    core, optional = parts(read(path))
    sections: list[list[NotebookNode]] = []
    for cell in optional:
        if cell.cell_type == "markdown" and re.search(r"^### ", cell.source, re.M):
            if not EXERCISE.search(cell.source):
                sections.append([])
        if sections:
            sections[-1].append(cell)
    in_core = bound(code(core))
    in_section = [bound(code(cells)) for cells in sections]
    for at, cells in enumerate(sections):
        elsewhere = set[str]().union(*in_section[:at], *in_section[at + 1 :])
        loaded = {
            node.id
            for node in ast.walk(code(cells))
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
        }
        borrowed = (loaded & elsewhere) - in_core - in_section[at] - set(dir(builtins))
        assert not borrowed, (cells[0].source.splitlines()[0], borrowed)


@every_notebook
def test_exercises_have_a_stub_a_check_and_a_solution(path: Path):
    """Each solution is folded, and says in its first line what it is."""
    cells = read(path)
    solutions = [cell for cell in cells if "solution" in tags(cell)]
    assert len(solutions) == sum(len(EXERCISE.findall(c.source)) for c in read(path, "markdown"))
    for cell in solutions:
        assert cell.source.startswith("# Solution\n")
        assert cell.metadata.jupyter.source_hidden


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
    assert statistics.median(lines) <= 5
    assert 900 <= words("\n\n".join(c.source for c in read(path, "markdown"))) <= 2000


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
