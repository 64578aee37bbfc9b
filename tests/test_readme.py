"""The README promises only what is there."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from matplotlib.image import imread
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).parent.parent
STAMPS = ["installed", "installed-tests"]  # of what make need not install again
README = (ROOT / "README.md").read_text(encoding="utf-8")
ROW = re.compile(r"\| \[(\w+)\]\(notebooks/\1\.ipynb\) \| [^|]+ \| (\d+) \|")
# Where a target of make is run that takes too long here, or says too much.
RUN_ELSEWHERE = {
    "class": "test_tools_class.py::test_the_zip_is_all_that_a_learner_needs",
    "lab": "test_project.py::test_lab_opens_the_first_notebook",
    "test": "test_readme.py::test_make_test_checks_everything",
}
# Said by `make help` alone, and run over a copy, since they change what lies there.
OVER_A_COPY = {"clean", "picture"}
# With arguments that give it little to do, and what it then says.
SMALL = {
    "bench": ("--small clock", "only a try"),
    "help": ("", "make lab "),
    "notebooks": ("{notebook}", "small.ipynb: "),
    "test-all": ("--list --python {python} --ipykernel 7.3", "==7.3.*"),
}
# What `make test` runs, and what all targets need.
PARTS = {"lint", "types", "unit", "nbval", "browser", "install"}
# Conda is not there where tests run: test_project.py compares its file with what is tested.
BY_CONDA = [
    "conda env create -f environment.yml",
    "conda activate async-ai-notebooks",
    "python tools/lab.py",
]
# Without make; run by test_tools_class.py, as it is typed elsewhere than on Windows.
BY_HAND = [
    "py -m venv .venv",
    r".venv\Scripts\python -m pip install -r requirements.txt",
    r".venv\Scripts\python -m pip install --no-deps -e .",
    r".venv\Scripts\python tools\lab.py",
]


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
    """One screen, where it is drawn: whoever opens it sees all of it."""
    assert len(README.splitlines()) <= 60


def commands() -> list[str]:
    """All that README says to type."""
    blocks = "\n".join(re.findall(r"^```\n(.*?)^```", README, re.M | re.S))
    lines = [line.partition("#")[0].strip() for line in blocks.splitlines()]
    return [*filter(None, lines), *re.findall(r"`((?:make|python) [^`]+)`", README)]


def make(*arguments: str, at: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run make with the environment that runs this test, as one that needs nothing installed."""
    own = [f"VENV={sys.prefix}", "--no-print-directory"]
    done = [part for name in STAMPS for part in ("-o", f"{sys.prefix}/{name}")]
    command = ["make", *own, *done, *arguments]
    return subprocess.run(command, cwd=at, capture_output=True, text=True, timeout=240)


def test_every_command_is_known():
    """What README says to type is run below or elsewhere, with less to do, and nothing besides."""
    made = {command.split()[1] for command in commands() if command.startswith("make ")}
    assert made == {*RUN_ELSEWHERE, *SMALL}
    helped = {line.split()[1] for line in make("help").stdout.splitlines()}
    assert helped == {*made, *OVER_A_COPY, *PARTS}
    by_hand = [c for c in commands() if not c.startswith("make ")]
    assert by_hand == [*BY_HAND, *BY_CONDA, "python tools/check.py"]
    for target, test in RUN_ELSEWHERE.items():
        file, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), target


@pytest.mark.parametrize("command", [c for c in commands() if c.startswith("make ")])
def test_make_knows_what_to_do(command: str):
    """Each is run as it stands, but that make says what it would do and does not."""
    ran = make("-n", *shlex.split(command)[1:])
    assert ran.returncode == 0, ran.stderr
    said = ran.stdout + ran.stderr
    for argument in shlex.split(command)[2:]:
        assert argument.partition("=")[2] in said


def test_make_test_checks_everything():
    """All five checks are made, each by what is installed."""
    said = make("-n", "test").stdout
    for words in "ruff check", "mypy", "tests --ignore", "--nbval ", "tests/browser\n":
        assert words in said


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What two targets of make change is changed there."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in "docs", "tools":
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_the_picture_is_drawn(copy: Path):
    """By `make picture`, as large as the one that README shows."""
    (picture,) = re.findall(r"!\[[^]]*\]\((docs/[^)]+)\)", README)
    (copy / picture).write_bytes(b"old")
    ran = make("picture", at=copy)
    assert (ran.returncode, ran.stderr) == (0, "")
    drawn, shown = (imread(place / picture) for place in (copy, ROOT))
    assert drawn.shape == shown.shape
    assert drawn.min() < drawn.max()


def test_clean_removes_what_tools_left_and_no_more(copy: Path):
    """The environment and what lies about; what learners and teachers made there stays."""
    before = {path.name for path in copy.iterdir()} | {"learn", "class"}
    left = [".venv", ".venv-matrix", "test-artifacts", "async_ai_notebooks.egg-info", "build"]
    left += [".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache"]
    for name in [*left, "learn", "class"]:
        (copy / name).mkdir()
        (copy / name / "file").touch()
    subprocess.run(["make", "clean"], cwd=copy, check=True, capture_output=True)
    assert {path.name for path in copy.iterdir()} == before


@pytest.mark.parametrize("target", SMALL)
def test_it_runs(tmp_path: Path, target: str):
    """Run for real, with arguments that give it little to do, each comes to a good end."""
    path = tmp_path / "small.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("print(6 * 7)")]), path)
    arguments, said = SMALL[target]
    ran = make(target, f"ARGS={arguments.format(notebook=path, python=sys.executable)}")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert said in ran.stdout


def test_each_installation_has_two_parts():
    """What learners need is installed first, and alone unless tests are to run."""
    own = ["VENV=elsewhere", "--no-print-directory", "-n"]
    ran = subprocess.run(["make", *own, "lab"], cwd=ROOT, capture_output=True, text=True)
    assert "tools/install.py elsewhere requirements.txt ." in ran.stdout
    assert "requirements-test.txt" not in ran.stdout
    ran = subprocess.run(["make", *own, "unit"], cwd=ROOT, capture_output=True, text=True)
    learners = ran.stdout.index("tools/install.py elsewhere requirements.txt .")
    assert learners < ran.stdout.index("tools/install.py elsewhere requirements-test.txt")
