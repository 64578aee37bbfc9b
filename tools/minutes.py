"""Say how long each notebook takes: its core, and what is optional.

Usage: python tools/minutes.py [notebook ...]          (default: all in notebooks/)

The model: words ÷ 130 + 5 s a line of code + 10 s a code cell + 1 min a *Predict* + 5 a widget to
play with + 9 an exercise. Both figures are rounded up to five minutes.
"""

import math
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
CORE_ENDS = "## Going deeper"
OPTIONAL_ENDS = "## In practice"
EXERCISE = re.compile(r"^#{2,3} Exercise\b", re.M)
WIDGET = re.compile(r"\b(?:explore|replay|be_the_loop)\(")


@dataclass
class Part:
    """What there is to read, to run and to do in some cells."""

    words: int = 0
    lines: int = 0
    code_cells: int = 0
    predictions: int = 0
    widgets: int = 0
    exercises: int = 0

    @property
    def minutes(self) -> int:
        """By the model, rounded up to five."""
        exact = (
            self.words / 130
            + self.lines * 5 / 60
            + self.code_cells * 10 / 60
            + self.predictions
            + self.widgets * 5
            + self.exercises * 9
        )
        return 5 * math.ceil(exact / 5)


def parts(cells: list[NotebookNode]) -> tuple[list[NotebookNode], list[NotebookNode]]:
    """Return the cells of the core (with the fine print at the end), and the optional ones."""
    core, optional = [], []
    now = core
    for cell in cells:
        if cell.cell_type == "markdown":
            if re.search(f"^{re.escape(CORE_ENDS)}", cell.source, re.M):
                now = optional
            elif re.search(f"^{re.escape(OPTIONAL_ENDS)}", cell.source, re.M):
                now = core
        now.append(cell)
    return core, optional


def words(text: str) -> int:
    """Count the words of Markdown, without code blocks, tags and addresses."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    plain = re.sub(r"<[^>]+>|\]\([^)]*\)|`+", " ", text)
    return len(re.findall(r"[^\W_][\w'’-]*", plain))


def measure(cells: list[NotebookNode]) -> Part:
    """Count what is in these cells."""
    part = Part()
    for cell in cells:
        if cell.cell_type == "markdown":
            part.words += words(cell.source)
            part.predictions += "**Predict" in cell.source
            part.exercises += len(EXERCISE.findall(cell.source))
        else:
            part.lines += sum(bool(line.strip()) for line in cell.source.splitlines())
            part.widgets += len(WIDGET.findall(cell.source))
            part.code_cells += 1
    return part


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]) if sys.argv[1:] else sorted(NOTEBOOKS.glob("*.ipynb")):
        core, optional = map(measure, parts(nbformat.read(path, as_version=4).cells))
        print(f"{path.stem}: {core.minutes} minutes, {optional.minutes} more to go deeper")
        print(f"    core {core}\n    deeper {optional}")
