"""Measure, and print one table: `python -m benchmarks [clock] [camera] [drawing]`."""

import os
import platform
import sys
import time

from . import camera, clock, drawing
from .measure import ROUNDS, Row

BENCHMARKS = {"clock": clock, "camera": camera, "drawing": drawing}
HEAD = ("what", "ours", "beside", "it", "ratio", "best", "goal", "")
WIDTHS = (54, 9, 27, 16, 6, 6, 6, 8)


def main(names: list[str]) -> int:
    """Run the benchmarks so named, or all; the exit status says whether each goal was met."""
    if unknown := set(names) - set(BENCHMARKS):
        print(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
        return 2
    began = time.perf_counter()
    print(f"Python {platform.python_version()}, {platform.platform()}, {os.cpu_count()} cores")
    print(
        f"Times are processor time of this process, median of {ROUNDS} rounds, all taking turns;\n"
        "ratio is the median of the rounds' ratios, best that of the fastest rounds.\n"
    )
    _line(HEAD)
    met = True
    for name in names or BENCHMARKS:
        for row in BENCHMARKS[name].rows():
            _line(_cells(row))
            met = met and row.met
    print(f"\n{time.perf_counter() - began:.0f} s; {'every goal met' if met else 'a goal MISSED'}")
    return 0 if met else 1


def _cells(row: Row) -> tuple[str, ...]:
    ratios = ("" if ratio is None else f"{ratio:.2f}" for ratio in (row.ratio, row.best))
    goal = "" if row.goal is None else f"≤ {row.goal:.1f}"
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
