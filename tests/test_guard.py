"""The guard of the notebooks catches what strict nbval lets pass."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).parent.parent
STDERR = "Cell wrote on stderr and has no tag shows-stderr"
FAULTS = {
    "group": (STDERR, "ExceptionGroup: unhandled errors in a TaskGroup"),
    "never-awaited": (STDERR, "coroutine 'fail' was never awaited"),
    "unseen-error": (STDERR, "Task exception was never retrieved"),
    "waits": (STDERR, "after its cell"),  # by a task of the cell before, which nbval drops
    "never-run": ("The file holds no run of this cell: make notebooks", "compared with nothing"),
    "pending": ("The notebook leaves something behind", "Task is still pending"),
}
KEPT = "Task exception was never retrieved"  # by a task that a name still held


def check(folder: Path, *, guard: bool) -> tuple[dict[str, tuple[str, str]], int]:
    """Run strict nbval there; return reason and evidence for each cell that fails, and how many."""
    notebook = shutil.copy(ROOT / "tests/guard/must_fail.ipynb", folder)
    if guard:
        shutil.copy(ROOT / "notebooks/conftest.py", folder)
    arguments = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=60", "--color=no"]
    arguments += ["-c", str(ROOT / "pyproject.toml"), f"--rootdir={folder}", "-pno:cacheprovider"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, notebook],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    cells = nbformat.read(notebook, as_version=4).cells
    names = [cell.id for cell in cells if cell.cell_type == "code"]
    told = run.stdout.partition("short test summary info")[0]  # where CI is set it tells all again
    reports = re.split(r"^_+ must_fail\.ipynb::Cell (\d+) _+$", told, flags=re.M)[1:]
    failed = {}
    for number, report in zip(reports[::2], reports[1::2], strict=True):
        (reason,) = re.findall(rf"^Cell {number}: (.*)", report, flags=re.M)
        failed[names[int(number)]] = (reason, report)
    passed = int(re.search(r"(\d+) passed", run.stdout)[1])
    assert passed + len(failed) == len(names), run.stdout
    return failed, passed


def test_the_guard_fails_each_fault_for_its_reason(tmp_path: Path):
    """Each faulty cell fails, with its evidence; each faultless one passes."""
    failed, passed = check(tmp_path, guard=True)
    assert {name: reason for name, (reason, _) in failed.items()} == {
        name: reason for name, (reason, _) in FAULTS.items()
    }
    for name, (_, evidence) in FAULTS.items():
        assert evidence in failed[name][1]
    assert KEPT in failed["pending"][1]
    assert failed["pending"][1].count("still pending") == 1  # the kernel's own tasks are not
    assert passed


def test_without_the_guard_they_all_pass(tmp_path: Path):
    """It is the guard that catches them: nbval alone finds nothing."""
    failed, _ = check(tmp_path, guard=False)
    assert failed == {}
