"""The learner's edition: copies of the notebooks without outputs, in a folder that git ignores.

What a learner changed is never written over. What is untouched follows the course. Where both
changed, the course's new version is put beside the learner's, as in `03_gather.new.ipynb`; where
cells of an old version were run and not changed, what they showed is kept, as in
`03_gather.old.ipynb`.
"""

import contextlib
import copy
import hashlib
import json
import os
import sqlite3
import sys
from itertools import count
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
COURSE = ROOT / "notebooks"
LEARN = ROOT / "learn"
FIRST = "00_start_here.ipynb"
#: For each file that was given, the version given, and the newest of the course that it was
#: compared with.
RECORD = ".course.json"
SOLUTION = "# Solution"
# What JupyterLab writes into a notebook when its kernel has begun: a copy that has it already is
# not "unsaved" as soon as it is opened.
LANGUAGE = {
    "codemirror_mode": {"name": "ipython", "version": sys.version_info[0]},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
    "version": sys.version.partition(" ")[0],
}
Notebook = dict[str, Any]


def text(cell: dict[str, Any]) -> str:
    """Return the source of a cell, which may be stored as a list of lines."""
    return "".join(cell.get("source", ""))


def is_solution(cell: dict[str, Any]) -> bool:
    """Tell whether a cell solves an exercise."""
    return "solution" in cell["metadata"].get("tags", [])


def edition(notebook: Notebook) -> Notebook:
    """Return the learner's edition: nothing that was shown, and solutions folded and named."""
    new = copy.deepcopy(notebook)
    new["metadata"]["language_info"] = LANGUAGE
    for cell in new["cells"]:
        if cell["cell_type"] == "code":
            cell.update(outputs=[], execution_count=None)
        if is_solution(cell):
            cell["metadata"].setdefault("jupyter", {})["source_hidden"] = True
            if not text(cell).startswith(SOLUTION):
                cell["source"] = f"{SOLUTION}\n{text(cell)}".splitlines(keepends=True)
    return new


def version(notebook: Notebook) -> str:
    """Return what is the same as long as nobody changed a text.

    Cells that were run, folded or added empty (as JupyterLab does at the end) change nothing.
    """
    cells = [
        [cell["cell_type"], text(cell), cell.get("attachments") or {}] for cell in notebook["cells"]
    ]
    kept = json.dumps([cell for cell in cells if cell[1].strip() or cell[2]], sort_keys=True)
    return hashlib.sha256(kept.encode()).hexdigest()[:16]


def read(path: Path) -> Notebook:
    """Return a notebook, or one without cells if the file holds none that can be read."""
    try:
        notebook: Notebook = json.loads(path.read_text(encoding="utf-8"))
        version(notebook)
        return notebook
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {"cells": []}


def was_run(notebook: Notebook) -> bool:
    """Tell whether there are outputs that one would miss."""
    return any(cell.get("outputs") for cell in notebook["cells"])


