"""Test the course on each Python and each kernel that it is meant for, and say it in one table.

Usage: python tools/matrix.py [--list] [--short] [--python P ...] [--ipykernel V ...] [-k WORDS]

Each Python gets an environment of its own in `.venv-matrix/`: the pinned set, with another
ipykernel. The unit tests run once a Python, all notebooks by nbval; then the browser drives them
under Voilà, and with each way in which JupyterLab can reach widgets. A failure ends nothing but
itself; its log is named at the end.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
HOME = ROOT / ".venv-matrix"
PINNED = ["requirements.txt", "requirements-test.txt"]
PYTHONS = ["3.11", "3.12", "3.13", "3.14", "3.15"]
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
NEWEST = next(ask for ask in DECLARED if ask.startswith("ipykernel")).removeprefix("ipykernel")
KERNELS = ["==6.31.*", "==7.3.*", NEWEST]  # the pinned one; one with subshells; the newest good
WAYS = ["disabled", "perCommTarget", "perComm"]  # JupyterLab's commsOverSubshells
BROWSER = ["tests/browser", "--ignore", "tests/browser/test_voila.py"]
CHECKS = {
    "unit": ["tests", "--ignore", "tests/browser"],  # for one kernel of each Python
    "worst": ["tests/worst"],  # once more for the others
    "nbval": ["notebooks"],
    "voila": ["tests/browser/test_voila.py"],
    **dict.fromkeys(WAYS, BROWSER),
}
LONG = "hundred or catches or never_lets"  # what computes much, with any kernel
SHORT = {
    "worst": ["tests/worst", "-k", f"not ({LONG})"],
    "nbval": ["notebooks/02_event_loop.ipynb", "-n", "0"],
    "perComm": ["tests/browser/test_kernels.py", "-n", "2"],
}
PIP = ["-m", "pip", "--disable-pip-version-check", "install", "--no-compile", "--quiet"]
TESTS = ["-n", "4", "--dist", "load", "--maxschedchunk", "1"]
NBVAL = ["-n", "4", "--dist", "loadfile", "-p", "guard.plugin", "--nbval", "--nbval-current-env"]
NBVAL += ["--nbval-cell-timeout", "60", "--nbval-sanitize-with", "tests/guard/sanitize.cfg"]
LIMIT = 1800  # seconds for one check; the longest takes a quarter of that


def run(command: list[str], log: Path, environment: dict[str, str] | None = None) -> bool:
    """Run a command to its end, or to the limit; tell whether all is well."""
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | (environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            return process.wait(LIMIT) == 0
        except subprocess.TimeoutExpired:
            file.write(f"\nIt took longer than {LIMIT} s.\n")
            return False
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def answer(*command: str) -> str:
    """What a command prints, or nothing if it fails or takes too long."""
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=300)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ran.stdout.strip() if ran.returncode == 0 else ""


def version(python: str) -> str:
    """The version of a Python, such as 3.12.1, or nothing if there is none that runs."""
    return answer(python, "-c", "import platform; print(platform.python_version())")


def newest(python: str, specifier: str) -> str:
    """The version of ipykernel that pip takes for a specifier, or nothing."""
    ask = [*PIP, "--dry-run", "--ignore-installed", "--no-deps", "--report", "-"]
    report = answer(python, *ask, f"ipykernel{specifier}")
    return json.loads(report)["install"][0]["metadata"]["version"] if report else ""


def environment(python: str, log: Path) -> tuple[str, bool]:
    """Make the environment of a Python, if there is none.

    Return the Python in it, and whether the pinned sets have just come there by copying.
    """
    there = version(python)
    home = HOME / there.rpartition(".")[0]
    inside = str(home / "bin" / "python")
    copied = False
    if version(inside) != there:
        partial = HOME / "partial"
        for old in home, partial:
            shutil.rmtree(old, ignore_errors=True)
        if there == version(sys.executable) and Path(sys.prefix, "installed-tests").exists():
            shutil.copytree(sys.prefix, partial, symlinks=True)  # quicker than to install
            partial.rename(home)
            copied = True
        else:
            run([python, "-m", "venv", str(home)], log)
    return inside, copied


def install(python: str, kernel: str, log: Path, copied: bool) -> bool:
    """Install the pinned sets, with this ipykernel in place of the pinned one."""
    if copied:
        return run([python, *PIP, "--no-deps", f"ipykernel=={kernel}"], log)
    pins = "".join((ROOT / name).read_text(encoding="utf-8") for name in PINNED)
    wanted = Path(python).parents[1] / "requirements.txt"
    wanted.write_text(re.sub("(?m)^ipykernel==.*", f"ipykernel=={kernel}", pins), encoding="utf-8")
    return run([python, *PIP, "--requirement", str(wanted)], log) and run(
        [python, *PIP, "--no-deps", "--editable", str(ROOT)], log
    )


def check(python: str, name: str, what: list[str], words: str, log: Path) -> str:
    """Run one of the checks; return ok or failed, how long it took, and how many were skipped."""
    options = NBVAL if name == "nbval" else TESTS
    options = [*options, *what, *(["-k", words] if name in WAYS else [])]
    start = time.monotonic()
    fine = run(
        [python, "-m", "pytest", "-p", "no:cacheprovider", *options],
        log,
        {
            "COMMS_OVER_SUBSHELLS": name if name in WAYS else WAYS[1],
            "CI": "1",  # without a browser, fail
            "THOROUGH": "2" if name == "voila" else "1",
        },
    )
    skipped = re.search(r", \d+ skipped", log.read_text(encoding="utf-8", errors="replace"))
    took = f"{'ok' if fine else 'FAILED'} {time.monotonic() - start:.0f} s"
    return took + (skipped[0] if skipped else "")


def table(rows: list[list[str]]) -> str:
    """Return rows as text, in columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines)


