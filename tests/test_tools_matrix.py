"""The matrix goes on, comes to an end, and does not call well what is not."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parent.parent / "tools" / "matrix.py"


def test_a_missing_python_is_said_and_the_others_go_on():
    """Its row says so, the next Python has its rows, and all in all it is no success."""
    arguments = ["--list", "--python", "no-such-python", "--python", sys.executable]
    ran = subprocess.run([sys.executable, TOOL, *arguments], capture_output=True, text=True)
    lines = [line.split() for line in ran.stdout.splitlines()]
    assert ["no-such-python", "missing"] in lines
    assert [line[1] for line in lines if line[2:3] == ["tests"]][:2] == ["==6.31.*", "==7.3.*"]
    assert (ran.returncode, ran.stderr) == (1, "")


def test_nothing_but_what_was_asked_for():
    """One Python and one kernel make one row, and a success."""
    arguments = ["--list", "--python", sys.executable, "--ipykernel", "7.3"]
    ran = subprocess.run([sys.executable, TOOL, *arguments], capture_output=True, text=True)
    _, *checks = ran.stdout.splitlines()[-1].split()
    browser = ["tests/browser/test_voila.py", *["tests/browser"] * 3]
    assert checks == ["==7.3.*", "tests", "tests/worst", "notebooks", *browser]
    assert ran.returncode == 0


def test_what_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path):
    """A check that hangs fails, its log says why, and no process of it is left."""
    run = runpy.run_path(str(TOOL))["run"]
    run.__globals__["LIMIT"] = 3
    fifo, log = tmp_path / "fifo", tmp_path / "log"
    os.mkfifo(fifo)
    reader = os.fdopen(os.open(fifo, os.O_RDONLY | os.O_NONBLOCK))
    os.set_blocking(reader.fileno(), True)
    child = f"import time; f = open({str(fifo)!r}, 'w'); time.sleep(20); f.write('I live')"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    assert not run([sys.executable, "-c", code], log)
    with reader:
        assert reader.read() == ""
    assert "took longer than 3 s" in log.read_text()
    assert run([sys.executable, "-c", ""], log)
