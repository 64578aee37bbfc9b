"""The house of `helpers`: imports only point down, names are exact, and the door is light."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import helpers

ROOT = Path(__file__).parent.parent
FLOORS = {  # the first floor has steps of its own
    "game": 4.1,
    "explore": 4,
    "replay": 4,
    "checks": 4,
    "verdict": 3,
    "plot": 3,
    "screen": 3,
    "clock": 2,
    "infer": 1.2,
    "load": 1.1,
    "trace": 1.1,
    "run": 1,
    "data": 1,
    "server": 1,
    "chain": 0,
    "prints": 0,
}
FACE = "__init__"
MODULES = sorted(
    ".".join(path.relative_to(ROOT / "helpers").with_suffix("").parts)
    for path in (ROOT / "helpers").rglob("*.py")
    if path.stem != FACE
)


def tree(module: str) -> ast.Module:
    return ast.parse(
        (ROOT / "helpers" / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
    )


def imported(module: str) -> Iterator[str]:
    """Yield each module of helpers that this one imports, wherever; the face is `__init__`."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(filter(None, ["helpers" if node.level else "", node.module]))
            whole = base == "helpers"
            names = [f"{base}.{alias.name}" for alias in node.names] if whole else [base]
        else:
            continue
        for name in names:
            package, _, rest = name.partition(".")
            if package == "helpers":
                inner = rest.partition(".")[0]
                yield inner if inner in MODULES else FACE


def defined(module: str) -> Iterator[str]:
    """Yield the public names that the module itself gives a meaning."""
    for node in tree(module).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]
        else:
            names = []
        yield from (name for name in names if not name.startswith("_"))


@pytest.mark.parametrize("module", MODULES)
def test_imports_only_point_down(module: str):
    """No module imports one of its own floor or above, nor the face, not even in a function."""
    floor = FLOORS[module.partition(".")[0]]
    upward = {name for name in imported(module) if FLOORS.get(name, 9) >= floor}
    assert upward == set()


@pytest.mark.parametrize("module", MODULES)
def test_public_names_are_exact(module: str):
    """`__all__` holds each public name that the module defines, once, and nothing else."""
    names = import_module(f"helpers.{module}").__all__
    assert sorted(names) == sorted(set(defined(module)))


@pytest.mark.parametrize("module", MODULES)
def test_each_module_has_its_test_file(module: str):
    """A module without a file of tests named after it is found here."""
    assert (ROOT / "tests" / f"test_{module.replace('.', '_')}.py").exists()


def test_the_face_shows_what_the_house_has():
    """Each name of `helpers` is one that a module offers, and can be had."""
    offered = {name for module in MODULES for name in import_module(f"helpers.{module}").__all__}
    assert helpers.__all__
    assert set(helpers.__all__) <= offered
    assert set(helpers.__all__) <= set(dir(helpers))
    for name in helpers.__all__:
        assert getattr(helpers, name) is not None


def test_import_is_light():
    """`import helpers` loads neither matplotlib nor scikit-learn, whatever else it does."""
    code = "import sys, helpers; print({'matplotlib', 'sklearn'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.stdout.strip() == "set()", run.stderr
