"""The house of `helpers`: imports only point down, names are exact, and the door is light."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import helpers

ROOT = Path(__file__).parent.parent
# Which other rooms each room may import from; within a room each module imports only from those
# before it.
ROOMS = {
    "world": (),
    "camera": (),
    "screen": ("camera",),
    "checks": ("camera", "world"),
}
ORDER = {
    "world": [
        "batcher data traffic",
        "load",
        "infer",
        "child service",
        "database llm server",
        "api",
    ],
    "camera": [
        "texts prints",
        "cpython",
        "libraries",
        "chain",
        "run outside",
        "direct fastforward",
        "door",
        "trace",
        "watches interrupt",
        "substitutes",
        "clock steps",
    ],
    "screen": [
        "text style latest palette layout",
        "letters",
        "bars",
        "legend",
        "plot",
        "picture experiment",
        "explorer replay",
        "game",
    ],
    "checks": [
        "words",
        "verdict",
        "answers",
        "doubles",
        "apis blocking coroutines event_loop exceptions gather pipelines",
        "scaling semaphores serving",
    ],
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
    """Yield each module of helpers that this one imports, wherever; the face is `__init__`.

    What stands under ``if TYPE_CHECKING`` names types, and imports nothing.
    """
    whole = tree(module)
    typing = {
        inner
        for node in ast.walk(whole)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(whole):
        if node in typing:
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = f"helpers.{module}".split(".")[: -node.level] if node.level else []
            base = ".".join(filter(None, [*above, node.module]))
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            package, _, rest = name.partition(".")
            if package == "helpers":
                yield next((m for m in MODULES if f"{rest}.".startswith(f"{m}.")), rest or FACE)


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


def floor(module: str) -> int:
    """The place of a module in the order of its room."""
    room, _, name = module.partition(".")
    return next(at for at, names in enumerate(ORDER[room]) if name in names.split())


@pytest.mark.parametrize("module", MODULES)
def test_imports_only_point_down(module: str):
    """No module imports one of its own floor or above, nor the face, not even in a function."""
    room = module.partition(".")[0]
    for other in imported(module):
        where = other.partition(".")[0]
        if where == room:
            assert floor(other) < floor(module), other
        else:
            assert where in ROOMS[room], other


def test_the_house_has_its_rooms():
    """Beside the face there are four rooms and nothing else, and every module has its place."""
    beside = {path.name for path in (ROOT / "helpers").iterdir()} - {"__pycache__", "py.typed"}
    assert beside == {"__init__.py", *ROOMS}
    placed = {f"{room}.{n}" for room, names in ORDER.items() for n in " ".join(names).split()}
    assert placed == set(MODULES)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_hands_out_names_of_its_modules(room: str):
    """Each name that a room hands out is one that a module of it offers."""
    inside = [module for module in MODULES if module.startswith(f"{room}.")]
    offered = {name for module in inside for name in import_module(f"helpers.{module}").__all__}
    handed = import_module(f"helpers.{room}").__all__
    assert handed and set(handed) <= offered
    assert len(handed) == len(set(handed))


def test_notebooks_import_from_the_face_or_a_room():
    """No notebook imports from deeper than a room."""
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        deep = re.findall(r"(?:from|import) helpers\.\w+\.\w+", path.read_text(encoding="utf-8"))
        assert deep == [], path.name


@pytest.mark.parametrize("module", MODULES)
def test_public_names_are_exact(module: str):
    """`__all__` holds each public name that the module defines, once, and nothing else."""
    names = import_module(f"helpers.{module}").__all__
    assert sorted(names) == sorted(set(defined(module)))


@pytest.mark.parametrize("module", MODULES)
def test_each_module_has_its_test_file(module: str):
    """A module without a file of tests named after it is found here."""
    room, _, name = module.partition(".")
    assert (ROOT / "tests" / f"{room}/test_{name}.py").exists()


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
