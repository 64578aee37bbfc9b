"""Every benchmark runs, in a small form whose figures say nothing."""

import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROWS = {  # of each, all that are measured, where viztracer is installed
    "clock": [
        "200 load_data, 100 at once: fast-forward loop",
        "200 load_data, 100 at once: simulate",
        "200 load_data, 100 at once: simulate, run.lanes",
        "200 bare sleeps, 100 at once: fast-forward loop",
        "200 bare sleeps, 100 at once: simulate",
    ],
    "camera": [
        "100 tasks × 10 sleep(0): record",
        "100 tasks × 10 sleep(0): record",
        "100 tasks × 10 sleep(0): viztracer instead",
        "100 lanes: memory of a Run, for each",
    ],
    "drawing": ["picture of 50 lanes, to PNG", "picture of 100 lanes, to PNG"],
    "serving": [
        *["256 images, a forest, batches of 64"] * 2,
        "batched instead",
        "256 images, a forest, batches of 64",
        "async_batcher instead",
        *["500 requests, an empty model"] * 2,
        "2,000 requests on the fast clock, film=False",
        *["8 callers in a batch, one cancelled: the others right"] * 2,
        *["8 callers in a batch, one bad: the others right"] * 2,
    ],
    "api": [
        "100 HTTP loads, 5 % fail, 50/s let in: done",
        *(
            f"100 requests, 100 at once: {how}{real}"
            for how in ("patient", "patient workers", "patient", "patient", "record")
            for real in ("", ", real time")
        ),
        "101 recorded lanes: picture, to PNG",
    ],
    "database": [  # where there is a wheel
        f"16 queries of 10 ms, a pool of {size}: real time" for size in (1, 4, 16)
    ],
}
GOALS = {
    "200 load_data, 100 at once: simulate": "2.20",
    "100 tasks × 10 sleep(0): record": "2.20",
    "100 requests, 100 at once: patient": "1.10",
}


@functools.cache
def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize("name", ROWS)
def test_it_measures_all_that_it_should(name: str):
    """Each row is there with its figures, and those of which that is asked have their goal."""
    ran = bench("--small", name)
    assert (ran.returncode, ran.stderr) == (0, "")
    rows = [re.split(r" {2,}", line) for line in ran.stdout.splitlines()[6:-2]]
    assert [row[0] for row in rows if "is not installed" not in row] in (
        ROWS[name],
        list(dict.fromkeys(row for row in ROWS[name] if "viztracer" not in row)),
        [] if name == "database" else None,
    )
    for what, goal in GOALS.items():
        if what in ROWS[name]:
            first = next(row for row in rows if row[0] == what)
            assert re.fullmatch(r"[\d,]+ ms", first[1]) and float(first[4]) > 0
            assert f"≤ {goal}" in first
    # Of eight callers in a batch one leaves or is bad: the seven others are served right.
    assert {row[1] for row in rows if row[0].startswith("8 callers")} <= {"7 of 7"}


def test_what_there_is_not_is_said():
    """A name that is none lists those that are, and measures nothing."""
    ran = bench("--small", "speed")
    assert ran.returncode == 2
    there_are = "clock, camera, drawing, api, database, serving"
    assert ran.stdout == f"no benchmark speed; there are {there_are}\n"


def test_every_load_is_told():
    """Of so many some are done, and the others failed by name: none is lost."""
    row = next(line for line in bench("--small", "api").stdout.splitlines() if "HTTP" in line)
    done, failed, lost = re.search(r"done +(\d+) .* × 429 +(\d+) +([\d.]+)", row).groups()
    assert (int(done) + int(failed), lost) == (100, "0.00")
