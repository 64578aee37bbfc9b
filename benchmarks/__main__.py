"""Measure, and print one table: `python -m benchmarks [--small] [NAME]...`.

`--small` shows in some seconds that all of it works; its figures say nothing, and miss no goal.
"""

import os
import platform
import sys
import time

from . import api, camera, clock, database, drawing, serving
from .measure import Row

BENCHMARKS = {
    "clock": clock,
    "camera": camera,
    "drawing": drawing,
    "api": api,
    "database": database,
    "serving": serving,
}
SMALL = {
    "clock": {"rounds": 1, "loads": 200},
    "camera": {"rounds": 1, "tasks": 100, "lanes": 100},
    "drawing": {"rounds": 1, "lanes": 100},
    "api": {"rounds": 1, "loads": 100, "rate": 50},
    "database": {"rounds": 1, "queries": 16, "seconds": 0.01},
    "serving": {"rounds": 1, "images": 256, "requests": 500},
}
HEAD = ("what", "ours", "beside", "it", "ratio", "best", "goal", "")
WIDTHS = (54, 9, 27, 16, 6, 6, 6, 8)


def main(arguments: list[str]) -> int:
    """Run the benchmarks so named, or all; the exit status says whether each goal was met."""
    small = "--small" in arguments
    names = [name for name in arguments if name != "--small"]
    if unknown := set(names) - set(BENCHMARKS):
        print(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
        return 2
    began = time.perf_counter()
    print(f"Python {platform.python_version()}, {platform.platform()}, {os.cpu_count()} cores")
    print("Times are processor time of this process (and sleep, where a forest is served), or real")
    print("where so called, median of rounds; ratio is the median of the rounds' ratios, best that")
    print("of the fastest rounds.\n")
    _line(HEAD)
    met = True
    for name in names or BENCHMARKS:
        for row in BENCHMARKS[name].rows(**SMALL[name] if small else {}):
            _line(_cells(row))
            met = met and row.met
    verdict = "only a try" if small else "every goal met" if met else "a goal MISSED"
    print(f"\n{time.perf_counter() - began:.0f} s; {verdict}")
    return 0 if met or small else 1


def _cells(row: Row) -> tuple[str, ...]:
    ratios = ("" if ratio is None else f"{ratio:.2f}" for ratio in (row.ratio, row.best))
    goal = "" if row.goal is None else f"≤ {row.goal:.2f}"
    verdict = "" if row.goal is None else "met" if row.met else "MISSED"
    return (row.what, row.ours, row.beside, row.other, *ratios, goal, verdict)


def _line(cells: tuple[str, ...]) -> None:
    padded = (
        cell.ljust(width) if at in (0, 2, 7) else cell.rjust(width)
        for at, (cell, width) in enumerate(zip(cells, WIDTHS, strict=True))
    )
    print("  ".join(padded).rstrip(), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
