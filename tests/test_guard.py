"""The guard of the notebooks catches what strict nbval lets pass, and what a notebook leaves."""

import os
import re
import runpy
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
import psutil
import pytest

ROOT = Path(__file__).parent.parent
STDERR = "Cell wrote on stderr and has no tag shows-stderr"
FAULTS = {
    "group": (STDERR, "ExceptionGroup: unhandled errors in a TaskGroup"),
    "never-awaited": (STDERR, "coroutine 'fail' was never awaited"),
    "unseen-error": (STDERR, "Task exception was never retrieved"),
    "waits": (STDERR, "after its cell"),  # by a task of the cell before, which nbval drops
    "never-run": ("The file holds no run of this cell: make notebooks", "compared with nothing"),
    "pending": ("The notebook leaves something behind", "first seen after"),
}
KEPT = "Task exception was never retrieved"  # by a task that a name still held
LEFT = {  # by which cell
    "environment": "os.environ['LEFT'] is 'by the notebook', was 'absent'",
    "warning-filter": "warnings.filters ('ignore', None, <class 'RuntimeWarning'>, None, 0) is",
    "path": "sys.path 'elsewhere' is",
    "thread": "Thread still runs: forgotten",
    "executor": "Thread still runs: pool_0",
    "to-thread": "Thread still runs: asyncio_0",
    "child": "Process is still there: ",
    "let-go": "Process is still there: ",
    "tracker": "Process is still there: ",
    "shared-memory": "Shared memory is left: /dev/shm/",
    "socket": "Socket is still open: AF_INET ('127.0.0.1', ",
    "loop": "Socket is still open: AF_UNIX (two in each open event loop)",
    "temporary-file": "File is left: ",
    "file": "File is left: ",
    "handler": "the loop's exception handler is",
    "factory": "the loop's task factory is",
    "method": "loop.call_soon is",
    "policy": "the event-loop policy is",
    "sleep": "time.sleep is",
    "signal": "the handler of signal",
    "backend": "matplotlib's backend is 'agg', was",
    "folder": "os.getcwd() is '/', was",
    "nest": "asyncio.Task is <class 'asyncio.tasks.Task'>, was",
    "stdout": "sys.stdout is <_io.StringIO",
    "stderr": "sys.stderr is <_io.StringIO",
    "debug": "the loop's debug mode is True, was False",
    "tracing": "tracemalloc.is_tracing() is True, was False",
    "pending": "Task is still pending: ",
}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a path so short that kernels can be reached by files in it."""
    with tempfile.TemporaryDirectory(prefix="guard-") as name:
        yield Path(name)


def check(folder: Path, *, guard: bool) -> tuple[dict[str, tuple[str, str]], list[str]]:
    """Run strict nbval there; return reason and evidence of each cell that fails, and all cells."""
    (folder / "temporary").mkdir()
    home = folder / "notebooks"
    home.mkdir()
    shutil.copy(ROOT / "tests/guard/library.py", home)
    names = {}
    for notebook in ["must_fail.ipynb", "must_pass.ipynb"][: 1 + guard]:
        path = shutil.copy(ROOT / "tests/guard" / notebook, home)
        cells = nbformat.read(path, as_version=4).cells
        ids = [cell.id for cell in cells if cell.cell_type == "code"]
        names |= {(notebook, number): name for number, name in enumerate(ids)}
    arguments = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=60", "--color=no"]
    arguments += ["-c", str(ROOT / "pyproject.toml"), f"--rootdir={folder}", "-pno:cacheprovider"]
    arguments += ["-pguard.plugin"] * guard
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, "notebooks"],
        cwd=folder,
        env=os.environ | {"TMPDIR": str(folder / "temporary")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    told = run.stdout.partition("short test summary info")[0]  # where CI is set it tells all again
    reports = re.split(r"^_+ notebooks/(.+)::Cell (\d+) _+$", told, flags=re.M)[1:]
    failed = {}
    for notebook, number, report in zip(*[iter(reports)] * 3, strict=True):
        (reason,) = re.findall(rf"^Cell {number}: (.*)", report, flags=re.M)
        failed[names[notebook, int(number)]] = (reason, report)
    passed = int(re.search(r"(\d+) passed", run.stdout)[1])
    assert passed + len(failed) == len(names), run.stdout
    return failed, list(names.values())


def test_the_guard_fails_each_fault_for_its_reason(folder: Path):
    """Each faulty cell fails, with its evidence; each faultless one passes.

    What was left is named, each with the cell that left it, and nothing besides: not the kernel's
    own tasks, nor what a library sets, nor the thread that waits in the pool of the loop.
    """
    failed, cells = check(folder, guard=True)
    assert {name: reason for name, (reason, _) in failed.items()} == {
        name: reason for name, (reason, _) in FAULTS.items()
    }
    for name, (_, evidence) in FAULTS.items():
        assert evidence in failed[name][1]
    told = failed["pending"][1]
    assert KEPT in told
    found = re.findall(r"^(.*) \(first seen after Cell (\d+)\)$", told, flags=re.M)
    by_cell: dict[str, list[str]] = {}
    for text, number in found:
        by_cell.setdefault(cells[int(number)], []).append(text)
    assert by_cell.keys() == LEFT.keys()
    for name, start in LEFT.items():
        assert any(text.startswith(start) for text in by_cell[name]), by_cell[name]
    assert told.count("still pending") == 1
    assert list((folder / "temporary").iterdir()) == []  # what was left there is removed


def test_without_the_guard_they_all_pass(folder: Path):
    """It is the guard that catches them: nbval alone finds nothing."""
    failed, _ = check(folder, guard=False)
    assert failed == {}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it has no names to be found by")
def test_the_shared_memory_of_others_is_theirs():
    """It is told of if a process of the notebook's has it, or had it; and of others not at all."""
    leftovers = runpy.run_path(str(ROOT / "tests/guard/leftovers.py"))
    found, shared, used = leftovers["shared_memory"], Path(leftovers["SHARED"]), set[str]()
    code = "from multiprocessing.shared_memory import SharedMemory; "
    code += "m = SharedMemory(create=True, size=9); "
    code += "print(m.name, flush=True); input(); __import__('os')._exit(0)"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        path = shared / process.stdout.readline().decode().strip()
        assert list(found(used, set())) == []
        told = [((str(shared), path.name), f"Shared memory is left: {path}")]
        assert list(found(used, {process.pid})) == told
        for tracker in psutil.Process(process.pid).children():
            tracker.kill()  # it would remove what the process leaves
        process.communicate(b"\n")
    assert list(found(used, set())) == told
    path.unlink()
    assert list(found(used, set())) == []
