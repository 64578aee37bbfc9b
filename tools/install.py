"""Make the environment and install into it, and say how far that is.

Usage: python tools/install.py ENVIRONMENT WHAT [WHAT ...]

What there is to install is a file of requirements, or the folder of a package, which then may be
edited. A line at least every five seconds: on a terminal, one that is written over.
"""

import os
import queue
import re
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from preflight import problem

# Not compiled: most of it is never used, and what is, Python compiles then.
PIP = ["-m", "pip", "install", "--disable-pip-version-check", "--no-compile", "--no-input"]
PIP += ["--progress-bar", "off"]
PATIENCE = 5.0  # seconds without a word
PACE = 1.0  # seconds between two lines, where they stay
INSTALLING = "Installing collected packages: "
COLLECTED = re.compile(r"(?:Collecting|Requirement already satisfied:) ([\w.-]+)")


class Teller:
    """Says how far it is: neither too often nor too seldom."""

    def __init__(self) -> None:
        self.start = self.last = time.monotonic()
        self.text = ""
        self.terminal = sys.stdout.isatty()

    def say(self, text: str, always: bool = False) -> None:
        """Say what is going on, and after a while say again that it still is."""
        now = time.monotonic()
        fresh = text != self.text and (self.terminal or now - self.last >= PACE)
        if fresh or always or now - self.last >= PATIENCE:
            self.last, self.text = now, text
            line = f"{text} ({now - self.start:.0f} s)"
            print(f"\r{line[:78]:<78}" if self.terminal else line, end="", flush=True)
            print(end="\n" * (always or not self.terminal), flush=True)


def lines(command: list[str]) -> Iterator[str]:
    """Run a command and yield what it prints, with an empty line each time it is silent; or exit.

    What it printed last is shown if it fails.
    """
    printed: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    kept: list[str] = []
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"},
    ) as process:

        def read() -> None:
            assert process.stdout
            for line in process.stdout:
                printed.put(line.rstrip())
            printed.put(None)

        threading.Thread(target=read, daemon=True).start()
        while True:
            try:
                line = printed.get(timeout=0.25)
            except queue.Empty:
                yield ""
                continue
            if line is None:
                break
            kept.append(line)
            yield line
    if process.returncode:
        last = "\n".join(kept[-20:])
        sys.exit(f"\n{last}\nThis failed. Mend it (is there a connection?) and type it again.")


def inside(environment: Path) -> str:
    """Return the Python of an environment."""
    return str(environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


def runs(python: str) -> bool:
    """Tell whether there is such a Python."""
    try:
        return subprocess.run([python, "-c", ""], capture_output=True).returncode == 0
    except OSError:
        return False


def plain(name: str) -> str:
    """Return the name of a package as all spell it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed(environment: Path) -> int:
    """Count the packages that are there."""
    packages = sysconfig.get_path("purelib", "venv", {"base": str(environment)})
    return sum(1 for _ in Path(packages).glob("*.dist-info"))


def install(environment: Path, requirements: Path, teller: Teller) -> None:
    """Install what a file names."""
    pins = requirements.read_text(encoding="utf-8").splitlines()
    names = [plain(pin.split("==")[0]) for pin in pins if not pin.startswith("#")]
    count = len(names)
    fetched: set[str] = set()
    order: list[str] = []
    before = installed(environment)
    text = "reading what is asked for"
    for line in lines([inside(environment), *PIP, "--requirement", str(requirements)]):
        if line.startswith("Ignoring "):  # what another system or another Python would need
            count -= 1
        elif (found := COLLECTED.match(line)) and plain(found[1]) in names:
            fetched.add(found[1])
            text = f"fetching {len(fetched)} of {count} packages: {found[1]}"
        elif line.startswith(INSTALLING):
            order = line.removeprefix(INSTALLING).split(", ")
        if order:
            done = min(installed(environment) - before, len(order) - 1)
            text = f"installing {done + 1} of {len(order)} packages: {order[done]}"
        teller.say(text)


def main(arguments: list[str]) -> None:
    """Make the environment if there is none, and install."""
    if unfit := problem():
        sys.exit(unfit)
    environment, *wanted = map(Path, arguments)
    names = " and ".join(path.name or "the helpers" for path in wanted)
    print(f"Installing {names} into {environment}: minutes, the first time only.", flush=True)
    teller = Teller()
    try:
        if not runs(inside(environment)):
            for _ in lines([sys.executable, "-m", "venv", "--clear", str(environment)]):
                teller.say("making an environment")
        for path in wanted:
            if path.is_file():
                install(environment, path, teller)
                continue
            for _ in lines([inside(environment), *PIP, "--no-deps", "--editable", str(path)]):
                teller.say("installing the helpers of the course")
    except KeyboardInterrupt:
        sys.exit("\nStopped. Type the same again to go on.")
    teller.say("All is installed", always=True)


if __name__ == "__main__":
    main(sys.argv[1:])
