"""While it installs, `make lab` says how far it is: at once, and never long after."""

import subprocess
import sys
import textwrap
import time
from pathlib import Path

import install
import pytest
from install import Teller, lines

ROOT = Path(__file__).parent.parent
TOOL = ROOT / "tools" / "install.py"
# What stands for pip: it writes what pip writes, and is as silent.
PIP = """
    import pathlib, sys, time
    if sys.argv[1] == "-c":
        sys.exit()  # is there such a Python?
    packages = pathlib.Path(sys.argv[0]).parent.parent.joinpath(*{packages!r})
    print("Ignoring appnope: markers 'sys_platform == \\"darwin\\"' don't match your environment")
    print("Collecting aiohttp==3.14.5 (from -r requirements.txt (line 4))")
    print("  Downloading aiohttp-3.14.5.whl (1.7 MB)")
    print("Requirement already satisfied: yarl==1.25.1 in /somewhere")
    time.sleep(1.2)
    print("Installing collected packages: yarl, aiohttp")
    time.sleep(1.2)
    (packages / "yarl-1.25.1.dist-info").mkdir(parents=True)
    time.sleep(1.2)
    print("Successfully installed yarl-1.25.1 aiohttp-3.14.5")
"""


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An environment whose Python is only a shell script that stands for pip."""
    packages = Path(install.sysconfig.get_path("purelib", "venv", {"base": str(tmp_path)}))
    pip = tmp_path / "pip.py"
    parts = packages.relative_to(tmp_path).parts
    pip.write_text(textwrap.dedent(PIP.replace("{packages!r}", repr(parts))))
    python = Path(install.inside(tmp_path))
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec {sys.executable} {python.parent / "pip.py"} "$@"\n')
    python.chmod(0o755)
    pip.rename(python.parent / "pip.py")
    return tmp_path


def test_each_step_is_said(environment: Path):
    """How many of how many, and which, first as they are fetched and then as they are installed."""
    requirements = environment / "requirements.txt"
    requirements.write_text(
        "# some\naiohttp==3.14.5\nappnope==1 ; sys_platform == 'darwin'\nyarl==1"
    )
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, str(TOOL), str(environment), str(requirements)],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    said = [line.rpartition(" (")[0] for line in done.stdout.splitlines()]
    assert done.stdout.startswith(f"Installing requirements.txt into {environment}: ")
    steps = [step for step in said[1:] if "of 2" in step]
    assert "fetching 2 of 2 packages: yarl" in steps
    assert steps[-2:] == [
        "installing 1 of 2 packages: yarl",
        "installing 2 of 2 packages: aiohttp",
    ]
    assert said[-1] == "All is installed"
    assert len(said) <= time.monotonic() - started + 3  # no flood of lines where they stay


def test_it_never_keeps_silent(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Whatever says nothing, as a long download, is named again, with the seconds."""
    monkeypatch.setattr(install, "PATIENCE", 0.5)
    teller = Teller()
    for _ in lines([sys.executable, "-c", "import time; time.sleep(2)"]):
        teller.say("fetching 1 of 2 packages: scipy")
    said = capsys.readouterr().out.splitlines()
    assert len(said) >= 2
    assert {line.rpartition(" (")[0] for line in said} == {"fetching 1 of 2 packages: scipy"}


def test_it_is_never_silent_for_ten_seconds():
    """It speaks again after five seconds, and looks four times a second."""
    assert install.PATIENCE <= 5


def test_what_failed_is_shown():
    """The last of what was printed, and what to do."""
    code = "import sys; print('ERROR: No matching distribution'); sys.exit(1)"
    with pytest.raises(SystemExit) as stopped:
        list(lines([sys.executable, "-c", code]))
    assert "ERROR: No matching distribution" in str(stopped.value)
    assert "type it again" in str(stopped.value)


def test_a_terminal_has_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """There each step is written over the one before, until the end."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    teller = Teller()
    for step in "one", "two", "two", "three":
        teller.say(step)
    teller.say("end", always=True)
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert [part.split(" (")[0] for part in said.split("\r")[1:]] == ["one", "two", "three", "end"]
