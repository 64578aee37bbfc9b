"""Tests and tools do not care what the user has set up for their own work."""

import os
import re
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

ROOT = Path(__file__).parent.parent
CELLS = {
    "import asyncio\nimport os\nimport tempfile": "",
    "import matplotlib.pyplot as plt\n_, ax = plt.subplots()\nax.plot([1, 2]);": None,
    "print('inline' in plt.get_backend(), plt.rcParams['figure.dpi'])": "True 100.0\n",
    "print(asyncio.get_running_loop().get_debug(), 'of_the_user' in dir())": "False False\n",
    "print(len(tempfile.gettempdir()) < 60, 'HARM' in os.environ)": "True True\n",
}
HARM = """
import warnings
of_the_user = print("a startup file of the user's")
warnings.warn("of the user's")
"""


@pytest.fixture
def harmful(tmp_path: Path) -> Iterator[dict[str, str]]:
    """What users may have: each of it alone has made tests fail or hang."""
    profile = tmp_path / "ipython" / "profile_default"
    (profile / "startup").mkdir(parents=True)
    (profile / "startup" / "mine.py").write_text(HARM)
    (profile / "ipython_config.py").write_text("c.InteractiveShellApp.exec_lines = ['1 / 0']")
    style = tmp_path / "matplotlibrc"
    style.write_text("figure.dpi: 10\nno.such.key: 1\n")
    with tempfile.TemporaryDirectory(prefix="long-") as folder:
        far = Path(folder, "x" * (89 - len(folder)))
        far.mkdir()
        assert len(str(far)) == 90
        yield os.environ | {
            "HARM": "1",
            "IPYTHONDIR": str(tmp_path / "ipython"),
            "JUPYTER_CONFIG_DIR": str(tmp_path),
            "MATPLOTLIBRC": str(style),
            "MPLBACKEND": "no-such-backend",
            "MPLCONFIGDIR": "/dev/null/matplotlib",
            "PYTHONASYNCIODEBUG": "1",
            "PYTHONWARNINGS": "always",
            "TMPDIR": str(far),
        }
        assert list(far.iterdir()) == []


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A notebook that has been run, with nothing of the user's about it."""
    cells = [
        new_code_cell(
            source,
            execution_count=number,
            metadata={} if shown is not None else {"tags": ["nbval-ignore-output"]},
            outputs=[new_output("stream", name="stdout", text=shown)] if shown else [],
        )
        for number, (source, shown) in enumerate(CELLS.items(), 1)
    ]
    path = tmp_path / "notebooks" / "try.ipynb"
    path.parent.mkdir()
    nbformat.write(new_notebook(cells=cells), path)
    return path


def check(path: Path, environment: dict[str, str], *options: str) -> subprocess.CompletedProcess:
    """Compare a notebook's outputs, as `make nbval` does."""
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "-q", *options]
    command += [f"--rootdir={path.parent}", "-pno:cacheprovider", "-pguard.plugin", str(path)]
    command += ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=60"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def test_notebooks_are_compared_whatever_the_user_has(path: Path, harmful: dict[str, str]):
    """Outputs are as stored, nothing is on stderr, and nothing lies in the user's folder."""
    ran = check(path, harmful)
    assert ran.returncode == 0, ran.stdout
    assert f"{len(CELLS)} passed" in ran.stdout


def test_it_is_the_plugin_that_keeps_them_apart(path: Path, harmful: dict[str, str]):
    """Without it the user's startup file, matplotlib and debug mode are seen."""
    ran = check(path, harmful | {"TMPDIR": "/tmp"}, "-pno:apart")
    assert ran.returncode == 1
    assert re.search("[34] failed, [12] passed", ran.stdout), ran.stdout  # and perhaps slow steps


def test_notebooks_are_run_whatever_the_user_has(path: Path, harmful: dict[str, str]):
    """`make notebooks` stores what it would store elsewhere."""
    before = [cell.outputs for cell in nbformat.read(path, as_version=4).cells]
    command = [sys.executable, str(ROOT / "tools" / "notebooks.py"), str(path)]
    ran = subprocess.run(command, env=harmful, capture_output=True, text=True, timeout=120)
    assert (ran.returncode, ran.stderr) == (0, "")
    after = [cell.outputs for cell in nbformat.read(path, as_version=4).cells]
    assert [*after[:1], *after[2:]] == [*before[:1], *before[2:]]


def test_no_folder_with_a_short_path_gets_a_sentence(monkeypatch: pytest.MonkeyPatch):
    """Where kernels cannot be reached, nothing waits for them."""
    temporary = runpy.run_path(str(ROOT / "tools" / "kernels.py"))["temporary"]
    monkeypatch.setitem(temporary.__globals__, "SHORT", ())
    monkeypatch.setattr(tempfile, "tempdir", "/" + "x" * 89)
    with pytest.raises(SystemExit, match=r"path of more than 28 letters.*TMPDIR=/tmp make test"):
        temporary()
