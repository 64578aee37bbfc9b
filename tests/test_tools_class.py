"""`make class` makes a zip that is all a class needs, and a folder that is the teacher's."""

import ast
import json
import os
import runpy
import shutil
import subprocess
import sys
import sysconfig
import time
import zipfile
from pathlib import Path

import classroom
import nbformat
import pytest
from nbformat import NotebookNode

ROOT = Path(__file__).parent.parent
PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
READ_ME = runpy.run_path(str(ROOT / "tests" / "test_readme.py"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher's folder."""
    home = tmp_path_factory.mktemp("class")
    classroom.make(home)
    return home


def solutions(path: Path) -> list[NotebookNode]:
    cells = nbformat.read(path, as_version=4).cells
    return [cell for cell in cells if "solution" in cell.metadata.get("tags", [])]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_the_class_gets_no_solutions_and_the_teacher_all(made: Path, path: Path):
    """What the class gets shows and solves nothing; the teacher's shows what the reader's does."""
    given = made / "notebooks" / path.name
    nbformat.validate(nbformat.read(given, as_version=4))
    assert solutions(given) == []
    assert not any(cell.get("outputs") for cell in nbformat.read(given, as_version=4).cells)
    text = given.read_text(encoding="utf-8")
    for cell in solutions(path):
        assert json.dumps(cell.source)[1:-1] not in text
    assert (made / "solutions" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_no_cell_needs_a_solution(path: Path):
    """What a solution defines is used nowhere else, so that the rest runs without it."""
    alone = classroom.handout(json.loads(path.read_text(encoding="utf-8")))["cells"]
    code = ["".join(c["source"]) for c in alone if c["cell_type"] == "code"]
    plain = ["\n".join(x for x in text.splitlines() if x[:1] not in ("%", "!")) for text in code]
    nodes = [node for text in plain for node in ast.walk(ast.parse(text))]
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    defined = {getattr(node, "name", None) for node in nodes}
    for cell in solutions(path):
        for node in ast.parse(cell.source).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                assert node.name not in used - defined


def test_the_zip_holds_no_more_than_it_should(made: Path):
    """Neither solutions, tests nor what is the teacher's; and README speaks of what is there."""
    with zipfile.ZipFile(made / classroom.ZIP) as file:
        names = [name.partition("/")[2] for name in file.namelist()]
    tops = {name.partition("/")[0] for name in names}
    assert tops == {*classroom.FILES, "README.md", "docs", "helpers", "notebooks", "tools"}
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
    readme = (made / "README.md").read_text(encoding="utf-8")
    assert "make lab" in readme
    assert "make test" not in readme
    assert "make class" not in readme
    whole = (ROOT / "README.md").read_text(encoding="utf-8")
    for theirs in classroom.OTHERS:
        assert theirs in whole
        assert theirs not in readme
    assert "solution" not in readme


def test_the_zip_is_all_that_a_learner_needs(tmp_path: Path, made: Path):
    """Unzipped in an empty folder, README's lines install it, and a notebook runs to its end.

    Packages are not fetched: the new environment finds those of this one.
    """
    with zipfile.ZipFile(made / classroom.ZIP) as file:
        file.extractall(tmp_path)
    (home,) = tmp_path.iterdir()
    here = Path(sysconfig.get_path("purelib"))
    there = Path(sysconfig.get_path("purelib", "venv", {"base": str(home / ".venv")}))
    python = home / ".venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    own = os.environ | {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0"}
    own.pop("PYTHONPATH", None)

    def run(*command: str | Path, where: Path = home) -> str:
        done = subprocess.run(
            command, cwd=where, env=own, capture_output=True, text=True, timeout=240
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    first, *install, last = READ_ME["BY_HAND"]
    assert (first.split()[0], last.split()[1]) == ("py", r"tools\lab.py")
    run(sys.executable, *first.split()[1:])
    (there / "others.pth").write_text(f"import sys; sys.path.insert(0, {str(here)!r})\n")
    for line in install:
        run(python, *line.split()[1:])
    assert run(python, "tools/check.py") == "Everything is here.\n"
    told = run(python, "-c", "import helpers; print(helpers.__file__)", where=home / "docs")
    assert Path(told.strip()).parent == home / "helpers"
    opened = run(python, *last.replace("\\", "/").split()[1:], "--version")
    assert opened.count("new ") == len(PATHS)
    run(python, "-c", EXECUTE, "00_start_here.ipynb", where=home / "learn")


EXECUTE = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, kernel_name="python3", timeout=60).execute()
"""


def test_it_is_made_anew_but_throws_nothing_away(tmp_path: Path):
    """Twice is as good as once; what a teacher changed is named, and `learn/` is left alone."""
    home = tmp_path / "class"
    classroom.make(home)
    (home / "learn").mkdir()
    (home / "learn" / "mine.ipynb").write_text("mine")
    classroom.make(home)
    assert (home / "learn" / "mine.ipynb").read_text() == "mine"
    with zipfile.ZipFile(home / classroom.ZIP) as file:
        assert not [name for name in file.namelist() if "mine" in name]
    changed = home / "notebooks" / PATHS[0].name
    changed.write_text("mine")
    later = time.time() + 10
    os.utime(changed, (later, later))
    with pytest.raises(SystemExit, match=f"changed since it was made: .*{PATHS[0].name}"):
        classroom.make(home)
    assert changed.read_text() == "mine"
    shutil.rmtree(home / "notebooks")
    classroom.make(home)
    assert changed.exists()
