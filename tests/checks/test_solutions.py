"""The folded solutions of the notebooks: each is held to the very check of its exercise."""

import ast
from pathlib import Path
from typing import Any

import nbformat
import pytest

from helpers import checks

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def code(path: Path) -> list[Any]:
    return [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]


SOLUTIONS = [
    pytest.param(path, cell.source, id=f"{path.stem}-{cell.source.splitlines()[-1]}")
    for path in NOTEBOOKS
    for cell in code(path)
    if "solution" in cell.metadata.get("tags", [])
]


@pytest.mark.parametrize(("path", "source"), SOLUTIONS)
def test_the_solution_passes(path: Path, source: str) -> None:
    """With nothing but the imports of its notebook; the last line is the check."""
    names: dict[str, Any] = {}
    exec(code(path)[0].source, names)
    *body, last = ast.parse(source).body
    exec(compile(ast.Module(body, []), path.stem, "exec"), names)
    assert isinstance(last, ast.Expr)
    verdict = eval(compile(ast.Expression(last.value), path.stem, "eval"), names)
    assert repr(verdict) == "✔ ok"


def test_every_check_has_a_solution() -> None:
    """And only one."""
    last = [param.values[1].splitlines()[-1].partition("(")[0] for param in SOLUTIONS]
    assert sorted(last) == sorted(checks.__all__)
