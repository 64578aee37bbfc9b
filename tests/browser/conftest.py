"""One server, one browser and one page for all tests, and nothing goes unseen.

A console error, an error in the page, an answer from anywhere but this machine, an error or
stderr output of a cell: each fails the test. What there was to see then lies in `test-artifacts/`.

JupyterLab's `commsOverSubshells` is what the environment variable COMMS_OVER_SUBSHELLS says.
"""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from driver import PATIENCE, Notebook
from kernels import environment
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).parents[2]
ARTEFACTS = ROOT / "test-artifacts"
NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "microsoft-edge-stable",
    "msedge",
)
PLACES = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
NO_BROWSER = (
    "There is no Chromium, Chrome or Edge to drive the notebooks with: install one, as with "
    "`sudo apt install chromium` (Debian), `sudo dnf install chromium` (Fedora), "
    "`brew install --cask chromium` (macOS) or `winget install Google.Chrome` (Windows)."
)
COMMS = os.environ.get("COMMS_OVER_SUBSHELLS", "perCommTarget")  # the default of JupyterLab
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {
        "checkForUpdates": False,
        "doNotDisturbMode": True,
        "fetchNews": "false",
    },
    "@jupyterlab/apputils-extension:kernels-settings": {"commsOverSubshells": COMMS},
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
}
# As a learner's server, which has no Voilà, and takes seconds less.
WITHOUT = {"voila.server_extension": False}
HERE = {"127.0.0.1", "localhost"}
OPEN = """async path => {
    await window.jupyterapp.commands.execute('docmanager:open', {path, factory: 'Notebook'});
}"""
SHUTDOWN = "async () => window.jupyterapp?.shell.currentWidget.sessionContext.shutdown()"
CLOSE = "() => { window.jupyterapp?.shell.currentWidget.dispose(); }"
SAID = "said"
FAILED = pytest.StashKey[bool]()
expect.set_options(PATIENCE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests first, so that nobody waits for one at the end; those to be alone last."""
    items.sort(key=lambda item: (is_alone(item), "test_every_control" not in item.name))


def is_alone(item: pytest.Item) -> bool:
    """Whether no other test may run beside this one."""
    return item.get_closest_marker("alone") is not None


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what was measured, whether or not tests passed."""
    reports = (report for reports in terminalreporter.stats.values() for report in reports)
    said = [
        what
        for report in reports
        if getattr(report, "when", None) == "teardown"
        for name, what in report.user_properties
        if name == SAID
    ]
    if said:
        terminalreporter.section("measured in the browser")
        for line in said:
            terminalreporter.write_line(line)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Remember that a test failed, for its page to be kept; and say what its server said last."""
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    witness = item.funcargs.get("witness")
    if report.failed and witness:
        report.sections.append(("the page's console", "\n".join(witness.log[-20:])))
        if witness.server:
            said = witness.server.log.read_text(errors="replace").splitlines()
            report.sections.append(("the server's log", "\n".join(said[-40:])))
    return report


@pytest.fixture(autouse=True)
def room(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """While a test marked `alone` measures time, the other processes of pytest-xdist run none."""
    if not hasattr(request.config, "workerinput"):
        yield
        return
    from fcntl import LOCK_EX, LOCK_SH, LOCK_UN, flock  # not on Windows, where make is not either

    common = tmp_path_factory.getbasetemp().parent
    with (common / "turn").open("w") as turn, (common / "room").open("w") as room:
        flock(turn, LOCK_EX)  # who waits for the room keeps others from entering it
        flock(room, LOCK_EX if is_alone(request.node) else LOCK_SH)
        flock(turn, LOCK_UN)
        yield


@pytest.fixture
def say(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Say a line at the end of the test run."""
    return partial(record_property, SAID)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser that is installed here; without one, tests are skipped, but not in CI."""
    found = next(filter(None, map(shutil.which, [*NAMES, *PLACES])), None)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(NO_BROWSER, pytrace=False)
        pytest.skip(NO_BROWSER)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
        )
        yield browser
        browser.close()


@dataclass
class Server:
    """A server of notebooks."""

    address: str
    token: str
    folder: Path
    """What it shows: a copy of the notebooks."""
    log: Path

    def url(self, notebook: str) -> str:
        return f"{self.address}/lab/workspaces/test/tree/{notebook}?reset&token={self.token}"


@pytest.fixture(scope="session")
def lab(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """JupyterLab."""
    base = tmp_path_factory.mktemp("lab")
    settings = base / "config" / "labconfig" / "default_setting_overrides.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps(SETTINGS))
    arguments = [
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--ServerApp.root_dir={folder}",
        "--IdentityProvider.token={token}",
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.news_url=",
        f"--ServerApp.jpserver_extensions={{{WITHOUT}}}",
        "--LanguageServerManager.autodetect=False",  # or it starts Node to look for some
        f"--LabApp.extra_labextensions_path={ROOT / 'tools' / 'jupyter' / 'labextensions'}",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        arguments.append("--allow-root")
    with serving(base, "jupyterlab", *arguments) as server:
        yield server


@contextmanager
def serving(base: Path, program: str, *arguments: str) -> Iterator[Server]:
    """A server on a copy of the notebooks, with settings, data and kernels of its own."""
    folder = base / "notebooks"
    shutil.copytree(
        ROOT / "notebooks", folder, ignore=shutil.ignore_patterns("data", ".ipynb_checkpoints")
    )
    unread = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "tools", base / "tools", ignore=unread)  # notebook 00 runs one of them
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Server(f"http://127.0.0.1:{port}", secrets.token_hex(), folder, base / "server.log")
    command = [sys.executable, "-m", program, "--no-browser"]
    if os.name != "nt":
        command += ["--KernelManager.transport=ipc"]  # see tools/kernels.py
    command += [a.format(port=port, token=server.token, folder=folder) for a in arguments]
    own = environment(base) | {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    }
    short = tempfile.TemporaryDirectory(prefix="jupyter-")  # a socket's path has a hundred letters
    with server.log.open("w") as log, short as runtime:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=own | {"JUPYTER_RUNTIME_DIR": runtime},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_for(port, process, server.log)
            yield server
        finally:
            stop(process)


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server takes connections."""
    give_up = time.monotonic() + 120
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > give_up:
                pytest.fail(f"The server does not answer:\n{log.read_text()}", pytrace=False)
            time.sleep(0.1)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Have the server end its kernels and itself."""
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Witness:
    """Notes what happens in a page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.devtools = page.context.new_cdp_session(page)
        self.server: Server | None = None
        self.log: list[str] = []
        self.problems: list[str] = []
        page.on("console", lambda message: self.note(message.type == "error", message.text))
        page.on("pageerror", lambda error: self.note(True, f"error in the page: {error}"))
        page.on("websocket", lambda socket: self.check(socket.url))
        page.context.on("request", lambda request: self.check(request.url))

    def show_on(self, width: int, height: int, scale: float) -> None:
        """Let the page have another display, as if the window or the zoom were changed."""
        size = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
        self.devtools.send("Emulation.setDeviceMetricsOverride", size)

    def note(self, bad: bool, text: str) -> None:
        self.log.append(text)
        # A short test ends its kernel before JupyterLab has asked that for its debugger.
        if bad and not text.startswith("Could not restore the debugger state: Canceled future"):
            self.problems.append(text)

    def check(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("blob", "data") and parts.hostname not in HERE:
            self.note(True, f"request that leaves this machine: {url}")


@pytest.fixture
def display(request: pytest.FixtureRequest) -> tuple[int, int, float]:
    """Width and height of the page in its own pixels, and how many of the screen's each has."""
    return getattr(request, "param", (1400, 1000, 1))


@pytest.fixture(scope="session")
def witnesses(browser: Browser) -> Iterator[list[Witness]]:
    """The last page, if it is still good: JupyterLab takes seconds to load."""
    good: list[Witness] = []
    yield good
    for witness in good:
        witness.page.close()


@pytest.fixture
def witness(
    browser: Browser,
    display: tuple[int, int, float],
    witnesses: list[Witness],
    request: pytest.FixtureRequest,
) -> Iterator[Witness]:
    """A page for this test, in which no problem goes unseen."""
    if not witnesses:
        page = browser.new_page(no_viewport=True)
        page.set_default_timeout(PATIENCE)
        witnesses.append(Witness(page))
    (witness,) = witnesses
    witness.show_on(*display)
    witness.log.clear()
    yield witness
    if witness.problems or request.node.stash.get(FAILED, False):
        keep(request.node.name, witness)
        witnesses.clear()
        witness.page.close()
    else:
        witness.page.evaluate(CLOSE)
    assert witness.problems == []


@pytest.fixture
def open_notebook(lab: Server, witness: Witness) -> Iterator[Callable[[str], Notebook]]:
    """Open a notebook in the page of the test; end its kernel after the test."""
    page, witness.server = witness.page, lab
    opened: list[Notebook] = []

    def open_notebook(name: str) -> Notebook:
        opened.append(Notebook(page))
        if page.evaluate("'jupyterapp' in window"):
            opened[-1].settled(OPEN, name)
        else:
            page.goto(lab.url(name))
        opened[-1].listen()
        return opened[-1]

    yield open_notebook
    witness.problems += [fault for notebook in opened for fault in notebook.faults()]
    if opened:
        opened[-1].settled(SHUTDOWN)


def keep(name: str, witness: Witness) -> None:
    """Save what there is to see of a test that failed."""
    folder = ARTEFACTS / re.sub(r"\W+", "-", name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "console.log").write_text("\n".join(witness.log), encoding="utf-8")
    if witness.server:
        shutil.copy(witness.server.log, folder / "server.log")
    witness.page.screenshot(path=folder / "page.png")