def write(path: Path, content: dict[str, Any]) -> None:
    """Write a file whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", "utf-8")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def free(path: Path, ending: str) -> Path:
    """Return a name beside a file that nothing bears, as in `03_gather.old.ipynb`."""
    names = (path.with_name(f"{path.stem}.{ending}{n if n > 1 else ''}.ipynb") for n in count(1))
    return next(name for name in names if not os.path.lexists(name))


class Folder:
    """A learner's folder, to be brought up to date."""

    def __init__(self, course: Path = COURSE, learn: Path = LEARN) -> None:
        self.course, self.learn = course, learn
        try:
            found = json.loads((learn / RECORD).read_text(encoding="utf-8"))
            self.given = {str(name): (str(old), str(seen)) for name, (old, seen) in found.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            self.given = {}  # then every file counts as the learner's own

    def update(self) -> list[str]:
        """Bring the folder up to date; return a line for each file of which there is news."""
        self.learn.mkdir(exist_ok=True)
        before = dict(self.given)
        said: list[str] = []
        sources = sorted(self.course.glob("*.ipynb"))
        try:
            for source in sources:
                said += self.follow(source.name, edition(json.loads(source.read_text("utf-8"))))
            for name in sorted(self.given):
                if self.source(name) not in {source.name for source in sources}:
                    said += self.leave(name)
        finally:
            if self.given != before:
                write(self.learn / RECORD, self.given)
        return said

    @staticmethod
    def source(name: str) -> str:
        """Return the course's name of a file: 03_gather.ipynb, where it is 03_gather.new.ipynb."""
        return name.partition(".")[0] + ".ipynb"

    def follow(self, name: str, wanted: Notebook) -> list[str]:
        """Give the learner this notebook of the course, unless he has it, or his own of it."""
        path, newest = self.learn / name, version(wanted)
        if not os.path.lexists(path):
            self.put(path, wanted)
            return [f"new       {name}"]
        here = read(path)
        if version(here) == newest:
            self.given[name] = (newest, newest)
            return []
        if version(here) != self.given.get(name, ("", ""))[0]:
            return self.beside(path, wanted, bool(here["cells"]))
        kept = ""
        if was_run(here):
            old = free(path, "old")
            os.rename(path, old)
            kept = f" (what your run of the old one showed is in {old.name})"
        self.put(path, wanted)
        return [f"updated   {name}{kept}"]

    def beside(self, path: Path, wanted: Notebook, readable: bool) -> list[str]:
        """Keep the learner's own; put the course's beside it where that has changed since."""
        newest = version(wanted)
        given, seen = self.given.get(path.name, ("", ""))
        others = [name for name in self.given if name.startswith(f"{path.stem}.new")]
        others = [name for name in others if (self.learn / name).exists()]
        why = "you changed it" if readable else "it cannot be read as a notebook"
        if seen == newest if readable else any(self.given[n][1] == newest for n in others):
            return [f"kept      {path.name}: {why}"]
        for name in others:
            if self.pristine(self.learn / name):  # an older version that nobody touched
                (self.learn / name).unlink()
                del self.given[name]
        new = free(path, "new")
        self.put(new, wanted)
        self.given[path.name] = (given, newest)
        return [f"kept      {path.name}: {why}; the course's new one is {new.name}"]

    def leave(self, name: str) -> list[str]:
        """Say what is to be done with a file that the course no longer has."""
        path = self.learn / name
        if not os.path.lexists(path):
            del self.given[name]
            return []
        if not self.pristine(path):
            return [f"kept      {name}: the course no longer has it"]
        path.unlink()
        del self.given[name]
        return [f"removed   {name}: the course no longer has it, and you had not touched it"]

    def pristine(self, path: Path) -> bool:
        """Tell whether nobody changed or ran what was given."""
        here = read(path)
        return version(here) == self.given[path.name][0] and not was_run(here)

    def put(self, path: Path, notebook: Notebook) -> None:
        """Write what the course gives, and note which version that is."""
        write(path, notebook)
        self.given[path.name] = (version(notebook),) * 2


def prepare(course: Path = COURSE, learn: Path = LEARN) -> list[str]:
    """Bring the learner's folder up to date, and return what is to be said about it."""
    try:
        return Folder(course, learn).update()
    except OSError as error:
        return [f"{learn} is as it was: {error}. Let it be written to, or copy the course."]


def trust(learn: Path = LEARN) -> None:
    """Have Jupyter know what the course gave, lest it warns that a notebook is not trusted."""
    from nbformat import read, sign

    folder = Folder(learn=learn)
    with contextlib.suppress(OSError, sqlite3.Error):  # a warning costs less than no notebook
        notary = sign.NotebookNotary()
        with contextlib.closing(notary.store):
            for path in filter(folder.pristine, map(learn.joinpath, folder.given)):
                notary.sign(read(path, as_version=4))
