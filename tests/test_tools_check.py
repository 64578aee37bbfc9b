"""`python tools/check.py` names what is missing, and the command that mends it."""

import ast
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
FINE = "Everything is here.\n"


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A folder of the course, with a notebook and without helpers."""
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    (tmp_path / "notebooks").mkdir()
    nbformat.write(new_notebook(), tmp_path / "notebooks" / "00_start_here.ipynb")
    return tmp_path


def check(course: Path, before: str = "", fine: bool = False, where: str = "") -> list[str]:
    """Run the check after some preparation, and return its lines."""
    tool = course / "tools" / "check.py"
    code = f"import runpy, sys; sys.path.insert(0, {str(tool.parent)!r}); {before}\n"
    code += f"runpy.run_path({str(tool)!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=course / where, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0 if fine else 1, "")
    assert (done.stdout == FINE) == fine
    return done.stdout.splitlines()


def test_all_is_well_here():
    """One line, the same on each machine, from whatever folder it is run."""
    check(ROOT, fine=True)
    check(ROOT, fine=True, where="notebooks")


def test_it_looks_for_all_that_the_course_asks_for():
    """What pyproject.toml asks for on this Python, and no more, by the names to install."""
    code = "import check, json; print(json.dumps(sorted(check.NEEDED.values())))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT / "tools", capture_output=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = map(Requirement, project["dependencies"])
    names = sorted(r.name for r in asked if r.marker is None or r.marker.evaluate())
    assert ast.literal_eval(done.stdout.decode()) == names


def test_what_is_missing_is_named_with_what_mends_it(course: Path):
    """All missing packages in one line, and a command for this very Python that pip knows."""
    hidden = "sys.modules['tqdm'] = sys.modules['sklearn'] = None; import importlib.util as u; "
    hidden += "old = u.find_spec; u.find_spec = lambda n: sys.modules.get(n, n) and old(n)"
    missing, mend = check(course, hidden)
    assert missing == "Missing: scikit-learn, tqdm."
    command = shlex.split(mend.partition(": ")[2])
    assert command == [
        *(sys.executable, "-m", "pip", "install", "-r"),
        str(course / "requirements.txt"),
    ]


def test_missing_helpers_are_named(course: Path):
    """The course's own package is no package of a registry: it is installed from its folder."""
    hidden = "import importlib.util as u; old = u.find_spec; "
    hidden += "u.find_spec = lambda n: None if n == 'helpers' else old(n)"
    missing, mend = check(course, hidden)
    assert missing == "Missing: helpers, the course's own."
    assert mend.endswith(f"pip install --no-deps -e {course}")


def test_helpers_of_another_version_are_named(course: Path):
    """An environment may hold the helpers of another copy; the same ones elsewhere do as well."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "helpers", course / "helpers", ignore=ignored)
    check(course, fine=True)
    (course / "helpers" / "later.py").touch()
    what, mend = check(course)
    assert what.startswith(f"Python takes the helpers from {ROOT / 'helpers'}, which are not")
    assert mend.endswith(f"pip install --no-deps -e {course}")


@pytest.mark.parametrize("name", ["helpers.py", "aiohttp/__init__.py", "random.py"])
@pytest.mark.parametrize("where", ["", "notebooks"])
def test_a_foreign_module_beside_a_notebook_is_named(course: Path, name: str, where: str):
    """The helpers, a package or a module of Python's own, hidden by a file of the same name."""
    path = course / "notebooks" / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    what, mend = check(course, where=where)
    hides = course / "notebooks" / name.partition("/")[0]
    assert what.startswith(f"{hides} hides the {hides.stem} ")
    assert "another name" in mend


def test_a_kernel_that_hangs_is_named(course: Path):
    """The mend asks for what pyproject.toml asks for."""
    faked = "import importlib.metadata as m; m.version = lambda name: '7.1.0'"
    what, mend = check(course, faked)
    assert "7.0 to 7.3" in what
    assert shlex.split(mend)[-1] == "ipykernel<7"


def test_an_old_python_gets_the_sentence_of_the_preflight(course: Path):
    """It is told what to install; and the check can be read by Python 3.6."""
    (what,) = check(course, "sys.version_info = (3, 8, 1)")
    assert "needs Python 3.11" in what
    ast.parse((ROOT / "tools/check.py").read_text(), feature_version=(3, 6))


@pytest.mark.parametrize("foreign", [False, True])
def test_a_notebook_can_run_it(course: Path, foreign: bool):
    """In a cell it says the same, and no traceback."""
    if foreign:
        (course / "notebooks" / "helpers.py").touch()
    notebook = new_notebook(cells=[new_code_cell("%run -e ../tools/check.py")])
    folder = {"metadata": {"path": str(course / "notebooks")}}
    NotebookClient(notebook, kernel_name="python3", resources=folder).execute()
    (output,) = notebook.cells[0].outputs
    assert output.name == "stdout"
    assert (output.text == FINE) != foreign
    assert ("hides the helpers" in output.text) == foreign
