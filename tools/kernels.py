"""Where kernels, tests and tools run: apart from whatever the user has set up for theirs."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

STARTUP = Path(__file__).with_name("startup.py")
OTHERS = ("IPYTHON", "JPY", "JUPYTER", "MPL", "MATPLOTLIB", "PYTHON")
KEPT = {"PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONPATH", "PYTHONPYCACHEPREFIX"}
# Kernels are reached by sockets that are files, since another program may take a free port before
# they do (jupyter_client#276). Their paths have 103 letters at most; Jupyter needs 75 of them.
LETTERS = 28
SHORT = ("/tmp", "/var/tmp", "/dev/shm")


def temporary() -> str:
    """Return the folder for temporary files, or another one if the paths in it were too long."""
    usual = tempfile.gettempdir()
    for folder in (usual, *SHORT):
        if len(os.fsencode(folder)) <= LETTERS and os.access(folder, os.W_OK | os.X_OK):
            return folder
    sys.exit(
        f"The folder for temporary files, {usual}, has a path of more than {LETTERS} letters, too "
        "long for the sockets of kernels: name another one, as in TMPDIR=/tmp make test"
    )


def enter() -> tempfile.TemporaryDirectory[str]:
    """Have this process, and all that it starts, run apart; return the folder, to clean up."""
    folder = tempfile.TemporaryDirectory(
        prefix="apart-", dir=temporary(), ignore_cleanup_errors=True
    )
    own = environment(Path(folder.name))
    os.environ.clear()
    os.environ.update(own)
    tempfile.tempdir = None  # so that it is asked for anew
    return folder


def environment(folder: Path) -> dict[str, str]:
    """Return the environment for what runs apart, with its settings and files in this folder.

    It has a profile of IPython, settings of Jupyter and a folder of matplotlib of its own, and no
    setting of the user's that changes how Python works, such as PYTHONASYNCIODEBUG.
    """
    kept = {k: v for k, v in os.environ.items() if k in KEPT or not k.startswith(OTHERS)}
    startup = folder / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    shutil.copy(STARTUP, startup)
    return kept | {
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "MPLCONFIGDIR": str(fonts(folder, kept)),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # else the debugger may warn on stderr
        "TMPDIR": temporary(),
    }


def fonts(folder: Path, environment: dict[str, str]) -> Path:
    """Return a folder in which matplotlib has its list of fonts, kept beside the packages.

    It is made beforehand: where that takes long, matplotlib says so on stderr.
    """
    inside = sys.prefix != sys.base_prefix and os.access(sys.prefix, os.W_OK)
    home = Path(sys.prefix if inside else folder, "matplotlib")
    home.mkdir(exist_ok=True)
    if not any(home.glob("fontlist-*")):
        command = [sys.executable, "-c", "import matplotlib.font_manager"]
        own = environment | {"MPLCONFIGDIR": str(home)}
        subprocess.run(command, env=own, stderr=subprocess.DEVNULL, check=True)
    return home
