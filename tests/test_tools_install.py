"""While it installs, `make lab` says how far it is: at once, and never long after."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import install
import pytest
from install import Teller, lines

ROOT = Path(__file__).parent.parent
# What stands for pip: it writes what pip writes, and waits until each step was seen.
PIP = """
import pathlib, sys, time
print("Ignoring appnope: markers 'sys_platform == \\"darwin\\"' don't match your environment")
print("Ignoring appnope: markers 'sys_platform == \\"linux\\"' don't match your environment")
print("Collecting aiohttp==3.14.5 (from -r requirements.txt (line 4))")
print("  Downloading aiohttp-3.14.5.whl (1.7 MB)")
print("Requirement already satisfied: yarl==1.25.1 in /somewhere")
print("Requirement already satisfied: idna>=2.0 in /somewhere (from yarl==1.25.1)")
print("Installing collected packages: yarl, aiohttp")
home = pathlib.Path(sys.argv[0]).parent
while not (home / "seen").exists():
    time.sleep(0.05)
(pathlib.Path({packages!r}) / "yarl-1.25.1.dist-info").mkdir(parents=True)
print("Successfully installed yarl-1.25.1 aiohttp-3.14.5")
"""


@pytest.mark.skipif(os.name == "nt", reason="what stands for Python is a shell script")
def test_each_step_is_said(tmp_path: Path):
    """How many of how many, and which, first as they are fetched and then as they are installed."""
    packages = sysconfig.get_path("purelib", "venv", {"base": str(tmp_path)})
    (tmp_path / "pip.py").write_text(PIP.replace("{packages!r}", repr(packages)))
    python = Path(install.inside(tmp_path))
    python.parent.mkdir()
    python.write_text(f"#!/bin/sh\nexec {sys.executable} {tmp_path / 'pip.py'}\n")
    python.chmod(0o755)
    pins = tmp_path / "requirements.txt"
    elsewhere = "appnope==1 ; sys_platform == 'darwin'\nappnope==2 ; sys_platform == 'linux'\n"
    pins.write_text(f"# some\nAioHTTP==3.14.5\n{elsewhere}yarl==1.25.1\n")
    said: list[str] = []

    class Recorder(Teller):
        def say(self, text: str, always: bool = False) -> None:
            if said[-1:] != [text]:
                said.append(text)
            if text.startswith("installing 1"):
                (tmp_path / "seen").touch()

    install.install(tmp_path, pins, Recorder())
    assert said == [
        "reading what is asked for",
        "fetching 1 of 2 packages: aiohttp",
        "fetching 2 of 2 packages: yarl",
        "installing 1 of 2 packages: yarl",
        "installing 2 of 2 packages: aiohttp",
    ]


def test_the_first_word_comes_before_any_work(tmp_path: Path):
    """It says what it is about to do, and only then looks for what there is."""
    nothing = tmp_path / "venv", tmp_path / "requirements.txt"
    command = [sys.executable, str(ROOT / "tools" / "install.py"), *map(str, nothing)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        first = running.stdout.readline()
        running.kill()
    assert first.startswith(f"Installing requirements.txt into {nothing[0]}: ")


def test_where_lines_stay_there_are_few(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """A hundred packages in a second make no hundred lines."""
    monkeypatch.setattr(install, "PACE", 1000.0)
    teller = Teller()
    for number in range(100):
        teller.say(f"fetching {number} of 100 packages")
    teller.say("All is installed", always=True)
    assert [line.rpartition(" (")[0] for line in capsys.readouterr().out.splitlines()] == [
        "All is installed"
    ]


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
