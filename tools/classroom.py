"""Make `class/`, the teacher's folder, and in it one zip for the class.

The zip holds all that a learner needs to install and open the course, notebooks without outputs and
without solutions. The folder holds the same, beside the zip, and what is the teacher's alone:
`solutions/`, whole notebooks with all that they show, and TEACHING.md.
"""

import json
import shutil
import sys
import zipfile
from pathlib import Path

from learner import COURSE, Notebook, edition, is_solution, write

ROOT = Path(__file__).resolve().parent.parent
CLASS = ROOT / "class"
ZIP = "async-ai-notebooks.zip"
# What a learner needs besides notebooks. README.md and LICENSE are named in pyproject.toml.
FILES = ["environment.yml", "LICENSE", "Makefile", "pyproject.toml", "requirements.txt"]
TOOLS = ["check.py", "install.py", "lab.py", "learner.py", "preflight.py"]
FOLDERS = ["docs", "helpers", "tools/jupyter"]
# What README.md says of notebooks that the class does not get.
OTHERS = [", and with solutions folded", " The notebooks in `notebooks/` show everything."]
GIVEN = ["notebooks", "tools", "docs", "helpers", "README.md", *FILES]
TEACHING = "TEACHING.md"
SOLUTIONS = "solutions"
PASSING = {"__pycache__", ".ipynb_checkpoints", "data"}  # what running leaves behind


def handout(notebook: Notebook) -> Notebook:
    """Return the learner's edition without the solutions."""
    new = edition(notebook)
    new["cells"] = [cell for cell in new["cells"] if not is_solution(cell)]
    return new


def readme() -> str:
    """Return what README.md says to learners: nothing of tests, solutions, nor for teachers."""
    text = (ROOT / "README.md").read_text(encoding="utf-8").partition("## For teachers")[0]
    for theirs in OTHERS:
        text = text.replace(theirs, "")
    return "".join(line for line in text.splitlines(keepends=True) if "make test" not in line)


def files(home: Path, names: list[str]) -> list[Path]:
    """Return the files that lie in a folder under these names."""
    found = [path for name in names for path in [home / name, *(home / name).rglob("*")]]
    return sorted(p for p in found if p.is_file() and not PASSING & {*p.relative_to(home).parts})


def changed(home: Path) -> list[str]:
    """Name what somebody changed since the folder was made: the zip was made last."""
    zipped = home / ZIP
    made = zipped.stat().st_mtime if zipped.exists() else 0.0
    there = files(home, [*GIVEN, SOLUTIONS, TEACHING])
    return [str(p.relative_to(home)) for p in there if p.stat().st_mtime > made]


def fill(home: Path) -> None:
    """Write what the folder and the zip hold, and no more."""
    (home / "notebooks").mkdir(parents=True)
    for source in sorted(COURSE.glob("*.ipynb")):
        content = json.loads(source.read_text(encoding="utf-8"))
        write(home / "notebooks" / source.name, handout(content))
    for name in FOLDERS:
        shutil.copytree(ROOT / name, home / name, ignore=shutil.ignore_patterns(*PASSING))
    for name in [*FILES, *(f"tools/{tool}" for tool in TOOLS)]:
        shutil.copy(ROOT / name, home / name)
    (home / "README.md").write_text(readme(), encoding="utf-8")


def make(home: Path = CLASS) -> Path:
    """Make the folder anew, but for what was done in `learn/`; return the zip."""
    if mine := changed(home):
        sys.exit(
            f"In {home}, this was changed since it was made: {', '.join(mine)}. The folder is made "
            "anew each time: move what is yours, or the whole folder, away first."
        )
    for name in ["notebooks", "tools", "docs", "helpers", SOLUTIONS]:
        shutil.rmtree(home / name, ignore_errors=True)
    fill(home)
    (home / SOLUTIONS).mkdir()
    for source in sorted(COURSE.glob("*.ipynb")):
        shutil.copyfile(source, home / SOLUTIONS / source.name)
    if (ROOT / TEACHING).exists():
        shutil.copyfile(ROOT / TEACHING, home / TEACHING)
    zipped = home / ZIP
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as file:
        for path in files(home, GIVEN):
            file.write(path, Path(zipped.stem, path.relative_to(home)))
    return zipped


if __name__ == "__main__":
    zipped = make()
    print(
        f"{zipped.relative_to(ROOT)} is for the class, {CLASS.name}/ for you; solutions are in it."
    )