def main() -> None:
    """Run what was asked for, and exit with an error unless all of it is well."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--list", action="store_true", help="say what would be run")
    parser.add_argument("--short", action="store_true", help="what differs most, for CI")
    parser.add_argument("--python", action="append", help="such as 3.12 or /path/to/python")
    parser.add_argument("--ipykernel", action="append", help="such as 7.3 or 6.31.0")
    parser.add_argument("-k", dest="words", default="", help="browser tests to run, as pytest's -k")
    asked = parser.parse_args()
    kernels = [f"=={kernel}.*" for kernel in asked.ipykernel or []] or KERNELS
    pythons, checks = asked.python or PYTHONS, CHECKS
    if asked.short:
        pythons, kernels, checks = asked.python or [sys.executable], kernels[1:2], SHORT
    commands = [f"python{name}" if re.fullmatch(r"[\d.]+", name) else name for name in pythons]

    logs = HOME / "logs"
    rows, bad = [["Python", "ipykernel", *checks]], []

    def row(python: str, kernel: str, *cells: str) -> None:
        rows.append([python, kernel, *cells, *[""] * (len(checks) - len(cells))])
        print("  ".join(filter(None, rows[-1])), flush=True)

    for command in commands:
        here = version(command)
        if not here:
            bad.append(f"{command}: there is none that runs; name one, as --python /path/to/python")
            row(command, "", "missing")
            continue
        if asked.list:
            for kernel in kernels:
                row(here, kernel, *(what[0] for what in checks.values()))
            continue
        logs.mkdir(parents=True, exist_ok=True)
        done: set[str] = set()
        installed = logs / f"{here}-install.log"
        python, copied = environment(command, installed)
        for specifier in kernels:
            kernel = newest(python, specifier)
            if kernel in done:
                row(here, f"{kernel} ({specifier})", "as above")
                continue
            if not kernel or not install(python, kernel, installed, copied):
                bad.append(f"{here}, ipykernel{specifier} was not installed: {installed}")
                row(here, specifier, "FAILED")
                continue
            done.add(kernel)
            cells = []
            for name, what in checks.items():
                if name == "unit" and len(done) > 1:
                    cells.append("as above")
                    continue
                log = logs / f"{here}-{kernel}-{name}.log"
                cells.append(check(python, name, what, asked.words, log))
                print(f"{here} {kernel} {name}: {cells[-1]}", flush=True)
                if cells[-1].startswith("FAILED"):
                    bad.append(f"{here}, ipykernel {kernel}, {name} failed: {log}")
            row(here, kernel, *cells)
    print("", table(rows), *bad, sep="\n")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
